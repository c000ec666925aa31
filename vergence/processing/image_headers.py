"""Format, size and completeness of an encoded picture, from its bytes alone: no decoder runs, nothing is allocated.

`vergence.processing.media` asks here before it lets Pillow near a file, because Pillow allocates while it opens some
formats (a GIF's or a WebP's whole canvas) and names no size when it refuses a picture as too large. Layouts: PNG (W3C,
third edition), JPEG (ITU T.81 annex B), GIF89a, WebP container (RFC 9649), BMP (Windows bitmap headers).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

# More chunks, segments or blocks than any sane encoder writes into 20 MiB; a bound on the time spent here.
_MAX_PIECES = 200_000
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class BrokenHeaderError(Exception):
    """The bytes start like a known format and then don't follow it."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: size is (width, height) in pixels as stored; the rest is known for PNG only."""

    format: str
    size: tuple[int, int]
    depth: int | None = None  # bits per sample
    exif: bytes | None = None  # TIFF structure, without a prefix


def read(file: BinaryIO) -> Header | None:
    """The header of a seekable file, or None for a format that isn't one of the five; raises `BrokenHeaderError`."""
    file.seek(0)
    start = file.read(32)
    try:
        if start.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(file, start)
        if start.startswith(b"\xff\xd8\xff"):
            return Header("JPEG", _jpeg_frame(file)[0])
        if start.startswith((b"GIF87a", b"GIF89a")):
            return Header("GIF", _gif(file, start))
        if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
            return Header("WEBP", _webp_size(start))
        if start.startswith(b"BM"):
            return Header("BMP", _bmp_size(start))
    except (struct.error, IndexError):
        raise BrokenHeaderError from None
    return None


def is_complete(header: Header, file: BinaryIO) -> bool:
    """Whether the file goes on to its proper end. True for BMP, whose pixels Pillow counts by itself."""
    file.seek(0)
    start = file.read(32)
    try:
        if header.format == "PNG":
            return any(kind == b"IEND" for kind, _, _ in _png_chunks(file))
        if header.format == "JPEG":
            file.seek(_jpeg_frame(file)[1])  # an end marker before the frame is a thumbnail's
            return b"\xff\xd9" in file.read()
        if header.format == "GIF":
            return any(introducer == 0x3B for introducer in _gif_blocks(file, start))
        if header.format == "WEBP":
            (length,) = struct.unpack_from("<I", start, 4)
            return file.seek(0, io.SEEK_END) >= 8 + int(length)
    except (struct.error, IndexError, BrokenHeaderError):
        return False
    return True


def _png(file: BinaryIO, start: bytes) -> Header:
    length, kind, width, height, depth = struct.unpack_from(">I4sIIB", start, 8)
    if kind != b"IHDR" or length != 13:
        raise BrokenHeaderError
    for name, offset, size in _png_chunks(file):
        if name == b"eXIf" and size <= 65536:
            file.seek(offset)
            return Header("PNG", (width, height), depth, file.read(size))
    return Header("PNG", (width, height), depth)


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Type, offset and length of every chunk that is there in full, up to and with IEND."""
    end = file.seek(0, io.SEEK_END)
    position = 8
    for _ in range(_MAX_PIECES):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        if position + 12 + length > end:
            return
        yield kind, position + 8, length
        if kind == b"IEND":
            return
        position += 12 + length
    raise BrokenHeaderError


def _jpeg_frame(file: BinaryIO) -> tuple[tuple[int, int], int]:
    """(width, height) of the first frame header, and the offset behind it."""
    file.seek(2)
    for _ in range(_MAX_PIECES):
        lead, marker = file.read(1), file.read(1)
        if marker == b"\xff":  # a fill byte
            file.seek(-1, io.SEEK_CUR)
            continue
        if lead != b"\xff" or not marker or marker[0] in (0x00, 0xD8, 0xD9, 0xDA):
            raise BrokenHeaderError
        if marker[0] in _JPEG_BARE_MARKERS:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker[0] in _JPEG_FRAME_MARKERS:
            height, width = struct.unpack(">xHH", file.read(5))
            return (width, height), file.tell()
        if length < 2:
            raise BrokenHeaderError
        file.seek(length - 2, io.SEEK_CUR)
    raise BrokenHeaderError


def _gif_blocks(file: BinaryIO, start: bytes) -> Iterator[int]:
    """Introducers of the top-level blocks; the file stands behind the introducer when one is yielded."""
    flags = start[10]
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    for _ in range(_MAX_PIECES):
        file.seek(position)
        introducer = file.read(1)[0]
        yield introducer
        if introducer == 0x3B:
            return
        if introducer == 0x2C:  # an image: descriptor, perhaps a colour table, code size, sub-blocks
            file.seek(position + 9)
            local = file.read(1)[0]
            position = _skip_sub_blocks(file, position + 11 + (3 << (local & 7) + 1 if local & 0x80 else 0))
        elif introducer == 0x21:  # an extension: label, sub-blocks
            position = _skip_sub_blocks(file, position + 2)
        else:  # stray bytes, which decoders skip too
            position += 1
    raise BrokenHeaderError


def _skip_sub_blocks(file: BinaryIO, position: int) -> int:
    for _ in range(_MAX_PIECES):
        file.seek(position)
        length = file.read(1)[0]
        position += 1 + length
        if length == 0:
            return position
    raise BrokenHeaderError


def _gif(file: BinaryIO, start: bytes) -> tuple[int, int]:
    """The canvas, grown by the first frame where that reaches beyond it, as decoders grow it."""
    width, height = struct.unpack_from("<HH", start, 6)
    for introducer in _gif_blocks(file, start):
        if introducer == 0x2C:
            left, top, frame_width, frame_height = struct.unpack("<4H", file.read(8))
            return max(width, left + frame_width), max(height, top + frame_height)
    raise BrokenHeaderError


def _webp_size(start: bytes) -> tuple[int, int]:
    kind = start[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(start[24:27], "little"), 1 + int.from_bytes(start[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", start, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", start, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise BrokenHeaderError


def _bmp_size(start: bytes) -> tuple[int, int]:
    (header_bytes,) = struct.unpack_from("<I", start, 14)
    if header_bytes == 12:
        width, height = struct.unpack_from("<HH", start, 18)
        return width, height
    width, height = struct.unpack_from("<Ii", start, 18)
    return width, abs(height)  # negative: rows stand from top to bottom
