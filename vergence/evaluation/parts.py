"""The files that a task's answers are added to while it isn't finished, and how they become the task's own file.

```
FOLDER/TASK.jsonl               all records of a finished task, in the task's order
FOLDER/parts/TASK.N.jsonl       what process N has answered so far: lines are only ever added
FOLDER/parts/TASK.beyond.jsonl  answers that a run with a higher limit or more repeats has left, for the next such run
```
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from vergence.errors import DataError, UsageError
from vergence.evaluation.examples import write_text
from vergence.evaluation.records import Key, dump, read_lines, show_media, to_json
from vergence.evaluation.task import Record

FOLDER = "parts"
BEYOND = "beyond"


def file_name(task: str) -> str:
    """A task's name as a file's: whatever isn't a plain character becomes a dash."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in task)


def read_done(folder: Path, name: str, run: str, task: str) -> dict[Key, dict[str, Any]]:
    """The lines of earlier runs by key.

    Of a key's lines the last counts, but none without an answer replaces one with an answer. Raises `UsageError` for
    lines of another run.
    """
    done: dict[Key, dict[str, Any]] = {}
    for path in [folder / f"{name}.jsonl", *_parts(folder, name)]:
        for line in read_lines(path) if path.exists() else ():
            if line.get("run") != run:
                raise UsageError(
                    f"{path}: holds answers of {task} by another model, with other settings or to another version of "
                    "the task; name another --output, or remove the file"
                )
            key = line["id"], line["repeat"]
            if key not in done or line.get("error") is None or done[key].get("error") is not None:
                done[key] = line
    return done


def gather(folder: Path, name: str, done: Mapping[Key, Mapping[str, Any]], keys: Sequence[Key]) -> list[dict[str, Any]]:
    """Write the task's file, the lines of `keys` in their order, and remove its parts; returns the lines.

    Lines of other keys are kept as a part: they are answers that a longer run has paid for. Raises `DataError` where
    lines are missing.
    """
    missing = sum(key not in done for key in keys)
    if missing:
        raise DataError(f"{missing} of {len(keys)} questions have no answer, another process has stopped before; go on")
    lines = [dict(done[key]) for key in keys]
    wanted = set(keys)
    rest = [line for key, line in done.items() if key not in wanted]
    beyond = folder / FOLDER / f"{name}.{BEYOND}.jsonl"
    if rest:
        with locked(folder):
            write_text(beyond, "".join(map(dump, rest)))
    write_text(folder / f"{name}.jsonl", "".join(map(dump, lines)))
    for path in [*_parts(folder, name), *_unfinished(folder, name)]:
        if path != beyond or not rest:
            path.unlink(missing_ok=True)
    with locked(folder), suppress(OSError):  # another task's parts are in it, or it isn't there
        (folder / FOLDER).rmdir()
    return lines


def _parts(folder: Path, task: str) -> list[Path]:
    """A task's parts, oldest answers first: what was left over, then each process's."""
    form = re.compile(rf"{re.escape(task)}\.(\d+|{BEYOND})\.jsonl")
    names = _names(folder / FOLDER)
    found = {match[1]: folder / FOLDER / name for name in names if (match := form.fullmatch(name))}
    return [
        found[which]
        for which in sorted(found, key=lambda which: (which != BEYOND, int(which) if which != BEYOND else 0))
    ]


def _unfinished(folder: Path, name: str) -> Iterator[Path]:
    """What a kill has left of files that were about to be written under a temporary name."""
    yield from folder.glob(f".{name}.jsonl.*.tmp")
    unfinished = re.compile(rf"\.{re.escape(name)}\.{BEYOND}\.jsonl\.\d+\.tmp")
    yield from (folder / FOLDER / found for found in _names(folder / FOLDER) if unfinished.fullmatch(found))
    yield from (folder / "media" / name).glob(".*.tmp")


def _names(folder: Path) -> list[str]:
    """The names in a folder that another run may take away at any moment."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


class Writer:
    """Adds records to this process's part of a task. Small pictures are kept of the samples whose ids are `kept`."""

    def __init__(self, folder: Path, name: str, run: str, kept: Collection[str]) -> None:
        self.folder, self.name, self.run, self.kept = folder, name, run, frozenset(kept)
        self._file: IO[bytes] | None = None

    @contextmanager
    def opened(self, rank: int) -> Iterator[None]:
        """Hold the file of process `rank` while answers come in. Raises `UsageError` where another process holds it."""
        path = self.folder / FOLDER / f"{self.name}.{rank}.jsonl"
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder):  # another run may take the empty folder of parts away
            path.parent.mkdir(exist_ok=True)
            opened = path.open("ab+")
        with opened as file:
            if not _lock(file.fileno(), wait=False):
                raise UsageError(f"{path}: another process is writing it; name another --output")
            _cut_torn_line(file)
            self._file = file
            yield
            self._file = None

    def add(self, records: Sequence[Record]) -> None:
        """Add lines, in one write."""
        assert self._file is not None, "the file is open while answers come in"
        lines = []
        for record in records:
            keep = record.sample.id in self.kept and record.repeat == 0
            stem = hashlib.sha256(record.sample.id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
            media = show_media(record.sample.media, self.folder, f"{self.name}/{stem}", keep=keep)
            lines.append(dump(to_json(record, self.run, media)))
        self._file.write("".join(lines).encode())
        self._file.flush()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process holds this folder, and hold it, where the system has such locks."""
    if os.name != "posix":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Hold an open file for this process alone, until it is closed; whether that was possible.

    Where the system has no such locks (Windows has others), it always is.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _cut_torn_line(file: IO[bytes]) -> None:
    """Drop what a kill left behind the last line break, so that the next line begins on its own."""
    file.seek(0)
    content = file.read()
    file.truncate(content.rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)
