"""What a declared task's records come to: the headline, the metric's other figures, and those of groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from vergence.evaluation.metrics.groups import macro_mean, mean_measure
from vergence.evaluation.metrics.metric import TELL_INVALID, by_group, verdicts
from vergence.evaluation.task import Measure, Record
from vergence.evaluation.tasks.declaration import ReportSection
from vergence.evaluation.tasks.orders import folded

Figures = Callable[[Sequence[Record]], list[Measure]]


def summarise(records: Sequence[Record], report: ReportSection, figures: Figures, *, circular: bool) -> list[Measure]:
    """The headline first. `figures` are the metric's measures of some records.

    With `circular` the records of one question in all its orders count as one, which is right if all of them are; what
    the published order alone would give comes last, named "(first order)".
    """

    def measured(some: Sequence[Record]) -> list[Measure]:
        return figures(folded(some) if circular else some)

    whole = measured(records)
    found = list(whole)
    if report.over is not None:
        parts = [_own(measured(group)) for group in by_group(records, report.over).values()]
        names = [measure.metric for measure in _own(whole)]
        macro = [macro_mean(name, [one for part in parts for one in part if one.metric == name]) for name in names]
        micro = [replace(m, metric=f"{m.metric} (micro)") if m.metric in names else m for m in whole]
        found = [*macro, *micro]
    found += [_all_right(records, tag) for tag in report.together]
    for tag in dict.fromkeys([*report.groups, *filter(None, [report.over])]):
        for value, group in by_group(records, tag).items():
            found += [replace(measure, group=f"{tag}={value}") for measure in _own(measured(group))]
    if circular:
        published = [record for record in records if record.sample.tags.get("rotation", 0) == 0]
        found += [replace(m, metric=f"{m.metric} (first order)") for m in figures(published)[:1]]
    return found


def _own(measures: Sequence[Measure]) -> list[Measure]:
    """A metric's measures of all that it was given, without those of groups that it makes itself."""
    return [measure for measure in measures if not measure.group and measure.metric not in TELL_INVALID]


def _all_right(records: Sequence[Record], tag: str) -> Measure:
    """The share of a tag's values whose questions are all right; a value with an unscored question doesn't count."""
    hits = [
        float(all(next(iter(verdict.scores.values())) == 1 for _, verdict in scored))
        for group in by_group(records, tag).values()
        if len(scored := verdicts(group)) == len(group)
    ]
    return mean_measure(f"all right by {tag}", hits)
