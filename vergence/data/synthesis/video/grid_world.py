"""A robot on a map of tiles with keys, doors, gems, lava and places; its rules, and shortest ways on it.

```
#########      # wall   . floor   L lava      each step is up, down, left or right:
#R..#...#      robot                into a wall, or a door without its key: it stays
#.k.D.g.#      key, door, gem       into a door with its key: the door opens, it stays
#########      place                onto a key or gem: it takes it;  onto lava: it is back at the start
```
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Cell = tuple[int, int]
"""Column and row, from the top left."""
Step = Literal["up", "down", "left", "right"]
STEPS: Mapping[Step, Cell] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}


class Thing(NamedTuple):
    """A thing on the map: a key, door, gem, place or lava; what it is called is its colour or, of a place, its name."""

    sort: Literal["key", "door", "gem", "place", "lava"]
    name: str


class Outcome(NamedTuple):
    """What a step did: where the robot was and is, which cell it aimed at, and what came of it."""

    kind: Literal["walk", "pick up", "open", "blocked", "burn", "reach"]
    before: Cell
    after: Cell
    aim: Cell
    thing: Thing | None = None


@dataclass(slots=True)
class World:
    """A map and the robot's state on it; `step` changes it."""

    columns: int
    rows: int
    walls: frozenset[Cell]
    things: dict[Cell, Thing]
    start: Cell
    robot: Cell = (0, 0)
    keys: list[str] = field(default_factory=list)
    gems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Set the robot on its start."""
        self.robot = self.start

    def step(self, step: Step) -> Outcome:
        """Do a step by the rules above."""
        before = self.robot
        aim = (before[0] + STEPS[step][0], before[1] + STEPS[step][1])
        thing = self.things.get(aim)
        if aim in self.walls:
            return Outcome("walk", before, before, aim)
        if thing is not None and thing.sort == "door":
            if thing.name not in self.keys:
                return Outcome("blocked", before, before, aim, thing)
            del self.things[aim]
            return Outcome("open", before, before, aim, thing)
        if thing is not None and thing.sort == "lava":
            self.robot = self.start
            return Outcome("burn", before, self.start, aim, thing)
        self.robot = aim
        if thing is None:
            return Outcome("walk", before, aim, aim)
        if thing.sort == "place":
            return Outcome("reach", before, aim, aim, thing)
        (self.keys if thing.sort == "key" else self.gems).append(thing.name)
        del self.things[aim]
        return Outcome("pick up", before, aim, aim, thing)

    def free(self, cell: Cell) -> bool:
        """Whether the robot can pass a cell without anything happening."""
        return cell not in self.walls and cell not in self.things

    def way(self, goal: Cell) -> list[Step] | None:
        """The shortest way to a cell through free ones, breadth first; None where there is none."""
        came: dict[Cell, tuple[Cell, Step] | None] = {self.robot: None}
        queue = deque([self.robot])
        while queue:
            cell = queue.popleft()
            if cell == goal:
                return _back(came, cell)
            for step, (dx, dy) in STEPS.items():
                near = (cell[0] + dx, cell[1] + dy)
                if near not in came and (near == goal or self.free(near)):
                    came[near] = (cell, step)
                    queue.append(near)
        return None

    def find(self, thing: Thing) -> Cell:
        """Where a thing lies."""
        return next(cell for cell, other in self.things.items() if other == thing)

    def record(self) -> dict[str, object]:
        """The map as JSON holds it."""
        return {
            "columns": self.columns,
            "rows": self.rows,
            "walls": [list(cell) for cell in sorted(self.walls)],
            "things": [[*cell, thing.sort, thing.name] for cell, thing in sorted(self.things.items())],
            "start": list(self.start),
        }


def _back(came: Mapping[Cell, tuple[Cell, Step] | None], cell: Cell) -> list[Step]:
    steps: list[Step] = []
    while (link := came[cell]) is not None:
        cell, step = link
        steps.append(step)
    return steps[::-1]


def border(columns: int, rows: int) -> Iterable[Cell]:
    """The cells at the edge of a map."""
    return ((x, y) for x in range(columns) for y in range(rows) if x in (0, columns - 1) or y in (0, rows - 1))
