"""Which option an answer names."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_answers_of_chat_models():
    """Answers as they are given, with the letters that a careful reader would accept; "-" is none of them.

    English and Chinese, mark-up, LaTeX, JSON, chains of thought, corrections, refusals, doubts, and options that are
    numbers, letters, sentences, yes and no, or that have letters in them.
    """
    lines = (Path(__file__).parent / "choice_answers.jsonl").read_text(encoding="utf-8").splitlines()
    wrong = []
    for line in lines:
        row = json.loads(line)
        index = read_choice(row["answer"], row["options"]).index
        read = "-" if index is None else "ABCDEFGHIJ"[index]
        if read not in row["read"]:
            wrong.append((row["answer"], row["options"], row["read"], read))
    assert wrong == []
    assert len(lines) > 1700


SAID = (
    "{0}",
    "({0}).",
    "**{0}**",
    "{0}. {1}",
    "({0}) {1}",
    "Answer: {0}",
    "The answer is {0}.",
    "The answer is ({0}) {1}.",
    "The correct answer is **{0}. {1}**.",
    "Therefore, option {0} is correct.",
    "I'll go with option {0}.",
    "$\\boxed{{{0}}}$",
    '{{"reason": "because", "answer": "{0}"}}',
    "答案是{0}。",
    "故选{0}。",
    "{0}\n\nBecause the picture shows it.",
    "It must be {0}.",
    "The answer is not {2}, it is {0}.",
    "I first thought {2}, but the answer is {0}.",
    "{2} is incorrect, so the answer is {0}.",
    "The answer is {2}. Wait, no, the answer is {0}.",
    "The answer is {0}, not {2}.",
    "My final answer is ({0}) {1}",
)
UNSAID = (
    "{0} or {2}",
    "({0}) and ({2})",
    "Either {0} or {2}",
    "The answer is {0} or {2}.",
    "Answer: {0}/{2}",
    "It could be {0} or {2}.",
    "The answer is not {0}.",
    "Not {0}.",
    "Option {0} is wrong.",
    "I would not choose {0}.",
    "I don't think the answer is {0}.",
    "Is the answer {0}?",
    "If the answer is {0}, the question makes no sense.",
    "答案不是{0}",
    "不选{0}",
    "{0}和{2}",
    "选项{0}错误",
    "Let me consider option {0} first.",
    "I'm torn between {0} and {2}.",
)
OPTIONS = (
    ANIMALS,
    ("Yes", "No"),
    ("1", "2", "3", "4"),
    tuple(f"{n} m" for n in range(1, 9)),
    ("The man is riding a horse.", "The man is walking a dog.", "A woman is feeding a cat.", "Nobody is there."),
    ("C major", "G major", "D major", "A minor"),
    ("Vitamin A", "Vitamin C", "Vitamin D", "Vitamin B12"),
    ("J. K. Rowling", "George R. R. Martin", "A. A. Milne", "C. S. Lewis"),
    ("A -> B -> C", "B -> A -> C", "C -> A -> B", "C -> B -> A"),
    ("$\\frac{1}{2}$", "$-\\frac{1}{2}$", "$x^2$", "0"),
    ("one", "two", "three", "None of the above"),
    ("红色", "蓝色", "绿色", "以上都不对"),
)


@pytest.mark.parametrize("choices", OPTIONS, ids=lambda choices: choices[0])
def test_the_options_don_t_change_what_letters_say(choices):
    for index, text in enumerate(choices):
        other = "ABCDEFGH"[(index + 1) % len(choices)]
        for said in SAID:
            assert letter(said.format("ABCDEFGH"[index], text, other), choices) == "ABCDEFGH"[index], said
        for said in UNSAID:
            assert letter(said.format("ABCDEFGH"[index], text, other), choices) in (AMBIGUOUS, NOTHING), said


def test_a_marked_answer_isn_t_replaced_by_what_is_said_on_the_way():
    numbers = ("1", "2", "3", "4")
    assert letter("We see 3 of them, so with the others \\boxed{7}", numbers) == NOTHING
    assert letter("I look at (B) first. <answer>unknown</answer>", numbers) == NOTHING
    assert letter("That makes \\boxed{7}. The answer is D.", numbers) == "D"


def test_long_answers_count_by_their_end_and_not_where_they_were_cut_off():
    thought = "The picture shows an animal in the grass, and I have to compare it with what is asked for. " * 4
    assert letter(f"{thought}Let me look at option A: the tail doesn't") == NOTHING
    assert letter(f"{thought}It might be a dog, because the tail") == NOTHING
    assert letter(f"{thought}So the animal must be a rabbit.") == "B"
    assert letter(f"{thought}Among these (B) fits its ears.") == "B"


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
        '"',
        "\n",
        "I meant ",
        "no, no, wait ",
        "dog, ",
        "答案是",
        '"answer": "',
    ],
)
def test_long_garbage_is_read_in_linear_steps(part):
    """Patterns that search from every position would take minutes here; the suite's time limit would show it."""
    read_choice(part * (40_000 // len(part)), ANIMALS)
