"""Videos that are written: read back by the project's own reader, the same bytes in every process, nothing secret."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vergence.errors import UsageError
from vergence.processing.video_file import decode_frames, read_index
from vergence.processing.video_writer import GROUP, encode_video


def drawn(count: int = 40, size: tuple[int, int] = (96, 64)) -> list[Image.Image]:
    frames = []
    for number in range(count):
        image = Image.new("RGB", size, (230, 235, 228))
        ImageDraw.Draw(image).rectangle((number, 20, number + 16, 36), fill=(215, 30, 35))
        frames.append(image)
    return frames


def rolling() -> list[Image.Image]:
    """Balls on a plain ground, whose sides are no multiples of an encoder's blocks of 16."""
    frames = []
    for number in range(60):
        image = Image.new("RGB", (216, 168), (70, 60, 50))
        pen = ImageDraw.Draw(image)
        pen.rectangle((8, 8, 207, 159), fill=(230, 235, 228))
        for x, y, colour in (
            (2 * number, 3 * number % 140, "red"),
            (190 - 3 * number, 60, "blue"),
            (150, 120, "black"),
        ):
            pen.ellipse((x, y, x + 24, y + 24), fill=colour)
        frames.append(image)
    return frames


@pytest.mark.parametrize("fps", [1, 8, 10, 25])
def test_every_frame_comes_back_at_its_time(fps):
    frames = drawn()
    data = encode_video(frames, fps)
    index = read_index(data)
    assert (len(index), index.size, index.codec, index.container) == (40, (96, 64), "h264", "mov")
    assert np.allclose(index.seconds, np.arange(40) / fps, atol=1e-3)
    assert index.duration == pytest.approx(40 / fps, abs=1e-3)
    assert len(index.keys) == -(-40 // GROUP)
    for before, after in zip(frames, decode_frames(data, index, range(40)), strict=True):
        difference = np.abs(np.asarray(before, int) - np.asarray(after, int))
        assert difference.mean() < 3
    red = [np.asarray(frame)[28, :, 1] < 120 for frame in decode_frames(data, index, range(40))]
    assert [round(row.nonzero()[0].mean() - 8) for row in red] == list(range(40))


def test_lower_quality_takes_less():
    assert len(encode_video(drawn(), 10, quality=40)) < len(encode_video(drawn(), 10, quality=10))


@pytest.mark.parametrize("garbage", ["0", "1", "170"])
def test_the_bytes_are_those_of_another_process(garbage):
    """With other hashing of strings, another time zone, and other garbage in the memory that C code is given."""
    code = "import hashlib, test_video_writer as t\nprint(hashlib.sha256(t.encode_video(t.rolling(), 10)).hexdigest())"
    expected = hashlib.sha256(encode_video(rolling(), 10)).hexdigest()
    changed = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "MALLOC_PERTURB_": garbage}
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__), **changed}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == expected


def test_it_names_no_program_and_no_date():
    data = encode_video(drawn(4), 10)
    assert b"Lavf" not in data
    header = data.index(b"mvhd")
    assert data[header + 4 : header + 16] == bytes(12), "version 0, no time of creation or change"


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        ([], 10, "at least one frame"),
        (drawn(2), 0, "at least 1 frame a second"),
        (drawn(2, (97, 64)), 10, "even, got 97x64"),
        ([*drawn(1), *drawn(1, (64, 64))], 10, "one size"),
    ],
)
def test_what_is_no_video_is_refused(frames, fps, message):
    with pytest.raises(UsageError, match=message):
        encode_video(frames, fps)
