"""MathVista, MathVision, MathVerse and DynaMath."""

from __future__ import annotations

import importlib.util

import pytest

from vergence.evaluation.metrics.maths import (
    MATHVERSE_VERSIONS,
    accuracy,
    dynamath,
    dynamath_correct,
    letter_or_value,
    mathverse,
    mathverse_correct,
    mathvision_correct,
    mathvista_correct,
    read_list,
    read_option,
)
from vergence.evaluation.task import Measure

needs_math_verify = pytest.mark.skipif(
    importlib.util.find_spec("math_verify") is None, reason="math-verify is not installed"
)
OPTIONS = ("3/11", "8/11", "a cat")


@pytest.mark.parametrize(
    ("response", "index"),
    [
        ("B", 1),
        ("b", 1),
        ("(B)", 1),
        ("B.", 1),
        ("The correct answer is (B) 8/11.", 1),
        ("The answer is B. 8/11", 1),
        (r"\boxed{\text{B}}", 1),
        (r"So we choose $\boxed{B}$", 1),
        ("8/11", 1),
        ("The answer is A cat.", 2),  # the text, not the letter
        ("A dog", None),
        ("a cat", 2),
        ("D", None),
        ("B or C", None),
        ("B: a box = wood", 1),
        ("We compare them.\nB. 8/11", 1),
        ("We compare them.\nB. a box", None),
        ("C: is it a cat?\nI can't say", None),
        ("I can see eight boxes in this picture of a room", None),
        ("", None),
    ],
)
def test_read_option(response, index):
    assert read_option(response, OPTIONS) == index


def test_options_with_the_same_text_are_none():
    assert read_option("x", ("x", "x")) is None
    assert read_option("E", (), count=5) == 4
    assert read_option("F", (), count=5) is None


@pytest.mark.parametrize(
    ("response", "reference", "fields", "right"),
    [
        ("3.0", "3", {"answer_type": "integer"}, True),
        ("The number missing in the sequence is 14.", "14", {"answer_type": "integer"}, True),
        ("So there are 14 red apples on the table and beside it", "14", {"answer_type": "integer"}, True),
        ("Some 14 apples and 3 pears are lying on the old table", "14", {"answer_type": "integer"}, None),
        ("14.9", "14", {"answer_type": "integer"}, False),
        ("1.456", "1.46", {"answer_type": "float", "precision": 2.0}, True),
        ("The fraction is 0.6, which is six out of ten.", "0.6", {"answer_type": "float", "precision": 1}, None),
        ("The fraction of them is 0.6, so most of them.", "0.6", {"answer_type": "float", "precision": 1}, True),
        ("1.4", "1.46", {"answer_type": "float", "precision": 2}, False),
        ("3/4", "0.75", {"answer_type": "float", "precision": 2}, True),
        ("$1.45", "1.45", {"answer_type": "float", "precision": 2}, True),
        ("[2007, 2008]", "[2007, 2008]", {"answer_type": "list"}, True),
        ("[2007.0,2008]", "[2007, 2008]", {"answer_type": "list"}, True),
        ("The maximum is between 2007 and 2008.", "[2007, 2008]", {"answer_type": "list"}, True),
        ("[2008, 2007]", "[2007, 2008]", {"answer_type": "list"}, False),
        ("I can't say", "[2007, 2008]", {"answer_type": "list"}, None),
        ("I can't say anything about it, sorry", "3", {"answer_type": "integer"}, None),
        ("", "3", {"answer_type": "integer"}, None),
    ],
)
def test_mathvista_values(response, reference, fields, right):
    assert mathvista_correct(response, reference, question_type="free_form", **fields) is right


@pytest.mark.parametrize(
    ("response", "right"),
    [("(B) 8/11", True), ("The answer is A.", False), ("8/11", True), ("8/12", None), ("It's blue", None)],
)
def test_mathvista_choices_are_never_the_nearest(response, right):
    fields = {"question_type": "multi_choice", "answer_type": "text", "choices": OPTIONS}
    assert mathvista_correct(response, "8/11", **fields) is right


