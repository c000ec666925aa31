"""Which frames of a video a task looks at, by each published rule."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.evaluation.tasks.frames import at_ends, at_rate, centres, choose, cut, inner

sys.path.insert(0, str(Path(__file__).parents[2] / "processing"))
from video_writer import number_of, write_video

RULES = ("ends", "inner", "centres", "rate")


@given(st.integers(1, 3000), st.integers(1, 80))
def test_the_rules_are_the_published_formulas(frames, count):
    assert at_ends(frames, count) == sorted(set(np.linspace(0, frames - 1, count, dtype=int).tolist()))
    step = frames / (count + 1)
    assert inner(frames, count) == sorted({int(i * step) for i in range(1, count + 1)})
    part = float(frames - 1) / count
    assert centres(frames, count) == sorted({int(part / 2 + np.round(part * i)) for i in range(count)})


def test_the_same_number_of_frames_is_not_the_same_frames():
    assert at_ends(100, 4) == [0, 33, 66, 99]
    assert inner(100, 4) == [20, 40, 60, 80]
    assert centres(100, 4) == [12, 37, 62, 86]
    assert at_ends(2, 32) == [0, 1]
    assert at_ends(50, 1) == [0]
    assert at_ends(295, 73)[60] == 244  # 294 * 60 / 72 is 245, and numpy's product a hair less


def test_a_rate_takes_what_is_on_show():
    seconds = [index / 10 for index in range(50)]
    assert at_rate(seconds, 1, 64) == [0, 10, 20, 30, 40]
    assert at_rate(seconds, 1, 3) == [0, 20, 40]
    assert at_rate(seconds, 100, 64) == list(range(50))
    assert at_rate([0.0, 0.9, 5.0], 1, 64) == [0, 1, 2]
    assert at_rate([], 1, 4) == []


@given(
    st.sampled_from(RULES),
    st.integers(1, 300),
    st.integers(1, 40),
    st.one_of(st.none(), st.floats(0, 40)),
    st.one_of(st.none(), st.floats(0, 40)),
)
def test_a_part_of_a_video_gives_frames_of_that_part(rule, frames, count, start, end):
    seconds = [index / 10 for index in range(frames)]
    chosen = choose(seconds, rule, count, 2.0, start, end)
    assert chosen == sorted(set(chosen))
    assert 1 <= len(chosen) <= max(count, 1)
    inside = [i for i, s in enumerate(seconds) if (start or 0) - 1e-6 <= s <= (1e9 if end is None else end) + 1e-6]
    if inside:
        assert set(chosen) <= set(inside)
    else:
        assert len(chosen) == 1


def test_between_two_frames_the_one_on_show_is_taken():
    assert choose([0.0, 1.0, 2.0], "ends", 4, start=1.4, end=1.6) == [1]
    assert choose([0.0, 1.0, 2.0], "ends", 4, start=9.0, end=9.5) == [2]


def test_frames_are_decoded_with_their_times():
    file = io.BytesIO()
    write_video(file, 20, container="mp4", rate=10)
    video = cut(file.getvalue(), "ends", 3, start=0.5, end=1.5).video
    assert [number_of(image) for image in video.images] == [5, 10, 15]
    assert video.seconds == pytest.approx((0.5, 1.0, 1.5))
