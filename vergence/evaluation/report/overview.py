"""The report's first tables: tasks by models, the scores of other harnesses, and how the runs went."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from vergence.evaluation.report.charts import interval_strip
from vergence.evaluation.report.figures import Form, best_of, counts, form_of, measure_cell, sure, unit
from vergence.evaluation.report.html import Cell, facts, plain, points, table, text
from vergence.evaluation.report.runs import Run, TaskRun, blind_name, is_blind, task_names
from vergence.evaluation.wording import percent


def header(runs: Sequence[Run]) -> str:
    """What this is about, and its figures as cards."""
    tasks = [task for run in runs for task in run.tasks.values()]
    asked = sum(task.n + task.errors for task in tasks)
    names = [name for name in task_names(runs) if not is_blind(name, runs)]
    what = text(runs[0].label) if len(runs) == 1 else f"{len(runs)} runs"
    thoughts = [task.truncated_thoughts for task in tasks if task.truncated_thoughts is not None]
    cards = {
        "runs": str(len(runs)) if len(runs) > 1 else "",
        "tasks": f"{len(names)}",
        "answers": f"{asked:,}",
        "invalid": _count_and_share(sum(task.invalid for task in tasks), asked),
        "errors": _count_and_share(sum(task.errors for task in tasks), asked),
        "ties": f"{sum(task.ties for task in tasks):,}",
        "truncated thoughts": f"{sum(thoughts):,}" if thoughts else "",
    }
    return (
        f'<header><p class="hint">Vergence evaluation report</p><h1>{what} on '
        f"{text(names[0]) if len(names) == 1 else f'{len(names)} tasks'}</h1>"
        '<p class="lead">An invalid answer is one that could not be read: it is counted, never guessed. An error is a '
        f"question without an answer: it is not scored.</p>{facts(cards)}</header>\n"
    )


def _count_and_share(count: int, whole: int) -> str:
    return f"{count:,} ({percent(count / whole)})" if count and whole else f"{count:,}"


def task_table(runs: Sequence[Run]) -> str:
    """Tasks down, models across: the headline of each, with its interval; the best of a row is marked."""
    rows: list[list[Cell | str]] = []
    for name in task_names(runs):
        if is_blind(name, runs):
            continue
        tasks = [run.tasks.get(name) for run in runs]
        known = [task for task in tasks if task]
        headlines = [task.headline if task else None for task in tasks]
        metric = next((m.metric for m in headlines if m), "")
        # Different metrics under one task's name are different definitions, and no row of numbers to compare.
        form = form_of(metric, [m for m in headlines if m])
        alike = comparable(known) and len({m.metric for m in headlines if m}) <= 1
        best = best_of(headlines, metric) if alike else set()
        notes = [] if alike else ["asked in different ways: not comparable"]
        notes += ["out of distribution"] if any(task.definition.get("ood") is True for task in known) else []
        marks = "".join(f'<small class="warn">{note}</small>' for note in notes)
        cells = [
            measure_cell(headline, form, best=i in best, below=_below(runs[i], name, form))
            for i, headline in enumerate(headlines)
        ]
        measured = f"<small>{text(unit(metric, form))}</small>" if metric else ""
        samples = Cell(counts(task.n for task in known), max(task.n for task in known))
        drawn = [_strip(runs[0], name, form)] if len(runs) == 1 else []
        rows.append([Cell(f"{text(name)}{measured}{marks}", name), *cells, *drawn, samples])
    if not rows:
        return ""
    best_hint = " ★ marks the best value of a row; where intervals overlap it may be so by chance." * (len(runs) > 1)
    hint = "The first measure of each task, below it the 95% interval or the standard error (SE); ↓: lower is better."
    hint += best_hint
    if any(is_blind(name, runs) for name in task_names(runs)):
        hint += " Blind: the same questions about grey pictures."
    if len(rows) > 1:
        hint += " A click on a heading sorts."
    columns = ["task", *(run.label for run in runs), *(["0 to 100%"] if len(runs) == 1 else []), "samples"]
    return f'<p class="hint">{hint}</p>' + table(columns, rows, label="Tasks by models")


def _strip(run: Run, name: str, form: Form) -> Cell:
    """A share with its interval drawn on a line, above the blind one's; empty for other scales."""
    blind = blind_name(name, run)
    found = [("blue", run.tasks[name].headline), ("grey", run.tasks[blind].headline if blind else None)]
    rows, label = [], name
    for colour, m in found:
        if m and m.value is not None and form is points:
            low, high = (m.value if end is None else min(1.0, max(0.0, end)) for end in (m.low, m.high))
            rows.append((colour, m.value, low, high))
            label += f"{'' if colour == 'blue' else '; blind'} {form(m.value)} {sure(m, form)}"
    return Cell(interval_strip(rows, plain(label)), rows[0][1], "plot") if rows else Cell("", "")


