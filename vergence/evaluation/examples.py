"""The held-out samples that a run keeps for its gallery: `examples.json` and `examples/*.png` in the run's folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vergence.errors import DataError

FILE, FOLDER = "examples.json", "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """One answered question.

    `png` is the picture, `size` its (width, height) in pixels. `target` is the box to hit where the task asks for a
    place, `boxes` and `points` are the places that the answer names, all in pixels of the picture.
    """

    task: str
    name: str
    question: str
    expected: str
    answer: str
    right: bool
    size: tuple[int, int]
    target: tuple[float, ...] | None = None
    boxes: tuple[tuple[float, ...], ...] = ()
    points: tuple[tuple[float, ...], ...] = ()
    png: bytes = b""


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_examples(run: Path, examples: Sequence[Example]) -> Path:
    """Replace the examples of a run folder; returns the path of their `examples.json`."""
    folder = run / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for example in examples:
        (folder / f"{_file_name(example.name)}.png").write_bytes(example.png)
    records = [
        {field: getattr(example, field) for field in Example.__slots__ if field != "png"} for example in examples
    ]
    write_text(run / FILE, json.dumps(records, indent=1) + "\n")
    kept = {f"{_file_name(example.name)}.png" for example in examples}
    for path in folder.glob("*.png"):
        if path.name not in kept:
            path.unlink()
    return run / FILE


def read_examples(run: Path) -> list[Example]:
    """The examples of a run folder, none where it has no `examples.json`. Raises `DataError` for a broken one."""
    path = run / FILE
    if not path.exists():
        return []
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        examples = [_example(record) for record in records]
        return [replace(e, png=(run / FOLDER / f"{_file_name(e.name)}.png").read_bytes()) for e in examples]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: can't be read: {' '.join(str(error).split())}") from None


def _example(record: dict[str, Any]) -> Example:
    width, height = map(int, record["size"])
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} pixels")
    target = record.get("target")
    return Example(
        task=str(record["task"]),
        name=str(record["name"]),
        question=str(record["question"]),
        expected=str(record["expected"]),
        answer=str(record["answer"]),
        right=bool(record["right"]),
        size=(width, height),
        target=None if target is None else _numbers(target, 4),
        boxes=tuple(_numbers(box, 4) for box in record.get("boxes", [])),
        points=tuple(_numbers(point, 2) for point in record.get("points", [])),
    )


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    if len(values) != count:
        raise ValueError(f"expected {count} numbers, found {len(values)}")
    return tuple(map(float, values))


def _file_name(name: str) -> str:
    """The name itself, which must be a plain one: it becomes part of a path."""
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
        raise ValueError(f"{name!r} can't name a picture's file")
    return name
