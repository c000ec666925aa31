"""Clicks on screenshots: ScreenSpot, ScreenSpot-v2 and ScreenSpot-Pro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vergence.evaluation.metrics.groups import Labels, macro_mean, mean_measure, mean_measures
from vergence.evaluation.task import Measure
from vergence.processing.coordinates import Box
from vergence.verifiers.boxes import CoordinateSystem
from vergence.verifiers.places import first_point, point_in_box


def corners(box: Sequence[float]) -> Box:
    """ScreenSpot's and -v2's (x, y, width, height) as two corners; -Pro has corners already.

    The right border is x + width: continuous coordinates, as everywhere here (VLMEvalKit takes x + width - 1).
    """
    x, y, width, height = box
    return Box(x, y, x + width, y + height)


def click_hit(answer: str, box: Sequence[float], system: CoordinateSystem, size: tuple[int, int]) -> bool | None:
    """Whether an answer's first point, or the centre of its first box, is in the element's box, borders included.

    `box` is (x1, y1, x2, y2) in pixels of the screenshot of `size`; None where no place can be read (wrong format).
    """
    point = first_point(answer, system, size, centres=True)
    return None if point is None else point_in_box(point, box)


def screenspot(
    hits: Sequence[bool | None], kinds: Sequence[str], groups: Sequence[str], extra: Mapping[str, Labels] | None = None
) -> list[Measure]:
    """ScreenSpot: `accuracy` over all instructions, `macro_accuracy`, `wrong_format_ratio`, then parts.

    `kinds` are "text" or "icon", `groups` mobile, desktop and web, or -Pro's kinds of applications; parts are by kind,
    by group, and by both ("part=mobile/text"), whose mean is `macro_accuracy` (the average in SeeClick's table).
    `extra` are further labels (application, platform). Wrong formats (None) count as misses. Sources: Cheng et al. 2024
    (SeeClick, arXiv 2401.10935), Wu et al. 2024 (OS-Atlas, arXiv 2410.23218, v2), Li et al. 2025 (arXiv 2504.07981;
    eval_screenspot_pro.py). Raises `ValueError` for unequal lengths.
    """
    scores = [float(hit is True) for hit in hits]
    parts = [f"{group}/{kind}" for group, kind in zip(groups, kinds, strict=True)]
    labels: dict[str, Labels] = {"kind": kinds, "group": groups, "part": parts, **(extra or {})}
    overall, *measures = mean_measures("accuracy", scores, labels)
    return [
        overall,
        macro_mean("macro_accuracy", [measure for measure in measures if measure.group.startswith("part=")]),
        mean_measure("wrong_format_ratio", [float(hit is None) for hit in hits]),
        *measures,
    ]
