"""The official frames: equal to a transcription of the official code, and decoded from real files."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vergence.errors import DataError
from vergence.evaluation.seed_bench.frames import (
    choose,
    frames_segment,
    official_indices,
    seconds_segment,
    spread,
    whole_video,
)

sys.path.insert(0, str(Path(__file__).parents[2] / "processing"))
from video_writer import number_of, write_video


def transcribed(n: int) -> list[int]:
    """get_index, line by line: numpy's rounding, float division, truncation."""
    if n < 8:
        return [*range(n)]
    seg = float(n - 1) / 8
    start = int(seg / 2)
    return [start + int(np.round(seg * i)) for i in range(8)]


def test_spread_equals_the_official_formula_for_every_length():
    assert all(spread(n) == transcribed(n) for n in range(-3, 6000))
    rng = random.Random(0)
    assert all(spread(n) == transcribed(n) for n in (rng.randrange(10**7) for _ in range(2000)))


def test_halves_round_to_even_and_eight_frames_repeat_one():
    assert spread(8) == [0, 1, 2, 3, 4, 4, 5, 6]
    assert spread(5) == [0, 1, 2, 3, 4]
    assert spread(13) == [0, 2, 3, 4, 6, 8, 9, 10]  # 1.5 i: 1.5 -> 2, 4.5 -> 4, 7.5 -> 8, 10.5 -> 10


def test_each_dimensions_frames_equal_the_official_code():
    rng = random.Random(1)
    for _ in range(4000):
        length, fps = rng.randrange(1, 4000), rng.choice([50.0, 59.94005994005994, 25.0, 30000 / 1001, 12.3])
        assert whole_video(length) == transcribed(length - 1)
        a, b = sorted(round(rng.uniform(0, 1.2 * length / fps), 2) for _ in range(2))
        first = int(min(max(a * fps, 0), length - 1))
        last = int(min(max(b * fps, 0), length - 1))
        expected = [x + first for x in transcribed(int(last - first))]
        assert seconds_segment(length, fps, a, b) == expected == official_indices(length, fps, [a, b])
        begin = rng.randrange(length)
        end = begin + rng.randrange(1, 600)
        expected = [x + begin for x in transcribed(min(end, length) - begin)]
        assert frames_segment(length, begin, end) == expected == official_indices(length, fps, [begin, end])
    assert official_indices(100, 25.0, None) == whole_video(100)


def test_frames_of_a_whole_file_are_decoded_with_their_times(tmp_path):
    write_video(tmp_path / "a.webm", 41, codec="libvpx", rate=10)
    chosen = choose(tmp_path / "a.webm")
    assert list(chosen.indices) == transcribed(40)
    assert [number_of(image) for image in chosen.frames.images] == transcribed(40)
    begin = chosen.indices[0]
    assert chosen.frames.seconds == pytest.approx([(i - begin) / 10 for i in chosen.indices])


def test_a_segment_in_seconds_uses_the_declared_rate(tmp_path):
    write_video(tmp_path / "a.mp4", 90, rate=Fraction(30000, 1001))
    chosen = choose(tmp_path / "a.mp4", [1.0, 2.5])
    assert [number_of(image) for image in chosen.frames.images] == seconds_segment(90, 30000 / 1001, 1.0, 2.5)


def test_a_segment_in_frames_is_cut_at_the_files_end(tmp_path):
    write_video(tmp_path / "a.avi", 40, codec="mpeg4", rate=15)
    chosen = choose(tmp_path / "a.avi", [10, 400])
    assert [number_of(image) for image in chosen.frames.images] == [10 + x for x in transcribed(30)]


def test_a_frame_that_is_taken_twice_is_shown_twice(tmp_path):
    write_video(tmp_path / "a.mp4", 20)
    chosen = choose(tmp_path / "a.mp4", [2, 10])
    assert [number_of(image) for image in chosen.frames.images] == [2, 3, 4, 5, 6, 6, 7, 8]
    assert list(chosen.frames.seconds) == sorted(chosen.frames.seconds)


@pytest.mark.parametrize("segment", [[30, 40], [5.0, 5.05]])
def test_a_segment_without_frames_is_named(tmp_path, segment):
    write_video(tmp_path / "a.mp4", 20)
    with pytest.raises(DataError, match=r"a\.mp4: no frames to look at in the segment .* the file has 20 frames"):
        choose(tmp_path / "a.mp4", segment)


def test_a_missing_and_a_broken_video_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        choose(tmp_path / "gone.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"not a video at all")
    with pytest.raises(DataError, match=r"bad\.mp4"):
        choose(tmp_path / "bad.mp4")


DECORD = """
import json, sys
from decord import VideoReader, cpu
found = []
for path, indices in json.load(sys.stdin):
    reader = VideoReader(path, num_threads=1, ctx=cpu(0))
    rows = reader.get_batch(indices).asnumpy()
    row = rows[:, rows.shape[1] // 2, :, 1]
    found.append([len(reader), reader.get_avg_fps(), row.tolist()])
json.dump(found, sys.stdout)
"""


@pytest.mark.skipif(importlib.util.find_spec("decord") is None, reason="decord, the official decoder, isn't installed")
def test_decord_shows_the_same_frames(tmp_path):
    rates = [Fraction(10), Fraction(30000, 1001), Fraction(50)]
    cases = []
    for number, rate in enumerate(rates):
        path = tmp_path / f"{number}.mp4"
        write_video(path, 70, rate=rate)
        cases.append((path, rate, choose(path, [0.2, 1.1])))
    asked = json.dumps([[str(path), list(chosen.indices)] for path, _, chosen in cases])
    run = subprocess.run([sys.executable, "-c", DECORD], input=asked, capture_output=True, text=True, check=True)
    for (_, rate, chosen), (length, fps, rows) in zip(cases, json.loads(run.stdout), strict=True):
        assert (length, fps) == (70, float(rate))
        assert list(chosen.indices) == seconds_segment(length, fps, 0.2, 1.1)
        for image, row in zip(chosen.frames.images, rows, strict=True):
            assert np.abs(np.asarray(image)[image.height // 2, :, 1].astype(int) - row).max() <= 8
