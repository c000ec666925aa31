"""Boxes and points that a model wrote, in pixels of the picture that the question is about.

What the numbers mean is declared, never guessed from their size: `CoordinateSystem` belongs to a model and a prompt,
and a number that it doesn't allow makes the place unreadable. (lmms-eval tries several systems and keeps the one nearer
to the truth, VLMEvalKit decides by the largest number; `vergence.evaluation.compat.places` has both rules.)

How places are written is recognised. The forms of the first row that occurs in a text are read, and no others:

1. marks: `<bbox>x1 y1 x2 y2</bbox>`, `<point>x y</point>` (Seed), `<box>(x1,y1),(x2,y2)</box>` and the like between
   Qwen's `box_start` and `box_end`
2. keys: `"bbox_2d": [x1, y1, x2, y2]`, also bbox, box_2d, box; `"point_2d": [x, y]`, also point, coordinate(s)
3. names: `x1=1, y1=2, x2=3, y2=4`, `"x1": 1, ...`; `x=1, y=2`, `"x": 1, "y": 2`, `<point x="1" y="2"` (Molmo)
4. lists: `[x1, y1, x2, y2]`, `(x1, y1, x2, y2)`, `(x1, y1), (x2, y2)`; `(x, y)`, `[x, y]`
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from vergence.processing.coordinates import Box, Point, parse_boxes, parse_points

Unit = Literal["pixels", "unit", "percent", "thousand"]

SCALES: dict[Unit, float] = {"unit": 1.0, "percent": 100.0, "thousand": 1000.0}


@dataclass(frozen=True, slots=True)
class CoordinateSystem:
    """What the numbers of a model's places mean.

    `unit`: "thousand" is 0..1000 relative to the image's sides (Seed1.5-VL, Qwen2-VL, InternVL, CogVLM: value * side /
    1000, so that a 999 at the border is 0.1% short of it), "percent" 0..100 (Molmo), "unit" 0..1 (Shikra, lmms-eval's
    prompts), "pixels" of the image that the model saw: `resized` is that image's (width, height) where it isn't the
    original (Qwen2.5-VL). `order` "yx" is for models that write y first (Gemini: y1, x1, y2, x2).

    Relative numbers outside their range aren't numbers of the system. Pixels may lie outside the image.
    """

    unit: Unit = "thousand"
    resized: tuple[int, int] | None = None
    order: Literal["xy", "yx"] = "xy"

    def __post_init__(self) -> None:
        if self.unit != "pixels" and self.unit not in SCALES:
            raise ValueError(f"unknown unit {self.unit!r}; it can be pixels, {', '.join(SCALES)}")
        if self.resized is not None and (self.unit != "pixels" or min(self.resized) < 1):
            raise ValueError(
                f"resized={self.resized} can't be: it is the size, in pixels, of the image that pixels count"
            )

    def pixels(self, numbers: Sequence[float], size: tuple[int, int]) -> list[float] | None:
        """Numbers as written, as x, y, x, y... in pixels of an image of `size`; None where one isn't allowed."""
        found = []
        for index in range(len(numbers)):
            value = numbers[index] if self.order == "xy" else numbers[index ^ 1]
            if not math.isfinite(value):
                return None
            side = size[index % 2]
            if self.unit == "pixels":
                found.append(value * side / self.resized[index % 2] if self.resized else float(value))
                continue
            scale = SCALES[self.unit]
            if not 0 <= value <= scale:
                return None
            found.append(value * side / scale)
        return found


THOUSAND = CoordinateSystem("thousand")
PIXELS = CoordinateSystem("pixels")
UNIT = CoordinateSystem("unit")

_NUMBER = r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
_GAP = r"(?:\s*,\s*|\s+)"
_PAIR = rf"\(\s*{_NUMBER}{_GAP}{_NUMBER}\s*\)"
_FOUR = rf"{_NUMBER}{_GAP}{_NUMBER}{_GAP}{_NUMBER}{_GAP}{_NUMBER}"
_OPEN, _CLOSE = r"(?:<box>|<\|box_start\|>)\s*", r"\s*(?:</box>|<\|box_end\|>)"
_SET = r"[\"']?\s*[:=]\s*[\"']?"


def _named(*names: str) -> str:
    """A pattern of `name=number` one after the other, with little but a comma and quotes between."""
    between = r"[\"']?\s*[,;]?\s*[\"']?"
    return r"(?<![A-Za-z0-9_])" + between.join(rf"{name}{_SET}{_NUMBER}" for name in names)


