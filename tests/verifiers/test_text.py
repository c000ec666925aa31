"""Whether a text is the right answer."""

from __future__ import annotations

import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vergence.verifiers.text as text_module
from vergence.verifiers.text import (
    anls,
    contains,
    exact,
    leave_one_out,
    levenshtein,
    ocrbench_match,
    read_number,
    relaxed_accuracy,
    relaxed_number_match,
    vqa_accuracy,
)


@pytest.mark.parametrize(
    ("answer", "expected", "same"),
    [
        ("red", "red", True),
        ("  Red\n", "red", True),
        ("bottom \t left", "bottom left", True),
        ("STRASSE", "straße", True),  # case folding, not lower case
        ("red.", "red", False),
        ("the red one", "red", False),
        ("bottomleft", "bottom left", False),
        ("", "red", False),
        ("07", "7", False),
    ],
)
def test_exact(answer, expected, same):
    assert exact(answer, expected) is same


@given(st.text(max_size=20))
def test_exact_forgives_case_and_white_space_only(text):
    assert exact(text, text)
    assert exact(f"  {text}\n", text)
    assert not exact(text + "x", text)


@pytest.mark.parametrize(
    ("prediction", "references", "score"),
    [
        ("Paris", ["paris"], 1.0),
        ("  the   Eiffel tower\n", ["The Eiffel Tower"], 1.0),
        ("paris", ["london", "pariss"], 1 - 1 / 6),
        ("ab", ["ax"], 0.0),  # half of it wrong: not below the threshold
        ("axx      ", ["abc"], 0.0),  # blanks don't count
        ("abcd", ["abxx"], 0.0),
        ("abcde", ["abcxx"], 0.6),
        ("", ["a"], 0.0),
        ("", [""], 1.0),
        ("İ", ["i̇"], 1.0),
    ],
)
def test_anls(prediction, references, score):
    assert anls(prediction, references) == pytest.approx(score)


def test_anls_needs_a_reference():
    with pytest.raises(ValueError, match="no reference"):
        anls("a", [])


WORDS = st.text(alphabet="abcd é", max_size=12)


@given(WORDS, st.lists(WORDS, min_size=1, max_size=4))
def test_anls_is_a_similarity(prediction, references):
    score = anls(prediction, references)
    assert score == 0 or 0.5 < score <= 1
    assert anls(f"  {prediction.upper()} \n", references) == pytest.approx(anls(prediction.upper(), references))
    assert anls(prediction, [*references, prediction]) == 1


@given(WORDS, WORDS, WORDS)
def test_the_distance_is_a_metric_and_needs_no_library(first, second, third):
    assert levenshtein(first, second) == text_module._levenshtein(first, second)
    assert levenshtein(first, second) == levenshtein(second, first)
    assert levenshtein(first, third) <= levenshtein(first, second) + levenshtein(second, third)
    assert (levenshtein(first, second) == 0) is (first == second)
    assert levenshtein(first + "x", first) == 1


def test_without_rapidfuzz_the_own_distance_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    text_module._distance.cache_clear()
    try:
        assert text_module._distance() is text_module._levenshtein
        assert levenshtein("kitten", "sitting") == 3
    finally:
        text_module._distance.cache_clear()


