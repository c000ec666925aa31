"""Boards of the game 2048: what a slide makes of one, which slide brings most points, which tile can be reached."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import Field

from vergence.data.generator import Draft, Region, Turn, dialogue
from vergence.data.synthesis.palette import RGB
from vergence.data.synthesis.puzzles.drawing import Canvas, ink_on, look, png
from vergence.data.synthesis.puzzles.puzzle import (
    Language,
    PuzzleConfig,
    graded,
    language_of,
    reply,
    share,
    some_turns,
)
from vergence.verifiers.puzzles.board_2048 import Board, slide

VERSION = 2
PACKAGES = ()

DIRECTIONS = ("up", "down", "left", "right")
CHINESE = {"up": "上", "down": "下", "left": "左", "right": "右"}
PALETTES: Sequence[tuple[RGB, RGB]] = (
    ((236, 240, 248), (34, 66, 150)),
    ((248, 238, 222), (176, 58, 24)),
    ((230, 244, 236), (16, 98, 72)),
    ((244, 234, 248), (98, 30, 130)),
)
"""The colours of the tile 2 and of the tile 2048; the others lie between."""


class Config(PuzzleConfig):
    """The size of boards."""

    sizes: tuple[int, ...] = Field((3, 4, 4, 5), min_length=1, description="rows and columns to draw from")


@dataclass(frozen=True)
class Position:
    """A board, the least slides (of 1 to 3) that bring its largest reachable tile, and that tile."""

    board: Board
    tile: int
    ways: tuple[tuple[str, ...], ...]
    difficulty: float


def reach(board: Board, slides: int) -> dict[tuple[str, ...], Board]:
    """Every row of at most so many slides that each change the board, with the board after it."""
    found: dict[tuple[str, ...], Board] = {(): board}
    last = dict(found)
    for _ in range(slides):
        following = {}
        for way, before in last.items():
            for name in DIRECTIONS:
                after, _ = slide(before, name)
                if after != before:
                    following[*way, name] = after
        found |= following
        last = following
    return found


def make_position(sizes: Sequence[int], rng: random.Random, level: float) -> Position | None:
    """A board as it comes up in play: slides at random, with a 2 or 4 put in an empty cell after each."""
    size = rng.choice(sizes)
    board: Board = tuple((0,) * size for _ in range(size))
    for _ in range(rng.randint(6, 10) + int(level * rng.randint(20, 160))):
        name = rng.choices(DIRECTIONS, (1, 3, 4, 2))[0]
        if rng.random() < 0.7:
            name = max(("left", "down", "right", "up"), key=lambda way: slide(board, way)[1])
        after, _ = slide(board, name)
        empty = [(r, c) for r in range(size) for c in range(size) if not after[r][c]]
        if not empty:
            break
        row, column = rng.choice(empty)
        tile = 4 if rng.random() < 0.2 else 2
        board = tuple(
            tuple(tile if (r, c) == (row, column) else value for c, value in enumerate(line))
            for r, line in enumerate(after)
        )
    # A board stays one that comes up in play when all of its tiles are doubled.
    factor = 1 << rng.randint(0, int(4 * level))
    board = tuple(tuple(tile * factor for tile in line) for line in board)
    largest = max(map(max, board))
    boards = reach(board, 3)
    tile = max(max(map(max, after)) for after in boards.values())
    gains = [slide(board, name)[1] for name in DIRECTIONS]
    if max(gains) == 0 or tile == largest:
        return None
    fewest = min(len(way) for way, after in boards.items() if max(map(max, after)) == tile)
    ways = tuple(way for way, after in boards.items() if len(way) == fewest and max(map(max, after)) == tile)
    tiles = sum(value > 0 for line in board for value in line)
    merges = sum(gain > 0 for gain in gains)
    difficulty = 0.4 * share(tiles, 3, 15) + 0.2 * share(largest.bit_length(), 3, 9) + 0.3 * share(fewest, 1, 3)
    return Position(board, tile, ways, difficulty + 0.1 * share(merges, 2, 4))


def generate(rng: random.Random, config: Config) -> Draft:
    """A board, asked for the board after a slide, its points, the best slide, and how to reach a tile."""
    position = graded(rng, config, lambda r, level: make_position(config.sizes, r, level))
    language, style = language_of(rng, config), look(rng)
    board, (light, dark) = position.board, rng.choice(PALETTES)
    cell, margin, size = 66.0, 18.0, len(position.board)
    canvas = Canvas(size * cell + 2 * margin, size * cell + 2 * margin, style.paper)
    canvas.box((margin - 8, margin - 8, margin + size * cell + 8, margin + size * cell + 8), style.surface, radius=9)
    regions = []
    for row, line in enumerate(board):
        for column, tile in enumerate(line):
            x, y = margin + column * cell, margin + row * cell
            box, body = (x + 3, y + 3, x + cell - 3, y + cell - 3), style.paper
            if tile:
                part = share(tile.bit_length(), 2, 12) ** 0.7
                red, green, blue = (round(a + (b - a) * part) for a, b in zip(light, dark, strict=True))
                body = red, green, blue
                regions.append(Region(str(tile), box))
            canvas.box(box, body, radius=7)
            if tile:
                canvas.text((x + cell / 2, y + cell / 2), str(tile), 27 if tile < 1000 else 22, ink_on(body))
    messages, checks = dialogue((png(canvas.finish()),), _turns(rng, config, language, position))
    return Draft(
        messages,
        checks,
        truth={
            "board": [list(line) for line in board],
            "tile": position.tile,
            "ways": [list(w) for w in position.ways],
        },
        capability="reasoning/puzzles/2048",
        domain="puzzle",
        difficulty=position.difficulty,
        language=language,
        regions=tuple(regions),
    )


def _written(board: Board) -> str:
    return "\n".join(" ".join(map(str, line)) for line in board)


def _lines(board: Board, after: Board, name: str, language: Language) -> list[str]:
    """What becomes of each row, or of each column, in the direction of the slide."""
    vertical = name in ("up", "down")
    pairs = zip(*(zip(*b, strict=True) if vertical else b for b in (board, after)), strict=True)
    steps = []
    for number, (before, behind) in enumerate(pairs, 1):
        first, second = (" ".join(map(str, line)) for line in (before, behind))
        where = (
            f"第{number}{'列' if vertical else '行'}"
            if language == "zh"
            else f"{'Column' if vertical else 'Row'} {number}"
        )
        steps.append(f"{where}：{first} → {second}" if language == "zh" else f"{where}: {first} becomes {second}")
    return steps


RULE = {
    "en": "The picture shows a board of the game 2048; assume that no new tile appears after a slide. ",
    "zh": "图中是 2048 游戏的棋盘，滑动后不再出现新的数字。",
}


def _turns(rng: random.Random, config: Config, language: Language, position: Position) -> list[Turn]:
    points, best, result = _slide_questions(rng, config, language, position)
    plans = _plan_questions(rng, config, language, position)
    return some_turns(rng, config, [[points, result], best, plans], RULE[language])


def _slide_questions(
    rng: random.Random, config: Config, language: Language, position: Position
) -> list[Callable[[], Turn]]:
    """The board after one slide, its points, and the most points of a slide."""
    zh, board, rule = language == "zh", position.board, RULE[language]
    name = rng.choice([way for way in DIRECTIONS if slide(board, way)[0] != board])
    after, points = slide(board, name)
    made = [
        f"把每一{'列' if name in ('up', 'down') else '行'}中相同的相邻数字合并："
        if zh
        else "Equal tiles that meet merge, once each:",
        *_lines(board, after, name, language),
    ]
    ask_result = (
        f"向{CHINESE[name]}滑动后，棋盘是什么样？逐行写出数字，空格写 0。"
        if zh
        else f"What is the board after sliding {name}? Write the numbers row by row, 0 for an empty cell."
    )
    ask_points = (
        f"向{CHINESE[name]}滑动一次得多少分？（得分等于合并出的新数字之和）"
        if zh
        else f"How many points does sliding {name} bring? Points are the sum of the tiles made by merging."
    )
    summed = [*made, f"合并得到的分数共 {points}。" if zh else f"The merged tiles sum to {points}."]
    check = {"verifier": "puzzle", "puzzle": "2048-board", "board": [list(line) for line in board], "move": name}
    count = {"verifier": "count", "target": points}
    return [
        lambda: reply(rng, config, language, rule + ask_points, str(points), count, summed),
        lambda: _best_turn(rng, config, language, board),
        lambda: reply(rng, config, language, rule + ask_result, _written(after), check, made, "plain"),
    ]


def _best_turn(rng: random.Random, config: Config, language: Language, board: Board) -> Turn:
    """The most points of a slide; not its direction, since opposite ones bring the same and a guess is often right."""
    zh = language == "zh"
    gains = {way: slide(board, way)[1] for way in DIRECTIONS}
    most = max(gains.values())
    question = (
        "滑动一次最多能得多少分？（得分等于合并出的新数字之和）"
        if zh
        else "What is the most points that a single slide can bring? Points are the sum of the tiles made by merging."
    )
    steps = [f"向{CHINESE[way]}：{gains[way]} 分" if zh else f"{way}: {gains[way]} points" for way in DIRECTIONS]
    check = {"verifier": "count", "target": most}
    return reply(rng, config, language, RULE[language] + question, str(most), check, steps)


def _plan_questions(
    rng: random.Random, config: Config, language: Language, position: Position
) -> list[Callable[[], Turn]]:
    """The largest tile within three slides, and the fewest slides that make it."""
    zh, rule, way = language == "zh", RULE[language], position.ways[0]
    slides = "1 slide" if len(way) == 1 else f"{len(way)} slides"
    ask_moves = (
        f"写出不超过 {len(way)} 次的滑动方向，合成数字 {position.tile}。"
        if zh
        else f"Make the tile {position.tile} in at most {slides}. List the directions in order."
    )
    ask_largest = (
        "最多滑动 3 次，能得到的最大数字是多少？"
        if zh
        else "What is the largest tile that can be on the board within three slides?"
    )
    board, states = position.board, []
    for move in way:
        board, _ = slide(board, move)
        states.append((f"向{CHINESE[move]}：" if zh else f"{move}: ") + _written(board).replace("\n", " / "))
    answer = "，".join(CHINESE[move] for move in way) if zh else ", ".join(way)
    check = {
        "verifier": "puzzle",
        "puzzle": "2048-moves",
        "board": [list(line) for line in position.board],
        "tile": position.tile,
        "most": len(way),
    }
    largest = {"verifier": "count", "target": position.tile}
    return [
        lambda: reply(rng, config, language, rule + ask_moves, answer, check, states, "plain"),
        lambda: reply(rng, config, language, rule + ask_largest, str(position.tile), largest, states),
    ]
