"""Depth: errors of distances (NYU-Depth v2) and which of two points is nearer (DA-2K)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vergence.errors import DataError
from vergence.evaluation.metrics.groups import Labels, mean_measure, mean_measures
from vergence.evaluation.task import Measure
from vergence.verifiers.maths import marked_answer
from vergence.verifiers.quantities import read_quantity

NYU_CAP = 10.0
"""Metres up to which NYU-Depth v2's true depths are evaluated."""


def read_depth(answer: str) -> float | None:
    """The distance that an answer states, in metres ("2.5", "2.5 m", "250 cm"); None without a positive one."""
    distance = read_quantity(answer, "m")
    return distance if distance is not None and distance > 0 else None


def depth_errors(
    predicted: Sequence[float | None], true: Sequence[float], *, cap: float | None = NYU_CAP
) -> list[Measure]:
    """Errors of depths d at the pixels or points whose true depth d* is in (0, cap], both in metres.

    abs_rel = mean |d - d*| / d*; rmse = sqrt(mean (d - d*)^2); log10 = mean |log10 d - log10 d*|; delta_k = the share
    with max(d / d*, d* / d) < 1.25^k for k = 1, 2, 3. A depth that is None, not finite or not positive is invalid: it
    is outside of every delta_k and left out of the means, and `invalid_ratio` tells how many there are. Source: Eigen
    et al. 2014 (arXiv 1406.2283, section 4.2). Raises `ValueError` for unequal lengths.
    """
    chosen = [
        (d, t)
        for d, t in zip(predicted, true, strict=True)
        if math.isfinite(t) and 0 < t <= (math.inf if cap is None else cap)
    ]
    readable = [(d, t) for d, t in chosen if d is not None and math.isfinite(d) and d > 0]
    squares = [(d - t) ** 2 for d, t in readable]
    ratios = [max(d / t, t / d) for d, t in readable] + [math.inf] * (len(chosen) - len(readable))
    return [
        mean_measure("abs_rel", [abs(d - t) / t for d, t in readable]),
        Measure("rmse", math.sqrt(sum(squares) / len(squares)) if squares else None, len(squares)),
        mean_measure("log10", [abs(math.log10(d) - math.log10(t)) for d, t in readable]),
        *(mean_measure(f"delta_{k}", [float(ratio < 1.25**k) for ratio in ratios]) for k in (1, 2, 3)),
        mean_measure("invalid_ratio", [float(ratio == math.inf) for ratio in ratios]),
    ]


def order_score(order: Sequence[int], depths: Sequence[float]) -> float | None:
    """How well an order from near to far, as positions in `depths`, agrees with the depths: right pairs / all pairs.

    Pairs of equal depth are left out. None where the order doesn't name every position once, or no pair differs.
    """
    if sorted(order) != list(range(len(depths))):
        return None
    pairs = [
        depths[first] < depths[second]
        for place, first in enumerate(order)
        for second in order[place + 1 :]
        if depths[first] != depths[second]
    ]
    return sum(pairs) / len(pairs) if pairs else None


@dataclass(frozen=True, slots=True)
class DepthQuestion:
    """Two points (x, y) in pixels in the order of the question; `nearer` is 1 or 2, `pair` names the two points."""

    image: str
    pair: str
    first: tuple[float, float]
    second: tuple[float, float]
    nearer: int


def da2k_questions(annotations: Mapping[str, Sequence[Mapping[str, object]]]) -> Iterator[DepthQuestion]:
    """Both questions of every pair of DA-2K's annotations.json: the points in either order.

    The file says {image: [{"point1": [y, x], "point2": [y, x], "closer_point": "point1"}]}, and the nearer point is
    always point1 (Depth-Anything-V2, DA-2K.md), so that asking in the file's order makes "the first" always right; that
    is what VLMEvalKit does. Raises `DataError` for a pair that isn't of that form.
    """
    for image, pairs in annotations.items():
        for number, pair in enumerate(pairs):
            where = f"DA-2K annotations, {image}, pair {number}"
            near = pair.get("closer_point")
            if near not in ("point1", "point2"):
                raise DataError(f"{where}: closer_point is {near!r}, expected 'point1' or 'point2'")
            points = _point(pair.get("point1"), where), _point(pair.get("point2"), where)
            nearer = 1 if near == "point1" else 2
            name = f"{image}#{number}"
            yield DepthQuestion(image, name, points[0], points[1], nearer)
            yield DepthQuestion(image, name, points[1], points[0], 3 - nearer)


def _point(value: object, where: str) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(isinstance(v, int | float) for v in value):
        raise DataError(f"{where}: a point is {value!r}, expected [vertical, horizontal]")
    return float(value[1]), float(value[0])


_NAMED = r"(?:\bpoint[\s_-]*(1|2|one|two|a|b)\b|\b(first|second)(?:\s+(?:point|one))?\b)"
_SIDE = re.compile(_NAMED, re.IGNORECASE)
_SAID = re.compile(
    _NAMED
    + r"\s+(?:is|looks|lies|seems|appears)\s+(?:to be\s+)?(?:(?!not\b)[a-z]+\s+)?(?:closer|nearer|closest|nearest)\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(r"\b(?:not|farther|further|farthest|furthest|behind)\b|n't\b", re.IGNORECASE)
_ALONE = re.compile(r"[\s\"'`*(\[]*(1|2|a|b)[\s\"'`*.)\]:]*", re.IGNORECASE)


def read_nearer(answer: str) -> int | None:
    """Which point an answer names as the nearer one: 1 ("point1", "Point A", "the first point", "Answer: 1") or 2.

    Where it names both or denies something, the one that it says "is closer" ("Point A is closer than point B"). None
    for none or both.
    """
    alone = _ALONE.fullmatch(marked_answer(answer) or answer)
    if alone:
        return _side(alone.group(1))
    for pattern in (_SAID,) if _DENIAL.search(answer) else (_SIDE, _SAID):
        sides = {_side(one or other) for one, other in pattern.findall(answer)}
        if len(sides) == 1:
            return sides.pop()
    return None


def _side(name: str) -> int:
    return 1 if name.lower() in {"1", "one", "first", "a"} else 2


def da2k(
    answers: Sequence[int | None], nearer: Sequence[int], pairs: Sequence[str], scenes: Labels | None = None
) -> list[Measure]:
    """DA-2K asked in both orders, from each answer (1, 2 or None) and the nearer point's number.

    `accuracy` over all questions, which is 0.5 for who ignores the picture; `pair_accuracy`, the share of pairs of
    which both questions are right; `first_ratio`, the share of readable answers for the first point, 0.5 if unbiased.
    Source: Yang et al. 2024 (Depth Anything V2, arXiv 2406.09414, section 6). Raises `ValueError` for unequal lengths.
    """
    right = [float(answer == truth) for answer, truth in zip(answers, nearer, strict=True)]
    together: dict[str, list[float]] = {}
    for score, pair in zip(right, pairs, strict=True):
        together.setdefault(pair, []).append(score)
    accuracy, *by_scene = mean_measures("accuracy", right, {"scene": scenes} if scenes else None, clusters=list(pairs))
    return [
        accuracy,
        mean_measure("pair_accuracy", [float(all(scores)) for scores in together.values()]),
        mean_measure("first_ratio", [float(answer == 1) for answer in answers if answer is not None]),
        mean_measure("invalid_ratio", [float(answer is None) for answer in answers]),
        *by_scene,
    ]
