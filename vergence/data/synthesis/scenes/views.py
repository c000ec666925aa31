"""What is known of a picture of a scene, for the questions: its things, its points, and the words to say it in."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vergence.data.synthesis.scenes.geometry import SAMPLES, Array, Box2D, Camera
from vergence.data.synthesis.scenes.wordings import WORDINGS, WORDS
from vergence.verifiers.boxes_3d import Box3D

MARGIN = 0.10
"""By which share depths must differ to be compared; also the room that an answer in metres has."""

FLATNESS = 0.02
"""By which share of itself the depth may differ within three pixels of a point, on either side."""


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of a scene: its name without an article (empty where another one is called the same), its box in the
    camera's frame, the box of what is seen of it, its pixels, and the smallest seen depth."""

    name: str
    box: Box3D
    box_2d: Box2D
    pixels: float
    nearest: float

    @property
    def depth(self) -> float:
        """Of its centre, metres along the camera's axis."""
        return self.box.centre[2]

    @property
    def distance(self) -> float:
        """Of its centre from the camera, metres straight."""
        return math.hypot(*self.box.centre)

    @property
    def height(self) -> float:
        """Metres."""
        return self.box.size[1]


@dataclass(frozen=True, slots=True)
class Mark:
    """A point (x, y) in pixels with its depth in metres; `what` it lies on, `letter` where it is drawn."""

    x: float
    y: float
    depth: float
    what: str
    letter: str = ""


@dataclass(frozen=True)
class View:
    """What the questions of a picture are made from. `hint` says what gives metres their scale, `counts` are questions
    with their numbers, `heights_known` says that heights are those of real things."""

    camera: Camera
    things: Sequence[Thing]
    marks: Sequence[Mark]
    points: Sequence[Mark]
    counts: Sequence[tuple[str, int]]
    language: str
    hint: str
    heights_known: bool
    rng: random.Random = field(repr=False)

    def word(self, key: str, **values: Any) -> str:
        """A word or sentence of answers and reasoning."""
        return WORDS[self.language][key].format(**values)

    def say(self, key: str, **values: Any) -> str:
        """One of the wordings of a question."""
        return self.rng.choice(WORDINGS[self.language][key]).format(**values)

    @property
    def camera_known(self) -> str:
        """What a question for metres says of the camera."""
        [wording] = WORDINGS[self.language]["camera"]
        return wording.format(focal=f"{self.camera.focal:.0f}", width=self.camera.width, hint=self.hint)

    def metric(self, key: str, **values: Any) -> str:
        """A question for metres, behind what is known of the camera."""
        return f"{self.camera_known}\n{self.say(key, **values)}"

    def the(self, thing: Thing) -> str:
        """A thing's name with its article."""
        return self.word("the", name=thing.name)

    def named(self) -> list[Thing]:
        """The things that a question can name, in random order."""
        named = [thing for thing in self.things if thing.name]
        self.rng.shuffle(named)
        return named

    def pair(self, fits: Callable[[Thing, Thing], bool]) -> tuple[Thing, Thing] | None:
        """Two things that fit together, in random order."""
        named = self.named()
        pairs = [(a, b) for a in named for b in named if a is not b and fits(a, b)]
        return self.rng.choice(pairs) if pairs else None

    def name_check(self, thing: Thing) -> dict[str, Any]:
        """The check of an answer that is a thing's name."""
        return {"verifier": "exact", "target": thing.name, "accepted": [self.the(thing)]}


def depths_differ(a: Thing, b: Thing) -> bool:
    """Whether it is plain which of two things is nearer, by centre, by nearest seen place and by straight distance."""
    if b.depth < a.depth:
        a, b = b, a
    return (
        b.depth - a.depth >= max(0.2, MARGIN * b.depth)
        and b.nearest > a.nearest * (1 + MARGIN / 2)
        and b.distance > a.distance * (1 + MARGIN / 2)
    )


def sides_differ(a: Thing, b: Thing, width: int) -> bool:
    """Whether it is plain which of two things is further left."""
    middle_a, middle_b = (a.box_2d[0] + a.box_2d[2]) / 2, (b.box_2d[0] + b.box_2d[2]) / 2
    if middle_b < middle_a:
        a, b, middle_a, middle_b = b, a, middle_b, middle_a
    shared = a.box_2d[2] - b.box_2d[0]
    narrow = min(a.box_2d[2] - a.box_2d[0], b.box_2d[2] - b.box_2d[0])
    return middle_b - middle_a >= 0.08 * width and shared <= narrow / 2


def choose_points(
    depth: Array, ids: NDArray[np.int16], names: Mapping[int, str], rng: random.Random, number: int, gap: float
) -> list[Mark]:
    """Points whose depth is even around them, `gap` pixels apart and MARGIN apart in depth; `names` says what lies at
    which number of the map. Half of the tries look at things, so that the floor doesn't take all of them."""
    rows, columns = ids.shape
    things = np.flatnonzero(ids > 0)
    border = round(gap * SAMPLES * 0.6)
    found: list[Mark] = []
    for attempt in range(60):
        if len(found) == number:
            break
        if attempt % 2 or not things.size:
            row, column = rng.randrange(rows), rng.randrange(columns)
        else:
            row, column = divmod(int(things[rng.randrange(things.size)]), columns)
        if not (border <= row < rows - border and border <= column < columns - border):
            continue
        reach = 3 * SAMPLES
        around = depth[row - reach : row + reach + 1, column - reach : column + reach + 1]
        same = ids[row - reach : row + reach + 1, column - reach : column + reach + 1] == ids[row, column]
        here = float(depth[row, column])
        if not same.all() or int(ids[row, column]) not in names or float(np.ptp(around)) > FLATNESS * here * 2:
            continue
        x, y = (column + 0.5) / SAMPLES, (row + 0.5) / SAMPLES
        if all(
            math.dist((x, y), (mark.x, mark.y)) >= gap and abs(here - mark.depth) >= MARGIN * max(here, mark.depth)
            for mark in found
        ):
            found.append(Mark(x, y, here, names[int(ids[row, column])]))
    return found
