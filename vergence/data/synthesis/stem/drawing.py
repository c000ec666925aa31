"""Figures of lines, arcs and labels: drawn three times too large, then reduced, so that every edge is smooth.

```
Canvas ─▶ line, curve, circle, angle ... (also put down in a mask of ink) ─▶ place(label) looks for a spot without ink
```

All lengths and places are pixels of the finished picture; y grows downwards, and angles grow counter-clockwise from the
right, as in mathematics.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from vergence.data.pictures import Box
from vergence.data.synthesis.palette import RGB
from vergence.errors import DataError, UsageError

SCALE = 3
"""How many times larger a figure is drawn than it is shown."""

XY = tuple[float, float]

FONTS: dict[str, tuple[str, str]] = {
    "sans": ("DejaVuSans.ttf", "DejaVuSans-Oblique.ttf"),
    "serif": ("DejaVuSerif.ttf", "DejaVuSerif-Italic.ttf"),
    "stix": ("STIXGeneral.ttf", "STIXGeneralItalic.ttf"),
}
"""Families that matplotlib ships, upright and slanted: they have Greek, signs of mathematics and the degree."""


class CrowdedError(DataError):
    """A label finds no spot that is free of ink; another figure has to be drawn."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a figure looks: colours, pen, family of fonts, the height of its letters, and the squares of its paper."""

    paper: RGB
    ink: RGB
    accents: tuple[RGB, ...]
    pen: float
    family: str
    letter: int
    squares: int = 0


_PAPERS: tuple[tuple[RGB, RGB], ...] = (
    ((255, 255, 255), (20, 20, 24)),
    ((255, 255, 255), (30, 34, 70)),
    ((252, 249, 240), (45, 35, 30)),
    ((243, 247, 252), (16, 38, 66)),
    ((247, 247, 244), (40, 40, 44)),
    ((31, 61, 51), (238, 242, 232)),
    ((34, 38, 48), (232, 236, 242)),
)
_PAPER_SHARES = (46, 16, 12, 10, 9, 4, 3)
_ACCENTS: dict[str, tuple[RGB, RGB, str]] = {
    "red": ((205, 40, 35), (255, 105, 95), "红色"),
    "blue": ((30, 95, 200), (110, 185, 255), "蓝色"),
    "green": ((20, 130, 70), (130, 230, 140), "绿色"),
    "purple": ((140, 55, 165), (205, 145, 255), "紫色"),
    "orange": ((225, 115, 10), (255, 175, 60), "橙色"),
}
"""Name of a colour -> on light paper, on dark paper, its Chinese name."""


def choose_style(rng: random.Random, squares: float = 0.15) -> Style:
    """A style of a textbook, a worksheet or a blackboard; the share `squares` of them has squared paper."""
    paper, ink = rng.choices(_PAPERS, _PAPER_SHARES)[0]
    accents = [dark if is_dark(paper) else light for light, dark, _ in _ACCENTS.values()]
    rng.shuffle(accents)
    return Style(
        paper,
        ink,
        tuple(accents),
        pen=rng.choice((1.4, 1.8, 1.8, 2.2, 2.6)),
        family=rng.choice(tuple(FONTS)),
        letter=rng.randint(15, 20),
        squares=rng.choice((16, 20, 24)) if rng.random() < squares else 0,
    )


def is_dark(colour: RGB) -> bool:
    """Whether a colour is nearer to black than to white."""
    return sum(colour) < 384


def colour_name(colour: RGB, language: str) -> str:
    """The name of an accent in English or Chinese."""
    for name, (light, dark, chinese) in _ACCENTS.items():
        if colour in (light, dark):
            return name if language == "en" else chinese
    raise ValueError(f"{colour} is no accent")


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """`share` of the first colour and the rest of the second."""
    red, green, blue = (round(a * share + b * (1 - share)) for a, b in zip(first, second, strict=True))
    return red, green, blue


@cache
def _font_folder() -> Path:
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise UsageError("figures take their fonts from matplotlib: pip install 'vergence[render]'")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


@lru_cache(maxsize=256)
def load_font(family: str, size: int, *, slanted: bool = False) -> ImageFont.FreeTypeFont:
    """A font of `FONTS` at a size in pixels. Raises `UsageError` where matplotlib isn't installed."""
    return ImageFont.truetype(str(_font_folder() / FONTS[family][slanted]), size, layout_engine=ImageFont.Layout.BASIC)


def polar(centre: XY, radius: float, degrees: float) -> XY:
    """The point at a distance from a centre in a direction."""
    turn = math.radians(degrees)
    return centre[0] + radius * math.cos(turn), centre[1] - radius * math.sin(turn)


def direction(start: XY, end: XY) -> float:
    """The direction in degrees, 0 up to 360, from one point to another."""
    return math.degrees(math.atan2(start[1] - end[1], end[0] - start[0])) % 360


