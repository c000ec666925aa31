"""What other harnesses score clicks on screenshots with, written anew, their slips included.

lmms-eval 0.7.3 and VLMEvalKit (ms-vlmeval 0.0.20). None stands where the original raises an error instead of scoring.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_TOKEN = r"-?\d+(?:\.\d+)?%?"
_TAG = re.compile(r"<\s*bbox[^>]*>(.*?)<\s*/\s*bbox\s*>", re.IGNORECASE | re.DOTALL)
_PAIR = re.compile(rf"[\[(]\s*({_TOKEN})\s*(?:,|\s)\s*({_TOKEN})\s*[\])]")
_NAMED = re.compile(
    rf"['\"]?x['\"]?\s*[:=]\s*({_TOKEN}).*?['\"]?y['\"]?\s*[:=]\s*({_TOKEN})", re.IGNORECASE | re.DOTALL
)
_BOX_WORDS = ("box", "rect")


def click_lmms(prediction: str) -> tuple[float, float] | None:
    """lmms-eval's point: the centre of `<bbox>`, `[x, y]` or `(x, y)`, `x=.. y=..`, else the first numbers.

    Four numbers beside a word like "box" give a centre, otherwise the first two numbers of any text are a point.
    Percentages become shares. None without two numbers. Source: lmms_eval/tasks/screenspot_v2/utils.py, and _pro's.
    """
    tag = _TAG.search(prediction)
    inside = _values(re.findall(_TOKEN, tag.group(1))) if tag else []
    if len(inside) >= 4:
        return _centre(inside)
    for pattern in (_PAIR, _NAMED):
        match = pattern.search(prediction)
        if match:
            x, y = _values(match.groups())
            return x, y
    numbers = _values(re.findall(_TOKEN, prediction))
    if len(numbers) >= 4 and any(word in prediction.lower() for word in _BOX_WORDS):
        return _centre(numbers)
    return (numbers[0], numbers[1]) if len(numbers) >= 2 else None


def _values(tokens: Sequence[str]) -> list[float]:
    return [float(token[:-1]) / 100.0 if token.endswith("%") else float(token) for token in tokens]


def _centre(numbers: Sequence[float]) -> tuple[float, float]:
    return (numbers[0] + numbers[2]) / 2.0, (numbers[1] + numbers[3]) / 2.0


def _inside(point: tuple[float, float], box: Sequence[float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _shares(point: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
    """Points with a number above 1 are pixels, others shares; so thousandths are taken for pixels."""
    return (point[0] / size[0], point[1] / size[1]) if point[0] > 1 or point[1] > 1 else point


def screenspot_v2_lmms(prediction: str, reference: Sequence[float], *, size: tuple[int, int]) -> float:
    """Whether the point is in the box. `reference` is (x, y, width, height) in pixels.

    Whether it is that or two corners is guessed: it is corners where the last two numbers exceed the first two, and in
    shares where all are at most 1. Source: lmms_eval/tasks/screenspot_v2/utils.py. Give the `size` that its records
    name as image_width and image_height, or (1, 1) where they don't.
    """
    x, y, a, b = (float(number) for number in reference)
    width, height = size
    corners = a > x and b > y
    if all(0 <= number <= 1 for number in (x, y, a, b)) and a >= x and b >= y:
        box = [x, y, a, b]
    elif corners:
        box = [x / width, y / height, a / width, b / height]
    else:
        box = [x / width, y / height, (x + a) / width, (y + b) / height]
    point = click_lmms(prediction)
    return float(point is not None and _inside(_shares(point, size), box))


def screenspot_pro_lmms(prediction: str, reference: Sequence[float], *, size: tuple[int, int]) -> float:
    """Whether the point is in the box. `reference` is (x1, y1, x2, y2) in pixels, or shares if the corner is within 1.

    Source: lmms_eval/tasks/screenspot_pro/utils.py.
    """
    box = [float(number) for number in reference]
    if box[2] > 1 or box[3] > 1:
        box = [number / size[side % 2] for side, number in enumerate(box)]
    point = click_lmms(prediction)
    return float(point is not None and _inside(_shares(point, size), box))


def click_vlmevalkit(prediction: str) -> tuple[float, float] | None:
    """VLMEvalKit's point: the first `x=.., y=..` with just these characters, else the image's corner (0, 0).

    None for numbers such as "1.2.3", which it counts as a wrong format; nothing else is one. Source:
    vlmeval/dataset/GUI/screenspot.py, parse_bbox_aguvis.
    """
    match = re.search(r"x=([\d.]+), y=([\d.]+)", prediction)
    try:
        return (float(match.group(1)), float(match.group(2))) if match else (0.0, 0.0)
    except ValueError:
        return None


def screenspot_v2_vlmevalkit(prediction: str, reference: Sequence[float], *, size: tuple[int, int]) -> float | None:
    """Whether the point is in the box, whose far corner is (x + width - 1, y + height - 1).

    `reference` is (x, y, width, height) in pixels. None for a box that leaves the image: an error that ends the whole
    evaluation. Source: vlmeval/dataset/GUI/screenspot.py, evaluate_point.
    """
    x, y, width, height = reference
    return screenspot_pro_vlmevalkit(prediction, (x, y, x + width - 1, y + height - 1), size=size)


def screenspot_pro_vlmevalkit(prediction: str, reference: Sequence[float], *, size: tuple[int, int]) -> float | None:
    """Whether the point is in the box (x1, y1, x2, y2) in pixels; a border of -1 is taken for 0.

    None as for v2. Source: vlmeval/dataset/GUI/screenspot_pro.py, evaluate_point.
    """
    box = [(0 if number == -1 else number) / size[side % 2] for side, number in enumerate(reference)]
    if any(number < 0 or number > 1 for number in box):
        return None
    point = click_vlmevalkit(prediction)
    return float(point is not None and _inside(_shares(point, size), box))


COMPAT: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "screenspot_v2": {"lmms-eval": screenspot_v2_lmms, "vlmevalkit": screenspot_v2_vlmevalkit},
    "screenspot_pro": {"lmms-eval": screenspot_pro_lmms, "vlmevalkit": screenspot_pro_vlmevalkit},
}
"""By benchmark and harness: `(prediction, reference, size=(width, height)) -> float | None`; None where it raises.

The official script of -Pro has no rule for reading answers; each of its models brings its own.
"""
