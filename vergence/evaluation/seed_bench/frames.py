"""The official eight frames of a video, and their pictures.

The rules are those of model/instruct_blip_interface.py of github.com/AILab-CVC/SEED-Bench (`get_index` and `forward`):

- n frames, fewer than 8: all of them; otherwise, with s = (n - 1) / 8, frame i of 8 is int(s / 2) + round(s i), where a
  half rounds to the even number. Of n = 8 frames, frame 4 is taken twice and frame 7 not at all.
- dimension 10 (decord): n is one less than the frames of the file.
- dimension 11 (decord, a segment in seconds): start and end are int(seconds x fps), kept between 0 and the last frame;
  n = end - start, from start on.
- dimension 12 (PyAV decodes all frames, a segment in frames): the end is cut at the file's end; n = end - start.

The official code tells a segment in frames from one in seconds by its first number being whole, and so does this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from vergence.conversation import Frames
from vergence.errors import DataError
from vergence.processing.video_container import DEFAULT_LIMITS, open_video
from vergence.processing.video_file import decode_frames, read_index

COUNT = 8
RULE = "official-8"
"""What a task's definition calls these rules."""

Segment = tuple[float, float] | tuple[int, int]


def spread(n: int, count: int = COUNT) -> list[int]:
    """`get_index` of the official code: up to `count` of the frames 0..n-1; all for n < count, none for n <= 0."""
    if n < count:
        return list(range(n))
    size = (n - 1) / count
    start = int(size / 2)
    return [start + round(size * i) for i in range(count)]


def whole_video(length: int) -> list[int]:
    """Dimension 10: the frames of a file of `length` frames, as decord counts them."""
    return spread(length - 1)


def seconds_segment(length: int, fps: float, start: float, end: float) -> list[int]:
    """Dimension 11: the frames between two times in seconds of a file of `length` frames at `fps` frames a second."""
    first, last = (int(min(max(seconds * fps, 0), length - 1)) for seconds in (start, end))
    return [first + offset for offset in spread(last - first)]


def frames_segment(length: int, start: int, end: int) -> list[int]:
    """Dimension 12: the frames between two frame numbers of a file of `length` frames."""
    return [start + offset for offset in spread(min(end, length) - start)]


def in_frames(segment: Sequence[float]) -> bool:
    """Whether a segment counts frames (15 a second) and not seconds: its first number is a whole one in the JSON."""
    return isinstance(segment[0], int)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The frames of one question's video: indices into the file (one may stand twice), and the pictures with times."""

    indices: tuple[int, ...]
    frames: Frames


def official_indices(length: int, fps: float, segment: Sequence[float] | None) -> list[int]:
    """The official frames of a file: by its whole length without `segment`, else by its unit."""
    if segment is None:
        return whole_video(length)
    start, end = segment
    if in_frames(segment):
        return frames_segment(length, int(start), int(end))
    return seconds_segment(length, fps, start, end)


def choose(path: Path, segment: Sequence[float] | None = None) -> Chosen:
    """Decode the official frames of a video file. Times are in seconds from the first of them.

    The rate is the average that the container declares, which is what decord's `get_avg_fps` returns. Raises
    `DataError` for a file that can't be read, a broken frame, and a segment without frames.
    """
    index = read_index(path)
    indices = official_indices(len(index), _rate(path, index.fps), segment)
    if not indices or not 0 <= indices[0] <= indices[-1] < len(index):
        what = f"segment {list(segment)}" if segment is not None else "whole video"
        raise DataError(f"{path}: no frames to look at in the {what}: the file has {len(index)} frames")
    wanted = sorted(set(indices))
    pictures: dict[int, Image.Image] = dict(zip(wanted, decode_frames(path, index, wanted), strict=True))
    begin = float(index.seconds[indices[0]])
    seconds = tuple(float(index.seconds[i]) - begin for i in indices)
    return Chosen(tuple(indices), Frames(tuple(pictures[i] for i in indices), seconds))


def _rate(path: Path, measured: float) -> float:
    """The declared average rate in frames a second; the measured one where none is declared."""
    with open_video(path, DEFAULT_LIMITS) as video:
        declared = video.stream.average_rate
    return float(declared) if declared else measured
