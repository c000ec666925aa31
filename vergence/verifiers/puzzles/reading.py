"""How answers to puzzles are read: moves in four directions, whole numbers, and cells such as B3.

A reader returns None for text that says something else besides, so that an answer can't win by naming everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

STEPS: Mapping[str, tuple[int, int]] = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
"""Direction -> what a step adds to (row, column); row 0 is the upper one."""

_NAMES: Mapping[str, str] = {
    name: direction
    for direction, names in (("up", "u上↑"), ("down", "d下↓"), ("left", "l左←"), ("right", "r右→"))
    for name in (direction, *names)
}
_DIRECTION = r"up|down|left|right|[udlr](?![a-z])|[上下左右↑↓←→]"
_MOVE = re.compile(rf"({_DIRECTION})\s*(?:[x×*]?\s*([0-9]{{1,3}})(?![0-9]))?")
_BLOCK_MOVE = re.compile(
    rf"(?<![a-z])([a-z])\s*[:：]?\s*(?:向|往|moves?\s|slides?\s)?\s*({_DIRECTION})\s*([0-9]{{1,2}})?(?![0-9])"
)
_RUN = re.compile(r"(?<![a-z])([udlr]{2,})(?![a-z])")
_FILLING = re.compile(
    r"(?:\b(?:and|then|by|moves?|go|cells?|steps?|squares?|times)\b|然后|再|接着|向|往|移动|格|步|次|[\s,;:.，。、；"
    r"：>()\-])+"
)
_CELL = re.compile(r"(?<![A-Za-z])([A-Za-z])\s?([1-9][0-9]?)(?![0-9A-Za-z])")
_NUMBER = re.compile(r"(?<![\w.])[0-9]{1,7}(?!\w|\.[0-9])")

MOST = 10_000
"""No answer has more moves; what says more is not read."""


def read_moves(text: str) -> list[str] | None:
    """A list of "up", "down", "left", "right", from words, letters (RRD), arrows or Chinese, each perhaps with a count.

    None where there is no move or anything else stands there.
    """
    spaced = _RUN.sub(lambda run: " ".join(run[1]), text.lower())
    if _FILLING.sub("", _MOVE.sub("", spaced)):
        return None
    moves: list[str] = []
    for found in _MOVE.finditer(spaced):
        moves += [_NAMES[found[1]]] * int(found[2] or 1)
        if len(moves) > MOST:
            return None
    return moves or None


def read_block_moves(text: str) -> list[tuple[str, str, int]] | None:
    """(block, direction, cells) for each move of "A right 2, B up"; None where anything else stands there."""
    plain = text.lower()
    if _FILLING.sub("", _BLOCK_MOVE.sub("", plain)):
        return None
    moves = [(found[1].upper(), _NAMES[found[2]], int(found[3] or 1)) for found in _BLOCK_MOVE.finditer(plain)]
    return moves if 0 < len(moves) <= MOST else None


def read_numbers(text: str) -> list[int] | None:
    """The whole numbers of a text that has no letters; None where there is none or something else stands there."""
    if re.search(r"[^0-9\s,;:.，。、；：/|\[\]()→>\-]", text):
        return None
    numbers = [int(number) for number in _NUMBER.findall(text)]
    return numbers if 0 < len(numbers) <= MOST else None


def read_cells(text: str) -> list[tuple[int, int]]:
    """The cells that a text names as column letter and row number: B3 is (2, 1), the third row, the second column."""
    return [(int(row) - 1, ord(column.upper()) - ord("A")) for column, row in _CELL.findall(text)][:MOST]


def cell_name(row: int, column: int) -> str:
    """The name of a cell, as `read_cells` reads it."""
    return f"{chr(ord('A') + column)}{row + 1}"
