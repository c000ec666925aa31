"""What a metric is to a task, and the figures that most metrics share.

A metric reads the reference that a row holds, scores an answer's text against it, and sums up the verdicts. The
formulas themselves are pure functions in `vergence.verifiers` and in the other files of this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from vergence.config import Section
from vergence.evaluation.judge import Judge, Parse
from vergence.evaluation.metrics.groups import grouped, mean_measure
from vergence.evaluation.task import Measure, Record, Sample, Verdict

INVALID = "invalid_ratio"
"""The name of the measure that says what share of the answers couldn't be read."""
TELL_INVALID = (INVALID, "wrong_format_ratio", "undecided_ratio")
"""What some metrics call it."""


class NoParameters(Section):
    """Of a metric that has nothing to choose."""


class JudgeParameters(Section):
    """How often a judge is asked about an answer, and how it samples; more than one pass needs a temperature."""

    passes: int = Field(default=1, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    max_tokens: int = Field(default=512, ge=1)


def as_it_is(cell: Any, sample: Sample, parameters: Any) -> Any:
    """A reference that needs no reading."""
    return cell


@dataclass(frozen=True, slots=True)
class JudgeRule:
    """What a judge is shown ({question}, {reference}, {answer}) and how a score is read from its reply."""

    template: str
    parse: Parse


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its name in a task's declaration.

    `score` gives the verdict on an answer's text; `reference` turns a row's cell (or mapping of cells) into the JSON
    value that `score` expects and raises `ValueError` where it isn't one; `aggregate` gives the measures, the headline
    first. All three get the metric's `parameters`. `open` says that a question without choices can be scored. A metric
    with `judges` (their prompts and how their replies are read, by name) scores by `judged_score` instead, which gets
    these judges.
    """

    name: str
    line: str
    score: Callable[[Sample, str, Any], Verdict]
    parameters: type[Section] = NoParameters
    reference: Callable[[Any, Sample, Any], Any] = as_it_is
    aggregate: Callable[[Sequence[Record], Any], list[Measure]] | None = None
    open: bool = True
    judges: Mapping[str, JudgeRule] = field(default_factory=dict)
    judged_score: Callable[[Mapping[str, Judge], Sample, str, Any], Verdict] | None = None

    def measures(self, records: Sequence[Record], parameters: Any) -> list[Measure]:
        """The metric's own measures, or the mean of each score, and the share of invalid answers."""
        own = self.aggregate(records, parameters) if self.aggregate else mean_scores(records)
        told = any(measure.metric in TELL_INVALID for measure in own)
        return own if told else [*own, invalid_share(records)]


def verdicts(records: Sequence[Record]) -> list[tuple[Record, Verdict]]:
    """The records that were scored, with their verdicts."""
    return [(record, record.verdict) for record in records if record.verdict is not None]


def invalid(extracted: Any = None, *, metrics: Sequence[str] = ("accuracy",), **fields: Any) -> Verdict:
    """The verdict on an answer that couldn't be read: 0 in every metric, and counted as invalid."""
    return Verdict(dict.fromkeys(metrics, 0.0), extracted, valid=False, **fields)


def right_or_wrong(right: bool, extracted: Any, compat: Mapping[str, float] | None = None) -> Verdict:
    """The verdict on an answer that is right or wrong, by the metric "accuracy"."""
    return Verdict({"accuracy": float(right)}, extracted, compat=compat or {})


def mean_scores(records: Sequence[Record]) -> list[Measure]:
    """The mean of every score of the verdicts, with its interval, which respects the tag "cluster"."""
    scored = verdicts(records)
    names = dict.fromkeys(name for _, verdict in scored for name in verdict.scores)
    return [mean_of(records, name) for name in names] or [Measure("accuracy", None, 0)]


def mean_of(records: Sequence[Record], name: str, metric: str | None = None) -> Measure:
    """The mean of one score over the verdicts that have it, as a measure of that name or called `metric`."""
    having = [(record, verdict.scores[name]) for record, verdict in verdicts(records) if name in verdict.scores]
    clusters = cluster_labels([record for record, _ in having])
    return mean_measure(metric or name, [value for _, value in having], clusters=clusters)


def cluster_labels(records: Sequence[Record]) -> list[Hashable] | None:
    """What each record's question is clustered by; a question without the tag stands alone. None where all do."""
    if not any("cluster" in record.sample.tags for record in records):
        return None
    return [str(record.sample.tags.get("cluster", f"\0{record.sample.id}")) for record in records]


def invalid_share(records: Sequence[Record]) -> Measure:
    """The share of answers that couldn't be read."""
    flags = [float(not verdict.valid) for _, verdict in verdicts(records)]
    return Measure(INVALID, sum(flags) / len(flags) if flags else None, len(flags))


def by_group(records: Sequence[Record], tag: str) -> dict[str, list[Record]]:
    """The records by the value of a tag, in the order of first appearance; one with a list belongs to each of it."""
    labels = [_labels(record.sample.tags.get(tag)) for record in records]
    return {label: [records[place] for place in places] for label, places in grouped(labels).items()}


def _labels(value: Any) -> list[str] | None:
    if value is None:
        return None
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
