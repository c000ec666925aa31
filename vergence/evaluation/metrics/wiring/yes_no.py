"""Metrics of questions that are answered with yes or no: plain accuracy, POPE, HallusionBench, MME."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vergence.config import Section
from vergence.evaluation.compat.yes_no import AGGREGATES, COMPAT
from vergence.evaluation.metrics.metric import Metric, invalid, right_or_wrong, verdicts
from vergence.evaluation.metrics.wiring import references
from vergence.evaluation.metrics.wiring.compat import compat_name, compat_scores, harness_measures
from vergence.evaluation.metrics.yes_no import HallusionItem, hallusion_bench, mme, pope, read_yes_no
from vergence.evaluation.task import Measure, Record, Sample, Verdict
from vergence.evaluation.tasks.cells import as_text

_HALLUSION = ("answer", "category", "subcategory", "set_id", "figure_id", "question_id")


class YesNoParameters(Section):
    """`compat` names the benchmark whose scores in other harnesses are shown beside ours."""

    compat: compat_name(COMPAT) = ""  # type: ignore[valid-type]


def _truth(sample: Sample) -> bool:
    reference = sample.reference
    return bool(reference["answer"] if isinstance(reference, Mapping) else reference)


def _score(sample: Sample, text: str, parameters: YesNoParameters) -> Verdict:
    truth = _truth(sample)
    compat = compat_scores(COMPAT, parameters.compat, text, truth)
    said = read_yes_no(text)
    if said is None:
        return invalid(compat=compat)
    return right_or_wrong(said is truth, "yes" if said else "no", compat)


def _said(verdict: Verdict) -> bool | None:
    return None if not verdict.valid else verdict.extracted == "yes"


def _pope(records: Sequence[Record], parameters: YesNoParameters) -> list[Measure]:
    """By setting (random, popular, adversarial) where the tag "setting" is there."""
    scored = verdicts(records)
    labels = [_truth(record.sample) for record, _ in scored]
    settings = [record.sample.tags.get("setting") for record, _ in scored]
    texts = [record.answer.text for record, _ in scored]
    others = harness_measures(AGGREGATES["pope"], texts, labels)
    return [*pope([_said(verdict) for _, verdict in scored], labels, settings if any(settings) else None), *others]


def _hallusion_reference(cell: Any, sample: Sample, parameters: Any) -> dict[str, Any]:
    found = references.mapping(cell, _HALLUSION)
    answer = references.yes_or_no(found["answer"], sample, parameters)
    return {**{name: as_text(value) for name, value in found.items()}, "answer": answer}


def _hallusion(records: Sequence[Record], parameters: YesNoParameters) -> list[Measure]:
    items = [
        HallusionItem(**{name: record.sample.reference[name] for name in _HALLUSION[1:]}, correct=_right(verdict))
        for record, verdict in verdicts(records)
    ]
    return [*hallusion_bench(items), *harness_measures(AGGREGATES["hallusion_bench"], items)]


def _right(verdict: Verdict) -> bool:
    return verdict.scores["accuracy"] == 1


def _mme(records: Sequence[Record], parameters: YesNoParameters) -> list[Measure]:
    """By the tags "subtask" and "image"; a picture of whose two questions one has no verdict isn't evaluated."""
    pairs: dict[tuple[str, str], list[tuple[Record, Verdict]]] = {}
    for record, verdict in verdicts(records):
        tags = record.sample.tags
        pairs.setdefault((str(tags.get("subtask")), str(tags.get("image"))), []).append((record, verdict))
    scored = [one for pair in pairs.values() if len(pair) == 2 for one in pair]
    subtasks = [str(record.sample.tags["subtask"]) for record, _ in scored]
    images = [str(record.sample.tags["image"]) for record, _ in scored]
    texts, labels = [record.answer.text for record, _ in scored], [_truth(record.sample) for record, _ in scored]
    own = mme([_right(verdict) for _, verdict in scored], subtasks, images)
    return [*own, *harness_measures(AGGREGATES["mme"], texts, labels, subtasks, images)]


YES_NO_METRICS = (
    Metric("yes_no", "whether yes or no is said rightly", _score, YesNoParameters, references.yes_or_no),
    Metric(
        "pope",
        "POPE: F1, accuracy, precision, recall, share of yes",
        _score,
        YesNoParameters,
        references.yes_or_no,
        _pope,
    ),
    Metric(
        "hallusion_bench",
        "HallusionBench: the mean of aAcc, fAcc and qAcc",
        _score,
        YesNoParameters,
        _hallusion_reference,
        _hallusion,
    ),
    Metric("mme", "MME: sums of accuracy and accuracy+", _score, YesNoParameters, references.yes_or_no, _mme),
)
