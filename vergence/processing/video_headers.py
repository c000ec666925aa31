"""Which container a video's bytes are, and whether they go on to their end: no demuxer runs.

`vergence.processing.video_file` asks here before it lets FFmpeg near a file, because FFmpeg would otherwise try more
than 300 formats, among them play lists that name other files and addresses. Layouts: ISO base media (ISO/IEC 14496-12)
and QuickTime, Matroska and WebM (RFC 9559), GIF89a, AVI (RIFF, OpenDML).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, Literal

from vergence.processing import image_headers

Container = Literal["mov", "matroska", "gif", "avi"]
"""FFmpeg's names of the demuxers that may run."""

EXPECTED = "MP4, MOV, WebM, MKV, AVI or GIF"

# First boxes of MP4 and QuickTime files, and all that may stand at their top level; others there are stray bytes.
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_BOXES = frozenset({*_FIRST_BOXES, b"moof", b"mfra", b"sidx", b"ssix", b"styp", b"meta", b"uuid", b"udta", b"emsg"})
_MAX_PIECES = 1_000_000
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def container_of(start: bytes) -> Container | None:
    """The container that the first bytes of a file (at least 16) belong to; None for any other kind of file."""
    if start[4:8] in _FIRST_BOXES:
        return "mov"
    if start.startswith(_EBML):
        return "matroska"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if start.startswith(b"RIFF") and start[8:12] == b"AVI ":
        return "avi"
    return None


def cut_off(container: Container, file: BinaryIO) -> str | None:
    """Why a seekable file can't be whole, in some words; None where nothing shows that it isn't.

    Seen are boxes, segments and chunks whose declared length reaches behind the end, an MP4 without its index (`moov`)
    and a GIF without its end mark. A Matroska file of undeclared length, as live recorders write it, has no proper end.
    """
    end = file.seek(0, io.SEEK_END)
    if container == "mov":
        return _mov_cut(file, end)
    file.seek(0)
    start = file.read(64)
    if container == "matroska":
        return _matroska_cut(start, end)
    if container == "avi":
        declared = 8 + int.from_bytes(start[4:8], "little")
        return f"its list of chunks goes to byte {declared}" if declared > end else None
    try:
        header = image_headers.read(file)
    except image_headers.BrokenHeaderError:
        header = None
    return None if header and image_headers.is_complete(header, file) else "no end mark"


def _mov_cut(file: BinaryIO, end: int) -> str | None:
    seen = set()
    for kind, offset, length in _boxes(file, end):
        seen.add(kind)
        if offset + length > end:
            return f"its '{kind.decode()}' box goes to byte {offset + length}"
    return None if b"moov" in seen else "no 'moov' box, which holds the index"


def _boxes(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, offset and length of the boxes at the top level, up to the first bytes that are none."""
    offset = 0
    for _ in range(_MAX_PIECES):
        file.seek(offset)
        head = file.read(16)
        kind = head[4:8]
        if kind not in _BOXES:
            return
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:  # to the end of the file
            length = end - offset
        yield kind, offset, length
        if length < 8:
            return
        offset += length


def _matroska_cut(start: bytes, end: int) -> str | None:
    offset, length = _element(start, 4)
    if length is None or start[offset + length : offset + length + 4] != _SEGMENT:
        return None  # an unusual header; the demuxer decides
    offset, length = _element(start, offset + length + 4)
    declared = offset + (length or 0)
    return f"its segment goes to byte {declared}" if declared > end else None


def _element(start: bytes, position: int) -> tuple[int, int | None]:
    """Offset of an EBML element's content and its length, whose field stands at `position`; None: undeclared."""
    lead = start[position] if position < len(start) else 0
    width = 9 - lead.bit_length()
    value = int.from_bytes(start[position : position + width], "big") & ((1 << 7 * width) - 1)
    undeclared = lead == 0 or value == (1 << 7 * width) - 1
    return position + width, None if undeclared else value
