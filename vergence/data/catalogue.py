"""The list of picture kinds and of the tasks they ask; importing it loads no kind, no Pillow, torch or sklearn."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Literal, NamedTuple

from vergence.data.pictures import Picture, Split, rng_for
from vergence.errors import UsageError

Metric = Literal["exact", "box", "point"]


class TaskInfo(NamedTuple):
    """Which kind of picture a task is asked about, whether that picture is real, and how an answer is scored.

    Metrics: `exact` is string equality, `box` an IoU of at least 0.5, `point` a point inside the target's box.
    """

    kind: str
    real: bool
    metric: Metric


KINDS: Mapping[str, str] = MappingProxyType(
    {
        "shapes": "vergence.data.synthesis.shapes",
        "text": "vergence.data.synthesis.text",
        "table": "vergence.data.synthesis.table",
        "chart": "vergence.data.synthesis.chart",
        "digits": "vergence.data.sources.digits",
        "numbers": "vergence.data.sources.numbers",
        "emoji": "vergence.data.sources.emoji",
        "emoji_grid": "vergence.data.sources.emoji_grid",
    }
)
"""Kind name -> the module whose `draw(split, rng)` draws it."""

TASKS: Mapping[str, TaskInfo] = MappingProxyType(
    {
        "colour": TaskInfo("shapes", False, "exact"),
        "shape": TaskInfo("shapes", False, "exact"),
        "count": TaskInfo("shapes", False, "exact"),
        "position": TaskInfo("shapes", False, "exact"),
        "box": TaskInfo("shapes", False, "box"),
        "point": TaskInfo("shapes", False, "point"),
        "text": TaskInfo("text", False, "exact"),
        "table": TaskInfo("table", False, "exact"),
        "chart": TaskInfo("chart", False, "exact"),
        "bars": TaskInfo("chart", False, "exact"),
        "digit": TaskInfo("digits", True, "exact"),
        "number": TaskInfo("numbers", True, "exact"),
        "emoji": TaskInfo("emoji", True, "exact"),
        "find": TaskInfo("emoji_grid", True, "exact"),
    }
)


def draw(kind: str, split: Split, seed: int, index: int) -> Picture:
    """Picture number `index` of a kind and split; the same arguments give the same picture in every process."""
    if kind not in KINDS:
        raise UsageError(f"unknown picture kind {kind!r}; known are {', '.join(KINDS)}")
    picture: Picture = import_module(KINDS[kind]).draw(split, rng_for(seed, kind, split, index))
    return picture
