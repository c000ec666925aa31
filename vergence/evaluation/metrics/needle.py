"""A needle in a haystack: accuracy over a grid of context lengths and positions.

Whether an answer has the needle is a question for `vergence.verifiers.text` (`exact`, or `contains` as words).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from vergence.evaluation.metrics.groups import macro_mean, mean_measure
from vergence.evaluation.task import Measure


@dataclass(frozen=True, slots=True)
class NeedleGrid:
    """Accuracy by context length (rows) and depth (columns, 0 is the beginning); None where nothing was asked."""

    lengths: tuple[int, ...]
    depths: tuple[float, ...]
    values: tuple[tuple[float | None, ...], ...]
    counts: tuple[tuple[int, ...], ...]


def needle_grid(scores: Sequence[float], lengths: Sequence[int], depths: Sequence[float]) -> NeedleGrid:
    """The mean score of each cell, for a heat map.

    Source: Kamradt 2023 (github.com/gkamradt/LLMTest_NeedleInAHaystack). Raises `ValueError` for unequal lengths.
    """
    cells: dict[tuple[int, float], list[float]] = {}
    for score, length, depth in zip(scores, lengths, depths, strict=True):
        cells.setdefault((length, depth), []).append(score)
    rows, columns = tuple(sorted(set(lengths))), tuple(sorted(set(depths)))
    members = [[cells.get((length, depth), []) for depth in columns] for length in rows]
    return NeedleGrid(
        rows,
        columns,
        tuple(tuple(sum(cell) / len(cell) if cell else None for cell in row) for row in members),
        tuple(tuple(map(len, row)) for row in members),
    )


def needle(
    scores: Sequence[float],
    lengths: Sequence[int],
    depths: Sequence[float],
    tries: Sequence[str] | None = None,
    clusters: Sequence[Hashable] | None = None,
) -> list[Measure]:
    """`accuracy` as the mean of the cells, `min_accuracy` of the worst one, then by length, by depth and each cell.

    A mean hides a length or depth at which nothing is found, so the worst cell stands beside it. `tries` names what
    several askings of one question (its options rotated, as in VNBench's circular evaluation, arXiv 2406.09367) share:
    it is right only if all of them are. `clusters` name what answers share whose errors aren't independent, without
    `tries`. Raises `ValueError` for unequal lengths and for a question in several cells.
    """
    if tries is not None:
        scores, lengths, depths = _all_right(scores, lengths, depths, tries)
        clusters = None
    cells: dict[tuple[int, float], list[int]] = {}
    for place, cell in enumerate(zip(lengths, depths, strict=True)):
        cells.setdefault(cell, []).append(place)
    every = {
        (length, depth): mean_measure(
            "accuracy",
            [scores[place] for place in cells[length, depth]],
            f"cell={length}@{depth:g}",
            clusters=None if clusters is None else [clusters[place] for place in cells[length, depth]],
        )
        for length, depth in sorted(cells)
    }
    worst = min((measure.value for measure in every.values() if measure.value is not None), default=None)
    by_length = [
        macro_mean("accuracy", [m for (row, _), m in every.items() if row == length], f"length={length}")
        for length in sorted(set(lengths))
    ]
    by_depth = [
        macro_mean("accuracy", [m for (_, column), m in every.items() if column == depth], f"depth={depth:g}")
        for depth in sorted(set(depths))
    ]
    return [
        macro_mean("accuracy", every.values()),
        Measure("min_accuracy", worst, len(scores)),
        *by_length,
        *by_depth,
        *every.values(),
    ]


def _all_right(
    scores: Sequence[float], lengths: Sequence[int], depths: Sequence[float], tries: Sequence[str]
) -> tuple[list[float], list[int], list[float]]:
    """One score per question: the least of its tries'."""
    questions: dict[str, tuple[int, float]] = {}
    least: dict[str, float] = {}
    for score, length, depth, name in zip(scores, lengths, depths, tries, strict=True):
        if questions.setdefault(name, (length, depth)) != (length, depth):
            raise ValueError(f"question {name!r} is asked at {questions[name]} and at {(length, depth)}")
        least[name] = min(least.get(name, score), score)
    return list(least.values()), [questions[name][0] for name in least], [questions[name][1] for name in least]
