"""A sample as the sample browser shows it: JSON of short keys, with its pictures inside and places in their pixels."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.records import Key
from vergence.evaluation.report.figures import number
from vergence.evaluation.report.html import plain
from vergence.evaluation.report.runs import Run
from vergence.evaluation.report.samples import Index
from vergence.processing.coordinates import parse_boxes, parse_points

LONGEST = 6000  # characters of a text that are kept
LARGEST = 1 << 21  # bytes of a picture that is shown
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FORMATS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
Place = list[float]
"""A box of four numbers or a point of two, in pixels of the picture."""


@dataclass(slots=True)
class Pictures:
    """Small pictures as data addresses, each kept once; `room` is how many bytes more the report may hold."""

    room: int
    addresses: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    left_out: int = 0

    def add(self, folder: Path, name: Any) -> str | None:
        """The key of the picture at this path in a run's folder; None for one that isn't there or has no room."""
        if not isinstance(name, str) or not name:
            return None
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DataError(f"{folder}: the thumbnail {name!r} lies outside the run's folder")
        try:
            with (folder / name).open("rb") as file:
                content = file.read(LARGEST + 1)
        except (OSError, ValueError):
            content = b""
        form = next((form for magic, form in _FORMATS.items() if content.startswith(magic)), None)
        if form is None or len(content) > LARGEST:
            self.missing.append(name)
            return None
        key = hashlib.sha256(content).hexdigest()[:16]
        if key in self.addresses:
            return key
        if len(content) > self.room:
            self.left_out += 1
            return None
        self.room -= len(content)
        self.addresses[key] = f"data:image/{form};base64,{base64.b64encode(content).decode()}"
        return key


def entries(
    name: str, runs: Sequence[Run], found: Index, chosen: Sequence[Key], pictures: Pictures
) -> list[dict[str, Any]]:
    """The chosen samples of a task, with the answer of every run (None where it has none).

    Raises `DataError` that names the file and the sample for a record of another form.
    """
    wanted = set(chosen)
    shown: dict[Key, dict[str, Any]] = {}
    for position, run in enumerate(runs):
        for line in _lines(name, run, wanted):
            key = (line["id"], line["repeat"])
            outcome = found.outcomes[position][key]
            try:
                if key not in shown:
                    shown[key] = {**_question(line), "answers": [None] * len(runs)}
                entry = shown[key]
                # Every run kept its own small pictures, or none: what one lacks another may have.
                for media, kept in zip(entry["media"], line["media"], strict=False):
                    media["picture"] = media["picture"] or pictures.add(run.path, kept.get("thumbnail"))
                    media["size"] = media["size"] or _size(kept)
                size = entry["media"][0]["size"] if len(entry["media"]) == 1 else None
                entry["truth"] = entry.get("truth") or (_places(line["reference"], size, line["tags"]) if size else [])
                entry["answers"][position] = _answer(line, outcome, size)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                file = run.tasks[name].records
                raise DataError(f"{file}: sample {plain(line['id'])}: {type(error).__name__}: {error}") from None
    return [shown[key] for key in chosen if key in shown]


def _lines(name: str, run: Run, wanted: set[Key]) -> Iterator[dict[str, Any]]:
    left = set(wanted) if name in run.tasks else set()
    if not left:
        return
    for line in run.tasks[name].lines():
        key = (line["id"], line["repeat"])
        if key in left:
            left.remove(key)
            yield line
        if not left:
            return


def _question(line: Mapping[str, Any]) -> dict[str, Any]:
    choices = [cut(choice) for choice in line["choices"]]
    reference = line["reference"]
    return {
        "id": plain(line["id"]),
        "repeat": line["repeat"],
        "question": cut(line["question"]),
        "choices": choices,
        "right": _choice(reference, choices),
        "reference": show(reference),
        "tags": [f"{plain(key)}: {show(value)}" for key, value in line["tags"].items()],
        "media": [
            {"kind": plain(media["kind"]), "path": _file_name(media.get("path")), "picture": None, "size": _size(media)}
            for media in line["media"]
        ],
    }


def _answer(line: Mapping[str, Any], outcome: str, size: tuple[int, int] | None) -> dict[str, Any]:
    tokens = line.get("tokens") or {}
    extracted = line["extracted"]
    places = _places(extracted, size, line["tags"]) if size else []
    if size and not places:
        places = _written(str(line["answer"]), size)
    return {
        "outcome": outcome,
        "tie": bool(line["tie"]),
        "text": cut(line["answer"]),
        "thought": cut(line["thought"] or ""),
        "cut": line["finish_reason"] == "length",
        "error": cut(line["error"] or ""),
        "image": _file_name(line.get("image")),
        "extracted": None if extracted is None else show(extracted),
        "choice": _choice(extracted, line["choices"]),
        "scores": [[plain(name), show(value)] for name, value in line["scores"].items()],
        "compat": [[plain(name), show(value)] for name, value in line["compat"].items()],
        "candidates": [
            [cut(one["text"]), *(_rounded(one.get(key)) for key in ("sum", "mean", "character", "byte", "pmi"))]
            for one in line["candidates"]
        ],
        "tokens": [[plain(kind), count] for kind, count in tokens.items() if isinstance(count, int)],
        "places": places,
    }


def cut(value: object) -> str:
    """A text of at most `LONGEST` characters, with a note of how long it was."""
    whole = plain(value)
    return whole if len(whole) <= LONGEST else f"{whole[:LONGEST]} … ({len(whole):,} characters in all)"


def show(value: Any) -> str:
    """Any JSON value in a line: a text as it is, a number short, anything else as JSON."""
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, float) and math.isfinite(value):
        return number(value) if abs(value) < 1e6 else repr(value)
    return cut(json.dumps(value, ensure_ascii=False))


def _choice(value: Any, choices: Sequence[str]) -> int | None:
    """Which of the choices a value means: an index, a letter or a choice's own text."""
    if isinstance(value, bool) or not choices:
        return None
    if isinstance(value, str):
        value = LETTERS.find(value) if len(value) == 1 and value in LETTERS else _find(value, choices)
    return value if isinstance(value, int) and 0 <= value < len(choices) else None


def _find(value: str, choices: Sequence[str]) -> int | None:
    return next((index for index, choice in enumerate(choices) if choice == value), None)


def _rounded(value: Any) -> float | str | None:
    if isinstance(value, float | int) and math.isfinite(value):
        return round(float(value), 4)
    return None if value is None else plain(value)


def _file_name(path: Any) -> str:
    return plain(path).replace("\\", "/").rsplit("/", 1)[-1] if path else ""


def _size(media: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = media.get("width"), media.get("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    return None


def _places(value: Any, size: tuple[int, int], tags: Mapping[str, Any]) -> list[Place]:
    """Boxes and points of a value: lists of 4 or 2 numbers where the sample asks for a place, or Seed's notation."""
    if isinstance(value, str):
        return _written(value, size)
    if tags.get("place") not in ("box", "point") or not isinstance(value, list):
        return []
    several = value if value and all(isinstance(inner, list) for inner in value) else [value]
    return [list(map(float, place)) for place in several if _is_place(place)]


def _is_place(value: Any) -> bool:
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in value)
    return numbers and len(value) in (2, 4)


def _written(answer: str, size: tuple[int, int]) -> list[Place]:
    if "<bbox>" not in answer and "<point>" not in answer:
        return []
    return [list(place) for place in [*parse_boxes(answer, *size), *parse_points(answer, *size)]][:100]
