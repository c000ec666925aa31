"""Is an answer right, and how sure is a share of right answers: pure functions on plain values.

Boxes and points are in pixels of the picture that the question is about; `size` is its (width, height). Answers give
them in the text format of `vergence.processing.coordinates`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vergence.processing.coordinates import iou, parse_boxes, parse_points

Z95 = 1.959963984540054
"""The 0.975 quantile of the standard normal: two-sided intervals of 95%."""

BOX_IOU = 0.5
"""The overlap from which on a box counts as found, as in PASCAL VOC (Everingham et al. 2010, section 4.2)."""


def exact(answer: str, expected: str) -> bool:
    """Equality after Unicode case folding, with runs of white space read as one space and none at the ends.

    Nothing else is forgiven: "red." is not "red", and "the red one" isn't either.
    """
    return " ".join(answer.split()).casefold() == " ".join(expected.split()).casefold()


def box_hit(answer: str, box: Sequence[float], size: tuple[int, int]) -> bool:
    """Whether the answer's first well-formed `<bbox>` overlaps `box` with an IoU of at least 0.5.

    Later boxes don't count, so that naming many places earns nothing.
    """
    boxes = parse_boxes(answer, *size)
    return bool(boxes) and iou(boxes[0], box) >= BOX_IOU


def point_hit(answer: str, box: Sequence[float], size: tuple[int, int]) -> bool:
    """Whether the answer's first well-formed `<point>` lies in `box`, its borders included."""
    points = parse_points(answer, *size)
    return bool(points) and box[0] <= points[0].x <= box[2] and box[1] <= points[0].y <= box[3]


def wilson(successes: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927, "Probable inference", J. Am. Stat. Assoc. 22, 209-212).

    The shares p with |p - successes/n| <= z sqrt(p (1 - p) / n), so it stays inside [0, 1] and doesn't shrink to a
    point at 0% and 100%. Without samples nothing is known: (0, 1). Raises `ValueError` unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} is not a proportion")
    if n == 0:
        return 0.0, 1.0
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    # Exact at the ends, where rounding would otherwise leave a trace.
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)
