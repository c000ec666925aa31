"""Jigsaws: a real background or a drawn landscape cut into pieces, shuffled; the edges allow one arrangement only.

How well two pieces fit side by side is the mean difference of the pixels along the cut. A picture is used where every
other arrangement of its pieces fits at least 1.3 times as badly as the true one, which a search shows.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import Field

from vergence.data.formats import Form, ask, thought_turn
from vergence.data.generator import Draft, Region, SourceItem, Turn, dialogue, source_item
from vergence.data.pictures import Split, split_of
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.palette import RGB
from vergence.data.synthesis.puzzles.drawing import COLOURS, Canvas, look
from vergence.data.synthesis.puzzles.icons import LICENCE, PACKAGE, icon_item, icons, mask
from vergence.data.synthesis.puzzles.puzzle import (
    Check,
    Language,
    PuzzleConfig,
    graded,
    language_of,
    some_turns,
)
from vergence.processing.media import decode_image

VERSION = 2
PACKAGES = ("resvg-py", "numpy")

WALLPAPERS = "wallpapers"
LICENCES = {"LGPLv3": "LGPL-3.0", "CC-BY-SA-4.0": "CC-BY-SA-4.0"}
GRIDS = ((2, 2), (2, 3), (3, 2), (3, 3), (3, 4))
SLACK = 1.3
SEEN = 10.0
"""By how much, 0..255, one seam of each piece must fit better than any other piece would: less isn't seen by eye."""
SEARCHED = 4000


class Config(PuzzleConfig):
    """What is cut into pieces."""

    pictures: tuple[Literal["real", "drawn"], ...] = Field(("real", "drawn"), min_length=1, description="to draw from")


@dataclass(frozen=True)
class Jigsaw:
    """A picture of rows x columns pieces; `order[place]` is the number, from 1, of the piece that lies there."""

    picture: Image.Image
    rows: int
    columns: int
    order: tuple[int, ...]
    licence: str
    sources: tuple[SourceItem, ...]
    difficulty: float


@cache
def wallpapers(split: Split) -> tuple[tuple[Path, str], ...]:
    """The preview and the licence of each background on one side of the split."""
    found = []
    for folder in sorted((package_folder(WALLPAPERS) / "usr/share/wallpapers").iterdir()):
        previews = sorted(folder.glob("contents/screenshot.*"))
        if previews and (folder / "metadata.json").is_file() and split_of(f"wallpaper:{folder.name}") == split:
            facts = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
            found.append((previews[0], LICENCES[facts["KPlugin"]["License"]]))
    return tuple(found)


@lru_cache(maxsize=64)
def _wallpaper(path: Path) -> Image.Image:
    """The preview, at least 560 pixels wide and 350 high."""
    picture = decode_image(path)
    scale = max(560 / picture.width, 350 / picture.height)
    return picture.resize(
        (math.ceil(picture.width * scale), math.ceil(picture.height * scale)), Image.Resampling.BICUBIC
    )


def drawn_picture(
    rng: random.Random, split: Split, size: tuple[int, int]
) -> tuple[Image.Image, tuple[SourceItem, ...]]:
    """A sky that changes from top to bottom, hills before it, and icons all over."""
    width, height = size
    first, second = rng.choice(
        (((120, 180, 240), (250, 226, 190)), ((250, 190, 150), (150, 120, 190)), ((190, 230, 235), (90, 140, 200)))
    )
    share = np.linspace(0, 1, height)[:, None, None]
    sky = np.asarray(first) * (1 - share) + np.asarray(second) * share
    canvas = np.broadcast_to(sky, (height, width, 3)).copy()
    xs, ys = np.arange(width)[None, :], np.arange(height)[:, None]
    for number in range(rng.randint(2, 3)):
        line = height * (0.45 + 0.2 * number) + sum(
            height * 0.07 / wave * np.sin(xs / width * math.pi * 2 * wave * rng.uniform(0.8, 1.4) + rng.uniform(0, 7))
            for wave in (1, 2)
        )
        hill = (rng.randint(50, 150), rng.randint(110, 190), rng.randint(60, 130))
        cover = np.clip(ys - line, 0, 1)[:, :, None]
        canvas = canvas * (1 - cover) + (np.asarray(hill) - 0.15 * (ys - line)[:, :, None]) * cover
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    used = rng.sample(icons(split), rng.randint(10, 18))
    for icon in used:
        drawn = mask(icon, rng.randint(44, 96), flipped=rng.random() < 0.5)
        at = rng.randint(-20, width - drawn.width + 20), rng.randint(-20, height - drawn.height + 20)
        image.paste(COLOURS[rng.choice(list(COLOURS))], at, drawn)
    return image, tuple(icon_item(icon) for icon in used)


