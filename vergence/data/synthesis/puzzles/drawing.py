"""How puzzles are drawn: named colours, letters and digits, and shapes on a canvas that is smoothed at the end."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cache
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from vergence.data.synthesis.palette import RGB

SMOOTHING = 2
"""A canvas is drawn so many times as large as the picture."""

COLOURS: Mapping[str, RGB] = {
    "red": (214, 48, 49),
    "orange": (243, 146, 30),
    "yellow": (245, 208, 50),
    "green": (46, 158, 80),
    "blue": (48, 104, 214),
    "purple": (132, 64, 170),
    "pink": (243, 140, 186),
    "brown": (133, 86, 52),
    "grey": (140, 146, 152),
    "black": (36, 38, 42),
}
"""Colours that nobody takes for each other."""

CHINESE: Mapping[str, str] = {
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "blue": "蓝色",
    "purple": "紫色",
    "pink": "粉色",
    "brown": "棕色",
    "grey": "灰色",
    "black": "黑色",
    "white": "白色",
}


def colour_name(colour: str, language: str) -> str:
    """A colour's name in "en" or "zh"."""
    return CHINESE[colour] if language == "zh" else colour


class Look(NamedTuple):
    """The colours of a drawing: paper, lines, a surface and what stands out on it."""

    paper: RGB
    ink: RGB
    surface: RGB
    accent: RGB


LOOKS: Sequence[Look] = (
    Look((255, 255, 255), (40, 44, 52), (236, 240, 246), (48, 104, 214)),
    Look((252, 248, 238), (78, 60, 44), (243, 232, 208), (192, 88, 40)),
    Look((240, 247, 244), (28, 72, 66), (214, 234, 226), (22, 136, 112)),
    Look((250, 244, 250), (70, 44, 92), (236, 222, 242), (142, 68, 173)),
    Look((34, 39, 48), (222, 228, 238), (52, 60, 74), (94, 176, 240)),
)


def look(rng: random.Random) -> Look:
    """One of the looks."""
    return rng.choice(LOOKS)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font (Aileron, CC0), which has the letters, digits and marks of ASCII."""
    return ImageFont.load_default(size)


class Canvas:
    """A drawing of `width` x `height` pixels whose coordinates may be fractions."""

    def __init__(self, width: float, height: float, paper: RGB) -> None:
        self.size = (round(width), round(height))
        self._image = Image.new("RGB", (self.size[0] * SMOOTHING, self.size[1] * SMOOTHING), paper)
        self._draw = ImageDraw.Draw(self._image)

    def _scaled(self, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x * SMOOTHING, y * SMOOTHING) for x, y in points]

    def line(self, points: Sequence[tuple[float, float]], colour: RGB, width: float = 2) -> None:
        """A line through points with round ends."""
        scaled = self._scaled(points)
        self._draw.line(scaled, colour, max(1, round(width * SMOOTHING)), joint="curve")
        if width > 2:
            radius = width * SMOOTHING / 2
            for x, y in (scaled[0], scaled[-1]):
                self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)

    def box(
        self,
        box: Sequence[float],
        fill: RGB | None = None,
        outline: RGB | None = None,
        width: float = 2,
        radius: float = 0,
    ) -> None:
        """A rectangle (x1, y1, x2, y2) with corners rounded by a radius."""
        scaled = [value * SMOOTHING for value in box]
        scaled[2:] = [scaled[2] - 1, scaled[3] - 1]
        self._draw.rounded_rectangle(scaled, radius * SMOOTHING, fill, outline, max(1, round(width * SMOOTHING)))

    def polygon(
        self,
        points: Sequence[tuple[float, float]],
        fill: RGB | None = None,
        outline: RGB | None = None,
        width: float = 2,
    ) -> None:
        """A polygon."""
        self._draw.polygon(self._scaled(points), fill)
        if outline:
            self.line([*points, points[0], points[1]], outline, width)

    def disc(
        self,
        centre: tuple[float, float],
        radius: float,
        fill: RGB | None = None,
        outline: RGB | None = None,
        width: float = 2,
    ) -> None:
        """A circle."""
        (x, y), scale = centre, SMOOTHING
        box = ((x - radius) * scale, (y - radius) * scale, (x + radius) * scale, (y + radius) * scale)
        self._draw.ellipse(box, fill, outline, max(1, round(width * scale)))

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: float,
        colour: RGB,
        anchor: str = "mm",
        face: ImageFont.FreeTypeFont | None = None,
    ) -> None:
        """Text around a point; `face` is a font at twice the size, where the built-in one lacks the letters."""
        (x, y), letters = at, face or font(round(size * SMOOTHING))
        self._draw.text((x * SMOOTHING, y * SMOOTHING), text, colour, letters, anchor)

    def finish(self) -> Image.Image:
        """The picture."""
        return self._image.reduce(SMOOTHING)


def png(image: Image.Image) -> bytes:
    """A picture as a PNG: a drawing of few colours packs as well at a low level, in a third of the time."""
    file = BytesIO()
    image.save(file, "PNG", compress_level=4)
    return file.getvalue()


def ink_on(colour: RGB) -> RGB:
    """Black or white, whichever is read better on a colour (luma by ITU-R BT.601)."""
    red, green, blue = colour
    return (255, 255, 255) if 0.299 * red + 0.587 * green + 0.114 * blue < 150 else (30, 32, 36)
