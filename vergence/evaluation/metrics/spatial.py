"""VSI-Bench: spatial questions about indoor videos, with options or with a number as the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from vergence.evaluation.metrics.groups import grouped, macro_mean, mean_measure
from vergence.evaluation.task import Measure

VSI_NUMBERS = ("object_counting", "object_abs_distance", "object_size_estimation", "room_size_estimation")
"""Question types whose score is the MRA of a number."""

VSI_DIRECTIONS = ("object_rel_direction_easy", "object_rel_direction_medium", "object_rel_direction_hard")
VSI_CHOICES = (*VSI_DIRECTIONS, "object_rel_distance", "route_planning", "obj_appearance_order")
"""Question types with options; the three levels of direction are one task."""

VSI_TASKS = (
    *VSI_NUMBERS,
    "object_rel_distance",
    "object_rel_direction",
    "route_planning",
    "obj_appearance_order",
)
"""The eight tasks whose mean is the benchmark's score."""

VSI_UNITS = {"object_abs_distance": "m", "object_size_estimation": "cm", "room_size_estimation": "m2"}
"""The units that the questions ask for; see `vergence.verifiers.quantities.read_quantity`."""


def mean_relative_accuracy(predicted: float | Fraction, true: float | Fraction, *, strict: bool = False) -> float:
    """MRA: the share of thresholds t in {0.50, 0.55, ..., 0.95} with |p - y| / y <= 1 - t, or with `strict` < 1 - t.

    The paper (Yang et al. 2024, "Thinking in Space", arXiv 2412.14171) writes <; its code, which made the
    published numbers, has <= in floating point, where 1 - 0.8 is less than 0.2: 12 of 10 misses t = 0.8, while 13 of 10
    meets t = 0.7. Here numbers are taken as the decimals that they print as and compared exactly. An infinite
    prediction scores 0. Raises `ValueError` unless y > 0.
    """
    if not (math.isfinite(true) and true > 0):
        raise ValueError(f"the relative error of a number needs a positive true one; it is {true}")
    if not math.isfinite(predicted):
        return 0.0
    p, y = _exact(predicted), _exact(true)
    # |p - y| / y <= 1 - t in hundredths of y, as whole numbers of hundredths: 100 |p - y| <= (100 - t) y.
    error = 100 * abs(p - y)
    bounds = [(100 - t) * y for t in range(50, 100, 5)]
    return sum(error < bound if strict else error <= bound for bound in bounds) / len(bounds)


def _exact(number: float | Fraction) -> Fraction:
    return number if isinstance(number, Fraction) else Fraction(repr(float(number)))


def vsi_bench(scores: Sequence[float | None], types: Sequence[str]) -> list[Measure]:
    """`score`: the mean of the eight tasks, each the mean of its questions; then each task, and direction's levels.

    A score is the MRA or 1/0 for a right or wrong option, None (counted as 0 and in `invalid_ratio`) where nothing
    could be read. The task `object_rel_direction` is the mean of its easy, medium and hard accuracies. Tasks without
    questions have no value and aren't in the mean. Source: as `mean_relative_accuracy`; thinking-in-space,
    vsibench/utils.py, where a missing level counts as 0. Raises `ValueError` for an unknown type and for unequal
    lengths.
    """
    strange = next((kind for kind in types if kind not in VSI_NUMBERS + VSI_CHOICES), None)
    if strange is not None:
        raise ValueError(f"unknown question type {strange!r}; VSI-Bench has {', '.join(VSI_NUMBERS + VSI_CHOICES)}")
    values = [score or 0.0 for score, _ in zip(scores, types, strict=True)]
    by_type = {
        kind: mean_measure("score", [values[position] for position in positions], f"type={kind}")
        for kind, positions in grouped(types).items()
    }
    levels = [by_type[kind] for kind in VSI_DIRECTIONS if kind in by_type]
    tasks = []
    for task in VSI_TASKS:
        members = levels if task == "object_rel_direction" else [by_type[task]] if task in by_type else []
        tasks.append(macro_mean("score", members, f"task={task}"))
    return [
        macro_mean("score", tasks),
        mean_measure("invalid_ratio", [float(score is None) for score in scores]),
        *tasks,
        *levels,
    ]
