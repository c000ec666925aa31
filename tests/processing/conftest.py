"""Files that no picture reader should accept, made byte by byte, and videos whose every pixel is known."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _make_png(width: int, height: int, chunks: dict[bytes, bytes], depth: int = 8, colour: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = {b"IHDR": header, **chunks}
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in body.items())


def _encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def make_png() -> Callable[..., bytes]:
    """`make_png(width, height, {chunk type: data}, depth=8, colour=0)`: PNG bytes with exactly these chunks."""
    return _make_png


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """`encoded(image, format, **options)`: the bytes that Pillow writes."""
    return _encoded


@pytest.fixture(scope="session")
def bad_bytes() -> dict[str, bytes]:
    """File name -> content that has to be refused."""
    noise = Image.effect_noise((64, 48), 80).convert("RGB")
    png, jpeg = _encoded(noise, "PNG"), _encoded(noise, "JPEG")
    expanding = zlib.compress(bytes(64 << 20), 9)
    pixels = {b"IDAT": zlib.compress(bytes(6)), b"IEND": b""}
    bomb = {b"IDAT": zlib.compress(bytes(1501 * 12_000), 9), b"IEND": b""}
    return {
        "empty.png": b"",
        "text.png": b"This is a text file.\n",
        "truncated.png": png[: len(png) // 2],
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "corrupt.png": png[:60] + bytes(40) + png[100:],
        "signature.png": png[:8],
        "huge.png": _make_png(30_000, 30_000, {}),
        "bomb.png": _make_png(12_000, 12_000, bomb, depth=1),
        "icc_bomb.png": _make_png(2, 2, {b"iCCP": b"icc\0\0" + expanding, **pixels}),
        "text_bomb.png": _make_png(2, 2, {b"zTXt": b"text\0\0" + expanding, **pixels}),
        "thin.png": _encoded(Image.new("L", (1, 5000)), "PNG"),
        "foreign.png": _encoded(noise, "TIFF"),
    }


def _make_video(path: Path, frames: Sequence[Image.Image], fps: int = 1) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "bgr0"
        for frame in [*(av.VideoFrame.from_image(image) for image in frames), None]:
            container.mux(stream.encode(frame))
    return path


@pytest.fixture(scope="session")
def make_video() -> Callable[..., Path]:
    """`make_video(path.mkv, frames, fps=1)`: a video without loss; skips the test where PyAV is missing."""
    return _make_video


@pytest.fixture
def bad_files(tmp_path: Path, bad_bytes: dict[str, bytes]) -> list[Path]:
    """Every bad file in a new folder, and there a folder, a pipe (where the system has them) and a missing file."""
    folder = tmp_path / "bad"
    folder.mkdir()
    for name, content in bad_bytes.items():
        (folder / name).write_bytes(content)
    (folder / "folder.png").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")
    return [*sorted(folder.iterdir()), folder / "missing.png"]
