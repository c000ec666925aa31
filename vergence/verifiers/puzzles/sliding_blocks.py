"""Puzzles of sliding things: numbered tiles around a gap, and blocks in a tray (Rush Hour, Klotski)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vergence.verifiers.puzzles.reading import STEPS, read_block_moves, read_numbers

Block = tuple[int, int, int, int]
"""Upper row, left column, height and width in cells."""


def slide_tiles(board: Sequence[Sequence[int]], tiles: Sequence[int]) -> list[list[int]] | None:
    """The board after each of `tiles` in turn has moved into the gap, which is 0; None where one isn't beside it."""
    cells = {tile: (r, c) for r, row in enumerate(board) for c, tile in enumerate(row)}
    for tile in tiles:
        if tile == 0 or tile not in cells:
            return None
        (row, column), (gap_row, gap_column) = cells[tile], cells[0]
        if abs(row - gap_row) + abs(column - gap_column) != 1:
            return None
        cells[tile], cells[0] = cells[0], cells[tile]
    found = [[0] * len(row) for row in board]
    for tile, (row, column) in cells.items():
        found[row][column] = tile
    return found


def sliding_tiles(check: Mapping[str, Any], answer: str) -> bool:
    """The tiles to move, in order, lead from `board` to `goal`, in at most `most` moves if that is given."""
    tiles = read_numbers(answer)
    if tiles is None or len(tiles) > check.get("most", len(tiles)):
        return False
    return slide_tiles(check["board"], tiles) == [list(row) for row in check["goal"]]


def slide_block(
    blocks: Mapping[str, Block], size: tuple[int, int], name: str, direction: str, cells: int, *, lengthwise: bool
) -> dict[str, Block] | None:
    """The blocks after one of them slid; None where it leaves the tray, meets a block or may not move that way.

    With `lengthwise` a block moves along its longer side only, as cars do.
    """
    if name not in blocks or cells < 1:
        return None
    down, right = STEPS[direction]
    row, column, height, width = blocks[name]
    if lengthwise and (height > width) != bool(down):
        return None
    taken = {
        (r, c)
        for other, (top, left, tall, wide) in blocks.items()
        if other != name
        for r in range(top, top + tall)
        for c in range(left, left + wide)
    }
    for _ in range(cells):
        row, column = row + down, column + right
        if not (0 <= row <= size[0] - height and 0 <= column <= size[1] - width):
            return None
        if any((r, c) in taken for r in range(row, row + height) for c in range(column, column + width)):
            return None
    return {**blocks, name: (row, column, height, width)}


def sliding_blocks(check: Mapping[str, Any], answer: str) -> bool:
    """Moves bring the upper left cell of block `target` to `goal`, in at most `most` moves if that is given.

    `blocks` are name -> (row, column, height, width) in a tray of `size` (rows, columns). A slide over any number of
    cells is one move.
    """
    moves = read_block_moves(answer)
    if moves is None or len(moves) > check.get("most", len(moves)):
        return False
    blocks: dict[str, Block] = {name: tuple(place) for name, place in check["blocks"].items()}
    for name, direction, cells in moves:
        after = slide_block(blocks, tuple(check["size"]), name, direction, cells, lengthwise=check["lengthwise"])
        if after is None:
            return False
        blocks = after
    return list(blocks[check["target"]][:2]) == list(check["goal"])