def test_lists():
    assert read_list("[1, 2.5, -3]") == [1, 2.5, -3]
    assert read_list("[1, x]") is None
    assert read_list("first [1, 2], then [3, 4]") == [3, 4]
    assert read_list("only 5 here") is None
    assert read_list("") is None


@pytest.mark.parametrize(
    ("response", "reference", "options", "right"),
    [
        (r"\boxed{B}", "B", ("5", "7"), True),
        (r"\boxed{7}", "B", ("5", "7"), True),
        (r"\boxed{5}", "B", ("5", "7"), False),
        (r"\boxed{0.333}", "1/3", (), True),
        ("The answer is 12 cm.", "12", (), True),
        ("no idea what it might be here", "12", (), None),
        ("", "12", (), None),
    ],
)
def test_mathvision(response, reference, options, right):
    assert mathvision_correct(response, reference, options) is right


@needs_math_verify
def test_mathvision_compares_roots_by_value():
    assert mathvision_correct(r"\boxed{2\sqrt{2}}", r"\sqrt{8}") is True
    assert mathvision_correct(r"\boxed{3.14}", r"\pi") is True
    assert mathvision_correct(r"\boxed{8}", "B", ("5", r"2^3")) is True


def test_mathverse_answers():
    assert mathverse_correct("The answer is C", "C") is True
    assert mathverse_correct("C: 2\\sqrt{3}", "C") is True
    assert mathverse_correct("B", "C") is False
    assert mathverse_correct("We can not tell that from the picture", "C") is None
    assert mathverse_correct("60°", "60") is True
    assert letter_or_value("x", "C") is None


@pytest.mark.parametrize(
    ("response", "reference", "answer_type", "right"),
    [
        ('{"solution": "s", "short answer": "3.0004"}', "3", "float", True),
        ('{"solution": "s", "short answer": 3}', "3", "float", True),
        ('{"short answer": "3.01"}', "3", "float", False),
        ("The answer is 3 cm.", "3", "float", True),
        ('{"short answer": "(B)"}', "B", "multiple choice", True),
        ("A", "B", "multiple choice", False),
        ('{"short answer": "even"}', "Even", "text", True),
        ('{"short answer": ""}', "Even", "text", None),
        ('{"short answer": null}', "Even", "text", None),
        ("{}", "Even", "text", False),
        ("I can't say anything about it at all", "3", "float", None),
    ],
)
def test_dynamath_answers(response, reference, answer_type, right):
    assert dynamath_correct(response, reference, answer_type) is right


def values(measures: list[Measure]) -> dict[tuple[str, str], float | None]:
    return {(measure.metric, measure.group): measure.value for measure in measures}


def test_what_can_not_be_read_is_wrong():
    found = values(accuracy([True, None, False, True], {"skill": [("a", "b"), "a", "b", None]}))
    assert found == {("accuracy", ""): 0.5, ("accuracy", "skill=a"): 0.5, ("accuracy", "skill=b"): 0.5}


def test_mathverse_averages_the_versions_with_a_picture():
    versions = [*MATHVERSE_VERSIONS, "Text Only", "Text Lite"]
    measures = mathverse([True, True, False, False, False, True, False], versions, list("aaaaaab"))
    found = values(measures)
    assert measures[0].group == ""
    assert found["accuracy", ""] == pytest.approx((1 + 0.5) / 5)
    assert found["accuracy", "version=Text Only"] == 1
    assert found["accuracy", "version=Text Lite"] == 0.5
    assert mathverse([], [])[0].value is None
    with pytest.raises(ValueError, match="unknown version 'Sound Only'"):
        mathverse([True], ["Sound Only"])


def test_dynamath_is_as_good_as_its_worst_variants():
    right = [True, True, True, False, None, None]
    found = values(dynamath(right, list("aabbcc"), ["algebra", "algebra", "graphs", "graphs", "graphs", "graphs"]))
    assert found["worst_case", ""] == pytest.approx(1 / 3)
    assert found["average", ""] == pytest.approx(0.5)
    assert found["robustness", ""] == pytest.approx(2 / 3)
    assert found["worst_case", "subject=graphs"] == 0
    assert found["average", "subject=graphs"] == 0.25
    assert values(dynamath([False], ["a"]))["robustness", ""] is None
