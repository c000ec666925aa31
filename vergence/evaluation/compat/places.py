"""What other harnesses score boxes, counts and depth answers with, written anew, their slips included.

lmms-eval 0.7.3 and VLMEvalKit (ms-vlmeval 0.0.20). None stands where the original raises an error instead of scoring.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from vergence.evaluation.metrics.grounding import REFCOCO_SPLITS

Numbers = Sequence[float]

_DECIMAL = r"(-?\d+(?:\.\d+)?)"
_BRACKETS = re.compile(rf"\[\s*{_DECIMAL},\s*{_DECIMAL},\s*{_DECIMAL},\s*{_DECIMAL}\s*\]")
_LOOSE = re.compile(
    rf"\[?\s*{_DECIMAL}(?:\s*[,\s]\s*){_DECIMAL}(?:\s*[,\s]\s*){_DECIMAL}(?:\s*[,\s]\s*){_DECIMAL}\s*\]?"
)


def first_unit_box(prediction: str) -> list[float]:
    """lmms-eval's box of RefCOCO: the first `[a, b, c, d]`, or a box of zeros. Source: tasks/refcoco/utils_rec.py."""
    match = _BRACKETS.search(prediction)
    return [float(number) for number in match.groups()] if match else [0.0, 0.0, 0.0, 0.0]


def unguarded_iou(first: Numbers, second: Numbers) -> float | None:
    """lmms-eval's IoU of RefCOCO: areas of inverted boxes are negative, and an empty union is a ZeroDivisionError."""
    shared = _shared(first, second)
    union = _product(first) + _product(second) - shared
    return None if union == 0 else shared / union


def guarded_iou(first: Numbers, second: Numbers) -> float:
    """The IoU of lmms-eval's grounding and of VLMEvalKit: inverted boxes are empty, an empty union gives 0."""
    shared = _shared(first, second)
    areas = [max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) for box in (first, second)]
    union = areas[0] + areas[1] - shared
    return shared / union if union > 0 else 0.0


def _shared(first: Numbers, second: Numbers) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, width) * max(0.0, height)


def _product(box: Numbers) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def refcoco_lmms(prediction: str, reference: Numbers, *, size: tuple[int, int]) -> float | None:
    """Acc@0.5 of `refcoco_bbox_rec`, which takes every number for a share of the image's side.

    `reference` is (x1, y1, x2, y2) in pixels. Source: lmms_eval/tasks/refcoco/utils_rec.py.
    """
    width, height = size
    truth = [reference[0] / width, reference[1] / height, reference[2] / width, reference[3] / height]
    overlap = unguarded_iou(truth, first_unit_box(prediction))
    return None if overlap is None else float(overlap >= 0.5)


_BOX_KEYS = ("bbox_2d", "bbox", "box", "coordinates", "coord", "location", "position")


def grounding_boxes(prediction: str) -> list[list[float]]:
    """All boxes that lmms-eval's `refcoco_grounding` finds: in JSON under known keys, else any four numbers in a row.

    JSON is looked for in a fence, then as the whole text, then from the first bracket to the last. Source:
    lmms_eval/tasks/refcoco_grounding/utils.py. Raises `OverflowError` for an integer beyond the floats, as it does.
    """
    boxes = list(_json_boxes(_some_json(prediction)))
    return boxes or [[float(number) for number in match.groups()] for match in _LOOSE.finditer(prediction)]


def _some_json(prediction: str) -> Any:
    text = prediction.strip()
    fence = re.search(r"```(?:json)?\s*(.*?)\s*```", text, re.DOTALL | re.IGNORECASE)
    tried = [fence.group(1)] if fence else []
    tried.append(text)
    for opening, closing in ("[]", "{}"):
        start, end = text.find(opening), text.rfind(closing)
        if -1 < start < end:
            tried.append(text[start : end + 1])
    for attempt in tried:
        try:
            return json.loads(attempt)
        except (ValueError, RecursionError):
            continue
    return None


