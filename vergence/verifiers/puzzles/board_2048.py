"""The game 2048 without its new tiles: what a slide makes of a board, and which slides reach a tile.

The rules are those of Cirulli's game (2014): all tiles slide as far as they can, two equal tiles that meet become their
sum, a tile that was just made doesn't merge again, and merging begins at the side to which the tiles slide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vergence.verifiers.puzzles.reading import read_moves, read_numbers

Board = tuple[tuple[int, ...], ...]
"""Rows of tiles; 0 is an empty cell."""


def slide_row(row: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """A row after it slid to the left, and the points it brought: the sum of the tiles made."""
    tiles = [tile for tile in row if tile]
    merged: list[int] = []
    points, place = 0, 0
    while place < len(tiles):
        if place + 1 < len(tiles) and tiles[place] == tiles[place + 1]:
            merged.append(2 * tiles[place])
            points += merged[-1]
            place += 2
        else:
            merged.append(tiles[place])
            place += 1
    return (*merged, *[0] * (len(row) - len(merged))), points


def slide(board: Sequence[Sequence[int]], direction: str) -> tuple[Board, int]:
    """The board after a slide, without a new tile, and the points it brought."""
    rows: list[tuple[int, ...]] = [tuple(row) for row in board]
    if direction in ("up", "down"):
        rows = list(zip(*rows, strict=True))
    if direction in ("right", "down"):
        rows = [row[::-1] for row in rows]
    slid = [slide_row(row) for row in rows]
    rows, points = [row for row, _ in slid], sum(gain for _, gain in slid)
    if direction in ("right", "down"):
        rows = [row[::-1] for row in rows]
    if direction in ("up", "down"):
        rows = list(zip(*rows, strict=True))
    return tuple(rows), points


def moves_2048(check: Mapping[str, Any], answer: str) -> bool:
    """Slides of `board`, each of which changes it, end with a tile of at least `tile`, within `most` slides."""
    moves = read_moves(answer)
    if moves is None or len(moves) > check["most"]:
        return False
    board: Board = tuple(tuple(row) for row in check["board"])
    for move in moves:
        after, _ = slide(board, move)
        if after == board:
            return False
        board = after
    return max(map(max, board)) >= check["tile"]


def board_2048(check: Mapping[str, Any], answer: str) -> bool:
    """The numbers of the board that sliding `board` to `move` gives, row by row, 0 where a cell is empty."""
    after, _ = slide(check["board"], check["move"])
    return read_numbers(answer) == [tile for row in after for tile in row]
