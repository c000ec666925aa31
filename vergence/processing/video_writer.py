"""Frames to the bytes of an MP4 file, the same bytes in every process.

H.264 by one thread with key frames at a fixed distance and no frame stored out of order; the container holds no date
and no name of a program. Another version of PyAV may give other bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from vergence.errors import UsageError
from vergence.processing.video_container import load_pyav

GROUP = 16
"""Frames from one key frame to the next: the most that a reader decodes to show one."""
QUALITY = 26
"""x264's constant rate factor: 0 is lossless, 51 the worst."""
# Pillow rounds luma down, on average by a half.
_LUMA = [16 + round(min(value + 0.5, 255) * 219 / 255) for value in range(256)]
_CHROMA = [128 + round((value - 128) * 224 / 255) for value in range(256)]


def encode_video(frames: Iterable[Image.Image], fps: int, *, quality: int = QUALITY) -> bytes:
    """An MP4 of RGB pictures of one even size, each shown for 1 / `fps` seconds.

    Raises `UsageError` where PyAV is missing, and for no frames, a rate below 1, odd sides or unequal sizes.
    """
    av = load_pyav()
    if fps < 1:
        raise UsageError(f"fps {fps}: a video has at least 1 frame a second")
    file = io.BytesIO()
    # `bitexact` leaves the program's name out of the container.
    with av.open(file, "w", format="mp4", container_options={"fflags": "+bitexact"}) as output:
        stream: Any = None
        size = (0, 0)
        for image in frames:
            if stream is None:
                size = image.size
                stream = _add_stream(output, size, fps, quality)
            if image.size != size:
                raise UsageError(f"frames of a video have one size, got {image.size} after {size}")
            output.mux(stream.encode(av.VideoFrame.from_ndarray(_to_yuv420(image), format="yuv420p")))
        if stream is None:
            raise UsageError("a video needs at least one frame")
        output.mux(stream.encode())
    return file.getvalue()


def _to_yuv420(image: Image.Image) -> np.ndarray:
    """uint8 [height * 3 / 2, width]: luma, then both chromas at half size, in the usual narrow range of BT.601.

    Pillow's tables and whole numbers do it, because FFmpeg's scaler takes other ways through its code, with other
    roundings, as the memory that it happens to get is aligned.
    """
    luma, blue, red = image.convert("RGB").convert("YCbCr").split()
    planes = [luma.point(_LUMA), blue.reduce(2).point(_CHROMA), red.reduce(2).point(_CHROMA)]
    flat = np.concatenate([np.asarray(plane).reshape(-1) for plane in planes])
    return flat.reshape(image.height * 3 // 2, image.width)


def _add_stream(output: Any, size: tuple[int, int], fps: int, quality: int) -> Any:
    width, height = size
    if width % 2 or height % 2:
        raise UsageError(f"a video's sides must be even, got {width}x{height}")
    # Without `mbtree`, which in x264 reads memory that it hasn't set, so that clips came out otherwise at times.
    options = {
        "preset": "veryfast",
        "crf": str(quality),
        "threads": "1",
        "x264-params": f"keyint={GROUP}:min-keyint={GROUP}:scenecut=0:bframes=0:mbtree=0:sliced-threads=0",
        "flags": "+bitexact",
    }
    stream = output.add_stream("libx264", rate=fps, options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    return stream
