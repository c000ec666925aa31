"""A shipped benchmark from a file of rows to results.json, answered from a list."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fabricated import StubJudge, clip, png, write_rows

from vergence.evaluation.metrics.registry import METRICS
from vergence.evaluation.models.recorded import RecordedModel, read_recorded
from vergence.evaluation.results import FILE, read_results
from vergence.evaluation.runner import RunSettings, run_tasks
from vergence.evaluation.task import TaskOptions
from vergence.evaluation.tasks.catalogue import FOLDER
from vergence.evaluation.tasks.declaration import read_declaration
from vergence.evaluation.tasks.declared import DeclaredTask
from vergence.progress import Progress

PICTURE = base64.b64encode(png()).decode()  # 40 x 40 pixels
Rows = Sequence[Mapping[str, Any]]


class Scores(dict[tuple[str, str], float]):
    """The values of a task's measures by (metric, group), and the rest of its object in results.json."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        super().__init__({(m["metric"], m["group"]): m["value"] for m in result["measures"]})
        self.result = result
        self.headline = result["measures"][0]["value"]
        self.compat = {m["metric"]: m["value"] for m in result["compat"]}


def scores(
    folder: Path, name: str, rows: Rows | Mapping[str, Any], answers: Sequence[str], *, file: str = "rows.jsonl", **wish
) -> Scores:
    """Write a benchmark's rows, answer its samples in their order, run it, and read what results.json says."""
    write_rows(folder / "data" / name / file, rows)
    (folder / "data" / name / "clip.mp4").write_bytes(clip())
    declaration = read_declaration(FOLDER / f"{name}.yaml")
    judge = wish.pop("judge", StubJudge()) if METRICS[declaration.metric.name].judges else None
    task = DeclaredTask(declaration, TaskOptions(data=folder / "data", **wish), judge=judge)
    samples = task.samples()
    assert task.problems == []
    assert len(samples) == len(answers)
    recorded = [{"id": sample.id, "answer": text} for sample, text in zip(samples, answers, strict=True)]
    (folder / "said.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in recorded), encoding="utf-8")
    model = RecordedModel(read_recorded(folder / "said.jsonl"))
    run_tasks(model, [task], folder / "run", RunSettings(), progress=Progress(io.StringIO()))
    assert (folder / "run" / FILE).exists()
    return Scores(read_results(folder / "run")["tasks"][task.name])


def choice_rows(count: int, **columns: Any) -> list[dict[str, Any]]:
    """Rows of questions whose right option is C, "a cat"."""
    options = ["a dog", "a rabbit", "a cat", "a horse"]
    return [
        {"id": i, "index": i, "question": "Which?", "image": PICTURE, "options": options, "answer": "C", **columns}
        for i in range(count)
    ]


class Verdicts(StubJudge):
    """A judge whose replies are told, in the order in which it is asked."""

    def __init__(self, replies: Sequence[str]) -> None:
        self.replies = list(replies)

    def reply(self, text: str) -> str:
        return self.replies.pop(0)
