"""Mazes with one way through (a spanning tree) or several (walls taken out), the shortest by breadth-first search."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from pydantic import Field

from vergence.data.generator import Draft, Region, Turn, dialogue
from vergence.data.synthesis.puzzles.drawing import Canvas, Look, look, png
from vergence.data.synthesis.puzzles.puzzle import (
    Language,
    PuzzleConfig,
    between,
    graded,
    language_of,
    reply,
    share,
    some_turns,
)
from vergence.processing.coordinates import format_point
from vergence.verifiers.puzzles.maze import SIDES
from vergence.verifiers.puzzles.reading import STEPS

VERSION = 2
PACKAGES = ()

OPPOSITE = {"up": "down", "down": "up", "left": "right", "right": "left"}
CHINESE = {"up": "上", "down": "下", "left": "左", "right": "右"}
Cell = tuple[int, int]


class Config(PuzzleConfig):
    """The size of mazes."""

    largest: int = Field(14, ge=4, le=24, description="most rows and columns")


@dataclass(frozen=True)
class Maze:
    """Open sides of each cell (`verifiers.puzzles.maze.SIDES`), the start, and one exit that can be reached of some."""

    sides: tuple[tuple[int, ...], ...]
    start: Cell
    exits: tuple[Cell, ...]
    path: tuple[str, ...]
    difficulty: float

    @property
    def goal(self) -> Cell:
        """The exit that can be reached."""
        return self.exits[0]


def carve(rng: random.Random, rows: int, columns: int, loops: int) -> list[list[int]]:
    """A maze by depth-first search from a random cell, with `loops` walls taken out afterwards."""
    sides = [[0] * columns for _ in range(rows)]
    stack = [(rng.randrange(rows), rng.randrange(columns))]
    seen = {stack[0]}
    while stack:
        row, column = stack[-1] if rng.random() < 0.9 else rng.choice(stack)
        ways = [
            (name, (row + down, column + right))
            for name, (down, right) in STEPS.items()
            if 0 <= row + down < rows and 0 <= column + right < columns and (row + down, column + right) not in seen
        ]
        if not ways:
            stack.remove((row, column))
            continue
        name, cell = rng.choice(ways)
        _open(sides, (row, column), name)
        seen.add(cell)
        stack.append(cell)
    for _ in range(loops):
        row, column = rng.randrange(rows - 1), rng.randrange(columns - 1)
        _open(sides, (row, column), rng.choice(("down", "right")))
    return sides


def _open(sides: list[list[int]], cell: Cell, name: str) -> None:
    (row, column), (down, right) = cell, STEPS[name]
    sides[row][column] |= SIDES[name]
    sides[row + down][column + right] |= SIDES[OPPOSITE[name]]


def shortest(sides: Sequence[Sequence[int]], start: Cell) -> dict[Cell, tuple[str, ...]]:
    """The moves of a shortest way to every cell that can be reached, by breadth-first search."""
    ways: dict[Cell, tuple[str, ...]] = {start: ()}
    queue = deque([start])
    while queue:
        row, column = queue.popleft()
        for name, (down, right) in STEPS.items():
            cell = (row + down, column + right)
            if sides[row][column] & SIDES[name] and cell not in ways:
                ways[cell] = (*ways[row, column], name)
                queue.append(cell)
    return ways


def make_maze(largest: int, rng: random.Random, level: float) -> Maze | None:
    """A maze whose size and length grow with the level."""
    size = between(level, 4, largest)
    rows, columns = max(4, size - rng.randint(0, 2)), size
    sides = carve(rng, rows, columns, rng.choice((0, 0, rows * columns // 12)))
    border = [(r, c) for r in range(rows) for c in range(columns) if r in (0, rows - 1) or c in (0, columns - 1)]
    start, *others = rng.sample(border, 4)
    ways = shortest(sides, start)
    goal = max(others, key=lambda cell: len(ways[cell]))
    false = [cell for cell in others if cell != goal]
    for cell in false:
        _wall_off(sides, rng, cell, start, goal)
    ways = shortest(sides, start)
    exits = (goal, *(cell for cell in false if cell not in ways))
    if goal not in ways or len(ways[goal]) < 3 or len(exits) < 3:
        return None
    path = ways[goal]
    turns = sum(a != b for a, b in pairwise(path))
    difficulty = 0.7 * share(len(path), 3, 60) + 0.3 * share(turns, 1, 36)
    return Maze(tuple(map(tuple, sides)), start, exits, path, difficulty)


def _wall_off(sides: list[list[int]], rng: random.Random, cell: Cell, start: Cell, goal: Cell) -> None:
    """Cut a cell from the start by walls across the middle of each way there, the way to the goal left whole."""
    for _ in range(8):
        ways = shortest(sides, start)
        if cell not in ways:
            return
        kept = _cells(start, ways[goal])
        cells = _cells(start, ways[cell])
        steps = [place for place, pair in enumerate(pairwise(cells)) if pair[1] not in kept]
        if not steps:
            return
        place = rng.choice(steps)
        (row, column), name = cells[place], ways[cell][place]
        down, right = STEPS[name]
        sides[row][column] &= ~SIDES[name]
        sides[row + down][column + right] &= ~SIDES[OPPOSITE[name]]


def _cells(start: Cell, moves: Sequence[str]) -> list[Cell]:
    cells = [start]
    for name in moves:
        cells.append((cells[-1][0] + STEPS[name][0], cells[-1][1] + STEPS[name][1]))
    return cells


def draw(maze: Maze, labels: Sequence[str], style: Look, cell: float) -> tuple[Canvas, float]:
    """The maze with S at the start and the exits' labels; returns the canvas and the margin around the cells."""
    rows, columns, margin = len(maze.sides), len(maze.sides[0]), 14.0
    canvas = Canvas(columns * cell + 2 * margin, rows * cell + 2 * margin, style.paper)
    marks = [
        (maze.start, "S", (46, 158, 80)),
        *((at, name, (214, 48, 49)) for at, name in zip(maze.exits, labels, strict=True)),
    ]
    for (row, column), name, colour in marks:
        x, y = margin + column * cell, margin + row * cell
        canvas.box((x + 3, y + 3, x + cell - 3, y + cell - 3), colour, radius=5)
        canvas.text((x + cell / 2, y + cell / 2), name, cell * 0.55, (255, 255, 255))
    for row in range(rows):
        for column in range(columns):
            x, y, sides = margin + column * cell, margin + row * cell, maze.sides[row][column]
            if not sides & SIDES["up"]:
                canvas.line([(x, y), (x + cell, y)], style.ink, 3)
            if not sides & SIDES["left"]:
                canvas.line([(x, y), (x, y + cell)], style.ink, 3)
    right, bottom = margin + columns * cell, margin + rows * cell
    canvas.line([(right, margin), (right, bottom), (margin, bottom)], style.ink, 3)
    return canvas, margin


