"""Spans of a video: reading them, and tIoU, R@1 and mIoU."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.evaluation.metrics.temporal import read_span, temporal_grounding, tiou

spans = st.tuples(st.integers(0, 500), st.integers(0, 100)).map(lambda s: (float(s[0]), float(s[0] + s[1])))


@given(spans, spans)
def test_tiou_counts_seconds(a, b):
    inside_a, inside_b = set(range(int(a[0]), int(a[1]))), set(range(int(b[0]), int(b[1])))
    union = len(inside_a | inside_b)
    assert tiou(a, b) == pytest.approx(len(inside_a & inside_b) / union if inside_a and inside_b else 0.0)
    assert tiou(a, b) == tiou(b, a)


@given(spans)
def test_a_span_is_read_in_every_form(span):
    a, b = int(span[0]), int(span[1])
    clock = [f"{value // 60:02d}:{value % 60:02d}" for value in (a, b)]
    long = [f"{value // 3600}:{value % 3600 // 60:02d}:{value % 60:02d}" for value in (a, b)]
    words = [f"{value // 60} min {value % 60} s" for value in (a, b)]
    for text in (
        f"start time: {a}s, end time: {b}s",
        f"The event starts at {a} seconds and ends at {b} seconds.",
        f"Starting time: {a} s\nEnding time: {b} s",
        f'{{"start": {a}, "end": {b}}}',
        f'{{"end_time": {b}, "start_time": {a}}}',
        f"from {a} to {b} seconds",
        f"It happens at {a} - {b}s.",
        f"between {a} and {b} seconds",
        f"[{a}, {b}]",
        f"({a}.0, {b}.0)",
        f"{clock[0]} - {clock[1]}",
        f"starts at {clock[0]}, ends at {clock[1]}",
        f"from {long[0]} until {long[1]}",
        f"{words[0]} to {words[1]}",
        f"从{a}秒到{b}秒",
        f"开始时间：{a}秒，结束时间：{b}秒",
    ):
        assert read_span(text) == span, text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no idea",
        "3.5",
        "starts at 3 seconds",
        "3 9",
        "3, 9",
        "9 - 3",
        "0:75-0:80",
        "3 apples and 9 pears",
        "video_1",
        "at 3 s and 9 s",
        "50% - 60%",
        "start 9, end 3",
    ],
)
def test_no_span_is_read_rather_than_guessed(text):
    assert read_span(text) is None


def test_the_first_span_counts():
    assert read_span("3-9 s, or perhaps 20-30 s") == (3, 9)
    assert read_span("2 people walk at 3-9s") == (3, 9)
    assert read_span("It is 1 - 2 long: the start is at 5 s and the end at 8 s") == (5, 8)
    assert read_span("20.8 - 30.25 seconds") == (20.8, 30.25)
    assert read_span("5 - 5") == (5, 5)


def test_recall_and_mean():
    predicted = [(0.0, 10.0), (0.0, 5.0), None, (20.0, 30.0)]
    expected = [(0.0, 10.0), (0.0, 10.0), (0.0, 10.0), (0.0, 10.0)]
    measures = temporal_grounding(predicted, expected, groups={"set": ["a", "a", "b", "b"]})
    found = {(measure.metric, measure.group): measure.value for measure in measures}
    assert measures[0].metric == "mIoU"
    assert found["mIoU", ""] == pytest.approx(1.5 / 4)
    assert [found[f"R@1,IoU={t}", ""] for t in (0.3, 0.5, 0.7)] == [0.5, 0.5, 0.25]
    assert found["invalid_ratio", ""] == 0.25
    assert (found["mIoU", "set=a"], found["mIoU", "set=b"]) == (0.75, 0.0)
    with pytest.raises(ValueError, match="zip"):
        temporal_grounding([None], [])


@pytest.mark.parametrize("text", ["1 " * 10_000, "1-" * 10_000, "start 1 end " * 5_000, "1" * 30_000])
def test_repetitions_take_no_time(text):
    started = time.process_time()
    read_span(text)
    assert time.process_time() - started < 2
