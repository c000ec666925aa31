"""Mathematics in pictures: MathVista, MathVision, MathVerse and DynaMath, scored by rules.

The authors of MathVista, MathVerse and DynaMath have a language model extract or judge answers; MathVision's rule is
public. Here an answer is read by `vergence.verifiers.maths.final_answer` and compared exactly or by computer algebra,
the same way for all four. An answer that can't be read is None: wrong, and counted as invalid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vergence.evaluation.metrics.groups import Labels, grouped, macro_mean, mean_measure, mean_measures
from vergence.evaluation.task import LETTERS, Measure
from vergence.verifiers.choice import read_choice
from vergence.verifiers.maths import equal, final_answer, number
from vergence.verifiers.quantities import mentions, read_quantity
from vergence.verifiers.text import exact

_LIST = re.compile(r"\[([^\[\]]*)\]")


def read_option(response: str, options: Sequence[str], *, count: int = 0) -> int | None:
    """The index of the option that a response names, as `vergence.verifiers.choice` reads it; None for none or two.

    `count` is the number of options where their texts aren't known.
    """
    return read_choice(response, options or [""] * count).index


def letter_or_value(
    response: str, reference: str, options: Sequence[str] = (), *, decimals: int | None = None
) -> bool | None:
    """Whether the final answer is the right option, by letter or by value, or equals the reference; None if unreadable.

    With options the reference is a letter. Without, a reference that is a single capital letter A to E is taken for the
    letter of an option too, whose text stands in the question only.
    """
    place = LETTERS.index(reference) if len(reference) == 1 and reference in "ABCDE" else None
    if place is None:
        answer = final_answer(response)
        return None if answer is None else equal(answer, reference, decimals=decimals)
    chosen = read_option(response, options, count=5)
    if chosen is not None:
        return chosen == place
    answer = final_answer(response)
    if answer is None or place >= len(options):
        return None
    return equal(answer, options[place], decimals=decimals)


def mathvista_correct(
    response: str,
    reference: str,
    *,
    question_type: str,
    answer_type: str,
    choices: Sequence[str] = (),
    precision: float | None = None,
) -> bool | None:
    """Whether a response to MathVista is right; None where its answer can't be read.

    A choice by letter or text (`read_option`), where the official code takes whatever is nearest; an integer by its
    exact value ("3.0" is 3, "14.9" isn't 14); a decimal after rounding both sides to `precision`; a list number by
    number, in order ("[2007, 2008]", "between 2007 and 2008"). Where the final answer isn't a number by itself, the
    last line's only number counts. Source of the data and the answer types: Lu et al. 2024 (arXiv 2310.02255).
    """
    if question_type == "multi_choice":
        chosen = read_option(response, choices)
        return None if chosen is None else choices[chosen] == reference
    if answer_type == "list":
        found, wanted = read_list(response), read_list(reference)
        return None if found is None else found == wanted
    decimals = int(precision or 0) if answer_type == "float" else None
    answer = final_answer(response)
    verdict = None if answer is None else equal(answer, reference, decimals=decimals)
    if verdict is None and number(reference) is not None:
        value = _only_number(response)
        return None if value is None else equal(value, reference, decimals=decimals)
    return verdict


def _only_number(response: str) -> str | None:
    """The number of the last line, if it mentions one and no other."""
    lines = [line for line in response.split("\n") if line.strip()]
    value = read_quantity(lines[-1], rule="only") if lines else None
    return None if value is None else repr(value)


def read_list(response: str) -> list[float] | None:
    """The numbers of the last list in brackets, or else those that the last line mentions, if at least two."""
    inside = _LIST.findall(response)
    if inside:
        values = [number(part) for part in inside[-1].split(",")]
        return None if None in values else [float(value[0]) for value in values if value]
    lines = [line for line in response.split("\n") if line.strip()]
    found = [float(mention.value) for mention in mentions(lines[-1])] if lines else []
    return found if len(found) > 1 else None


def mathvision_correct(response: str, reference: str, options: Sequence[str] = ()) -> bool | None:
    """Whether a response to MathVision is right: by letter or value, values to two decimals; None if unreadable.

    Unlike the authors' code this compares roots and π by value: `vergence.evaluation.compat.maths` has theirs. Source:
    Wang et al. 2024 (arXiv 2402.14804), github.com/mathllm/MATH-V, evaluation/evaluate.py.
    """
    return letter_or_value(response, reference, options, decimals=2)


def mathverse_correct(response: str, reference: str, options: Sequence[str] = ()) -> bool | None:
    """Whether a response to MathVerse is right, by letter or value; None if unreadable.

    The authors ask a language model twice (extract, then score 0 or 1); see `vergence.evaluation.judge` for that way.
    Source: Zhang et al. 2024 (arXiv 2403.14624).
    """
    return letter_or_value(response, reference, options)


def dynamath_correct(response: str, reference: str, answer_type: str) -> bool | None:
    """Whether a response to DynaMath is right; None if unreadable.

    The answer is the "short answer" of the JSON object that the benchmark asks for, else the final answer. A "float"
    within 0.001, a "multiple choice" by its letter, any other as a formula or by its text. Source: Zou et al. 2024
    (arXiv 2411.00836); the tolerance is that of VLMEvalKit's vlmeval/dataset/dynamath.py.
    """
    answer = _short_answer(response) or final_answer(response)
    if answer is None:
        return None
    if answer_type == "multiple choice":
        return letter_or_value(answer, reference)
    if answer_type == "float":
        found, wanted = number(answer), number(reference)
        if found is not None and wanted is not None:
            return abs(float(found[0]) - float(wanted[0])) <= 0.001
        return equal(answer, reference, decimals=3)
    return exact(answer, reference) or equal(answer, reference)


def _short_answer(response: str) -> str | None:
    start, end = response.find("{"), response.rfind("}")
    try:
        found = json.loads(response[start : end + 1], strict=False)
        answer = found.get("short answer") if isinstance(found, dict) else None
    except ValueError:
        return None
    return None if answer is None else str(answer).strip() or None


def accuracy(right: Sequence[bool | None], groups: Mapping[str, Labels] | None = None) -> list[Measure]:
    """MathVista and MathVision: the share of right answers, over all and by group (task, skill, subject, level)."""
    return mean_measures("accuracy", [float(bool(hit)) for hit in right], groups)


MATHVERSE_VERSIONS = ("Text Dominant", "Text Lite", "Vision Intensive", "Vision Dominant", "Vision Only")
"""The five versions of each problem that have a picture; "Text Only" is reported beside them."""


def mathverse(
    right: Sequence[bool | None], versions: Sequence[str], problems: Sequence[str] | None = None
) -> list[Measure]:
    """MathVerse: the mean of the accuracies of the versions with a picture, then each version's.

    Each version holds the same 788 problems of testmini, so the mean of the versions is also that of the questions. A
    version that wasn't asked is left out of the mean. With `problems` the standard error of the mean respects that
    versions of one problem share their fate. Raises `ValueError` for an unknown version.
    """
    unknown = sorted(set(versions) - {*MATHVERSE_VERSIONS, "Text Only"})
    if unknown:
        raise ValueError(f"unknown version {unknown[0]!r}; it can be {', '.join(MATHVERSE_VERSIONS)}, Text Only")
    scores = [float(bool(hit)) for hit in right]
    each = mean_measures("accuracy", scores, {"version": versions})[1:]
    mean = macro_mean("accuracy", [m for m in each if m.group.removeprefix("version=") in MATHVERSE_VERSIONS])
    shown = [place for place, version in enumerate(versions) if version in MATHVERSE_VERSIONS]
    if problems is not None and shown:
        respected = mean_measure(
            "accuracy", [scores[place] for place in shown], clusters=[problems[place] for place in shown]
        )
        mean = replace(mean, stderr=respected.stderr)
    return [mean, *each]


def dynamath(right: Sequence[bool | None], seeds: Sequence[str], subjects: Labels | None = None) -> list[Measure]:
    """DynaMath: worst-case accuracy, average accuracy, and their ratio (reasoning robustness).

    worst_case = the share of seed questions all of whose variants are right; average = the mean over seed questions of
    the share of right variants; robustness = worst_case / average. `subjects` are those of the answers; a seed question
    has the subject of its first. Source: Zou et al. 2024 (arXiv 2411.00836), github.com/DynaMath/DynaMath.
    """
    variants = grouped(seeds)
    worst = [float(all(right[place] for place in places)) for places in variants.values()]
    average = [sum(bool(right[place]) for place in places) / len(places) for places in variants.values()]
    groups = None if subjects is None else {"subject": [subjects[places[0]] for places in variants.values()]}
    measures = [*mean_measures("worst_case", worst, groups), *mean_measures("average", average, groups)]
    low, mean = mean_measure("worst_case", worst).value, mean_measure("average", average).value
    return [*measures, Measure("robustness", low / mean if low is not None and mean else None, len(worst))]
