"""Trays of cars and blocks that are worth solving: few states, long solutions. They are rare, so they stand in a list.

A line of sliding_trays.txt is a tray: game, rows, columns, the longest of its shortest solutions, the goal of block 0,
and its blocks as height, width and upper left cell. The list holds what a random search found, which
`python -m vergence.data.synthesis.puzzles.sliding_trays SECONDS` repeats; that a puzzle can be solved, and in how many
moves, is searched again whenever one is made.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from vergence.data.pictures import Split, split_of
from vergence.data.synthesis.puzzles.sliding_search import Slides, State, Tray

Game = Literal["cars", "blocks"]

STATES = 1000
"""A tray in the list has at most so many states, so that walking all of them takes a few hundredths of a second."""

KEPT = 12
"""Trays of one game and one longest solution in the list."""

LIST = Path(__file__).with_suffix(".txt")


class Entry(NamedTuple):
    """A tray of the list."""

    game: Game
    tray: Tray
    state: State
    goal: int
    longest: int

    def line(self) -> str:
        """As it stands in the list."""
        blocks = (f"{h},{w},{place}" for (h, w), place in zip(self.tray.shapes, self.state, strict=True))
        return " ".join((self.game, *map(str, (self.tray.rows, self.tray.columns, self.longest, self.goal)), *blocks))


def entry_of(line: str) -> Entry:
    """The tray of a line."""
    game, rows, columns, longest, goal, *blocks = line.split()
    numbers = [tuple(map(int, block.split(","))) for block in blocks]
    tray = Tray(int(rows), int(columns), tuple((h, w) for h, w, _ in numbers), game == "cars")
    state = tuple(place for *_, place in numbers)
    return Entry("cars" if game == "cars" else "blocks", tray, state, int(goal), int(longest))


@cache
def entries(game: Game, split: Split) -> tuple[Entry, ...]:
    """The trays of a game on one side of the split."""
    lines = [line for line in LIST.read_text(encoding="utf-8").splitlines() if line.startswith(game)]
    return tuple(entry_of(line) for line in lines if split_of(f"tray:{line}") == split)


def mirrored(entry: Entry) -> Entry:
    """The tray upside down (cars, whose exit is at the right) or left to right (blocks, whose exit is below)."""
    tray = entry.tray

    def flipped(place: int, shape: tuple[int, int]) -> int:
        row, column = divmod(place, tray.columns)
        if entry.game == "cars":
            return (tray.rows - row - shape[0]) * tray.columns + column
        return row * tray.columns + tray.columns - column - shape[1]

    state = tuple(flipped(place, shape) for place, shape in zip(entry.state, tray.shapes, strict=True))
    return entry._replace(state=state, goal=flipped(entry.goal, tray.shapes[0]))


def random_tray(game: Game, rng: random.Random) -> tuple[Tray, State, int] | None:
    """A tray of random blocks with a place for each, and the goal; None where they found no room."""
    if game == "cars":
        rows = columns = rng.choice((5, 6, 6, 6))
        shapes = [(1, 2), *rng.choices(((1, 2), (2, 1), (3, 1), (1, 3)), (3, 4, 2, 1), k=rng.randint(rows, rows + 7))]
        first = goal = (rows - 1) // 2 * columns
        first, goal = first + rng.randint(0, 1), goal + columns - 2
    else:
        rows, columns = rng.choice(((4, 3), (3, 4), (5, 3), (4, 4), (4, 4), (5, 4), (4, 5)))
        large = rng.choice(((2, 2), (2, 2), (1, 2), (2, 1)))
        shapes, left = [large], rows * columns - large[0] * large[1] - rng.randint(1, 3)
        while left >= 1:
            shape = rng.choice(((1, 1), (1, 2), (2, 1), (2, 1))) if left > 1 else (1, 1)
            shapes.append(shape)
            left -= shape[0] * shape[1]
        first, goal = (
            rng.randint(0, columns - large[1]),
            (rows - large[0]) * columns + rng.randint(0, columns - large[1]),
        )
    state = _scattered(rng, rows, columns, first, shapes)
    if state is None:
        return None
    # A car that lies lengthwise in the row of the exit would block it for good.
    if game == "cars" and any(
        w > h and place // columns == goal // columns for (h, w), place in zip(shapes[1:], state[1:], strict=True)
    ):
        return None
    return Tray(rows, columns, tuple(shapes), game == "cars"), state, goal


def _scattered(
    rng: random.Random, rows: int, columns: int, first: int, shapes: Sequence[tuple[int, int]]
) -> State | None:
    """Places for blocks that don't overlap, block 0 at `first`; None where one found none."""
    taken: set[int] = set()
    state = []
    for block, (height, width) in enumerate(shapes):
        for _ in range(30):
            row, column = rng.randint(0, rows - height), rng.randint(0, columns - width)
            if block == 0:
                row, column = divmod(first, columns)
            cells = {r * columns + c for r in range(row, row + height) for c in range(column, column + width)}
            if not cells & taken:
                taken |= cells
                state.append(row * columns + column)
                break
        else:
            return None
    return tuple(state)


def search(game: Game, seconds: float, seed: int = 0) -> list[Entry]:
    """Trays that a random search of some seconds finds, at most twelve of each length of solution from 3 moves on."""
    rng, found, kept = random.Random(seed), [], Counter[int]()
    seen: set[tuple[object, ...]] = set()
    end = time.process_time() + seconds
    while time.process_time() < end:
        made = random_tray(game, rng)
        if made is None:
            continue
        tray, state, goal = made
        slides = Slides(tray)
        component = slides.component(state, STATES)
        far = slides.distances(component, goal) if component else {}
        longest = max(far.values(), default=0)
        # Trays of the same blocks from which as many states can be reached are most often the same, started elsewhere.
        signature = (tray.rows, tray.columns, tuple(sorted(tray.shapes)), tray.shapes[0], goal, len(component or ()))
        if longest >= 3 and kept[longest] < KEPT and signature not in seen:
            seen.add(signature)
            kept[longest] += 1
            found.append(Entry(game, tray, state, goal, longest))
    return sorted(found, key=lambda entry: entry.longest)


if __name__ == "__main__":
    games: tuple[Game, ...] = ("cars", "blocks")
    for each in games:
        for tray_found in search(each, float(sys.argv[1])):
            print(tray_found.line())
