"""A maze: any walk through open sides from the start to the goal solves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vergence.verifiers.puzzles.reading import STEPS, read_moves

SIDES: Mapping[str, int] = {"up": 1, "right": 2, "down": 4, "left": 8}
"""Direction -> the bit that is set in a cell whose side in that direction is open."""


def walk(open_sides: Sequence[Sequence[int]], start: Sequence[int], moves: Sequence[str]) -> tuple[int, int] | None:
    """The cell (row, column) in which moves end; None where one of them runs into a wall."""
    row, column = start
    for move in moves:
        if not open_sides[row][column] & SIDES[move]:
            return None
        row, column = row + STEPS[move][0], column + STEPS[move][1]
    return row, column


def maze(check: Mapping[str, Any], answer: str) -> bool:
    """`open` holds each cell's open sides, `start` and `goal` cells; `most`, if given, is the most steps allowed."""
    moves = read_moves(answer)
    if moves is None or len(moves) > check.get("most", len(moves)):
        return False
    return walk(check["open"], check["start"], moves) == tuple(check["goal"])
