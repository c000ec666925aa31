"""Live video: at most the wanted rate, never more than the budget, and frames before the stream has ended."""

from __future__ import annotations

import io
import os
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from video_writer import drawing, number_of, write_video

from vergence.errors import DataError, UsageError
from vergence.processing.video import frame_size
from vergence.processing.video_container import VideoLimits
from vergence.processing.video_stream import LiveVideo, follow

WEBM: dict[str, Any] = {
    "container": "webm",
    "codec": "libvpx-vp9",
    "options": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "g": "10"},
    "container_options": {"live": "1", "cluster_time_limit": "500"},
}
FRAGMENTED: dict[str, Any] = {
    "container": "mp4",
    "options": {"tune": "zerolatency", "g": "10"},
    "container_options": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
}


def seconds_of(live: LiveVideo) -> list[float]:
    return [float(text[1:].split()[0]) for text, _ in live.parts()]


def feed(live: LiveVideo, count: int, rate: float) -> None:
    image = Image.new("RGB", (28, 56))
    for i in range(count):
        live.add(image, i / rate)


class Slow(io.RawIOBase):
    """A stream that gives a little at a time and remembers how much it has given."""

    def __init__(self, content: bytes) -> None:
        self.content, self.given = content, 0

    def read(self, size: int = -1) -> bytes:
        part = self.content[self.given : self.given + min(size, 200)]
        self.given += len(part)
        return part


def test_frames_come_with_their_times_at_the_wanted_rate() -> None:
    live = LiveVideo(fps=2)
    taken = [i for i in range(31) if live.add(Image.fromarray(drawing(i, (64, 32))), i / 10)]
    assert taken == [0, 5, 10, 15, 20, 25, 30]
    assert [text for text, _ in live.parts()] == [f"[{i / 10} second]" for i in taken]
    assert [number_of(image) for _, image in live.parts()] == taken
    assert {(image.mode, image.size) for _, image in live.parts()} == {("RGB", frame_size(64, 32, 640))}
    assert live.tokens == 7 * 640


def test_the_first_frame_need_not_come_at_zero() -> None:
    live = LiveVideo()
    taken = [
        t for t in (100.4, 100.9, 101.39, 101.4, 102.5, 102.6, 105.0, 105.3) if live.add(Image.new("L", (9, 9)), t)
    ]
    assert taken == [100.4, 101.4, 102.5, 105.0]


def test_large_frames_are_kept_small() -> None:
    live = LiveVideo(level=128)
    live.add(Image.new("RGBA", (1920, 1080)), 0)
    ((_, image),) = live.parts()
    assert (image.mode, image.size) == ("RGB", frame_size(1920, 1080, 128))


def test_past_the_budget_every_second_frame_of_the_older_half_goes() -> None:
    live = LiveVideo()
    feed(live, 128, 1)
    assert (seconds_of(live), live.tokens) == ([float(i) for i in range(128)], 81_920)
    live.add(Image.new("RGB", (28, 56)), 128)
    assert seconds_of(live) == [*(float(i) for i in range(0, 64, 2)), *(float(i) for i in range(64, 129))]


@given(st.integers(1, 40), st.integers(1, 400))
def test_the_budget_always_holds_and_the_newest_frames_are_there(capacity: int, count: int) -> None:
    live = LiveVideo(level=1, budget=capacity)
    feed(live, count, 1)
    kept = seconds_of(live)
    assert live.tokens == len(kept) <= capacity
    assert kept == sorted(set(kept))
    newest = min(count, max(1, capacity // 2))
    assert kept[-newest:] == [float(i) for i in range(count - newest, count)]
    if capacity >= 3:
        assert kept[0] == 0
    assert len(kept) >= min(count, capacity // 2)


@pytest.mark.parametrize("kind", [WEBM, FRAGMENTED], ids=["webm", "mp4"])
def test_follow_gives_frames_as_they_come(kind: dict[str, Any]) -> None:
    whole = io.BytesIO()
    write_video(whole, 300, **kind)
    stream = Slow(whole.getvalue())
    shares = []
    found = []
    for image, seconds in follow(stream, fps=5):  # type: ignore[arg-type]
        shares.append(stream.given / len(whole.getvalue()))
        found.append((number_of(image), round(seconds, 3)))
    assert found == [(i, i / 10) for i in range(0, 300, 2)]
    assert shares[0] < 0.35
    assert shares[75] < 0.75
    assert shares == sorted(shares)


def test_follow_reads_a_pipe_into_a_live_video() -> None:
    whole = io.BytesIO()
    write_video(whole, 50, **WEBM)
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(whole.getvalue())

    writer = threading.Thread(target=write)
    writer.start()
    live = LiveVideo(fps=1)
    with os.fdopen(reading, "rb") as file:
        for image, seconds in follow(file, fps=1):
            live.add(image, seconds)
    writer.join()
    assert [(text, number_of(image)) for text, image in live.parts()] == [(f"[{i}.0 second]", 10 * i) for i in range(5)]


def test_a_stream_that_breaks_off_ends() -> None:
    whole = io.BytesIO()
    write_video(whole, 100, **WEBM)
    cut = whole.getvalue()[: len(whole.getvalue()) // 2]
    found = [number_of(image) for image, _ in follow(io.BytesIO(cut), fps=10)]
    assert found == list(range(len(found)))
    assert 20 < len(found) < 80


def test_errors() -> None:
    for content in (b"", b"#EXTM3U\nsecret.mp4\n", bytes(100)):
        with pytest.raises(DataError, match=r"^live video: not a video in a known format"):
            list(follow(io.BytesIO(content)))
    whole = io.BytesIO()
    write_video(whole, 10, **WEBM)
    with pytest.raises(DataError, match=r"^cam: frames of 64x32 pixels, more than the limit of 100$"):
        list(follow(io.BytesIO(whole.getvalue()), limits=VideoLimits(max_pixels=100), name="cam"))
    live = LiveVideo()
    live.add(Image.new("RGB", (9, 9)), 5)
    with pytest.raises(DataError, match=r"a frame at 4 s after one at 5 s"):
        live.add(Image.new("RGB", (9, 9)), 4)
    with pytest.raises(DataError, match="aspect ratio"):
        live.add(Image.new("RGB", (900, 2)), 9)
    for bad in ({"fps": 0}, {"level": 0}, {"level": 640, "budget": 639}):
        with pytest.raises(UsageError):
            LiveVideo(**bad)  # type: ignore[arg-type]
