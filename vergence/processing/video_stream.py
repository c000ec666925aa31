"""Live video: frames are fed as they come, and the newest state is ready for the next request at any time.

```
pipe, growing recording ─▶ follow ─┐
camera, screen: (picture, seconds) ┴▶ LiveVideo: at most fps, one level, one budget ─▶ ("[1.5 second]", picture), ...
```

Seed1.5-VL's live mode looks at every frame with the highest level (ByteDance-Seed/Seed1.5-VL, live-stream demo).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

from vergence.errors import DataError, UsageError
from vergence.processing import video_headers
from vergence.processing.image import resize
from vergence.processing.video import BUDGET, LEVELS, frame_size, timestamp
from vergence.processing.video_container import (
    DEFAULT_LIMITS,
    VideoLimits,
    check_pixels,
    demuxer,
    load_pyav,
    to_rgb,
    upright_transpose,
)


class LiveVideo:
    """The frames of a running video that the next request shows: at most `fps` a second, each of `level` tokens.

    Past the budget, every second frame of the older half is dropped (the first stays). So the newer half is always
    there at the full rate, the past gets sparser with its age and never vanishes, and the frames of consecutive
    requests begin alike but right after such a drop, so that cached prefixes stay of use.
    """

    def __init__(self, *, fps: float = 1.0, level: int = LEVELS[0], budget: int = BUDGET, factor: int = 28) -> None:
        if level < 1 or budget < level:
            raise UsageError(f"level {level}, budget {budget}: the budget must hold at least one frame")
        self.level = level
        self.capacity = budget // level
        self._factor = factor
        self._pace = _Pace(fps)
        self._frames: list[tuple[float, Image.Image]] = []

    def add(self, image: Image.Image, seconds: float) -> bool:
        """Take a frame, at `seconds` of the stream; False where it comes too soon after the last and isn't kept.

        Frames are kept resized to the level, as RGB. Raises `DataError` for a time before the last one, or a frame
        that `frame_size` refuses.
        """
        if not self._pace.due(seconds):
            return False
        size = frame_size(*image.size, self.level, factor=self._factor)
        self._frames.append((seconds, resize(image.convert("RGB"), size)))
        if len(self._frames) > self.capacity:
            older = len(self._frames) // 2
            self._frames = (self._frames[:older:2] + self._frames[older:])[-self.capacity :]
        return True

    def parts(self) -> list[tuple[str, Image.Image]]:
        """(text, picture) of every kept frame, oldest first: what a request shows."""
        return [(timestamp(seconds), image) for seconds, image in self._frames]

    @property
    def tokens(self) -> int:
        """What the budget counts: kept frames times level."""
        return len(self._frames) * self.level


def follow(
    file: BinaryIO, *, fps: float = 1.0, limits: VideoLimits = DEFAULT_LIMITS, name: str = "live video"
) -> Iterator[tuple[Image.Image, float]]:
    """Yield (picture, seconds from the first frame) at most `fps` times a second, as the stream arrives.

    `file` is read and never sought: a pipe, a socket's file, standard input, or any object whose `read` waits for more
    and returns b"" at the end. The container must be one that is written as it goes: WebM, MKV or fragmented MP4.
    Broken frames are passed over, since a live picture comes back. Of the limits, only the pixels of a frame hold.
    Raises `DataError` for another kind of stream.
    """
    pace = _Pace(fps)
    pipe = _Pipe(file)
    kind = video_headers.container_of(pipe.start)
    if kind is None:
        raise DataError(f"{name}: not a video in a known format, expected {video_headers.EXPECTED}")
    av = load_pyav()
    with demuxer(pipe, kind, name, limits, live=True) as video:  # type: ignore[arg-type]  # all that PyAV needs
        first: int | None = None
        for packet in video.container.demux(video.stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                if frame.pts is None or frame.is_corrupt:
                    continue
                first = frame.pts if first is None else first
                seconds = float((frame.pts - first) * (video.stream.time_base or 1))
                if seconds >= pace.last and pace.due(seconds):
                    check_pixels(name, frame.width, frame.height, limits)
                    yield to_rgb(frame, video.converter, upright_transpose(frame)), seconds


class _Pace:
    """Lets one frame through for each span of 1 / fps seconds, counted from the first frame, so that nothing drifts."""

    def __init__(self, fps: float) -> None:
        if not (math.isfinite(fps) and fps > 0):
            raise UsageError(f"fps {fps}: frames a second must be more than 0")
        self._fps = fps
        self._first: float | None = None
        self._span = -1
        self.last = -math.inf

    def due(self, seconds: float) -> bool:
        """Whether the frame at this time is the first of its span."""
        if not math.isfinite(seconds) or seconds < self.last:
            raise DataError(f"live video: a frame at {seconds} s after one at {self.last} s; times must ascend")
        self.last = seconds
        self._first = seconds if self._first is None else self._first
        span = math.floor((seconds - self._first) * self._fps + 1e-6)
        if span <= self._span:
            return False
        self._span = span
        return True


class _Pipe:
    """A file that can only be read, whose first bytes have been looked at."""

    def __init__(self, file: BinaryIO) -> None:
        self._read = getattr(file, "read1", file.read)  # what is there, instead of waiting for all that was asked for
        self.start = b""
        while len(self.start) < 16 and (more := self._read(16)):
            self.start += more
        self._rest = self.start

    def read(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end."""
        if self._rest:
            part, self._rest = self._rest[:size], self._rest[size:]
            return part
        return bytes(self._read(size))
