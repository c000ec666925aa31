"""The one place where videos enter: every limit on untrusted video data, and the way to FFmpeg and to RGB pixels.

```
path ─▶ regular file? bytes? ─▶ own look: container, whole? ─▶ PyAV opens ─▶ stream, decoder, pixels ─▶ frame ─▶ RGB
bytes ──────────────────────────┘        (no demuxer runs before this has passed)
```

FFmpeg (inside PyAV) is given the open file and the one demuxer that belongs to its first bytes. It can't open anything
by itself: no other file, no address, no play list. Its log stays silent and its messages are never passed on: every
failure is a `DataError` of one line that names the source and the reason. PyAV is optional; `load_pyav` says how to
install it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image

from vergence.errors import DataError, UsageError
from vergence.processing import video_headers
from vergence.processing.media import encoded_file
from vergence.processing.video_headers import Container

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

# The decoders that may run, by FFmpeg's names: what cameras, screens, browsers and editors write, no rarities.
_CODECS = (
    *("h264", "hevc", "libdav1d", "av1", "vp8", "vp9", "mpeg4", "mpeg1video", "mpeg2video", "h263", "mjpeg"),
    *("gif", "png", "rawvideo", "ffv1", "prores", "dnxhd", "theora", "vc1", "wmv3", "flv", "dvvideo", "msmpeg4"),
)
_EXPECTED_CODECS = "H.264, HEVC, AV1, VP8, VP9, MPEG-4 or another common one"
# What undoes a display matrix [[a, b], [c, d]], by the signs of a, b, c, d.
_UPRIGHT = {
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
}
SWAPS_SIDES = {transpose for signs, transpose in _UPRIGHT.items() if signs[0] == 0}


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """What a video file may be: bytes, pixels a frame (before decoding), frames and seconds of its whole length."""

    max_bytes: int = 4 * 1024**3
    max_pixels: int = 25_000_000
    max_frames: int = 2_000_000
    max_seconds: float = 24 * 3600


DEFAULT_LIMITS = VideoLimits()


@dataclass(frozen=True, slots=True)
class OpenVideo:
    """A video that FFmpeg has opened: the chosen stream, the way to RGB, the container, and its name in messages."""

    container: InputContainer
    stream: VideoStream
    converter: VideoReformatter
    kind: Container
    name: str


def load_pyav() -> ModuleType:
    """The module `av`. Raises `UsageError` with the install command where it is missing."""
    try:
        import av
    except ImportError:
        raise UsageError("videos need PyAV: pip install 'vergence[video]'") from None
    return av


@contextmanager
def open_video(source: Path | bytes, limits: VideoLimits) -> Iterator[OpenVideo]:
    """Open a whole video file, with its limits checked but those that only its packets show.

    Of several video streams the first that is marked as default is taken, or the first; cover pictures don't count.
    Raises `DataError` where the file is missing, too large, cut off, of another kind, or without a stream that can be
    decoded.
    """
    load_pyav()
    name = source_name(source)
    with encoded_file(source, name, limits.max_bytes, "video") as file:
        try:
            kind = video_headers.container_of(file.read(16))
            reason = video_headers.cut_off(kind, file) if kind else None
            length = file.seek(0, io.SEEK_END)
            file.seek(0)
        except OSError:
            raise DataError(f"{name}: can't be read") from None
        if kind is None:
            raise DataError(f"{name}: not a video in a known format, expected {video_headers.EXPECTED}")
        if reason:
            raise DataError(f"{name}: cut off after {length} bytes ({reason})")
        with demuxer(file, kind, name, limits) as video:
            yield video


@contextmanager
def demuxer(
    file: BinaryIO, kind: Container, name: str, limits: VideoLimits, *, live: bool = False
) -> Iterator[OpenVideo]:
    """Let FFmpeg read a file of a known kind and choose the stream; raises `DataError`.

    With `live` the file can't seek, and as little of it as possible is read ahead.
    """
    av = load_pyav()
    from av.video.reformatter import VideoReformatter

    options = {
        "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif,avi",
        "protocol_whitelist": "none",
        "codec_whitelist": ",".join(_CODECS),
        # A bound on what decoders allocate; they pad, so the limit itself is checked on the sizes that they report.
        "max_pixels": str(2 * limits.max_pixels + (1 << 16)),
    }
    if live:
        options |= {"analyzeduration": "1", "fpsprobesize": "0"}
    try:
        container = av.open(
            file,
            "r",
            format=kind,
            options=options,
            metadata_errors="replace",
            buffer_size=(32 if live else 256) * 1024,
            io_open=_refuse,
        )
    except Exception:
        raise DataError(f"{name}: broken video file, its header can't be read") from None
    with container:
        stream = _choose_stream(container, name)
        _check_stream(stream, name, limits)
        stream.codec_context.options = {"max_pixels": options["max_pixels"]}
        stream.codec_context.thread_count = 1  # cores are for data workers; most files have nothing to share out anyway
        for other in container.streams:
            if other.index != stream.index:
                other.discard = av.stream.Discard.all
        yield OpenVideo(container, stream, VideoReformatter(), kind, name)


def upright_transpose(frame: VideoFrame) -> Image.Transpose | None:
    """What turns a decoded frame upright by its display matrix; None where nothing needs to be done."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    values = struct.unpack("=9i", bytes(data))  # 16.16 fixed point, row by row
    a, b, c, d = ((value > 1 << 15) - (value < -(1 << 15)) for value in (values[0], values[1], values[3], values[4]))
    return _UPRIGHT.get((a, b, c, d))


