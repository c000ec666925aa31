"""A user's own data: a folder with `conversations.jsonl`, one conversation per line, and the images that it names.

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
from vergence.errors import DataError

FILE_NAME = "conversations.jsonl"


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The conversations of a folder by index; blank lines don't count.

    `fingerprint` is the SHA-256 of `conversations.jsonl`. The images are not in it: they are read much later, and a
    resumed run that finds other pictures under the same names is the user's own doing.
    """

    path: Path
    fingerprint: str
    size: int
    offsets: array[int]
    lines: array[int]

    def __len__(self) -> int:
        return len(self.offsets)

    def where(self, index: int) -> str:
        """The place of a conversation as file:line, for messages."""
        return f"{self.path / FILE_NAME}:{self.lines[index]}"

    def __getitem__(self, index: int) -> Conversation:
        """Parse one conversation. Raises `DataError` that names the file and the line when it can't be used."""
        if not 0 <= index < len(self):
            raise IndexError(f"conversation {index} of {len(self)} in {self.path}")
        where = self.where(index)
        try:
            with open(self.path / FILE_NAME, "rb") as file:
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
        return from_json(record, folder=self.path, where=where)


def read_folder(path: str | Path) -> FolderSource:
    """Find the lines of a folder's `conversations.jsonl` in one pass, without parsing them."""
    folder = Path(path)
    file_path = folder / FILE_NAME
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
    return FolderSource(folder, digest.hexdigest(), position, offsets, lines)
