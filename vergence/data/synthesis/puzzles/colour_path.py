"""Paths by colour: over the cells of a grid, or along the lines of a graph, in an order of colours that repeats."""

from __future__ import annotations

import random
from typing import Any, Literal

from pydantic import Field

from vergence.data.generator import Draft, Region, dialogue
from vergence.data.synthesis.palette import RGB
from vergence.data.synthesis.puzzles.colour_questions import graph_turns, grid_turns
from vergence.data.synthesis.puzzles.colour_search import (
    POINTS,
    GraphPath,
    GridPath,
    graph_state,
    grid_state,
    make_graph,
    make_grid,
)
from vergence.data.synthesis.puzzles.drawing import COLOURS, Canvas, Look, ink_on, look, png
from vergence.data.synthesis.puzzles.puzzle import (
    PuzzleConfig,
    graded,
    language_of,
)
from vergence.verifiers.puzzles.reading import cell_name

VERSION = 2

PACKAGES = ()


class Config(PuzzleConfig):
    """Which of the two sorts."""

    forms: tuple[Literal["grid", "graph"], ...] = Field(
        ("grid", "graph"), min_length=1, description="forms to draw from"
    )


def generate(rng: random.Random, config: Config) -> Draft:
    """A grid or a graph, asked for a path, a shortest one, its length, and colours on the way."""
    language, style = language_of(rng, config), look(rng)
    if rng.choice(config.forms) == "grid":
        grid = graded(rng, config, make_grid)
        canvas, regions = draw_grid(grid, style)
        turns, difficulty = grid_turns(rng, config, language, grid), grid.difficulty
        truth: dict[str, Any] = {
            **grid_state(grid),
            "path": [list(cell) for cell in grid.path],
            "shortest": grid.shortest,
        }
    else:
        graph = graded(rng, config, make_graph)
        canvas, regions = draw_graph(graph, style)
        turns, difficulty = graph_turns(rng, config, language, graph), graph.difficulty
        truth = {**graph_state(graph), "path": [POINTS[point] for point in graph.path], "shortest": graph.shortest}
    messages, checks = dialogue((png(canvas.finish()),), turns)
    return Draft(
        messages,
        checks,
        truth=truth,
        capability="reasoning/puzzles/colour-path",
        domain="puzzle",
        difficulty=difficulty,
        language=language,
        regions=regions,
    )


def draw_grid(puzzle: GridPath, style: Look) -> tuple[Canvas, tuple[Region, ...]]:
    """The cells with letters above and numbers beside them; S and G mark start and goal."""
    rows, columns, cell, margin = len(puzzle.grid), len(puzzle.grid[0]), 40.0, 30.0
    canvas = Canvas(margin + columns * cell + 10, margin + rows * cell + 10, style.paper)
    for row, line in enumerate(puzzle.grid):
        canvas.text((margin / 2, margin + (row + 0.5) * cell), str(row + 1), 16, style.ink)
        for column, colour in enumerate(line):
            x, y = margin + column * cell, margin + row * cell
            canvas.box((x + 1, y + 1, x + cell - 1, y + cell - 1), COLOURS[colour], radius=5)
            mark = "S" if (row, column) == puzzle.start else "G" if (row, column) == puzzle.goal else ""
            if mark:
                canvas.disc((x + cell / 2, y + cell / 2), cell * 0.33, (255, 255, 255), (30, 32, 36), 1)
                canvas.text((x + cell / 2, y + cell / 2), mark, 18, (30, 32, 36))
    for column in range(columns):
        canvas.text((margin + (column + 0.5) * cell, margin / 2), cell_name(0, column)[0], 16, style.ink)
    points = tuple((margin + (c + 0.5) * cell, margin + (r + 0.5) * cell) for r, c in puzzle.path)
    return canvas, (Region("path", points=points),)


def draw_graph(puzzle: GraphPath, style: Look) -> tuple[Canvas, tuple[Region, ...]]:
    """The points as discs with letters, joined by coloured lines."""
    unit, margin = 118.0, 50.0
    xs, ys = ([place[axis] for place in puzzle.places] for axis in (0, 1))
    points = [(margin + (x - min(xs)) * unit, margin + (y - min(ys)) * unit) for x, y in puzzle.places]
    paper: RGB = (255, 255, 255) if "black" in {line[2] for line in puzzle.lines} else style.paper
    canvas = Canvas((max(xs) - min(xs)) * unit + 2 * margin, (max(ys) - min(ys)) * unit + 2 * margin, paper)
    for a, b, colour in puzzle.lines:
        canvas.line([points[a], points[b]], COLOURS[colour], 6)
    for number, point in enumerate(points):
        body: RGB = style.accent if number in (puzzle.start, puzzle.goal) else (236, 238, 242)
        canvas.disc(point, 18, body, (40, 44, 52), 2)
        canvas.text(point, POINTS[number], 19, ink_on(body))
    return canvas, (Region("path", points=tuple(points[number] for number in puzzle.path)),)
