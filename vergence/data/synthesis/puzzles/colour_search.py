"""Grids and graphs with a path whose colours follow an order, and the search for the shortest."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from vergence.data.synthesis.puzzles.puzzle import (
    between,
    share,
)
from vergence.verifiers.puzzles.reading import STEPS

Place = tuple[int, int]

S = TypeVar("S", bound=Hashable)

PALETTE = ("red", "blue", "yellow", "green", "purple", "orange")

POINTS = "ABCDEFGHIJKLMN"


@dataclass(frozen=True)
class GridPath:
    """Colours of cells, start and goal (row, column), the order of colours, a shortest path, and how many there are."""

    grid: tuple[tuple[str, ...], ...]
    start: Place
    goal: Place
    cycle: tuple[str, ...]
    path: tuple[Place, ...]
    shortest: int
    difficulty: float


@dataclass(frozen=True)
class GraphPath:
    """Places of points in units, lines (point, point, colour), ends, the order of colours, a shortest path."""

    places: tuple[tuple[float, float], ...]
    lines: tuple[tuple[int, int, str], ...]
    start: int
    goal: int
    cycle: tuple[str, ...]
    path: tuple[int, ...]
    shortest: int
    difficulty: float


def shortest_paths(start: S, goal: Callable[[S], bool], following: Callable[[S], Iterable[S]]) -> tuple[list[S], int]:
    """A shortest path of states by breadth-first search, and how many there are; empty and 0 where there is none."""
    before: dict[S, S] = {}
    depth, ways, queue = {start: 0}, {start: 1}, deque([start])
    ends: list[S] = []
    while queue:
        state = queue.popleft()
        if ends and depth[state] >= depth[ends[0]]:
            break
        for after in following(state):
            if after not in depth:
                depth[after], ways[after], before[after] = depth[state] + 1, 0, state
                queue.append(after)
                if goal(after):
                    ends.append(after)
            if depth[after] == depth[state] + 1:
                ways[after] += ways[state]
    if not ends:
        return [], 0
    ends = [end for end in ends if depth[end] == depth[ends[0]]]
    path = [ends[0]]
    while path[-1] in before:
        path.append(before[path[-1]])
    return path[::-1], sum(ways[end] for end in ends)


def make_grid(rng: random.Random, level: float) -> GridPath | None:
    """A grid with a path laid into it, and the shortest one that the search finds."""
    size = between(level, 4, 9)
    rows, columns = max(4, size - rng.randint(0, 1)), size
    palette = rng.sample(PALETTE, rng.randint(3, 5))
    cycle = tuple(palette[: rng.choice((1, 2, 2, 3) if level < 0.5 else (2, 3, 3))])
    grid = [[rng.choice(palette) for _ in range(columns)] for _ in range(rows)]
    row, column = start = (rng.randrange(rows), rng.randrange(columns))
    walked = [start]
    for _ in range(rng.randint(4, 6) + int(level * rows * columns * 0.5)):
        ways = [(row + d, column + r) for d, r in STEPS.values()]
        ways = [at for at in ways if 0 <= at[0] < rows and 0 <= at[1] < columns and at not in walked]
        if not ways:
            break
        row, column = rng.choice(ways)
        walked.append((row, column))
    goal = walked[-1]
    for number, (r, c) in enumerate(walked):
        grid[r][c] = cycle[number % len(cycle)]

    def following(state: tuple[int, int, int]) -> list[tuple[int, int, int]]:
        number = (state[2] + 1) % len(cycle)
        cells = ((state[0] + d, state[1] + r) for d, r in STEPS.values())
        return [(r, c, number) for r, c in cells if 0 <= r < rows and 0 <= c < columns and grid[r][c] == cycle[number]]

    states, count = shortest_paths((*start, 0), lambda state: state[:2] == goal, following)
    if len(states) < 4:
        return None
    path = tuple((r, c) for r, c, _ in states)
    difficulty = 0.65 * share(len(path), 4, 24) + 0.2 * share(len(cycle), 1, 3) + 0.15 * share(rows * columns, 16, 81)
    return GridPath(tuple(map(tuple, grid)), start, goal, cycle, path, count, difficulty)


def make_graph(rng: random.Random, level: float) -> GraphPath | None:
    """Points in a jittered grid, joined to near ones by coloured lines that don't cross."""
    columns, rows = between(level, 3, 4), between(level, 2, 3)
    places = [
        (column + rng.uniform(-0.24, 0.24), row + rng.uniform(-0.24, 0.24))
        for row in range(rows)
        for column in range(columns)
    ]
    rng.shuffle(places)
    palette = rng.sample([*PALETTE, "black"], rng.randint(3, 4))
    cycle = tuple(palette[: rng.choice((1, 2, 2, 3) if level < 0.5 else (2, 2, 3))])
    pairs = [(a, b) for a in range(len(places)) for b in range(a) if math.dist(places[a], places[b]) < 1.75]
    rng.shuffle(pairs)
    lines: list[tuple[int, int, str]] = []
    for a, b in pairs:
        if not any(_meet(places, (a, b), line[:2]) for line in lines) and _clear(places, a, b):
            lines.append((b, a, rng.choice([*palette, *cycle])))
    colours = {frozenset((a, b)): colour for a, b, colour in lines}

    def following(state: tuple[int, int]) -> list[tuple[int, int]]:
        number = state[1] % len(cycle)
        return [
            (other, (number + 1) % len(cycle))
            for other in range(len(places))
            if colours.get(frozenset((state[0], other))) == cycle[number]
        ]

    best: tuple[list[tuple[int, int]], int] = ([], 0)
    start = rng.randrange(len(places))
    goals = rng.sample([point for point in range(len(places)) if point != start], min(6, len(places) - 1))
    for goal in goals:
        found = shortest_paths((start, 0), lambda state, goal=goal: state[0] == goal, following)  # type: ignore[misc]
        if len(found[0]) > len(best[0]):
            best = found
    if len(best[0]) < 3:
        return None
    path = tuple(point for point, _ in best[0])
    difficulty = 0.6 * share(len(path), 3, 9) + 0.2 * share(len(cycle), 1, 3) + 0.2 * share(len(lines), 8, 22)
    return GraphPath(tuple(places), tuple(lines), start, path[-1], cycle, path, best[1], difficulty)


