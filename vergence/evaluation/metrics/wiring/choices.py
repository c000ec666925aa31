"""Metrics of questions with options: the one choice reader, and MMMU's mixture of choices and open questions."""

from __future__ import annotations

from typing import Any

from vergence.config import Section
from vergence.evaluation.compat.choices import COMPAT
from vergence.evaluation.metrics.metric import Metric, invalid, right_or_wrong
from vergence.evaluation.metrics.wiring import references
from vergence.evaluation.metrics.wiring.compat import compat_name, compat_scores
from vergence.evaluation.task import LETTERS, Sample, Verdict
from vergence.verifiers.choice import read_choice
from vergence.verifiers.maths import equal, final_answer, number
from vergence.verifiers.text import contains


class ChoiceParameters(Section):
    """`compat` names the benchmark whose scores in other harnesses are shown beside ours."""

    compat: compat_name(COMPAT) = ""  # type: ignore[valid-type]


def score_choice(sample: Sample, text: str, parameters: ChoiceParameters) -> Verdict:
    """Whether the option that `read_choice` finds is the right one."""
    compat = compat_scores(COMPAT, parameters.compat, text, sample.reference, choices=sample.choices)
    index = read_choice(text, sample.choices).index
    return (
        invalid(compat=compat) if index is None else right_or_wrong(index == sample.reference, LETTERS[index], compat)
    )


def _choice_or_open(sample: Sample, text: str, parameters: ChoiceParameters) -> Verdict:
    """A choice by `score_choice`; an open answer by its number, or by whether a reference stands in it.

    An open question's references are texts. Where one of them is a number, the final answer has to equal it; otherwise
    the final answer (the whole one, where none can be told) has to have it as words of its own.
    """
    if sample.choices:
        return score_choice(sample, text, parameters)
    answer = final_answer(text) or text.strip()
    if not answer:
        return invalid()
    for reference in sample.reference:
        if number(reference) is not None:
            right = bool(equal(answer, reference, decimals=2))
        else:
            right = contains(answer, [reference], words=True)
        if right:
            return right_or_wrong(True, answer)
    return right_or_wrong(False, answer)


def _index_or_texts(cell: Any, sample: Sample, parameters: Any) -> int | list[str]:
    return int(cell) if sample.choices else references.texts(cell, sample, parameters)


def _index(cell: Any, sample: Sample, parameters: Any) -> int:
    return int(cell)


CHOICE_METRICS = (
    Metric("choice", "the option that the answer names", score_choice, ChoiceParameters, _index, open=False),
    Metric(
        "choice_or_open",
        "the option that the answer names; of questions without options, the number or words of a reference",
        _choice_or_open,
        ChoiceParameters,
        _index_or_texts,
    ),
)
