"""The leaderboard's submission file: JSON lines, each exactly `{"question_id": "5_0", "prediction": "B"}`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.examples import write_text
from vergence.evaluation.seed_bench.problems import Problem, Problems
from vergence.evaluation.task import LETTERS, Sample

KEYS = ("question_id", "prediction")
NOT_SUBMITTED = "dimension without predictions (counts as 0 on the leaderboard)"
"""The kind of problem that is no fault of a submission."""


def write_submission(path: Path, predictions: Mapping[str, str], questions: Sequence[Sample]) -> tuple[Problem, ...]:
    """Write letters by question id in the questions' order; returns what `validate_submission` finds afterwards.

    Questions without a prediction are left out: the leaderboard sets a dimension without any to 0. Raises `DataError`
    for ids that no question has and for predictions that aren't letters of their question, and then
    writes nothing.
    """
    known = {sample.id: sample for sample in questions}
    problems = Problems()
    for identifier, letter in predictions.items():
        if identifier not in known:
            problems.add("unknown question_id", identifier)
        elif not _is_letter(letter, len(known[identifier].choices)):
            problems.add("prediction that is not a letter of its question", f"{identifier} {letter!r}")
    if problems.list():
        raise DataError(f"{path}: not written: {'; '.join(map(str, problems.list()))}")
    lines = [
        json.dumps({"question_id": sample.id, "prediction": predictions[sample.id]}) + "\n"
        for sample in questions
        if sample.id in predictions
    ]
    write_text(path, "".join(lines))
    return validate_submission(path, questions)


def validate_submission(
    path: Path, questions: Sequence[Sample], *, dimensions: Collection[int] | None = None
) -> tuple[Problem, ...]:
    """Everything that is wrong with a submission file, kind by kind with its count; empty for a perfect one.

    A dimension without any prediction is one line of its own (the leaderboard sets it to 0), unless `dimensions` says
    which ones are meant to be there. Raises `DataError` where the file can't be read.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text in UTF-8") from None
    known = {sample.id: sample for sample in questions}
    problems = Problems()
    seen: set[str] = set()
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1] if lines[-1] == "" else lines, 1):
        entry = _entry(line, number, problems)
        if entry is None:
            continue
        identifier, letter = entry["question_id"], entry["prediction"]
        if not isinstance(identifier, str):
            problems.add("question_id that is not text", f"line {number}")
        elif identifier in seen:
            problems.add("duplicate question_id", identifier)
        elif identifier not in known:
            problems.add("unknown question_id", identifier)
        elif not _is_letter(letter, len(known[identifier].choices)):
            problems.add("prediction that is not a letter of its question", f"{identifier} {letter!r}")
        if isinstance(identifier, str):
            seen.add(identifier)
    _missing(questions, seen, dimensions, problems)
    return problems.list()


def _entry(line: str, number: int, problems: Problems) -> dict[str, Any] | None:
    """The object of a line that has exactly the two keys."""
    where = f"line {number}"
    if not line.strip():
        problems.add("empty line", where)
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        kind = "comma behind the object" if line.rstrip().endswith("},") else "line that is not JSON"
        problems.add(kind, where)
        return None
    if not isinstance(entry, dict):
        problems.add("line that is not one object", where)
        return None
    for key in KEYS:
        if key not in entry:
            problems.add(f"missing key {key!r}", where)
    for key in entry:
        if key not in KEYS:
            problems.add(f"key {key!r} that doesn't belong here", where)
    return entry if all(key in entry for key in KEYS) else None


def _missing(
    questions: Sequence[Sample], seen: Collection[str], dimensions: Collection[int] | None, problems: Problems
) -> None:
    by_dimension: dict[int, list[str]] = {}
    for sample in questions:
        by_dimension.setdefault(sample.tags["dimension"], []).append(sample.id)
    for number, identifiers in sorted(by_dimension.items()):
        missing = [identifier for identifier in identifiers if identifier not in seen]
        if dimensions is not None:
            if number in dimensions:
                problems.add_many("missing question_id", missing, len(missing))
        elif len(missing) == len(identifiers):
            problems.add(NOT_SUBMITTED, number)
        else:
            problems.add_many("missing question_id", missing, len(missing))


def _is_letter(value: Any, choices: int) -> bool:
    return isinstance(value, str) and len(value) == 1 and value in LETTERS[:choices]