@pytest.mark.parametrize(
    ("prediction", "target", "official", "lenient"),
    [
        ("10.4", "10", True, True),
        ("10.6", "10", False, False),
        ("95", "100", True, True),
        ("Blue", "blue", True, True),
        ("blue.", "blue", False, True),
        ("0.0", "0", False, True),
        ("0.01", "0", False, False),
        ("1,000", "1000", False, True),
        ("$5", "5", False, True),
        ("5 dollars", "5", False, True),
        ("10", "10%", False, True),
        ("0.1", "10%", True, True),
        ("12%", "12%", True, True),
        ("12 %", "12%", True, True),
        ("2009", "2010", True, False),
        ("2010.0", "2010", True, True),
        ("2,009", "2,010", False, True),  # an amount, by its comma
        ("2.5 million", "2,500,000", False, True),
        ("2.5M", "2.6M", False, True),
        ("-3", "3", False, False),
        ("-$3", "-3", False, True),
        ("5 apples", "5", False, False),
        ("1,00", "100", False, False),
        ("", "5", False, False),
        ("nan", "5", False, False),
        ("yes", "no", False, False),
    ],
)
def test_relaxed_accuracy_and_our_reading_beside_it(prediction, target, official, lenient):
    assert relaxed_accuracy(prediction, target) is official
    assert relaxed_number_match(prediction, target) is lenient


@given(st.decimals(-(10**6), 10**6, places=2))
def test_numbers_read_as_they_are_written(value):
    sign, size = "-" if value < 0 else "", abs(value)
    for written in (f"{value}", f"{value:,}", f"{sign}${size:,}", f"{value} %", f" {value}. ", f"{value}e0"):
        number = read_number(written)
        assert number is not None
        assert number.value == Fraction(value)
        assert number.percent is ("%" in written)


@pytest.mark.parametrize("text", ["", "five", "5 apples", "1,00", "--5", "1 2", "5x", "1_000", "5%%", "9" * 61])
def test_what_is_not_a_number(text):
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("prediction", "references", "plain", "words"),
    [
        ("The sign says Stop here", ["STOP"], True, True),
        ("The number is 120", ["12"], True, False),
        ("a  b\nc", ["B C"], True, True),
        ("nothing", ["thing", ""], True, False),
        ("nothing", [""], False, False),
        ("nothing", [], False, False),
    ],
)
def test_contains(prediction, references, plain, words):
    assert contains(prediction, references) is plain
    assert contains(prediction, references, words=True) is words


@pytest.mark.parametrize(
    ("prediction", "references", "formula", "right"),
    [
        ("The text reads CENTRE.", ["centre"], False, True),
        ("two\nlines", ["two lines"], False, True),
        ("two  lines", ["two lines"], False, False),
        ("x ^ 2 + 1", ["x^2+1"], True, True),
        ("X^2", ["x^2"], True, False),
        ("anything", ["", "other"], False, False),
        ("ＡＢＣ", ["abc"], False, False),
    ],
)
def test_ocrbench(prediction, references, formula, right):
    assert ocrbench_match(prediction, references, formula=formula) is right


def test_vqa_accuracy_leaves_each_answer_out_in_turn():
    def accuracy(matches: int) -> float:
        return vqa_accuracy("Yes.", ["yes"] * matches + ["no"] * (10 - matches))

    assert [accuracy(n) for n in range(5)] == pytest.approx([0, 0.3, 0.6, 0.9, 1])
    assert accuracy(10) == 1


def test_vqa_v2_normalises_answers_only_where_they_differ():
    same, mixed = ["st. john's"] * 10, ["st. john's"] * 9 + ["other"]
    assert vqa_accuracy("st. john's", same, rule="vqav2") == 0  # "st john's", as VQA v2 compares it
    assert vqa_accuracy("st. john's", mixed, rule="vqav2") == 1
    assert vqa_accuracy("st. john's", same) == 1


def test_vqa_accuracy_needs_four_answers():
    with pytest.raises(ValueError, match="at least 4 answers, got 3"):
        vqa_accuracy("a", ["a"] * 3)


@given(st.lists(st.sampled_from("abc"), min_size=4, max_size=12), st.sampled_from("abc"))
def test_leave_one_out_is_the_mean_over_the_left_out(answers, prediction):
    others = [[a for j, a in enumerate(answers) if j != i] for i in range(len(answers))]
    expected = sum(min(1, rest.count(prediction) / 3) for rest in others) / len(answers)
    assert leave_one_out(prediction, answers) == pytest.approx(expected)
