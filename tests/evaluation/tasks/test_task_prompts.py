"""Wording: templates, options, orders of choices, and where media stand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.conversation import ImagePart, TextPart
from vergence.evaluation.tasks.orders import rotations, shuffled
from vergence.evaluation.tasks.prompts import fill, place_media, write_options

A, B, C = (ImagePart(Path(f"{name}.png")) for name in "abc")


def test_a_line_without_anything_to_say_is_left_out():
    template = "Hint: {hint}\n{question}\n{options}\nAnswer with {letters}."
    values = {"hint": "", "question": "What {x}?", "options": "A. a", "letters": "A"}
    assert fill(template, values) == "What {x}?\nA. a\nAnswer with A."
    assert fill(template, {**values, "hint": "look", "options": ""}) == "Hint: look\nWhat {x}?\nAnswer with A."
    assert fill("a {question} {hint}", values) == "a What {x}? "
    assert fill(r"Put it in \boxed{}.", {}) == r"Put it in \boxed{}."
    with pytest.raises(KeyError):
        fill("{nothing}", values)


def test_options_are_written_by_a_template():
    assert write_options(["red", "blue {letter}"], "{letter}. {text}", "\n") == "A. red\nB. blue {letter}"
    assert write_options(["red", "blue"], "({letter}) {text}", " ") == "(A) red (B) blue"
    assert write_options([], "{text}", "\n") == ""


@given(st.integers(2, 8))
def test_each_choice_is_once_in_each_place_of_the_rotations(count):
    turns = rotations(count)
    assert len(turns) == count
    assert turns[0] == tuple(range(count))
    assert all(sorted(place) == list(range(count)) for place in zip(*turns, strict=True))


def test_a_shuffle_depends_on_seed_and_sample_alone():
    assert shuffled(5, 1, "a") == shuffled(5, 1, "a")
    orders = Counter(shuffled(3, seed, "a") for seed in range(600))
    assert len(orders) == 6
    assert min(orders.values()) > 60
    assert len({shuffled(6, 0, str(name)) for name in range(50)}) > 30


@pytest.mark.parametrize(
    ("text", "media", "parts"),
    [
        ("What?", [A], [A, TextPart("What?")]),
        ("Look at <image> here", [A], [TextPart("Look at "), A, TextPart(" here")]),
        ("<image 2> after <image 1>", [A, B], [B, TextPart(" after "), A]),
        ("<image1> again <image 1>, then <image2>", [A, B], [A, TextPart(" again <image 1>, then "), B]),
        ("<image><image> c", [A, B], [A, B, TextPart(" c")]),
        ("<image 2> only", [A, B], [A, B, TextPart(" only")]),
        ("text <video>", [C], [TextPart("text "), C]),
        ("", [A], [A]),
    ],
)
def test_media_stand_at_their_marks(text, media, parts):
    assert place_media(text, media) == parts


def test_media_without_marks_may_stand_last_and_marks_need_media():
    assert place_media("What?", [A, B], "last") == [TextPart("What?"), A, B]
    with pytest.raises(ValueError, match="medium 3 and the row has 2"):
        place_media("<image 3>", [A, B])
    with pytest.raises(ValueError, match="medium 2 and the row has 1"):
        place_media("<image> <image>", [A])
