"""Where the conversations of a pack come from: a file of LLaVA's or ChatML's form, a data folder, tars.

A row is read only when it is asked for, so that going on behind the millionth costs no pictures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TextIO

from vergence.conversation import Conversation
from vergence.data.shards.inline import from_record
from vergence.data.shards.messages import RowError, as_messages
from vergence.data.shards.reader import ShardSource
from vergence.data.sources.folder import FolderSource
from vergence.errors import DataError

_CHUNK = 1 << 20  # characters


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a source: its place for messages, and the call that reads it or raises `DataError`."""

    where: str
    load: Callable[[], Conversation]


class RowSource(Protocol):
    """Rows in a fixed order."""

    @property
    def fingerprint(self) -> str:
        """Changes when the rows do (their pictures aside)."""
        ...

    def rows(self, start: int) -> Iterator[Row]:
        """The rows from number `start` on."""
        ...


class IndexedRows:
    """The conversations of a data folder or of shards."""

    def __init__(self, source: FolderSource | ShardSource) -> None:
        self.source, self.fingerprint = source, source.fingerprint

    def rows(self, start: int) -> Iterator[Row]:
        """The conversations from number `start` on."""
        for number in range(start, len(self.source)):
            yield Row(self.source.where(number), partial(self.source.__getitem__, number))


class FileRows:
    """The records of a JSON file: one list of them, or one a line. Paths in them are relative to `images`."""

    def __init__(self, path: Path, images: Path, key: str | None) -> None:
        self.path, self.images, self.key = path, images, key
        digest = sha256()
        try:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise DataError(f"{path}: can't be read ({error.strerror})") from None
        self.fingerprint = digest.hexdigest()

    def rows(self, start: int) -> Iterator[Row]:
        """The records from number `start` on, which are parsed, unlike those before."""
        with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
            records = self._list(file) if _first(file) == "[" else self._lines(file)
            for line, parse in islice(records, start, None):
                where = f"{self.path}:{line}"
                yield Row(where, partial(self._conversation, parse, where))

    def _conversation(self, parse: Callable[[], Any], where: str) -> Conversation:
        record = parse()
        if self.key and isinstance(record, dict) and self.key not in record:
            raise RowError("fields", f'{where}: has no "{self.key}"')
        return from_record(as_messages(record, where=where), folder=self.images, where=where)

    def _lines(self, file: TextIO) -> Iterator[tuple[int, Callable[[], Any]]]:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, partial(self._parse_line, line, number)

    def _parse_line(self, line: str, number: int) -> Any:
        try:
            line.encode()
            return json.loads(line)
        except UnicodeEncodeError:
            raise RowError("JSON", f"{self.path}:{number}: not UTF-8 text") from None
        except json.JSONDecodeError as error:
            raise RowError("JSON", f"{self.path}:{number}: not JSON ({error.msg} at column {error.colno})") from None
        except (RecursionError, ValueError):
            raise RowError("JSON", f"{self.path}:{number}: nested too deeply, or an unreadable number") from None

    def _list(self, file: TextIO) -> Iterator[tuple[int, Callable[[], Any]]]:
        items = _ListItems(file)
        try:
            for line, value in items:
                yield line, partial(_given, value)
        except (ValueError, RecursionError) as error:
            place = f"{self.path}:{items.line}"
            why = f"not JSON ({getattr(error, 'msg', 'nested too deeply, or an unreadable number')})"
            yield items.line, partial(_broken, f"{place}: {why}; the rows behind it can't be read")


def _given(value: Any) -> Any:
    return value


def _broken(message: str) -> Any:
    raise RowError("JSON", message)


def _first(file: TextIO) -> str:
    """The first character of a file that isn't white space; the file is back at its beginning."""
    while (character := file.read(1)).isspace():
        pass
    file.seek(0)
    return character


class _ListItems:
    """The items of a file that is one JSON list, with their lines, in a buffer that holds little more than one item."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.buffer, self.at, self.line = file, "", 0, 1
        self.decoder = json.JSONDecoder()

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        self._expect("[")
        if self._next() == "]":
            return
        while True:
            self._next()
            value, end = self._decode()
            yield self.line, value
            self._move(end)
            if self._next() == "]":
                return
            self._expect(",")

    def _decode(self) -> tuple[Any, int]:
        while True:
            try:
                value, end = self.decoder.raw_decode(self.buffer, self.at)
                if end < len(self.buffer) or not self._more():  # a number may go on
                    self.buffer[self.at : end].encode()
                    return value, end
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self.buffer) - 16
                if not cut or not self._more():
                    self.line += self.buffer.count("\n", self.at, error.pos)
                    raise

    def _next(self) -> str:
        """The next character that isn't white space, which is not passed; empty at the end."""
        while True:
            start = self.at
            while self.at < len(self.buffer) and self.buffer[self.at].isspace():
                self.at += 1
            self.line += self.buffer.count("\n", start, self.at)
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self._more():
                return ""

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise json.JSONDecodeError(f"expected {character!r}", self.buffer, self.at)
        self.at += 1

    def _move(self, end: int) -> None:
        self.line += self.buffer.count("\n", self.at, end)
        self.at = end

    def _more(self) -> bool:
        chunk = self.file.read(max(_CHUNK, len(self.buffer) - self.at))
        self.buffer = self.buffer[self.at :] + chunk
        self.at = 0
        return bool(chunk)
