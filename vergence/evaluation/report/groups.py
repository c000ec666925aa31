"""A task's scores by group: heat maps over models, the capability tree, grids of two numbers, tables of the same."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vergence.evaluation.report.figures import (
    Form,
    best_of,
    counts,
    form_of,
    lower_is_better,
    measure_cell,
    number,
    sure,
    unit,
)
from vergence.evaluation.report.html import BLANK, Cell, HeatRow, heat_map, points, section, table, text
from vergence.evaluation.report.runs import Run, group_keys
from vergence.evaluation.task import Measure

TREE = "capability"  # the tag whose values are paths in a tree: perception/text/line/printed
OUTSIDE = "ood"  # the tag of samples out of distribution
_TRUE = ("true", "1", "yes")
_MEANING = "out of distribution: samples of a kind that the suite’s others are not of"

Line = list[Measure | None]
"""A group's measure in each run."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of one set of tags in a task: `keys` such as ("dimension",), `names` in the order of the results.

    `measures[run][metric, group]` are their figures, `columns` the runs' labels, `whole` the task's headlines.
    `outside` are the groups all of whose samples lie out of distribution.
    """

    keys: tuple[str, ...]
    names: list[str]
    columns: list[str]
    measures: list[dict[tuple[str, str], Measure]]
    compat: list[dict[tuple[str, str], Measure]]
    whole: Line
    outside: Collection[str] = ()

    @property
    def metrics(self) -> list[str]:
        """The metrics of the groups, the headline's first where it is one of them."""
        names = set(self.names)
        found = dict.fromkeys(metric for run in self.measures for metric, group in run if group in names)
        first = [m.metric for m in self.whole if m and m.metric in found]
        return list(dict.fromkeys([*first, *found]))

    def line(self, metric: str, group: str) -> Line:
        """A group's measure in each run."""
        return [run.get((metric, group)) for run in self.measures]

    def row(self, group: str, label: str = "", level: int = 0) -> HeatRow:
        """A group as the row of a heat map."""
        tags = group_keys(group)
        marked = group in self.outside or tags.get(OUTSIDE, "").lower() in _TRUE
        return HeatRow(label or _name(group), level, "OOD" if marked else "", _MEANING)


def group_sections(name: str, runs: Sequence[Run], outside: Collection[str] = ()) -> str:
    """Everything about the groups of a task; `outside` are groups all of whose samples are out of distribution."""
    return "".join(map(_section, groups_of(name, runs, outside)))


def groups_of(name: str, runs: Sequence[Run], outside: Collection[str] = ()) -> list[Groups]:
    """A task's groups, those of the same tags together."""
    having = [(run.label, run.tasks[name]) for run in runs if name in run.tasks]
    by_keys: dict[tuple[str, ...], dict[str, None]] = {}
    for _, task in having:
        for measure in [*task.measures, *task.compat]:
            if measure.group:
                by_keys.setdefault(tuple(_tags(measure.group)), {})[measure.group] = None
    return [
        Groups(
            keys=keys,
            names=list(names),
            columns=[label for label, _ in having],
            measures=[{(m.metric, m.group): m for m in task.measures} for _, task in having],
            compat=[{(m.metric, m.group): m for m in task.compat} for _, task in having],
            whole=[task.headline for _, task in having],
            outside=outside,
        )
        for keys, names in by_keys.items()
    ]


def _section(groups: Groups) -> str:
    metric = groups.metrics[0] if groups.metrics else ""
    body = (_grids(groups, metric) or _map(groups, metric)) if metric else ""
    body += f"<details><summary>All figures with their intervals</summary>{_table(groups)}</details>"
    title = "By " + " and ".join(key.replace("_", " ") for key in groups.keys)
    title = "In and out of distribution" if groups.keys == (OUTSIDE,) else title
    return section(title, body, level=3)


