"""Figures of lines, and all rectangles or triangles in them.

A rectangle is in a lattice if all of its four sides are drawn, a triangle in other figures if its three corners are
joined by drawn lines.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from vergence.data.synthesis.puzzles.puzzle import (
    between,
    share,
)

Point = tuple[float, float]


@dataclass(frozen=True)
class Lattice:
    """Unit sides drawn in a lattice: `across[row][column]` lies on line `row`, `down[row][column]` on line `column`."""

    across: tuple[tuple[bool, ...], ...]
    down: tuple[tuple[bool, ...], ...]
    rectangles: tuple[tuple[int, int, int, int], ...]
    difficulty: float

    @property
    def squares(self) -> list[tuple[int, int, int, int]]:
        """Those of the rectangles (row, column, height, width) that are squares."""
        return [found for found in self.rectangles if found[2] == found[3]]


@dataclass(frozen=True)
class Lines:
    """Straight lines, each with the points that lie on it in order, and the triples of points that are triangles.

    The first `corners` points are the corners of a polygon; a fan has its top as point 0.
    """

    points: tuple[Point, ...]
    lines: tuple[tuple[int, ...], ...]
    triangles: tuple[tuple[int, int, int], ...]
    corners: int
    difficulty: float


def rectangles(across: Sequence[Sequence[bool]], down: Sequence[Sequence[bool]]) -> list[tuple[int, int, int, int]]:
    """Every (row, column, height, width) whose four sides are drawn, by running sums along the lines."""
    rows, columns = len(down), len(across[0])
    along = [[0] for _ in across]
    for line, sums in zip(across, along, strict=True):
        for drawn in line:
            sums.append(sums[-1] + drawn)
    upright = [[0] * (columns + 1)]
    for line in down:
        upright.append([total + drawn for total, drawn in zip(upright[-1], line, strict=True)])
    return [
        (row, column, height, width)
        for row in range(rows)
        for column in range(columns)
        for height in range(1, rows - row + 1)
        for width in range(1, columns - column + 1)
        if all(along[line][column + width] - along[line][column] == width for line in (row, row + height))
        and all(upright[row + height][line] - upright[row][line] == height for line in (column, column + width))
    ]


def make_lattice(rng: random.Random, level: float) -> Lattice | None:
    """A lattice with some sides left out, none of which leaves a loose end."""
    rows, columns = between(level, 2, 5), between(level, 2, 5)
    rows, columns = max(1, rows - rng.randint(0, 1)), max(2, columns - rng.randint(0, 1))
    across = [[True] * columns for _ in range(rows + 1)]
    down = [[True] * (columns + 1) for _ in range(rows)]
    for _ in range(rng.randint(0, rows * columns)):
        # A side between two cells is taken out only where all four ends stay part of a corner or a line.
        if rng.random() < 0.5 and rows > 1:
            side = (across, rng.randint(1, rows - 1), rng.randrange(columns))
        elif columns > 1:
            side = (down, rng.randrange(rows), rng.randint(1, columns - 1))
        else:
            continue
        lines, row, column = side
        lines[row][column] = False
        if _loose(across, down):
            lines[row][column] = True
    found = rectangles(across, down)
    missing = sum(not drawn for line in (*across, *down) for drawn in line)
    squares = [r for r in found if r[2] == r[3]]
    if len(found) < 2 or not squares:
        return None
    difficulty = 0.7 * share(len(found), 2, 110) ** 0.6 + 0.3 * share(missing, 0, 8)
    return Lattice(tuple(map(tuple, across)), tuple(map(tuple, down)), tuple(found), difficulty)


def _loose(across: Sequence[Sequence[bool]], down: Sequence[Sequence[bool]]) -> bool:
    """Whether a line ends in nothing."""
    rows, columns = len(down), len(across[0])
    for row in range(rows + 1):
        for column in range(columns + 1):
            ends = [
                column > 0 and across[row][column - 1],
                column < columns and across[row][column],
                row > 0 and down[row - 1][column],
                row < rows and down[row][column],
            ]
            if sum(ends) == 1:
                return True
    return False


def make_fan(rng: random.Random, level: float) -> Lines:
    """A triangle with lines from its top to its base, and lines across it."""
    rays, layers = between(level, 1, 5), rng.randint(between(level, 0, 2), between(level, 0, 3))
    top = (rng.uniform(0.3, 0.7), 0.0)
    feet = [0.0, *((ray + 1 + rng.uniform(-0.25, 0.25)) / (rays + 1) for ray in range(rays)), 1.0]
    heights = [*(0.3 + 0.7 * (layer + rng.uniform(0.1, 0.5)) / (layers + 0.5) for layer in range(layers)), 1.0]
    points: list[Point] = [top]
    lines: list[list[int]] = [[0] for _ in feet]
    for height in heights:
        level_line = []
        for ray, foot in enumerate(feet):
            points.append((top[0] + (foot - top[0]) * height, height))
            lines[ray].append(len(points) - 1)
            level_line.append(len(points) - 1)
        lines.append(level_line)
    triangles = triangles_of(len(points), lines)
    difficulty = 0.8 * share(len(triangles), 2, 84) ** 0.6 + 0.2 * share(layers, 0, 3)
    return Lines(tuple(points), tuple(map(tuple, lines)), tuple(triangles), 1, difficulty)


def make_polygon(rng: random.Random, level: float) -> Lines | None:
    """A convex polygon with some of its diagonals, no three of them through one point; None where two points touch."""
    corners = between(level, 4, 6)
    turn = rng.uniform(0, 2 * math.pi)
    angles = [turn + 2 * math.pi * (corner + rng.uniform(-0.22, 0.22)) / corners for corner in range(corners)]
    # Whole numbers, so that crossings are exact.
    places = [(round(500 + 480 * math.cos(angle)), round(500 + 480 * math.sin(angle))) for angle in angles]
    sides = [(corner, (corner + 1) % corners) for corner in range(corners)]
    diagonals = [pair for pair in combinations(range(corners), 2) if pair not in sides and pair[::-1] not in sides]
    drawn = rng.sample(
        diagonals, rng.randint(min(len(diagonals), between(level, 1, 6)), min(len(diagonals), between(level, 2, 9)))
    )
    points: list[tuple[Fraction, Fraction]] = [(Fraction(x), Fraction(y)) for x, y in places]
    lines = [list(pair) for pair in (*sides, *drawn)]
    for first, second in combinations(range(len(sides), len(lines)), 2):
        crossing = _crossing(*(places[corner] for corner in (*lines[first][:2], *lines[second][:2])))
        if crossing:
            lines[first].append(len(points))
            lines[second].append(len(points))
            points.append(crossing)
    if any(abs(a[0] - b[0]) + abs(a[1] - b[1]) < 70 for a, b in combinations(points, 2)):
        return None
    ordered = [tuple(sorted(line, key=lambda point: points[point])) for line in lines]
    triangles = triangles_of(len(points), ordered)
    if not triangles:
        return None
    difficulty = 0.8 * share(len(triangles), 2, 84) ** 0.6 + 0.2 * share(len(drawn), 1, 9)
    scaled = tuple((float(x) / 1000, float(y) / 1000) for x, y in points)
    return Lines(scaled, tuple(ordered), tuple(triangles), corners, difficulty)


def _crossing(
    a: tuple[int, int], b: tuple[int, int], c: tuple[int, int], d: tuple[int, int]
) -> tuple[Fraction, Fraction] | None:
    """Where the inner parts of the segments a-b and c-d cross."""
    across = (b[0] - a[0]) * (d[1] - c[1]) - (b[1] - a[1]) * (d[0] - c[0])
    if across == 0:
        return None
    along = Fraction((c[0] - a[0]) * (d[1] - c[1]) - (c[1] - a[1]) * (d[0] - c[0]), across)
    other = Fraction((c[0] - a[0]) * (b[1] - a[1]) - (c[1] - a[1]) * (b[0] - a[0]), across)
    if not (0 < along < 1 and 0 < other < 1):
        return None
    return a[0] + along * (b[0] - a[0]), a[1] + along * (b[1] - a[1])


def triangles_of(points: int, lines: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """Every three points of which each two lie on a common line, and not all three on one."""
    common = {pair: number for number, line in enumerate(lines) for pair in combinations(sorted(line), 2)}
    return [
        (a, b, c)
        for a, b, c in combinations(range(points), 3)
        if (a, b) in common
        and (a, c) in common
        and (b, c) in common
        and len({common[a, b], common[a, c], common[b, c]}) == 3
    ]
