"""Reading the references that rows hold: texts, numbers, boxes, and mappings of these.

Everything raises `ValueError` that says what was found, which becomes the reason why the row is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vergence.conversation import Frames, ImagePart, VideoPart
from vergence.errors import DataError
from vergence.evaluation.task import Sample
from vergence.evaluation.tasks.cells import as_list, as_text, shorten
from vergence.processing.media import image_size

Reader = Callable[[Any, Sample, Any], Any]


def text(cell: Any, sample: Sample, parameters: Any) -> str:
    """A text that isn't empty; of a list with one entry, that."""
    if isinstance(cell, list | tuple) and len(cell) == 1:
        cell = cell[0]
    found = as_text(cell).strip()
    if not found:
        raise ValueError("no answer")
    return found


def texts(cell: Any, sample: Sample, parameters: Any) -> list[str]:
    """One or more texts: a list (also written as text), a list of {"answer": ...}, or a single text."""
    if isinstance(cell, str):
        try:
            values: list[Any] = as_list(cell)
        except ValueError:
            values = [cell]
    else:
        values = as_list(cell) if isinstance(cell, list | tuple) or hasattr(cell, "tolist") else [cell]
    found = [as_text(one["answer"] if isinstance(one, Mapping) and "answer" in one else one) for one in values]
    if not any(one.strip() for one in found):
        raise ValueError("no answer")
    return found


def yes_or_no(cell: Any, sample: Sample, parameters: Any) -> bool:
    """Whether the right answer is yes, however it is written: yes/no, true/false, 1/0."""
    known = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False, "y": True, "n": False}
    word = as_text(cell).strip().rstrip(".").lower()
    if word not in known:
        raise ValueError(f"the answer {shorten(cell)} is neither yes nor no")
    return known[word]


def whole(cell: Any, sample: Sample, parameters: Any) -> int:
    """A whole number from 0 on."""
    value = real(cell, sample, parameters)
    if value != int(value) or value < 0:
        raise ValueError(f"the answer {shorten(cell)} is not a whole number from 0 on")
    return int(value)


def real(cell: Any, sample: Sample, parameters: Any) -> float:
    """A finite number."""
    try:
        value = float(as_text(cell))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"the answer {shorten(cell)} is not a number")
    return value


def numbers(cell: Any, count: int | None = None) -> list[float]:
    """A list of finite numbers, also written as text ("[1, 2]", "1, 2"); exactly `count` of them if asked."""
    try:
        values = as_list(cell)
    except ValueError:
        values = str(cell).replace(",", " ").split()
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError):
        found = [math.nan]
    if not all(map(math.isfinite, found)) or (count is not None and len(found) != count):
        raise ValueError(f"{shorten(cell)} is not a list of {count or ''} numbers".replace("  ", " "))
    return found


def span(cell: Any, sample: Sample, parameters: Any) -> list[float]:
    """[start, end] in seconds: such a list, or a mapping with start and end."""
    if isinstance(cell, Mapping):
        cell = [cell.get("start"), cell.get("end")]
    found = numbers(cell, 2)
    if not 0 <= found[0] < found[1]:
        raise ValueError(f"the span {shorten(cell)} doesn't end after it starts")
    return found


def mapping(cell: Any, needed: Sequence[str]) -> dict[str, Any]:
    """A reference of several named values. Raises where one of the needed ones isn't there."""
    if not isinstance(cell, Mapping):
        raise ValueError(f"expected fields.answer to be a mapping with {', '.join(needed)}")
    missing = [name for name in needed if cell.get(name) is None]
    if missing:
        raise ValueError(f"no {', '.join(missing)} in the answer")
    return dict(cell)


def structure(needed: Sequence[str]) -> Reader:
    """A reader of references with these named values; every other value stays as it is."""

    def read(cell: Any, sample: Sample, parameters: Any) -> dict[str, Any]:
        return mapping(cell, needed)

    return read


def picture_size(sample: Sample) -> tuple[int, int]:
    """(width, height) of the picture that the question is about: its only, or its first one."""
    for part in sample.media:
        if isinstance(part, ImagePart):
            return image_size(part.image)
        if isinstance(part, VideoPart) and isinstance(part.video, Frames):
            return image_size(part.video.images[0])
    raise DataError(f"{sample.id}: a place without a picture has no size")
