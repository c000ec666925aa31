"""The offline suite: what it holds, that it is always the same, how it is asked and scored."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest

from vergence.conversation import ImagePart, TextPart
from vergence.data import catalogue
from vergence.data.pictures import split_of
from vergence.errors import UsageError
from vergence.evaluation.capabilities import GAP, load_tree
from vergence.evaluation.task import Answer, Record, fingerprint
from vergence.evaluation.tasks.capability_parts import ANSWERS, PARTS, Part
from vergence.evaluation.tasks.capability_suite import CapabilitySuite
from vergence.processing.coordinates import parse_boxes, parse_points

FEW = tuple(Part(p.capability, p.task, 4, p.variation, p.form, p.words) for p in PARTS)


@pytest.fixture(scope="module")
def suite():
    return CapabilitySuite()


@pytest.fixture(scope="module")
def few():
    return CapabilitySuite(parts=FEW)


def image(sample):
    (part,) = sample.media
    assert isinstance(part, ImagePart)
    return part.image


def record(task, sample, text):
    return Record(sample, Answer(text), task.score(sample, Answer(text)))


def right(sample):
    return "ABCD"[sample.reference] if sample.choices else sample.tags["expected"]


def test_it_is_as_large_and_as_fast_as_promised():
    begin = time.process_time()
    task = CapabilitySuite()
    samples = task.samples()
    task.definition()
    assert time.process_time() - begin < 20
    assert len(samples) >= 1500
    leaves = Counter(sample.tags["capability"] for sample in samples)
    assert len(leaves) >= 12
    assert min(leaves.values()) >= 70
    assert set(leaves) <= set(load_tree().leaves)
    assert {sample.tags["task"] for sample in samples} == set(catalogue.TASKS)
    assert {s.tags["capability"] for s in samples if s.tags["ood"]} == set(leaves)
    assert sum(sample.tags["ood"] for sample in samples) >= 500
    assert len({sample.id for sample in samples}) == len(samples)
    # Pictures are shared by the two forms of a question only; few drawings (a digit, an emoji) come twice by chance.
    pictures = Counter(image(s).tobytes() for s in samples if s.tags["form"] == "open")
    assert sum(count - 1 for count in pictures.values()) <= 3


def test_it_is_always_the_same_and_another_seed_is_another_suite(few):
    def content(task):
        return [(s.id, s.question, s.reference, s.choices, dict(s.tags), image(s).tobytes()) for s in task.samples()]

    again, other = CapabilitySuite(parts=FEW), CapabilitySuite(parts=FEW, seed=1)
    assert content(few) == content(again)
    assert fingerprint(few) == fingerprint(again)
    assert fingerprint(few) != fingerprint(other)
    assert few.definition()["data"] != other.definition()["data"]
    assert fingerprint(few) != fingerprint(CapabilitySuite(parts=FEW, preset="instructed"))
    assert few.definition()["data"] == CapabilitySuite(parts=FEW, preset="instructed").definition()["data"]


def test_the_first_samples_are_a_suite_of_their_own(suite):
    first = Counter(sample.tags["capability"] for sample in suite.samples()[:190])
    assert len(first) == 15
    assert min(first.values()) >= 5


def test_in_distribution_pictures_are_held_out_ones(few, monkeypatch):
    splits = Counter()
    draw = catalogue.draw

    def watched(kind, split, seed, index):
        splits[split] += 1
        return draw(kind, split, seed, index)

    monkeypatch.setattr(catalogue, "draw", watched)
    CapabilitySuite(parts=FEW).samples()
    assert set(splits) == {"heldout"}
    for sample in few.samples():
        if sample.tags["capability"].startswith("reading/text/printed") and sample.tags["variation"] != "long-word":
            assert all(split_of(f"word:{word}") == "heldout" for word in sample.reference.split())


def test_right_answers_score_and_wrong_ones_do_not(suite):
    for sample in suite.samples():
        verdict = suite.score(sample, Answer(right(sample)))
        assert (verdict.scores["accuracy"], verdict.valid) == (1.0, True), sample.id
        assert suite.score(sample, Answer("nonsense")).scores["accuracy"] == 0
        assert suite.score(sample, Answer("")).valid is False
    for sample in suite.samples():
        if sample.tags["task"] in ("box", "point"):
            assert suite.score(sample, Answer("<bbox>0 0 1 1</bbox><point>1 1</point>")).scores["accuracy"] == 0
            assert not suite.score(sample, Answer("nonsense")).valid
        if sample.choices:
            wrong = "ABCD"[(sample.reference + 1) % 4]
            assert suite.score(sample, Answer(wrong)).scores["accuracy"] == 0
            assert not suite.score(sample, Answer("I see a picture.")).valid


def test_right_answers_fit_the_limit(suite):
    for sample in suite.samples():
        limit = suite.prompt(sample).sampling.max_tokens
        assert len(right(sample).encode()) < limit <= 40


def test_choices_hold_the_right_answer_once_and_at_every_place_equally_often(suite):
    choices = [sample for sample in suite.samples() if sample.choices]
    assert len(choices) >= 300
    assert len({sample.tags["task"] for sample in choices}) >= 8
    for sample in choices:
        assert len(set(sample.choices)) == 4
        assert sample.choices[sample.reference] == sample.tags["expected"]
        if sample.tags["task"] in ANSWERS:
            assert set(sample.choices) <= set(ANSWERS[sample.tags["task"]])
    for task in {sample.tags["task"] for sample in choices}:
        places = Counter(s.reference for s in choices if s.tags["task"] == task)
        assert set(places.values()) == {10}


def test_the_expected_answers_are_those_of_the_closed_sets(suite):
    for sample in suite.samples():
        if sample.tags["task"] in ANSWERS and sample.tags["variation"] != "crowd":
            assert sample.tags["expected"] in ANSWERS[sample.tags["task"]]
        if sample.tags["variation"] == "crowd":
            assert sample.tags["expected"] in "567"
        if sample.tags["variation"] == "many-bars" and sample.tags["task"] == "bars":
            assert sample.tags["expected"] in "67"


def test_a_choice_is_asked_about_the_picture_of_the_open_question(suite):
    by_id = {sample.id: sample for sample in suite.samples()}
    chosen, asked = by_id["colour-choice-0007"], by_id["colour-0007"]
    assert chosen.tags["cluster"] == asked.tags["cluster"]
    assert image(chosen).tobytes() == image(asked).tobytes()
    assert chosen.question == asked.question
    assert len({s.tags["cluster"] for s in suite.samples()}) == sum(s.tags["form"] == "open" for s in suite.samples())


def test_places_lie_where_the_answer_says(suite):
    for sample in suite.samples():
        if sample.tags["task"] not in ("box", "point"):
            continue
        left, top, right_, bottom = sample.reference
        width, height = image(sample).size
        assert 0 <= left < right_ <= width
        assert 0 <= top < bottom <= height
        if sample.tags["task"] == "box":
            (box,) = parse_boxes(sample.tags["expected"], width, height)
            assert box == pytest.approx(sample.reference, abs=0.2)
        else:
            ((x, y),) = parse_points(sample.tags["expected"], width, height)
            assert (x, y) == pytest.approx(((left + right_) / 2, (top + bottom) / 2), abs=0.2)


def test_prompts_are_the_picture_and_the_question(few):
    by_id = {sample.id: sample for sample in few.samples()}
    sample = by_id["digit-0001"]
    prompt = few.prompt(sample)
    (message,) = prompt.conversation.messages
    assert message.parts == (*sample.media, TextPart(sample.question))
    assert (prompt.id, prompt.sampling.temperature, prompt.candidates) == ("digit-0001", 0, None)
    choice = by_id["digit-choice-0001"]
    options = "\n".join(f"{letter}. {text}" for letter, text in zip("ABCD", choice.choices, strict=True))
    assert few.prompt(choice).conversation.messages[0].text == (
        f"{choice.question}\n{options}\nAnswer with the option's letter."
    )


def test_the_instructed_preset_says_what_to_answer(few):
    told = CapabilitySuite(parts=FEW, preset="instructed")
    by_id = {sample.id: sample for sample in told.samples()}
    assert "Answer with one of: face, hand, person" in told.prompt(by_id["emoji-0000"]).conversation.messages[0].text
    assert told.prompt(by_id["box-0000"]).conversation.messages[0].text.count("<bbox>") == 1
    choice = few.prompt(by_id["emoji-choice-0000"]).conversation
    assert told.prompt(by_id["emoji-choice-0000"]).conversation.messages[0].text == choice.messages[0].text
    for sample in told.samples():
        extra = told.prompt(sample).sampling.max_tokens - few.prompt(sample).sampling.max_tokens
        assert extra in (28, 31)
        assert told.prompt(sample).conversation.messages[0].text.startswith(sample.question)
    with pytest.raises(UsageError, match="preset 'loud' is not one of plain, instructed"):
        CapabilitySuite(preset="loud")


def test_the_result_is_the_tree(few):
    records = [record(few, s, right(s) if not s.tags["ood"] else "nonsense") for s in few.samples()]
    records.append(Record(few.samples()[0], Answer(error="out of memory"), None))
    measures = few.aggregate(records)
    by_group = {(m.metric, m.group): m for m in measures}
    n = len(few.samples())
    outside = sum(s.tags["ood"] for s in few.samples())
    assert (measures[0].metric, measures[0].group, measures[0].n) == ("accuracy", "", n)
    assert measures[0].value == pytest.approx(1 - outside / n)
    assert by_group[GAP, ""].value == -1
    assert by_group["accuracy", "capability=perception/counting/mark/chart,ood=true"].value == 0
    assert by_group["accuracy", "form=choice"].value == 1
    assert by_group["accuracy", "variation=noisy"].value == 0
    assert by_group["accuracy", "variation=none"].value == 1
    leaves = {m.group for m in measures if m.group.count("/") == 3 and "," not in m.group}
    assert len(leaves) == 15
    assert few.aggregate([])[0].value is None


def test_a_suite_of_ones_own_parts():
    task = CapabilitySuite(parts=[Part("reading/text/printed/line", "text", 5, words="several")])
    assert all(len(sample.reference.split()) > 1 for sample in task.samples())
    assert [sample.id for sample in task.samples()] == [f"text-lines-{i:04d}" for i in range(5)]
    assert np.array(image(task.samples()[0])).ndim == 3
