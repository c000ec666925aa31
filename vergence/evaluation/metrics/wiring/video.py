"""Metrics of video benchmarks: spans of time, OVO-Bench, StreamingBench, OVBench, VSI-Bench, TempCompass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field

from vergence.config import Section
from vergence.evaluation.compat import spatial as compat_spatial
from vergence.evaluation.compat import video as compat_video
from vergence.evaluation.metrics.metric import Metric, NoParameters, invalid, right_or_wrong, verdicts
from vergence.evaluation.metrics.spatial import (
    VSI_CHOICES,
    VSI_NUMBERS,
    VSI_UNITS,
    mean_relative_accuracy,
    vsi_bench,
)
from vergence.evaluation.metrics.streaming import OVO_GROUPS, ovbench, ovo_bench, ovo_forward_correct, streaming_bench
from vergence.evaluation.metrics.tempcompass import (
    TEMPCOMPASS_FORMATS,
    rate_choice,
    rate_matching,
    rate_yes_no,
    tempcompass,
)
from vergence.evaluation.metrics.temporal import THRESHOLDS, read_span, temporal_grounding, tiou
from vergence.evaluation.metrics.wiring import references
from vergence.evaluation.metrics.wiring.choices import ChoiceParameters, score_choice
from vergence.evaluation.metrics.wiring.compat import compat_name, compat_scores, harness_measures
from vergence.evaluation.task import LETTERS, Measure, Record, Sample, Verdict
from vergence.evaluation.tasks.cells import as_text
from vergence.evaluation.tasks.choice_cells import split_choices
from vergence.verifiers.quantities import read_quantity

SPANS = {"charades_sta": compat_video.COMPAT["charades_sta"]}


class SpanParameters(Section):
    """The thresholds of R@1, and the benchmark whose scores in other harnesses are shown."""

    thresholds: list[float] = Field(default=list(THRESHOLDS), min_length=1)
    compat: compat_name(SPANS) = ""  # type: ignore[valid-type]


def tag(sample: Sample, name: str) -> str:
    """A tag that a metric can't do without. Raises `ValueError`, which leaves the row out."""
    value = sample.tags.get(name)
    if value is None:
        raise ValueError(f"no tag {name!r}, which the metric needs")
    return str(value)


def _span(sample: Sample, text: str, parameters: SpanParameters) -> Verdict:
    reference = tuple(sample.reference)
    compat = compat_scores(SPANS, parameters.compat, text, reference)
    found = read_span(text)
    if found is None:
        return invalid(metrics=("tiou",), compat=compat)
    return Verdict({"tiou": tiou(found, reference)}, list(found), compat=compat)


def _grounding(records: Sequence[Record], parameters: SpanParameters) -> list[Measure]:
    scored = verdicts(records)
    found = [tuple(verdict.extracted) if verdict.valid else None for _, verdict in scored]
    expected = [tuple(record.sample.reference) for record, _ in scored]
    return temporal_grounding(found, expected, parameters.thresholds)


def _ovo_reference(cell: Any, sample: Sample, parameters: Any) -> int | bool:
    task = tag(sample, "task")
    if task in OVO_GROUPS["forward"]:
        read = references.whole if task == "REC" else references.yes_or_no
        return read(cell, sample, parameters)
    if task not in OVO_GROUPS["backward"] + OVO_GROUPS["realtime"] or not isinstance(cell, int):
        raise ValueError(f"task {task!r} is not one of OVO-Bench, or its answer is none of the choices")
    return cell


def _ovo(sample: Sample, text: str, parameters: NoParameters) -> Verdict:
    task = str(sample.tags["task"])
    if task not in OVO_GROUPS["forward"]:
        letter = LETTERS[sample.reference]
        compat = compat_scores(compat_video.COMPAT, "ovo_bench", text, letter, task=task)
        return replace(score_choice(sample, text, ChoiceParameters()), compat=compat)
    compat = compat_scores(compat_video.COMPAT, "ovo_bench", text, int(sample.reference), task=task)
    right = ovo_forward_correct(task, text, sample.reference)
    return invalid(compat=compat) if right is None else right_or_wrong(right, text.strip(), compat)


def _ovo_measures(records: Sequence[Record], parameters: NoParameters) -> list[Measure]:
    return ovo_bench(_correct(records), _tags(records, "task"))


def _correct(records: Sequence[Record]) -> list[bool | None]:
    return [verdict.scores["accuracy"] == 1 if verdict.valid else None for _, verdict in verdicts(records)]


def _tags(records: Sequence[Record], name: str) -> list[str]:
    return [str(record.sample.tags.get(name)) for record, _ in verdicts(records)]


def _needs(*names: str) -> Callable[[Any, Sample, Any], int]:
    """The reference of a choice whose aggregate needs these tags."""

    def read(cell: Any, sample: Sample, parameters: Any) -> int:
        for name in names:
            tag(sample, name)
        return int(cell)

    return read


def _streaming(sample: Sample, text: str, parameters: NoParameters) -> Verdict:
    letter = LETTERS[sample.reference]
    compat = compat_scores(compat_video.COMPAT, "streaming_bench", text, letter)
    return replace(score_choice(sample, text, ChoiceParameters()), compat=compat)


