"""The evaluation runs of a report, read from their folders and checked: what the tables and heat maps are made of."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.records import read_lines
from vergence.evaluation.results import FILE, NOT_EVALUATED, read_results
from vergence.evaluation.task import Measure

BLIND = ":blind"
_KEY = re.compile(r"(?:^|,)([A-Za-z_]\w*)=")


@dataclass(frozen=True, slots=True)
class TaskRun:
    """What one run says about one task; `records` is the file of its samples."""

    name: str
    version: int
    fingerprint: str
    definition: Mapping[str, Any]
    records: Path
    n: int
    invalid: int
    errors: int
    ties: int
    truncated_thoughts: int | None
    tokens: Mapping[str, float | None]
    measures: tuple[Measure, ...]
    compat: tuple[Measure, ...]
    problems: tuple[str, ...]

    @property
    def headline(self) -> Measure | None:
        """The first measure of the whole task."""
        return next((measure for measure in self.measures if not measure.group), None)

    def lines(self) -> Iterator[dict[str, Any]]:
        """The samples' records, one at a time. Raises `DataError` for a file that is missing or broken."""
        if not self.records.is_file():
            raise DataError(f"{self.records}: there is no such file; {FILE} names it as tasks.{self.name}.samples")
        return read_lines(self.records)


@dataclass(frozen=True, slots=True)
class Run:
    """One run folder; `label` names its model, and its folder too where two runs' models have the same name.

    `not_evaluated` are tasks that the run could make nothing of, with the reason.
    """

    path: Path
    label: str
    version: str
    model: Mapping[str, Any]
    settings: Mapping[str, Any]
    tasks: Mapping[str, TaskRun]
    not_evaluated: Mapping[str, str]


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """The runs in these folders. Raises `DataError` that names the file and the key of what can't be used."""
    if not paths:
        raise DataError("a report needs the folder of at least one run")
    runs = [_run(path) for path in paths]
    names = Counter(run.label for run in runs)
    folders = Counter((run.label, run.path.name) for run in runs)
    labelled = []
    for run in runs:
        where = run.path.name if folders[run.label, run.path.name] == 1 else str(run.path)
        label = run.label if names[run.label] == 1 else f"{run.label} ({where})"
        labelled.append(replace(run, label=label))
    return labelled


def task_names(runs: Sequence[Run]) -> list[str]:
    """The tasks of all runs, in the order in which they first appear."""
    return list(dict.fromkeys(name for run in runs for name in run.tasks))


def blind_name(name: str, run: Run) -> str | None:
    """The task that asks a task's questions about grey pictures, where the run has it."""
    blind = f"{name}{BLIND}"
    return blind if blind in run.tasks else None


def is_blind(name: str, runs: Sequence[Run]) -> bool:
    """Whether a task is another one's blind form, so that its score belongs beside that one's."""
    return name.endswith(BLIND) and any(name.removesuffix(BLIND) in run.tasks for run in runs)


def group_keys(group: str) -> dict[str, str]:
    """The tags of a group: `length=8192,depth=0.5` has two. A value may hold commas, a key is a plain word."""
    found = list(_KEY.finditer(group))
    ends = [match.start() for match in found[1:]] + [len(group)] * bool(found)
    return {match[1]: group[match.end() : end] for match, end in zip(found, ends, strict=True)}


def _run(path: Path) -> Run:
    found = read_results(path)
    file = path / FILE
    model = found.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("name"), str):
        raise DataError(f"{file}: model.name: expected a text")
    settings = found.get("settings", {})
    if not isinstance(settings, dict):
        raise DataError(f"{file}: settings: expected an object")
    failed = {name: _why(file, name, task) for name, task in found["tasks"].items() if _is_not_evaluated(task)}
    tasks = {name: _task(file, name, task) for name, task in found["tasks"].items() if name not in failed}
    return Run(path, model["name"], str(found.get("vergence", "")), model, settings, tasks, failed)


def _is_not_evaluated(task: Any) -> bool:
    """Whether results.json says of a task only why there is nothing to say."""
    return isinstance(task, dict) and task.get("n") == 0 and "samples" not in task and "problems" in task


def _why(file: Path, name: str, task: Any) -> str:
    problems = _Reader(f"{file}: tasks.{name}", task).value("problems", list, "a list")
    return "; ".join(str(problem).removeprefix(f"{NOT_EVALUATED}: ") for problem in problems)


def _task(file: Path, name: str, found: Any) -> TaskRun:
    read = _Reader(f"{file}: tasks.{name}", found)
    samples = read.value("samples", str, "the name of a file")
    if Path(samples).is_absolute() or ".." in Path(samples).parts:
        raise DataError(f"{file}: tasks.{name}.samples: {samples!r} lies outside the run's folder")
    tokens = read.value("tokens", dict, "an object", {})
    return TaskRun(
        name=name,
        version=read.value("version", int, "a whole number"),
        fingerprint=read.value("fingerprint", str, "a text"),
        definition=read.value("definition", dict, "an object", {}),
        records=file.parent / samples,
        n=read.value("n", int, "a whole number"),
        invalid=read.value("invalid", int, "a whole number"),
        errors=read.value("errors", int, "a whole number"),
        ties=read.value("ties", int, "a whole number", 0),
        truncated_thoughts=read.value("truncated_thoughts", int | None, "a whole number or null", None),
        tokens={str(kind): _Reader(f"{read.where}.tokens", tokens).number(kind) for kind in tokens},
        measures=_measures(read, "measures"),
        compat=_measures(read, "compat"),
        problems=tuple(map(str, read.value("problems", list, "a list", []))),
    )


def _measures(read: _Reader, key: str) -> tuple[Measure, ...]:
    found = []
    for index, one in enumerate(read.value(key, list, "a list", [])):
        inner = _Reader(f"{read.where}.{key}[{index}]", one)
        found.append(
            Measure(
                metric=inner.value("metric", str, "a text"),
                value=inner.number("value", required=True),
                n=inner.value("n", int, "a whole number"),
                group=inner.value("group", str, "a text", ""),
                low=inner.number("low"),
                high=inner.number("high"),
                stderr=inner.number("stderr"),
            )
        )
    return tuple(found)


_REQUIRED = object()


class _Reader:
    """Reads keys of a JSON object and names the place of what is wrong."""

    def __init__(self, where: str, data: Any) -> None:
        if not isinstance(data, dict):
            raise DataError(f"{where}: expected an object, found {_kind(data)}")
        self.where, self.data = where, data

    def value(self, key: str, kind: Any, expected: str, default: Any = _REQUIRED) -> Any:
        """The value of a key, which has a type; true and false are no numbers."""
        if key not in self.data:
            if default is _REQUIRED:
                raise DataError(f"{self.where}: has no {key}, expected {expected}")
            return default
        value = self.data[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise DataError(f"{self.where}.{key}: expected {expected}, found {_kind(value)}")
        return value

    def number(self, key: str, *, required: bool = False) -> float | None:
        """A finite number, or None for null, and for a key that isn't there and needn't be."""
        value = self.value(key, float | int | None, "a number or null", _REQUIRED if required else None)
        if value is not None and not math.isfinite(value):
            raise DataError(f"{self.where}.{key}: expected a finite number or null, found {value}")
        return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), f"the number {value}")
