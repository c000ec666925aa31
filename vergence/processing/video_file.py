"""Video files in: an index of their frames without decoding them, then the wanted frames, one at a time.

```
source ─▶ read_index: packets only ─▶ VideoIndex ─▶ which frames? (`vergence.processing.video`)
   └────▶ decode_frames: seek, decode ◀───────────────┘ indices
               └─▶ RGB, RGB, RGB ... one in memory at a time
```

So a video costs memory for the frames that are kept, however long it is. Sizes are (width, height) in pixels, upright;
pixels count as square. What may be opened, and how, is in `vergence.processing.video_container`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from vergence.errors import DataError
from vergence.processing.image import resize
from vergence.processing.video_container import (
    DEFAULT_LIMITS,
    SWAPS_SIDES,
    OpenVideo,
    VideoLimits,
    check_pixels,
    load_pyav,
    open_video,
    to_rgb,
    upright_transpose,
)

if TYPE_CHECKING:
    from av import Packet, VideoFrame

__all__ = ["VideoIndex", "VideoLimits", "decode_frames", "read_index"]

# A seek empties the decoder; to skip fewer frames than this it is cheaper to decode on.
_WORTH_A_SEEK = 16
# Packets at the start of a file among which one must decode.
_TRIES = 300


@dataclass(frozen=True, slots=True, eq=False)
class VideoIndex:
    """The frames of a video file in the order in which they are shown, known without decoding them.

    `seconds` (float64 [N], ascending) are times from the first frame; `duration` is the end of the last one, `size`
    (width, height) after rotation. The rest is what `decode_frames` needs: `ticks` (int64 [N]) are the same times as
    the file counts them; `keys` (int64 [K, 2]) has of each key frame its time and the time to seek to, in ticks,
    ascending; `upright` undoes the rotation; `counted` says that frames are told apart by counting, since their times
    are missing.
    """

    seconds: np.ndarray
    duration: float
    size: tuple[int, int]
    container: str
    codec: str
    ticks: np.ndarray
    keys: np.ndarray
    upright: Image.Transpose | None = None
    counted: bool = False

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.seconds)

    @property
    def fps(self) -> float:
        """Average frames a second."""
        return len(self.seconds) / self.duration


def read_index(source: Path | bytes, limits: VideoLimits = DEFAULT_LIMITS) -> VideoIndex:
    """Index a video file by reading its packets; only its first frame is decoded, which knows the rotation.

    Times are exact but for the last bit. Frames that an edit list cuts away aren't in the index; of frames with the
    same time one is. Raises `DataError` as `open_video` does, and for a file without frames, with more frames or
    seconds than the limits, that breaks in the middle, or near whose start no frame can be decoded.
    """
    with open_video(source, limits) as video:
        packets = _scan(video, limits)
        stream, name = video.stream, video.name
        if packets.first is None or not packets.count:
            limit = f"within the limit of {limits.max_pixels} pixels"
            raise DataError(
                f"{name}: {f'no frame near its start can be decoded {limit}' if packets.count else 'no frames'}"
            )
        check_pixels(name, packets.first.width, packets.first.height, limits)
        upright = upright_transpose(packets.first)
        # FFmpeg makes up the times of AVI frames, wrongly where they are stored in another order than they are shown.
        counted = packets.untimed or (video.kind == "avi" and stream.codec_context.reorder_depth > 0)
        ticks = np.unique(np.frombuffer(packets.decoded if counted else packets.shown, dtype=np.int64))
        if counted and len(ticks) < packets.count:
            raise DataError(f"{name}: its frames have no times")
        base = stream.time_base or Fraction(1)
        first, span = int(ticks[0]), int(ticks[-1]) - int(ticks[0])
        duration = span * base + _length(packets.last[1], base, stream.average_rate)
        if duration > limits.max_seconds:
            raise DataError(f"{name}: lasts {float(duration):.1f} s, more than the limit of {limits.max_seconds} s")
        width, height = packets.first.width, packets.first.height
        return VideoIndex(
            seconds=_frozen((ticks - first) * base.numerator / base.denominator),
            duration=float(duration),
            size=(height, width) if upright in SWAPS_SIDES else (width, height),
            container=video.kind,
            codec=stream.codec_context.name,
            ticks=_frozen(np.arange(len(ticks)) if counted else ticks),
            keys=_frozen(np.array(sorted(packets.keys), dtype=np.int64).reshape(-1, 2)),
            upright=upright,
            counted=counted,
        )


def decode_frames(
    source: Path | bytes, index: VideoIndex, wanted: Sequence[int], limits: VideoLimits = DEFAULT_LIMITS
) -> Iterator[Image.Image]:
    """Yield the wanted frames (ascending indices into `index`) as upright RGB pictures of `index.size`, one by one.

    It seeks to key frames where that skips much and converts only the wanted frames. Where a packet holds no picture of
    its own, the frame that is on show at its time is yielded. Raises `ValueError` for indices that aren't ascending or
    in the index, and `DataError` as `open_video` does, and for a wanted frame that is broken or no longer there.
    """
    steps = np.asarray(wanted, dtype=np.int64)
    if len(steps) and (steps[0] < 0 or steps[-1] >= len(index) or (np.diff(steps) <= 0).any()):
        raise ValueError(f"expected ascending indices of {len(index)} frames, got {list(wanted)}")
    if not len(steps):
        return
    with open_video(source, limits) as video:
        for key, group in _segments(index, steps):
            packets = _packets_from(video, key)
            if packets is not None:
                yield from _pictures(video, packets, index, group, limits)
                continue
            with open_video(source, limits) as again:  # from the start: slower, but always right
                yield from _pictures(again, again.container.demux(again.stream), index, group, limits)


@dataclass(slots=True)
class _Packets:
    """What the packets of a stream say: times in ticks, in the file's order."""

    count: int = 0
    shown: array[int] = field(default_factory=lambda: array("q"))
    decoded: array[int] = field(default_factory=lambda: array("q"))
    keys: list[tuple[int, int]] = field(default_factory=list)
    last: tuple[int, int] = (-(2**63), 0)  # time and length of the frame that is shown last
    first: VideoFrame | None = None

    @property
    def untimed(self) -> bool:
        return len(self.shown) < self.count


