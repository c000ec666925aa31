"""Counting in line figures: squares and rectangles of a lattice, triangles of a fan of lines or of diagonals.

What counts is decided on a plane graph of unit segments: a rectangle is in the figure if all of its four sides are
drawn, a triangle if its three corners are joined by drawn lines.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from pydantic import Field

from vergence.data.generator import Draft, Region, Turn, dialogue
from vergence.data.synthesis.puzzles.drawing import Canvas, look, png
from vergence.data.synthesis.puzzles.line_figures import Lattice, Lines, make_fan, make_lattice, make_polygon
from vergence.data.synthesis.puzzles.puzzle import (
    Language,
    PuzzleConfig,
    graded,
    language_of,
    reply,
    some_turns,
)

VERSION = 2

PACKAGES = ()

Form = Literal["lattice", "fan", "polygon"]


class Config(PuzzleConfig):
    """Which figures."""

    forms: tuple[Form, ...] = Field(("lattice", "fan", "polygon"), min_length=1, description="figures to draw from")


def generate(rng: random.Random, config: Config) -> Draft:
    """A line figure, asked for the number of its squares, rectangles or triangles, of all sizes or of one."""
    language, style = language_of(rng, config), look(rng)
    canvas: Canvas
    truth: dict[str, Any]
    form = rng.choice(config.forms)
    if form == "lattice":
        lattice = graded(rng, config, make_lattice)
        cell, margin = rng.choice((44.0, 52.0, 60.0)), 18.0
        canvas = Canvas(len(lattice.across[0]) * cell + 2 * margin, len(lattice.down) * cell + 2 * margin, style.paper)
        for row, line in enumerate(lattice.across):
            for column, drawn in enumerate(line):
                if drawn:
                    x, y = margin + column * cell, margin + row * cell
                    canvas.line([(x, y), (x + cell, y)], style.ink, 3)
        for row, line in enumerate(lattice.down):
            for column, drawn in enumerate(line):
                if drawn:
                    x, y = margin + column * cell, margin + row * cell
                    canvas.line([(x, y), (x, y + cell)], style.ink, 3)
        turns, difficulty = lattice_turns(rng, config, language, lattice), lattice.difficulty
        truth = {
            "across": [list(line) for line in lattice.across],
            "down": [list(line) for line in lattice.down],
            "rectangles": [list(found) for found in lattice.rectangles],
        }
        regions = tuple(
            Region("square", (margin + c * cell, margin + r * cell, margin + (c + w) * cell, margin + (r + h) * cell))
            for r, c, h, w in lattice.squares
        )
    else:
        fan = graded(rng, config, make_fan if form == "fan" else make_polygon)
        width, height, margin = rng.choice((280.0, 340.0)), rng.choice((220.0, 280.0)), 20.0
        if form == "polygon":
            width = height = 340.0
        canvas = Canvas(width + 2 * margin, height + 2 * margin, style.paper)
        at = [(margin + x * width, margin + y * height) for x, y in fan.points]
        for ends in fan.lines:
            canvas.line([at[ends[0]], at[ends[-1]]], style.ink, 3)
        asked = fan_turns if form == "fan" else polygon_turns
        turns, difficulty = asked(rng, config, language, fan), fan.difficulty
        truth = {
            "points": [list(point) for point in fan.points],
            "lines": [list(line) for line in fan.lines],
            "triangles": [list(found) for found in fan.triangles],
        }
        regions = (Region("corners", points=tuple(at)),)
    messages, checks = dialogue((png(canvas.finish()),), turns)
    return Draft(
        messages,
        checks,
        truth=truth,
        capability="reasoning/puzzles/counting",
        domain="puzzle",
        difficulty=difficulty,
        language=language,
        regions=regions,
    )


def _counted(
    rng: random.Random, config: PuzzleConfig, language: Language, question: str, count: int, steps: Sequence[str]
) -> Turn:
    return reply(rng, config, language, question, str(count), {"verifier": "count", "target": count}, steps)


def _sizes(found: Sequence[tuple[int, int]], language: Language) -> list[str]:
    """How many there are of each size, and their sum."""
    counted = sorted(Counter(found).items())
    steps = [
        f"{height}×{width} 的有 {number} 个。" if language == "zh" else f"{height} x {width}: {number}."
        for (height, width), number in counted
    ]
    return [*steps, *_summed([number for _, number in counted], language)]


def _summed(numbers: Sequence[int], language: Language) -> list[str]:
    """The step that adds numbers; empty where there is one only."""
    if len(numbers) < 2:
        return []
    total = f"{' + '.join(map(str, numbers))} = {sum(numbers)}"
    return [f"共 {total} 个。" if language == "zh" else f"Together {total}."]


def lattice_turns(rng: random.Random, config: PuzzleConfig, language: Language, lattice: Lattice) -> list[Turn]:
    """The questions about a lattice."""
    zh = language == "zh"
    squares = lattice.squares
    side = rng.choice(sorted({found[2] for found in squares}))
    of_side = sum(found[2] == side for found in squares)
    of_one_size = [
        partial(
            _counted,
            rng,
            config,
            language,
            f"图中有多少个边长为 {side} 个单位的正方形？（最小的正方形边长为 1）"
            if zh
            else f"How many squares with a side of {side} are in the figure? The smallest square has a side of 1.",
            of_side,
            [],
        )
    ]
    if not any(found[2] == 1 for found in squares):
        of_one_size = []  # a side is told in cells, of which one must be seen
    height_first = [(min(h, w), max(h, w)) for _, _, h, w in lattice.rectangles]
    return some_turns(
        rng,
        config,
        [
            *of_one_size,
            partial(
                _counted,
                rng,
                config,
                language,
                "图中一共有多少个正方形？各种大小都算。" if zh else "How many squares of all sizes are in the figure?",
                len(squares),
                _sizes([(h, w) for _, _, h, w in squares], language),
            ),
            partial(
                _counted,
                rng,
                config,
                language,
                "图中一共有多少个长方形（包括正方形）？"
                if zh
                else "How many rectangles are in the figure, squares included?",
                len(lattice.rectangles),
                _sizes(height_first, language),
            ),
        ],
    )


def fan_turns(rng: random.Random, config: PuzzleConfig, language: Language, fan: Lines) -> list[Turn]:
    """The questions about a fan of lines."""
    zh, count = language == "zh", len(fan.triangles)
    rays = len(fan.lines[-1])
    layers = len(fan.lines) - rays
    pairs = rays * (rays - 1) // 2
    steps = (
        [
            f"从顶点出发有 {rays} 条线，任取两条与一条横线围成一个三角形：每条横线有 {rays}×{rays - 1}÷2 = {pairs} "
            f"个。",
            f"共 {layers} 条横线（包括底边），所以有 {pairs}×{layers} = {count} 个。",
        ]
        if zh
        else [
            f"{rays} lines leave the top; any two of them form a triangle with a line across: {rays} x {rays - 1} / "
            f"2 = {pairs} for each.",
            f"Lines across, the base included: {layers}. Triangles: {pairs} x {layers} = {count}.",
        ]
    )
    return some_turns(
        rng,
        config,
        [
            partial(
                _counted,
                rng,
                config,
                language,
                "图中一共有多少个三角形？" if zh else "How many triangles are in the figure?",
                count,
                steps,
            ),
            partial(
                _counted,
                rng,
                config,
                language,
                "从最上面的顶点到底边一共画了几条线（包括两条侧边）？"
                if zh
                else "How many straight lines run from the top to the base, both sides included?",
                rays,
                [],
            ),
            partial(
                _counted,
                rng,
                config,
                language,
                "图中最大的三角形被分成了多少个互不重叠的小块？"
                if zh
                else "Into how many pieces is the large triangle divided?",
                (rays - 1) * layers,
                [
                    f"{rays} 条线把每一层分成 {rays - 1} 块，共 {layers} 层：{rays - 1}×{layers} = "
                    f"{(rays - 1) * layers}。"
                    if zh
                    else f"The {rays} lines divide each layer into {rays - 1} pieces; layers: {layers}; pieces: "
                    f"{rays - 1} x {layers} = {(rays - 1) * layers}."
                ],
            ),
        ],
    )


def polygon_turns(rng: random.Random, config: PuzzleConfig, language: Language, figure: Lines) -> list[Turn]:
    """The questions about a polygon with diagonals."""
    zh, count = language == "zh", len(figure.triangles)
    diagonals, crossings = len(figure.lines) - figure.corners, len(figure.points) - figure.corners
    outer = Counter(sum(point < figure.corners for point in triangle) for triangle in figure.triangles)
    sorted_outer = sorted(outer.items(), reverse=True)
    steps = [
        f"有 {corners} 个角在多边形顶点上的三角形：{number} 个。"
        if zh
        else f"Triangles with {corners} of their corners at corners of the polygon: {number}."
        for corners, number in sorted_outer
    ]
    steps += _summed([number for _, number in sorted_outer], language)
    return some_turns(
        rng,
        config,
        [
            partial(
                _counted,
                rng,
                config,
                language,
                "图中的多边形内画了几条对角线？" if zh else "How many diagonals are drawn inside the polygon?",
                diagonals,
                [],
            ),
            partial(
                _counted,
                rng,
                config,
                language,
                "对角线在多边形内部共有几个交点？"
                if zh
                else "In how many points inside the polygon do diagonals cross?",
                crossings,
                [],
            ),
            partial(
                _counted,
                rng,
                config,
                language,
                "图中一共有多少个三角形？各种大小都算。"
                if zh
                else "How many triangles of all sizes are in the figure?",
                count,
                steps,
            ),
        ],
    )
