"""TempCompass' four formats, as far as rules read them."""

from __future__ import annotations

import pytest

from vergence.evaluation.metrics.tempcompass import (
    rate_captioning,
    rate_choice,
    rate_matching,
    rate_yes_no,
    tempcompass,
)


@pytest.mark.parametrize(
    ("answer", "rating"),
    [
        ("B", True),
        ("B.", True),
        ("(B)", True),
        ("B) running", True),
        ("B. running", True),
        ("running", True),
        ("**B**", True),
        ("Running.", True),
        ("B: running fast", True),
        ("A", False),
        ("C. sitting", False),
        ("sitting", None),
        ("", None),
        ("A dog runs", None),
        ("The answer is B", None),
        ("E", None),
        ("b", None),
        ("Because", None),
    ],
)
def test_multiple_choice(answer, rating):
    assert rate_choice(answer, "B. running") is rating


@pytest.mark.parametrize(
    ("answer", "rating"),
    [("The answer is B", True), ("sitting", False), ("He is sitting, so C.", False), ("b", True), ("A dog runs", None)],
)
def test_multiple_choice_with_its_options(answer, rating):
    assert rate_choice(answer, "B. running", ("walking", "running", "sitting")) is rating


@pytest.mark.parametrize(
    ("answer", "rating"),
    [
        ("yes", True),
        ("Yes, it does.", True),
        ("No", False),
        ("Not sure", None),
        ("Nothing moves", None),
        ("It does", None),
    ],
)
def test_yes_no(answer, rating):
    assert rate_yes_no(answer, "yes") is rating
    assert rate_yes_no(answer, "no") is (None if rating is None else not rating)


QUESTION = "Which caption matches the video better?\nCaption A: a dog runs\nCaption B: a dog sits"
NUMBERED = "Which description fits?\nOption 1: a dog runs\nOption 2: a dog sits"


@pytest.mark.parametrize(
    ("answer", "rating"),
    [
        ("Caption B: a dog sits", True),
        ("Caption B", True),
        ("B", True),
        ("b.", True),
        ("A dog sits.", True),
        ("B) a dog sits", True),
        ("Caption A", False),
        ("a dog runs", False),
        ("both", None),
        ("", None),
        ("a dog", None),
        ("Because it sits", None),
    ],
)
def test_caption_matching(answer, rating):
    assert rate_matching(answer, QUESTION, "Caption B: a dog sits") is rating


def test_numbered_captions():
    assert rate_matching("Option 2", NUMBERED, "Option 2: a dog sits") is True
    assert rate_matching("1.", NUMBERED, "Option 2: a dog sits") is False
    assert rate_matching("3", NUMBERED, "Option 2: a dog sits") is None


@pytest.mark.parametrize(
    ("reply", "rating"),
    [
        ("Reasoning: it runs\nAnswer: B. running", True),
        ("Answer: B", True),
        ("B. running", True),
        ("Answer: C. sitting", False),
        ("Answer: None of the choices are correct", False),
        ("", None),
        ("I can't tell", None),
        ("Answer: A. x\nAnswer: B. running", True),
    ],
)
def test_captioning_replies(reply, rating):
    assert rate_captioning(reply, "B. running") is rating


def test_the_mean_is_over_questions():
    formats = ["multi-choice", "yes_no", "yes_no", "captioning"]
    measures = tempcompass([True, True, False, None], formats, ["speed", "speed", "order", "order"])
    found = {(measure.metric, measure.group): measure.value for measure in measures}
    assert (measures[0].metric, measures[0].value) == ("accuracy", 0.5)
    assert found["undecided_ratio", ""] == 0.25
    assert found["accuracy", "format=yes_no"] == 0.5
    assert found["accuracy", "dimension=speed"] == 1.0
    with pytest.raises(ValueError, match="unknown format 'yes-no'"):
        tempcompass([True], ["yes-no"], ["speed"])
