"""Videos made for tests: every frame carries its number as 16 black and white bars, so that it can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from PIL import Image

BITS = 16


def drawing(number: int, size: tuple[int, int]) -> np.ndarray:
    """uint8 [height, width]: bar b, from the left, is white where bit b of the number is set."""
    width, height = size
    bars = np.arange(width) * BITS // width
    return np.broadcast_to(((number >> bars & 1) * 255).astype(np.uint8), (height, width)).copy()


def number_of(image: Image.Image) -> int:
    """The number that a frame carries."""
    row = np.asarray(image.getchannel("G"))[image.height // 2]
    bars = row[((np.arange(BITS) + 0.5) * image.width / BITS).astype(int)] > 127
    return int(bars @ (1 << np.arange(BITS)))


def write_video(
    target: Path | BinaryIO,
    frames: int | Sequence[int],
    *,
    container: str | None = None,
    codec: str = "libx264",
    size: tuple[int, int] = (64, 32),
    rate: Fraction | int = 10,
    seconds: Sequence[float] | None = None,
    time_base: Fraction = Fraction(1, 1000),
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    orientation: tuple[float, bool, bool] | None = None,
    sound: float = 0.0,
    streams: int = 1,
) -> None:
    """Write frames 0, 1, 2 ... (or the numbers given) at a constant rate, or at the given `seconds` each.

    Further `streams` hold the same numbers plus 1000 each; `sound` is seconds of silence beside the video.
    """
    converter = VideoReformatter()
    numbers = range(frames) if isinstance(frames, int) else frames
    file = str(target) if isinstance(target, Path) else target
    with av.open(file, "w", format=container, container_options=container_options) as output:
        videos = []
        for _ in range(streams if numbers else 0):
            video = output.add_stream(codec, rate=rate, options={"threads": "1", **(options or {})})
            video.width, video.height = size
            video.pix_fmt = pixels
            if seconds is not None:
                video.codec_context.time_base = time_base
            if orientation:
                video.set_display_rotation(*orientation)
            videos.append(video)
        audio: Any = output.add_stream("aac" if container != "webm" else "libopus", rate=48_000) if sound else None
        for position, number in enumerate(numbers):
            for offset, video in enumerate(videos):
                grey = av.VideoFrame.from_ndarray(drawing(number + 1000 * offset, size), "gray")
                frame = converter.reformat(grey, format=pixels, threads=1)
                if seconds is not None:
                    frame.pts, frame.time_base = round(seconds[position] / time_base), time_base
                output.mux(video.encode(frame))
        for _ in range(int(sound * 48)):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1000), np.float32), "fltp", "stereo")
            frame.sample_rate = 48_000
            output.mux(audio.encode(frame))
        for stream in [*videos, *([audio] if audio else [])]:
            output.mux(stream.encode())