def generate(rng: random.Random, config: Config) -> Draft:
    """A maze, asked for the way, the shortest way, its length, or the exit that can be reached."""
    maze = graded(rng, config, partial(make_maze, config.largest))
    language = language_of(rng, config)
    labels = list("ABCDEF"[: len(maze.exits)])
    rng.shuffle(labels)
    cell = rng.randint(26, 34)
    canvas, margin = draw(maze, labels, look(rng), cell)
    turns = _turns(rng, config, language, maze, labels, canvas.size, (margin, cell))
    messages, checks = dialogue((png(canvas.finish()),), turns)
    points = [(margin + (c + 0.5) * cell, margin + (r + 0.5) * cell) for r, c in _cells(maze.start, maze.path)]
    return Draft(
        messages,
        checks,
        truth={
            "open": [list(row) for row in maze.sides],
            "start": list(maze.start),
            "exits": {name: list(at) for name, at in sorted(zip(labels, maze.exits, strict=True))},
            "reached": labels[0],
            "path": list(maze.path),
        },
        capability="reasoning/puzzles/maze",
        domain="puzzle",
        difficulty=maze.difficulty,
        language=language,
        regions=(Region("path", points=tuple(points)),),
    )


def _runs(path: Sequence[str], language: Language) -> str:
    """A way as runs: "right 3, up 2"."""
    runs: list[list[str]] = []
    for name in path:
        if not runs or runs[-1][0] != name:
            runs.append([])
        runs[-1].append(name)
    if language == "zh":
        return "，".join(f"向{CHINESE[run[0]]}{len(run)}格" for run in runs)
    return ", ".join(f"{run[0]} {len(run)}" for run in runs)


