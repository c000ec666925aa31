"""Reading the final answer of a response, and whether it equals the reference."""

from __future__ import annotations

import importlib
import importlib.util
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.errors import UsageError
from vergence.verifiers import maths
from vergence.verifiers.maths import boxed, equal, final_answer, number

needs_math_verify = pytest.mark.skipif(
    importlib.util.find_spec("math_verify") is None, reason="math-verify is not installed"
)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (r"\boxed{42}", "42"),
        (r"first \boxed{1}, then \boxed{2}.", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\text{a \} brace}}", r"\text{a \} brace}"),
        (r"\fbox{7}", "7"),
        (r"\boxed {7}", "7"),
        (r"\boxed{\boxed{6}}", "6"),
        (r"\boxed{a \boxed{b}", "b"),
        (r"} \boxed{7} }", "7"),
        (r"\boxed{4} and cut off: \boxed{5", "4"),
        (r"\boxed{5", None),
        ("no box", None),
        (r"\boxed{}", ""),
    ],
)
def test_the_last_closed_box(text, inside):
    assert boxed(text) == inside


def test_endless_repetitions_are_read_at_once():
    start = time.monotonic()
    for piece in (r"\boxed{", "<answer>", "the answer is ", "$", "a. ", "{", "**", "1,000 "):
        final_answer(piece * 20_000)
        equal(piece * 20_000, "5")
    assert time.monotonic() - start < 10


@given(st.text(alphabet="ab{}\\ ", max_size=20))
def test_a_box_keeps_balanced_content(text):
    balanced = text.replace("\\", "").replace("{", "{x}").replace("}", "") if "{" in text else text.replace("\\", "")
    balanced = balanced.replace("{", "(").replace("}", ")")
    assert boxed(f"so \\boxed{{{balanced}}}, done") == balanced.strip()
    assert boxed(f"so \\boxed{{{{{balanced}}}}}, done") == "{" + balanced + "}"


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"The answer is $\frac{1}{2}$.", r"\frac{1}{2}"),
        (r"We get \boxed{3}. The answer is 4.", "3"),  # a box goes before words
        ("The answer is 3. No: the answer is 4.", "4"),
        ("The answer is (B) 8/11. This follows from the picture.", "(B) 8/11"),
        ("**Answer:** 42", "42"),
        ("Final Answer:\n\n3.5\n", "3.5"),
        ("The correct answer should be 3.14 cm. Done", "3.14 cm"),
        ("The sum: #5.\n#### 1,234", "1,234"),
        ("答案是：12。", "12"),
        ("<answer> B </answer>", "B"),
        (r"<answer>It is \boxed{5}.</answer> The answer is 6", "5"),
        ("Some steps.\n\nx = 5", "5"),
        ("The length is 5 cm.", "5 cm"),
        (r"Therefore we have $a = 3$ and $b = 4$.", "b = 4"),
        ("14", "14"),
        ("2**3 is **8**", "8"),
        ("2**3", "2**3"),
        ("I think that there are many apples in this picture", None),
        ("", None),
        (" \n ", None),
        (r"\boxed{}", None),
        ("The answer is", None),
    ],
)
def test_final_answer(response, answer):
    assert final_answer(response) == answer


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("-1,234.5", Fraction(-2469, 2), ""),
        ("3/4", Fraction(3, 4), ""),
        (r"$\frac{3}{4}$", Fraction(3, 4), ""),
        (r"-\dfrac{3}{4}", Fraction(-3, 4), ""),
        (r"\frac12", Fraction(1, 2), ""),
        (r"\frac{-1}{2}", Fraction(-1, 2), ""),
        (r"\$5", Fraction(5), ""),
        (r"50\%", Fraction(50), "%"),
        (r"12\text{ cm}", Fraction(12), "cm"),
        ("12 apples", Fraction(12), "apples"),
        (r"60^\circ", Fraction(60), ""),
        ("60 degrees.", Fraction(60), ""),
        (r"1{,}000", Fraction(1000), ""),
        ("1e-3", Fraction(1, 1000), ""),
    ],
)
def test_number(text, value, unit):
    assert number(text) == (value, unit)


