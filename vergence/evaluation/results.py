"""`results.json`: what a run's tasks came to, one object a task; and the same as a table at the terminal.

The file holds nothing that differs between two runs of the same questions, such as times.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vergence import __version__
from vergence.errors import DataError, UsageError
from vergence.evaluation.examples import write_text
from vergence.evaluation.parts import FOLDER as PARTS
from vergence.evaluation.parts import locked
from vergence.evaluation.records import UNSCORED
from vergence.evaluation.task import Measure, Model, Record, Task, fingerprint
from vergence.evaluation.tasks.orders import folded
from vergence.evaluation.thinking import TOKEN_KINDS, thinking_measures, thought_truncated, token_count
from vergence.evaluation.wording import interval, percent

FILE = "results.json"
FORMAT = 1
NOT_EVALUATED = "not evaluated"


def task_result(task: Task, records: Sequence[Record], file: str) -> dict[str, Any]:
    """The object of a task. `n` counts scored answers; what failed or couldn't be read is counted, never scored."""
    scored = [record for record in records if record.verdict]
    errors = [record for record in records if not record.verdict]
    cut = [flag for record in records if (flag := thought_truncated(record.answer)) is not None]
    return {
        "version": task.version,
        "fingerprint": fingerprint(task),
        "definition": dict(task.definition()),
        "samples": file,
        "n": len(scored),
        "invalid": sum(not record.verdict.valid for record in scored if record.verdict),
        "errors": len(errors),
        "ties": sum(record.verdict.tie for record in scored if record.verdict),
        "truncated_thoughts": sum(cut) if cut else None,
        "thinking": [asdict(measure) for measure in thinking_measures(records)] if cut else [],
        "tokens": {kind: _mean_tokens(records, kind) for kind in TOKEN_KINDS},
        "measures": [asdict(measure) for measure in task.aggregate(_clustered(records))],
        "compat": [asdict(measure) for measure in compat_measures(folded(records) if _circular(records) else records)],
        "problems": [*getattr(task, "problems", ()), *_problems(errors)],
    }


def not_evaluated(problem: str) -> dict[str, Any]:
    """The object of a task that couldn't be evaluated, with the reason; it names no file of samples."""
    return {"n": 0, "errors": 0, "invalid": 0, "measures": [], "problems": [f"{NOT_EVALUATED}: {problem}"]}


def _clustered(records: Sequence[Record]) -> Sequence[Record]:
    """The records, where questions were repeated with what the repeats of each share as its cluster."""
    if not any(record.repeat for record in records):
        return records
    samples = (replace(r.sample, tags={"cluster": r.sample.id, **r.sample.tags}) for r in records)
    return [replace(record, sample=sample) for record, sample in zip(records, samples, strict=True)]


def _circular(records: Sequence[Record]) -> bool:
    """Whether questions were asked in all orders of their options, which then count as one."""
    return any("rotation" in record.sample.tags for record in records)


def compat_measures(records: Sequence[Record]) -> list[Measure]:
    """The mean of each other harness's score, over the answers that it scores."""
    names = dict.fromkeys(name for record in records if record.verdict for name in record.verdict.compat)
    found = []
    for name in names:
        values = [r.verdict.compat[name] for r in records if r.verdict and name in r.verdict.compat]
        found.append(Measure(name, sum(values) / len(values), len(values)))
    return found


def _mean_tokens(records: Sequence[Record], kind: str) -> float | None:
    counts = [count for record in records if (count := token_count(record.answer, kind)) is not None]
    return round(sum(counts) / len(counts), 2) if counts else None


def _problems(errors: Sequence[Record], most: int = 20) -> list[str]:
    """One line for each kind of error: its text, how often it came, and the first sample that has it.

    Errors that differ only in the file or in the sample's own id are of one kind, and the first one's file is named.
    """
    kinds: dict[str, list[Record]] = {}
    for record in errors:
        text = _error(record)
        head, _, tail = text.partition(": ")
        kinds.setdefault(tail if tail and _is_path(head) else text, []).append(record)
    lines = [f"{_error(some[0])} ({_samples(len(some))}, first {some[0].sample.id})" for some in kinds.values()]
    if len(lines) <= most:
        return lines
    others = sum(len(some) for some in list(kinds.values())[most:])
    return [*lines[:most], f"{len(lines) - most} more kinds of errors ({_samples(others)})"]


