"""Fields of a published question, checked: each gives its value or says why the question can't be used."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from vergence.evaluation.seed_bench.layout import inside
from vergence.evaluation.task import LETTERS


class UnusableError(Exception):
    """Why a question is left out; raised and caught inside this package."""


def text_field(entry: dict[str, Any], key: str) -> str:
    """A field that has to be text. Raises `UnusableError`."""
    value = entry[key]
    if not isinstance(value, str):
        raise UnusableError(f"field {key!r} of a wrong type ({kind_of(value)}, expected text)")
    return value


def choices_of(entry: dict[str, Any], fewest: int) -> tuple[str, ...]:
    """The options a, b, c ... in lower or upper case, up to the first that is missing."""
    found = []
    for letter in LETTERS[:8]:
        key = f"choice_{letter.lower()}" if f"choice_{letter.lower()}" in entry else f"choice_{letter}"
        if key not in entry:
            break
        found.append(text_field(entry, key))
    if len(found) < fewest:
        raise UnusableError(f"missing field 'choice_{LETTERS[len(found)].lower()}'")
    return tuple(found)


def names_of(data_id: Any) -> list[str]:
    """The names of a question's media, from one text or a list of texts. Raises `UnusableError`."""
    names = data_id if isinstance(data_id, list) else [data_id]
    if not names or not all(isinstance(name, str) for name in names):
        raise UnusableError(f"field 'data_id' of a wrong type ({kind_of(data_id)}, expected a name or a list of names)")
    if not all(inside(name) for name in names):
        raise UnusableError("field 'data_id' that leaves the data folder")
    return names


def kind_of(value: Any) -> str:
    """What JSON calls the type of a value."""
    kinds = {bool: "true or false", int: "number", float: "number", str: "text", list: "list", dict: "object"}
    return kinds.get(type(value), "null")


def cluster_of(names: list[str], *, video: bool) -> str:
    """What questions about the same material share: the picture, the video (its frames' folder), or the set."""
    if video and len(names) > 1:
        return str(PurePosixPath(names[0]).parent)
    return "|".join(names)
