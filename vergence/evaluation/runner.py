"""Ask a model the questions of tasks, keep every answer, and go on where a run was stopped.

```
FOLDER/parts/          what of a task has been answered so far, before it is finished
FOLDER/TASK.jsonl      all records of a finished task, in the task's order
FOLDER/results.json    the measures of all finished tasks, written anew after each
FOLDER/media/          small copies of some of the pictures
```

A run can be killed at any moment. Started again, with any number of processes, it asks what has no answer yet; the
files that it ends with are those of an unbroken run, to the byte. Where a model's answers depend in their last bits on
the prompts beside them, batches are always cut at the same places, and a batch that is not complete is asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vergence.errors import DataError, UsageError, VergenceError
from vergence.evaluation.asking import Asker, RunSettings, told
from vergence.evaluation.parts import Writer, file_name, gather, read_done
from vergence.evaluation.records import Key, from_json
from vergence.evaluation.results import (
    FILE,
    NOT_EVALUATED,
    check_model,
    identity,
    not_evaluated,
    task_result,
    write_results,
)
from vergence.evaluation.task import Model, Sample, Task, fingerprint
from vergence.progress import Progress, duration

__all__ = ["Processes", "RunSettings", "file_name", "run_key", "run_tasks"]

Asked = list[tuple[Sample, int]]
"""Samples and repeats, in the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that share a run, as torchrun names them in the environment."""

    rank: int = 0
    count: int = 1

    @classmethod
    def from_environment(cls) -> Processes:
        """RANK of WORLD_SIZE; alone, where these aren't set."""
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    def wait(self) -> None:
        """Return when all processes have come here. Answers go through files, so nothing else is exchanged."""
        if self.count == 1:
            return
        from datetime import timedelta

        import torch.distributed as dist

        if not dist.is_initialized():
            dist.init_process_group("gloo", timeout=timedelta(days=7))
        dist.barrier()


