"""Counts: what number of things an answer states, and how far counts are from the truth.

Where an answer mentions several numbers, the last one counts: an answer that is worked out ends with its result ("2 on
the left and 3 on the right, so 5"), and one that isn't mentions a single number. lmms-eval's rules differ per task (the
whole string, or the first digits); `vergence.evaluation.compat.places` has them.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from vergence.verifiers.quantities import Mention, Rule, chosen, in_range, mentions

# A number that is marked as the answer, right behind the mark or after a few words without a stop.
_MARK = re.compile(
    r"(?:\\boxed\s*\{|<answer>|\banswer\s*(?:is|:|=)|\btotal\s*(?:of|is|:|=)|\bin total,?"
    r"|答案(?:是|为|為|:)?|总共|總共|一共)(?P<between>[^.!?。！？\n0-9]{0,24}?)$",
    re.IGNORECASE,
)
_CONTEXT = 60
"""Characters before a number in which a mark or a pronoun is looked for."""
_NO = re.compile(r"\bthere (?:is|are) no\b|\bno such\b|没有|沒有", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:this|that|the|which|each|every|any|another|no|some)\s+(?:[a-z]+\s+)?$", re.IGNORECASE)
_ONES = {"one", "一"}
_THINGS = {"", "ft"}
"""Units that a counted thing may have: three feet can be counted, three metres can't."""


def read_count(answer: str, rule: Rule = "last") -> int | None:
    """The whole number of things that an answer states; None where it states none.

    Read are digits ("1,024"), number words ("twenty-one", "a dozen"), Chinese numerals with a measure word, and zero as
    "none" or "there are no". A number that is marked as the answer ("answer: 5", "\\boxed{5}", "a total of 5") goes
    before the rule; of several, the last. "One" may be a pronoun ("the red one"), so it counts only where nothing else
    does. Not counts, and never rounded or guessed: ranges ("3 or 4"), fractions, negative numbers, measures ("3 m").
    """
    text = unicodedata.normalize("NFKC", answer)
    found = [mention for mention in mentions(text) if mention.unit in _THINGS and not _is_pronoun(text, mention)]
    if not found:
        return 0 if _NO.search(text) else None
    ends = [0, *(mention.end for mention in found)]
    marked = [m for m, end in zip(found, ends, strict=False) if _MARK.search(_before(text, m, since=end))]
    certain = [mention for mention in found if mention.written.lower() not in _ONES] or found
    mention = marked[-1] if marked else chosen(certain, rule)
    if mention is None or in_range(text, mention, found):
        return None
    return int(mention.value) if mention.value.denominator == 1 and mention.value >= 0 else None


def _is_pronoun(text: str, mention: Mention) -> bool:
    """Whether a "one" is a pronoun by the words before it ("the one", "this red one")."""
    return mention.written.lower() in _ONES and _PRONOUN.search(_before(text, mention)) is not None


def _before(text: str, mention: Mention, since: int = 0) -> str:
    return text[max(since, mention.start - _CONTEXT) : mention.start]


def exact_count(answer: str, expected: int, rule: Rule = "last") -> bool | None:
    """Whether the answer states exactly that count; None where it states none. CountBench (Paiss et al. 2023)."""
    count = read_count(answer, rule)
    return None if count is None else count == expected


@dataclass(frozen=True, slots=True)
class CountErrors:
    """Errors of counts over `n` pictures, of which `invalid` answers stated none.

    `mae` and `rmse` take an answer without a count as 0, so that silence is no way out; `readable_mae` and
    `readable_rmse` leave such answers out. None where there is nothing to average.
    """

    mae: float | None
    rmse: float | None
    readable_mae: float | None
    readable_rmse: float | None
    n: int
    invalid: int


def count_errors(predicted: Sequence[int | None], expected: Sequence[int]) -> CountErrors:
    """MAE = mean |p - g| and RMSE = sqrt(mean (p - g)^2) over pictures, as for FSC-147.

    Source: Ranjan et al. 2021, "Learning To Count Everything", section 5.1 (arXiv 2104.08391). Raises `ValueError` if
    the two don't have the same length.
    """
    readable = [p - g for p, g in zip(predicted, expected, strict=True) if p is not None]
    every = [(p or 0) - g for p, g in zip(predicted, expected, strict=True)]
    return CountErrors(
        _mean_absolute(every),
        _root_mean_square(every),
        _mean_absolute(readable),
        _root_mean_square(readable),
        len(every),
        len(every) - len(readable),
    )


def _mean_absolute(errors: Sequence[int]) -> float | None:
    return sum(map(abs, errors)) / len(errors) if errors else None


def _root_mean_square(errors: Sequence[int]) -> float | None:
    return math.sqrt(sum(error * error for error in errors) / len(errors)) if errors else None
