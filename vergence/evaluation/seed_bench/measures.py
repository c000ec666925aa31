"""From a run's records to SEED-Bench's figures, as shares."""

from __future__ import annotations

from collections.abc import Sequence

from vergence.evaluation.seed_bench.dimensions import AVERAGES, DIMENSIONS, Edition
from vergence.evaluation.seed_bench.scores import Count, Key, Tally, average
from vergence.evaluation.statistics import proportion_interval
from vergence.evaluation.task import Measure, Record


def tally(records: Sequence[Record]) -> dict[Key, Count]:
    """Counts by dimension; records with errors have no verdict and don't count.

    Dimension 27 is evaluated where at least one picture was looked at, or where every text was wrong: without pictures
    only its wrong texts have a verdict, which would look like an accuracy of 0.
    """
    counts = Tally()
    for record in _evaluated(records):
        if record.verdict is not None:
            right = record.verdict.scores["accuracy"] == 1
            counts.add(record.sample.tags["dimension"], correct=right, valid=record.verdict.valid)
    return counts.counts


def _evaluated(records: Sequence[Record]) -> list[Record]:
    """The records with a verdict, without those of a dimension 27 that was asked without pictures."""
    both = [record for record in records if record.sample.tags["dimension"] == 27]
    pictures = any(record.verdict and "picture" in record.verdict.scores for record in both)
    failed = any(record.verdict is None for record in both)
    left_out = 27 if failed and not pictures else None
    return [r for r in records if r.verdict is not None and r.sample.tags["dimension"] != left_out]


def measures(edition: Edition, records: Sequence[Record]) -> list[Measure]:
    """Accuracy with an interval that respects shared pictures and videos; the mean over dimensions; then by group.

    Groups are every dimension (None where it was not evaluated), the levels and parts that there are, and the
    leaderboard's averages, rounded as there: "all_average" and "task_average" with the group "average=Avg. P1".
    """
    scored = _evaluated(records)
    counts = tally(records)
    n = len(scored)
    invalid = sum(not record.verdict.valid for record in scored if record.verdict)
    ties = sum(record.verdict.tie for record in scored if record.verdict)
    macro = average(counts, list(DIMENSIONS[edition])).macro
    found = [
        _accuracy(scored),
        Measure("task_average", None if macro is None else macro / 100, n),
        Measure("invalid", invalid / n if n else None, n),
        Measure("ties", ties / n if n else None, n),
    ]
    for number in DIMENSIONS[edition]:
        found.append(_accuracy([r for r in scored if r.sample.tags["dimension"] == number], f"dimension={number}"))
    for tag in ("level", "part"):
        for value in dict.fromkeys(record.sample.tags[tag] for record in scored if record.sample.tags[tag]):
            found.append(_accuracy([r for r in scored if r.sample.tags[tag] == value], f"{tag}={value}"))
    for name, dimensions in AVERAGES[edition].items():
        whole = average(counts, dimensions)
        for metric, value in (("all_average", whole.all), ("task_average", whole.task)):
            share = None if value is None else round(value / 100, 3)
            found.append(Measure(metric, share, whole.count.n, f"average={name}"))
    return found


def _accuracy(records: Sequence[Record], group: str = "") -> Measure:
    scores = [record.verdict.scores["accuracy"] for record in records if record.verdict is not None]
    if not scores:
        return Measure("accuracy", None, 0, group)
    clusters = [str(record.sample.tags["cluster"]) for record in records]
    interval = proportion_interval(scores, clusters)
    return Measure("accuracy", interval.mean, len(scores), group, interval.low, interval.high, stderr=interval.stderr)