def _scan(video: OpenVideo, limits: VideoLimits) -> _Packets:
    """Read every packet, and decode the first ones until there is a picture."""
    av = load_pyav()
    found = _Packets()
    try:
        for packet in video.container.demux(video.stream):
            if packet.size and not packet.is_discard and not packet.is_corrupt:
                _note(packet, found)
            if packet.size and packet.is_keyframe and packet.pts is not None:
                found.keys.append((packet.pts, packet.pts if packet.dts is None else min(packet.pts, packet.dts)))
            if found.first is None and found.count <= _TRIES:
                found.first = next(iter(_decoded(packet) or ()), None)
            if found.count > limits.max_frames:
                raise DataError(f"{video.name}: more than the limit of {limits.max_frames} frames")
    except av.FFmpegError:
        raise DataError(f"{video.name}: broken video file, unreadable after {found.count} frames") from None
    return found


def _note(packet: Packet, found: _Packets) -> None:
    found.count += 1
    if packet.pts is not None:
        found.shown.append(packet.pts)
    if packet.dts is not None:
        found.decoded.append(packet.dts)
    time = packet.dts if packet.pts is None else packet.pts
    if time is not None:
        found.last = max(found.last, (time, packet.duration or 0))


def _length(ticks: int, base: Fraction, rate: Fraction | None) -> Fraction:
    """How many seconds the last frame is shown: as its packet says, else as the rate in the header, else one tick."""
    if ticks > 0:
        return ticks * base
    return 1 / rate if rate else base


