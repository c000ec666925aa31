"""Word games: where a word lies in a grid of letters, and which words agree with the clues of a guessing game."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from vergence.verifiers.puzzles.reading import read_cells


def clue_of(guess: str, word: str) -> str:
    """What a guess tells of a word: G right place, Y elsewhere in the word, B not in it (or not so often).

    A letter counts as elsewhere at most as often as the word has it beyond its right places, from left to right.
    """
    left = [letter for letter, other in zip(word, guess, strict=True) if letter != other]
    clue = []
    for letter, other in zip(word, guess, strict=True):
        if letter == other:
            clue.append("G")
        elif other in left:
            left.remove(other)
            clue.append("Y")
        else:
            clue.append("B")
    return "".join(clue)


def fits(word: str, pattern: str, wrong: Sequence[str]) -> bool:
    """Whether a word has the letters of a pattern (_ is unknown) at just those places and none of the wrong ones.

    As in hangman: a letter that was guessed is shown wherever the word has it.
    """
    shown = set(pattern) - {"_"}
    return len(word) == len(pattern) and all(
        letter == mark if mark != "_" else letter not in shown and letter not in wrong
        for letter, mark in zip(word, pattern, strict=True)
    )


def _word(answer: str) -> str:
    return re.sub(r"[\s.。\"'“”]", "", answer).lower()


def guess_from_clues(check: Mapping[str, Any], answer: str) -> bool:
    """A word of `words` for which each guess of `clues` (guess, clue) would have got its clue."""
    word = _word(answer)
    return word in check["words"] and all(clue_of(guess, word) == clue for guess, clue in check["clues"])


def guess_letters(check: Mapping[str, Any], answer: str) -> bool:
    """A word of `words` that fits `pattern` and has no letter of `wrong`."""
    word = _word(answer)
    return word in check["words"] and fits(word, check["pattern"], check["wrong"])


def word_search(check: Mapping[str, Any], answer: str) -> bool:
    """The first and the last cell (B3) of a straight run of `grid` that spells `word`, in one of eight directions."""
    cells, grid, word = read_cells(answer), check["grid"], check["word"]
    if len(cells) != 2:
        return False
    (row, column), (last_row, last_column) = cells
    down, right = last_row - row, last_column - column
    length = max(abs(down), abs(right)) + 1
    if length != len(word) or (down and right and abs(down) != abs(right)):
        return False
    if not all(0 <= r < len(grid) and 0 <= c < len(grid[0]) for r, c in cells):
        return False
    step = ((down > 0) - (down < 0), (right > 0) - (right < 0))
    return "".join(grid[row + step[0] * n][column + step[1] * n] for n in range(length)) == word
