"""What is asked about paths by colour."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from vergence.data.generator import Turn
from vergence.data.synthesis.puzzles.colour_search import POINTS, GraphPath, GridPath, graph_state, grid_state
from vergence.data.synthesis.puzzles.drawing import colour_name
from vergence.data.synthesis.puzzles.puzzle import (
    Language,
    PuzzleConfig,
    reply,
    some_turns,
)
from vergence.verifiers.puzzles.reading import cell_name


def _order(cycle: Sequence[str], language: Language, what: tuple[str, str]) -> str:
    """The rule of colours; `what` are cells or lines, in English and Chinese."""
    names = [colour_name(colour, language) for colour in cycle]
    if language == "zh":
        return (
            f"只能走{names[0]}的{what[1]}"
            if len(names) == 1
            else f"经过的{what[1]}的颜色必须依次为{'、'.join(names)}，并按此顺序循环"
        )
    if len(names) == 1:
        return f"use {names[0]} {what[0]} only"
    return f"the colours of the {what[0]} must repeat in the order {', '.join(names)}"


class _Words(NamedTuple):
    """The sentences that a question about a path is put together from, and what stands between two of them."""

    intro: str
    fewest: str
    some: str
    short: str
    form: str
    gap: str


def _path_questions(
    rng: random.Random,
    config: PuzzleConfig,
    language: Language,
    words: _Words,
    answer: str,
    check: Mapping[str, Any],
    count: int,
    steps: Sequence[str],
) -> list[Callable[[], Turn]]:
    """The length of a shortest path, any path, a shortest one: each gives the others away, so one of them is asked."""

    def path(wanted: str, check: Mapping[str, Any]) -> Turn:
        text = words.gap.join((words.intro, wanted, words.form))
        return reply(rng, config, language, text, answer, check, steps, "plain")

    def length() -> Turn:
        text = words.intro + words.gap + words.fewest
        return reply(rng, config, language, text, str(count), {"verifier": "count", "target": count}, steps)

    return [length, lambda: path(words.some, check), lambda: path(words.short, {**check, "most": count})]


def grid_turns(rng: random.Random, config: PuzzleConfig, language: Language, puzzle: GridPath) -> list[Turn]:
    """The questions about a grid."""
    zh, count = language == "zh", len(puzzle.path)
    rule = _order(puzzle.cycle, language, ("cells", "格子"))
    start, goal = cell_name(*puzzle.start), cell_name(*puzzle.goal)
    names = [cell_name(*cell) for cell in puzzle.path]
    answer = " ".join(names)
    intro = (
        f"从 S（{start}）走到 G（{goal}），每步只能走到上下左右相邻的格子，{rule}（包括起点和终点）。"
        if zh
        else f"Go from S ({start}) to G ({goal}) through cells that share a side; {rule}, start and goal included."
    )
    form = "依次写出经过的格子，例如 A1 A2 B2。" if zh else "List the cells in order, such as A1 A2 B2."
    cells = zip(names, _colours(puzzle), strict=True)
    path = (
        "、".join(f"{name}（{colour_name(colour, language)}）" for name, colour in cells)
        if zh
        else ", ".join(f"{name} ({colour})" for name, colour in cells)
    )
    steps = [
        f"从 {start} 逐步扩展符合颜色顺序的格子，最先到达 {goal} 的路线是：{path}。"
        if zh
        else f"Spreading out from {start} over cells of the colour that is due, {goal} is first reached by {path}."
    ]
    steps.append(f"共经过 {count} 个格子。" if zh else f"That is {count} cells.")
    check = {"verifier": "puzzle", **grid_state(puzzle)}
    gap = "" if zh else " "
    r, c = rng.randrange(len(puzzle.grid)), rng.randrange(len(puzzle.grid[0]))
    named = colour_name(puzzle.grid[r][c], language)
    tally = sum(line.count(puzzle.grid[r][c]) for line in puzzle.grid)
    fewest = (
        "最短路线经过几个格子（包括起点和终点）？"
        if zh
        else "How many cells does a shortest path have, start and goal included?"
    )
    some, short = (
        ("写出一条路线。", f"写出一条最短路线（{count} 个格子）。")
        if zh
        else ("Find a path.", f"Find a shortest path ({count} cells).")
    )
    tally_steps = [
        f"第{n}行有 {line.count(puzzle.grid[r][c])} 个。" if zh else f"Row {n} has {line.count(puzzle.grid[r][c])}."
        for n, line in enumerate(puzzle.grid, 1)
    ]
    return some_turns(
        rng,
        config,
        [
            lambda: reply(
                rng,
                config,
                language,
                f"图中有多少个{named}的格子？" if zh else f"How many {named} cells are in the grid?",
                str(tally),
                {"verifier": "count", "target": tally},
                tally_steps,
            ),
            _path_questions(
                rng, config, language, _Words(intro, fewest, some, short, form, gap), answer, check, count, steps
            ),
        ],
    )


def _colours(puzzle: GridPath) -> list[str]:
    return [puzzle.grid[row][column] for row, column in puzzle.path]


def graph_turns(rng: random.Random, config: PuzzleConfig, language: Language, puzzle: GraphPath) -> list[Turn]:
    """The questions about a graph."""
    zh, count = language == "zh", len(puzzle.path) - 1
    rule = _order(puzzle.cycle, language, ("lines", "线段"))
    start, goal = POINTS[puzzle.start], POINTS[puzzle.goal]
    answer = " ".join(POINTS[point] for point in puzzle.path)
    intro = f"沿着线段从 {start} 走到 {goal}，{rule}。" if zh else f"Go from {start} to {goal} along the lines; {rule}."
    form = "依次写出经过的点，例如 A C B。" if zh else "List the points in order, such as A C B."
    colours = [puzzle.cycle[number % len(puzzle.cycle)] for number in range(count)]
    parts = [
        f"{POINTS[a]}—{POINTS[b]}（{colour_name(colour, language)}）"
        if zh
        else f"{POINTS[a]} to {POINTS[b]} ({colour})"
        for a, b, colour in zip(puzzle.path, puzzle.path[1:], colours, strict=False)
    ]
    steps = [
        (
            "按颜色顺序逐步扩展，最先到达的路线是："
            if zh
            else "Following lines of the colour that is due, the goal is first reached by "
        )
        + ("、".join(parts) + "。" if zh else ", ".join(parts) + "."),
        f"共走 {count} 条线段。" if zh else f"That is {count} lines.",
    ]
    check = {"verifier": "puzzle", **graph_state(puzzle)}
    gap = "" if zh else " "
    point = rng.randrange(len(puzzle.places))
    degree = sum(point in line[:2] for line in puzzle.lines)
    a, b, colour = rng.choice(puzzle.lines)
    named = colour_name(colour, language)
    fewest = "最少要走几条线段？" if zh else "How many lines does a shortest path have?"
    some, short = (
        ("写出一条路线。", f"写出一条最短路线（{count} 条线段）。")
        if zh
        else ("Find a path.", f"Find a shortest path ({count} lines).")
    )
    return some_turns(
        rng,
        config,
        [
            lambda: reply(
                rng,
                config,
                language,
                f"点 {POINTS[point]} 连着几条线段？" if zh else f"How many lines meet at point {POINTS[point]}?",
                str(degree),
                {"verifier": "count", "target": degree},
            ),
            lambda: reply(
                rng,
                config,
                language,
                f"连接 {POINTS[a]} 和 {POINTS[b]} 的线段是什么颜色？"
                if zh
                else f"What colour is the line between {POINTS[a]} and {POINTS[b]}?",
                named,
                {"verifier": "exact", "target": named, "accepted": [named.removesuffix("色")]},
            ),
            _path_questions(
                rng, config, language, _Words(intro, fewest, some, short, form, gap), answer, check, count, steps
            ),
        ],
    )
