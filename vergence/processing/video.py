"""Which frames of a video are looked at, and how large: pure functions on times, no decoding.

```
seconds of every frame ─▶ which frames, at which level ─▶ their size in pixels ─▶ "[1.5 second]" <image> ...
`video_file.read_index`   `sample_dynamic`, `sample_uniform`   `frame_size`       `timestamp`
```

Times are seconds from the first frame. Sizes are (width, height) in pixels. A *level* is the most visual tokens that a
frame may take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vergence.errors import UsageError
from vergence.processing.resize import target_size

# Seed1.5-VL report section 2.2.
LEVELS = (640, 512, 384, 256, 160, 128)
BUDGET = 81_920
MIN_FRAMES = 16

# Clocks of containers are coarse (WebM: a thousandth of a second, GIF: a hundredth), so a frame may be written later
# than it is due. A frame due at most this much later counts as shown.
_CLOCK = 0.01


@dataclass(frozen=True, slots=True)
class FrameSample:
    """The chosen frames of a video in order: index and seconds of each, and the level (None: the caller's own)."""

    indices: tuple[int, ...]
    seconds: tuple[float, ...]
    level: int | None = None

    @property
    def timestamps(self) -> tuple[str, ...]:
        """The text that stands before each frame."""
        return tuple(timestamp(second) for second in self.seconds)

    @property
    def tokens(self) -> int:
        """What the budget counts: frames times level; 0 without a level. Real frames take at most that."""
        return len(self.indices) * (self.level or 0)


def timestamp(seconds: float) -> str:
    """`[1.5 second]`: the text before a frame, to a tenth of a second (Seed1.5-VL report section 2.2)."""
    return f"[{round(float(seconds), 1)} second]"


def sample_dynamic(
    seconds: Sequence[float] | np.ndarray,
    duration: float,
    *,
    fps: float = 1.0,
    levels: Sequence[int] = LEVELS,
    budget: int = BUDGET,
    min_frames: int = MIN_FRAMES,
) -> FrameSample:
    """Seed1.5-VL's dynamic frame-resolution sampling: as many frames as `fps` asks for, as sharp as the budget allows.

    `seconds` are the times of all N frames, ascending; `duration` is the end of the last one. The published rule
    (report section 2.2; ByteDance-Seed/Seed1.5-VL GradioDemo/infer.py), for a constant rate:
      1. n = ceil(duration * fps), at least `min_frames`, at most N; the frames are round(linspace(0, N - 1, n));
      2. the level is the first, from the highest, with n * level <= budget;
      3. where even the lowest doesn't fit, n = budget // lowest frames are taken by the same linspace.
    The report's choices of fps: 1, 2 for temporal detail, 5 for counting and motion.

    The rule speaks of indices and takes index / fps for the time. We go by true times, so that it also holds for
    variable rates: N frames up to the last one's time T stand for a constant rate with a step of d = T / (N - 1);
    index i of the rule is the moment i * d, and its frame is the one that is shown then (the last with a time <= i * d,
    a hundredth of a second or d / 2 allowed for the rounding of a container's clock). At a constant rate that is frame
    i itself. Differences are two, both at variable rates only: a frame that is shown at several of the moments is taken
    once, so n can shrink before the level is chosen; and where fewer than `min_frames` are left, those are
    round(linspace(0, N - 1, min_frames)) by index.

    Raises `UsageError` for an fps, a budget or levels that can't be, `ValueError` without frames.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise UsageError(f"fps {fps}: frames a second must be more than 0")
    if not levels or list(levels) != sorted(set(levels), reverse=True) or levels[-1] < 1:
        raise UsageError(
            f"levels {list(levels)}: tokens a frame must be positive and fall from the highest to the lowest"
        )
    if budget < levels[-1] or min_frames < 1:
        raise UsageError(
            f"budget {budget}, min_frames {min_frames}: must hold at least one frame of {levels[-1]} tokens"
        )
    times = np.asarray(seconds, dtype=np.float64)
    wanted = math.ceil(duration * fps - 1e-6)  # 10 s may have come out as 10.000000000000002
    chosen = _shown(times, min(max(wanted, min_frames), len(times)), min_frames)
    level = next((level for level in levels if len(chosen) * level <= budget), None)
    if level is None:
        level = levels[-1]
        most = budget // level
        chosen = _shown(times, most, min(min_frames, most))
    return _sample(times, chosen, level)


def sample_uniform(seconds: Sequence[float] | np.ndarray, frames: int) -> FrameSample:
    """At most `frames` frames, evenly spaced by index: linspace(0, N - 1, frames), rounded down.

    LLaVA-OneVision's rule (LLaVA-NeXT llava/train/train.py, `frames_upbound` 32), which also serves families whose
    release has no rule for videos, such as Kimi-VL: there the frames go in as several images. A video of fewer frames
    gives each once. Raises `UsageError` for frames < 1, `ValueError` without frames.
    """
    if frames < 1:
        raise UsageError(f"{frames} frames: at least 1 must be taken")
    times = np.asarray(seconds, dtype=np.float64)
    _check_times(times)
    return _sample(times, np.linspace(0, len(times) - 1, min(frames, len(times))).astype(np.int64), None)


def frame_size(
    width: int, height: int, level: int, *, factor: int = 28, min_tokens: int = 4, max_aspect: float = 200
) -> tuple[int, int]:
    """(width, height) that a frame is resized to, so that it takes at most `level` tokens of factor x factor pixels.

    The native-resolution rule of pictures with other bounds (ByteDance-Seed/Seed1.5-VL GradioDemo/infer.py). Raises as
    `resize.target_size` does.
    """
    cell = factor * factor
    # A level below the least number of tokens is the stronger wish.
    least = min(min_tokens, level) * cell
    return target_size(width, height, factor=factor, min_pixels=least, max_pixels=level * cell, max_aspect=max_aspect)


def _shown(times: np.ndarray, count: int, min_frames: int) -> np.ndarray:
    """Indices of the frames on show at `count` moments of the constant rate, each once; see `sample_dynamic`."""
    _check_times(times)
    last = len(times) - 1
    grid = np.linspace(0, last, count).round().astype(np.int64)
    step = times[-1] / max(last, 1)
    moments = grid * step + min(_CLOCK, step / 2)
    chosen = np.unique(np.maximum(np.searchsorted(times, moments, side="right") - 1, 0))
    least = min(min_frames, len(times))
    return chosen if len(chosen) >= least else np.linspace(0, last, least).round().astype(np.int64)


def _check_times(times: np.ndarray) -> None:
    if times.ndim != 1 or not len(times):
        raise ValueError(f"expected the times of at least one frame, got an array of shape {times.shape}")


def _sample(times: np.ndarray, chosen: np.ndarray, level: int | None) -> FrameSample:
    return FrameSample(tuple(chosen.tolist()), tuple(times[chosen].tolist()), level)
