"""Answers that somebody has recorded already, as a model: they are looked up by the prompt's id.

```
[{"question_id": "5_0", "prediction": "B"}, ...]      a JSON list, or
{"question_id": "5_0", "prediction": "B"}             one object a line, as JSON lines have it,
{"id": "5_0", "answer": "The answer is B."},          or with a comma at its end, as SEED-Bench's published files do
```

What can't be used of a file is counted and named, and the rest is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.task import Answer, Prompt
from vergence.processing.thoughts import split_thought

_IDS = ("question_id", "id")
_ANSWERS = ("prediction", "answer")
_NAMED = 3  # ids that a notice names of many
_MISSING = object()


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What a file says about one question: the answer, and the right one where the file knows it (`gt_answer`)."""

    id: str
    prediction: str
    right: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedAnswers:
    """A file's answers in its order, each id once.

    Of an id that occurs several times the first record counts; `repeated` are such ids, `conflicting` those of them
    whose records differ. `broken` says of each unusable record where it stands and why. `sha256` is the file's.
    """

    path: Path
    answers: Mapping[str, RecordedAnswer]
    repeated: tuple[str, ...] = ()
    conflicting: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    sha256: str = ""

    def problems(self, asked: Collection[str] | None = None) -> list[str]:
        """One line for each kind of problem, with its count; `asked` are the ids of a task's questions, if known."""
        lines = [*_counted(self.broken, "can't be used", "records", separator="; ")]
        lines += _counted(self.repeated, "occur more than once, the first counts", "ids")
        lines += _counted(self.conflicting, "occur with different answers, the first counts", "ids")
        if asked is not None:
            known = set(asked)
            lines += _counted([name for name in asked if name not in self.answers], "of the task have no answer", "ids")
            lines += _counted([name for name in self.answers if name not in known], "are none of the task's", "ids")
        return [f"{self.path}: {line}" for line in lines]


def _counted(found: Collection[str], what: str, noun: str, separator: str = ", ") -> list[str]:
    if not found:
        return []
    named = separator.join(list(found)[:_NAMED]) + (separator + "..." if len(found) > _NAMED else "")
    return [f"{len(found)} {noun} {what}: {named}"]


@dataclass(slots=True)
class _Reading:
    answers: dict[str, RecordedAnswer] = field(default_factory=dict)
    repeated: dict[str, None] = field(default_factory=dict)
    conflicting: dict[str, None] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def read_recorded(path: Path) -> RecordedAnswers:
    """Read a file of answers. Raises `DataError` where it can't be read, or holds no usable record at all."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8 text") from None
    reading = _Reading()
    for where, record in _records(text):
        _add(reading, where, record)
    if not reading.answers:
        why = f"; {reading.broken[0]}" if reading.broken else ""
        wanted = "expected a JSON list or JSON lines of objects with question_id and prediction, or id and answer"
        raise DataError(f"{path}: no recorded answers ({wanted}{why})")
    return RecordedAnswers(
        path,
        reading.answers,
        tuple(reading.repeated),
        tuple(reading.conflicting),
        tuple(reading.broken),
        hashlib.sha256(content).hexdigest(),
    )


def _records(text: str) -> Iterator[tuple[str, Any]]:
    """Each record and where it stands; one that is no JSON comes as `_MISSING`."""
    try:
        document = json.loads(text)
    except ValueError:
        for number, line in enumerate(text.split("\n"), start=1):
            line = line.strip().removesuffix(",").rstrip()
            if line and line not in ("[", "]"):
                try:
                    yield f"line {number}", json.loads(line)
                except ValueError:
                    yield f"line {number}", _MISSING
        return
    for number, record in enumerate(document if isinstance(document, list) else [document], start=1):
        yield f"record {number}", record


def _add(reading: _Reading, where: str, record: Any) -> None:
    if record is _MISSING:
        reading.broken.append(f"{where} is not JSON")
        return
    if not isinstance(record, dict):
        reading.broken.append(f"{where} is not an object")
        return
    if record.get("error"):  # as our own files of samples have it
        reading.broken.append(f"{where} is a failure, not an answer")
        return
    name, prediction = _value(record, _IDS), _value(record, _ANSWERS)
    for value, keys in ((name, _IDS), (prediction, _ANSWERS)):
        if value is _MISSING or value is None:
            reading.broken.append(f"{where} has no {' or '.join(keys)}")
            return
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            reading.broken.append(f"{where}: {_key(record, keys)} is not text")
            return
    right = record.get("gt_answer")
    right = str(right) if isinstance(right, str | int | float) and not isinstance(right, bool) else None
    new = RecordedAnswer(str(name), str(prediction), right)
    known = reading.answers.setdefault(new.id, new)
    if known is not new:
        reading.repeated[new.id] = None
        if known != new:
            reading.conflicting[new.id] = None


def _key(record: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    return next((key for key in keys if key in record), None)


def _value(record: Mapping[str, Any], keys: Sequence[str]) -> Any:
    key = _key(record, keys)
    return _MISSING if key is None else record[key]


class RecordedModel:
    """A file of answers as a model. A prompt whose id has no answer gets an error, which is never scored.

    Likelihoods aren't recorded: a prompt with candidates gets the recorded text, such as the letter that was chosen.
    """

    independent = True

    def __init__(self, recorded: RecordedAnswers, *, batch: int = 1024) -> None:
        self.recorded, self.batch = recorded, batch
        self.name = recorded.path.stem

    def description(self) -> Mapping[str, Any]:
        """What identifies the model: the hash of the file."""
        return {"kind": "recorded", "path": str(self.recorded.path), "sha256": self.recorded.sha256}

    def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
        """Look the answers up."""
        for index, prompt in enumerate(prompts):
            found = self.recorded.answers.get(prompt.id)
            if found is None:
                told = f"{self.recorded.path.name} has no answer to it"
                yield index, Answer(finish_reason="error", error=told)
            else:
                thought, text = split_thought(found.prediction)
                yield index, Answer(text=text, thought=thought)

    def problems(self, asked: Collection[str] | None = None) -> list[str]:
        """What is wrong with the file, also against the ids of a task's questions; see `RecordedAnswers.problems`."""
        return self.recorded.problems(asked)
