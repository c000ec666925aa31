"""A user's own data: a folder with `conversations.jsonl`, one conversation per line, and the images that it names.

Or any file of JSON lines, whose records may be LLaVA's, ShareGPT's or ChatML's, and whose images lie beside it.

Only the places of the lines are kept in memory. A line is parsed when it is asked for, and an image stays a path that
the loader decodes, so one bad line or one bad image costs that sample only.
"""

from __future__ import annotations

import json
import os
from array import array
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from vergence.conversation import Conversation, from_json
from vergence.data.shards.messages import as_messages
from vergence.errors import DataError

FILE_NAME = "conversations.jsonl"


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The conversations of a folder by index, from the file `name` in it; blank lines don't count.

    `fingerprint` is the SHA-256 of that file; `foreign` records may have other projects' forms. The images are not in
    it: they are read much later, and a resumed run that finds other pictures under the same names is the user's own
    doing.
    """

    path: Path
    fingerprint: str
    size: int
    offsets: array[int]
    lines: array[int]
    name: str = FILE_NAME
    foreign: bool = False

    def __len__(self) -> int:
        return len(self.offsets)

    def where(self, index: int) -> str:
        """The place of a conversation as file:line, for messages."""
        return f"{self.path / self.name}:{self.lines[index]}"

    def __getitem__(self, index: int) -> Conversation:
        """Parse one conversation. Raises `DataError` that names the file and the line when it can't be used."""
        if not 0 <= index < len(self):
            raise IndexError(f"conversation {index} of {len(self)} in {self.path}")
        where = self.where(index)
        try:
            with open(self.path / self.name, "rb") as file:
                if os.fstat(file.fileno()).st_size != self.size:
                    raise DataError(f"{where}: the file has changed since it was opened for this run")
                file.seek(self.offsets[index])
                line = file.readline()
        except OSError as error:
            raise DataError(f"{where}: can't be read ({error.strerror})") from None
        try:
            record = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: not UTF-8 text (byte {error.start + 1} of the line)") from None
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: not a line of JSON ({error.msg} at column {error.colno})") from None
        except (RecursionError, ValueError):
            raise DataError(f"{where}: JSON that is nested too deeply or holds an unreadable number") from None
        if self.foreign:
            record = as_messages(record, where=where)
        return from_json(record, folder=self.path, where=where)


def read_folder(path: str | Path) -> FolderSource:
    """Find the lines of a folder's `conversations.jsonl` in one pass, without parsing them."""
    return _read(Path(path), FILE_NAME, foreign=False)


def read_lines(path: Path) -> FolderSource:
    """Find the lines of a file of JSON lines. Raises `DataError` for a file that can't be read or is one list."""
    try:
        with open(path, "rb") as file:
            if file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
                raise DataError(f"{path}: is one list and not a record a line; `vergence data pack {path}` reads it")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    return _read(path.parent, path.name, foreign=True)


def _read(folder: Path, name: str, *, foreign: bool) -> FolderSource:
    file_path = folder / name
    offsets, lines, digest, position = array("Q"), array("Q"), sha256(), 0
    try:
        with open(file_path, "rb") as file:
            for number, line in enumerate(file, start=1):
                digest.update(line)
                if line.strip():
                    offsets.append(position)
                    lines.append(number)
                position += len(line)
    except OSError as error:
        raise DataError(f"{file_path}: can't be read ({error.strerror}); a data folder needs this file") from None
    if not offsets:
        raise DataError(f"{file_path}: holds no conversation")
    return FolderSource(folder, digest.hexdigest(), position, offsets, lines, name, foreign)