@pytest.mark.parametrize("text", ["", "x", "5x", "5 or 6", "1/0", "2 + 3", "(1, 200)", "1,00", "about 5", r"\sqrt{4}"])
def test_no_number(text):
    assert number(text) is None


@pytest.mark.parametrize(
    ("answer", "reference", "same"),
    [
        ("0.5", r"\frac{1}{2}", True),
        ("0.333333", "1/3", True),
        ("0.33", "1/3", False),
        ("50%", "0.5", True),
        ("50%", "50", True),
        ("5%", "50", False),
        ("1 m", "100 cm", True),
        ("1 m", "1 cm", False),
        ("1 m", "1 s", False),
        ("12 apples", "12", True),
        ("12 apples", "12 apple", True),
        ("12 apples", "12 pears", False),
        ("3.0", "3", True),
        ("√2", r"\sqrt{2}", True),
        (r"\left( 1, 2 \right)", "(1,2)", True),
        ("", "5", None),
        ("5", "", None),
        ("no idea at all", "5", None),
        ("x+" * 300 + "1", "5", None),
    ],
)
def test_equality_that_needs_no_algebra(monkeypatch, answer, reference, same):
    monkeypatch.setattr(maths, "_POOL", None)
    assert equal(answer, reference) is same


def test_rounding_to_decimals():
    assert equal("0.333", "1/3", decimals=2) is True
    assert equal("0.34", "1/3", decimals=2) is False


@given(st.integers(-(10**6), 10**6), st.integers(1, 1000))
def test_a_fraction_equals_itself_in_every_form(above, below):
    sign = "-" if above < 0 else ""
    forms = [f"{above}/{below}", rf"{sign}\frac{{{abs(above)}}}{{{below}}}", rf"$\dfrac{{{above}}}{{{below}}}$"]
    assert {number(form) for form in forms} == {(Fraction(above, below), "")}
    assert all(equal(form, forms[0]) is True for form in forms)
    assert equal(f"{above + 1}/{below}", forms[0]) is False


@needs_math_verify
@pytest.mark.parametrize(
    ("answer", "reference", "same"),
    [
        (r"2\sqrt{2}", r"\sqrt{8}", True),
        ("(x+1)^2", "x^2+2x+1", True),
        ("x**2", "x^2", True),
        ("x = 5", "5", True),
        ("2π", r"6.283185", True),
        (r"\{1, 2\}", r"\{2, 1\}", True),
        ("(1, 2)", "[1, 2]", False),
        ("5x", "5", False),
        ("5 or 6", "5", False),
        ("x > 3", r"(3, \infty)", True),
        (r"\frac{a}{b}", "a/b", True),
        ("?", r"\sqrt{2}", None),
    ],
)
def test_equality_by_algebra(answer, reference, same):
    assert equal(answer, reference) is same


@needs_math_verify
def test_algebra_rounds_to_decimals():
    assert equal(r"\sqrt{2}", "1.41", decimals=2) is True
    assert equal(r"\sqrt{2}", "1.41") is False


@needs_math_verify
@pytest.mark.parametrize("bomb", ["9^{9^{9^{9}}}", "((10!)!)!", "99999999999^{9999999}"])
def test_algebra_that_would_take_for_ever_is_undecided_in_time(bomb):
    equal("x+1", "1+x")  # the worker is up
    start = time.monotonic()
    assert equal(bomb, "5", seconds=0.3) is None
    assert time.monotonic() - start < 5


@needs_math_verify
def test_threads_may_compare():
    with ThreadPoolExecutor(4) as threads:
        verdicts = list(threads.map(lambda n: equal(f"(x+{n})^2", f"x^2+{2 * n}x+{n * n}"), range(1, 9)))
    assert verdicts == [True] * 8


def test_a_missing_math_verify_is_said(monkeypatch):
    class Without:
        def call(self, *_: object) -> bool:
            raise ImportError("No module named 'math_verify'")

    monkeypatch.setattr(maths, "_POOL", Without())
    with pytest.raises(UsageError, match=r"needs math-verify: pip install 'vergence\[eval\]'"):
        equal("x+1", "1+x")


@given(st.text(max_size=40))
def test_any_text_can_be_asked_for_its_answer(text):
    answer = final_answer(text)
    assert answer is None or answer.strip() == answer != ""
    read = number(text)
    assert read is None or equal(text, text) is True
