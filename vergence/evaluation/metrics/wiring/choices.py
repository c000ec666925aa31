"""Metrics of questions with options: the one choice reader, and MMMU's mixture of choices and open questions."""

from __future__ import annotations

from typing import Any

from vergence.config import Section
from vergence.evaluation.compat.choices import COMPAT
from vergence.evaluation.metrics.metric import Metric, invalid, right_or_wrong
from vergence.evaluation.metrics.wiring import references
from vergence.evaluation.metrics.wiring.compat import compat_name, compat_scores
from vergence.evaluation.metrics.yes_no import read_yes_no
from vergence.evaluation.task import LETTERS, Sample, Verdict
from vergence.verifiers.choice import read_choice
from vergence.verifiers.maths import equal, final_answer, number
from vergence.verifiers.quantities import number_in_words
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
    """A choice by `score_choice`; an open answer by what it says of one of the references, which are texts."""
    if sample.choices:
        return score_choice(sample, text, parameters)
    answer = final_answer(text) or text.strip()
    right = [_says(answer, text, reference) for reference in sample.reference]
    if not answer or None in right:
        return invalid()
    return right_or_wrong(any(right), answer)


def _says(answer: str, text: str, reference: str) -> bool | None:
    """Whether an open answer is the reference; None where the reference is yes or no and the whole text says neither.

    A reference that is a number, in digits or in words, has to equal the final answer; any other one has to stand in it
    (in the whole one, where none can be told) as words of its own.
    """
    if (word := reference.strip(" .").lower()) in ("yes", "no"):
        said = read_yes_no(text)
        return None if said is None else said == (word == "yes")
    answer, reference = _in_digits(answer), _in_digits(reference)
    if number(reference) is not None:
        return bool(equal(answer, reference, decimals=2))
    return contains(answer, [reference], words=True)


def _in_digits(text: str) -> str:
    value = number_in_words(text)
    return text if value is None else str(value)


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
