"""Which frames are chosen: equal to the published rule, written out naively here, and sound where rates vary."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vergence.errors import DataError, UsageError
from vergence.processing.video import BUDGET, LEVELS, FrameSample, frame_size, sample_dynamic, sample_uniform, timestamp

RATES = [Fraction(10), Fraction(25, 2), Fraction(24_000, 1001), Fraction(25), Fraction(30_000, 1001), Fraction(60)]


def constant(count: int, rate: Fraction) -> list[float]:
    return (np.arange(count) * rate.denominator / rate.numerator).tolist()


def published(count: int, rate: Fraction, fps: float) -> tuple[list[int], int]:
    """The rule as Seed1.5-VL's demo has it: over indices, at one rate."""
    n = min(max(math.ceil(Fraction(count) / rate * Fraction(fps)), 16), count)
    indices = [int(x) for x in np.linspace(0, count - 1, n).round()]
    for level in (640, 512, 384, 256, 160, 128):
        if len(indices) * level <= 81_920:
            return indices, level
    return [int(x) for x in np.linspace(0, count - 1, 640).round()], 128


def documented(times: list[float], duration: float, fps: float) -> tuple[list[int], int]:
    """The same for any times, frame by frame, as the docstring tells it."""
    count = len(times)
    least = min(16, count)

    def shown(n: int) -> list[int]:
        by_index = [int(x) for x in np.linspace(0, count - 1, n).round()]
        step = times[-1] / (count - 1) if count > 1 else 0.0
        found: list[int] = []
        for i in by_index:
            latest = 0
            while latest + 1 < count and times[latest + 1] <= i * step + min(0.01, step / 2):
                latest += 1
            if latest not in found:
                found.append(latest)
        return found if len(found) >= least else [int(x) for x in np.linspace(0, count - 1, least).round()]

    chosen = shown(min(max(math.ceil(duration * fps - 1e-6), 16), count))
    for level in (640, 512, 384, 256, 160, 128):
        if len(chosen) * level <= 81_920:
            return chosen, level
    return shown(640), 128


@given(st.integers(1, 8000), st.sampled_from(RATES), st.sampled_from([0.5, 1, 2, 5]))
@example(5, Fraction(10), 1)  # half a second
@example(10_800, Fraction(1), 1)  # three hours
@example(3 * 3600 * 30, Fraction(30), 5)
@example(128 * 30, Fraction(30), 1)  # the most that fits at the highest level, and one second more
@example(129 * 30, Fraction(30), 1)
@example(640 * 30, Fraction(30), 1)  # the same for the lowest level
@example(641 * 30, Fraction(30), 1)
def test_a_constant_rate_gives_the_published_indices(count: int, rate: Fraction, fps: float) -> None:
    indices, level = published(count, rate, fps)
    sample = sample_dynamic(constant(count, rate), float(count / rate), fps=fps)
    assert list(sample.indices) == indices
    assert sample.level == level
    assert list(sample.timestamps) == [f"[{round(float(i / rate), 1)} second]" for i in indices]
    assert sample.tokens == len(indices) * level <= 81_920
    assert len(indices) >= min(16, count)


@pytest.mark.parametrize(("rate", "clock"), [(24, 100), (25, 100), (30, 100), (30, 1000), (60, 1000), (120, 1000)])
@pytest.mark.parametrize("count", [7, 100, 1201, 4001])
def test_the_rounding_of_a_clock_changes_nothing(rate: int, clock: int, count: int) -> None:
    rounded = [round(i * clock / rate) / clock for i in range(count)]
    indices, level = published(count, Fraction(rate), 2)
    assert sample_dynamic(rounded, count / rate, fps=2) == FrameSample(
        tuple(indices), tuple(rounded[i] for i in indices), level
    )


gaps = st.lists(st.one_of(st.floats(0.01, 0.1), st.floats(0.01, 40)), min_size=0, max_size=120)


@given(gaps, st.floats(0.01, 5), st.sampled_from([0.1, 1, 5]))
@example([0.02] * 99 + [600.0], 1.0, 1)  # a burst, then nothing for ten minutes
@example([600.0] + [0.02] * 99, 1.0, 1)
def test_a_varying_rate_goes_by_what_is_on_show(gaps: list[float], rest: float, fps: float) -> None:
    times = [0.0, *np.cumsum(gaps).tolist()]
    sample = sample_dynamic(times, times[-1] + rest, fps=fps)
    indices, level = documented(times, times[-1] + rest, fps)
    assert list(sample.indices) == indices
    assert sample.level == level
    assert list(sample.indices) == sorted(set(sample.indices))
    assert len(sample.indices) >= min(16, len(times))
    assert sample.seconds == tuple(times[i] for i in indices)


