"""Scores by capability: a tree of four levels, rolled up with intervals, in and out of distribution.

    measures = roll_up(records)                 # "capability=perception", "capability=perception/counting", ...
    print(capability_text(measures))

A sample's tag "capability" names a leaf of the tree (`capabilities.yaml`, or one's own file of that form), its tag
"ood" says whether it lies outside of what a model of this project was trained on: other sizes, unseen fonts, more
things. Seed1.5-VL's report (arXiv 2505.07062, section 6) describes an internal benchmark of that kind; its items are
not public, and neither is its tree, so this one is our own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from vergence.config import nearest, read_yaml
from vergence.errors import DataError
from vergence.evaluation.comparison import unpaired_difference
from vergence.evaluation.metrics.groups import macro_mean, mean_measure
from vergence.evaluation.statistics import score_interval
from vergence.evaluation.task import Measure, Record, Sample

LEVELS = 4
GAP = "out-of-distribution gap"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Tree:
    """The leaves ("a/b/c/d") with what they ask, in the order of the file."""

    leaves: Mapping[str, str]

    def nodes(self) -> list[str]:
        """Every node from the top, each before its children."""
        found: dict[str, None] = {}
        for leaf in self.leaves:
            parts = leaf.split("/")
            found.update(dict.fromkeys("/".join(parts[: level + 1]) for level in range(LEVELS)))
        return list(found)

    def check(self, capability: Any, where: str) -> str:
        """The capability where it is a leaf; otherwise `DataError` that names `where` and what is near."""
        if isinstance(capability, str) and capability in self.leaves:
            return capability
        near = nearest(capability, self.leaves) if isinstance(capability, str) else None
        hint = f"; did you mean {near!r}?" if near else ""
        raise DataError(f"{where}: capability {capability!r} is not a leaf of the capability tree{hint}")


@lru_cache(maxsize=4)
def load_tree(path: Path | None = None) -> Tree:
    """The tree of a YAML file of four nested levels, by default the shipped one.

    Raises `DataError` for another form, `ConfigError` for what is no YAML mapping.
    """
    file = path or Path(__file__).with_suffix(".yaml")
    return Tree(dict(_leaves(read_yaml(file), (), str(file))))


def _leaves(node: Any, path: tuple[str, ...], file: str) -> Iterator[tuple[str, str]]:
    where = f"{file}: {'.'.join(path) or 'the file'}"
    if len(path) == LEVELS:
        if not isinstance(node, str) or not node.strip():
            raise DataError(f"{where}: expected a sentence that says what is asked")
        yield "/".join(path), node
        return
    if not isinstance(node, dict) or not node:
        raise DataError(f"{where}: expected names below it, {LEVELS} levels in all")
    for name, below in node.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise DataError(f"{where}: {name!r} is not a name of small letters, digits and single hyphens")
        yield from _leaves(below, (*path, name), file)


def check_samples(samples: Iterable[Sample], tree: Tree | None = None) -> None:
    """Raises `DataError` for the first sample whose tag "capability" is no leaf or whose tag "ood" isn't a bool.

    Samples without the tags are fine.
    """
    tree = tree or load_tree()
    for sample in samples:
        if "capability" in sample.tags:
            tree.check(sample.tags["capability"], f"sample {sample.id}")
        if not isinstance(sample.tags.get("ood", False), bool):
            raise DataError(f"sample {sample.id}: ood {sample.tags['ood']!r} is not true or false")


@dataclass(frozen=True, slots=True)
class _Scored:
    """What counts of a record."""

    score: float
    cluster: Hashable
    capability: str | None
    ood: bool


def roll_up(records: Sequence[Record], metric: str | None = None, tree: Tree | None = None) -> list[Measure]:
    """The mean score of the whole, in and out of distribution, and of every node of the tree that has samples.

    Groups are "", "ood=false", "ood=true", "capability=a/b" (all its samples) and "capability=a/b,ood=true" (those out
    of distribution, where it has others too). The metric `GAP` is the mean out of distribution less that in it, with
    Newcombe's interval; "mean of capabilities" weighs every leaf the same. Intervals are Wilson's where scores are 0
    or 1, else Student's; both by the tag "cluster". `metric` None takes each verdict's first. Records without a verdict
    don't count, and samples without the tag count in no node. Raises `DataError` for a tag that is no leaf.
    """
    tree = tree or load_tree()
    check_samples((record.sample for record in records), tree)
    name = metric or next((next(iter(r.verdict.scores)) for r in records if r.verdict and r.verdict.scores), "accuracy")
    scored = list(_scored(records, metric))
    by_node: dict[str, list[_Scored]] = {}
    for item in scored:
        parts = item.capability.split("/") if item.capability else []
        for level in range(len(parts)):
            by_node.setdefault("/".join(parts[: level + 1]), []).append(item)
    measures = [_mean(name, scored, ""), *_outside(name, scored, "")]
    below = [measure for node in tree.nodes() if node in by_node for measure in _node(name, by_node[node], node)]
    leaves = [m for m in below if m.metric == name and _path(m.group).count("/") == LEVELS - 1 and "," not in m.group]
    if leaves:
        measures.append(macro_mean("mean of capabilities", leaves))
    return measures + below


def _scored(records: Sequence[Record], metric: str | None) -> Iterator[_Scored]:
    for record in records:
        scores = record.verdict.scores if record.verdict else {}
        name = metric if metric is not None else next(iter(scores), None)
        if name is not None and name in scores:
            tags = record.sample.tags
            cluster = tags.get("cluster", record.sample.id)
            yield _Scored(scores[name], cluster, tags.get("capability"), bool(tags.get("ood", False)))


def _mean(metric: str, scored: Sequence[_Scored], group: str) -> Measure:
    clusters = [item.cluster for item in scored]
    return mean_measure(metric, [item.score for item in scored], group, clusters=clusters)


def _node(metric: str, scored: Sequence[_Scored], node: str) -> list[Measure]:
    group = f"capability={node}"
    return [_mean(metric, scored, group), *_outside(metric, scored, group)]


def _outside(metric: str, scored: Sequence[_Scored], group: str) -> list[Measure]:
    """The measures that set samples out of distribution apart; none where all are of one sort."""
    inside, outside = ([item for item in scored if item.ood is ood] for ood in (False, True))
    if not inside or not outside:
        return []
    intervals = [score_interval([i.score for i in part], [i.cluster for i in part]) for part in (inside, outside)]
    gap = unpaired_difference(*intervals)
    low, high = (bound if math.isfinite(bound) else None for bound in (gap.low, gap.high))
    first = [] if group else [_mean(metric, inside, "ood=false")]
    return [
        *first,
        _mean(metric, outside, f"{group},ood=true" if group else "ood=true"),
        Measure(GAP, gap.mean, len(scored), group, low, high, gap.stderr),
    ]


def _path(group: str) -> str:
    """The node of a group "capability=a/b" or "capability=a/b,ood=true"; empty for other groups."""
    return group.removeprefix("capability=").split(",")[0] if group.startswith("capability=") else ""


def capability_text(measures: Sequence[Measure]) -> str:
    """A rolled-up tree as a plain table: indented names, samples, score with its interval, and out of distribution."""
    by_group = {(m.metric, m.group): m for m in measures}
    metric = measures[0].metric if measures else "accuracy"
    nodes = [m for m in measures if m.metric == metric and (_path(m.group) or not m.group) and "," not in m.group]
    rows = [("", "n", metric, "95%", "out of distribution", "gap")]
    for node in nodes:
        path = _path(node.group)
        outside = by_group.get((metric, f"{node.group},ood=true" if path else "ood=true"))
        gap = by_group.get((GAP, node.group))
        label = "  " * (path.count("/") + 1) + path.split("/")[-1] if path else "all"
        interval = "" if node.low is None or node.high is None else f"{node.low:.3f}-{node.high:.3f}"
        rows.append((label, str(node.n), _figure(node), interval, _figure(outside), _figure(gap, signed=True)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in rows
    )


def _figure(measure: Measure | None, *, signed: bool = False) -> str:
    if measure is None or measure.value is None:
        return "-"
    return f"{measure.value:+.3f}" if signed else f"{measure.value:.3f}"


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Capabilities down, models across; a cell is None where a model has no score there."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Measure | None, ...], ...]


def heat_map(models: Mapping[str, Sequence[Measure]], level: int = 2, tree: Tree | None = None) -> HeatMap:
    """The scores of several models at one level (1 to 4) of the tree, in the tree's order; only nodes with scores.

    Each model's metric is that of its first measure. Raises `ValueError` for another level.
    """
    if not 1 <= level <= LEVELS:
        raise ValueError(f"the tree has levels 1 to {LEVELS}, not {level}")
    found = {
        model: {_path(m.group): m for m in measures if m.metric == measures[0].metric and "," not in m.group}
        for model, measures in models.items()
    }
    nodes = [node for node in (tree or load_tree()).nodes() if node.count("/") == level - 1]
    rows = [node for node in nodes if any(node in scores for scores in found.values())]
    return HeatMap(tuple(rows), tuple(models), tuple(tuple(found[m].get(row) for m in models) for row in rows))