class Canvas:
    """A sheet to draw on; see the module."""

    def __init__(self, width: int, height: int, style: Style) -> None:
        self.width, self.height, self.style = width, height, style
        self._image = Image.new("RGB", (width * SCALE, height * SCALE), style.paper)
        self._draw = ImageDraw.Draw(self._image)
        self._mask = Image.new("L", (width, height))
        self._ink = ImageDraw.Draw(self._mask)
        self.labels: list[tuple[str, Box]] = []
        """Every text that was written, with its box."""
        if style.squares:
            pale = mix(style.ink, style.paper, 0.12)
            for x in range(style.squares // 2, width, style.squares):
                self.rule((x, 0), (x, height), pale)
            for y in range(style.squares // 2, height, style.squares):
                self.rule((0, y), (width, y), pale)

    def finish(self) -> Image.Image:
        """The picture at its own size."""
        return self._image.reduce(SCALE)

    def line(self, start: XY, end: XY, colour: RGB | None = None, pen: float | None = None, *, dash: float = 0) -> None:
        """A segment, dashed where `dash` is the length of a dash."""
        if not dash:
            self.curve((start, end), colour, pen)
            return
        length = math.dist(start, end)
        for number in range(math.ceil(length / (2 * dash))):
            first, last = 2 * dash * number / length, min(1.0, (2 * number + 1) * dash / length)
            self.curve((_between(start, end, first), _between(start, end, last)), colour, pen)

    def curve(self, points: Sequence[XY], colour: RGB | None = None, pen: float | None = None) -> None:
        """A line through points, with round joints and ends."""
        colour, pen = colour or self.style.ink, pen or self.style.pen
        large = [(x * SCALE, y * SCALE) for x, y in points]
        wide = max(1, round(pen * SCALE))
        self._draw.line(large, colour, wide, joint="curve")
        if wide > 3:
            for x, y in (large[0], large[-1]):
                self._draw.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), colour)
        self._ink.line(list(points), 255, round(pen) + 1)

    def rule(self, start: XY, end: XY, colour: RGB) -> None:
        """A thin line of a grid, which isn't in the way of labels."""
        self._draw.line([value * SCALE for value in (*start, *end)], colour, SCALE - 1)

    def polygon(self, points: Sequence[XY], fill: RGB | None = None, *, outline: bool = True) -> None:
        """A closed line, filled with a colour behind its outline; the filling isn't in the way of labels."""
        if fill:
            self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill)
        if outline:
            self.curve((*points, points[0]))

    def tint(self, points: Sequence[XY], colour: RGB) -> None:
        """Lay a transparent colour over a polygon, so that what is under it can still be read."""
        area = Image.new("L", self._image.size)
        ImageDraw.Draw(area).polygon([(x * SCALE, y * SCALE) for x, y in points], 60)
        self._image.paste(colour, mask=area)

    def circle(self, centre: XY, radius: float, fill: RGB | None = None, pen: float | None = None) -> None:
        """A circle; `fill` isn't in the way of labels."""
        (x, y), pen = centre, self.style.pen if pen is None else pen
        box = ((x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE)
        if fill:
            self._draw.ellipse(box, fill)
        if pen:
            self.arc(centre, radius, 0, 360, pen=pen)

    def arc(
        self,
        centre: XY,
        radius: float,
        start: float,
        end: float,
        colour: RGB | None = None,
        pen: float | None = None,
    ) -> None:
        """An arc from one direction counter-clockwise to another, in degrees."""
        steps = max(8, math.ceil((end - start) * radius / 180))
        self.curve([polar(centre, radius, start + (end - start) * n / steps) for n in range(steps + 1)], colour, pen)

    def sector(self, centre: XY, radius: float, start: float, end: float, fill: RGB) -> None:
        """A filled piece of a disc."""
        steps = max(8, math.ceil((end - start) / 3))
        edge = [polar(centre, radius, start + (end - start) * n / steps) for n in range(steps + 1)]
        self.polygon((centre, *edge), fill, outline=False)

    def dot(self, at: XY, colour: RGB | None = None, radius: float | None = None) -> None:
        """A filled point."""
        radius = radius or self.style.pen * 1.5
        (x, y), colour = at, colour or self.style.ink
        box = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse([value * SCALE for value in box], colour)
        self._ink.ellipse(box, 255)

    def arrow(self, start: XY, end: XY, colour: RGB | None = None, pen: float | None = None) -> None:
        """A segment with a filled head at its end."""
        self.line(start, end, colour, pen)
        turn, long = direction(start, end), 4 + 2.5 * (pen or self.style.pen)
        head = (end, polar(end, long, turn + 157), polar(end, long, turn - 157))
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in head], colour or self.style.ink)
        self._ink.polygon(head, 255)

    def angle(self, vertex: XY, first: XY, second: XY, radius: float, arcs: int = 1) -> float:
        """Mark the angle below 180° between two arms, a right angle by a square; returns its middle direction."""
        start, end = direction(vertex, first), direction(vertex, second)
        if (end - start) % 360 > 180:
            start, end = end, start
        size = (end - start) % 360
        if abs(size - 90) < 1e-6:
            side = radius * 0.6
            corner = polar(vertex, side * math.sqrt(2), start + 45)
            self.curve((polar(vertex, side, start), corner, polar(vertex, side, end)), pen=self.style.pen * 0.7)
        else:
            for number in range(arcs):
                self.arc(vertex, radius + 4 * number, start, start + size, pen=self.style.pen * 0.7)
        return start + size / 2

    def ticks(self, start: XY, end: XY, count: int) -> None:
        """Short strokes across the middle of a segment: segments with the same count are equally long."""
        turn, middle = direction(start, end), _between(start, end, 0.5)
        for number in range(count):
            at = polar(middle, 4 * (number - (count - 1) / 2), turn)
            self.line(polar(at, 5, turn + 90), polar(at, 5, turn - 90), pen=self.style.pen * 0.8)

    def chevron(self, start: XY, end: XY) -> None:
        """An open arrow head in the middle of a segment: lines with it are parallel."""
        turn, tip = direction(start, end), _between(start, end, 0.56)
        self.curve((polar(tip, 9, turn + 150), tip, polar(tip, 9, turn - 150)), pen=self.style.pen * 0.8)

    def measure(self, text: str, size: int | None = None, *, slanted: bool = False) -> tuple[float, float]:
        """Width and height of a text in pixels."""
        left, top, right, bottom = self._font(size, slanted).getbbox(text)
        return (right - left) / SCALE, (bottom - top) / SCALE

    def text(
        self, middle: XY, text: str, size: int | None = None, colour: RGB | None = None, *, slanted: bool = False
    ) -> Box:
        """Write a text with its ink's middle at a place; returns its box."""
        font = self._font(size, slanted)
        left, top, right, bottom = font.getbbox(text)
        x, y = round(middle[0] * SCALE - (left + right) / 2), round(middle[1] * SCALE - (top + bottom) / 2)
        self._draw.text((x, y), text, colour or self.style.ink, font)
        box = tuple(value / SCALE for value in (x + left, y + top, x + right, y + bottom))
        self._ink.rectangle((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1), 255)
        found: Box = (box[0], box[1], box[2], box[3])
        self.labels.append((text, found))
        return found

    def place(
        self,
        spots: Iterable[XY],
        text: str,
        size: int | None = None,
        colour: RGB | None = None,
        *,
        slanted: bool = False,
    ) -> Box:
        """Write a text at the first of the spots where it covers no ink. Raises `CrowdedError` where there is none."""
        wide, high = (value / 2 + 1.5 for value in self.measure(text, size, slanted=slanted))
        for x, y in spots:
            box = (math.floor(x - wide), math.floor(y - high), math.ceil(x + wide), math.ceil(y + high))
            if box[0] < 2 or box[1] < 2 or box[2] > self.width - 2 or box[3] > self.height - 2:
                continue
            if self._mask.crop(box).getbbox() is None:
                return self.text((x, y), text, size, colour, slanted=slanted)
        raise CrowdedError(f"no free spot for the label {text!r}")

    def label_point(self, at: XY, text: str, away: float = 90, colour: RGB | None = None) -> Box:
        """Name a point, if possible in the direction `away` from it."""
        near = self.style.letter * 0.85
        turns = [0, 25, -25, 50, -50, 80, -80, 110, -110, 145, -145, 180]
        spots = [polar(at, near * far, away + turn) for far in (1, 1.3, 1.6) for turn in turns]
        return self.place(spots, text, colour=colour, slanted=True)

    def label_segment(self, start: XY, end: XY, text: str, side: float, colour: RGB | None = None) -> Box:
        """Write a length beside a segment, on the side of the direction `side` if possible."""
        wide, high = self.measure(text, round(self.style.letter * 0.9))
        turn = math.radians(side)
        off = 5 + abs(math.cos(turn)) * wide / 2 + abs(math.sin(turn)) * high / 2
        spots = [
            polar(_between(start, end, along), distance, side + flip)
            for distance in (off, off + 4)
            for flip in (0, 180)
            for along in (0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72)
        ]
        return self.place(spots, text, round(self.style.letter * 0.9), colour)

    def label_angle(self, vertex: XY, middle: float, text: str, radius: float, colour: RGB | None = None) -> Box:
        """Write an angle's size inside of it, as near to its arc as there is room."""
        spots = [
            polar(vertex, radius + 8 + 3 * step, middle + turn) for step in range(16) for turn in (0, 6, -6, 12, -12)
        ]
        return self.place(spots, text, round(self.style.letter * 0.85), colour)

    def _font(self, size: int | None, slanted: bool) -> ImageFont.FreeTypeFont:
        return load_font(self.style.family, (size or self.style.letter) * SCALE, slanted=slanted)


def _between(start: XY, end: XY, share: float) -> XY:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
