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

from vergence.config import ConfigError
from vergence.conversation import Conversation, ImagePart
from vergence.data import mixture_sources
from vergence.data.generator import dialogue
from vergence.data.mixture import Mixture, MixtureEndError
from vergence.data.picture_generator import PictureConfig, choose_questions
from vergence.data.picture_generator import talk as turns_about
from vergence.data.pictures import Picture, Question
from vergence.data.schedule import BLOCK, Schedule, Share, block_counts
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
    Question(task, f"{task} {i}?", f"{task} {i}!")
    for task, n in (("colour", 6), ("count", 1), ("shape", 2))
    for i in range(n)
)
PICTURE = Picture(Image.new("RGB", (28, 28)), "a caption", QUESTIONS, (), False, "test")


def talk(picture, rng, **config):
    """The conversation about a picture."""
    style = config.get("style", "dialogue")
    turns = turns_about(picture, "shapes", PictureConfig(**config), rng)
    messages, _ = dialogue(() if style == "text" else (picture.image,), turns)
    return Conversation(messages)


def test_styles_of_talk():
    caption = talk(PICTURE, random.Random(0), style="caption")
    assert text_of(caption) == ["user: ", "assistant: a caption"]
    question = talk(PICTURE, random.Random(0), style="question")
    assert len(question.messages) == 2
    assert isinstance(question.messages[0].parts[0], ImagePart)
    dialogue = talk(PICTURE, random.Random(0), style="dialogue", turns=3)
    assert [message.role for message in dialogue.messages] == ["user", "assistant"] * 3
    assert [sum(isinstance(p, ImagePart) for p in m.parts) for m in dialogue.messages] == [1, 0, 0, 0, 0, 0]
    text = talk(PICTURE, random.Random(0), style="text", turns=2)
    assert len(text.messages) == 4
    assert not text.images
    for conversation in (question, dialogue, text):
        turns = conversation.messages
        pairs = {(q.text, a.text) for q, a in zip(turns[::2], turns[1::2], strict=True)}
        assert len(pairs) == len(turns) // 2, "no question is asked twice"
        assert pairs <= {(q.prompt, q.answer) for q in QUESTIONS}


def test_only_questions_of_the_named_tasks_are_asked():
    for seed in range(20):
        conversation = talk(PICTURE, random.Random(seed), tasks=["count", "shape"], turns=9)
        assert {m.text.split()[0] for m in conversation.messages} == {"count", "shape"}
    with pytest.raises(DataError, match="shapes picture has no question of the tasks d, e"):
        talk(PICTURE, random.Random(0), tasks=["d", "e"])


def test_every_task_has_an_equal_chance_to_come_first_however_many_questions_it_has():
    first = Counter(choose_questions(QUESTIONS, (), random.Random(seed))[0].task for seed in range(1500))
    assert set(first) == {"colour", "count", "shape"}
    assert all(abs(count - 500) < 80 for count in first.values()), first
    assert sorted(q.prompt for q in choose_questions(QUESTIONS, (), random.Random(0))) == sorted(
        q.prompt for q in QUESTIONS
    )


def folder_entry(folder: Path, **kwargs: object) -> MixtureEntry:
    return entry("folder", path=folder, **kwargs)


def answers_of(mixture: Mixture, positions: range) -> list[int]:
    return [int(mixture.conversation(position).messages[1].text) for position in positions]


@pytest.mark.parametrize(
    ("take", "taken"), [("all", range(30)), ("first:7", range(7)), ("first:10%", range(3)), ("end:4", range(26, 30))]
)
def test_what_is_taken_of_a_folder(tmp_path, take, taken):
    folder = write_folder(tmp_path / "data", 30)
    mixture = Mixture([folder_entry(folder, take=take)], split="train", seed=2)
    epoch = answers_of(mixture, range(len(taken)))
    assert sorted(epoch) == list(taken)
    assert sorted(answers_of(mixture, range(len(taken), 2 * len(taken)))) == list(taken)


def test_a_random_part_is_the_same_in_every_process_and_epoch(tmp_path):
    folder = write_folder(tmp_path / "data", 40)
    mixture = Mixture([folder_entry(folder, take="random:25%")], split="train", seed=2)
    first, second = answers_of(mixture, range(10)), answers_of(mixture, range(10, 20))
    assert sorted(first) == sorted(second)
    assert len(set(first)) == 10
    other = Mixture([folder_entry(folder, take="random:25%")], split="train", seed=3)
    assert set(answers_of(other, range(10))) != set(first)


def test_epochs_end_and_others_take_the_share(tmp_path):
    folder = write_folder(tmp_path / "data", 100)
    mixture = Mixture([folder_entry(folder, epochs=2.5), entry(weight=1)], split="train", seed=2)
    places = [mixture.place(position) for position in range(3 * BLOCK)]
    taken = [index for number, index in places if number == 0]
    assert taken == list(range(250)), "the folder gives its 250 samples, all in the first block, which holds 512"
    assert Counter(number for number, _ in places[:BLOCK]) == {0: 250, 1: BLOCK - 250}
    assert {number for number, _ in places[BLOCK:]} == {1}
    assert mixture.schedule.given(3 * BLOCK) == [250, 3 * BLOCK - 250]
    assert mixture.schedule.given(100) == [sum(n == 0 for n, _ in places[:100]), sum(n == 1 for n, _ in places[:100])]


