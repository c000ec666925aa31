"""ROUGE-L and token F1."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.evaluation.metrics.overlap import rouge_l, token_f1

WORDS = st.lists(st.sampled_from("abcde"), max_size=8).map(" ".join)


def slow_common(first, second):
    @cache
    def length(i, j):
        if i == len(first) or j == len(second):
            return 0
        if first[i] == second[j]:
            return 1 + length(i + 1, j + 1)
        return max(length(i + 1, j), length(i, j + 1))

    return length(0, 0)


@given(WORDS, WORDS)
def test_rouge_l_is_the_f1_of_the_common_subsequence(first, second):
    a, b = tuple(first.split()), tuple(second.split())
    expected = 0.0
    if a and b and (common := slow_common(a, b)):
        precision, recall = common / len(a), common / len(b)
        expected = 2 * precision * recall / (precision + recall)
    assert rouge_l(first, second) == pytest.approx(expected)
    assert rouge_l(first, second) == rouge_l(second, first)


def test_rouge_l_minds_order_and_not_case():
    assert rouge_l("The red kite", "the RED kite") == 1.0
    assert rouge_l("kite red the", "the red kite") == pytest.approx(1 / 3)
    assert rouge_l("", "the") == 0.0


@pytest.mark.parametrize(
    ("prediction", "references", "score"),
    [
        ("The Eiffel Tower!", ["eiffel tower"], 1.0),
        ("tower", ["eiffel tower", "big ben"], pytest.approx(2 / 3)),
        ("a a", ["the"], 1.0),
        ("nothing", ["eiffel tower"], 0.0),
        ("b b c", ["b c c"], pytest.approx(2 / 3)),
    ],
)
def test_token_f1(prediction, references, score):
    assert token_f1(prediction, references) == score


def test_token_f1_needs_a_reference():
    with pytest.raises(ValueError, match="needs a reference"):
        token_f1("x", [])
