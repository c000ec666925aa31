"""Which option an answer names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.verifiers.choice import AMBIGUOUS, DECISION_TABLE, NOTHING, OUT_OF_RANGE, read_choice

ANIMALS = ("dog", "rabbit", "cat", "horse")


def letter(answer: str, choices: tuple[str, ...] = ANIMALS) -> str:
    """The letter that is read, or why there is none."""
    reading = read_choice(answer, choices)
    return reading.rule if reading.index is None else "ABCDEFGHIJ"[reading.index]


@pytest.mark.parametrize("rule", DECISION_TABLE, ids=lambda rule: rule.name)
def test_each_rule_decides_its_example(rule):
    reading = read_choice(rule.example, ("dog", "rabbit", "cat"))
    assert (reading.index, reading.rule) == (1, rule.name)


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        # A letter alone, however it is dressed.
        *(
            (dressed, "B")
            for dressed in ["B", "b", "(B)", "B.", "B)", "[B]", "**B**", '"B"', " B \n", "Option B", "b."]
        ),
        *(
            (dressed, "B")
            for dressed in ["Ｂ", "（B）", "B。", "`B`", "$B$", "\\text{B}", "Answer: B", "answer B", "{B}"]
        ),
        ("B. rabbit", "B"),
        ("(B) a rabbit", "B"),
        ("B: Rabbit.", "B"),
        ("B rabbit", "B"),
        # Marked answers.
        ("\\boxed{B}", "B"),
        ("So $\\boxed{\\text{B}}$", "B"),
        ("\\boxed{A} is wrong, \\boxed{(C) cat}", "C"),
        ("<answer>C</answer>", "C"),
        ("A or B? <answer>The answer is D</answer>", "D"),
        ('{"reason": "A cat", "answer": "C"}', "C"),
        ('```json\n{"answer": "rabbit"}\n```', "B"),
        # Statements: the last one counts.
        ("Answer: **C**", "C"),
        ("The answer is (D).", "D"),
        ("The correct answer is: D", "D"),
        ("the correct option for this question is b.", "B"),
        ("Based on the image, the answer is D.", "D"),
        ("A cat is there. The answer is C", "C"),
        ("The answer is A. Wait, actually the answer is C.", "C"),
        ("The answer is a rabbit.", "B"),
        ("The answer is A rabbit.", "B"),
        ("The answer is A dog.", "A"),
        ("The answer is A because of its bark", "A"),
        ("Answer:\n\nC", "C"),
        ("Option C is correct.", "C"),
        ("A and B lack whiskers, so C is the best answer.", "C"),
        ("I would choose option D, given the mane.", "D"),
        ("答案是B", "B"),
        ("答案：（C）", "C"),
        ("因此选D。", "D"),
        ("正确答案为 A，因为有狗", "A"),
        # The beginning, the end, the only one.
        ("B is right because it has long ears and fur", "B"),
        ("A is right because it has a tail", "A"),
        ("B, because it has long ears", "B"),
        ("C\nIt has whiskers.", "C"),
        ("A rabbit is shown so B", "B"),
        ("It has whiskers. It's C.", "C"),
        ("It's not A but B", "B"),
        ("A. dog\nB. rabbit\nC. cat\nD. horse\n\nB", "B"),
        ("Of these (C) fits.", "C"),
        ("Option A is not possible, option B fits.", "B"),
        # The texts.
        ("Rabbit", "B"),
        ("There is a rabbit in the grass.", "B"),
        ("It is not a dog, it's a cat", "C"),
    ],
)
def test_what_names_an_option(answer, read):
    assert letter(answer) == read


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", NOTHING),
        ("  \n", NOTHING),
        ("I don't know.", NOTHING),
        ("A mouse is there", NOTHING),
        ("I am sorry, I can't help with that.", NOTHING),
        ("The answer is not B", NOTHING),
        ("It is not a dog", NOTHING),
        ("A is wrong", NOTHING),
        ("rabbits", NOTHING),
        ("vitamin C", NOTHING),
        ("C++ code", NOTHING),
        ("E", OUT_OF_RANGE),
        ("The answer is (F).", OUT_OF_RANGE),
        ("\\boxed{E}", OUT_OF_RANGE),
        ("A or B", AMBIGUOUS),
        ("The answer is A and C.", AMBIGUOUS),
        ("Answer: A, C", AMBIGUOUS),
        ("(A) or (B)", AMBIGUOUS),
        ("A. dog\nB. rabbit\nC. cat\nD. horse", AMBIGUOUS),
        ("B. cat", AMBIGUOUS),
        ("a dog and a cat", AMBIGUOUS),
    ],
)
def test_what_names_none_is_never_guessed(answer, reason):
    assert letter(answer) == reason


def test_a_word_is_no_letter():
    for word in ("rabbit", "Blue", "A", "I"):
        assert letter(f"{word} think so", ("one", "two")) == NOTHING
    assert letter("rabbit", tuple(f"option text {n}" for n in range(20))) == NOTHING


def test_texts_that_contain_one_another():
    colours = ("red", "dark red", "blue")
    assert letter("It is dark red.", colours) == "B"
    assert letter("It is red.", colours) == "A"
    assert letter("red or dark red", colours) == AMBIGUOUS
    assert letter("The dog has 12 spots", ("1", "2", "12")) == "C"
    assert letter("It is 1.5 m", ("1", "5", "1.5")) == "C"


def test_numbers_and_yes_or_no():
    assert letter("two", ("1", "2")) == "B"
    assert letter("2.0", ("1", "2")) == "B"
    assert letter("Yes, there is no dog.", ("Yes", "No")) == "A"
    assert letter("No.", ("Yes", "No")) == "B"


def test_options_that_are_letters():
    assert letter("B", ("d", "c", "b", "a")) == "B"
    assert letter("b", ("d", "c", "b", "a")) == AMBIGUOUS
    assert letter("I", tuple("abcdefghi")) == "I"
    assert letter("I think so", tuple("abcdefghij")) == NOTHING


@given(st.text(max_size=60), st.lists(st.text(max_size=8), max_size=6))
def test_any_text_gives_an_index_in_range_or_none(answer, choices):
    reading = read_choice(answer, choices)
    assert reading.index is None or 0 <= reading.index < len(choices)


@given(
    st.integers(0, 3),
    st.sampled_from(
        [
            "{}",
            "({})",
            "{}.",
            "Answer: {}",
            "The answer is {}.",
            "\\boxed{{{}}}",
            "**{}**",
            "答案是{}",
            "so {}",
            "{}\n\nWhy?",
        ]
    ),
    st.sampled_from(["", "A cat stands there. ", "I see a lot. ", "Based on the image, "]),
)
def test_a_dressed_letter_is_read(index, dress, before):
    said = dress.format("ABCD"[index])
    if before and dress in ("{}", "({})", "{}.", "**{}**", "{}\n\nWhy?"):
        before = before.rstrip() + "\n" if "\n" not in dress else ""
    assert read_choice(before + said, ("w1", "w2", "w3", "w4")).index == index


@pytest.mark.parametrize(
    "part",
    [
        "the answer ",
        "answer is the option ",
        "{",
        "<answer>",
        "choose ",
        "Answer: ",
        "A ",
        "is ",
        "(A) ",
        "a",
        "**",
        "B, ",
    ],
)
def test_long_garbage_is_read_in_linear_steps(part):
    """Patterns that search from every position would take minutes here; the suite's time limit would show it."""
    read_choice(part * (40_000 // len(part)), ANIMALS)