def test_a_mixture_of_budgets_ends_by_name(tmp_path):
    folder = write_folder(tmp_path / "data", 10)
    mixture = Mixture([folder_entry(folder, epochs=1), entry(samples=15)], split="train", seed=2)
    assert Counter(mixture.place(position)[0] for position in range(25)) == {0: 10, 1: 15}
    for position in (25, 5 * BLOCK):
        with pytest.raises(MixtureEndError, match="ends after 25 samples"):
            mixture.conversation(position)


def test_a_schedule_moves_the_weights_by_straight_lines():
    """Text first, then a growing multimodal share: at block b the second source's factor is b / 4, at most 1."""
    growing = [entry(weight=3), entry("digits", weight=1, schedule=[[0, 0], [4 * BLOCK, 1]])]
    mixture = Mixture(growing, split="train", seed=1)
    for block in range(7):
        factor = min(1.0, block / 4)
        count = Counter(mixture.place(block * BLOCK + i)[0] for i in range(BLOCK))[1]
        assert abs(count - BLOCK * factor / (3 + factor)) <= 1
    taken = [index for position in range(7 * BLOCK) for number, index in [mixture.place(position)] if number == 1]
    assert taken == list(range(len(taken))), "no sample is left out or taken twice"
    straight = [mixture.place(p) for p in range(6 * BLOCK, 7 * BLOCK)]
    fresh = Mixture(growing, split="train", seed=1)
    assert [fresh.place(p) for p in range(6 * BLOCK, 7 * BLOCK)] == straight, "a pure function of the position"


@given(
    st.lists(
        st.tuples(st.floats(0.01, 50), st.one_of(st.none(), st.integers(1, 3000)), st.booleans()),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 4 * BLOCK),
)
def test_budgets_are_kept_exactly_and_nothing_is_left_out(parts, position):
    shares = [
        Share(((0, weight), (2000, 0.5 * weight if falls else weight)), budget) for weight, budget, falls in parts
    ]
    schedule = Schedule(shares, seed=3)
    places = [schedule.place(p) for p in range(position)]
    given_out = [[place[1] for place in places if place and place[0] == s] for s in range(len(shares))]
    assert given_out == [list(range(len(indexes))) for indexes in given_out]
    assert [len(indexes) for indexes in given_out] == schedule.given(position)
    budgets = [share.budget for share in shares]
    assert all(budget is None or len(i) <= budget for i, budget in zip(given_out, budgets, strict=True))
    if None in budgets:
        assert None not in places
    else:
        assert sum(place is not None for place in places) == min(position, sum(b for b in budgets if b is not None))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"take": "half"}, "take"),
        ({"epochs": 1}, "epochs, take and keep are of a"),
        ({"schedule": [[5, 1], [5, 2]]}, "must ascend"),
        ({"schedule": [[0, 0]]}, "never be drawn"),
        ({"schedule": [[0, -1]]}, "not be negative"),
    ],
)
def test_wrong_entries_are_refused(wrong, problem):
    with pytest.raises(ValueError, match=problem):
        entry(**wrong)


def test_settings_of_a_kind_are_checked_and_used():
    caption = Mixture([entry(settings={"style": "caption"})], split="train", seed=1)
    assert caption.conversation(0).messages[1].text == caption.conversation(0).metadata["truth"]["caption"]
    with pytest.raises(ConfigError, match="colour"):
        Mixture([entry(settings={"colour": "red"})], split="train", seed=1)


def test_shares_of_epochs_are_counted_as_they_are_written(tmp_path):
    folder = write_folder(tmp_path / "data", 10)
    mixture = Mixture([folder_entry(folder, epochs=1.1)], split="train", seed=2)
    assert mixture.place(10) is not None
    with pytest.raises(MixtureEndError, match="ends after 11 samples"):
        mixture.place(11)


def test_a_schedule_that_begins_at_zero_for_all_begins_with_its_next_point():
    ramp = ((0, 0.0), (5000, 1.0))
    schedule = Schedule([Share(ramp), Share(tuple((place, 3 * weight) for place, weight in ramp))], seed=1)
    assert schedule.given(BLOCK) == [BLOCK // 4, BLOCK - BLOCK // 4]


def test_what_is_left_when_the_budgets_are_spent_is_taken_before_its_time():
    schedule = Schedule([Share(((0, 1.0),), budget=100), Share(((0, 0.0), (5000, 1.0)))], seed=1)
    assert schedule.given(BLOCK) == [100, BLOCK - 100]
    ended = Schedule([Share(((0, 1.0), (BLOCK, 0.0)))], seed=1)
    assert ended.place(BLOCK - 1) is not None
    assert ended.place(BLOCK) is None


def test_the_fingerprint_changes_with_the_weights_and_budgets_of_folders(tmp_path):
    first, second = write_folder(tmp_path / "a", 5), write_folder(tmp_path / "b", 6)

    def of(*changed: dict) -> str:
        entries = [folder_entry(path, **kwargs) for path, kwargs in zip((first, second), changed, strict=True)]
        return Mixture(entries, split="train", seed=2).fingerprint()

    found = [of({}, {}), of({"weight": 3}, {}), of({}, {"weight": 3}), of({"epochs": 2}, {}), of({}, {"epochs": 2})]
    assert len(set(found)) == len(found)


def test_many_folders_are_shuffled_once_an_epoch_each(tmp_path, monkeypatch):
    made = []
    real = mixture_sources._permutation
    monkeypatch.setattr(mixture_sources, "_permutation", lambda *a, **k: (made.append(a), real(*a, **k))[1])
    folders = [write_folder(tmp_path / str(number), 200) for number in range(8)]
    mixture = Mixture([folder_entry(folder) for folder in folders], split="train", seed=2)
    answers_of(mixture, range(400))
    assert len(made) == 8