def _json_boxes(data: Any) -> Iterator[list[float]]:
    if isinstance(data, list):
        if len(data) == 4 and all(isinstance(value, int | float) for value in data):
            yield [float(value) for value in data]
        else:
            for value in data:
                yield from _json_boxes(value)
    elif isinstance(data, dict):
        keyed = next(filter(None, (_keyed_box(data.get(key)) for key in _BOX_KEYS)), None)
        if keyed:
            yield keyed
        else:
            for value in data.values():
                yield from _json_boxes(value)


def _keyed_box(value: Any) -> list[float] | None:
    if not isinstance(value, list) or len(value) != 4:
        return None
    try:
        return [float(number) for number in value]
    except (TypeError, ValueError):
        return None


def refcoco_grounding_lmms(prediction: str, reference: Numbers, *, size: tuple[int, int]) -> float | None:
    """Acc@0.5 of `refcoco_grounding`: of all boxes, in pixels and in thousandths, the one nearest to the truth counts.

    The truth thus chooses among the answers, and naming boxes all over the image is a hit. `reference` is
    (x1, y1, x2, y2) in pixels. Source: lmms_eval/tasks/refcoco_grounding/utils.py.
    """
    try:
        boxes = grounding_boxes(prediction)
    except OverflowError:
        return None
    best = 0.0
    for box in boxes:
        scaled = [value / 1000.0 * size[side % 2] for side, value in enumerate(box)]
        best = max(best, guarded_iou(box, reference), guarded_iou(scaled, reference))
    return float(best >= 0.5)


_ANY = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"
_KIT_BOX = re.compile(rf"\[\s*({_ANY})(?:\s*,\s*|\s+)({_ANY})(?:\s*,\s*|\s+)({_ANY})(?:\s*,\s*|\s+)({_ANY})\s*\]")


def refcoco_box_vlmevalkit(prediction: str, size: tuple[float, float]) -> list[float] | None:
    """VLMEvalKit's box of RefCOCO in pixels: the first four numbers in brackets, else the first four at all.

    Their largest size decides what they are: up to 1.5 shares of the sides, up to 1000 thousandths, else pixels, so
    that a box in pixels of a small image is misread. Then it is cut to the image and its corners sorted. None without
    four numbers. Source: vlmeval/dataset/refcoco.py, _parse_prediction and _to_absolute.
    """
    match = _KIT_BOX.search(prediction)
    found = match.groups() if match else re.findall(_ANY, prediction)[:4]
    if len(found) < 4 or min(size) <= 0:
        return None
    box = [float(number) for number in found]
    largest = max(map(abs, box))
    for index, value in enumerate(box):
        side = size[index % 2]
        if largest <= 1.5:
            value *= side
        elif largest <= 1000:
            value = value / 1000.0 * side
        box[index] = min(max(value, 0.0), float(side))
    return [min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])]


def refcoco_vlmevalkit(prediction: str, reference: Numbers, *, size: tuple[int, int]) -> float:
    """Acc@0.5 of VLMEvalKit's box. `reference` is (x1, y1, x2, y2) in pixels. Source: vlmeval/dataset/refcoco.py."""
    box = refcoco_box_vlmevalkit(prediction, size)
    return float(box is not None and guarded_iou(box, reference) >= 0.5)


_TO_TWENTY = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]
_TO_TWENTY += ["twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"]
_NUMERALS = {"none": "0"} | {word: str(value) for value, word in enumerate(_TO_TWENTY)}


def countbench_lmms(prediction: str, reference: int) -> float:
    """The whole answer is the number or its word up to twenty ("none" is 0). Source: tasks/countbench/utils.py."""
    said = prediction.strip().lower()
    return float(_NUMERALS.get(said, said) == str(reference))


def countbenchqa_lmms(prediction: str, reference: int) -> float:
    """The whole answer is the number in digits. Source: lmms_eval/tasks/countbenchqa/utils.py."""
    return float(prediction.strip() == str(reference))


