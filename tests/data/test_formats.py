"""The fixed prompts: their wording, and that an answer in each form is right by its own check."""

from __future__ import annotations

import random

import pytest

from vergence.data.formats import PROMPTS, ask, choice_turn, short_turn, thought, thought_turn
from vergence.verifiers.ground_truth import verify


def test_the_prompts_of_llava_are_word_for_word():
    assert ask("What is it?", "word") == "What is it?\nAnswer the question using a single word or phrase."
    assert PROMPTS["en"]["letter"] == "Answer with the option's letter from the given choices directly."
    assert ask("What is it?", "plain") == "What is it?"
    assert all(prompts.keys() == PROMPTS["en"].keys() for prompts in PROMPTS.values())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_answers_in_each_form_are_right_by_their_check(language):
    check = {"verifier": "count", "target": 3}
    for turn in (
        short_turn("How many?", "3", check, language),
        thought_turn("How many?", ["One here.", "Two there: 1 + 2 = 3."], "3", check, language),
    ):
        assert verify(turn.check, turn.answer) == 1
    assert thought(["a", "b"], "c", "zh") == "a\nb\n答案：c"


def test_options_are_shuffled_and_the_letter_is_that_of_the_answer():
    seen = set()
    for seed in range(20):
        turn = choice_turn("What is it?", "cat", ["dog", "cow", "hen"], random.Random(seed))
        assert verify(turn.check, turn.answer) == 1
        assert f"{turn.answer}. cat" in turn.question
        seen.add(turn.answer)
    assert seen == set("ABCD")
    with pytest.raises(ValueError, match="options must differ"):
        choice_turn("What is it?", "cat", ["dog", "cat"], random.Random(0))
