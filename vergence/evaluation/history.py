"""What `metrics.jsonl` says about a run, read with patience: a run may be young, killed or resumed.

Its lines are objects with a `kind`:

    train    stage, step, global_step, tokens, loss, lr, grad_norm, tokens_per_second, utilisation, seconds
    heldout  stage, step, global_step, tokens, loss
    skipped  stage, reason, count (of the stage so far: the newest line counts)
    scores   stage, scores (objects as in scores.json)

`tokens` and `seconds` are totals since the run began. A run that was killed and resumed writes some steps twice; the
line written last counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from vergence.evaluation.scores import is_score

Record = Mapping[str, Any]
Points = list[tuple[float, float]]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file in their order; a line that is cut off or isn't an object is left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def number(record: Record, key: str) -> float | None:
    """A finite number of a record, or None."""
    value = record.get(key)
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable and value is not None else None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a run: its training and held-out records by step, and what was skipped by reason."""

    name: str
    train: list[Record]
    heldout: list[Record]
    skipped: dict[str, int]

    def curve(self, key: str, *, heldout: bool = False) -> Points:
        """(tokens, value) of every record that has both."""
        pairs = [(number(r, "tokens"), number(r, key)) for r in (self.heldout if heldout else self.train)]
        return [(x, y) for x, y in pairs if x is not None and y is not None]

    def mean(self, key: str) -> float | None:
        """The mean of a training figure over the stage's steps."""
        values = [value for record in self.train if (value := number(record, key)) is not None]
        return sum(values) / len(values) if values else None

    def last(self, key: str, *, heldout: bool = False) -> float | None:
        """The newest value of a figure."""
        values = [number(record, key) for record in (self.heldout if heldout else self.train)]
        return next((value for value in reversed(values) if value is not None), None)


def stages_of(records: Sequence[Record]) -> list[Stage]:
    """The stages that a run went through, in the order in which they began."""
    steps: dict[str, dict[str, dict[float, Record]]] = {}
    skipped: dict[str, dict[str, int]] = {}
    for record in records:
        stage, kind = str(record.get("stage", "")), record.get("kind")
        if kind in ("train", "heldout"):
            step = number(record, "step")
            if step is not None:
                steps.setdefault(stage, {}).setdefault(str(kind), {})[step] = record
        elif kind == "skipped":
            skipped.setdefault(stage, {})[str(record.get("reason"))] = int(number(record, "count") or 0)
    names = dict.fromkeys([*steps, *skipped])
    return [
        Stage(
            name=name,
            train=[r for _, r in sorted(steps.get(name, {}).get("train", {}).items())],
            heldout=[r for _, r in sorted(steps.get(name, {}).get("heldout", {}).items())],
            skipped={reason: count for reason, count in skipped.get(name, {}).items() if count},
        )
        for name in names
    ]


def scores_of(records: Sequence[Record], scores: Sequence[Record]) -> dict[str, list[Record]]:
    """The scores of each stage, in the order in which they were measured.

    `scores` (of `scores.json`) decide; the records add the stages that are missing there.
    """
    measured: dict[str, list[Record]] = {}
    for record in records:
        if record.get("kind") == "scores" and isinstance(record.get("scores"), list):
            stage = str(record.get("stage", ""))
            found = [{**s, "stage": stage} for s in record["scores"] if isinstance(s, dict)]
            measured[stage] = [score for score in found if is_score(score)]
    final: dict[str, list[Record]] = {}
    for score in scores:
        if is_score(score):
            final.setdefault(str(score["stage"]), []).append(score)
    return {stage: found for stage, found in {**measured, **final}.items() if found}


def smooth(points: Points, span: float) -> Points:
    """The exponential moving average over about `span` points, without the start's pull towards zero.

    The bias correction is Adam's (Kingma and Ba 2014, arXiv 1412.6980, section 3).
    """
    keep, total, weight = 1 - 2 / (max(span, 1.0) + 1), 0.0, 0.0
    smoothed = []
    for x, y in points:
        total, weight = keep * total + (1 - keep) * y, keep * weight + (1 - keep)
        smoothed.append((x, total / weight))
    return smoothed


def thin(points: Points, most: int) -> Points:
    """At most `most` points: the means of equally long runs of neighbours."""
    if len(points) <= most:
        return points
    edges = [round(i * len(points) / most) for i in range(most + 1)]
    return [
        (sum(x for x, _ in points[a:b]) / (b - a), sum(y for _, y in points[a:b]) / (b - a)) for a, b in pairwise(edges)
    ]
