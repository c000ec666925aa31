"""Is a box or a point in the right place: pure functions on plain values.

Boxes and points are in pixels of the picture that the question is about; `size` is its (width, height). `box_hit` and
`point_hit` read the text format of `vergence.processing.coordinates`, `first_box` and `first_point` what a declared
`CoordinateSystem` allows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vergence.errors import UsageError
from vergence.processing.coordinates import Box, Point, iou, parse_boxes, parse_points
from vergence.verifiers.boxes import CoordinateSystem, read_boxes, read_points

BOX_IOU = 0.5
"""The overlap from which on a box counts as found, as in PASCAL VOC (Everingham et al. 2010, section 4.2)."""


def box_hit(answer: str, box: Sequence[float], size: tuple[int, int]) -> bool:
    """Whether the answer's first well-formed `<bbox>` overlaps `box` with an IoU of at least 0.5.

    Later boxes don't count, so that naming many places earns nothing.
    """
    boxes = parse_boxes(answer, *size)
    return bool(boxes) and iou(boxes[0], box) >= BOX_IOU


def point_hit(answer: str, box: Sequence[float], size: tuple[int, int]) -> bool:
    """Whether the answer's first well-formed `<point>` lies in `box`, its borders included."""
    points = parse_points(answer, *size)
    return bool(points) and point_in_box(points[0], box)


def first_box(answer: str, system: CoordinateSystem, size: tuple[int, int]) -> Box | None:
    """The answer's first readable box; None where there is none."""
    boxes = read_boxes(answer, system, size)
    return boxes[0] if boxes else None


def first_overlap(answer: str, box: Sequence[float], system: CoordinateSystem, size: tuple[int, int]) -> float | None:
    """The IoU of the answer's first readable box with `box`; None where there is none. Later boxes don't count."""
    found = first_box(answer, system, size)
    return None if found is None else iou(found, box)


def first_point(answer: str, system: CoordinateSystem, size: tuple[int, int], *, centres: bool = False) -> Point | None:
    """The answer's first readable point, or with `centres` the centre of its first box; None where there is none."""
    points = read_points(answer, system, size, centres=centres)
    return points[0] if points else None


def point_in_box(point: Sequence[float], box: Sequence[float]) -> bool:
    """Whether (x, y) lies in (x1, y1, x2, y2), its borders included."""
    return bool(box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3])


def point_in_mask(point: Sequence[float], mask: ArrayLike) -> bool:
    """Whether (x, y) lies on a true pixel of a mask (height, width).

    Pixel (column, row) covers [column, column + 1) x [row, row + 1); a point on the right or lower border belongs to
    the last pixel. A point outside isn't in the mask. Raises `ValueError` for a mask that isn't two-dimensional.
    """
    pixels = np.asarray(mask)
    if pixels.ndim != 2:
        raise ValueError(f"a mask has two dimensions (height, width); this one has the shape {pixels.shape}")
    height, width = pixels.shape
    x, y = point
    if not (0 <= x <= width and 0 <= y <= height) or not pixels.size:
        return False
    return bool(pixels[min(math.floor(y), height - 1), min(math.floor(x), width - 1)])


@dataclass(frozen=True, slots=True)
class Matching:
    """Which predicted box was matched with which expected one: (predicted, expected, IoU) by index, and the counts."""

    pairs: tuple[tuple[int, int, float], ...]
    predicted: int
    expected: int

    @property
    def precision(self) -> float:
        """Matched / predicted. Without predictions 1 where nothing was expected, otherwise 0."""
        return len(self.pairs) / self.predicted if self.predicted else float(not self.expected)

    @property
    def recall(self) -> float:
        """Matched / expected. With nothing expected 1 where nothing was predicted, otherwise 0."""
        return len(self.pairs) / self.expected if self.expected else float(not self.predicted)

    @property
    def f1(self) -> float:
        """2 matched / (predicted + expected), the harmonic mean of precision and recall; 1 if both sides are empty."""
        return f1(len(self.pairs), self.predicted, self.expected)


def f1(matched: int, predicted: int, expected: int) -> float:
    """2 matched / (predicted + expected): F1 from counts; 1 where there is nothing on either side."""
    return 2 * matched / (predicted + expected) if predicted + expected else 1.0


def match_boxes(
    predicted: Sequence[Sequence[float]], expected: Sequence[Sequence[float]], threshold: float = BOX_IOU
) -> Matching:
    """One-to-one matching of two sets of boxes: as many pairs with IoU >= threshold as possible.

    Among those matchings the one with the greatest sum of IoUs (Hungarian algorithm, scipy's
    `linear_sum_assignment`). Every box is in one pair at most, so that naming a box twice costs precision. Raises
    `ValueError` for a threshold outside (0, 1], `UsageError` without scipy.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"an IoU threshold lies above 0 and up to 1; {threshold} doesn't")
    overlaps = np.array([[iou(a, b) for b in expected] for a in predicted], dtype=float)
    if not overlaps.size:
        return Matching((), len(predicted), len(expected))
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise UsageError("matching boxes needs scipy: pip install 'vergence[eval]'") from None
    # One pair more must outweigh any sum of IoUs, which is at most the number of pairs.
    worth = np.where(overlaps >= threshold, 1 + overlaps / (1 + min(overlaps.shape)), 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    pairs = ((int(a), int(b), float(overlaps[a, b])) for a, b in zip(rows, columns, strict=True))
    return Matching(tuple(pair for pair in pairs if pair[2] >= threshold), len(predicted), len(expected))