def test_thinning_goes_by_what_is_on_show() -> None:
    times = np.cumsum([0.0, *[0.5, 3.0] * 500]).tolist()
    sample = sample_dynamic(times, times[-1] + 1)
    assert (list(sample.indices), sample.level) == documented(times, times[-1] + 1, 1)
    assert sample.level == 128
    assert len(sample.indices) <= 640


def test_a_still_is_looked_at_once() -> None:
    """A minute of one picture, then 40 s of movement at 10 a second: one frame of the first, one a second after."""
    times = [0.0, *(60 + i / 10 for i in range(400))]
    sample = sample_dynamic(times, 100.0)
    assert sample.indices[0] == 0
    assert len(sample.indices) <= 42
    assert np.diff(sample.seconds[1:]).max() <= 1.5


def test_levels_budget_and_least_frames_can_be_others() -> None:
    sample = sample_dynamic(constant(100, Fraction(10)), 10.0, levels=(16, 9, 4), budget=90, min_frames=2)
    assert (len(sample.indices), sample.level, sample.tokens) == (10, 9, 90)
    sample = sample_dynamic(constant(100, Fraction(10)), 10.0, levels=(16, 9), budget=40, min_frames=16)
    assert (sample.indices, sample.level) == ((0, 33, 66, 99), 9)


@given(st.integers(1, 3000), st.integers(1, 64))
def test_uniform_is_linspace_rounded_down(count: int, frames: int) -> None:
    sample = sample_uniform(constant(count, Fraction(30)), frames)
    assert list(sample.indices) == [int(x) for x in np.linspace(0, count - 1, min(frames, count))]
    assert list(sample.seconds) == [i / 30 for i in sample.indices]
    assert sample.level is None
    assert len(set(sample.indices)) == len(sample.indices)


def test_timestamps() -> None:
    assert [timestamp(t) for t in (0, 1.5, 1.54, 10799.96)] == [
        "[0.0 second]",
        "[1.5 second]",
        "[1.5 second]",
        "[10800.0 second]",
    ]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (640, 360), (321, 243), (64, 48), (16, 16), (3000, 100)])
def test_frame_size_is_the_published_one(size: tuple[int, int], level: int) -> None:
    width, height = size
    w, h = max(28, round(width / 28) * 28), max(28, round(height / 28) * 28)
    if w * h > level * 784:
        beta = math.sqrt(width * height / (level * 784))
        w, h = max(28, math.floor(width / beta / 28) * 28), max(28, math.floor(height / beta / 28) * 28)
    elif w * h < 4 * 784:
        beta = math.sqrt(4 * 784 / (width * height))
        w, h = math.ceil(width * beta / 28) * 28, math.ceil(height * beta / 28) * 28
    assert frame_size(width, height, level) == (w, h)
    assert w * h // 784 <= level


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([1, 2, 4, 16, *LEVELS]))
def test_a_frame_never_takes_more_than_its_level(width: int, height: int, level: int) -> None:
    w, h = frame_size(width, height, level, max_aspect=math.inf)
    assert (w % 28, h % 28) == (0, 0)
    assert w * h // 784 <= level
    assert BUDGET == 81_920


def test_errors() -> None:
    times = constant(20, Fraction(10))
    with pytest.raises(DataError, match="aspect ratio"):
        frame_size(2010, 10, 640)
    for bad in ({"fps": 0.0}, {"fps": math.nan}, {"levels": ()}, {"levels": (128, 640)}, {"budget": 100}):
        with pytest.raises(UsageError):
            sample_dynamic(times, 2.0, **bad)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="min_frames 0"):
        sample_dynamic(times, 2.0, min_frames=0)
    with pytest.raises(UsageError, match="0 frames"):
        sample_uniform(times, 0)
    for empty in (lambda: sample_dynamic([], 0.0), lambda: sample_uniform([], 4)):
        with pytest.raises(ValueError, match="at least one frame"):
            empty()
