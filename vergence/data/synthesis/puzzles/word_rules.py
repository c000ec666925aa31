"""How word puzzles are made: words hidden in a grid of letters, crossing words, and clues that leave one word."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vergence.verifiers.puzzles.word_game import clue_of, fits

Step = tuple[int, int]
DIRECTIONS: Sequence[Step] = ((0, 1), (1, 0), (1, 1), (-1, 1), (0, -1), (-1, 0), (-1, -1), (1, -1))
"""Down and right for each step; the first two are the easy ones."""


def occurrences(grid: Sequence[str], word: str) -> list[tuple[int, int, Step]]:
    """Every place (row, column, direction) from which a grid spells a word."""
    found = []
    rows, columns, length = len(grid), len(grid[0]), len(word)
    for row in range(rows):
        for column in range(columns):
            if grid[row][column] != word[0]:
                continue
            for down, right in DIRECTIONS:
                last_row, last_column = row + down * (length - 1), column + right * (length - 1)
                if not (0 <= last_row < rows and 0 <= last_column < columns):
                    continue
                if all(grid[row + down * n][column + right * n] == word[n] for n in range(1, length)):
                    found.append((row, column, (down, right)))
    return found


def hidden(
    rng: random.Random, words: Sequence[str], size: int, directions: Sequence[Step]
) -> tuple[list[str], dict[str, tuple[int, int, Step]]] | None:
    """A grid of `size` x `size` letters in which each word stands once; None where they don't go in."""
    cells: dict[tuple[int, int], str] = {}
    for word in words:
        for _ in range(60):
            down, right = rng.choice(directions)
            row, column = rng.randrange(size), rng.randrange(size)
            run = [(row + down * n, column + right * n) for n in range(len(word))]
            if all(0 <= r < size and 0 <= c < size for r, c in (run[0], run[-1])) and all(
                cells.get(cell, letter) == letter for cell, letter in zip(run, word, strict=True)
            ):
                cells.update(zip(run, word, strict=True))
                break
        else:
            return None
    letters = "".join(words) + "abcdefghijklmnoprstuvwy"
    grid = ["".join(cells.get((row, column)) or rng.choice(letters) for column in range(size)) for row in range(size)]
    places = {word: occurrences(grid, word) for word in words}
    if any(len(found) != 1 for found in places.values()):
        return None
    return grid, {word: found[0] for word, found in places.items()}


@dataclass(frozen=True)
class Slot:
    """Where a word of a crossword goes: its first cell, whether it goes down, and its letters' number."""

    row: int
    column: int
    down: bool
    length: int

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Its cells in order."""
        return [(self.row + n, self.column) if self.down else (self.row, self.column + n) for n in range(self.length)]


def crossed(rng: random.Random, words: Sequence[str], most: int) -> list[tuple[Slot, str]]:
    """Words that cross each other, as many of `words` in turn as fit, at most `most`; none touches another's side."""
    placed = [(Slot(0, 0, False, len(words[0])), words[0])]
    for word in words[1:]:
        if len(placed) == most:
            break
        taken = {cell: letter for slot, old in placed for cell, letter in zip(slot.cells, old, strict=True)}
        options = []
        for slot, old in placed:
            for at, letter in zip(slot.cells, old, strict=True):
                for number, own in enumerate(word):
                    if own == letter:
                        row, column = (at[0], at[1] - number) if slot.down else (at[0] - number, at[1])
                        new = Slot(row, column, not slot.down, len(word))
                        if _room(new, word, taken):
                            options.append(new)
        if options:
            placed.append((rng.choice(options), word))
    return placed


def _room(slot: Slot, word: str, taken: Mapping[tuple[int, int], str]) -> bool:
    down, right = (1, 0) if slot.down else (0, 1)
    first, last = slot.cells[0], slot.cells[-1]
    if (first[0] - down, first[1] - right) in taken or (last[0] + down, last[1] + right) in taken:
        return False
    for (row, column), letter in zip(slot.cells, word, strict=True):
        if (row, column) in taken:
            if taken[row, column] != letter:
                return False
        elif (row + right, column + down) in taken or (row - right, column - down) in taken:
            return False
    return True


def fillings(slots: Sequence[Slot], words: Sequence[str], given: Mapping[tuple[int, int], str], most: int = 2) -> int:
    """In how many ways words, each once, fill the slots and agree with the given letters; stops at `most`."""
    count, used = 0, [False] * len(words)

    def fill(number: int, letters: Mapping[tuple[int, int], str]) -> None:
        nonlocal count
        if number == len(slots) or count >= most:
            count += number == len(slots)
            return
        cells = slots[number].cells
        for place, word in enumerate(words):
            if used[place] or len(word) != len(cells):
                continue
            if all(letters.get(cell, letter) == letter for cell, letter in zip(cells, word, strict=True)):
                used[place] = True
                fill(number + 1, {**letters, **dict(zip(cells, word, strict=True))})
                used[place] = False

    fill(0, given)
    return min(count, most)


def clues_for(rng: random.Random, secret: str, words: Sequence[str], guesses: int) -> list[tuple[str, str]]:
    """Guesses of the same length with their clues, none of which is the word itself."""
    others = [word for word in words if word != secret and len(word) == len(secret)]
    return [(guess, clue_of(guess, secret)) for guess in rng.sample(others, guesses)]


def agreeing(words: Sequence[str], clues: Sequence[tuple[str, str]]) -> list[str]:
    """The words for which every guess would have got its clue."""
    return [word for word in words if all(clue_of(guess, word) == clue for guess, clue in clues)]


def fitting(words: Sequence[str], pattern: str, wrong: Sequence[str]) -> list[str]:
    """The words that fit a pattern and have none of the wrong letters."""
    return [word for word in words if fits(word, pattern, wrong)]
