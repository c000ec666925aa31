"""Signs: a coloured plate with a few printed lines, flat or along an arc, before it hangs anywhere."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vergence.data.synthesis.ocr.effects import Points
from vergence.data.synthesis.ocr.scripts import Writer
from vergence.data.synthesis.ocr.shaping import Line, Style, line_width, set_line
from vergence.data.synthesis.palette import jitter

PLATES: dict[str, tuple[tuple[int, int, int], str]] = {
    "red": ((190, 30, 35), "红色"),
    "green": ((25, 115, 60), "绿色"),
    "blue": ((30, 75, 175), "蓝色"),
    "yellow": ((245, 205, 40), "黄色"),
    "white": ((246, 246, 242), "白色"),
    "black": ((28, 28, 30), "黑色"),
    "orange": ((240, 130, 30), "橙色"),
    "purple": ((110, 50, 150), "紫色"),
    "brown": ((100, 62, 36), "棕色"),
}
"""Colour -> its RGB and its Chinese name."""
LIGHT = ("yellow", "white", "orange")


@dataclass(slots=True)
class Sign:
    """A plate with its picture, its mask, its lines and the outline of each word on it."""

    colour: str
    picture: Image.Image
    mask: Image.Image
    lines: list[Line]
    outlines: list[tuple[Line, int, Points]]
    """Line, the number of a word in it, and the word's outline, clockwise from the start of its top edge."""

    @property
    def text(self) -> str:
        """All lines as one."""
        return self.lines[0].script.join([word.text for line in self.lines for word in line.words])


def make_sign(colour: str, style: Style, writer: Writer, rng: random.Random) -> Sign:
    """A sign of one to three lines in a colour; one in five has a single line along an arc."""
    rows = _rows(writer, rng)
    ink = (250, 250, 245) if colour not in LIGHT else rng.choice(((25, 25, 25), (150, 20, 30), (20, 40, 110)))
    curved = rng.random() < 0.2
    if curved:
        rows = rows[:1]
    up, down = style.heights
    leading = (up + down) * rng.uniform(0.92, 1.1)
    side, edge = style.size * rng.uniform(0.4, 1.0), style.size * rng.uniform(0.15, 0.5)
    width = max(line_width(row, style) for row in rows)
    lines = [set_line(row, style, side, edge + up + n * leading, width, "centre", ink) for n, row in enumerate(rows)]
    right = max(max(line.box[2] for line in lines), side + width)
    size = (math.ceil(right + side), math.ceil(edge * 2 + up + down + (len(rows) - 1) * leading))
    shade = jitter(rng, PLATES[colour][0], 8)
    if curved:
        return _curved(colour, shade, ink, size, lines, rng)
    picture = Image.new("RGB", size, shade)
    mask = Image.new("L", size)
    radius = rng.choice((0, 0, style.size * 0.2, style.size * 0.5))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius, fill=255)
    if rng.random() < 0.5 and edge > style.size * 0.25:
        inset, thick = edge * 0.35, max(1, round(style.size * 0.06))
        frame = (inset, inset, size[0] - 1 - inset, size[1] - 1 - inset)
        ImageDraw.Draw(picture).rounded_rectangle(frame, radius * 0.7, outline=ink, width=thick)
    for line in lines:
        line.draw(picture)
    outlines: list[tuple[Line, int, Points]] = []
    for line in lines:
        for number, word in enumerate(line.words):
            x1, y1, x2, y2 = word.box
            outlines.append((line, number, ((x1, y1), (x2, y1), (x2, y2), (x1, y2))))
    return Sign(colour, picture, mask, lines, outlines)


