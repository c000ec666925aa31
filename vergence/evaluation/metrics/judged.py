"""Results of benchmarks whose answers a judge scores: MM-Vet, LLaVA-Bench (in the wild), CharXiv and their like.

The judge is `vergence.evaluation.judge`; here its scores are put together. None is an answer that the judge gave no
readable score: it is left out, and `n` counts the others.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from vergence.evaluation.metrics.groups import Labels, grouped, mean_measures
from vergence.evaluation.task import Measure

MM_VET_CAPABILITIES = ("rec", "ocr", "know", "gen", "spat", "math")
"""Recognition, text, knowledge, generation of language, space, mathematics."""

Scores = Sequence[float | None]


def judged(metric: str, scores: Scores, groups: Mapping[str, Labels] | None = None) -> list[Measure]:
    """The mean of a judge's scores (0 or 1 where it says yes or no), over all answers and by group.

    CharXiv (Wang et al. 2024, arXiv 2406.18521) is this by kind of question ("descriptive", "reasoning") and category.
    """
    kept = [position for position, score in enumerate(scores) if score is not None]
    chosen = {key: [labels[position] for position in kept] for key, labels in (groups or {}).items()}
    return mean_measures(metric, [score for score in scores if score is not None], chosen)


def mm_vet(passes: Sequence[Scores], capabilities: Sequence[Iterable[str]]) -> list[Measure]:
    """MM-Vet: the mean over judge passes of the mean score in 0..1, by capability and by set of capabilities.

    `passes` holds for each pass of the judge one score in {0, 0.1, ..., 1} per question (the authors make five),
    `capabilities` what each question needs. A question counts in each of its capabilities, and in one set ("ocr+math",
    in the order of `MM_VET_CAPABILITIES`). The measure "score_sd" is the sample standard deviation over the passes.
    Source: Yu et al. 2023 (arXiv 2308.02490). Raises `ValueError` for unequal lengths.
    """
    needs = [_ordered(needed) for needed in capabilities]
    if any(len(scores) != len(needs) for scores in passes):
        raise ValueError(f"each pass needs a score for each of the {len(needs)} questions")
    groups: dict[str, Labels] = {"capability": needs, "capabilities": ["+".join(needed) for needed in needs]}
    # Over the passes first: the questions are what is sampled, the passes measure the same ones again.
    means: list[float | None] = [_mean(column) for column in zip(*passes, strict=True)]
    measures = judged("score", means, groups)
    spreads = [_spread(passes, range(len(needs)), "")]
    for key, labels in groups.items():
        spreads += [_spread(passes, members, f"{key}={label}") for label, members in grouped(labels).items()]
    return measures + [spread for spread in spreads if spread.value is not None]


def _ordered(needed: Iterable[str]) -> tuple[str, ...]:
    known = {name: place for place, name in enumerate(MM_VET_CAPABILITIES)}
    return tuple(sorted(set(needed), key=lambda name: (known.get(name, len(known)), name)))


def _mean(scores: Iterable[float | None]) -> float | None:
    kept = [score for score in scores if score is not None]
    return statistics.fmean(kept) if kept else None


def _spread(passes: Sequence[Scores], members: Sequence[int], group: str) -> Measure:
    """The sample standard deviation over passes of the members' mean score."""
    means = [mean for scores in passes if (mean := _mean(scores[member] for member in members)) is not None]
    return Measure("score_sd", statistics.stdev(means) if len(means) > 1 else None, len(means), group)


def llava_bench(model: Scores, reference: Scores, categories: Labels) -> list[Measure]:
    """LLaVA-Bench: the model's judge scores over those of the reference answers, sum by sum, over all and by category.

    sum of model scores / sum of reference scores (both 1 to 10), so 1 is as good as the reference (GPT-4 with captions
    in the place of pictures); papers print it times 100. The ratio of the sums, not the mean of ratios. Source: Liu et
    al. 2023, "Visual Instruction Tuning" (arXiv 2304.08485). Raises `ValueError` for unequal lengths.
    """
    pairs = list(zip(model, reference, categories, strict=True))
    kept = [(m, r, category) for m, r, category in pairs if m is not None and r is not None]
    measures = [_ratio([(m, r) for m, r, _ in kept], "")]
    for label, members in grouped([category for _, _, category in kept]).items():
        measures.append(_ratio([kept[member][:2] for member in members], f"category={label}"))
    return measures


def _ratio(pairs: Sequence[tuple[float, float]], group: str) -> Measure:
    """The ratio of two sums, its standard error by the delta method (Cochran 1977, "Sampling Techniques", ch. 6)."""
    n, total = len(pairs), sum(r for _, r in pairs)
    if not total:
        return Measure("relative_score", None, n, group)
    ratio = sum(m for m, _ in pairs) / total
    measure = Measure("relative_score", ratio, n, group)
    if n < 2:
        return measure
    residual = sum((m - ratio * r) ** 2 for m, r in pairs) / (n - 1)
    return replace(measure, stderr=(residual / n) ** 0.5 / (total / n))
