"""Held-out questions: always the same, only held-out, and the blind ones show nothing."""

from __future__ import annotations

import numpy as np
import pytest

from vergence.conversation import ImagePart, TextPart
from vergence.data import catalogue
from vergence.data.pictures import Picture, Question
from vergence.errors import DataError, UsageError
from vergence.evaluation.tasks.pictures import GREY, PictureTask, blinded
from vergence.inference.request import Output

NAMES = list(catalogue.TASKS)


def says(text: str) -> Output:
    return Output(text, [], None, "stop", 1, 0)


def content(task: PictureTask) -> list[tuple]:
    return [(s.name, s.image.tobytes(), s.question, s.expected, s.target) for s in task.samples()]


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
        assert task.score(sample, says(sample.expected)) == 1
        assert task.score(sample, says("nonsense")) == 0
        assert (sample.target is not None) is (catalogue.TASKS[name].metric != "exact")
        assert len(sample.expected.encode()) < task.request(sample).sampling.max_tokens


def test_a_request_is_the_picture_and_then_the_question_and_greedy():
    task = PictureTask("digit", seed=0, count=2)
    sample = task.samples()[1]
    request = task.request(sample)
    (message,) = request.conversation.messages
    assert message.role == "user"
    assert message.parts == (ImagePart(sample.image), TextPart(sample.question))
    assert request.sampling.temperature == 0
    assert request.request_id == sample.name == "digit-00001"


@pytest.mark.parametrize("name", NAMES)
def test_a_blind_sample_differs_in_its_picture_alone(name):
    sample = PictureTask(name, seed=0, count=1).samples()[0]
    blind = blinded(sample)
    assert blind.image.size == sample.image.size
    assert blind.image.mode == "RGB"
    assert (np.asarray(blind.image) == GREY).all()
    assert (blind.name, blind.question, blind.expected, blind.target) == (
        sample.name, sample.question, sample.expected, sample.target,
    )  # fmt: skip


def test_several_questions_of_a_task_all_get_their_turn(monkeypatch):
    picture = catalogue.draw("digits", "heldout", 0, 0)
    questions = tuple(Question("digit", f"question {i}", "1") for i in range(3))
    many = Picture(picture.image, "", questions, (), True, "")
    monkeypatch.setattr(catalogue, "draw", lambda *_: many)
    asked = [sample.question for sample in PictureTask("digit", seed=0, count=30).samples()]
    assert set(asked) == {"question 0", "question 1", "question 2"}


def test_aggregate_counts():
    task = PictureTask("digit", seed=0, count=1)
    n, accuracy, low, high = task.aggregate([1.0] * 3 + [0.0])
    assert (n, accuracy) == (4, 0.75)
    assert 0 < low < 0.75 < high < 1
    assert task.aggregate([]) == (0, 0.0, 0.0, 1.0)


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
