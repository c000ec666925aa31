"""Held-out questions: always the same, only held-out, and the blind ones show nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vergence.conversation import Conversation, ImagePart, TextPart, user
from vergence.data import catalogue
from vergence.data.pictures import Picture, Question
from vergence.errors import DataError, UsageError
from vergence.evaluation.task import Answer, Prompt, Record, Sample, fingerprint
from vergence.evaluation.tasks.pictures import GREY, Blind, PictureTask
from vergence.processing.media import decode_image

NAMES = list(catalogue.TASKS)


def right_answer(sample) -> str:
    return sample.tags["expected"]


def content(task) -> list[tuple]:
    return [
        (s.id, decode_image(s.media[0].image).tobytes(), s.question, right_answer(s), s.reference)
        for s in task.samples()
    ]


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_the_same_every_time_and_a_longer_list_begins_with_the_shorter(name):
    ten = content(PictureTask(name, seed=3, count=10))
    assert ten == content(PictureTask(name, seed=3, count=10))
    assert ten[:4] == content(PictureTask(name, seed=3, count=4))
    assert ten != content(PictureTask(name, seed=4, count=10))
    assert len({sample[:2] for sample in ten}) == 10


@pytest.mark.parametrize("name", NAMES)
def test_only_held_out_pictures_are_drawn(name, monkeypatch):
    splits = []
    draw = catalogue.draw

    def watched(kind, split, seed, index):
        splits.append((kind, split))
        return draw(kind, split, seed, index)

    monkeypatch.setattr(catalogue, "draw", watched)
    PictureTask(name, seed=0, count=5).samples()
    assert set(splits) == {(catalogue.TASKS[name].kind, "heldout")}


@pytest.mark.parametrize("name", NAMES)
def test_the_expected_answer_is_right_and_fits_the_token_limit(name):
    task = PictureTask(name, seed=0, count=20)
    for sample in task.samples():
        right, wrong = (task.score(sample, Answer(text)) for text in (right_answer(sample), "nonsense"))
        assert (right.scores, right.valid) == ({"accuracy": 1.0}, True)
        assert wrong.scores == {"accuracy": 0.0}
        place = catalogue.TASKS[name].metric != "exact"
        assert wrong.valid is not place, "a text is an answer, even a wrong one; no place is none"
        assert sample.tags.get("place") == (catalogue.TASKS[name].metric if place else None)
        assert len(right_answer(sample).encode()) < task.prompt(sample).sampling.max_tokens


def test_an_empty_answer_is_invalid():
    task = PictureTask("digit", seed=0, count=1)
    assert not task.score(task.samples()[0], Answer(" ")).valid


def test_a_prompt_is_the_picture_and_then_the_question_and_greedy():
    task = PictureTask("digit", seed=0, count=2)
    sample = task.samples()[1]
    prompt = task.prompt(sample)
    (message,) = prompt.conversation.messages
    assert message.role == "user"
    assert message.parts == (*sample.media, TextPart(sample.question))
    assert isinstance(message.parts[0], ImagePart)
    assert prompt.sampling.temperature == 0
    assert prompt.id == sample.id == "digit-00001"


@pytest.mark.parametrize("name", NAMES)
def test_a_blind_sample_differs_in_its_picture_alone(name):
    task = PictureTask(name, seed=0, count=1)
    (sample,), (blind,) = task.samples(), Blind(task).samples()
    (shown,), (hidden,) = sample.media, blind.media
    assert hidden.image.size == shown.image.size
    assert hidden.image.mode == "RGB"
    assert (np.asarray(hidden.image) == GREY).all()
    assert replace(blind, media=sample.media) == sample
    assert Blind(task).name == f"{name}:blind"
    assert fingerprint(Blind(task)) != fingerprint(task)


def test_a_blind_sample_of_a_file_is_a_small_file_and_a_broken_one_is_an_error_of_its_own(tmp_path):
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")

    class Files:
        name, version, problems = "files", 1, ["1 row left out"]

        def samples(self):
            names = ("red.png", "broken.png", "missing.png")
            return [Sample(name, "What is it?", (ImagePart(tmp_path / name),)) for name in names]

        def prompt(self, sample):
            return Prompt(Conversation((user(*sample.media, sample.question),)))

    blind = Blind(Files())
    red, broken, missing = blind.samples()
    assert decode_image(red.media[0].image).size == (30, 20)
    assert (np.asarray(decode_image(red.media[0].image)) == GREY).all()
    assert blind.prompt(red).conversation.images == [red.media[0].image]
    for sample in (broken, missing):
        with pytest.raises(DataError, match=sample.id):
            blind.prompt(sample)
    assert blind.problems == ["1 row left out"]


def test_several_questions_of_a_task_all_get_their_turn(monkeypatch):
    picture = catalogue.draw("digits", "heldout", 0, 0)
    questions = tuple(Question("digit", f"question {i}", "1") for i in range(3))
    many = Picture(picture.image, "", questions, (), True, "")
    monkeypatch.setattr(catalogue, "draw", lambda *_: many)
    asked = [sample.question for sample in PictureTask("digit", seed=0, count=30).samples()]
    assert set(asked) == {"question 0", "question 1", "question 2"}


def test_aggregate_counts():
    task = PictureTask("digit", seed=0, count=1)
    (sample,) = task.samples()
    right, wrong = Answer(right_answer(sample)), Answer("?")
    records = [Record(sample, a, task.score(sample, a)) for a in (right, right, right, wrong)]
    failed = Record(sample, Answer(finish_reason="error", error="no"), None)
    [measure] = task.aggregate([*records, failed])
    assert (measure.metric, measure.n, measure.value) == ("accuracy", 4, 0.75)
    assert 0 < measure.low < 0.75 < measure.high < 1
    [nothing] = task.aggregate([failed])
    assert (nothing.n, nothing.value) == (0, None)


def test_the_fingerprint_knows_the_questions_and_not_their_number():
    whole = fingerprint(PictureTask("digit", seed=0, count=4))
    assert whole == fingerprint(PictureTask("digit", seed=0, count=2))
    assert whole != fingerprint(PictureTask("digit", seed=1, count=4))
    assert whole != fingerprint(PictureTask("number", seed=0, count=4))


def test_wrong_names_and_counts_are_refused():
    with pytest.raises(UsageError, match="did you mean 'digit'"):
        PictureTask("digits", seed=0, count=1)
    with pytest.raises(UsageError, match="at least 1, got 0"):
        PictureTask("digit", seed=0, count=0)


def test_a_kind_that_never_asks_is_found(monkeypatch):
    picture = catalogue.draw("digits", "heldout", 0, 0)
    silent = Picture(picture.image, "", (), (), True, "")
    monkeypatch.setattr(catalogue, "draw", lambda *_: silent)
    with pytest.raises(DataError, match="task digit: only 0 of 200"):
        PictureTask("digit", seed=0, count=2).samples()
