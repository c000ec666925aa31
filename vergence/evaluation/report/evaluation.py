"""The report of one or several evaluation runs: one HTML file with tables, heat maps and a sample browser.

build_evaluation_report([Path("runs/a"), Path("runs/b")], Path("report.html"))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vergence.evaluation.report.entries import Pictures, entries
from vergence.evaluation.report.figures import best_of, form_of, measure_cell, unit
from vergence.evaluation.report.groups import group_sections
from vergence.evaluation.report.html import Cell, page, plain, resource, script_data, section, table, text, write_page
from vergence.evaluation.report.overview import (
    comparable,
    compat_table,
    details,
    header,
    not_evaluated_table,
    run_table,
    task_table,
)
from vergence.evaluation.report.runs import Run, TaskRun, is_blind, read_runs, task_names
from vergence.evaluation.report.samples import OUTCOMES, choose, index, left_out

SAMPLES = 400  # of a task, at most
ANSWERS = 12_000  # of all tasks and runs together, about
PICTURE_BYTES = 24 << 20


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the sample browser holds of a task."""

    name: str
    note: str
    entries: list[dict[str, Any]]


def build_evaluation_report(runs: Sequence[Path], output: Path, *, samples: int = SAMPLES) -> Path:
    """Write the report of the runs in these folders to the file `output`, atomically, and return its path.

    At most `samples` samples of a task are shown, fewer where there are many tasks and runs. Raises `DataError` for a
    folder that is not an evaluation's, and for a file that is missing or broken, naming it and the key.
    """
    found = read_runs(runs)
    names = task_names(found)
    pictures = Pictures(PICTURE_BYTES)
    limit = min(samples, max(20, ANSWERS // max(1, len(names) * len(found))))
    sections, shown = "", []
    for number, name in enumerate(names):
        read = index([run.tasks.get(name) for run in found])
        chosen = choose(read, limit)
        shown.append(_Shown(name, left_out(read, chosen), entries(name, found, read, chosen, pictures)))
        if not is_blind(name, found):
            body = _task(name, number, found, group_sections(name, found, read.outside))
            sections += f'<div id="task-{number}">{section(name, body)}</div>'
    title = f"{found[0].label} · vergence evaluation" if len(found) == 1 else f"{len(found)} runs · vergence evaluation"
    body = "".join(
        [
            header(found),
            _contents(names, found),
            section("Tasks and models" if len(found) > 1 else "Tasks", task_table(found)),
            section("Not evaluated", not_evaluated_table(found)),
            section("Beside other harnesses", compat_table(found)),
            section("Runs", run_table(found)),
            sections,
            _browser(shown, found, pictures),
        ]
    )
    script = resource("samples.js") if shown else ""
    write_page(output, page(title, body, script, style=resource("samples.css"), wide=True))
    return output


def _contents(names: Sequence[str], runs: Sequence[Run]) -> str:
    shown = [(number, name) for number, name in enumerate(names) if not is_blind(name, runs)]
    links = "".join(f'<a href="#task-{number}">{text(name)}</a>' for number, name in shown)
    return f'<nav aria-label="Tasks">{links}<a href="#samples">Samples</a></nav>'


def _task(name: str, number: int, runs: Sequence[Run], groups: str) -> str:
    """One task: how each run went, all its measures, its groups, and what it was exactly."""
    having = [(run.label, run.tasks[name]) for run in runs if name in run.tasks]
    tasks = [task for _, task in having]
    parts = [_warning(tasks), _run_facts(having), groups]
    parts.append(_problems(having))
    for task, labels in _definitions(having):
        whose = f" for {', '.join(labels)}" if len(labels) < len(having) else ""
        known = {"version": task.version, "fingerprint": task.fingerprint, **task.definition}
        parts.append(details(f"What decides the score{whose}", known))
    parts.append(f'<p><a class="browse" href="#samples-{number}">Look at samples</a></p>')
    return "".join(parts)


def _warning(tasks: Sequence[TaskRun]) -> str:
    if comparable(tasks):
        return ""
    keys = {key for task in tasks for key in task.definition}
    different = sorted(key for key in keys if len({repr(task.definition.get(key)) for task in tasks}) > 1)
    different += ["version"] if len({task.version for task in tasks}) > 1 else []
    return (
        '<p class="warn">The runs’ definitions of this task differ, so their scores are not comparable: '
        f"{text(', '.join(different) or 'fingerprint')}.</p>"
    )


def _run_facts(having: Sequence[tuple[str, TaskRun]]) -> str:
    """Runs down: the measures of the whole task, then how the run went."""
    tasks = [task for _, task in having]
    metrics = list(dict.fromkeys(m.metric for task in tasks for m in task.measures if not m.group))
    kinds = dict.fromkeys(kind for task in tasks for kind in task.tokens if task.tokens[kind])
    thought = any(task.truncated_thoughts is not None for task in tasks)
    rows: list[list[Cell | str]] = [[label] for label, _ in having]
    names = []
    for metric in metrics:
        line = [next((m for m in task.measures if m.metric == metric and not m.group), None) for task in tasks]
        form = form_of(metric, [m for m in line if m])
        best = best_of(line, metric) if comparable(tasks) else set()
        names.append(unit(metric, form))
        for index_, (row, measure) in enumerate(zip(rows, line, strict=True)):
            row.append(measure_cell(measure, form, best=index_ in best))
    for row, task in zip(rows, tasks, strict=True):
        counts = [task.n, task.invalid, task.errors, task.ties, *([task.truncated_thoughts] if thought else [])]
        row += [_count(value, ",") for value in counts]
        row += [_count(task.tokens.get(kind), ",.1f") for kind in kinds]
    columns = ["run", *names, "scored", "invalid", "errors", "ties", *(["cut-off thoughts"] if thought else [])]
    columns += [f"{kind} tokens" for kind in kinds]
    return table(columns, rows, label="How the runs went", sortable=len(rows) > 1)


def _count(value: float | None, form: str) -> Cell:
    return Cell("–", "") if value is None else Cell(format(value, form), value)


def _problems(having: Sequence[tuple[str, TaskRun]]) -> str:
    """What was wrong with the data or failed, each problem once with the runs that had it."""
    found: dict[str, list[str]] = {}
    for label, task in having:
        for problem in task.problems:
            found.setdefault(problem, []).append(label)
    if not found:
        return ""
    whose = {p: "" if len(labels) == len(having) else f" ({', '.join(labels)})" for p, labels in found.items()}
    items = "".join(f"<li>{text(problem + whose[problem])}</li>" for problem in found)
    return f"<details><summary>Problems: {len(found)}</summary><ul>{items}</ul></details>"


def _definitions(having: Sequence[tuple[str, TaskRun]]) -> list[tuple[TaskRun, list[str]]]:
    """Each different definition once, with the runs that it is of."""
    found: dict[tuple[int, str], tuple[TaskRun, list[str]]] = {}
    for label, task in having:
        found.setdefault((task.version, task.fingerprint), (task, []))[1].append(label)
    return list(found.values())


def _browser(shown: Sequence[_Shown], runs: Sequence[Run], pictures: Pictures) -> str:
    if not any(task.entries for task in shown):
        return ""
    about = {
        "tasks": [{"name": plain(task.name), "note": task.note} for task in shown],
        "runs": [plain(run.label) for run in runs],
        "outcomes": OUTCOMES,
    }
    data = script_data("about", about) + script_data("pictures", pictures.addresses)
    data += "".join(script_data(f"data-{number}", task.entries) for number, task in enumerate(shown))
    notes = []
    if pictures.missing:
        notes.append(
            f"{len(pictures.missing):,} small pictures are missing from the runs’ folders or can’t be shown, "
            f"first {pictures.missing[0]}."
        )
    if pictures.left_out:
        notes.append(f"{pictures.left_out:,} pictures were left out to keep this file small.")
    hints = "".join(f'<p class="hint">{text(note)}</p>' for note in notes)
    hints += '<noscript><p class="warn">The sample browser needs JavaScript; the rest does not.</p></noscript>'
    body = (
        '<p class="hint">Of each task what failed and what could not be read comes first, then ties, what models '
        "disagree on, and the first right and wrong answers in turn; those with pictures before others. Places: the "
        "reference dashed, the answers solid.</p>"
        f'{hints}<div id="browser"></div>{data}'
    )
    return f'<div id="samples">{section("Samples", body)}</div>'
