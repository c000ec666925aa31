"""A model's answers to many prompts, kept line by line, so that a run that is killed asks nothing twice.

The first line of a log names what was asked of whom; every other line is an answer with its key. A line that was cut
off by a kill is passed over, and dropped when the log is gone on with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from vergence.errors import DataError, UsageError
from vergence.evaluation.task import Answer, Model, Prompt

Key = tuple[int, ...]
"""What a prompt is about: a sample's number, a turn, a rollout."""


@dataclass(frozen=True, slots=True)
class Line:
    """An answer of a log: its key, what was said, and what a caller added when it was written."""

    key: Key
    text: str
    thought: str | None
    finish_reason: str
    tokens: int | None
    error: str | None
    extra: Mapping[str, Any]


def ask_all(
    prompts: Iterable[tuple[Key, Prompt]],
    model: Model,
    path: Path,
    *,
    header: Mapping[str, Any],
    extra: Callable[[Key, Answer], Mapping[str, Any]] = lambda _key, _answer: {},
    show: Callable[[int], None] = lambda _: None,
) -> None:
    """Ask the prompts whose keys aren't in the log yet, a batch at a time, and append each answer.

    Raises `UsageError` where the log was begun with another header, or where another process is writing it. An answer
    with an error is asked again next time.
    """
    whole = {**header, "model": dict(model.description())}
    with _held(path) as file:
        _drop_cut_line(path)
        begun = path.stat().st_size > 0
        done = {line.key for line in read_log(path, whole) if line.error is None} if begun else set()
        if not begun:
            file.write(_line(whole, sort_keys=True))
        left = ((key, prompt) for key, prompt in prompts if key not in done)
        count = len(done)
        while batch := list(islice(left, model.batch)):
            for place, answer in model.answer([prompt for _, prompt in batch]):
                key = batch[place][0]
                added = {} if answer.error else extra(key, answer)
                file.write(_line(_record(key, answer, added)))
                count += 1
                show(count)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def _held(path: Path) -> Iterator[TextIO]:
    """A log that lines are added to, for this process alone where the system has such locks; its folder is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("a", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: can't be written ({error.strerror})") from None
    with opened as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{path}: another process is writing it; wait for it, or name another file") from None
        except (ImportError, OSError):  # Windows, or a file system without locks
            pass
        yield file


def _line(value: Mapping[str, Any], *, sort_keys: bool = False) -> str:
    """JSON on a line; half of a surrogate pair, which UTF-8 can't hold, becomes a question mark."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=sort_keys)
    return text.encode("utf-8", "replace").decode("utf-8") + "\n"


def _drop_cut_line(path: Path) -> None:
    """Cut off what stands behind the last end of a line."""
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


def _record(key: Key, answer: Answer, extra: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "key": list(key),
        "text": answer.text,
        "thought": answer.thought,
        "finish_reason": answer.finish_reason,
        "tokens": answer.answer_tokens,
        "error": answer.error,
        **extra,
    }


_OWN = {"key", "text", "thought", "finish_reason", "tokens", "error"}


def read_header(path: Path) -> dict[str, Any]:
    """The first line of a log. Raises `DataError` for a file that is none."""
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.readline())
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or "model" not in found:
        raise DataError(f"{path}: not a log of answers; its first line must name the model")
    return found


def read_log(path: Path, header: Mapping[str, Any] | None = None) -> Iterator[Line]:
    """The answers of a log. With `header`, a log of other questions or another model raises `UsageError`.

    What stands behind the last end of a line is passed over: a kill cut it off, or it is being written. Raises
    `DataError` for any other line that can't be read.
    """
    found = read_header(path)
    if header is not None:
        wanted = json.loads(json.dumps(dict(header)))
        differing = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
        if differing:
            raise UsageError(f"{path}: was begun with another {', '.join(differing)}; name a new file")
    # Not `splitlines`, for which an answer may hold other ends of lines, such as U+2028.
    for number, line in enumerate(path.read_bytes().split(b"\n")[1:-1], 2):
        try:
            record = json.loads(line)
            extra = {key: value for key, value in record.items() if key not in _OWN}
            yield Line(
                tuple(record["key"]),
                record["text"],
                record["thought"],
                record["finish_reason"],
                record["tokens"],
                record["error"],
                extra,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise DataError(f"{path}:{number}: not an answer as a log holds it") from None


def failures(path: Path) -> dict[Key, str]:
    """The errors of the prompts of a log that no answer came to yet."""
    found: dict[Key, str] = {}
    for line in read_log(path):
        if line.error is None:
            found.pop(line.key, None)
        else:
            found[line.key] = line.error
    return found


def answers(path: Path) -> dict[Key, Line]:
    """The answers of a log by their keys, without those that failed."""
    return {line.key: line for line in read_log(path) if line.error is None}
