"""Metrics of longer texts by rules: ROUGE-L, token F1, and the benchmarks that mix them with choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vergence.evaluation.metrics.groups import macro_mean
from vergence.evaluation.metrics.metric import Metric, NoParameters, by_group, invalid, mean_of
from vergence.evaluation.metrics.overlap import rouge_l, token_f1
from vergence.evaluation.metrics.wiring import references
from vergence.evaluation.metrics.wiring.choices import ChoiceParameters, score_choice
from vergence.evaluation.task import Measure, Record, Sample, Verdict

WEB_TEXTS = ("web_caption", "heading_ocr", "element_ocr")


def _rouge(sample: Sample, text: str, parameters: Any) -> Verdict:
    if not text.strip():
        return invalid(metrics=("rouge_l",))
    return Verdict({"rouge_l": max(rouge_l(text, reference) for reference in sample.reference)}, text)


def _token_f1(sample: Sample, text: str, parameters: Any) -> Verdict:
    if not text.strip():
        return invalid(metrics=("f1",))
    return Verdict({"f1": token_f1(text, sample.reference)}, text)


def _renamed(verdict: Verdict) -> Verdict:
    """The same verdict with its score called "score"."""
    (value,) = verdict.scores.values()
    return Verdict({"score": value}, verdict.extracted, verdict.valid)


def _web(sample: Sample, text: str, parameters: Any) -> Verdict:
    """VisualWebBench: ROUGE-L of captions and readings, F1 of answers, accuracy of choices."""
    if isinstance(sample.reference, int):
        return _renamed(score_choice(sample, text, ChoiceParameters()))
    return _renamed((_rouge if sample.tags["task"] in WEB_TEXTS else _token_f1)(sample, text, parameters))


def _choice_or_rouge(sample: Sample, text: str, parameters: Any) -> Verdict:
    """LLaVA-Interleave-Bench: accuracy of choices, ROUGE-L of anything else."""
    if isinstance(sample.reference, int):
        return _renamed(score_choice(sample, text, ChoiceParameters()))
    return _renamed(_rouge(sample, text, parameters))


def _index_or_texts(cell: Any, sample: Sample, parameters: Any) -> Any:
    return cell if sample.choices and isinstance(cell, int) else references.texts(cell, sample, parameters)


def _by_task(records: Sequence[Record], parameters: Any) -> list[Measure]:
    """The mean of the tasks' means, then each task (the tag "task")."""
    each = [mean_of(group, "score") for group in by_group(records, "task").values()]
    return [macro_mean("score", each), mean_of(records, "score", "micro_score")]


OVERLAP_METRICS = (
    Metric("rouge_l", "ROUGE-L of the answer and the reference", _rouge, NoParameters, references.texts),
    Metric("token_f1", "F1 of the words of the answer and the reference", _token_f1, NoParameters, references.texts),
    Metric(
        "visualwebbench",
        "VisualWebBench: ROUGE-L, F1 or accuracy, the mean of its tasks",
        _web,
        NoParameters,
        _index_or_texts,
        _by_task,
    ),
    Metric(
        "choice_or_rouge",
        "LLaVA-Interleave-Bench: accuracy of choices, ROUGE-L of texts",
        _choice_or_rouge,
        NoParameters,
        _index_or_texts,
        _by_task,
    ),
)
