"""Metrics of mathematics and counting: MathVista, MathVision, MathVerse, DynaMath, formulas, CountBench, FSC-147."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from vergence.config import Section
from vergence.evaluation.compat import places as compat_places
from vergence.evaluation.compat.maths import COMPAT
from vergence.evaluation.metrics.maths import (
    dynamath,
    dynamath_correct,
    mathverse,
    mathverse_correct,
    mathvision_correct,
    mathvista_correct,
)
from vergence.evaluation.metrics.metric import (
    Metric,
    NoParameters,
    invalid,
    mean_scores,
    right_or_wrong,
    verdicts,
)
from vergence.evaluation.metrics.wiring import references
from vergence.evaluation.metrics.wiring.compat import compat_name, compat_scores
from vergence.evaluation.task import LETTERS, Measure, Record, Sample, Verdict
from vergence.evaluation.tasks.cells import as_text
from vergence.verifiers.counting import count_errors, read_count
from vergence.verifiers.maths import equal, final_answer
from vergence.verifiers.text import exact

COUNTING = {name: compat_places.COMPAT[name] for name in ("countbench", "countbenchqa", "pixmo_count", "fsc147")}


class FormulaParameters(Section):
    """`decimals` to round numbers to before they are compared; `several` says that an answer may list its parts."""

    decimals: int | None = None
    several: bool = False


class CountParameters(Section):
    """Which of several numbers counts, and the benchmark whose scores in other harnesses are shown."""

    rule: Literal["last", "first", "only"] = "last"
    compat: compat_name(COUNTING) = ""  # type: ignore[valid-type]


def _verdict(right: bool | None, text: str, compat: dict[str, float]) -> Verdict:
    if right is None:
        return invalid(compat=compat)
    return right_or_wrong(right, final_answer(text), compat)


def _mathvista_reference(cell: Any, sample: Sample, parameters: Any) -> dict[str, Any]:
    found = references.mapping(cell, ["answer", "question_type", "answer_type"])
    precision = found.get("precision")
    return {
        "answer": as_text(found["answer"]).strip(),
        "question_type": as_text(found["question_type"]),
        "answer_type": as_text(found["answer_type"]),
        "precision": None if precision in (None, "") else float(precision),
    }


def _mathvista(sample: Sample, text: str, parameters: NoParameters) -> Verdict:
    rules = {key: sample.reference[key] for key in ("question_type", "answer_type", "precision")}
    answer = sample.reference["answer"]
    right = mathvista_correct(text, answer, choices=sample.choices, **rules)
    whole = rules["precision"]
    rules["precision"] = int(whole or 0)
    return _verdict(right, text, compat_scores(COMPAT, "mathvista", text, answer, choices=sample.choices, **rules))


def _by_letter(rule: Callable[..., bool | None], name: str) -> Callable[[Sample, str, Any], Verdict]:
    """Of questions with options, whose reference is the index of one, and of open ones."""

    def score(sample: Sample, text: str, parameters: Any) -> Verdict:
        reference = sample.reference
        answer = LETTERS[reference] if isinstance(reference, int) else reference
        right = rule(text, answer, sample.choices)
        return _verdict(right, text, compat_scores(COMPAT, name, text, answer, options=sample.choices))

    return score


def _index_or_text(cell: Any, sample: Sample, parameters: Any) -> int | str:
    return cell if sample.choices and isinstance(cell, int) else references.text(cell, sample, parameters)


def _mathverse_measures(records: Sequence[Record], parameters: Any) -> list[Measure]:
    """By version where the tag "version" is there; the tag "problem" joins the versions of one problem."""
    scored = verdicts(records)
    if not all(record.sample.tags.get("version") for record, _ in scored):
        return mean_scores(records)
    right = [bool(verdict.scores["accuracy"]) for _, verdict in scored]
    problems = [str(record.sample.tags.get("problem", record.sample.id)) for record, _ in scored]
    return mathverse(right, [str(record.sample.tags["version"]) for record, _ in scored], problems)


def _dynamath(sample: Sample, text: str, parameters: NoParameters) -> Verdict:
    answer, kind = as_text(sample.reference["answer"]), as_text(sample.reference["answer_type"])
    right = dynamath_correct(text, answer, kind)
    return _verdict(right, text, compat_scores(COMPAT, "dynamath", text, answer, answer_type=kind))


def _dynamath_measures(records: Sequence[Record], parameters: NoParameters) -> list[Measure]:
    """The tag "seed" names the question that variants are of."""
    scored = verdicts(records)
    seeds = [str(record.sample.tags.get("seed", record.sample.id)) for record, _ in scored]
    return dynamath([bool(verdict.scores["accuracy"]) for _, verdict in scored], seeds)


def _formula(sample: Sample, text: str, parameters: FormulaParameters) -> Verdict:
    answer = final_answer(text)
    if answer is None:
        return invalid()
    if exact(answer, sample.reference):
        return right_or_wrong(True, answer)
    same = equal(answer, sample.reference, decimals=parameters.decimals)
    if same is None and parameters.several and "," in sample.reference:
        same = equal(f"{{{answer}}}", f"{{{sample.reference}}}", decimals=parameters.decimals)
    return invalid(answer) if same is None else right_or_wrong(same, answer)


def _count(sample: Sample, text: str, parameters: CountParameters) -> Verdict:
    compat = compat_scores(COUNTING, parameters.compat, text, sample.reference)
    count = read_count(text, parameters.rule)
    return invalid(compat=compat) if count is None else right_or_wrong(count == sample.reference, count, compat)


def _count_error(sample: Sample, text: str, parameters: CountParameters) -> Verdict:
    """The absolute error beside exactness; an answer without a count is taken for 0."""
    verdict = _count(sample, text, parameters)
    error = float(abs((verdict.extracted or 0) - sample.reference))
    return replace(verdict, scores={**verdict.scores, "absolute_error": error})


def _count_errors(records: Sequence[Record], parameters: CountParameters) -> list[Measure]:
    scored = verdicts(records)
    found = count_errors(
        [verdict.extracted for _, verdict in scored], [record.sample.reference for record, _ in scored]
    )
    readable = found.n - found.invalid
    return [
        Measure("mae", found.mae, found.n),
        Measure("rmse", found.rmse, found.n),
        Measure("readable_mae", found.readable_mae, readable),
        Measure("readable_rmse", found.readable_rmse, readable),
        *[measure for measure in mean_scores(records) if measure.metric == "accuracy"],
    ]


MATHS_METRICS = (
    Metric(
        "mathvista",
        "MathVista: by type of question and of answer",
        _mathvista,
        NoParameters,
        _mathvista_reference,
    ),
    Metric(
        "mathvision",
        "MathVision: by letter or value, to two decimals",
        _by_letter(mathvision_correct, "mathvision"),
        NoParameters,
        _index_or_text,
    ),
    Metric(
        "mathverse",
        "MathVerse: by letter or value; the mean of the versions",
        _by_letter(mathverse_correct, "mathverse"),
        NoParameters,
        _index_or_text,
        _mathverse_measures,
    ),
    Metric(
        "dynamath",
        "DynaMath: worst case over the variants of a question",
        _dynamath,
        NoParameters,
        references.structure(["answer", "answer_type"]),
        _dynamath_measures,
    ),
    Metric(
        "formula", "the final answer equals the reference mathematically", _formula, FormulaParameters, references.text
    ),
    Metric("count", "the stated number is exactly right", _count, CountParameters, references.whole),
    Metric(
        "count_error",
        "MAE and RMSE of counts",
        _count_error,
        CountParameters,
        references.whole,
        _count_errors,
    ),
)
