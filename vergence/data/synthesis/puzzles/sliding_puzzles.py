"""Sliding puzzles with their shortest solutions: boards mixed from the goal, and states of trays in the list."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from vergence.data.pictures import Split
from vergence.data.synthesis.puzzles.puzzle import (
    between,
    share,
)
from vergence.data.synthesis.puzzles.sliding_search import Slides, State, Tiles, Tray, neighbours, solve_tiles
from vergence.data.synthesis.puzzles.sliding_trays import STATES, Entry, entries, mirrored


@dataclass(frozen=True)
class TilePuzzle:
    """A board with a gap (0), the board to reach, and the tiles of a shortest solution."""

    columns: int
    board: Tiles
    goal: Tiles
    moves: tuple[int, ...]
    difficulty: float


@dataclass(frozen=True)
class BlockPuzzle:
    """A tray, where its blocks lie, where block 0 has to go, and a shortest solution: (block, direction, cells)."""

    tray: Tray
    state: State
    goal: int
    moves: tuple[tuple[int, str, int], ...]
    difficulty: float


def make_tiles(rng: random.Random, level: float) -> TilePuzzle | None:
    """A board of 2 x 2 to 3 x 3, mixed by slides from the goal."""
    rows, columns = rng.choice(((2, 3), (3, 2), (3, 3)) if level < 0.5 else ((3, 3),))
    goal = (*range(1, rows * columns), 0)
    board, last = goal, 0
    for _ in range(between(level, 2, 30)):
        tile, board = rng.choice([move for move in neighbours(board, columns) if move[0] != last])
        last = tile
    moves = solve_tiles(board, goal, columns)
    if not moves or len(moves) < 2:
        return None
    difficulty = share(len(moves), 1, 24) * (0.7 if rows * columns == 6 else 1.0)
    return TilePuzzle(columns, board, goal, tuple(moves), difficulty)


@lru_cache(maxsize=256)
def walked(entry: Entry) -> tuple[Slides, dict[State, State], dict[State, int], dict[int, list[State]]]:
    """A tray's slides, its states by key, their distances from solved, and the keys at each distance."""
    slides = Slides(entry.tray)
    component = slides.component(entry.state, STATES) or {}
    far = slides.distances(component, entry.goal)
    at: dict[int, list[State]] = {}
    for key, steps in far.items():
        at.setdefault(steps, []).append(key)
    return slides, component, far, at


def make_blocks(game: Literal["cars", "blocks"], split: Split, rng: random.Random, level: float) -> BlockPuzzle | None:
    """A state of a tray in the list, as many moves from solved as the level asks; half of the trays are mirrored."""
    trays = entries(game, split)
    wanted = min(1 + round(level * 21), max(entry.longest for entry in trays))
    entry = rng.choice([entry for entry in trays if entry.longest >= wanted])
    entry = mirrored(entry) if rng.random() < 0.5 else entry
    slides, component, far, at = walked(entry)
    state = component[rng.choice(at[wanted])]
    moves = slides.solution(state, far)
    return BlockPuzzle(entry.tray, state, entry.goal, tuple(moves), share(len(moves), 0, 22))


def rows_of(board: Tiles, columns: int) -> list[list[int]]:
    """A board row by row."""
    return [list(board[start : start + columns]) for start in range(0, len(board), columns)]


def block_name(block: int) -> str:
    """X is the block to bring out, the others are A, B, ..."""
    return "X" if block == 0 else "ABCDEFGHIJKLMNOPQRSTUVW"[block - 1]


def block_state(puzzle: BlockPuzzle) -> dict[str, Any]:
    """What a check holds of a tray: blocks as (row, column, height, width), and where X has to go."""
    columns = puzzle.tray.columns
    return {
        "blocks": {
            block_name(block): [place // columns, place % columns, *puzzle.tray.shapes[block]]
            for block, place in enumerate(puzzle.state)
        },
        "size": [puzzle.tray.rows, columns],
        "target": "X",
        "goal": [puzzle.goal // columns, puzzle.goal % columns],
        "lengthwise": puzzle.tray.lengthwise,
    }
