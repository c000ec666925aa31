"""A task's result, the file `scores.json` and the table at the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.examples import write_text

FILE = "scores.json"
KEYS = ("stage", "task", "real", "n", "accuracy", "low", "high", "blind", "blind_low", "blind_high")
"""The keys of each object in `scores.json`, in their order."""


@dataclass(frozen=True, slots=True)
class Score:
    """A task's accuracy on `n` held-out samples and its Wilson 95% interval, next to the blind score's.

    `real` says that nobody of this project drew the pictures' content. The blind fields are None where the blind score
    was not measured.
    """

    task: str
    real: bool
    n: int
    accuracy: float
    low: float
    high: float
    blind: float | None = None
    blind_low: float | None = None
    blind_high: float | None = None

    def to_json(self, stage: str) -> dict[str, Any]:
        """The object of `scores.json`."""
        return {"stage": stage, **asdict(self)}


def from_json(record: Mapping[str, Any]) -> Score:
    """The score of an object of `scores.json`. Raises `KeyError` for a missing key."""
    return Score(**{key: record[key] for key in KEYS[1:]})


def write_scores(path: Path, scores: Sequence[Mapping[str, Any]]) -> None:
    """Write `scores.json`, a list of objects with the keys `KEYS`, atomically."""
    write_text(path, json.dumps(list(scores), indent=1) + "\n")


def read_scores(path: Path) -> list[dict[str, Any]]:
    """The objects of `scores.json`, none where it is missing. Raises `DataError` for a broken file."""
    if not path.exists():
        return []
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: can't be read: {' '.join(str(error).split())}") from None
    if not isinstance(records, list) or not all(is_score(record) for record in records):
        raise DataError(f"{path}: expected a list of objects with the keys {', '.join(KEYS)}")
    return records


def is_score(record: Any) -> bool:
    """Whether a value has the keys of a score and a number or nothing in each numeric one."""
    if not isinstance(record, dict) or not set(KEYS) <= record.keys():
        return False
    numbers = [record[key] for key in ("n", "accuracy", "low", "high")]
    blind = [record[key] for key in ("blind", "blind_low", "blind_high")]
    return all(isinstance(value, int | float) for value in [*numbers, *(b for b in blind if b is not None)])


def table(scores: Sequence[Score]) -> str:
    """The scores as aligned plain text, one task a line; percentages, with 95% intervals in brackets."""
    head = ("task", "pictures", "n", "accuracy", "95%", "blind", "95%", "difference")
    rows = [head, *map(_row, scores)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join([*left, *right]).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _row(score: Score) -> tuple[str, ...]:
    blind, difference, interval = "-", "-", "-"
    if score.blind is not None and score.blind_low is not None and score.blind_high is not None:
        blind = f"{100 * score.blind:.1f}"
        interval = f"[{100 * score.blind_low:.1f}, {100 * score.blind_high:.1f}]"
        difference = f"{100 * (score.accuracy - score.blind):+.1f}"
    return (
        score.task,
        "real" if score.real else "rendered",
        str(score.n),
        f"{100 * score.accuracy:.1f}",
        f"[{100 * score.low:.1f}, {100 * score.high:.1f}]",
        blind,
        interval,
        difference,
    )