def _decoded(packet: Packet) -> list[VideoFrame] | None:
    """The frames that a packet completes; None where it is broken."""
    if not packet.size and packet.dts is not None:
        return []  # AVI's mark of a dropped frame, which a decoder would take for the end
    try:
        return packet.decode()
    except load_pyav().FFmpegError:
        return None


def _segments(index: VideoIndex, steps: np.ndarray) -> Iterator[tuple[tuple[int, int] | None, list[int]]]:
    """The wanted frames in groups, each with the key frame to seek to before it; None: decode on from the start.

    The key frame of a frame is the last that isn't shown after it: pictures that are stored behind a key frame but
    shown before it (open groups) need the one before.
    """
    key: tuple[int, int] | None = None
    group: list[int] = []
    reached = 0
    seekable = not index.counted and len(index.keys)
    for step in steps.tolist():
        nearest = int(np.searchsorted(index.keys[:, 0], index.ticks[step], side="right")) - 1 if seekable else -1
        if nearest >= 0 and int(np.searchsorted(index.ticks, index.keys[nearest, 0])) - reached > _WORTH_A_SEEK:
            if group:
                yield key, group
            key, group = (int(index.keys[nearest, 0]), int(index.keys[nearest, 1])), []
        group.append(step)
        reached = step + 1
    yield key, group


def _packets_from(video: OpenVideo, key: tuple[int, int] | None) -> Iterator[Packet] | None:
    """The packets from a key frame (or an earlier one) on; None where the container can't find its way there."""
    if key is None:
        return video.container.demux(video.stream)
    depth = video.stream.codec_context.reorder_depth
    try:
        video.container.seek(key[1], stream=video.stream)
        packets = video.container.demux(video.stream)
        head = next(packets)
    except (load_pyav().FFmpegError, StopIteration):
        return None
    video.stream.codec_context.reorder_depth = depth  # a seek may lose it, and with it frames
    return chain((head,), packets) if head.pts is not None and head.pts <= key[0] else None


def _pictures(
    video: OpenVideo, packets: Iterator[Packet], index: VideoIndex, group: list[int], limits: VideoLimits
) -> Iterator[Image.Image]:
    """Decode packets until every frame of the group has been yielded."""
    ticks = index.ticks[group].tolist()
    done, count, broken = 0, 0, False
    before: VideoFrame | None = None
    for frame in _frames(video, packets):
        if frame is None:
            broken = True
            continue
        tick = count if index.counted else frame.pts
        count += 1
        while tick is not None and done < len(group) and tick >= ticks[done]:
            shown = frame if tick == ticks[done] or before is None else before
            yield _picture(video, shown, index, group[done], limits, broken=broken and tick != ticks[done])
            done += 1
        if done == len(group):
            return
        before = frame
    for step in group[done:]:
        yield _picture(video, before, index, step, limits, broken=broken)


def _frames(video: OpenVideo, packets: Iterator[Packet]) -> Iterator[VideoFrame | None]:
    """The frames of packets in the order in which they are shown; None stands for a packet that is broken."""
    try:
        for packet in packets:
            frames = _decoded(packet)
            yield from (None,) if frames is None else frames
    except load_pyav().FFmpegError:
        yield None


def _picture(
    video: OpenVideo, frame: VideoFrame | None, index: VideoIndex, step: int, limits: VideoLimits, *, broken: bool
) -> Image.Image:
    what = f"{video.name}: frame {step} of {len(index)}, at {index.seconds[step]:.3f} s, is broken"
    if frame is None or broken or frame.is_corrupt:
        raise DataError(what)
    check_pixels(video.name, frame.width, frame.height, limits)
    try:
        image = to_rgb(frame, video.converter, index.upright)
    except (load_pyav().FFmpegError, ValueError):  # `ValueError`: a pixel format that has no way to RGB
        raise DataError(what) from None
    return resize(image, index.size)  # a stream may change its size on the way


def _frozen(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values
