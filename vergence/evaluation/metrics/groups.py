"""Means of scores over a whole task and over its groups, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence

from vergence.evaluation.statistics import score_interval
from vergence.evaluation.task import Measure

Labels = Sequence[str | Iterable[str] | None]
"""For each score its label, several labels (it counts in each of these groups), or None (in none)."""


def mean_measure(
    metric: str, scores: Sequence[float], group: str = "", *, clusters: Sequence[Hashable] | None = None
) -> Measure:
    """The mean of scores with its standard error and 95% interval; the value is None without scores."""
    if not scores:
        return Measure(metric, None, 0, group)
    found = score_interval(scores, clusters)
    low, high = (bound if math.isfinite(bound) else None for bound in (found.low, found.high))
    return Measure(metric, found.mean, len(scores), group, low, high, found.stderr)


def grouped(labels: Labels) -> dict[str, list[int]]:
    """The positions of each label, in the order in which labels first appear."""
    positions: dict[str, list[int]] = {}
    for position, label in enumerate(labels):
        for name in (label,) if isinstance(label, str) else () if label is None else label:
            positions.setdefault(name, []).append(position)
    return positions


def mean_measures(
    metric: str,
    scores: Sequence[float],
    groups: Mapping[str, Labels] | None = None,
    *,
    clusters: Sequence[Hashable] | None = None,
) -> list[Measure]:
    """The mean over all scores, then for each key of `groups` the mean of each of its labels ("key=label").

    Raises `ValueError` where labels or clusters aren't as many as scores.
    """
    measures = [mean_measure(metric, scores, clusters=clusters)]
    for key, labels in (groups or {}).items():
        if len(labels) != len(scores):
            raise ValueError(f"{len(scores)} scores have {len(labels)} labels of {key}")
        for label, positions in grouped(labels).items():
            members = None if clusters is None else [clusters[position] for position in positions]
            chosen = [scores[position] for position in positions]
            measures.append(mean_measure(metric, chosen, f"{key}={label}", clusters=members))
    return measures


def macro_mean(metric: str, measures: Iterable[Measure], group: str = "") -> Measure:
    """The mean of measures' values, each group weighing the same; those without a value are left out.

    The groups are independent samples, so the standard error is sqrt(sum of squared standard errors) / groups.
    """
    kept = [measure for measure in measures if measure.value is not None]
    if not kept:
        return Measure(metric, None, 0, group)
    value = sum(measure.value or 0.0 for measure in kept) / len(kept)
    errors = [measure.stderr for measure in kept]
    stderr = None
    if all(error is not None for error in errors):
        stderr = math.sqrt(sum((error or 0.0) ** 2 for error in errors)) / len(kept)
    return Measure(metric, value, sum(measure.n for measure in kept), group, stderr=stderr)
