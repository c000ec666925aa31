"""Paths whose colours follow a rule: over the cells of a grid, and along the lines between the points of a graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from vergence.verifiers.puzzles.reading import read_cells


def follows(colours: Sequence[str], cycle: Sequence[str]) -> bool:
    """Whether colours repeat `cycle` from its beginning on."""
    return all(colour == cycle[place % len(cycle)] for place, colour in enumerate(colours))


def colour_grid(check: Mapping[str, Any], answer: str) -> bool:
    """Cells (B3) from `start` to `goal`, each beside the one before, whose colours in `grid` repeat `cycle`.

    A cycle of one colour is a path of that colour. `most`, if given, is the greatest number of cells.
    """
    cells, grid = read_cells(answer), check["grid"]
    if not cells or cells[0] != tuple(check["start"]) or cells[-1] != tuple(check["goal"]):
        return False
    if len(cells) > check.get("most", len(cells)):
        return False
    if not all(0 <= row < len(grid) and 0 <= column < len(grid[0]) for row, column in cells):
        return False
    if not all(abs(a - c) + abs(b - d) == 1 for (a, b), (c, d) in pairwise(cells)):
        return False
    return follows([grid[row][column] for row, column in cells], check["cycle"])


def colour_graph(check: Mapping[str, Any], answer: str) -> bool:
    """Points (letters) from `start` to `goal`, each joined to the one before by a line of `lines`, colours as `cycle`.

    `lines` are (point, point, colour); `most`, if given, is the greatest number of lines.
    """
    plain = re.sub(r"\b(?:to|then)\b|[\s,;.，。、→>\-]", "", answer)
    if not re.fullmatch(r"[A-Z]{2,}", plain):
        return False
    points = list(plain)
    if points[0] != check["start"] or points[-1] != check["goal"]:
        return False
    if len(points) - 1 > check.get("most", len(points)):
        return False
    colours = {
        (a, b): colour for first, second, colour in check["lines"] for a, b in ((first, second), (second, first))
    }
    steps = [colours.get(pair) for pair in pairwise(points)]
    return None not in steps and follows([str(colour) for colour in steps], check["cycle"])
