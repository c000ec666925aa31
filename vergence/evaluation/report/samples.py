"""Which samples a report shows, and what it says of each: the data of the sample browser.

A report can't hold 20,000 samples with their pictures. Of each task it shows what failed or could not be read, then
where models disagree, then the first right and wrong ones alike, and says how many there are of each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.records import Key
from vergence.evaluation.report.figures import lower_is_better
from vergence.evaluation.report.html import plain
from vergence.evaluation.report.runs import TaskRun, group_keys

OUTCOMES = {
    "error": "error",
    "invalid": "invalid",
    "wrong": "wrong",
    "partial": "partly right",
    "scored": "scored",
    "right": "right",
}
"""What an answer can come to, with the words for it, in the order in which they are shown."""


@dataclass(slots=True)
class Index:
    """What came of a task's samples, sample by sample, without their texts.

    `outcomes[run][key]` are keys of `OUTCOMES`; `order` holds every sample once. `outside` are the groups all of whose
    samples have the tag "ood".
    """

    outcomes: list[dict[Key, str]]
    order: list[Key] = field(default_factory=list)
    tied: set[Key] = field(default_factory=set)
    pictured: set[Key] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)

    def of(self, key: Key) -> set[str]:
        """The outcomes of a sample in all runs."""
        return {run[key] for run in self.outcomes if key in run}

    def counts(self, keys: Sequence[Key] | None = None) -> Counter[str]:
        """How many samples have each outcome in at least one run, and how many a tie."""
        found: Counter[str] = Counter()
        for key in self.order if keys is None else keys:
            found.update(self.of(key))
            found["tie"] += key in self.tied
        return found


def index(tasks: Sequence[TaskRun | None]) -> Index:
    """Read one task's records of every run (None: it wasn't asked). Raises `DataError` for a broken record."""
    found = Index([{} for _ in tasks])
    order: dict[Key, None] = {}
    inside: dict[str, bool] = {}
    for run, task in enumerate(tasks):
        if task is None:
            continue
        groups = {m.group: group_keys(m.group) for m in task.measures if m.group}
        scores: dict[Key, float] = {}
        metric = ""
        for line in task.lines():
            key = (line["id"], line["repeat"])
            order[key] = None
            outcome, name, score = _outcome(task, line)
            found.outcomes[run][key] = outcome
            metric = metric or name
            if score is not None:
                scores[key] = score
            if line.get("tie"):
                found.tied.add(key)
            if any(isinstance(media, dict) and media.get("thumbnail") for media in line.get("media") or ()):
                found.pictured.add(key)
            tags = line.get("tags") or {}
            if "ood" in tags:
                _note_outside(inside, groups, tags)
        found.outcomes[run].update(_judge(scores, lower_is_better(metric)))
    found.order = list(order)
    found.outside = {group for group, is_inside in inside.items() if not is_inside}
    return found


def _outcome(task: TaskRun, line: Mapping[str, Any]) -> tuple[str, str, float | None]:
    """A record's outcome as far as it alone tells, and its main metric and score where that decides."""
    if line.get("error") is not None:
        return "error", "", None
    if line.get("valid") is False:
        return "invalid", "", None
    scores = line.get("scores")
    if not isinstance(scores, dict):
        raise DataError(f"{task.records}: sample {line['id']}: scores: expected an object")
    name, score = next(iter(scores.items()), ("", None))
    return "scored", str(name), float(score) if isinstance(score, int | float) else None


def _judge(scores: Mapping[Key, float], lower: bool) -> Iterator[tuple[Key, str]]:
    """Right, wrong or between, where a metric is a share; scores of another scale have no right and wrong."""
    if lower or not all(0 <= score <= 1 for score in scores.values()):
        return
    for key, score in scores.items():
        yield key, "right" if score == 1 else "wrong" if score == 0 else "partial"


def _note_outside(inside: dict[str, bool], groups: Mapping[str, Mapping[str, str]], tags: Mapping[str, Any]) -> None:
    """Note whether a sample lies inside the distribution, for every group that it belongs to."""
    for group, keys in groups.items():
        if all(_belongs(tags.get(key), value) for key, value in keys.items()):
            inside[group] = inside.get(group, False) or not tags["ood"]


def _belongs(tag: Any, value: str) -> bool:
    return tag is not None and (str(tag) == value or str(tag).startswith(f"{value}/"))


def choose(found: Index, limit: int) -> list[Key]:
    """The samples to show, in the task's order.

    Errors and invalid answers come first (up to a quarter of the room each), then ties (an eighth), then those that
    models disagree on (a quarter), then right and wrong ones in turn; what room is left goes to any others. Of each
    kind those with pictures come first.
    """
    order = sorted(found.order, key=lambda key: key not in found.pictured)
    outcomes = {key: found.of(key) for key in order}
    kinds = {kind: [key for key in order if kind in outcomes[key]] for kind in OUTCOMES}
    disputed = [key for key in kinds["right"] if "wrong" in outcomes[key]]
    chosen: dict[Key, None] = {}
    for keys, room in (
        (kinds["error"], limit // 4),
        (kinds["invalid"], limit // 4),
        ([key for key in order if key in found.tied], limit // 8),
        (disputed, limit // 4),
    ):
        for key in keys[: max(0, min(room, limit - len(chosen)))]:
            chosen[key] = None
    turns = zip_longest(kinds["right"], kinds["wrong"], kinds["partial"], kinds["scored"])
    for key in chain((key for turn in turns for key in turn if key), order):
        if len(chosen) >= limit:
            break
        chosen[key] = None
    return [key for key in found.order if key in chosen]


def left_out(found: Index, chosen: Sequence[Key]) -> str:
    """What of a task's samples is shown: `400 of 20,000 samples: 12 of 12 error, 88 of 300 invalid, ...`."""
    if len(chosen) == len(found.order):
        return f"All {len(chosen):,} samples."
    whole, shown = found.counts(), found.counts(chosen)
    words = {**OUTCOMES, "tie": "tied"}
    parts = [f"{shown[kind]:,} of {whole[kind]:,} {word}" for kind, word in words.items() if whole[kind]]
    return plain(
        f"{len(chosen):,} of {len(found.order):,} samples: {', '.join(parts)}. The others are only in the run’s "
        "folder; these shares say nothing of how often each happens."
    )