def to_rgb(frame: VideoFrame, converter: VideoReformatter, upright: Image.Transpose | None) -> Image.Image:
    """A new upright RGB picture from a decoded frame, transparency laid on white."""
    transparent = any(component.is_alpha for component in frame.format.components)
    # One thread: to set up several for each frame takes far longer than the conversion itself.
    pixels = converter.reformat(frame, format="rgba" if transparent else "rgb24", threads=1).to_ndarray()
    image = Image.fromarray(pixels)
    if transparent:
        rgba, image = image, Image.new("RGB", image.size, (255, 255, 255))
        image.paste(rgba, mask=rgba.getchannel("A"))
    return image if upright is None else image.transpose(upright)


def source_name(source: Path | bytes) -> str:
    """What error messages call the source: one printable line of at most 300 characters."""
    if isinstance(source, bytes):
        return "video bytes"
    if not isinstance(source, Path):
        raise TypeError(f"a video is a Path or bytes, not {type(source).__name__}")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(source))
    return text if len(text) <= 300 else "..." + text[-297:]


def _refuse(url: str, flags: int, options: dict[str, str]) -> BinaryIO:
    """Called by FFmpeg when a file names another one."""
    raise PermissionError("a video may not open other files")


def _choose_stream(container: InputContainer, name: str) -> VideoStream:
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        what = "only sound" if container.streams.audio else "no video"
        raise DataError(f"{name}: {what} in it, expected a video stream")
    return next((stream for stream in streams if stream.disposition & stream.disposition.default), streams[0])


def _is_cover(stream: VideoStream) -> bool:
    flags = stream.disposition
    return bool(flags & (flags.attached_pic | flags.timed_thumbnails))


def _check_stream(stream: VideoStream, name: str, limits: VideoLimits) -> None:
    codec = stream.codec_context.name if stream.codec_context else "an unknown codec"
    if codec not in _CODECS:
        raise DataError(f"{name}: its video is coded as {codec}, expected {_EXPECTED_CODECS}")
    check_pixels(
        name, stream.codec_context.width, stream.codec_context.height, limits
    )  # 0x0 where the header is silent


def check_pixels(name: str, width: int, height: int, limits: VideoLimits) -> None:
    """Raise `DataError` for frames of more pixels than the limit."""
    if width * height > limits.max_pixels:
        raise DataError(f"{name}: frames of {width}x{height} pixels, more than the limit of {limits.max_pixels}")
