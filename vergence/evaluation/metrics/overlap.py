"""How much of a reference text's words an answer has, and in order: ROUGE-L and token F1."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_MARKS = str.maketrans("", "", string.punctuation)


def rouge_l(prediction: str, reference: str) -> float:
    """ROUGE-L of two texts as one sentence each: F1 of the longest common subsequence of their words, in 0..1.

    P = LCS / words of the prediction, R = LCS / words of the reference, F = 2PR / (P + R), on lower-case words between
    blanks. Source: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", section 3.1, with beta 1. (The
    Python package `rouge`, which VisualWebBench and LLaVA-Interleave use, splits at full stops first.)
    """
    first, second = prediction.lower().split(), reference.lower().split()
    common = _common_subsequence(first, second)
    return 2 * common / (len(first) + len(second)) if first and second else 0.0


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for place, other in enumerate(second, start=1):
            above = row[place]
            row[place] = diagonal + 1 if word == other else max(above, row[place - 1])
            diagonal = above
    return row[-1]


def token_f1(prediction: str, references: Sequence[str]) -> float:
    """SQuAD's F1 of bags of words, the best over the references: lower case, without punctuation and articles.

    Source: Rajpurkar et al. 2016 (arXiv 1606.05250), section 6.1. Raises `ValueError` without references.
    """
    if not references:
        raise ValueError("token F1 needs a reference")
    return max(_f1(_words(prediction), _words(reference)) for reference in references)


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_MARKS)).split()


def _f1(first: Sequence[str], second: Sequence[str]) -> float:
    if not first or not second:
        return float(first == second)
    shared = sum((Counter(first) & Counter(second)).values())
    return 2 * shared / (len(first) + len(second))
