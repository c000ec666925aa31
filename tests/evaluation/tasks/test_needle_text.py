"""The needle in a text: where it lies, how long the text is, what counts as found."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vergence.errors import UsageError
from vergence.evaluation.capabilities import check_samples
from vergence.evaluation.task import Answer, Record, fingerprint
from vergence.evaluation.tasks.needle import NAMES, NEEDLE, SENTENCES, NeedleText, count_words


def prompt_text(task, sample):
    (message,) = task.prompt(sample).conversation.messages
    return message.text


def needle_of(sample):
    return NEEDLE.format(name=sample.tags["name"], number=sample.tags["number"])


def test_prompts_have_their_length_and_their_needle_lies_where_it_should():
    task = NeedleText(lengths=[200, 1000, 20_000], depths=[0, 0.1, 0.5, 0.75, 1], repeats=2)
    samples = task.samples()
    assert len(samples) == 30
    check_samples(samples)
    longest = max(map(count_words, SENTENCES)) + 4
    for sample in samples:
        length, depth = sample.tags["length"], sample.tags["depth"]
        text = prompt_text(task, sample)
        assert length - longest < count_words(text) <= length
        haystack = task.haystack(sample)
        assert haystack.count(needle_of(sample)) == 1
        before = count_words(haystack[: haystack.index(needle_of(sample))])
        around = count_words(haystack) - count_words(needle_of(sample))
        assert abs(before - depth * around) <= longest / 2 + 1
        assert haystack.startswith(needle_of(sample)) == (depth == 0)
        assert haystack.endswith(needle_of(sample)) == (depth == 1)
        assert re.findall(r"\d+", haystack) == [str(sample.tags["number"])]
        assert text.endswith(sample.question)
        assert sample.tags["name"] in sample.question
        assert str(sample.tags["number"]) not in sample.question


def test_it_is_always_the_same_and_cells_differ():
    grid = {"lengths": [300, 600], "depths": [0, 1], "repeats": 3}
    first, again, other = NeedleText(**grid), NeedleText(**grid), NeedleText(**grid, seed=1)
    texts = [prompt_text(first, sample) for sample in first.samples()]
    # Asked for in another order, and after others.
    assert texts == [prompt_text(again, sample) for sample in reversed(again.samples())][::-1]
    assert len(set(texts)) == len(texts)
    assert len({s.tags["number"] for s in first.samples()}) >= 11
    assert texts != [prompt_text(other, sample) for sample in other.samples()]
    assert fingerprint(first) == fingerprint(again)
    assert (
        len({fingerprint(t) for t in (first, other, NeedleText(**grid, distractors=2), NeedleText(**grid, unit="x"))})
        == 4
    )
    # A cell's questions don't depend on which other cells are asked.
    alone = NeedleText(lengths=[600], depths=[1], repeats=1)
    (sample,) = alone.samples()
    assert sample in first.samples()
    assert prompt_text(alone, sample) == prompt_text(first, sample)


def test_a_tokenizer_counts_the_length():
    task = NeedleText(lengths=[2000], depths=[0.5], repeats=1, count=len, unit="characters")
    text = prompt_text(task, task.samples()[0])
    assert 1900 < len(text) <= 2000


def test_distractors_are_of_the_kind_and_about_others():
    task = NeedleText(lengths=[500], depths=[0.5], repeats=5, distractors=4)
    for sample in task.samples():
        text = task.haystack(sample)
        told = re.findall(NEEDLE.format(name=r"(\w+)", number=r"(\d+)"), text)
        assert len({name for name, _ in told}) == 5
        assert (sample.tags["name"], str(sample.tags["number"])) in told
        assert count_words(prompt_text(task, sample)) <= 500


@settings(max_examples=30)
@given(st.integers(1, 5), st.floats(0, 1), st.integers(80, 400))
def test_any_grid_can_be_built(repeats, depth, length):
    task = NeedleText(lengths=[length], depths=[depth], repeats=repeats)
    for sample in task.samples():
        assert needle_of(sample) in task.haystack(sample)
        assert count_words(prompt_text(task, sample)) <= length


def test_the_fact_has_to_stand_in_the_answer():
    task = NeedleText(lengths=[200], depths=[0], repeats=1)
    (sample,) = task.samples()
    number = sample.tags["number"]
    for right in (f"{number}", f"The number is {number}.", f"**{number}**", f"{number:,}"):
        assert task.score(sample, Answer(right)).scores == {"accuracy": 1}
    for wrong in (f"1{number}", f"{number}0", f"{str(number)[:4]}", "I don't know."):
        assert task.score(sample, Answer(wrong)).scores == {"accuracy": 0}
    assert task.score(sample, Answer("  ")).valid is False
    assert task.score(sample, Answer("no")).valid is True


def test_the_result_is_a_grid_with_its_worst_cell():
    task = NeedleText(lengths=[200, 400], depths=[0, 0.5], repeats=4)
    records = []
    for sample in task.samples():
        cell = sample.tags["length"], sample.tags["depth"]
        found = cell != (400, 0.5) or sample.id.endswith("-0")
        answer = Answer(str(sample.tags["number"]) if found else "?")
        records.append(Record(sample, answer, task.score(sample, answer)))
    records.append(Record(task.samples()[0], Answer(error="too long"), None))
    by_group = {(m.metric, m.group): m for m in task.aggregate(records)}
    first = task.aggregate(records)[0]
    assert (first.metric, first.group, first.value, first.n) == ("accuracy", "", 13 / 16, 16)
    assert by_group["min_accuracy", ""].value == 0.25
    cells = {group: m for (metric, group), m in by_group.items() if "," in group}
    assert set(cells) == {f"length={length},depth={depth}" for length in (200, 400) for depth in ("0", "0.5")}
    assert (cells["length=400,depth=0.5"].value, cells["length=400,depth=0.5"].n) == (0.25, 4)
    assert cells["length=400,depth=0.5"].high < 0.8
    assert by_group["accuracy", "length=200"].value == 1
    assert by_group["accuracy", "depth=0.5"].value == pytest.approx(5 / 8)
    assert [(m.metric, m.value) for m in task.aggregate([])] == [("accuracy", None), ("min_accuracy", None)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lengths": []}, "lengths"),
        ({"lengths": [300, 300]}, "different"),
        ({"lengths": [0]}, "at least 1"),
        ({"lengths": [20]}, "the length 20 is too short; at least"),
        ({"depths": [0, 1.5]}, "from 0 to 1"),
        ({"depths": []}, "depths"),
        ({"repeats": 0}, "at least 1"),
        ({"distractors": 24}, "0 to 23"),
    ],
)
def test_impossible_grids_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        NeedleText(**options)


def test_the_shortest_length_works():
    with pytest.raises(UsageError) as caught:
        NeedleText(lengths=[20])
    least = int(str(caught.value).split("at least ")[1].split()[0])
    task = NeedleText(lengths=[least], depths=[0, 1], repeats=1)
    assert all(needle_of(sample) in task.haystack(sample) for sample in task.samples())
    # Names are one word each, so that every needle is as long as the next.
    assert {count_words(name) for name in NAMES} == {1}
