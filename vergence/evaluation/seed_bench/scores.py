"""Accuracies and averages of SEED-Bench, exactly and as its leaderboard rounds them.

Per dimension the leaderboard shows round(100 correct / total, 1). Two averages over a group of dimensions exist: "All"
is 100 times all right answers over all answers (micro), "Task" the mean of the dimensions' already rounded accuracies;
both are rounded to one decimal (space AILab-CVC/SEED-Bench_Leaderboard, result.csv and result_task.csv). Beside them
stand the exact micro average and the exact mean of the exact accuracies (macro), which rounding can't move.

A dimension without answers is not evaluated, which is None. The leaderboard writes 0 instead and lets it count in the
Task average: `zero=True` does so too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vergence.evaluation.seed_bench.dimensions import (
    AVERAGES,
    DIMENSIONS,
    LEVELS,
    PARTS,
    Dimension,
    Edition,
    at_level,
)
from vergence.evaluation.statistics import wilson

Key = int | str
"""What answers are counted by: a dimension's number, or "image" or "video" where no more is known of them."""

IMAGE, VIDEO = "image", "video"


@dataclass(frozen=True, slots=True)
class Count:
    """Answers and how many of them are right; `invalid` ones could not be read and are wrong."""

    n: int = 0
    correct: int = 0
    invalid: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.n + other.n, self.correct + other.correct, self.invalid + other.invalid)

    @property
    def accuracy(self) -> float | None:
        """In percent; None without answers."""
        return 100 * self.correct / self.n if self.n else None

    @property
    def rounded(self) -> float | None:
        """In percent with one decimal, as the leaderboard rounds."""
        return None if self.accuracy is None else round(self.accuracy, 1)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95% interval in percent."""
        if not self.n:
            return None
        low, high = wilson(self.correct, self.n)
        return 100 * low, 100 * high


@dataclass(slots=True)
class Tally:
    """Counts by dimension while answers are gone through."""

    counts: dict[Key, Count] = field(default_factory=dict)

    def add(self, key: Key, *, correct: bool, valid: bool = True) -> None:
        """Count one answer."""
        self.counts[key] = self.counts.get(key, Count()) + Count(1, int(correct), int(not valid))


@dataclass(frozen=True, slots=True)
class Average:
    """An average over a group of dimensions, in percent; see the module. `missing` dimensions weren't evaluated."""

    count: Count
    macro: float | None
    all: float | None
    task: float | None
    missing: tuple[int, ...]

    @property
    def micro(self) -> float | None:
        """All right answers over all answers."""
        return self.count.accuracy


def average(counts: Mapping[Key, Count], dimensions: Sequence[int], *, zero: bool = False) -> Average:
    """The averages over some dimensions, and over answers known as "image" or "video" alone where these belong to it.

    The means over dimensions (macro, task) are None where the dimension of some answers isn't known.
    """
    found = [counts.get(number, Count()) for number in dimensions]
    kinds = _kinds(counts, dimensions)
    total = sum([*found, *kinds], Count())
    exact = [0.0 if zero and count.accuracy is None else count.accuracy for count in found]
    rounded = [0.0 if zero and count.rounded is None else count.rounded for count in found]
    macro, task = _mean(exact), _mean(rounded)
    if kinds:
        macro = task = None
    shown = total.rounded
    return Average(
        count=total,
        macro=macro,
        all=0.0 if zero and shown is None else shown,
        task=None if task is None else round(task, 1),
        missing=tuple(number for number, count in zip(dimensions, found, strict=True) if not count.n and not kinds),
    )


def _kinds(counts: Mapping[Key, Count], dimensions: Sequence[int]) -> list[Count]:
    """Counts by kind that belong to a group of version 1: its pictures are dimensions 1 to 9, its videos 10 to 12."""
    members = {IMAGE: 1, VIDEO: 10}
    return [counts[kind] for kind, number in members.items() if kind in counts and number in dimensions]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def groups(edition: Edition) -> dict[str, tuple[int, ...]]:
    """All groups of dimensions that are averaged: the leaderboard's, all of them, the parts, and up to each level."""
    dimensions = DIMENSIONS[edition]
    found = dict(AVERAGES[edition])
    found.setdefault("Avg. All", tuple(dimensions))
    if edition in ("2", "h"):
        for part in PARTS:
            found[part] = tuple(number for number, dimension in dimensions.items() if dimension.part == part)
        for level in LEVELS:
            found[f"up to {level}"] = at_level(edition, level)
    return found


def summary(edition: Edition, counts: Mapping[Key, Count], *, zero: bool = False) -> dict[str, Any]:
    """Dimensions and averages as JSON: of each the counts, the exact figures, Wilson's interval, the leaderboard's.

    "kinds" are counts of answers of which only that they are about pictures or videos is known.
    """
    kinds = {kind: counts[kind] for kind in (IMAGE, VIDEO) if kind in counts}
    return {
        "edition": edition,
        "dimensions": [
            _dimension(dimension, counts.get(number, Count()), zero)
            for number, dimension in DIMENSIONS[edition].items()
        ],
        "averages": {
            name: _average(average(counts, dimensions, zero=zero)) for name, dimensions in groups(edition).items()
        },
        "kinds": {kind: {"n": c.n, "correct": c.correct, "invalid": c.invalid} for kind, c in kinds.items()},
    }


def counts_of(result: Mapping[str, Any]) -> dict[Key, Count]:
    """The counts that a `summary` was made of."""
    counts: dict[Key, Count] = {
        found["id"]: Count(found["n"], found["correct"], found["invalid"])
        for found in result["dimensions"]
        if found["n"]
    }
    for kind, found in result.get("kinds", {}).items():
        counts[kind] = Count(found["n"], found["correct"], found["invalid"])
    return counts


def _dimension(dimension: Dimension, count: Count, zero: bool) -> dict[str, Any]:
    return {
        "id": dimension.id,
        "name": dimension.name,
        "level": dimension.level,
        "part": dimension.part,
        "published": dimension.count,
        **_figures(count),
        "leaderboard": 0.0 if zero and count.rounded is None else count.rounded,
    }


def _average(found: Average) -> dict[str, Any]:
    figures = _figures(found.count)
    return {
        **{key: figures[key] for key in ("n", "correct", "invalid", "low", "high")},
        "micro": found.micro,
        "macro": found.macro,
        "leaderboard_all": found.all,
        "leaderboard_task": found.task,
        "not_evaluated": list(found.missing),
    }


def _figures(count: Count) -> dict[str, Any]:
    low, high = count.interval or (None, None)
    return {
        "n": count.n,
        "correct": count.correct,
        "invalid": count.invalid,
        "accuracy": count.accuracy,
        "low": low,
        "high": high,
    }
