"""Is a box or a point in the right place: pure functions on plain values.

Boxes and points are in pixels of the picture that the question is about; `size` is its (width, height). Answers give
them in the text format of `vergence.processing.coordinates`.
"""

from __future__ import annotations

from collections.abc import Sequence

from vergence.processing.coordinates import iou, parse_boxes, parse_points

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
    return bool(points) and box[0] <= points[0].x <= box[2] and box[1] <= points[0].y <= box[3]