def misfits(picture: Image.Image, rows: int, columns: int) -> tuple[list[list[float]], list[list[float]]]:
    """How badly piece b fits to the right of piece a, and below it: mean differences along the cut, 0..255."""
    pixels = np.asarray(picture, np.float32)
    height, width = pixels.shape[0] // rows, pixels.shape[1] // columns
    pieces = [
        pixels[r * height : (r + 1) * height, c * width : (c + 1) * width] for r in range(rows) for c in range(columns)
    ]
    beside = [[float(np.abs(a[:, -1] - b[:, 0]).mean()) for b in pieces] for a in pieces]
    below = [[float(np.abs(a[-1] - b[0]).mean()) for b in pieces] for a in pieces]
    return beside, below


def only_arrangement(
    beside: Sequence[Sequence[float]], below: Sequence[Sequence[float]], rows: int, columns: int, limit: float
) -> bool:
    """Whether one arrangement alone has misfits that add up to at most `limit`, by depth-first search with a bound.

    A search of more than 4,000 steps counts as no: pieces that leave so much open aren't told apart by eye either.
    """
    count, steps = 0, 0
    placed: list[int] = []

    def place(cost: float) -> None:
        nonlocal count, steps
        steps += 1
        position = len(placed)
        if position == rows * columns:
            count += 1
            return
        for piece in range(rows * columns):
            if piece in placed:
                continue
            added = cost
            if position % columns:
                added += beside[placed[-1]][piece]
            if position >= columns:
                added += below[placed[position - columns]][piece]
            if added <= limit and count < 2 and steps < SEARCHED:
                placed.append(piece)
                place(added)
                placed.pop()

    place(0.0)
    return count == 1 and steps < SEARCHED


def make_jigsaw(config: Config, rng: random.Random, level: float) -> Jigsaw | None:
    """A picture whose pieces go together in one way only; None where they don't."""
    rows, columns = GRIDS[min(4, max(0, round(level * 4 + rng.uniform(-0.6, 0.6))))]
    cell = 96 if rows * columns > 6 else 116
    size = (columns * cell, rows * cell)
    if rng.choice(config.pictures) == "real":
        path, licence = rng.choice(wallpapers(config.split))
        whole = _wallpaper(path)
        scale = rng.uniform(1.0, min(whole.width / size[0], whole.height / size[1]))
        wide, high = round(size[0] * scale), round(size[1] * scale)
        x, y = rng.randint(0, whole.width - wide), rng.randint(0, whole.height - high)
        picture = whole.resize(size, Image.Resampling.BILINEAR, (x, y, x + wide, y + high))
        sources: tuple[SourceItem, ...] = (_wallpaper_item(path, licence),)
    else:
        (picture, sources), licence = drawn_picture(rng, config.split, size), LICENCE
    beside, below = misfits(picture, rows, columns)
    places = rows * columns
    pairs = [(beside, place, place + 1) for place in range(places) if (place + 1) % columns]
    pairs += [(below, place, place + columns) for place in range(places - columns)]
    true = sum(costs[a][b] for costs, a, b in pairs)
    # Plain pieces fit everywhere: each true seam must be clearly the best of its row of choices in the mean.
    others = [sorted(costs[a][c] for c in range(places) if c not in (a, b))[0] for costs, a, b in pairs]
    contrast = sum(others) / len(others) - true / len(pairs)
    margins = [other - costs[a][b] for other, (costs, a, b) in zip(others, pairs, strict=True)]
    loosest = min(max(m for m, (_, a, b) in zip(margins, pairs, strict=True) if p in (a, b)) for p in range(places))
    if contrast < 6 or loosest < SEEN or not only_arrangement(beside, below, rows, columns, SLACK * true):
        return None
    order = list(range(1, places + 1))
    rng.shuffle(order)
    difficulty = 0.75 * GRIDS.index((rows, columns)) / 4 + 0.25 * max(0.0, 1 - contrast / 60)
    return Jigsaw(picture, rows, columns, tuple(order), licence, sources, difficulty)


@cache
def _wallpaper_item(path: Path, licence: str) -> SourceItem:
    return source_item(WALLPAPERS, path.parts[-3], path.read_bytes(), licence)


def generate(rng: random.Random, config: Config) -> Draft:
    """Shuffled pieces, asked for the whole arrangement, for a piece by its place, and for neighbours."""
    puzzle = graded(rng, config, lambda r, level: make_jigsaw(config, r, level))
    language, style = language_of(rng, config), look(rng)
    image, regions = draw(puzzle, style.paper, style.ink)
    file = BytesIO()
    image.save(file, "JPEG", quality=90)
    messages, checks = dialogue((file.getvalue(),), _turns(rng, config, language, puzzle))
    real = puzzle.sources[0].package != PACKAGE
    return Draft(
        messages,
        checks,
        truth={"rows": puzzle.rows, "columns": puzzle.columns, "order": list(puzzle.order)},
        capability="reasoning/puzzles/jigsaw",
        domain="puzzle",
        difficulty=puzzle.difficulty,
        language=language,
        licence=puzzle.licence,
        source=f"a background of {WALLPAPERS}, cut" if real else f"a landscape with icons of {PACKAGE}, cut",
        sources=puzzle.sources,
        regions=regions,
    )


