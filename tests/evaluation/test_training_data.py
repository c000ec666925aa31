"""A recipe's conversations: those that training draws, under names that tell them apart."""

from __future__ import annotations

import json

import pytest

from vergence.data.mixture import Mixture
from vergence.evaluation.contamination import find_contamination
from vergence.evaluation.task import Sample
from vergence.evaluation.training_data import mixture_items, training_conversations
from vergence.recipe import MixtureEntry, load_recipe
from vergence.training.objective import stage_seed

QUESTION = "Which of the four coloured bars in this chart of the yearly rainfall is the tallest one of all"


@pytest.fixture
def folder(tmp_path):
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "x"}]
    (tmp_path / "conversations.jsonl").write_text(json.dumps({"messages": messages}) + '\n{"messages": []}\n')
    return tmp_path


def test_they_are_what_the_trainer_draws():
    recipe = load_recipe("tiny", ["seed=3"])
    items = list(training_conversations(recipe, 4))
    assert len(items) == 4 * len(recipe.stages)
    assert len({name for name, _ in items}) == len(items)
    for index, stage in enumerate(recipe.stages):
        mixture = Mixture(stage.mixture, split="train", seed=stage_seed(recipe, index))
        for position in range(4):
            name, conversation = items[4 * index + position]
            assert name == f"{stage.name}: {mixture.name(position)} {position}"
            expected = mixture.conversation(position)
            assert [m.text for m in conversation.messages] == [m.text for m in expected.messages]
            assert [i.tobytes() for i in conversation.images] == [i.tobytes() for i in expected.images]


def test_an_item_of_a_folder_keeps_its_name_and_a_bad_one_is_none(folder):
    mixture = Mixture([MixtureEntry(source="folder", path=folder)], split="train", seed=0)
    items = [*mixture_items(mixture, 10, "first: "), *mixture_items(mixture, 10, "second: ")]
    assert len({name for name, _ in items}) == 2
    assert sum(conversation is None for _, conversation in items) == 10
    report = find_contamination(items, [Sample("a", QUESTION)])
    assert (report.unusable, report.hits) == (10, {"a": {"text": 1}})