def _meet(places: Sequence[tuple[float, float]], first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two lines cross; such as share a point don't."""
    if {*first} & {*second}:
        return False

    def side(a: int, b: int, c: int) -> float:
        (ax, ay), (bx, by), (cx, cy) = places[a], places[b], places[c]
        return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)

    (a, b), (c, d) = first, second
    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def _clear(places: Sequence[tuple[float, float]], a: int, b: int) -> bool:
    """Whether a line keeps away from all points but its own."""
    (ax, ay), (bx, by) = places[a], places[b]
    length = math.dist(places[a], places[b])
    for point, (x, y) in enumerate(places):
        along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length**2
        away = abs((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / length
        if point not in (a, b) and 0 < along < 1 and away < 0.3:
            return False
    return True


def grid_state(puzzle: GridPath) -> dict[str, Any]:
    """What a check holds of a grid."""
    return {
        "puzzle": "colour-grid",
        "grid": [list(row) for row in puzzle.grid],
        "start": list(puzzle.start),
        "goal": list(puzzle.goal),
        "cycle": list(puzzle.cycle),
    }


def graph_state(puzzle: GraphPath) -> dict[str, Any]:
    """What a check holds of a graph."""
    return {
        "puzzle": "colour-graph",
        "lines": [[POINTS[a], POINTS[b], colour] for a, b, colour in puzzle.lines],
        "start": POINTS[puzzle.start],
        "goal": POINTS[puzzle.goal],
        "cycle": list(puzzle.cycle),
    }