def _samples(count: int) -> str:
    return f"{count} sample{'s' * (count != 1)}"


def _error(record: Record) -> str:
    """Why there is no answer, without the sample's own id before it: it stands behind each line anyway."""
    text = record.answer.error or "unknown error"
    for start in ("", UNSCORED):
        if text.startswith(named := f"{start}{record.sample.id}: "):
            return start + text.removeprefix(named)
    return text


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or bool(Path(text).suffix)


def identity(description: Mapping[str, Any]) -> dict[str, Any]:
    """What of a model's description makes it this model, wherever it lies."""
    return {key: value for key, value in description.items() if key not in ("name", "path")}


def check_model(folder: Path, model: Model) -> None:
    """Raise `UsageError` where a folder holds the results of another model."""
    if not (folder / FILE).exists():
        return
    known = read_results(folder)["model"]
    asked = json.loads(json.dumps(model.description(), default=str))
    if identity(known) != identity(asked):
        raise UsageError(f"{folder}: holds the results of another model ({known.get('name')}); name another --output")


def write_results(
    folder: Path, model: Model, settings: Mapping[str, Any], tasks: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Put tasks' results into a folder's `results.json`, beside those that it holds, atomically; returns all of it."""
    path = folder / FILE
    with locked(folder):  # another process may finish another task at the same time
        known = read_results(folder)["tasks"] if path.exists() else {}
        whole = {
            "format": FORMAT,
            "vergence": __version__,
            "model": {"name": model.name, **model.description()},
            "settings": dict(settings),
            "tasks": {**known, **{name: dict(result) for name, result in tasks.items()}},
        }
        write_text(path, json_text(whole) + "\n")
        for unfinished in folder.glob(f".{FILE}.*.tmp"):  # of a run that was killed while it wrote
            unfinished.unlink(missing_ok=True)
        return read_results(folder)


def json_text(whole: Any) -> str:
    """JSON as people read it. Half of a surrogate pair, which an id or a tag may hold, stays escaped."""
    text = json.dumps(whole, indent=1, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode()


def read_results(folder: Path) -> dict[str, Any]:
    """The results of a run folder. Raises `DataError` by name for a folder without them or with broken ones."""
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (folder / PARTS).is_dir():
            raise DataError(f"{folder}: no task of this evaluation is finished yet, run its command again") from None
        raise DataError(f"{folder}: not the folder of an evaluation (it has no {FILE})") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: can't be read: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not isinstance(found.get("tasks"), dict):
        raise DataError(f"{path}: expected an object with tasks")
    if found.get("format") != FORMAT:
        raise DataError(f"{path}: format {found.get('format')!r}, expected {FORMAT}")
    return found


def results_table(results: Mapping[str, Any], tasks: Sequence[str] = ()) -> str:
    """The headline of each task as aligned text: what was measured, how sure it is, what is invalid or failed.

    The scores that other harnesses or other reductions give the same answers have columns behind it, where any have.
    """
    names = [name for name in results["tasks"] if not tasks or name in tasks]
    others = list(dict.fromkeys(m["metric"] for name in names for m in results["tasks"][name].get("compat", ())))
    head = ("task", "metric", "value", "95%", "n", "invalid", "errors", *others)
    rows = [head]
    for name in names:
        task = results["tasks"][name]
        headline = task["measures"][0] if task["measures"] else None
        value = headline["value"] if headline else None
        compat = {m["metric"]: m["value"] for m in task.get("compat", ()) if not m["group"]}
        rows.append(
            (
                name,
                headline["metric"] if headline else "-",
                NOT_EVALUATED if value is None else _number(value),
                interval(headline["low"], headline["high"]) if headline and headline["low"] is not None else "-",
                str(task["n"]),
                str(task["invalid"]),
                str(task["errors"]),
                *(_number(compat[other]) if compat.get(other) is not None else "-" for other in others),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _number(value: float) -> str:
    """A share as a percentage, anything else as it is."""
    return percent(value) if 0 <= value <= 1 else f"{value:.4g}"
