"""The mixture: exact weights, a pure function of the position, and folders read in shuffled epochs."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vergence.conversation import Conversation, ImagePart
from vergence.data.mixture import BLOCK, Mixture, block_counts, choose_questions, talk
from vergence.data.pictures import Picture, Question
from vergence.errors import DataError
from vergence.recipe import MixtureEntry


def write_folder(folder: Path, count: int) -> Path:
    """A data folder whose conversations are called 0, 1, 2, ..."""
    folder.mkdir()
    lines = [
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": str(i)}]} for i in range(count)
    ]
    (folder / "conversations.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def entry(source: str = "shapes", **kwargs: object) -> MixtureEntry:
    return MixtureEntry.model_validate({"source": source, **kwargs})


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12))
def test_block_counts_add_up_and_follow_the_weights(weights):
    counts = block_counts(weights, BLOCK)
    assert sum(counts) == BLOCK
    assert min(counts) >= 1
    exact = [weight / sum(weights) * BLOCK for weight in weights]
    lifted = sum(max(0.0, 1 - share) for share in exact)  # positions that tiny weights take from the others
    assert all(abs(count - share) <= 1 + lifted for count, share in zip(counts, exact, strict=True))


def test_weights_hold_exactly_in_every_block():
    mixture = Mixture([entry(weight=3), entry("digits", weight=1), entry("text", weight=4)], split="train", seed=1)
    for block in (0, 1, 7):
        places = [mixture.place(block * BLOCK + i) for i in range(BLOCK)]
        assert Counter(number for number, _ in places) == {0: 384, 1: 128, 2: 512}


def test_every_sample_of_a_source_is_taken_once_and_in_order():
    mixture = Mixture([entry(weight=2), entry("digits", weight=5)], split="train", seed=1)
    taken: dict[int, list[int]] = {0: [], 1: []}
    for position in range(3 * BLOCK):
        number, index = mixture.place(position)
        taken[number].append(index)
    assert all(indices == list(range(len(indices))) for indices in taken.values())


def test_place_is_a_pure_function():
    def make(seed: int) -> Mixture:
        return Mixture([entry(weight=2), entry("digits")], split="train", seed=seed)

    one, two = make(3), make(3)
    positions = list(range(0, 6 * BLOCK, 37))
    straight = [one.place(p) for p in positions]
    random.Random(0).shuffle(positions)
    assert {p: two.place(p) for p in positions} == dict(zip(sorted(positions), straight, strict=True))
    assert [make(4).place(p) for p in sorted(positions)] != straight
    assert [one.place(p)[0] for p in range(BLOCK)] != [one.place(p + BLOCK)[0] for p in range(BLOCK)]


def text_of(conversation: Conversation) -> list[str]:
    return [f"{message.role}: {message.text}" for message in conversation.messages]


def pixels_of(conversation: Conversation) -> list[bytes]:
    return [image.tobytes() for image in conversation.images if isinstance(image, Image.Image)]


def test_a_conversation_depends_on_the_position_and_the_seed_alone():
    one, two = (Mixture([entry()], split="train", seed=3) for _ in range(2))
    for position in (5, 0, 2000):
        a, b = one.conversation(position), two.conversation(position)
        assert text_of(a) == text_of(b)
        assert pixels_of(a) == pixels_of(b) != []
    other = Mixture([entry()], split="train", seed=4)
    heldout = Mixture([entry()], split="heldout", seed=3)
    assert len({pixels_of(m.conversation(5))[0] for m in (one, other, heldout)}) == 3


def test_a_folder_is_read_in_a_new_order_each_epoch(tmp_path):
    count = 50
    folder = write_folder(tmp_path / "data", count)
    mixture = Mixture([entry("folder", path=folder)], split="train", seed=2)
    answers = [int(mixture.conversation(p).messages[1].text) for p in range(4 * count)]
    epochs = [answers[i : i + count] for i in range(0, len(answers), count)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs), "each epoch is a permutation"
    assert len({tuple(epoch) for epoch in epochs}) == 4
    other = Mixture([entry("folder", path=folder)], split="train", seed=3)
    assert [int(other.conversation(p).messages[1].text) for p in range(count)] != epochs[0]


def test_the_fingerprint_changes_with_the_seed_the_entries_and_the_files(tmp_path):
    folder = write_folder(tmp_path / "data", 3)
    entries = [entry(), entry("folder", path=folder)]
    same = Mixture(entries, split="train", seed=1).fingerprint()
    assert Mixture(entries, split="train", seed=1).fingerprint() == same
    others = [
        Mixture(entries, split="train", seed=2),
        Mixture(entries[::-1], split="train", seed=1),
        Mixture(entries, split="heldout", seed=1),
        Mixture([entry(weight=2), entries[1]], split="train", seed=1),
        Mixture([entry(style="caption"), entries[1]], split="train", seed=1),
    ]
    with (folder / "conversations.jsonl").open("a") as file:
        file.write("\n")
    others.append(Mixture(entries, split="train", seed=1))
    prints = [mixture.fingerprint() for mixture in others]
    assert same not in prints
    assert len(set(prints)) == len(prints)


QUESTIONS = tuple(
    Question(task, f"{task} {i}?", f"{task} {i}!") for task, n in (("a", 6), ("b", 1), ("c", 2)) for i in range(n)
)
PICTURE = Picture(Image.new("RGB", (28, 28)), "a caption", QUESTIONS, (), False, "test")


def test_styles_of_talk():
    caption = talk(PICTURE, entry(style="caption"), random.Random(0))
    assert text_of(caption) == ["user: ", "assistant: a caption"]
    question = talk(PICTURE, entry(style="question"), random.Random(0))
    assert len(question.messages) == 2
    assert isinstance(question.messages[0].parts[0], ImagePart)
    dialogue = talk(PICTURE, entry(style="dialogue", turns=3), random.Random(0))
    assert [message.role for message in dialogue.messages] == ["user", "assistant"] * 3
    assert [sum(isinstance(p, ImagePart) for p in m.parts) for m in dialogue.messages] == [1, 0, 0, 0, 0, 0]
    text = talk(PICTURE, entry(style="text", turns=2), random.Random(0))
    assert len(text.messages) == 4
    assert not text.images
    for conversation in (question, dialogue, text):
        turns = conversation.messages
        pairs = {(q.text, a.text) for q, a in zip(turns[::2], turns[1::2], strict=True)}
        assert len(pairs) == len(turns) // 2, "no question is asked twice"
        assert pairs <= {(q.prompt, q.answer) for q in QUESTIONS}


def test_only_questions_of_the_named_tasks_are_asked():
    for seed in range(20):
        conversation = talk(PICTURE, entry(tasks=["b", "c"], turns=9), random.Random(seed))
        assert {m.text.split()[0] for m in conversation.messages} == {"b", "c"}
    with pytest.raises(DataError, match="shapes picture has no question of the tasks d, e"):
        talk(PICTURE, entry(tasks=["d", "e"]), random.Random(0))


def test_every_task_has_an_equal_chance_to_come_first_however_many_questions_it_has():
    first = Counter(choose_questions(QUESTIONS, (), random.Random(seed))[0].task for seed in range(1500))
    assert set(first) == {"a", "b", "c"}
    assert all(abs(count - 500) < 80 for count in first.values()), first
    assert sorted(q.prompt for q in choose_questions(QUESTIONS, (), random.Random(0))) == sorted(
        q.prompt for q in QUESTIONS
    )
