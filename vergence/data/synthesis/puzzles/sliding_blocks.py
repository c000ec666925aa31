"""Sliding puzzles: numbered tiles around a gap, cars in a yard (Rush Hour), and blocks in a tray (Klotski)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from pydantic import Field

from vergence.data.generator import Draft, Region, dialogue
from vergence.data.synthesis.palette import RGB
from vergence.data.synthesis.puzzles.drawing import Canvas, Look, ink_on, look, png
from vergence.data.synthesis.puzzles.puzzle import (
    PuzzleConfig,
    graded,
    language_of,
)
from vergence.data.synthesis.puzzles.sliding_puzzles import (
    BlockPuzzle,
    TilePuzzle,
    block_name,
    block_state,
    make_blocks,
    make_tiles,
    rows_of,
)
from vergence.data.synthesis.puzzles.sliding_questions import block_turns, tile_turns

VERSION = 2

PACKAGES = ()

Game = Literal["tiles", "cars", "blocks"]

RED: RGB = (214, 48, 49)

BODIES: Sequence[RGB] = (
    (72, 126, 200),
    (240, 178, 60),
    (92, 168, 104),
    (150, 100, 180),
    (84, 172, 184),
    (226, 138, 92),
    (134, 142, 156),
    (196, 172, 120),
)


class Config(PuzzleConfig):
    """Which of the three games."""

    games: tuple[Game, ...] = Field(("tiles", "cars", "blocks"), min_length=1, description="the games to draw from")


def generate(rng: random.Random, config: Config) -> Draft:
    """A sliding puzzle, asked for a solution, a shortest one, its length, or what some moves lead to."""
    game = rng.choice(config.games)
    language, style = language_of(rng, config), look(rng)
    if game == "tiles":
        tiles = graded(rng, config, make_tiles)
        canvas, regions = draw_tiles(tiles, style, rng.choice(BODIES))
        turns, difficulty = tile_turns(rng, config, language, tiles), tiles.difficulty
        truth: dict[str, Any] = {
            "board": rows_of(tiles.board, tiles.columns),
            "goal": rows_of(tiles.goal, tiles.columns),
            "solution": list(tiles.moves),
        }
    else:
        blocks = graded(rng, config, partial(make_blocks, game, config.split))
        canvas, regions = draw_blocks(blocks, style, rng)
        turns, difficulty = block_turns(rng, config, language, blocks), blocks.difficulty
        truth = {
            "state": block_state(blocks),
            "solution": [[block_name(b), way, cells] for b, way, cells in blocks.moves],
        }
    messages, checks = dialogue((png(canvas.finish()),), turns)
    return Draft(
        messages,
        checks,
        truth={"game": game, **truth},
        capability="reasoning/puzzles/sliding",
        domain="puzzle",
        difficulty=difficulty,
        language=language,
        regions=regions,
    )


def draw_tiles(puzzle: TilePuzzle, style: Look, body: RGB) -> tuple[Canvas, tuple[Region, ...]]:
    """The board."""
    cell, margin, columns = 84.0, 18.0, puzzle.columns
    rows = len(puzzle.board) // columns
    canvas = Canvas(columns * cell + 2 * margin, rows * cell + 2 * margin, style.paper)
    canvas.box(
        (margin - 8, margin - 8, margin + columns * cell + 8, margin + rows * cell + 8), style.surface, style.ink, 3, 10
    )
    regions = []
    for place, tile in enumerate(puzzle.board):
        x, y = margin + place % columns * cell, margin + place // columns * cell
        if tile:
            box = (x + 3, y + 3, x + cell - 3, y + cell - 3)
            canvas.box(box, body, radius=9)
            canvas.text((x + cell / 2, y + cell / 2), str(tile), 38, ink_on(body))
            regions.append(Region(str(tile), box))
    return canvas, tuple(regions)


def draw_blocks(puzzle: BlockPuzzle, style: Look, rng: random.Random) -> tuple[Canvas, tuple[Region, ...]]:
    """The tray with its exit: a gap in the frame beside the goal."""
    tray, cell, margin = puzzle.tray, 60.0, 24.0
    right, bottom = margin + tray.columns * cell, margin + tray.rows * cell
    canvas = Canvas(right + margin, bottom + margin, style.paper)
    canvas.box((margin - 10, margin - 10, right + 10, bottom + 10), style.ink, radius=8)
    canvas.box((margin, margin, right, bottom), style.surface)
    row, column = divmod(puzzle.goal, tray.columns)
    height, width = tray.shapes[0]
    if tray.lengthwise:
        canvas.box((right, margin + row * cell, right + margin, margin + (row + 1) * cell), style.surface)
    else:
        canvas.box((margin + column * cell, bottom, margin + (column + width) * cell, bottom + margin), style.surface)
    for number in range(1, max(tray.rows, tray.columns)):
        for line in (
            [(margin + number * cell, margin), (margin + number * cell, bottom)] if number < tray.columns else [],
            [(margin, margin + number * cell), (right, margin + number * cell)] if number < tray.rows else [],
        ):
            if line:
                canvas.line(line, style.paper, 1)
    regions = []
    for block, place in enumerate(puzzle.state):
        height, width = tray.shapes[block]
        x, y = margin + place % tray.columns * cell, margin + place // tray.columns * cell
        box = (x + 4, y + 4, x + width * cell - 4, y + height * cell - 4)
        body = RED if block == 0 else rng.choice(BODIES)
        canvas.box(box, body, radius=12)
        canvas.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), block_name(block), 26, ink_on(body))
        regions.append(Region(block_name(block), box))
    return canvas, tuple(regions)
