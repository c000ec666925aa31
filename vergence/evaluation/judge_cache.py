"""What judges have replied, by key: in memory and in a file of JSON lines that is only ever added to."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vergence.errors import DataError, VergenceError


@dataclass(frozen=True, slots=True)
class Reply:
    """What the judge wrote in one pass; `error` says why it wrote nothing. `cached`: it was paid for earlier."""

    text: str
    finish_reason: str = "stop"
    error: str | None = None
    cached: bool = False


class JudgeCache:
    """Raw replies by key. Threads may share it, and processes its file; without a `path` it is in memory alone.

    A line that a kill cut off is passed over. Raises `DataError` for a file in which no line is one of a cache.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._known: dict[str, Reply] = {}
        self._busy: set[str] = set()
        self._changed = threading.Condition()
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise DataError(f"{path}: can't be read ({error.strerror})") from None
        for raw in lines:
            try:
                line = json.loads(raw)
                self._known[line["key"]] = Reply(str(line["reply"]), str(line["finish_reason"]), cached=True)
            except (ValueError, KeyError, TypeError):
                continue
        if len(lines) > 1 and not self._known:
            raise DataError(f"{path}: not a cache of a judge's replies")

    @contextmanager
    def asking(self, key: str) -> Iterator[Reply | None]:
        """The reply, where it is known; else nobody else may ask for it meanwhile, so that it isn't paid twice."""
        with self._changed:
            self._changed.wait_for(lambda: key not in self._busy)
            self._busy.add(key)
            known = self._known.get(key)
        try:
            yield known
        finally:
            with self._changed:
                self._busy.discard(key)
                self._changed.notify_all()

    def add(self, line: Mapping[str, Any]) -> None:
        """Keep a reply. The object has "key", "reply", "finish_reason", and whatever else should be on record.

        Raises `VergenceError` for a file that can't be written.
        """
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        with self._changed:
            self._known[line["key"]] = Reply(line["reply"], line["finish_reason"], cached=True)
            if self.path is None:
                return
            try:
                _append(self.path, data)
            except OSError as error:  # no more replies are paid for that can't be kept
                why = error.strerror or error
                raise VergenceError(f"{self.path}: the judge's replies can't be kept: {why}") from None


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":  # the rest of a line that a kill cut off
                data = b"\n" + data
        file.write(data)
