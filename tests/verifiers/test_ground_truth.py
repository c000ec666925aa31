"""The rules that generated samples are checked by: right, wrong and odd responses of each, and any text at all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.verifiers.ground_truth import RULES, answer_part, verify

SIZE = [200, 100]
CHECKS = {
    "exact": {"target": "New York", "accepted": ["NYC"]},
    "choice": {"target": 1, "choices": ["a dog", "a cat", "a cow"]},
    "count": {"target": 12},
    "number": {"target": 2.5, "relative": 0.02},
    "text": {"target": "read this line"},
    "box": {"target": [20, 10, 60, 50], "size": SIZE},
    "boxes": {"targets": [[0, 0, 20, 20], [100, 50, 200, 100]], "size": SIZE},
    "point": {"targets": [[20, 10, 60, 50]], "size": SIZE},
    "points": {"targets": [[0, 0, 20, 20], [100, 50]], "size": SIZE, "radius": 5},
    "sequence": {"target": ["A", "C", "B"]},
    "set": {"target": ["red", "green"]},
    "interval": {"target": [2.0, 6.0]},
    "json": {"target": {"a": [1, 2.0]}},
    "open": {"target": "anything"},
}


def score(verifier: str, response: str, **changed: object) -> float | None:
    return verify({"verifier": verifier, **CHECKS[verifier], **changed}, response)


@pytest.mark.parametrize(
    ("verifier", "response", "expected"),
    [
        ("exact", "new  york.", 1),
        ("exact", "NYC", 1),
        ("exact", "It is New York", 0),
        ("choice", "B", 1),
        ("choice", "a cat", 1),
        ("choice", "A", 0),
        ("count", "twelve", 1),
        ("count", "There are 12.", 1),
        ("count", "十二", 1),
        ("count", "11", 0),
        ("number", "2.52", 1),
        ("number", "about 2.45 metres", 1),
        ("number", "2.6", 0),
        ("number", "first 2.5, no, 3", 0),
        ("number", "none", 0),
        ("text", "read  this\nline", 1),
        ("text", "read this lines", 1 - 1 / 15),
        ("text", "", 0),
        ("box", "<bbox>100 100 300 500</bbox>", 1),
        ("box", "<bbox>100 100 300 300</bbox>", 1),  # half of it: IoU 0.5
        ("box", "<bbox>100 100 290 300</bbox>", 0),
        ("box", "none", 0),
        ("boxes", "<bbox>0 0 100 200</bbox><bbox>500 500 999 999</bbox>", 1),
        ("boxes", "<bbox>0 0 100 200</bbox>", 2 / 3),
        ("boxes", "<bbox>0 0 100 200</bbox><bbox>0 0 100 200</bbox>", 1 / 2),
        ("point", "<point>200 300</point>", 1),
        ("point", "<point>400 300</point>", 0),
        ("points", "<point>50 100</point><point>500 520</point>", 1),
        ("points", "<point>50 100</point><point>60 100</point>", 1 / 2),
        ("sequence", "A, C, B", 1),
        ("sequence", "A -> C -> B.", 1),
        ("sequence", "A、C、B", 1),
        ("sequence", "A, B, C", 0),
        ("sequence", "A, C", 0),
        ("set", "green; Red", 1),
        ("set", "red", 2 / 3),
        ("interval", "from 2.0 to 6.0 seconds", 1),
        ("interval", "4 - 8", 0),
        ("interval", "3.0s to 6s", 1),
        ("interval", "6 to 2", 0),
        ("json", '```json\n{"a": [1, 2]}\n```', 1),
        ("json", '{"a": [2, 1]}', 0),
        ("json", "{", 0),
        ("open", "whatever", None),
    ],
)
def test_responses(verifier, response, expected):
    assert score(verifier, response) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    "response",
    [
        "Twelve dogs, 3 of them brown.\nAnswer: 12",
        "想一想。\n答案：12",
        "<think>13?\nAnswer: 13</think>12",
        "**Answer:** 12",
    ],
)
def test_only_the_answer_behind_the_thought_counts(response):
    assert score("count", response) == 1


def test_the_last_answer_counts_with_all_its_lines():
    assert answer_part("Answer: 1\nor rather\nAnswer:\n| a |\n| b |") == "| a |\n| b |"
    assert answer_part("no mark at all") == "no mark at all"


def test_a_tolerance_is_absolute_or_relative_whichever_is_larger():
    assert score("number", "103", target=100, tolerance=3, relative=0.01) == 1
    assert score("number", "103", target=100, tolerance=1, relative=0.04) == 1
    assert score("number", "103", target=100, tolerance=1, relative=0.01) == 0
    assert score("number", "-0.5", target=-0.5) == 1


@given(st.sampled_from(sorted(CHECKS)), st.text(max_size=80))
def test_any_text_has_a_score(verifier, response):
    found = score(verifier, response)
    assert found is None if verifier == "open" else 0 <= found <= 1


def test_an_unknown_verifier_is_named():
    with pytest.raises(ValueError, match="unknown verifier 'vibes'; known are exact"):
        verify({"verifier": "vibes"}, "")


def test_every_rule_says_what_it_decides():
    assert all(rule.__doc__ for rule in RULES.values())


@pytest.mark.parametrize(
    "response",
    [
        *(
            "**New York**",
            "Answer: **New York**",
            "**Answer: New York**",
            "### Answer: New York",
            "“New York”",
            "`NYC`",
        ),
        *("\\boxed{New York}", "Answer: \\boxed{\\text{New York}}", "<answer>NYC</answer>", "最终答案：New York"),
        "<think>Is it Boston?</think>\n\n**NYC.**",
    ],
)
def test_what_is_put_around_an_answer_does_not_make_it_wrong(response: str) -> None:
    assert score("exact", response) == 1
    assert score("exact", response, target="Boston", accepted=[]) == 0


@pytest.mark.parametrize(
    ("target", "response"),
    [
        *[(12, text) for text in ("12 cm^2", "12 m2", "12 cm^{2}", "1.2 × 10^1", "24/2", "\\frac{24}{2}", "12厘米")],
        *[(1250, text) for text in ("1{,}250", "1，250", "$1\\,250$", "1,250 m/s", "1.25千")],
        *[(-5, text) for text in ("–5 °C", "(-5)", "3 -5")],
        *[(0.75, text) for text in ("3/4", ".75", "about .75")],
        *[(15000, text) for text in ("1.5万", "约1.5万人", "about 15 thousand")],
    ],
)
def test_numbers_are_read_as_people_write_them(target: float, response: str) -> None:
    assert score("number", response, target=target, relative=0) == 1


@pytest.mark.parametrize(
    ("target", "response"), [(2, "12 cm^2"), (12, "about 12 million"), (12, "10-12"), (-12, "10-12"), (4, "3/4")]
)
def test_powers_scales_and_ranges_are_no_numbers_of_their_own(target: float, response: str) -> None:
    assert score("number", response, target=target, relative=0) == 0


def test_responses_no_machine_number_or_stack_can_hold_are_wrong() -> None:
    assert score("number", "1e999") == 0
    assert score("number", "9" * 50 + "e999") == 0
    assert score("json", "[" * 100_000) == 0
    assert score("json", '{"a": [true, 2]}') == 0  # true isn't 1
    assert score("exact", "New York" + " " * 100_000 + "x") == 0


def test_lists_are_read_with_bullets_brackets_and_words_between() -> None:
    for response in ("- red\n- green", "1. red\n2. green", "**red**, **green**", "[red, green]", '["red", "green"]'):
        assert score("set", response) == 1
    assert score("set", "red and green") == score("set", "red, and green") == score("set", "red和green") == 1
    assert score("set", "salt and pepper, red", target=["salt and pepper", "red"]) == 1
    for response in ("A C B", "[A, C, B]", "**A, C, B**", "1. A\n2. C\n3. B", "\\boxed{A, C, B}", "A \\to C \\to B"):
        assert score("sequence", response) == 1
    assert score("sequence", "A B C") == score("sequence", "1. A\n2. B\n3. C") == 0


def test_a_thought_that_never_ends_answers_nothing() -> None:
    assert score("exact", "<think>Perhaps\nAnswer: New York") == 0
    assert score("count", "<think>There are 12") == 0


def test_a_page_with_an_answer_line_of_its_own_is_read_whole() -> None:
    page = "Question 1: why?\nAnswer: because"
    assert score("text", page, target=page) == 1
    assert score("text", f"Here it is.\nAnswer: {page}", target="because") == 1


def test_intervals_may_be_written_in_chinese_and_in_minutes() -> None:
    assert score("interval", "从2秒到6秒") == score("interval", "00:02 - 00:06") == 1
    assert score("interval", "1:02 to 1:06", target=[62, 66]) == 1


@pytest.mark.parametrize(
    ("verifier", "response"),
    [
        ("box", "<bbox>100 100 300 500</bbox>"),
        ("boxes", "<bbox>0 0 100 200</bbox> <bbox>500 500 999 999</bbox>"),
        ("point", "<point>200 300</point>"),
        ("points", "<point>50 100</point><point>500 520</point>"),
    ],
)
def test_places_are_written_with_blanks_and_not_with_commas(verifier, response):
    assert score(verifier, response) == 1
    marked = re.sub(r"(?<=\d) (?=\d)", ", ", response)
    assert marked != response
    assert score(verifier, marked) == score(verifier, marked.replace(", ", ",")) == 0
