"""WOFF files unpacked to plain font files, which FreeType maps instead of inflating one for every size of the letters.

The layout is that of "WOFF File Format 1.0" (W3C 2012): a header of 44 bytes, a directory of 20 bytes for each table,
and the tables, each deflated where that makes it smaller. The tables' bytes stay as they are, so the letters do too.
"""

from __future__ import annotations

import os
import struct
import zlib
from functools import cache
from pathlib import Path

from vergence.errors import DataError

_HEADER = struct.Struct(">4s4sIHHI24x")
_ENTRY = struct.Struct(">4sIIII")


@cache
def unpacked(path: Path) -> Path:
    """The font file that a `.woff` file holds, kept in a folder `unpacked` beside it; the `.woff` file itself where
    that folder can't be written. Raises `DataError` for a broken file."""
    target = path.parent.parent / "unpacked" / f"{path.stem}.ttf"
    if target.is_file():
        return target
    font = sfnt(path.read_bytes(), str(path))
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(exist_ok=True)
        partial.write_bytes(font)
        os.replace(partial, target)
    except OSError:
        return path
    return target


def sfnt(data: bytes, where: str) -> bytes:
    """The font in the bytes of a WOFF file: its tables in the directory's order. Raises `DataError` for broken ones."""
    try:
        signature, flavour, length, count, _, _ = _HEADER.unpack_from(data)
        if signature != b"wOFF" or length != len(data):
            raise ValueError("no WOFF 1.0 file, or one that is cut off")
        entries = [_ENTRY.unpack_from(data, _HEADER.size + number * _ENTRY.size) for number in range(count)]
        power = count.bit_length() - 1
        head = struct.pack(">4sHHHH", flavour, count, 16 << power, power, 16 * count - (16 << power))
        offset = len(head) + 16 * count
        tables = []
        for tag, start, packed, size, checksum in entries:
            table = data[start : start + packed]
            if packed < size:
                table = zlib.decompress(table)
            if len(table) != size:
                raise ValueError(f"table {tag.decode('latin-1')} has {len(table)} bytes, not {size}")
            head += struct.pack(">4sIII", tag, checksum, offset, size)
            tables.append(table + bytes(-size % 4))
            offset += len(tables[-1])
    except (struct.error, zlib.error, ValueError) as error:
        raise DataError(f"{where}: {error}; delete the package's folder and fetch it again") from None
    return head + b"".join(tables)