def _map(groups: Groups, metric: str) -> str:
    """Groups down, models across; the capability tree indented, what lies out of distribution in columns of its own."""
    tree = groups.keys == (TREE,)
    rows, lines = _tree(groups, metric) if tree else _flat(groups, metric)
    columns = list(groups.columns)
    if any(m and m.metric == metric for m in groups.whole):
        whole = [*groups.whole, *groups.line(metric, f"{OUTSIDE}=true")] if tree else groups.whole
        rows, lines = [HeatRow("all"), *rows], [list(whole), *lines]
    if tree and any(any(line[len(columns) :]) for line in lines):
        columns += [f"{label} OOD" for label in groups.columns]
    lines = [line[: len(columns)] for line in lines]
    form = form_of(metric, [m for line in lines for m in line if m])
    return heat_map(
        rows,
        columns,
        [_values(line, len(groups.columns)) for line in lines],
        label=f"{metric} by {' and '.join(groups.keys)}",
        corner=unit(metric, form),
        form=form,
        titles=[[_title(m, form) for m in line] for line in lines],
        sortable=True,
        lower_is_better=lower_is_better(metric),
    )


def _values(line: Line, runs: int) -> list[float | None]:
    """Cells of a heat map: a run lacks a figure, None, only where another run has it; a group that is none is blank."""
    parts = [line[i : i + runs] for i in range(0, len(line), runs)]
    return [m.value if m else None if any(part) else BLANK for part in parts for m in part]


def _flat(groups: Groups, metric: str) -> tuple[list[HeatRow], list[Line]]:
    names = _in_order(groups.names)
    return [groups.row(name) for name in names], [groups.line(metric, name) for name in names]


def _tree(groups: Groups, metric: str) -> tuple[list[HeatRow], list[Line]]:
    """The nodes of the tree from the top, each above its children; a line is the node's, then of its OOD part."""
    nodes: dict[tuple[str, ...], dict[bool, str]] = {}
    children: dict[tuple[str, ...], dict[tuple[str, ...], None]] = {}
    for name in groups.names:
        tags = group_keys(name)
        path = tuple(tags.get(TREE, name).split("/"))
        for depth in range(len(path)):
            children.setdefault(path[:depth], {})[path[: depth + 1]] = None
        nodes.setdefault(path, {})[tags.get(OUTSIDE, "").lower() in _TRUE] = name
    rows: list[HeatRow] = []
    lines: list[Line] = []

    def add(path: tuple[str, ...]) -> None:
        found = nodes.get(path, {})
        level = len(path) - 1
        rows.append(groups.row(found[False], path[-1], level) if False in found else HeatRow(path[-1], level))
        none: Line = [None] * len(groups.columns)
        parts = [groups.line(metric, found[outside]) if outside in found else none for outside in (False, True)]
        lines.append([*parts[0], *parts[1]])
        for child in children.get(path, {}):
            add(child)

    for top in children.get((), {}):
        add(top)
    return rows, lines


def _grids(groups: Groups, metric: str) -> str:
    """Of groups of two numbers (length and depth) a grid for each model; empty for any others."""
    places = {name: tuple(map(_as_number, group_keys(name).values())) for name in groups.names}
    if len(groups.keys) != 2 or any(None in place or len(place) != 2 for place in places.values()):
        return ""
    columns, rows = (sorted({place[axis] or 0.0 for place in places.values()}) for axis in (0, 1))
    at = {place: name for name, place in places.items()}
    across, down = groups.keys
    form = form_of(metric, [m for run in groups.measures for (name, _), m in run.items() if name == metric])
    figures = []
    for label, run in zip(groups.columns, groups.measures, strict=True):
        found = [[run.get((metric, at.get((x, y), ""))) for x in columns] for y in rows]
        grid = heat_map(
            [_axis(y, down) for y in rows],
            [_axis(x, across) for x in columns],
            [[m.value if m else None for m in line] for line in found],
            label=f"{label}: {metric} by {down} and {across}",
            corner=f"{down}\u00a0↓ {across}\u00a0→",
            scale=(0.0, 1.0) if form is points else None,
            form=form,
            titles=[[_title(m, form) for m in line] for line in found],
            lower_is_better=lower_is_better(metric),
        )
        figures.append(f"<figure><figcaption>{text(label)}{_worst(found, metric, form)}</figcaption>{grid}</figure>")
    return f'<div class="grids">{"".join(figures)}</div>'


