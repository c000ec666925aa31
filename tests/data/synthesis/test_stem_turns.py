"""What stands in one dialogue about a figure: no steps that give a later answer away."""

from __future__ import annotations

import re

import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable


def dialogues(kind, count, **settings):
    """The questions, answers and checks of samples in English."""
    if reason := why_unavailable(kind):
        pytest.skip(reason)
    generator = load_generator(kind)
    for index in range(count):
        sample = make_sample(kind, generator, generator.Config(language="en", **settings), 61, index)
        texts = [message.text for message in sample.messages]
        yield list(zip(texts[::2], texts[1::2], sample.metadata["checks"], strict=True)), sample.metadata


@pytest.mark.parametrize("kind", ["coordinates", "function-plot"])
def test_steps_come_after_what_is_read_off(kind):
    several = 0
    for turns, _ in dialogues(kind, 80):
        argued = ["Think step by step" in question for question, _, _ in turns]
        formula = ["equation" in question or "formula" in question for question, _, _ in turns]
        several += len(turns) > 1
        for number, steps in enumerate(argued[:-1]):
            assert not steps or all(
                later or last for later, last in zip(argued[number + 1 :], formula[number + 1 :], strict=True)
            )
    assert several > 20


def test_a_molecule_tells_its_formula_and_its_smiles_last():
    order = ("How many", "functional group", "Is there", "molecular formula", "unsaturation", "weight", "SMILES")
    for turns, _ in dialogues("molecule", 80):
        places = [n for question, _, _ in turns for n, word in enumerate(order) if word in question.partition("\n")[0]]
        counts = [max(place, 2) for place in places]
        assert counts == sorted(counts)


def test_a_proof_answers_no_later_question_about_the_figure():
    followed = 0
    for turns, metadata in dialogues("geometry", 150):
        for number, (question, answer, _) in enumerate(turns):
            if "Which statement" in question:
                assert number == 0
            found = re.match(r"(?:And|Now find) (?:the length of |the area of )?(\S+?)[?.]", question)
            if found and "Answer:" in turns[number - 1][1]:
                followed += 1
                assert not re.search(rf"(?:^|: |; ){re.escape(found[1])} = ", turns[number - 1][1]), answer
            if found:
                assert found[1] not in metadata["truth"]["given"]
    assert followed > 5


def test_a_circuit_asks_for_one_part_after_the_whole():
    for turns, _ in dialogues("circuit", 80, form="resistors"):
        asked = [question for question, _, check in turns if "relative" in check]
        part = ["R₁₂" not in q and re.search(r"through|across|dissipated", q) is not None for q in asked]
        assert part == sorted(part)
        assert sum(part) <= 1
