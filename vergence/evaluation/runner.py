"""Ask a model the questions of tasks, keep every answer, and go on where a run was stopped.

```
FOLDER/parts/TASK.N.jsonl   what process N has answered so far: lines are only ever added
FOLDER/TASK.jsonl           all records of a finished task, in the task's order
FOLDER/results.json         the measures of all finished tasks, written anew after each
FOLDER/media/               small copies of some of the pictures
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
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from vergence.errors import DataError, UsageError
from vergence.evaluation.examples import write_text
from vergence.evaluation.records import Key, dump, from_json, read_lines, show_media, to_json
from vergence.evaluation.results import FILE, NOT_EVALUATED, check_model, identity, task_result, write_results
from vergence.evaluation.task import Answer, Model, Prompt, Record, Sample, Task, Verdict, fingerprint
from vergence.progress import Progress, duration


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run goes: the first `limit` samples of each task, each asked `repeats` times.

    `temperature`, `top_p` and `max_tokens` replace a task's own where they are given; sampled answers are seeded from
    `seed`, the sample and the repeat. Small pictures are kept of the first `keep_media` samples of a task.
    """

    limit: int | None = None
    repeats: int = 1
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int = 0
    keep_media: int = 60

    def to_json(self) -> dict[str, Any]:
        """What of it can change an answer."""
        kept = ("limit", "repeats", "temperature", "top_p", "max_tokens", "seed")
        return {name: getattr(self, name) for name in kept}


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

    A task whose data can't be used is reported in the results and the next one goes on. Raises `UsageError` where the
    folder holds the answers of another model, other settings or another version of a task.
    """
    processes = processes or Processes.from_environment()
    progress = progress or Progress()
    folder.mkdir(parents=True, exist_ok=True)
    check_model(folder, model)
    results: dict[str, Any] = {}
    for task in tasks:
        try:
            found = _run_task(model, task, folder, settings, processes, progress)
        except DataError as error:
            found = {"n": 0, "errors": 0, "invalid": 0, "measures": [], "problems": [f"{NOT_EVALUATED}: {error}"]}
            progress.line(f"{task.name}: {NOT_EVALUATED}: {error}")
            processes.wait()
        if processes.rank == 0:
            results = write_results(folder, model, settings.to_json(), {task.name: found})
    processes.wait()
    return results or json.loads((folder / FILE).read_text(encoding="utf-8"))


def _run_task(
    model: Model, task: Task, folder: Path, settings: RunSettings, processes: Processes, progress: Progress
) -> dict[str, Any]:
    samples = list(task.samples())[: settings.limit]
    _check_ids(task, samples)
    run = run_key(model, task, settings)
    name = file_name(task.name)
    files = [folder / f"{name}.jsonl", *sorted((folder / "parts").glob(f"{name}.*.jsonl"))]
    done = read_done(files, run, task.name)
    wanted = [(sample, repeat) for repeat in range(settings.repeats) for sample in samples]
    batches = [wanted[i : i + model.batch] for i in range(0, len(wanted), model.batch)]
    mine = [batch for number, batch in enumerate(batches) if number % processes.count == processes.rank]
    kept = {sample.id for sample in samples[: settings.keep_media]}
    writer = _Writer(folder, name, run, kept)
    asker = _Asker(model, task, settings, writer)
    pending = [(batch, missing) for batch in mine if (missing := _missing(batch, done, model.independent))]
    if pending:
        meter = _Meter(task.name, len(wanted), len(wanted) - sum(len(m) for _, m in pending), progress)
        with writer.opened(folder / "parts" / f"{name}.{processes.rank}.jsonl"):
            for _, missing in pending:
                for _ in asker.ask(missing):
                    meter.add()
    processes.wait()
    if processes.rank == 0:
        return _finish(model, task, samples, wanted, folder, run, progress)
    return {}


def _finish(
    model: Model,
    task: Task,
    samples: Sequence[Sample],
    wanted: Sequence[tuple[Sample, int]],
    folder: Path,
    run: str,
    progress: Progress,
) -> dict[str, Any]:
    """Gather all records into one file in the task's order, and measure them."""
    name = file_name(task.name)
    parts = sorted((folder / "parts").glob(f"{name}.*.jsonl"))
    done = read_done([folder / f"{name}.jsonl", *parts], run, task.name)
    lines = [done[sample.id, repeat] for sample, repeat in wanted]
    write_text(folder / f"{name}.jsonl", "".join(map(dump, lines)))
    for part in parts:
        part.unlink()
    if (folder / "parts").is_dir() and not any((folder / "parts").iterdir()):
        (folder / "parts").rmdir()
    known = {sample.id: sample for sample in samples}
    records = [from_json(line, known[line["id"]]) for line in lines]
    result = task_result(task, records, f"{name}.jsonl")
    told: Callable[[Collection[str]], list[str]] | None = getattr(model, "problems", None)
    if told is not None:  # a file of answers knows which of its ids the task doesn't ask
        result["problems"] += told({sample.id for sample in task.samples()})
    headline = result["measures"][0] if result["measures"] else {"value": None}
    value = NOT_EVALUATED if headline["value"] is None else f"{headline['metric']} {headline['value']:.4g}"
    progress.line(f"{task.name}: {value} ({result['n']} samples, {result['errors']} errors)")
    return result


