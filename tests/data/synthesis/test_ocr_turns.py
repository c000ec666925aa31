"""Dialogues in which no question or answer gives a later answer away, and texts without two numbers in a row."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest

from vergence.data.generator import Turn, make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.synthesis.ocr.fonts import families
from vergence.data.synthesis.ocr.scripts import SCRIPTS, Writer
from vergence.data.synthesis.ocr.turns import untold

PLACE = re.compile(r"<bbox>[\d ]+</bbox>")


@pytest.mark.parametrize("kind", ["document", "printed-line", "handwriting", "scene-text"])
def test_no_answer_is_told_before_it_is_asked(kind):
    if why_unavailable(kind):
        pytest.skip(why_unavailable(kind))
    generator = load_generator(kind)
    settings = {"digits": 0.0} if kind == "handwriting" else {}
    asked = 0
    for index in range(40):
        turns = 2 + index % 5
        conversation = make_sample(kind, generator, generator.Config(turns=turns, **settings), 4, index)
        texts = [message.text for message in conversation.messages]
        assert 1 <= len(texts) // 2 <= turns
        for number in range(2, len(texts), 2):
            answer, before = texts[number + 1], "\n".join(texts[:number])
            asked += 1
            if PLACE.fullmatch(answer) or (len(answer) > 3 and "Answer: " not in answer and "答案" not in answer):
                assert answer not in before
    assert asked > 40


def test_the_first_turn_and_the_whole_text_are_kept():
    line = Turn("Read line 2.", "tea for two", {"verifier": "text", "target": "tea for two"})
    word = Turn("What is the second word of line 2?", "for", {"verifier": "exact", "target": "for"})
    count = Turn("How many lines are there?", "2", {"verifier": "count", "target": 2})
    whole = Turn("Read it all.", "one\ntea for two", {"verifier": "text", "target": "one\ntea for two"})
    assert untold([line, word, count], 9, whole) == [line, count, whole]
    assert untold([word, line], 1) == [word]
    assert untold([word, line, count], 2, whole) == [word, whole]
    assert untold([line], 1, whole) == [whole]
    spoiler = Turn("How many?", "one\ntea for two: 4", {"verifier": "count", "target": 4})
    assert untold([spoiler], 2, whole) == [spoiler]


@pytest.mark.parametrize("script", ["latin", "thai", "han"])
def test_no_two_numbers_stand_side_by_side(script):
    try:
        typeface = families(script, "print", "train")[0][0]
    except Exception as error:
        pytest.skip(str(error))
    numbers = 0
    for seed in range(60):
        writer = Writer(SCRIPTS[script], "train", "words", (typeface,), random.Random(seed))
        tokens = writer.paragraph(80)
        digits = [re.fullmatch(r"[\d.]*\d%?", token) is not None for token in tokens]
        numbers += sum(digits)
        assert not any(a and b for a, b in pairwise(digits))
    assert numbers > 30
