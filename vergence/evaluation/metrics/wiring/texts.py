"""Metrics of short texts: exact, contained, ANLS, VQA accuracy, relaxed accuracy, OCRBench."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from vergence.config import Section
from vergence.evaluation.compat.text import COMPAT
from vergence.evaluation.metrics.documents import chartqa, ocrbench
from vergence.evaluation.metrics.metric import Metric, NoParameters, invalid, right_or_wrong, verdicts
from vergence.evaluation.metrics.wiring import references
from vergence.evaluation.metrics.wiring.compat import compat_name, compat_scores
from vergence.evaluation.task import Measure, Record, Sample, Verdict
from vergence.verifiers.maths import marked_answer
from vergence.verifiers.text import (
    anls,
    contains,
    exact,
    ocrbench_match,
    relaxed_accuracy,
    relaxed_number_match,
    vqa_accuracy,
)

_BRACES = re.compile(r"\{([^{}]*)\}")


class ExactParameters(Section):
    """`read` says which part of an answer counts: what it marks as its answer, what is in {braces}, or all of it.

    Where there is no mark and no braces, all of it is.
    """

    read: Literal["all", "marked", "braces"] = "all"


class TextParameters(Section):
    """`compat` names the benchmark whose scores in other harnesses are shown beside ours."""

    compat: compat_name(COMPAT) = ""  # type: ignore[valid-type]


class AnlsParameters(TextParameters):
    """`threshold`: an edit distance (0 to 1) of at least this scores 0."""

    threshold: float = 0.5


class OcrBenchParameters(TextParameters):
    """`formula_dataset` is the dataset whose answers are compared without spaces and with their case."""

    formula_dataset: str = "HME100k"


def _exact(sample: Sample, text: str, parameters: ExactParameters) -> Verdict:
    answer = text.strip()
    if parameters.read == "braces":
        answer = ",".join(part.strip() for part in _BRACES.findall(text)) or answer
    elif parameters.read == "marked":
        answer = marked_answer(text) or answer
    if not answer:
        return invalid()
    right = any(exact(answer.removesuffix("."), reference) for reference in sample.reference)
    return right_or_wrong(right or any(exact(answer, reference) for reference in sample.reference), answer)


def _contains(sample: Sample, text: str, parameters: NoParameters) -> Verdict:
    return right_or_wrong(contains(text, sample.reference, words=True), text) if text.strip() else invalid()


def _anls(sample: Sample, text: str, parameters: AnlsParameters) -> Verdict:
    if not text.strip():
        return invalid(metrics=("anls",))
    score = anls(text, sample.reference, threshold=parameters.threshold)
    compat = compat_scores(COMPAT, parameters.compat, text, sample.reference)
    return Verdict({"anls": score}, text, compat=compat)


def _vqa(sample: Sample, text: str, parameters: TextParameters) -> Verdict:
    if not text.strip():
        return invalid(metrics=("vqa_accuracy",))
    rule = "vqav2" if parameters.compat == "vqav2" else "textvqa"
    score = vqa_accuracy(text, sample.reference, rule=rule)  # type: ignore[arg-type]
    compat = compat_scores(COMPAT, parameters.compat, text, sample.reference)
    return Verdict({"vqa_accuracy": score}, text, compat=compat)


def _ten_answers(cell: Any, sample: Sample, parameters: Any) -> list[str]:
    found = references.texts(cell, sample, parameters)
    if len(found) < 4:
        raise ValueError(f"{len(found)} answers, VQA accuracy needs those of at least four people")
    return found


def _relaxed(sample: Sample, text: str, parameters: TextParameters) -> Verdict:
    if not text.strip():
        return invalid(metrics=("relaxed_accuracy", "relaxed_number_match"))
    scores = {
        "relaxed_accuracy": float(relaxed_accuracy(text.strip(), sample.reference)),
        "relaxed_number_match": float(relaxed_number_match(text, sample.reference)),
    }
    return Verdict(scores, text, compat=compat_scores(COMPAT, parameters.compat, text, sample.reference))


def _chartqa(records: Sequence[Record], parameters: TextParameters) -> list[Measure]:
    """By split where the tag "split" is there, otherwise the plain means."""
    scored = verdicts(records)
    splits = [str(record.sample.tags.get("split") or "all") for record, _ in scored]
    right = [bool(verdict.scores["relaxed_accuracy"]) for _, verdict in scored]
    lenient = [bool(verdict.scores["relaxed_number_match"]) for _, verdict in scored]
    charts = [str(record.sample.tags.get("cluster", record.sample.id)) for record, _ in scored]
    return chartqa(right, splits, lenient, charts)


def _ocrbench_reference(cell: Any, sample: Sample, parameters: Any) -> dict[str, Any]:
    found = references.mapping(cell, ["answer", "type"])
    return {**found, "answer": references.texts(found["answer"], sample, parameters)}


def _ocrbench(sample: Sample, text: str, parameters: OcrBenchParameters) -> Verdict:
    if not text.strip():
        return invalid()
    answers = sample.reference["answer"]
    formula = sample.reference.get("dataset") == parameters.formula_dataset
    verdict = right_or_wrong(ocrbench_match(text, answers, formula=formula), text)
    return replace(verdict, compat=compat_scores(COMPAT, parameters.compat, text, answers, formula=formula))


def _ocrbench_measures(records: Sequence[Record], parameters: OcrBenchParameters) -> list[Measure]:
    scored = verdicts(records)
    right = [bool(verdict.scores["accuracy"]) for _, verdict in scored]
    return ocrbench(right, [str(record.sample.reference["type"]) for record, _ in scored])


TEXT_METRICS = (
    Metric(
        "exact", "the whole answer is the reference, but for case and blanks", _exact, ExactParameters, references.texts
    ),
    Metric(
        "contains", "a reference stands in the answer as words of its own", _contains, NoParameters, references.texts
    ),
    Metric("anls", "ANLS: similarity of strings, 0 at half of it", _anls, AnlsParameters, references.texts),
    Metric("vqa", "VQA accuracy against the answers of ten people", _vqa, TextParameters, _ten_answers),
    Metric(
        "relaxed",
        "ChartQA's relaxed accuracy: numbers within 5%",
        _relaxed,
        TextParameters,
        references.text,
        _chartqa,
    ),
    Metric(
        "ocrbench",
        "OCRBench: a reference is a part of the answer; points in 0..1000",
        _ocrbench,
        OcrBenchParameters,
        _ocrbench_reference,
        _ocrbench_measures,
    ),
)