def _worst(lines: Sequence[Line], metric: str, form: Form) -> str:
    """The worst cell in words: a mean over a grid hides it."""
    known = [(m.value, m.group) for line in lines for m in line if m and m.value is not None]
    if not known:
        return ""
    value, group = max(known) if lower_is_better(metric) else min(known)
    where = ", ".join(f"{key} {_axis(float(number), key)}" for key, number in group_keys(group).items())
    return f"<small>{text(metric)}, worst cell {form(value)} at {text(where)}</small>"


def _table(groups: Groups) -> str:
    """Groups and metrics down, models and harnesses across, with counts and intervals."""
    metrics, several = groups.metrics, len(groups.metrics) > 1
    names = set(groups.names)
    harnesses = list(dict.fromkeys(metric for run in groups.compat for metric, group in run if group in names))
    columns = ["group", *(["metric"] if several else []), "samples"]
    for label in groups.columns:
        columns += [label, *(f"{label}: {harness}" for harness in harnesses)]
    rows = []
    for metric in metrics or [""]:
        form = form_of(metric, [m for run in groups.measures for (name, _), m in run.items() if name == metric])
        for name in _in_order(groups.names):
            line = groups.line(metric, name)
            if metric and not any(line):
                continue
            best = best_of(line, metric)
            row = groups.row(name)
            mark = f' <abbr class="mark" title="{_MEANING}">OOD</abbr>' if row.mark else ""
            cells: list[Cell | str] = [Cell(text(row.label) + mark, row.label), *([metric] if several else [])]
            cells.append(Cell(counts([m.n for m in line if m]), max((m.n for m in line if m), default=0)))
            for run, (measure, compat) in enumerate(zip(line, groups.compat, strict=True)):
                cells.append(measure_cell(measure, form, best=run in best))
                cells += [_compat_cell(compat.get((harness, name))) for harness in harnesses]
            rows.append(cells)
    return table(columns, rows, label=f"By {' and '.join(groups.keys)}", left=(0, 1) if several else (0,))


def _compat_cell(measure: Measure | None) -> Cell:
    return measure_cell(measure, form_of(measure.metric, [measure])) if measure else Cell("–", "")


def _title(measure: Measure | None, form: Form) -> str:
    if measure is None or measure.value is None:
        return ""
    interval = sure(measure, form)
    return f"{form(measure.value)}{f', 95% interval {interval}' if interval else ''}, n = {measure.n:,}"


def _tags(group: str) -> dict[str, str]:
    """A group's tags, without the one that only says that it lies out of distribution where there are others."""
    tags = group_keys(group) or {"group": group}
    return tags if len(tags) == 1 else {key: value for key, value in tags.items() if key != OUTSIDE}


def _name(group: str) -> str:
    tags = _tags(group)
    if list(tags) == [OUTSIDE]:
        return "out of distribution" if tags[OUTSIDE].lower() in _TRUE else "in distribution"
    return " · ".join(tags.values())


def _in_order(names: Sequence[str]) -> list[str]:
    """Numbers by size, anything else as it came."""
    sizes = {name: [_as_number(value) for value in _tags(name).values()] for name in names}
    if any(None in size for size in sizes.values()):
        return list(names)
    return sorted(names, key=lambda name: [size or 0.0 for size in sizes[name]])


def _as_number(value: str) -> float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _axis(value: float | None, key: str) -> str:
    """A mark on an axis: a depth from 0 to 1 in percent, a length with its thousands apart."""
    if value is None:
        return ""
    if "depth" in key and 0 <= value <= 1:
        return f"{100 * value:g}%"
    return f"{value:,.0f}" if value.is_integer() else number(value)
