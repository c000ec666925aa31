"""Training data without what evaluation tasks ask: the findings of `contamination` as a filter's decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import Field

from vergence.config import Section
from vergence.conversation import Conversation
from vergence.data.curation.decisions import Decision, Decisions, all_of
from vergence.data.curation.source import Folder, Show, samples, silent
from vergence.errors import DataError
from vergence.evaluation.contamination import COMMON, find_contamination
from vergence.evaluation.picture_matches import RADIUS, SIMILARITY, Finding
from vergence.evaluation.task import Task


class ContaminationRules(Section):
    """What counts as a part of a task."""

    radius: int = Field(RADIUS, ge=0, le=16, description="bits in which one of two hashes of pictures may differ")
    similarity: float = Field(SIMILARITY, ge=-1, le=1, description="least correlation of the thumbnails")
    common: int = Field(COMMON, ge=1, description="runs of words that more training samples have are nobody's")
    limit: int | None = Field(None, ge=1, description="samples of a task that are looked for; null: all")


def decontaminate(folder: Folder, tasks: Sequence[Task], rules: ContaminationRules, show: Show = silent) -> Decisions:
    """Leave out each sample of a folder that holds a picture, a file or a text of one of the tasks.

    Raises `DataError` where a task's data isn't there.
    """
    wanted = [
        replace(sample, id=f"{task.name}/{sample.id}")
        for task in tasks
        for sample in list(task.samples())[: rules.limit]
    ]
    unreadable: set[int] = set()
    keys: dict[int, str] = {}

    def items() -> Iterator[tuple[str, Conversation | None]]:
        for number, key, found in samples(folder, show):
            keys[number] = key
            if isinstance(found, DataError):
                unreadable.add(number)
                yield str(number), None
            else:
                yield str(number), found

    report = find_contamination(
        items(),
        wanted,
        radius=rules.radius,
        least_similarity=rules.similarity,
        common=rules.common,
        kept=len(folder),
    )
    best: dict[int, Finding] = {}
    for finding in report.findings:
        number = int(finding.item)
        if number not in best or finding.overlap > best[number].overlap:
            best[number] = finding
    rows = []
    for number, key in keys.items():
        hit = best.get(number)
        if hit is not None:
            reason = f"{hit.kind} of {hit.sample.partition('/')[0]}"
            rows.append(Decision(number, key, 0, reason, hit.overlap))
        elif number in unreadable:
            rows.append(Decision(number, key, 0, "unreadable"))
        else:
            rows.append(Decision(number, key, 1))
    settings = {**rules.model_dump(mode="json"), "tasks": [task.name for task in tasks], "looked_for": len(wanted)}
    return all_of(rows, name="decontaminate", fingerprint=folder.fingerprint, settings=settings)
