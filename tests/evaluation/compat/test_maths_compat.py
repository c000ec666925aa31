"""Where the other harnesses' scores of mathematics are strange: the known cases, without the harnesses."""

from __future__ import annotations

import importlib.util
import time

import pytest

from vergence.errors import UsageError
from vergence.evaluation.compat import formulas
from vergence.evaluation.compat.formulas import arithmetic, decided, python_equal, rounded_equal
from vergence.evaluation.compat.maths import COMPAT, can_infer
from vergence.evaluation.compat.mathvision_text import find_answer

needs_latex = pytest.mark.skipif(
    importlib.util.find_spec("latex2sympy2_extended") is None, reason="latex2sympy2_extended is not installed"
)
COLOURS = ("red", "blue")


def mathvista(prediction: str, reference: str, answer_type: str, **fields: object) -> dict[str, float]:
    kind = "multi_choice" if answer_type == "text" else "free_form"
    scores = COMPAT["mathvista"].items()
    return {name: s(prediction, reference, question_type=kind, answer_type=answer_type, **fields) for name, s in scores}


@pytest.mark.parametrize(
    ("prediction", "reference", "answer_type", "fields", "official", "lmms", "vlmevalkit"),
    [
        ("3.0", "3", "integer", {}, 1, 1, 0),
        ("14.9", "14", "integer", {}, 1, 1, 0),
        ("1.456", "1.46", "float", {"precision": 2}, 1, 1, 0),
        ("1.46", "1.46", "float", {"precision": 2.0}, 1, 0, 1),  # a precision as the data has it
        ("[1, 2]", "[1, 2]", "list", {}, 1, 1, 0),
        ("nothing", "None", "list", {}, 0, 0, 1),
        ("(B) blue", "blue", "text", {"choices": COLOURS}, 1, 1, 1),
        ("rad", "red", "text", {"choices": COLOURS}, 1, 1, 0),  # the nearest option
        ("It can't be told", "blue", "text", {"choices": COLOURS}, 0, 0, 0),
        ("about 3", "3", "integer", {}, 0, 0, 0),
        ("inf", "3", "integer", {}, 0, 0, 0),
    ],
)
def test_mathvista(prediction, reference, answer_type, fields, official, lmms, vlmevalkit):
    found = mathvista(prediction, reference, answer_type, **fields)
    assert found == {"official": official, "lmms-eval": lmms, "vlmevalkit": vlmevalkit}


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("The answer is B.", "B"),
        ("B is right because it has long ears and fur", ""),  # not among the last four words
        ("A or B", ""),
        ("it is blue", "B"),
        ("blue and red", ""),
        ("Cannot determine the answer", "Z"),
        ("A B Failed to obtain answer via API", ""),
        ("Z", "Z"),
    ],
)
def test_can_infer(answer, letter):
    assert can_infer(answer, COLOURS) == letter


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("First \\boxed{1}, then \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("The final answer is 3.5. As shown", "3.5"),
        ("It is (C).", "c"),
        ("C\nbecause", "c"),
        ("the length is 12.", "12"),
        ("\\boxed{3/4}", "\\frac{3}{4}"),
        ("\\boxed{0.5}", "\\frac{1}{2}"),
        ("\\boxed{\\sqrt2+\\frac12}", "\\sqrt{2}+\\frac{1}{2}"),
        ("\\boxed{\\sqrt2+\\frac1}", "\\sqrt{2}+\\frac1"),
        ("\\boxed{x=30^\\circ}", "30"),
        ("", ""),
    ],
)
def test_mathvision_finds_an_answer(response, answer):
    assert find_answer(response) == answer


@needs_latex
def test_mathvision_by_value():
    official, vlmevalkit = COMPAT["mathvision"]["official"], COMPAT["mathvision"]["vlmevalkit"]
    assert official("\\boxed{0.333}", "\\frac{1}{3}") == 1  # to two decimals
    assert vlmevalkit("0.333", "\\frac{1}{3}") == 0  # to six
    assert official("\\boxed{2\\sqrt{2}}", "\\sqrt{8}") == vlmevalkit("2\\sqrt{2}", "\\sqrt{8}") == 0
    assert official("\\boxed{7}", "B", options=("5", "7")) == 1
    assert vlmevalkit("2^3", "1") == 1
    assert vlmevalkit("3 or 4", "3") == 1
    assert vlmevalkit("a", "1000") == 1  # the name of a variable of theirs
    assert official("\\boxed{(1/2, 3)}", "(0.5,3)") == 1


@needs_latex
def test_what_takes_for_ever_is_wrong(monkeypatch):
    monkeypatch.setattr(formulas, "SECONDS", 0.3)
    decided(python_equal, "1", "2")  # the worker is up
    start = time.monotonic()
    assert decided(python_equal, "9**9**9**9", "1") is False
    assert decided(rounded_equal, "9^{9^{9^{9}}}", "1") is False
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3*4", 14),
        ("2**-1", 0.5),
        ("2^3", 1),
        ("7 // 2", 3),
        ("3 or 4", 3),
        ("0 or 4", 4),
        ("3 and 4", 4),
        ("3 > 2", 1),
    ],
)
def test_arithmetic_as_python_has_it(text, value):
    assert arithmetic(text) == value


@pytest.mark.parametrize(
    "text", ["__import__('os')", "len('a')", "x", "'a'", "[1]", "(1, 2)", "1 if 1 else 2", "3 cm", "", "lambda: 1"]
)
def test_nothing_else_is_computed(text):
    with pytest.raises((ValueError, SyntaxError)):
        arithmetic(text)


def test_the_missing_parser_is_said(monkeypatch):
    class Without:
        def call(self, *_: object) -> bool:
            raise ImportError("No module named 'latex2sympy2_extended'")

    monkeypatch.setattr(formulas, "_POOL", Without())
    with pytest.raises(UsageError, match=r"needs latex2sympy2_extended: pip install 'vergence\[eval\]'"):
        decided(rounded_equal, "1", "2")


@pytest.mark.parametrize(
    ("prediction", "reference", "answer_type", "score"),
    [
        ('{"short answer": "3.0004"}', "3", "float", 1),
        ('{"short answer": "3 cm"}', "3", "float", 1),
        ("1π", "3.142", "float", 1),
        ("The answer is 3", "3", "float", 0),
        ("b", "B", "multiple choice", 1),
        ("Either of A, C", "A", "multiple choice", 0),
        ('{"short answer": ""}', "Even", "text", 1),  # the empty text is a part of anything
        ('{"short answer": 3}', "3", "text", 0),
    ],
)
def test_dynamath(prediction, reference, answer_type, score):
    assert COMPAT["dynamath"]["vlmevalkit"](prediction, reference, answer_type=answer_type) == score


def test_mathverse():
    assert COMPAT["mathverse"]["vlmevalkit"](" 3\n", "3") == 1
    assert COMPAT["mathverse"]["vlmevalkit"]("3.0", "3") == 0