def _rows(writer: Writer, rng: random.Random) -> list[tuple[str, ...]]:
    latin = writer.script.name == "latin"
    upper = latin and rng.random() < 0.5
    rows: list[tuple[str, ...]] = []
    for _ in range(rng.choices((1, 2, 3), (55, 33, 12))[0]):
        # Two numbers below each other would read as one where nothing stands between tokens.
        if rows and not rows[-1][0][:1].isdecimal() and rng.random() < 0.25:
            rows.append((writer.number(),))
            continue
        row = writer.words(rng.choices((1, 2, 3), (50, 38, 12))[0])
        rows.append(tuple(token.upper() for token in row) if upper else row)
    return rows


def _curved(
    colour: str,
    shade: tuple[int, int, int],
    ink: tuple[int, int, int],
    size: tuple[int, int],
    lines: list[Line],
    rng: random.Random,
) -> Sign:
    """A strip bent along a circle, its ends lower than its middle; the plate is the strip."""
    strip = Image.new("RGB", size, shade)
    lines[0].draw(strip)
    angle = rng.uniform(0.7, 1.9)
    place, bent_size = arc(size, angle)
    picture = bend(strip, angle, Image.Resampling.BILINEAR)
    mask = bend(Image.new("L", size, 255), angle, Image.Resampling.BILINEAR)
    outlines: list[tuple[Line, int, Points]] = []
    for number, word in enumerate(lines[0].words):
        x1, y1, x2, y2 = word.box
        # Straight pieces so short that the circle is nowhere a quarter of a pixel away: r (turn / 2)^2 / 2 < 1 / 4.
        pieces = math.ceil((x2 - x1) / size[0] * angle / math.sqrt(2 / (size[0] / angle + size[1])))
        steps = [x1 + (x2 - x1) * n / pieces for n in range(pieces + 1)]
        points = [place(x, y1) for x in steps] + [place(x, y2) for x in reversed(steps)]
        outlines.append((lines[0], number, tuple(points)))
    assert picture.size == bent_size
    return Sign(colour, picture, mask, lines, outlines)


def arc(size: tuple[int, int], angle: float) -> tuple[Callable[[float, float], tuple[float, float]], tuple[int, int]]:
    """Where a strip's points go when it is bent over a circle so that its ends are `angle` radians apart, and the size
    of the picture around it. The strip's bottom edge keeps its length."""
    width, height = size
    inner = width / angle
    outer = inner + height
    half = outer * math.sin(min(angle / 2, math.pi / 2))
    bottom = outer - inner * math.cos(angle / 2)

    def place(x: float, y: float) -> tuple[float, float]:
        turn = (x / width - 0.5) * angle
        radius = outer - y
        return half + radius * math.sin(turn), outer - radius * math.cos(turn)

    return place, (math.ceil(2 * half), math.ceil(bottom))


def bend(strip: Image.Image, angle: float, resampling: Image.Resampling) -> Image.Image:
    """A strip bent as `arc` says; black where nothing is."""
    width, height = strip.size
    _, size = arc(strip.size, angle)
    inner = width / angle
    outer = inner + height
    half = outer * math.sin(min(angle / 2, math.pi / 2))
    x, y = np.meshgrid(np.arange(size[0]) + 0.5 - half, outer - np.arange(size[1]) - 0.5)
    column = (np.arctan2(x, y) / angle + 0.5) * width - 0.5
    row = outer - np.hypot(x, y) - 0.5
    pixels = np.asarray(strip).astype(np.float32).reshape(height, width, -1)
    pixels = np.pad(pixels, ((1, 1), (1, 1), (0, 0)))
    column, row = np.clip(column + 1, 0, width), np.clip(row + 1, 0, height)
    left, top = np.floor(column).astype(np.intp), np.floor(row).astype(np.intp)
    right_share, down_share = (column - left)[..., None], (row - top)[..., None]
    upper = pixels[top, left] * (1 - right_share) + pixels[top, left + 1] * right_share
    lower = pixels[top + 1, left] * (1 - right_share) + pixels[top + 1, left + 1] * right_share
    bent = np.rint(upper * (1 - down_share) + lower * down_share).astype(np.uint8)
    return Image.fromarray(bent[..., 0] if strip.mode == "L" else bent)