def comparable(tasks: Sequence[TaskRun]) -> bool:
    """Whether the same questions were asked and scored in the same way."""
    return len({(task.version, task.fingerprint) for task in tasks}) <= 1


def _below(run: Run, name: str, form: Form) -> str:
    """What stands below a score: the blind score, and what went wrong."""
    task, blind = run.tasks.get(name), blind_name(name, run)
    if not task:
        return ""
    measure = run.tasks[blind].headline if blind else None
    seen = f"blind {form(measure.value)} [{sure(measure, form)}]" if measure and measure.value is not None else ""
    counted = {"invalid": task.invalid, "errors": task.errors, "cut-off thoughts": task.truncated_thoughts or 0}
    return ", ".join([seen] * bool(seen) + [f"{count:,} {kind}" for kind, count in counted.items() if count])


def compat_table(runs: Sequence[Run]) -> str:
    """The same answers scored by other harnesses' rules, beside this one's; empty where nothing was."""
    found: list[tuple[str, str, TaskRun]] = [
        (name, run.label, run.tasks[name])
        for name in task_names(runs)
        for run in runs
        if name in run.tasks and any(not measure.group for measure in run.tasks[name].compat)
    ]
    harnesses = list(dict.fromkeys(m.metric for _, _, task in found for m in task.compat if not m.group))
    rows: list[list[Cell | str]] = []
    for name, label, task in found:
        by = {m.metric: m for m in task.compat if not m.group}
        own = task.headline
        form = form_of(own.metric if own else "", [own] if own else [])
        others = [measure_cell(by[h], form_of(h, [by[h]])) if h in by else Cell("–", "") for h in harnesses]
        rows.append([name, label, measure_cell(own, form), *others])
    if not rows:
        return ""
    hint = (
        "The same answers under the rules of other harnesses. Where columns differ, the rules do: what counts as an "
        "answer, what happens to one that can’t be read, and what is averaged. Columns named ranking: are other scores "
        "of the same options."
    )
    columns = ["task", "model", "vergence", *harnesses]
    return f'<p class="hint">{hint}</p>' + table(columns, rows, label="Scores by harness", left=(0, 1))


def not_evaluated_table(runs: Sequence[Run]) -> str:
    """Tasks that runs could make nothing of, with the reason; empty where there are none."""
    rows: list[list[Cell | str]] = [
        [name, *([run.label] if len(runs) > 1 else []), why] for run in runs for name, why in run.not_evaluated.items()
    ]
    if not rows:
        return ""
    columns = ["task", *(["run"] if len(runs) > 1 else []), "why"]
    hint = '<p class="hint">These have no score, which is not a score of 0.</p>'
    return hint + table(columns, rows, label="Tasks that were not evaluated", left=range(len(columns)))


def run_table(runs: Sequence[Run]) -> str:
    """What each run was: its model, folder and version."""
    rows: list[list[Cell | str]] = [
        [
            run.label,
            str(run.model.get("kind", "–")),
            str(run.path),
            run.version or "–",
            _count(run, "n"),
            _count(run, "invalid"),
            _count(run, "errors"),
        ]
        for run in runs
    ]
    columns = ["model", "kind", "folder", "vergence", "scored", "invalid", "errors"]
    return table(columns, rows, label="Runs", sortable=len(runs) > 1, left=(0, 1, 2)) + "".join(
        details(f"Model and settings of {run.label}", {"model": run.model, "settings": run.settings}) for run in runs
    )


def _count(run: Run, key: str) -> Cell:
    total = sum(getattr(task, key) for task in run.tasks.values())
    return Cell(f"{total:,}", total)


def details(summary: str, data: Mapping[str, object]) -> str:
    """JSON to unfold."""
    shown = json.dumps(data, indent=2, ensure_ascii=False, default=str)
    return f"<details><summary>{text(summary)}</summary><pre>{text(shown)}</pre></details>"