def draw(puzzle: Jigsaw, paper: RGB, ink: RGB) -> tuple[Image.Image, tuple[Region, ...]]:
    """The pieces by their numbers in as many rows and columns as the picture has, a number above each."""
    rows, columns = puzzle.rows, puzzle.columns
    width, height, gap, head = puzzle.picture.width // columns, puzzle.picture.height // rows, 12, 24
    canvas = Canvas(columns * (width + gap) + gap, rows * (height + head + 4) + 10, paper)
    places, regions = [], []
    for number in range(1, rows * columns + 1):
        row, column = divmod(number - 1, columns)
        x, y = gap + column * (width + gap), row * (height + head + 4) + head
        canvas.text((x + width / 2, y - head / 2 + 2), str(number), 17, ink)
        at = puzzle.order.index(number)
        places.append((x, y, at))
        regions.append(Region(str(number), (x, y, x + width, y + height), order=at))
    image = canvas.finish()
    for x, y, at in places:
        row, column = divmod(at, columns)
        box = (column * width, row * height, (column + 1) * width, (row + 1) * height)
        image.paste(puzzle.picture.crop(box), (x, y))
    return image, tuple(regions)


def _turns(rng: random.Random, config: Config, language: Language, puzzle: Jigsaw) -> list[Turn]:
    zh, rows, columns, order = language == "zh", puzzle.rows, puzzle.columns, puzzle.order
    lines = [order[row * columns : (row + 1) * columns] for row in range(rows)]
    check = {"verifier": "puzzle", "puzzle": "jigsaw", "order": list(order)}
    intro = (
        f"图中是一幅画被切成的 {rows * columns} 块拼图，顺序已被打乱（没有旋转），原画为 {rows} 行 {columns} 列。"
        if zh
        else f"The {rows * columns} numbered pieces are a shuffled picture of {rows} rows and {columns} columns; "
        f"none is turned."
    )
    arrange = (
        "请还原原画：从上到下逐行写出各块的编号，同一行用空格分隔。"
        if zh
        else "Restore it: write the numbers of the pieces row by row as they lie in the whole picture."
    )
    seams = [
        (f"{a} 的右边接 {b}。" if zh else f"{a} continues to the right in {b}.")
        for line in lines
        for a, b in pairwise(line)
    ]
    rows_told = [
        f"第{number}行：{' '.join(map(str, line))}。" if zh else f"Row {number}: {' '.join(map(str, line))}."
        for number, line in enumerate(lines, 1)
    ]
    upright = [
        (f"{a} 的下边接 {b}。" if zh else f"{a} continues below in {b}.")
        for upper, lower in pairwise(lines)
        for a, b in zip(upper[:1], lower[:1], strict=True)
    ]
    steps, gap = [*seams, *upright, *rows_told], "" if zh else " "
    place = rng.randrange(rows * columns)
    row, column = divmod(place, columns)
    which = (
        f"原画中第{row + 1}行第{column + 1}列是几号？"
        if zh
        else f"Which piece lies in row {row + 1}, column {column + 1} of the whole picture?"
    )
    way = rng.choice(("right", "below"))
    if way == "right":
        row, column = rng.randrange(rows), rng.randrange(columns - 1)
        first, second = lines[row][column], lines[row][column + 1]
    else:
        row, column = rng.randrange(rows - 1), rng.randrange(columns)
        first, second = lines[row][column], lines[row + 1][column]
    beside = {
        ("right", True): f"原画中，紧挨在 {first} 号右边的是几号？",
        ("below", True): f"原画中，紧挨在 {first} 号下边的是几号？",
        ("right", False): f"Which piece lies directly to the right of piece {first} in the whole picture?",
        ("below", False): f"Which piece lies directly below piece {first} in the whole picture?",
    }[way, zh]

    # The steps tell the whole arrangement: nothing is left to ask after them.
    explained = rng.random() < config.reasoning

    def turn(question: str, answer: str, check: Check, form: Form) -> Turn:
        question = intro + gap + question
        if explained:
            return thought_turn(question, steps, answer, check, language)
        return Turn(ask(question, form, language), answer, check)

    makers = [
        lambda: turn(beside, str(second), {"verifier": "count", "target": second}, "word"),
        lambda: turn(which, str(order[place]), {"verifier": "count", "target": order[place]}, "word"),
        lambda: turn(arrange, "\n".join(" ".join(map(str, line)) for line in lines), check, "plain"),
    ]
    return some_turns(rng, config, [makers] if explained else makers, intro + gap)