def pixmo_count_lmms(prediction: str, reference: int) -> float:
    """The first digits in the answer are the number ("-3" is 3). Source: lmms_eval/tasks/pixmo_count/utils.py."""
    match = re.search(r"\d+", prediction)
    return float((match.group() if match else prediction.strip()) == str(reference))


def countbenchqa_vlmevalkit(prediction: str, reference: int) -> float:
    """The number's digits are anywhere in the answer, "13" has a 3. Source: image_vqa.py, CountBenchQA."""
    return float(str(reference) in prediction)


def fsc147_count_lmms(prediction: str) -> int | None:
    """The first number in the answer, rounded (half to even), commas removed. Source: lmms_eval/tasks/fsc147/utils.py.

    Raises `OverflowError` for a number beyond the floats, as it does.
    """
    match = re.search(r"-?\d+(?:\.\d+)?", prediction.strip().replace(",", ""))
    return round(float(match.group())) if match else None


def fsc147_lmms(prediction: str, reference: int) -> float | None:
    """Whether that number is the reference."""
    try:
        return float(fsc147_count_lmms(prediction) == reference)
    except OverflowError:
        return None


def fsc147_error_lmms(prediction: str, reference: int) -> float | None:
    """The absolute error of that number, whose mean is the MAE; without a number that of 0."""
    try:
        return float(abs((fsc147_count_lmms(prediction) or 0) - reference))
    except OverflowError:
        return None


def da2k_vlmevalkit(prediction: str, reference: str = "point1") -> float:
    """Whether the first "point 1" or "point 2" of the answer is the reference, always asked as point1 or point2.

    In DA-2K's file the nearer point is always point1, so that a model that always says so is always right. Source:
    vlmeval/dataset/da2k.py.
    """
    said, truth = prediction.strip().lower(), reference.strip().lower()
    match = re.search(r"point\s*([12])", said)
    return float(f"point{match.group(1)}" == truth if match else truth in said)


def refcoco_means_vlmevalkit(hits: Sequence[float], splits: Sequence[str]) -> dict[str, float]:
    """Accuracy of each split and as "Average" the mean of the eight known ones, or of all hits without any of these.

    VLMEvalKit prints them times 100. Source: vlmeval/dataset/refcoco.py, evaluate.
    """
    by_split: dict[str, list[float]] = {}
    for hit, split in zip(hits, splits, strict=True):
        by_split.setdefault(split, []).append(hit)
    means = {split: sum(scores) / len(scores) for split, scores in by_split.items()}
    known = [means[split] for split in REFCOCO_SPLITS if split in means]
    average = sum(known) / len(known) if known else sum(hits) / len(hits) if hits else math.nan
    return {**means, "Average": average}


COMPAT: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "refcoco": {"lmms-eval": refcoco_lmms, "vlmevalkit": refcoco_vlmevalkit},
    "refcoco_grounding": {"lmms-eval": refcoco_grounding_lmms, "vlmevalkit": refcoco_vlmevalkit},
    "countbench": {"lmms-eval": countbench_lmms},
    "countbenchqa": {"lmms-eval": countbenchqa_lmms, "vlmevalkit": countbenchqa_vlmevalkit},
    "pixmo_count": {"lmms-eval": pixmo_count_lmms},
    "fsc147": {"lmms-eval": fsc147_lmms},
    "fsc147_error": {"lmms-eval": fsc147_error_lmms},
    "da2k": {"vlmevalkit": da2k_vlmevalkit},
}
"""By benchmark and harness: `(prediction, reference) -> float | None`; None where the original raises.

A reference is a box (x1, y1, x2, y2) in pixels for RefCOCO, whose functions also take `size`, a count, or "point1".
"""

AGGREGATES: Mapping[str, Mapping[str, Callable[..., dict[str, float]]]] = {
    "refcoco": {"vlmevalkit": refcoco_means_vlmevalkit},
}
"""By benchmark and harness: the result of a whole benchmark where it isn't the mean of the answers' scores."""
