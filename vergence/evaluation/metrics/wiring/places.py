"""Metrics of places and depths: a box, a set of boxes, a click, a distance, the nearer of two points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from vergence.config import Section
from vergence.evaluation.compat import places as compat_places
from vergence.evaluation.compat import screens as compat_screens
from vergence.evaluation.metrics.depth import da2k, depth_errors, read_depth, read_nearer
from vergence.evaluation.metrics.grounding import lvis_mg, refcoco
from vergence.evaluation.metrics.metric import Metric, NoParameters, invalid, right_or_wrong, verdicts
from vergence.evaluation.metrics.screens import corners, screenspot
from vergence.evaluation.metrics.wiring import references
from vergence.evaluation.metrics.wiring.compat import compat_name, compat_scores
from vergence.evaluation.task import Measure, Record, Sample, Verdict
from vergence.evaluation.tasks.cells import as_list
from vergence.processing.coordinates import iou
from vergence.verifiers.boxes import CoordinateSystem, read_boxes
from vergence.verifiers.places import Matching, first_box, first_point, match_boxes, point_in_box

BOXES = {name: compat_places.COMPAT[name] for name in ("refcoco", "refcoco_grounding")}


class PlaceParameters(Section):
    """`coordinates` and `order` are what the numbers of an answer mean, which the prompt asks for.

    `box` says how the rows write boxes: two corners or a corner with width and height; `box_unit` whether in pixels of
    the picture or in shares of its sides.
    """

    coordinates: Literal["thousand", "pixels", "unit", "percent"] = "thousand"
    order: Literal["xy", "yx"] = "xy"
    box: Literal["corners", "xywh"] = "corners"
    box_unit: Literal["pixels", "unit"] = "pixels"

    @property
    def system(self) -> CoordinateSystem:
        """What reads the numbers of an answer."""
        return CoordinateSystem(self.coordinates, order=self.order)

    def pixels(self, box: Sequence[float], size: tuple[int, int]) -> list[float]:
        """A row's box as two corners in pixels of a picture of that size."""
        found = list(corners(box)) if self.box == "xywh" else list(box)
        sides = (*size, *size)
        return [value * side for value, side in zip(found, sides, strict=True)] if self.box_unit == "unit" else found


class BoxParameters(PlaceParameters):
    """`threshold` is the IoU from which on a box counts as found."""

    threshold: float = Field(default=0.5, gt=0, le=1)
    compat: compat_name(BOXES) = ""  # type: ignore[valid-type]


class ClickParameters(PlaceParameters):
    """`compat` is "screenspot_v2" or "screenspot_pro"."""

    compat: compat_name(compat_screens.COMPAT) = ""  # type: ignore[valid-type]


class DepthParameters(Section):
    """`cap` in metres: what is farther isn't evaluated."""

    cap: float = Field(default=10.0, gt=0)


def _box_reference(cell: Any, sample: Sample, parameters: PlaceParameters) -> list[float]:
    found = references.numbers(cell, 4)
    x1, y1, x2, y2 = corners(found) if parameters.box == "xywh" else found
    if not (x1 < x2 and y1 < y2):
        raise ValueError(f"the box {found} is empty")
    return found


def _box(sample: Sample, text: str, parameters: BoxParameters) -> Verdict:
    size = references.picture_size(sample)
    wanted = parameters.pixels(sample.reference, size)
    compat = compat_scores(BOXES, parameters.compat, text, wanted, size=size)
    found = first_box(text, parameters.system, size)
    if found is None:
        return invalid(metrics=("accuracy", "iou"), compat=compat)
    overlap = iou(found, wanted)
    scores = {"accuracy": float(overlap >= parameters.threshold), "iou": overlap}
    return Verdict(scores, list(found), compat=compat)


def _refcoco(records: Sequence[Record], parameters: BoxParameters) -> list[Measure]:
    """By split where the tag "split" is there."""
    scored = verdicts(records)
    overlaps = [verdict.scores["iou"] if verdict.valid else None for _, verdict in scored]
    splits = [str(record.sample.tags.get("split") or "all") for record, _ in scored]
    return refcoco(overlaps, splits, parameters.threshold)


def _boxes_reference(cell: Any, sample: Sample, parameters: PlaceParameters) -> list[list[float]]:
    found = [_box_reference(one, sample, parameters) for one in as_list(cell)]
    if not found:
        raise ValueError("no boxes")
    return found


def _boxes(sample: Sample, text: str, parameters: BoxParameters) -> Verdict:
    size = references.picture_size(sample)
    wanted = [parameters.pixels(box, size) for box in sample.reference]
    found = read_boxes(text, parameters.system, size)
    matching = match_boxes(found, wanted, parameters.threshold)
    extracted = {"boxes": [list(box) for box in found], "matched": [list(pair) for pair in matching.pairs]}
    return Verdict({"f1": matching.f1}, extracted, valid=bool(found))


