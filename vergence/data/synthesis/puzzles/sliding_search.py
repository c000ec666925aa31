"""The search behind sliding puzzles: shortest solutions of numbered tiles (A*) and of blocks in a tray (breadth first).

For blocks the whole set of states that can be reached is walked, and its distances are counted from all solved states
at once. As every slide can be taken back, any of those states is then a puzzle whose shortest solution is known.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vergence.verifiers.puzzles.reading import STEPS

Tiles = tuple[int, ...]
State = tuple[int, ...]
"""Of blocks: the upper left cell of each, counted row by row."""


def neighbours(board: Tiles, columns: int) -> Iterator[tuple[int, Tiles]]:
    """Each tile that can move into the gap, and the board after it did."""
    gap = board.index(0)
    for down, right in STEPS.values():
        row, column = gap // columns + down, gap % columns + right
        if 0 <= row < len(board) // columns and 0 <= column < columns:
            place = row * columns + column
            after = list(board)
            after[gap], after[place] = after[place], 0
            yield board[place], tuple(after)


def solve_tiles(board: Tiles, goal: Tiles, columns: int, most: int = 60_000) -> list[int] | None:
    """The tiles of a shortest solution by A* with the sum of city-block distances; None past `most` boards."""
    home = {tile: divmod(place, columns) for place, tile in enumerate(goal)}
    far = [
        [abs(home[tile][0] - place // columns) + abs(home[tile][1] - place % columns) for place in range(len(goal))]
        if tile
        else [0] * len(goal)
        for tile in range(len(goal))
    ]

    def estimate(state: Tiles) -> int:
        return sum(far[tile][place] for place, tile in enumerate(state))

    cost: dict[Tiles, int] = {board: 0}
    before: dict[Tiles, tuple[Tiles, int]] = {}
    queue = [(estimate(board), 0, board)]
    while queue and len(cost) < most:
        _, steps, state = heapq.heappop(queue)
        if state == goal:
            moves = []
            while state in before:
                state, tile = before[state]
                moves.append(tile)
            return moves[::-1]
        if -steps > cost[state]:
            continue
        for tile, after in neighbours(state, columns):
            if cost[state] + 1 < cost.get(after, most):
                cost[after] = cost[state] + 1
                before[after] = (state, tile)
                # Of equal estimates the deeper one first.
                heapq.heappush(queue, (cost[after] + estimate(after), -cost[after], after))
    return None


@dataclass(frozen=True)
class Tray:
    """A tray of `rows` x `columns` and the blocks in it, (height, width) each; block 0 is the one to bring out."""

    rows: int
    columns: int
    shapes: tuple[tuple[int, int], ...]
    lengthwise: bool

    def masks(self) -> list[dict[int, int]]:
        """For each block: upper left cell -> the bits of the cells that it covers there."""
        found = []
        for height, width in self.shapes:
            found.append(
                {
                    row * self.columns + column: sum(
                        1 << r * self.columns + c
                        for r in range(row, row + height)
                        for c in range(column, column + width)
                    )
                    for row in range(self.rows - height + 1)
                    for column in range(self.columns - width + 1)
                }
            )
        return found

    def ways(self, shape: tuple[int, int]) -> list[tuple[str, int]]:
        """The directions in which a shape slides, each with what a step adds to its cell."""
        return [
            (name, down * self.columns + right)
            for name, (down, right) in STEPS.items()
            if not self.lengthwise or (shape[0] > shape[1]) == bool(down)
        ]


class Slides:
    """The slides of a tray. States that differ by blocks of one shape count as one, but where blocks are told apart by
    the line that they move along."""

    def __init__(self, tray: Tray) -> None:
        self.tray = tray
        self._masks = tray.masks()
        self._ways = [tray.ways(shape) for shape in tray.shapes]
        order = sorted(range(1, len(tray.shapes)), key=lambda block: tray.shapes[block])
        self._groups: list[list[int]] = []
        for block in order:
            if not tray.lengthwise and self._groups and tray.shapes[self._groups[-1][0]] == tray.shapes[block]:
                self._groups[-1].append(block)
            else:
                self._groups.append([block])

    def key(self, state: State) -> State:
        """The same for states that are alike."""
        if self.tray.lengthwise:
            return state
        return (state[0], *(place for group in self._groups for place in sorted(state[block] for block in group)))

    def moves(self, state: State) -> Iterator[tuple[int, str, int, State]]:
        """Each slide: block, direction, cells, and the state after it."""
        taken = 0
        for block, place in enumerate(state):
            taken |= self._masks[block][place]
        columns = self.tray.columns
        for block, place in enumerate(state):
            masks = self._masks[block]
            others = taken ^ masks[place]
            for name, step in self._ways[block]:
                at, cells = place, 0
                while True:
                    following = at + step
                    # A step to the side must stay in its row.
                    if abs(step) == 1 and following // columns != at // columns:
                        break
                    if masks.get(following, -1) & others or following not in masks:
                        break
                    at, cells = following, cells + 1
                    yield block, name, cells, (*state[:block], at, *state[block + 1 :])

    def component(self, state: State, most: int) -> dict[State, State] | None:
        """Key -> state of all that can be reached; None where those are more than `most`."""
        found = {self.key(state): state}
        queue = deque([state])
        while queue:
            for *_, after in self.moves(queue.popleft()):
                key = self.key(after)
                if key not in found:
                    if len(found) >= most:
                        return None
                    found[key] = after
                    queue.append(after)
        return found

    def distances(self, component: dict[State, State], goal: int) -> dict[State, int]:
        """Key -> fewest slides until block 0 lies at `goal`; empty where it never does."""
        far = {key: 0 for key, state in component.items() if state[0] == goal}
        queue = deque(component[key] for key in far)
        while queue:
            state = queue.popleft()
            steps = far[self.key(state)]
            for *_, after in self.moves(state):
                key = self.key(after)
                if key not in far:
                    far[key] = steps + 1
                    queue.append(after)
        return far

    def solution(self, state: State, far: dict[State, int]) -> list[tuple[int, str, int]]:
        """The slides of a shortest solution."""
        moves: list[tuple[int, str, int]] = []
        while far[self.key(state)]:
            steps = far[self.key(state)]
            block, name, cells, state = next(move for move in self.moves(state) if far[self.key(move[3])] == steps - 1)
            moves.append((block, name, cells))
        return moves


def fill(rows: int, columns: int, state: Sequence[int], shapes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The number of the block in each cell, -1 where none is."""
    cells = [[-1] * columns for _ in range(rows)]
    for block, (place, (height, width)) in enumerate(zip(state, shapes, strict=True)):
        for row in range(place // columns, place // columns + height):
            for column in range(place % columns, place % columns + width):
                cells[row][column] = block
    return cells
