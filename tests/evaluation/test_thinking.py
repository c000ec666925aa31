"""What thinking costs: cut-off thoughts and token counts."""

from __future__ import annotations

import pytest

from vergence.evaluation.results import task_result
from vergence.evaluation.task import Answer, Record, Sample, TaskOptions, Verdict
from vergence.evaluation.tasks.catalogue import open_task
from vergence.evaluation.thinking import (
    THOUGHT_TOKENS,
    thinking_measures,
    thinking_share,
    thought_truncated,
    token_means,
    truncated_thought_rate,
)


def records(*answers):
    return [
        Record(Sample(str(n), "?"), answer, None if answer.error else Verdict({"accuracy": 0.0}))
        for n, answer in enumerate(answers)
    ]


WHOLE = Answer("5", thought="2 and 3", prompt_tokens=10, thought_tokens=4, answer_tokens=1)
CUT = Answer("", thought="2 and", finish_reason="length", prompt_tokens=20, thought_tokens=6, answer_tokens=0)
LONG = Answer("5 because", thought="2 and 3", finish_reason="length", prompt_tokens=30)
DIRECT = Answer("5", finish_reason="length", image_tokens=7)
FAILED = Answer(thought="x", finish_reason="error", error="gone")


@pytest.mark.parametrize(
    ("answer", "truncated"), [(WHOLE, False), (CUT, True), (LONG, False), (DIRECT, None), (FAILED, None)]
)
def test_a_thought_is_truncated_where_nothing_stands_behind_it(answer, truncated):
    assert thought_truncated(answer) is truncated


def test_rates_and_means_count_what_they_can():
    some = records(WHOLE, CUT, LONG, DIRECT, FAILED)
    rate = truncated_thought_rate(some)
    assert (rate.metric, rate.value, rate.n) == ("truncated_thoughts", pytest.approx(1 / 3), 3)
    share = thinking_share(some)
    assert (share.value, share.n) == (0.75, 4)
    means = {measure.metric: (measure.value, measure.n) for measure in token_means(some)}
    assert means == {
        "prompt_tokens": (20.0, 3),
        "image_tokens": (7.0, 1),
        "thought_tokens": (5.0, 2),
        "answer_tokens": (0.5, 2),
    }


def test_nothing_counted_is_not_zero():
    assert truncated_thought_rate(records(DIRECT)).value is None
    assert [measure.value for measure in thinking_measures([])] == [None] * 6


def test_a_result_holds_the_rate_where_anything_thought():
    task = open_task("digit", TaskOptions(), limit=2)
    found = task_result(task, records(WHOLE, CUT, LONG, DIRECT, FAILED), "digit.jsonl")
    assert found["truncated_thoughts"] == 1
    rates = {measure["metric"]: measure["value"] for measure in found["thinking"]}
    assert (rates["thinking"], rates["truncated_thoughts"]) == (3 / 4, 1 / 3)
    assert found["tokens"]["thought"] == rates["thought_tokens"] == 5
    silent = task_result(task, records(DIRECT), "digit.jsonl")
    assert (silent["truncated_thoughts"], silent["thinking"]) == (None, [])


@pytest.mark.parametrize("name", ["digit", "capabilities", "needle-text", "needle-video"])
def test_a_task_without_a_wording_for_it_is_asked_with_the_switch(name):
    plain, thinking, direct = (open_task(name, TaskOptions(thinking=t), limit=2) for t in (None, True, False))
    sample = plain.samples()[0]
    prompts = [task.prompt(sample) for task in (plain, thinking, direct)]
    assert [prompt.thinking for prompt in prompts] == [None, True, False]
    room = [prompt.sampling.max_tokens for prompt in prompts]
    assert room == [room[0], room[0] + THOUGHT_TOKENS, room[0]]
    assert (thinking.name, thinking.samples()[0].id) == (plain.name, sample.id)
    assert thinking.definition() == {**plain.definition(), "thinking": True}