def _streaming_measures(records: Sequence[Record], parameters: NoParameters) -> list[Measure]:
    categories = _tags(records, "category")
    given = categories if all(record.sample.tags.get("category") for record in records) else None
    return streaming_bench(_correct(records), _tags(records, "task"), given)


def _ovbench_measures(records: Sequence[Record], parameters: ChoiceParameters) -> list[Measure]:
    contexts = _tags(records, "context") if all(record.sample.tags.get("context") for record in records) else None
    return ovbench(_correct(records), _tags(records, "type"), _tags(records, "subtask"), contexts)


def _vsi_reference(cell: Any, sample: Sample, parameters: Any) -> Any:
    kind = tag(sample, "type")
    if kind in VSI_NUMBERS:
        value = references.real(cell, sample, parameters)
        if value <= 0:
            raise ValueError(f"the answer {value} is not positive, which a relative error needs")
        return value
    if kind not in VSI_CHOICES or not isinstance(cell, int):
        raise ValueError(f"type {kind!r} is not one of VSI-Bench, or its answer is none of the choices")
    return cell


def _vsi(sample: Sample, text: str, parameters: NoParameters) -> Verdict:
    """The MRA of a number, 1 or 0 for a choice."""
    kind = str(sample.tags["type"])
    number = kind in VSI_NUMBERS
    truth = as_text(sample.reference) if number else LETTERS[sample.reference]
    compat = compat_scores(compat_spatial.COMPAT, "vsi_bench", text, truth, kind=kind)
    if not number:
        verdict = score_choice(sample, text, ChoiceParameters())
        return replace(verdict, scores={"score": verdict.scores["accuracy"]}, compat=compat)
    value = read_quantity(text, VSI_UNITS.get(kind))
    if value is None:
        return invalid(metrics=("score",), compat=compat)
    return Verdict({"score": mean_relative_accuracy(value, sample.reference)}, value, compat=compat)


def _vsi_measures(records: Sequence[Record], parameters: NoParameters) -> list[Measure]:
    scored = verdicts(records)
    types = _tags(records, "type")
    own = vsi_bench([verdict.scores["score"] if verdict.valid else None for _, verdict in scored], types)
    others = []
    for harness, sum_up in compat_spatial.AGGREGATES["vsi_bench"].items():
        having = [(v.compat[harness], kind) for (_, v), kind in zip(scored, types, strict=True) if harness in v.compat]
        values, kinds = [value for value, _ in having], [kind for _, kind in having]
        others += harness_measures({harness: sum_up}, values, kinds)
    return [*own, *others]


def _tempcompass_reference(cell: Any, sample: Sample, parameters: Any) -> str:
    tag(sample, "dimension")
    if tag(sample, "format") not in TEMPCOMPASS_FORMATS:
        raise ValueError(f"format {sample.tags['format']!r} is not one of {', '.join(TEMPCOMPASS_FORMATS)}")
    return references.text(cell, sample, parameters)


def _tempcompass(sample: Sample, text: str, parameters: NoParameters) -> Verdict:
    """The rule of the question's format; what it can't decide, of captions all, needs a judge and is invalid here."""
    kind, question = str(sample.tags["format"]), sample.question
    compat = compat_scores(compat_video.COMPAT, "tempcompass", text, sample.reference, kind=kind, question=question)
    rating: bool | None = None
    if not text.strip():
        return invalid(compat=compat)
    if kind == "caption_matching":
        rating = rate_matching(text, question, sample.reference)
    elif kind == "multi-choice":
        rating = rate_choice(text, sample.reference, split_choices(question)[1])
    elif kind == "yes_no":
        rating = rate_yes_no(text, sample.reference)
    return invalid(compat=compat) if rating is None else right_or_wrong(rating, text.strip(), compat)


def _tempcompass_measures(records: Sequence[Record], parameters: Any) -> list[Measure]:
    return tempcompass(_correct(records), _tags(records, "format"), _tags(records, "dimension"))


VIDEO_METRICS = (
    Metric("span", "temporal grounding: mIoU and R@1", _span, SpanParameters, references.span, _grounding),
    Metric("ovo_bench", "OVO-Bench: the mean of its three groups", _ovo, NoParameters, _ovo_reference, _ovo_measures),
    Metric(
        "streaming_bench",
        "StreamingBench: accuracy by category and task",
        _streaming,
        NoParameters,
        _needs("task"),
        _streaming_measures,
        open=False,
    ),
    Metric(
        "ovbench",
        "OVBench: the mean of its subtasks",
        score_choice,
        ChoiceParameters,
        _needs("type", "subtask"),
        _ovbench_measures,
        open=False,
    ),
    Metric(
        "vsi_bench", "VSI-Bench: MRA of numbers, accuracy of choices", _vsi, NoParameters, _vsi_reference, _vsi_measures
    ),
    Metric(
        "tempcompass",
        "TempCompass: multiple choice, yes or no, caption matching by rules",
        _tempcompass,
        NoParameters,
        _tempcompass_reference,
        _tempcompass_measures,
    ),
)
