"""GCompris: photographs with a title and a paragraph, in the resource files of Qt, which are read here.

A resource file has a tree of entries of 22 bytes (14 in version 1), a table of names in UTF-16 and the data; an entry's
flags say whether it is a folder (2) or compressed by zlib (1) or Zstandard (4).
https://github.com/qt/qtbase/blob/dev/src/corelib/io/qresource.cpp
"""

from __future__ import annotations

import re
import struct
import zlib
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from vergence.data.sources.items import Item
from vergence.data.sources.packages import package_folder
from vergence.errors import DataError

LICENCE = "GPL-3.0; photos CC-BY-SA, per file"
_BLOCK = re.compile(r'\{[^{}]*?"title"\s*:\s*qsTr\("((?:[^"\\]|\\.)*)"\)[^{}]*?\}', re.DOTALL)
_TEXT = re.compile(r'"text"\s*:\s*qsTr\("((?:[^"\\]|\\.)*)"\)')
_IMAGE = re.compile(r'"image2?"\s*:\s*"qrc:(/[^"]+\.(?:webp|png|jpg))"')
_ZLIB, _FOLDER, _ZSTD = 1, 2, 4


class Entry(NamedTuple):
    """Where a file lies in a resource file, and its flags."""

    offset: int
    size: int
    flags: int


def resource_files(data: bytes) -> dict[str, Entry]:
    """The files of a resource file by path. Raises `DataError` for something else."""
    if len(data) < 20 or data[:4] != b"qres":
        raise DataError("not a resource file of Qt: it doesn't begin with 'qres'")
    version, tree, content, names = struct.unpack_from(">4I", data, 4)
    length = 14 if version == 1 else 22
    found: dict[str, Entry] = {}
    waiting = [(0, "")]
    try:
        while waiting:
            node, parent = waiting.pop()
            name_at, flags = struct.unpack_from(">IH", data, tree + node * length)
            count = struct.unpack_from(">H", data, names + name_at)[0] if node else 0
            title = data[names + name_at + 6 : names + name_at + 6 + 2 * count].decode("utf-16-be")
            path = f"{parent}/{title}" if node else ""
            if flags & _FOLDER:
                children, first = struct.unpack_from(">II", data, tree + node * length + 6)
                waiting += [(first + number, path) for number in range(children) if first + number > node]
            else:
                (at,) = struct.unpack_from(">I", data, tree + node * length + 10)
                (size,) = struct.unpack_from(">I", data, content + at)
                found[path] = Entry(content + at + 4, size, flags)
    except (struct.error, UnicodeDecodeError) as error:
        raise DataError(f"a broken resource file of Qt ({error})") from None
    return found


def resource(data: bytes, entry: Entry) -> bytes:
    """The bytes of a file of a resource file. Raises `DataError` where they are compressed by Zstandard or broken."""
    raw = data[entry.offset : entry.offset + entry.size]
    if entry.flags & _ZSTD:
        raise DataError("a file compressed by Zstandard, which isn't read here")
    try:
        return zlib.decompress(raw[4:]) if entry.flags & _ZLIB else raw
    except zlib.error as error:
        raise DataError(f"a broken file in a resource file ({error})") from None


def _read(path: Path, entry: Entry) -> bytes:
    return resource(path.read_bytes(), entry)


@cache
def items() -> tuple[Item, ...]:
    """Monuments, animals, music: photographs with a title and a paragraph. Raises `UsageError` if not fetched."""
    root = package_folder("gcompris") / "usr/share/gcompris-qt/rcc"
    found: dict[str, Item] = {}
    for path in sorted(root.glob("explore_*.rcc")):
        data = path.read_bytes()
        files = resource_files(data)
        for page in sorted(name for name in files if name.endswith(".qml")):
            for block in _BLOCK.finditer(resource(data, files[page]).decode("utf-8", "replace")):
                images = [place for place in _IMAGE.findall(block[0]) if place in files]
                if not images:
                    continue
                text = _TEXT.search(block[0])
                captions = {"en": _plain(text[1])} if text else {}
                name, read = (
                    images[-1].removeprefix("/gcompris/src/activities/"),
                    partial(_read, path, files[images[-1]]),
                )
                names = {"en": _plain(block[1])}
                found.setdefault(name, Item("gcompris", name, names, captions, path.stem, LICENCE, read))
    return tuple(found.values())


def _plain(text: str) -> str:
    return " ".join(text.replace('\\"', '"').replace("\\n", " ").split())
