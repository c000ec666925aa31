"""Scenes of icons and what changes in them, each thing in a square of its own."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image

from vergence.data.pictures import Split
from vergence.data.synthesis.puzzles.drawing import COLOURS, colour_name
from vergence.data.synthesis.puzzles.icons import Icon, icons, lopsided, mask
from vergence.data.synthesis.puzzles.puzzle import (
    between,
    share,
)

Change = Literal["missing", "extra", "colour", "larger", "smaller", "mirrored", "moved", "replaced"]

Box = tuple[int, int, int, int]

CELL = 76
"""Each thing has a square of so many pixels to itself, and all that happens to it stays there."""

SUBTLE: Mapping[Change, float] = {
    "missing": 0.2,
    "extra": 0.2,
    "replaced": 0.2,
    "colour": 0.3,
    "larger": 0.6,
    "smaller": 0.6,
    "moved": 0.8,
    "mirrored": 1.0,
}
"""How easily a change is missed, 0..1."""

TOLD: Mapping[str, Mapping[Change, str]] = {
    "en": {
        "missing": "the {old} is missing",
        "extra": "there is a new {new}",
        "replaced": "the {old} has become a {new}",
        "colour": "the {old} is now {colour}",
        "larger": "the {old} is larger",
        "smaller": "the {old} is smaller",
        "moved": "the {old} has moved",
        "mirrored": "the {old} is mirrored",
    },
    "zh": {
        "missing": "{old}不见了",
        "extra": "多出了{new}",
        "replaced": "{old}变成了{new}",
        "colour": "{old}变成了{colour}",
        "larger": "{old}变大了",
        "smaller": "{old}变小了",
        "moved": "{old}换了位置",
        "mirrored": "{old}左右翻转了",
    },
}


@dataclass(frozen=True)
class Thing:
    """An icon in a scene: colour, longer side, mirrored or not, and its upper left corner, in pixels."""

    icon: Icon
    colour: str
    size: int
    flipped: bool
    x: int
    y: int

    def mask(self) -> Image.Image:
        """How much of each pixel it covers."""
        return mask(self.icon, self.size, flipped=self.flipped)

    @property
    def box(self) -> Box:
        """The pixels that it covers."""
        drawn = self.mask()
        return self.x, self.y, self.x + drawn.width, self.y + drawn.height

    def name(self, language: str) -> str:
        """ "red key" or 红色的钥匙."""
        colour, icon = colour_name(self.colour, language), self.icon.name(language)
        return f"{colour}的{icon}" if language == "zh" else f"{colour} {icon}"


@dataclass(frozen=True)
class Difference:
    """What changed, from which thing to which (None: it isn't there)."""

    change: Change
    old: Thing | None
    new: Thing | None

    @property
    def box(self) -> Box:
        """The smallest box around the thing as it is in either picture."""
        boxes = [thing.box for thing in (self.old, self.new) if thing]
        return (
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
        )

    def told(self, language: str) -> str:
        """A clause that says what changed."""
        names = {
            "old": self.old.name(language) if self.old else "",
            "new": self.new.name(language) if self.new else "",
            "colour": colour_name(self.new.colour, language) if self.new else "",
        }
        return TOLD[language][self.change].format(**names).replace(" a o", " an o")


@dataclass(frozen=True)
class Scene:
    """The things of the first picture, the differences, and the size of both pictures in cells."""

    columns: int
    rows: int
    things: tuple[Thing, ...]
    differences: tuple[Difference, ...]
    difficulty: float

    @property
    def second(self) -> tuple[Thing, ...]:
        """The things of the second picture."""
        gone = [difference.old for difference in self.differences]
        new = [difference.new for difference in self.differences if difference.new]
        return (*(thing for thing in self.things if thing not in gone), *new)


def placed(rng: random.Random, icon: Icon, colour: str, size: int, cell: tuple[int, int], *, flipped: bool) -> Thing:
    """A thing at a random place of its cell (column, row), at least two pixels from the cell's border."""
    drawn = mask(icon, size, flipped=flipped)
    x = cell[0] * CELL + rng.randint(2, CELL - 2 - drawn.width)
    y = cell[1] * CELL + rng.randint(2, CELL - 2 - drawn.height)
    return Thing(icon, colour, size, flipped, x, y)


def make_scene(split: Split, most: int, rng: random.Random, level: float) -> Scene | None:
    """A scene and its differences; more things and less obvious changes at a higher level."""
    columns, rows = between(level, 3, 7), between(level, 2, 5)
    cells = [(column, row) for column in range(columns) for row in range(rows)]
    rng.shuffle(cells)
    count = rng.randint(max(4, round(0.6 * len(cells))), len(cells))
    # Icons beyond those of the scene are there for what is new in the second picture.
    chosen = rng.sample(icons(split), min(count + 12, len(icons(split))))
    count = min(count, len(chosen) - 6)
    spare = chosen[count:]
    things = [
        placed(rng, icon, rng.choice(list(COLOURS)), rng.randint(32, 56), cell, flipped=rng.random() < 0.5)
        for icon, cell in zip(chosen[:count], cells, strict=False)
    ]
    wanted = min(rng.randint(1, round(1 + level * (most - 1))), count // 2 + 1)
    differences: list[Difference] = []
    free = cells[count:]
    for thing in rng.sample(things, wanted):
        change = rng.choices(list(SUBTLE), [1 - level + (2 * level - 0.6) * SUBTLE[c] + 0.3 for c in SUBTLE])[0]
        if change == "extra" and not free:
            change = "missing"
        if change in ("extra", "replaced") and not spare:
            change = "colour"
        cell = free.pop() if change == "extra" else cells[things.index(thing)]
        differences.append(_changed(rng, change, thing, cell, spare))
    subtle = sum(SUBTLE[difference.change] for difference in differences) / len(differences)
    difficulty = 0.5 * share(count, 4, 32) + 0.2 * share(len(differences), 1, 6) + 0.3 * subtle
    return Scene(columns, rows, tuple(things), tuple(differences), difficulty)


def _changed(rng: random.Random, change: Change, old: Thing, cell: tuple[int, int], spare: list[Icon]) -> Difference:
    """A change of that sort, or of the nearest that the thing allows, inside its cell."""
    if change == "mirrored" and not lopsided(old.icon):
        change = "colour"
    if change == "missing":
        return Difference(change, old, None)
    if change == "extra":
        size, flipped = rng.randint(32, 56), rng.random() < 0.5
        return Difference(
            change, None, placed(rng, spare.pop(), rng.choice(list(COLOURS)), size, cell, flipped=flipped)
        )
    if change == "replaced":
        return Difference(change, old, placed(rng, spare.pop(), old.colour, old.size, cell, flipped=old.flipped))
    if change == "colour":
        return Difference(change, old, replace(old, colour=rng.choice([c for c in COLOURS if c != old.colour])))
    if change == "mirrored":
        return Difference(change, old, replace(old, flipped=not old.flipped))
    if change in ("larger", "smaller"):
        change = "smaller" if old.size > 44 else "larger"
        size = round(old.size * (0.66 if change == "smaller" else 1.45))
        return Difference(change, old, _resized(old, size, cell))
    # The farthest of some places, so that nobody takes it for the old one.
    places = [placed(rng, old.icon, old.colour, old.size, cell, flipped=old.flipped) for _ in range(12)]
    new = max(places, key=lambda thing: abs(thing.x - old.x) + abs(thing.y - old.y))
    if abs(new.x - old.x) + abs(new.y - old.y) < 10:
        return Difference("missing", old, None)
    return Difference("moved", old, new)


def _resized(old: Thing, size: int, cell: tuple[int, int]) -> Thing:
    """A thing of another size around the same centre, or as near to it as the cell allows."""
    drawn, (left, top, right, bottom) = mask(old.icon, size, flipped=old.flipped), old.box
    x, y = (left + right - drawn.width) // 2, (top + bottom - drawn.height) // 2
    x = min(max(x, cell[0] * CELL + 2), (cell[0] + 1) * CELL - 2 - drawn.width)
    y = min(max(y, cell[1] * CELL + 2), (cell[1] + 1) * CELL - 2 - drawn.height)
    return replace(old, size=size, x=x, y=y)
