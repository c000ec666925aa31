"""Files of recorded predictions, in the form of the published ones.

A record is `{"question_id": "5_0", "prediction": "B"}`, in the published files with `"gt_answer": "B"`; a file is a
JSON list of them, JSON lines, or JSON lines that end in commas (evaluate_result/ of github.com/AILab-CVC/SEED-Bench).
What the official eval.py writes is read too: `q_id`, `gt` and `q_type_id` are its names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.seed_bench.problems import Problem, Problems
from vergence.evaluation.task import LETTERS

_ID_KEYS = ("question_id", "q_id")
_ANSWER_KEYS = ("gt_answer", "gt")
_DIMENSION_KEYS = ("question_type_id", "q_type_id")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One record: the question, and the prediction and right answer as they are written, which needn't be letters."""

    question_id: str
    written: Any
    answer: str | None = None
    dimension: int | None = None

    @property
    def letter(self) -> str | None:
        """The predicted letter; None where none can be read."""
        return letter_of(self.written)


@dataclass(frozen=True, slots=True)
class PredictionFile:
    """The usable records of a file in their order, what is wrong with the others, and its SHA-256."""

    path: Path
    sha256: str
    records: tuple[Prediction, ...]
    problems: tuple[Problem, ...]


def read_predictions(path: Path) -> PredictionFile:
    """Read a file of predictions; see the module. Raises `DataError` for one that can't be read or has no record."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    problems = Problems()
    records = [
        record
        for place, entry in _entries(content, path, problems)
        if (record := _prediction(entry, place, problems)) is not None
    ]
    if not records:
        found = "; ".join(str(problem) for problem in problems.list())
        raise DataError(f"{path}: no predictions in it{f': {found}' if found else ''}")
    return PredictionFile(path, hashlib.sha256(content).hexdigest(), tuple(records), problems.list())


def _entries(content: bytes, path: Path, problems: Problems) -> Iterator[tuple[str, Any]]:
    """The JSON values of a list or of lines, each with its place."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text in UTF-8") from None
    if text.lstrip().startswith("["):
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            pass  # a list with a comma behind its last record can still be read by lines
        else:
            yield from ((f"entry {position}", entry) for position, entry in enumerate(whole))
            return
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip().rstrip(",").strip()
        if stripped in ("", "[", "]"):
            continue
        try:
            yield f"line {number}", json.loads(stripped)
        except (ValueError, RecursionError):
            problems.add("line that is not JSON", f"line {number}")


def _prediction(entry: Any, place: str, problems: Problems) -> Prediction | None:
    if not isinstance(entry, dict):
        problems.add("record that is not an object", place)
        return None
    name = next((key for key in _ID_KEYS if key in entry), None)
    if name is None:
        problems.add("record without question_id", place)
        return None
    identifier = entry[name]
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        problems.add("question_id of a wrong type", place)
        return None
    identifier = str(identifier)
    if "prediction" not in entry:
        problems.add("record without prediction", identifier)
        return None
    answer = next((entry[key] for key in _ANSWER_KEYS if key in entry), None)
    if answer is not None and (not isinstance(answer, str) or letter_of(answer) is None):
        problems.add("gt_answer that is not a letter (not used)", identifier)
        answer = None
    number = next((entry[key] for key in _DIMENSION_KEYS if key in entry), None)
    dimension = number if isinstance(number, int) and not isinstance(number, bool) else None
    found = Prediction(identifier, entry["prediction"], answer, dimension)
    if found.letter is None:
        problems.add("prediction that is not a letter (invalid, counted as wrong)", identifier)
    elif found.letter != found.written:
        problems.add("prediction that is not exactly a capital letter", identifier)
    if answer is not None and answer != letter_of(answer):
        problems.add("gt_answer that is not exactly a capital letter", identifier)
    return found


def letter_of(value: Any) -> str | None:
    """A letter A to H in either case with nothing but blanks around it."""
    stripped = value.strip().upper() if isinstance(value, str) else ""
    return stripped if len(stripped) == 1 and stripped in LETTERS[:8] else None
