"""Seed1.5-VL's text format for places in an image: integers 0..999, relative to the image's width and height.

A pixel x of an image W wide is written as x / W * 1000 and read back as x * W / 1000 (Seed1.5-VL report section 3 and
the API's documentation). Coordinates are continuous: 0 is the left or top border, W and H the right and bottom one, so
a box over the whole image is (0, 0, W, H). The border itself would be 1000 and is written as 999.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

SCALE = 1000
_NUMBER = r"([0-9]{1,3})"
_BOX = re.compile(rf"<bbox>\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s*</bbox>")
_POINT = re.compile(rf"<point>\s*{_NUMBER}\s+{_NUMBER}\s*</point>")


class Box(NamedTuple):
    """Two corners in pixels. Read from a model's text the order is as written: x1 > x2 or y1 > y2 is possible."""

    x1: float
    y1: float
    x2: float
    y2: float


class Point(NamedTuple):
    """A place in pixels."""

    x: float
    y: float


def normalise(value: float, extent: int) -> int:
    """A pixel position along a side of `extent` pixels as 0..999: the nearest (ties up), clamped at both ends.

    `denormalise` gives it back to within extent / 2000 pixels, in the last thousandth to within extent / 1000.
    Raises `ValueError` if extent < 1 or the value isn't finite.
    """
    if extent < 1 or not math.isfinite(value):
        raise ValueError(f"can't express position {value} along {extent} pixels")
    return min(max(math.floor(value * SCALE / extent + 0.5), 0), SCALE - 1)


def denormalise(value: int, extent: int) -> float:
    """0..999 along a side of `extent` pixels, in pixels: value * extent / 1000 (not / 999)."""
    return value * extent / SCALE


def format_box(box: Sequence[float], width: int, height: int) -> str:
    """`<bbox>x1 y1 x2 y2</bbox>` for a box (x1, y1, x2, y2) in pixels of an image of width x height."""
    x1, y1, x2, y2 = box
    numbers = (normalise(x1, width), normalise(y1, height), normalise(x2, width), normalise(y2, height))
    return f"<bbox>{' '.join(map(str, numbers))}</bbox>"


def format_point(point: Sequence[float], width: int, height: int) -> str:
    """`<point>x y</point>` for a point (x, y) in pixels of an image of width x height."""
    x, y = point
    return f"<point>{normalise(x, width)} {normalise(y, height)}</point>"


def parse_boxes(text: str, width: int, height: int) -> list[Box]:
    """Every well-formed `<bbox>` of the text, in its order, in pixels of an image of width x height.

    Well-formed: four integers 0..999 with white space between and perhaps around them. Anything else is skipped.
    """
    return [
        Box(denormalise(a, width), denormalise(b, height), denormalise(c, width), denormalise(d, height))
        for a, b, c, d in (map(int, found.groups()) for found in _BOX.finditer(text))
    ]


def parse_points(text: str, width: int, height: int) -> list[Point]:
    """Every well-formed `<point>` of the text, in its order, in pixels of an image of width x height."""
    return [
        Point(denormalise(x, width), denormalise(y, height))
        for x, y in (map(int, found.groups()) for found in _POINT.finditer(text))
    ]


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes (x1, y1, x2, y2) in 0..1; a box with x2 <= x1 or y2 <= y1 is empty: 0."""
    area_a, area_b = _area(a), _area(b)
    shared = _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return shared / (area_a + area_b - shared) if area_a and area_b else 0.0


def _area(box: Sequence[float]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