def _turns(
    rng: random.Random,
    config: Config,
    language: Language,
    maze: Maze,
    labels: Sequence[str],
    size: tuple[int, int],
    place: tuple[float, float],
) -> list[Turn]:
    runs, steps = _runs(maze.path, language), len(maze.path)
    explain = [_reached(language, labels)]
    explain.append(
        f"最短路线：{runs}，共 {steps} 步。" if language == "zh" else f"The shortest way there: {runs}; {steps} steps."
    )
    # The steps to the exit tell the way: either one question with them is asked, or the exit without and then the way.
    alone = rng.random() < 0.5
    exits = _exit_questions(rng, config, language, maze, labels, size, place, explain if alone else ())
    ways = _way_questions(rng, config, language, maze, labels[0], runs, explain)
    return some_turns(rng, config, [[*exits, *ways]] if alone else [exits, ways])


def _reached(language: Language, labels: Sequence[str]) -> str:
    """Which exits a search finds."""
    goal, shut = labels[0], sorted(labels[1:])
    if language == "zh":
        return f"从 S 出发逐格扩展，每次只穿过没有墙的一侧。{'、'.join(shut)} 被墙隔开，到不了；能到达的是 {goal}。"
    return f"Spreading out from S through open sides only: {' and '.join(shut)} are walled off, {goal} is reached."


def _exit_questions(
    rng: random.Random,
    config: Config,
    language: Language,
    maze: Maze,
    labels: Sequence[str],
    size: tuple[int, int],
    place: tuple[float, float],
    explain: Sequence[str],
) -> list[Callable[[], Turn]]:
    """Which exit can be reached: its letter, and its place."""
    zh, goal, (margin, cell) = language == "zh", labels[0], place
    left, top = margin + maze.goal[1] * cell, margin + maze.goal[0] * cell
    reach = (
        f"从 S 出发能到达哪个出口（{'、'.join(sorted(labels))}）？"
        if zh
        else "Which of the marked exits can be reached from S?"
    )
    point = (
        "用 <point>x y</point> 指出从 S 能到达的出口。"
        if zh
        else "Point to the marked exit that can be reached from S, as <point>x y</point>."
    )
    letter = {"verifier": "exact", "target": goal}
    spot = {"verifier": "point", "targets": [[left, top, left + cell, top + cell]], "size": list(size)}
    return [
        lambda: reply(rng, config, language, reach, goal, letter, explain),
        lambda: Turn(point, format_point((left + cell / 2, top + cell / 2), *size), spot),
    ]


def _way_questions(
    rng: random.Random,
    config: Config,
    language: Language,
    maze: Maze,
    goal: str,
    runs: str,
    explain: Sequence[str],
) -> list[Callable[[], Turn]]:
    """A way, a shortest way, and how long that is."""
    zh, steps = language == "zh", len(maze.path)
    written, answer = rng.choice(
        (
            (
                "用字母写出每一步：U（上）、D（下）、L（左）、R（右）。"
                if zh
                else "Write the moves as letters: U (up), D (down), L (left), R (right).",
                "".join(name[0].upper() for name in maze.path),
            ),
            (
                "请按“向右2格，向上1格”的形式作答。" if zh else 'Write runs of moves, such as "right 2, up 1".',
                runs,
            ),
        )
    )
    find = f"从 S 走到 {goal}，写出一条路线。" if zh else f"Find a way through the maze from S to {goal}. "
    shortest_way = f"写出从 S 到 {goal} 的最短路线。" if zh else f"Find a shortest way from S to {goal}. "
    how_long = (
        f"从 S 走到 {goal} 最少需要几步？（走到相邻的一格算一步）"
        if zh
        else f"How many steps does the shortest way from S to {goal} take? A step goes to a neighbouring cell."
    )
    check = {
        "verifier": "puzzle",
        "puzzle": "maze",
        "open": [list(row) for row in maze.sides],
        "start": list(maze.start),
        "goal": list(maze.goal),
    }
    least = {**check, "most": steps}
    return [
        lambda: reply(rng, config, language, find + written, answer, check, explain, "plain"),
        lambda: reply(rng, config, language, shortest_way + written, answer, least, explain, "plain"),
        lambda: reply(rng, config, language, how_long, str(steps), {"verifier": "count", "target": steps}, explain),
    ]