def _lvis_mg(records: Sequence[Record], parameters: BoxParameters) -> list[Measure]:
    matchings = []
    for record, verdict in verdicts(records):
        pairs = tuple((int(p), int(e), float(overlap)) for p, e, overlap in verdict.extracted["matched"])
        matchings.append(Matching(pairs, len(verdict.extracted["boxes"]), len(record.sample.reference)))
    return lvis_mg(matchings)


def _click(sample: Sample, text: str, parameters: ClickParameters) -> Verdict:
    size = references.picture_size(sample)
    wanted = parameters.pixels(sample.reference, size)
    # ScreenSpot-v2's rules take the box as its file has it, the others' as corners.
    given = sample.reference if parameters.box_unit == "pixels" else wanted
    compat = compat_scores(compat_screens.COMPAT, parameters.compat, text, given, size=size)
    point = first_point(text, parameters.system, size, centres=True)
    if point is None:
        return invalid(compat=compat)
    return right_or_wrong(point_in_box(point, wanted), list(point), compat)


def _screenspot(records: Sequence[Record], parameters: ClickParameters) -> list[Measure]:
    """By the tags "kind" (text or icon), "group" and, where they are there, "application" and "platform"."""
    scored = verdicts(records)
    hits = [bool(verdict.scores["accuracy"]) if verdict.valid else None for _, verdict in scored]
    tags = [record.sample.tags for record, _ in scored]
    extra = {name: [str(tag[name]) for tag in tags] for name in ("application", "platform") if tags and name in tags[0]}
    kinds, groups = ([str(tag.get(name) or "all") for tag in tags] for name in ("kind", "group"))
    return screenspot(hits, kinds, groups, extra)


def _depth(sample: Sample, text: str, parameters: DepthParameters) -> Verdict:
    """The relative error; an answer without a distance has none, so its score is the one of delta_1."""
    found = read_depth(text)
    if found is None:
        return invalid(metrics=("delta_1",))
    true = sample.reference
    return Verdict(
        {"delta_1": float(max(found / true, true / found) < 1.25), "abs_rel": abs(found - true) / true}, found
    )


def _positive(cell: Any, sample: Sample, parameters: Any) -> float:
    value = references.real(cell, sample, parameters)
    if value <= 0:
        raise ValueError(f"the depth {value} is not positive")
    return value


def _depth_measures(records: Sequence[Record], parameters: DepthParameters) -> list[Measure]:
    scored = verdicts(records)
    predicted = [verdict.extracted if verdict.valid else None for _, verdict in scored]
    return depth_errors(predicted, [record.sample.reference for record, _ in scored], cap=parameters.cap)


def _nearer(sample: Sample, text: str, parameters: NoParameters) -> Verdict:
    found = read_nearer(text)
    truth = f"point{sample.reference}"
    compat = compat_scores(compat_places.COMPAT, "da2k", text, truth)
    return invalid(compat=compat) if found is None else right_or_wrong(found == sample.reference, found, compat)


def _one_or_two(cell: Any, sample: Sample, parameters: Any) -> int:
    named = {"point1": 1, "point2": 2, "1": 1, "2": 2}.get(str(cell).strip().lower())
    if named is None:
        raise ValueError(f"the nearer point {cell!r} is neither point1 nor point2")
    return named


def _da2k(records: Sequence[Record], parameters: NoParameters) -> list[Measure]:
    """The tag "pair" joins the two orders of a pair of points, the tag "scene" groups them."""
    scored = verdicts(records)
    answers = [verdict.extracted if verdict.valid else None for _, verdict in scored]
    tags = [record.sample.tags for record, _ in scored]
    pairs = [str(record.sample.tags.get("pair", record.sample.id)) for record, _ in scored]
    scenes = [str(tag["scene"]) for tag in tags] if tags and tags[0].get("scene") is not None else None
    return da2k(answers, [record.sample.reference for record, _ in scored], pairs, scenes)


PLACE_METRICS = (
    Metric("box", "Acc@IoU of the first box", _box, BoxParameters, _box_reference, _refcoco),
    Metric("boxes", "F1 of a set of boxes, matched one to one", _boxes, BoxParameters, _boxes_reference, _lvis_mg),
    Metric("click", "the first point is in the element's box", _click, ClickParameters, _box_reference, _screenspot),
    Metric(
        "depth", "AbsRel, RMSE and delta of distances in metres", _depth, DepthParameters, _positive, _depth_measures
    ),
    Metric("nearer", "which of two points is nearer, asked in both orders", _nearer, NoParameters, _one_or_two, _da2k),
)
