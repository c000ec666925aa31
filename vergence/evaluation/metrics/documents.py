"""Results of benchmarks of text in pictures: OCRBench, DocVQA, InfoVQA, TextVQA, ChartQA.

A single answer is scored in `vergence.verifiers.text`: `ocrbench_match`, `anls`, `vqa_accuracy`, `relaxed_accuracy`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vergence.evaluation.metrics.groups import Labels, macro_mean, mean_measures
from vergence.evaluation.task import Measure

OCRBENCH_PARTS: Mapping[str, tuple[str, ...]] = {
    "Text Recognition": (
        "Regular Text Recognition",
        "Irregular Text Recognition",
        "Artistic Text Recognition",
        "Handwriting Recognition",
        "Digit String Recognition",
        "Non-Semantic Text Recognition",
    ),
    "Scene Text-centric VQA": ("Scene Text-centric VQA",),
    "Doc-oriented VQA": ("Doc-oriented VQA",),
    "Key Information Extraction": ("Key Information Extraction",),
    "Handwritten Mathematical Expression Recognition": ("Handwritten Mathematical Expression Recognition",),
}
"""OCRBench's five parts and the types of question in each: 300, 200, 200, 200 and 100 questions."""

OCRBENCH_POINTS = 1000


def ocrbench(right: Sequence[bool], types: Sequence[str]) -> list[Measure]:
    """OCRBench's score in 0..1000, then the share of right answers of each part and of each type of question.

    The score is 1000 times the share of right answers, which is the official number of right answers when all 1,000
    questions were asked, and stays comparable when only some were. Source: Liu et al. 2023 (arXiv 2305.07895). Raises
    `ValueError` for an unknown type.
    """
    part_of = {kind: part for part, kinds in OCRBENCH_PARTS.items() for kind in kinds}
    unknown = sorted(set(types) - set(part_of))
    if unknown:
        raise ValueError(f"unknown type of OCRBench question {unknown[0]!r}; it can be {', '.join(part_of)}")
    scores = [float(hit) for hit in right]
    parts = mean_measures("accuracy", scores, {"part": [part_of[kind] for kind in types], "type": types})
    return [_times(parts[0], "score", OCRBENCH_POINTS), *parts[1:]]


def _times(measure: Measure, metric: str, factor: float) -> Measure:
    def times(value: float | None) -> float | None:
        return None if value is None else value * factor

    return replace(
        measure,
        metric=metric,
        value=times(measure.value),
        low=times(measure.low),
        high=times(measure.high),
        stderr=times(measure.stderr),
    )


def anls_result(
    scores: Sequence[float], groups: Mapping[str, Labels] | None = None, documents: Sequence[str] | None = None
) -> list[Measure]:
    """DocVQA and InfoVQA: the mean of `anls` over questions, also by group (question, answer or evidence type).

    Questions about the same document share their fate: standard errors respect `documents`. Sources: Mathew et al.
    2021 (arXiv 2007.00398) and 2022 (arXiv 2104.12756).
    """
    return mean_measures("anls", scores, groups, clusters=documents)


def vqa_result(
    scores: Sequence[float], groups: Mapping[str, Labels] | None = None, images: Sequence[str] | None = None
) -> list[Measure]:
    """TextVQA and VQA v2: the mean of `vqa_accuracy` over questions, also by group (question or answer type)."""
    return mean_measures("vqa_accuracy", scores, groups, clusters=images)


def chartqa(
    right: Sequence[bool],
    splits: Sequence[str],
    lenient: Sequence[bool] | None = None,
    charts: Sequence[str] | None = None,
) -> list[Measure]:
    """ChartQA: relaxed accuracy as the mean of the two splits (human, augmented), then of each, then of all questions.

    The test splits have 1,250 questions each, so the mean of the splits is the mean of the questions where all were
    asked; where not, it doesn't depend on which were. `lenient` are the `relaxed_number_match` of the same answers.
    Source: Masry et al. 2022 (arXiv 2203.10244), section 5.1.
    """
    measures = _by_split("relaxed_accuracy", right, splits, charts)
    return measures + ([] if lenient is None else _by_split("relaxed_number_match", lenient, splits, charts))


def _by_split(metric: str, right: Sequence[bool], splits: Sequence[str], charts: Sequence[str] | None) -> list[Measure]:
    whole, *each = mean_measures(metric, [float(hit) for hit in right], {"split": splits}, clusters=charts)
    return [macro_mean(metric, each), *each, replace(whole, metric=f"{metric}_micro")]
