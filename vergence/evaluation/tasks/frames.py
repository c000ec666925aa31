"""Which frames of a video a task looks at: the rules of published harnesses, so that "32 frames" means one thing.

Each gives indices into the frames 0..N-1 of a video or of a part of it. A rule that would take a frame twice, because
the video has fewer than were asked for, takes it once.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from vergence.conversation import Frames, VideoPart
from vergence.processing.video_file import decode_frames, read_index


def at_ends(frames: int, count: int) -> list[int]:
    """`count` frames from the first to the last one: numpy's linspace(0, N - 1, count) as int (lmms-eval's loaders).

    Its products are a hair below some whole numbers, and then it takes the frame before.
    """
    return _once(np.linspace(0, frames - 1, count, dtype=int).tolist())


def inner(frames: int, count: int) -> list[int]:
    """int(i * N / (count + 1)) for i = 1..count: neither end (VLMEvalKit, vlmeval/dataset/videomme.py)."""
    step = frames / (count + 1)
    return _once(int(index * step) for index in range(1, count + 1))


def centres(frames: int, count: int) -> list[int]:
    """int(s / 2 + round(i * s)) with s = (N - 1) / count, i = 0..count-1: the middle of each of `count` equal parts.

    The rule of MVBench's official code (Ask-Anything, video_chat2/mvbench.ipynb); round is to even at .5.
    """
    step = (frames - 1) / count
    return _once(int(step / 2 + round(index * step)) for index in range(count))


def at_rate(seconds: Sequence[float], fps: float, most: int) -> list[int]:
    """The frames on show at 0, 1/fps, 2/fps, ... seconds after the first.

    Where these are more than `most`, `most` of them from the first to the last.
    """
    if not seconds:
        return []
    steps = math.floor((seconds[-1] - seconds[0]) * fps + 1e-6) + 1
    due = (seconds[0] + index / fps + 1e-6 for index in range(steps))
    chosen = _once(bisect_right(seconds, moment) - 1 for moment in due)
    return [chosen[index] for index in at_ends(len(chosen), most)] if len(chosen) > most else chosen


RULES: dict[str, Callable[[int, int], list[int]]] = {"ends": at_ends, "inner": inner, "centres": centres}


def choose(
    seconds: Sequence[float],
    rule: str,
    count: int,
    fps: float = 1.0,
    start: float | None = None,
    end: float | None = None,
) -> list[int]:
    """Indices of the frames to look at, of those shown from `start` to `end` seconds; at least one.

    `seconds` are the times of all frames, ascending. `rule` is "ends", "inner", "centres" or "rate".
    """
    first = 0 if start is None else bisect_left(seconds, start - 1e-6)
    last = len(seconds) if end is None else bisect_right(seconds, end + 1e-6)
    if first >= last:  # between two frames: the one on show
        shown = min(max(bisect_right(seconds, start or 0.0) - 1, 0), len(seconds) - 1)
        return [shown]
    inside = seconds[first:last]
    chosen = at_rate(inside, fps, count) if rule == "rate" else RULES[rule](len(inside), count)
    return [first + index for index in chosen]


def cut(
    video: Path | bytes, rule: str, count: int, fps: float = 1.0, start: float | None = None, end: float | None = None
) -> VideoPart:
    """The chosen frames of a video, decoded, with their times. Raises `DataError` for a video that can't be used."""
    index = read_index(video)
    chosen = choose(index.seconds.tolist(), rule, count, fps, start, end)
    pictures = tuple(decode_frames(video, index, chosen))
    return VideoPart(Frames(pictures, tuple(float(index.seconds[one]) for one in chosen)))


def _once(indices: Iterable[int]) -> list[int]:
    return sorted(set(indices))