def run_key(model: Model, task: Task, settings: RunSettings) -> str:
    """What answers have to agree in to be of the same run: the task's fingerprint, the model, how it samples.

    The limit and the number of repeats don't count: a longer run begins with the shorter one.
    """
    sampling = {k: v for k, v in settings.to_json().items() if k not in ("limit", "repeats")}
    text = json.dumps([fingerprint(task), identity(model.description()), sampling], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_name(task: str) -> str:
    """A task's name as a file's: whatever isn't a plain character becomes a dash."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in task)


def read_done(files: Sequence[Path], run: str, task: str) -> dict[Key, dict[str, Any]]:
    """The lines of earlier runs by key; of a key's lines the last counts.

    Raises `UsageError` for lines of another run.
    """
    done: dict[Key, dict[str, Any]] = {}
    for path in files:
        for line in read_lines(path) if path.exists() else ():
            if line.get("run") != run:
                raise UsageError(
                    f"{path}: holds answers of {task} by another model, with other settings or to another version of "
                    "the task; name another --output, or remove the file"
                )
            done[line["id"], line["repeat"]] = line
    return done


def _check_ids(task: Task, samples: Sequence[Sample]) -> None:
    if not samples:
        raise DataError("the task has no samples")
    twice = [name for name, count in Counter(sample.id for sample in samples).items() if count > 1]
    if twice:
        raise DataError(f"{len(twice)} ids stand for several samples: {', '.join(twice[:3])}")


def _missing(
    batch: Sequence[tuple[Sample, int]], done: Mapping[Key, Mapping[str, Any]], independent: bool
) -> list[tuple[Sample, int]]:
    """What of a batch is to be asked: what has no answer, or an error; all of it, if answers depend on the batch."""
    unasked = [one for one in batch if (one[0].id, one[1]) not in done]
    if unasked and not independent:
        return list(batch)
    failed = [one for one in batch if (line := done.get((one[0].id, one[1]))) and line["error"] is not None]
    return [one for one in batch if one in unasked or one in failed]


class _Writer:
    """Adds records to this process's part file."""

    def __init__(self, folder: Path, name: str, run: str, kept: set[str]) -> None:
        self.folder, self.name, self.run, self.kept = folder, name, run, kept
        self._file: IO[bytes] | None = None

    @contextmanager
    def opened(self, path: Path) -> Iterator[None]:
        """Hold the file while answers come in. Raises `UsageError` where another process holds it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            _lock(file, path)
            _cut_torn_line(file)
            self._file = file
            yield
            self._file = None

    def add(self, records: Sequence[Record]) -> None:
        """Add lines, in one write."""
        assert self._file is not None, "the file is open while answers come in"
        lines = []
        for record in records:
            keep = record.sample.id in self.kept and record.repeat == 0
            stem = hashlib.sha256(record.sample.id.encode()).hexdigest()[:16]
            media = show_media(record.sample.media, self.folder, f"{self.name}/{stem}", keep=keep)
            lines.append(dump(to_json(record, self.run, media)))
        self._file.write("".join(lines).encode())
        self._file.flush()


def _lock(file: IO[bytes], path: Path) -> None:
    """Hold a file for this process alone, where the system has such locks (Windows has others)."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UsageError(f"{path}: another process is writing it; name another --output") from None


def _cut_torn_line(file: IO[bytes]) -> None:
    """Drop what a kill left behind the last line break, so that the next line begins on its own."""
    file.seek(0)
    content = file.read()
    file.truncate(content.rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)


class _Asker:
    """Puts samples to the model and scores what comes back."""

    def __init__(self, model: Model, task: Task, settings: RunSettings, writer: _Writer) -> None:
        self.model, self.task, self.settings, self.writer = model, task, settings, writer
        self._threads = getattr(task, "scoring_threads", 1)

    def ask(self, batch: Sequence[tuple[Sample, int]]) -> Iterator[Record]:
        """Ask and write a batch. Answers that depend on one another are written together, others as they come."""
        records: list[Record] = []
        prompts: list[Prompt] = []
        asked: list[tuple[Sample, int]] = []
        for sample, repeat in batch:
            try:
                prompts.append(self._prompt(sample, repeat))
                asked.append((sample, repeat))
            except DataError as error:
                records.append(Record(sample, Answer(finish_reason="error", error=str(error)), None, repeat))
        answers = self.model.answer(prompts) if prompts else iter(())
        unanswered = dict(enumerate(asked))
        for record in self._scored((*unanswered.pop(index), answer) for index, answer in answers):
            records.append(record)
            if self.model.independent:
                self.writer.add(records)
                yield from records
                records = []
        for sample, repeat in unanswered.values():
            records.append(
                Record(sample, Answer(finish_reason="error", error="the model gave no answer"), None, repeat)
            )
        self.writer.add(records)
        yield from records

    def _scored(self, answers: Iterator[tuple[Sample, int, Answer]]) -> Iterator[Record]:
        """Score answers as they come: at once, or in threads where scoring waits for somebody (a judge)."""
        if self._threads == 1:
            yield from (self._record(*one) for one in answers)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            waiting: deque[Future[Record]] = deque()
            for one in answers:
                waiting.append(pool.submit(self._record, *one))
                while waiting and waiting[0].done():
                    yield waiting.popleft().result()
            yield from (future.result() for future in waiting)

    def _record(self, sample: Sample, repeat: int, answer: Answer) -> Record:
        verdict: Verdict | None = None
        if answer.error is None:
            try:
                verdict = self.task.score(sample, answer)
            except DataError as error:
                answer = replace(answer, finish_reason="error", error=f"can't be scored: {error}")
        return Record(sample, answer, verdict, repeat)

    def _prompt(self, sample: Sample, repeat: int) -> Prompt:
        prompt, settings = self.task.prompt(sample), self.settings
        wishes: dict[str, Any] = {
            key: value
            for key in ("temperature", "top_p", "max_tokens")
            if (value := getattr(settings, key)) is not None
        }
        if wishes.get("temperature", prompt.sampling.temperature):
            text = f"{settings.seed}/{self.task.name}/{sample.id}/{repeat}"
            wishes["seed"] = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        return replace(prompt, sampling=replace(prompt.sampling, **wishes), id=prompt.id or sample.id)


class _Meter:
    """The progress line: how many are done, how fast, and how long it still takes."""

    def __init__(self, task: str, total: int, done: int, progress: Progress) -> None:
        self.task, self.total, self.done, self.progress = task, total, done, progress
        self.started, self.new = time.monotonic(), 0

    def add(self) -> None:
        """One more is done."""
        self.new += 1
        self.done += 1
        seconds = time.monotonic() - self.started
        rate = self.new / seconds if seconds > 0 else 0.0
        left = duration((self.total - self.done) / rate) if rate else "?"
        self.progress.show(f"{self.task} {self.done}/{self.total}  {rate:.1f} samples/s  {left} left")
