"""Flow charts as graphs on a grid: a main column of steps, decisions that lead aside and come back, never crossing.

Held out are processes: no training chart is about a held-out one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from vergence.data.pictures import Split
from vergence.data.synthesis.charts.data_tables import Language

Role = Literal["terminal", "process", "decision", "data"]


@dataclass(frozen=True, slots=True)
class Node:
    """A box of the chart: its text, its role, and its place on the grid (column -1, 0 or 1, row from the top)."""

    text: str
    role: Role
    column: int
    row: int


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between nodes, by their numbers; the arrows out of a decision are labelled. `side` is the side of the
    main column on which one runs that starts and ends there but isn't straight."""

    start: int
    end: int
    label: str = ""
    side: int = 0


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow chart; node 0 is where it starts. The last node of the main column ends it."""

    key: str
    domain: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def out(self, node: int) -> list[Edge]:
        return [edge for edge in self.edges if edge.start == node]

    def into(self, node: int) -> list[Edge]:
        return [edge for edge in self.edges if edge.end == node]


Process = tuple[str, str, tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]
"""Key, domain, steps and decisions, both as pairs of English and Chinese."""


@cache
def processes(split: Split) -> tuple[Process, ...]:
    """The processes of a split, lines of processes.txt; every fourth is held out (a hash would hold out one)."""
    found = []
    lines = Path(__file__).with_name("processes.txt").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        key, domain, steps, decisions = line.split("|")
        if (number % 4 == 3) == (split == "heldout"):
            found.append((key, domain, _pairs(steps), _pairs(decisions)))
    return tuple(found)


def _pairs(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(pair.split("=")) for pair in text.split(";"))


WORDS: Mapping[Language, tuple[str, str, str, str]] = {
    "en": ("Start", "End", "Yes", "No"),
    "zh": ("开始", "结束", "是", "否"),
}


def draw_flow(rng: random.Random, split: Split, language: Language, steps: int) -> Flow:
    """A chart with about so many steps in its main column and up to three decisions."""
    key, domain, texts, questions = rng.choice(processes(split))
    zh = language == "zh"
    start, end, yes, no = WORDS[language]
    pool = [pair[zh] for pair in rng.sample(texts, len(texts))]
    asks = [pair[zh] for pair in rng.sample(questions, len(questions))]
    rows = max(3, steps) + 2
    decisions = _decisions(rng, rows, min(len(asks), rng.randint(1, 3)))
    nodes: list[Node] = []
    for row in range(rows):
        if row in (0, rows - 1):
            nodes.append(Node(end if row else start, "terminal", 0, row))
        elif row in decisions:
            nodes.append(Node(asks.pop(), "decision", 0, row))
        else:
            nodes.append(Node(pool.pop(), rng.choice(("process", "process", "process", "data")), 0, row))
    edges: list[Edge] = []
    for row in range(rows - 1):
        if row not in decisions:
            edges.append(Edge(row, row + 1))
            continue
        side, target = decisions[row]
        down, aside = (yes, no) if rng.random() < 0.7 else (no, yes)
        edges.append(Edge(row, row + 1, down))
        if pool and rng.random() < 0.75:
            nodes.append(Node(pool.pop(), "process", side, row))
            edges += [Edge(row, len(nodes) - 1, aside), Edge(len(nodes) - 1, target)]
        else:
            edges.append(Edge(row, target, aside, side))
    return Flow(key, domain, tuple(nodes), tuple(edges))


def _decisions(rng: random.Random, rows: int, count: int) -> dict[int, tuple[int, int]]:
    """Row of a decision -> the side that it leads to and the row where that comes back in; on one side the spans of
    rows are apart, so that no arrows cross or meet."""
    found: dict[int, tuple[int, int]] = {}
    taken: dict[int, set[int]] = {-1: set(), 1: set()}
    for _ in range(60):
        if len(found) == count:
            break
        row = rng.randrange(1, rows - 2)
        target = rng.randrange(1, rows)
        side = rng.choice((-1, 1))
        span = set(range(min(row, target), max(row, target) + 1))
        entered = {end for _, end in found.values()}
        near = {row - 1, row, row + 1} & set(found)  # two decisions in a row look crowded
        if abs(row - target) < 2 or span & taken[side] or near or target in entered or row in entered:
            continue
        if target in found or rng.random() < 0.35 * (target < row):  # loops are rarer than ways ahead
            continue
        found[row] = (side, target)
        taken[side] |= span
    return found or {1: (1, 3)}


def walk(flow: Flow, answers: Mapping[int, str]) -> list[int] | None:
    """The nodes passed from the start when each decision is always answered the same; None for an endless loop."""
    passed = [0]
    while True:
        node = passed[-1]
        ways = flow.out(node)
        if not ways:
            return passed
        if len(ways) > 1:
            if node not in answers:
                return None
            ways = [edge for edge in ways if edge.label == answers[node]]
        if ways[0].end in passed:
            return None
        passed.append(ways[0].end)


def to_mermaid(flow: Flow, direction: str) -> str:
    """The chart in Mermaid's language."""
    forms = {"terminal": "([{}])", "process": "[{}]", "decision": "{{{}}}", "data": "[/{}/]"}
    lines = [f"flowchart {direction}"]
    lines += [f"    {name(i)}{forms[node.role].format(node.text)}" for i, node in enumerate(flow.nodes)]
    lines += [
        f"    {name(edge.start)} -->{f'|{edge.label}|' if edge.label else ''} {name(edge.end)}" for edge in flow.edges
    ]
    return "\n".join(lines)


def to_dot(flow: Flow, direction: str) -> str:
    """The chart in Graphviz's language."""
    shapes = {"terminal": "oval", "process": "box", "decision": "diamond", "data": "parallelogram"}
    lines = ["digraph {", f"    rankdir={'TB' if direction == 'TD' else 'LR'};"]
    lines += [f'    {name(i)} [label="{node.text}", shape={shapes[node.role]}];' for i, node in enumerate(flow.nodes)]
    for edge in flow.edges:
        label = f' [label="{edge.label}"]' if edge.label else ""
        lines.append(f"    {name(edge.start)} -> {name(edge.end)}{label};")
    return "\n".join([*lines, "}"])


def name(number: int) -> str:
    """A, B, ... for the nodes."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number]