# Each row of the table above: the patterns that it stands for. An inner pair of brackets is enough for InternVL's
# `<box>[[x1, y1, x2, y2]]</box>`, which the row of lists reads.
_BOX_ROWS = [
    [_OPEN + r"[\[(]{0,2}\s*" + _FOUR + r"\s*[\])]{0,2}" + _CLOSE, rf"{_OPEN}{_PAIR}\s*,?\s*{_PAIR}{_CLOSE}"],
    [rf"[\"']?\b(?:bbox_2d|bbox|box_2d|box)[\"']?\s*[:=]\s*[\[(]\s*{_FOUR}\s*[\])]"],
    [
        _named("x1", "y1", "x2", "y2"),
        _named("x_min", "y_min", "x_max", "y_max"),
        _named("xmin", "ymin", "xmax", "ymax"),
    ],
    [
        rf"\[\s*{_FOUR}\s*\]",
        rf"\(\s*{_FOUR}\s*\)",
        rf"{_PAIR}\s*,?\s*{_PAIR}",
        rf"\[\s*\[\s*{_NUMBER}{_GAP}{_NUMBER}\s*\]\s*,\s*\[\s*{_NUMBER}{_GAP}{_NUMBER}\s*\]\s*\]",
    ],
]
_POINT_ROWS = [
    [],
    [rf"[\"']?\b(?:point_2d|point|coordinates?)[\"']?\s*[:=]\s*[\[(]\s*{_NUMBER}{_GAP}{_NUMBER}\s*[\])]"],
    [_named("x", "y"), rf"<points?\s+x1?=[\"']?{_NUMBER}[\"']?\s+y1?=[\"']?{_NUMBER}"],
    [_PAIR, rf"\[\s*{_NUMBER}{_GAP}{_NUMBER}\s*\]"],
]
# Two pairs without marks are a box to who looks for boxes and two points to who looks for points.
_AMBIGUOUS = 2
_BOXES = [[re.compile(pattern) for pattern in row] for row in _BOX_ROWS]
_POINTS = [[re.compile(pattern) for pattern in row] for row in _POINT_ROWS]


def read_boxes(text: str, system: CoordinateSystem, size: tuple[int, int]) -> list[Box]:
    """Every readable box of the text, in its order, in pixels of an image of `size` (width, height).

    Corners stay in the order in which they were written: x1 > x2 or y1 > y2 is an empty box, whose IoU is 0.
    """
    return [Box(*numbers) for numbers in _read(text, system, size, _BOXES, parse_boxes) or ()]


def read_points(text: str, system: CoordinateSystem, size: tuple[int, int], *, centres: bool = False) -> list[Point]:
    """Every readable point of the text, in its order, in pixels of an image of `size` (width, height).

    With `centres`, a text with boxes stands for their centres; without, the corners of a box aren't points either. Two
    pairs `(x, y), (x, y)` without marks are two points here.
    """
    clear = [*_BOXES[:-1], _BOXES[-1][:-_AMBIGUOUS]]
    boxes = _read(text, system, size, clear, parse_boxes)
    if boxes is not None:
        return [Point((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in boxes] if centres else []
    return [Point(*numbers) for numbers in _read(text, system, size, _POINTS, parse_points) or ()]


def _read(
    text: str,
    system: CoordinateSystem,
    size: tuple[int, int],
    rows: Sequence[Sequence[re.Pattern[str]]],
    marked: Callable[[str, int, int], Sequence[Sequence[float]]],
) -> list[Sequence[float]] | None:
    """The places of the first row that occurs, without those whose numbers the system doesn't allow; None for none."""
    # Seed1.5-VL's marks are integers in thousandths by definition, so they say nothing in another system.
    if system.unit == "thousand" and system.order == "xy":
        places = marked(text, *size)
        if places:
            return list(places)
    for row in rows:
        written = list(_written(text, row))
        if written:
            return [numbers for four in written if (numbers := system.pixels(four, size)) is not None]
    return None


def _written(text: str, patterns: Sequence[re.Pattern[str]]) -> Iterator[tuple[float, ...]]:
    """The numbers of every match of the patterns in reading order; of overlapping ones, the first."""
    matches = sorted(
        (match for pattern in patterns for match in pattern.finditer(text)), key=lambda found: found.start()
    )
    end = 0
    for match in matches:
        if match.start() >= end:
            end = match.end()
            yield tuple(float(number) for number in match.groups())
