"""Maps of two or three rooms, and what a robot does on them: fetch keys, open doors, take gems, visit places."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from vergence.data.synthesis.video.events import COLOURS
from vergence.data.synthesis.video.grid_world import Cell, Outcome, Step, Thing, World, border

PLACES = ("flag", "house", "tree", "well")
LEAST, MOST = 14, 46
"""Steps of a run."""
_TRIES = 200


class Leg(NamedTuple):
    """A part of a run: the steps number `first` up to `last` (outside) that lead to a thing."""

    thing: Thing
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Run:
    """A map as it is at the start, the steps, what each did, and the legs."""

    record: dict[str, object]
    steps: tuple[Step, ...]
    outcomes: tuple[Outcome, ...]
    legs: tuple[Leg, ...]


def plan_run(rng: random.Random, rooms: int) -> tuple[World, Run] | None:
    """A new map, and a run on a copy of it; None where nothing fits in `_TRIES` tries."""
    for _ in range(_TRIES):
        world, errands = _map(rng, rooms)
        fresh = World(world.columns, world.rows, world.walls, dict(world.things), world.start)
        run = _carry_out(world, errands)
        if run is not None and LEAST <= len(run.steps) <= MOST:
            return fresh, run
    return None


def _map(rng: random.Random, rooms: int) -> tuple[World, list[Thing]]:
    """A map with its rooms side by side, a door between each two, and the errands that lead through them."""
    columns, rows = (11 if rooms == 3 else rng.choice((9, 10))), rng.choice((6, 7))
    walls = set(border(columns, rows))
    colours = rng.sample(list(COLOURS), 7)
    cuts = [round(columns * (number + 1) / rooms - 0.5) for number in range(rooms - 1)]
    things: dict[Cell, Thing] = {}
    for number, x in enumerate(cuts):
        gap = rng.randint(1, rows - 2)
        walls |= {(x, y) for y in range(1, rows - 1) if y != gap}
        things[x, gap] = Thing("door", colours[number])
    spans = [(low + 1, high - 1) for low, high in zip([0, *cuts], [*cuts, columns - 1], strict=True)]
    free = [[(x, y) for x in range(low, high + 1) for y in range(1, rows - 1)] for low, high in spans]
    # Nothing lies in front of a door.
    for x, gap in list(things):
        for room in free:
            room[:] = [cell for cell in room if cell not in ((x - 1, gap), (x + 1, gap))]
    for room in free:
        rng.shuffle(room)
    start = free[0].pop()
    errands: list[Thing] = []
    places, gems = rng.sample(PLACES, len(PLACES)), colours[3:]
    for number, room in enumerate(free):
        wanted: list[Thing] = []
        if number < rooms - 1:
            wanted.append(Thing("key", colours[number]))
        wanted += [Thing("gem", gems.pop()) for _ in range(rng.choice((0, 1, 1, 2))) if gems]
        if number == rooms - 1 or rng.random() < 0.4:
            wanted.append(Thing("place", places.pop()))
        for thing in wanted:
            if room:
                things[room.pop()] = thing
        if room and rng.random() < 0.5:
            things[room.pop()] = Thing("lava", "lava")
        errands += _errands(rng, wanted, number, colours, things)
    spare = free[rng.randrange(rooms)]
    if spare and rng.random() < 0.4:
        things[spare.pop()] = Thing("key", colours[2])  # fits no door and stays where it is
    return World(columns, rows, frozenset(walls), things, start), errands


def _errands(
    rng: random.Random, wanted: list[Thing], number: int, colours: list[str], things: dict[Cell, Thing]
) -> list[Thing]:
    """What is done in room `number`, and the door behind it. Some try the door first, some step into lava."""
    found = rng.sample(wanted, len(wanted))
    keys = [thing for thing in wanted if thing.sort == "key"]
    if keys:
        door = Thing("door", colours[number])
        found = [*found, door]
        if rng.random() < 0.4:
            found.insert(rng.randint(0, found.index(keys[0])), door)
    if Thing("lava", "lava") in things.values() and number == 0 and rng.random() < 0.35:
        found.insert(rng.randint(0, 1), Thing("lava", "lava"))
    return found


def _carry_out(world: World, errands: list[Thing]) -> Run | None:
    """Walk to one thing after the other; None where a way is barred."""
    record = world.record()
    steps: list[Step] = []
    outcomes: list[Outcome] = []
    legs: list[Leg] = []
    for thing in errands:
        if thing not in world.things.values():
            return None
        way = world.way(world.find(thing))
        if not way:
            return None
        first = len(steps)
        for step in way:
            steps.append(step)
            outcomes.append(world.step(step))
        legs.append(Leg(thing, first, len(steps)))
        if outcomes[-1].kind == "open":  # the robot goes through the door, two steps
            steps += [way[-1]] * 2
            passing = [world.step(way[-1]) for _ in range(2)]
            if any(outcome.kind != "walk" or outcome.before == outcome.after for outcome in passing):
                return None
            outcomes += passing
    return Run(record, tuple(steps), tuple(outcomes), tuple(legs))