def run_tasks(
    model: Model,
    tasks: Sequence[Task],
    folder: Path,
    settings: RunSettings,
    *,
    processes: Processes | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate a model on tasks, one after the other; returns what `results.json` in `folder` holds.

    A task whose data can't be used is reported in the results and the next one goes on. Raises `UsageError` where two
    tasks have the same name, and where the folder holds the answers of another model, other settings or another version
    of a task.
    """
    processes = processes or Processes.from_environment()
    progress = progress or Progress()
    _check_names(tasks)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder}: a file stands where the run's folder should be; name another --output") from None
    check_model(folder, model)
    results: dict[str, Any] = {}
    for task in tasks:
        asked, problem = None, ""
        try:
            asked = _ask(model, task, folder, settings, processes, progress)
        except DataError as error:
            problem = str(error)
        processes.wait()
        if processes.rank == 0:
            found = not_evaluated(problem)
            if asked is not None:
                try:
                    found = _finish(model, task, asked, folder, settings)
                except DataError as error:
                    found = not_evaluated(str(error))
            progress.line(_outcome(task, found))
            results = write_results(folder, model, settings.to_json(), {task.name: found})
    processes.wait()
    return results or json.loads((folder / FILE).read_text(encoding="utf-8"))


def _check_names(tasks: Sequence[Task]) -> None:
    """Two tasks of one name would share their files."""
    for file, count in Counter(file_name(task.name) for task in tasks).items():
        if count > 1:
            names = [task.name for task in tasks if file_name(task.name) == file]
            raise UsageError(
                f"{count} tasks are called {', '.join(dict.fromkeys(names))}; give them names of their own"
            )


def _ask(
    model: Model, task: Task, folder: Path, settings: RunSettings, processes: Processes, progress: Progress
) -> Asked:
    """Ask what of this process's share has no answer yet; returns what all processes ask."""
    samples = list(task.samples())[: settings.limit]
    _check_ids(samples)
    name, run = file_name(task.name), run_key(model, task, settings)
    done = read_done(folder, name, run, task.name)
    wanted = [(sample, repeat) for repeat in range(settings.repeats) for sample in samples]
    batches = [wanted[i : i + model.batch] for i in range(0, len(wanted), model.batch)]
    mine = [batch for number, batch in enumerate(batches) if number % processes.count == processes.rank]
    pending = [missing for batch in mine if (missing := _missing(batch, done, model.independent))]
    if pending:
        writer = Writer(folder, name, run, {sample.id for sample in samples[: settings.keep_media]})
        asker = Asker(model, task, settings, writer)
        total = sum(map(len, mine))
        meter = _Meter(_share(task, processes), total, total - sum(map(len, pending)), progress)
        with writer.opened(processes.rank):
            for missing in pending:
                for records in asker.ask(missing):
                    meter.add(len(records))
    return wanted


def _share(task: Task, processes: Processes) -> str:
    """What the progress line is about: of several processes each reports its own share."""
    return task.name if processes.count == 1 else f"{task.name}, process {processes.rank + 1} of {processes.count},"


def _finish(model: Model, task: Task, asked: Asked, folder: Path, settings: RunSettings) -> dict[str, Any]:
    """Gather all records into one file in the task's order, and measure them."""
    name, run = file_name(task.name), run_key(model, task, settings)
    done = read_done(folder, name, run, task.name)
    lines = gather(folder, name, done, [(sample.id, repeat) for sample, repeat in asked])
    try:
        records = [from_json(line, sample) for line, (sample, _) in zip(lines, asked, strict=True)]
        result = task_result(task, records, f"{name}.jsonl")
    except VergenceError:
        raise
    except Exception as error:  # a fault of the metric must not cost the other tasks
        raise DataError(f"its {len(lines)} answers, which are kept, can't be measured: {told(error)}") from error
    told_by: Callable[[Collection[str]], list[str]] | None = getattr(model, "problems", None)
    if told_by is not None:  # a file of answers knows which of its ids the task doesn't ask
        result["problems"] += told_by([sample.id for sample in task.samples()])
    return result


def _outcome(task: Task, result: Mapping[str, Any]) -> str:
    """The line that says what came of a task."""
    if "samples" not in result:
        return f"{task.name}: {result['problems'][0]}"
    headline = result["measures"][0] if result["measures"] else {"value": None}
    value = NOT_EVALUATED if headline["value"] is None else f"{headline['metric']} {headline['value']:.4g}"
    return f"{task.name}: {value} ({result['n']} samples, {result['errors']} errors)"


def run_key(model: Model, task: Task, settings: RunSettings) -> str:
    """What answers have to agree in to be of the same run: the task's fingerprint, the model, how it samples.

    The limit and the number of repeats don't count: a longer run begins with the shorter one.
    """
    sampling = {k: v for k, v in settings.to_json().items() if k not in ("limit", "repeats")}
    text = json.dumps([fingerprint(task), identity(model.description()), sampling], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_ids(samples: Sequence[Sample]) -> None:
    if not samples:
        raise DataError("the task has no samples")
    twice = [name for name, count in Counter(sample.id for sample in samples).items() if count > 1]
    if twice:
        raise DataError(f"{len(twice)} ids stand for several samples: {', '.join(twice[:3])}")


def _missing(batch: Asked, done: Mapping[Key, Mapping[str, Any]], independent: bool) -> Asked:
    """What of a batch is to be asked: what has no answer, or an error; all of it, if answers depend on the batch."""
    lines = [done.get((sample.id, repeat)) for sample, repeat in batch]
    if None in lines and not independent:
        return list(batch)
    return [one for one, line in zip(batch, lines, strict=True) if line is None or line["error"] is not None]


class _Meter:
    """The progress line: how many are done, how fast, and how long it still takes."""

    def __init__(self, label: str, total: int, done: int, progress: Progress) -> None:
        self.label, self.total, self.done, self.progress = label, total, done, progress
        self.started, self.new = time.monotonic(), 0

    def add(self, count: int) -> None:
        """So many more are done."""
        if not count:
            return
        self.new += count
        self.done += count
        seconds = time.monotonic() - self.started
        rate = self.new / seconds if seconds > 0 else 0.0
        left = duration((self.total - self.done) / rate) if rate else "?"
        self.progress.show(f"{self.label} {self.done}/{self.total}  {rate:.1f} samples/s  {left} left")
