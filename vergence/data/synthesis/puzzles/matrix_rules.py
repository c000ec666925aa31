"""The rules of matrices of figures: what each says of the third of three values, and which rules agree with a matrix.

Figures have attributes whose values are small whole numbers. A rule holds for an attribute along all rows or along all
columns, as in Raven's matrices (Carpenter, Just and Shell 1990, table 1): constant in a row, progression, distribution
of three values, and addition or subtraction. Overlays are sets of lines, whose rules are set operations.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Attribute = Literal["shape", "colour", "size", "count", "dot"]
Grid = Sequence[Sequence[int]]
"""Three rows of three values."""

VALUES: Mapping[Attribute, int] = {"shape": 6, "colour": 6, "size": 4, "count": 5, "dot": 8}
"""How many values an attribute has: 0, 1, ..."""

ORDERED: frozenset[Attribute] = frozenset({"size", "count", "dot"})
"""Attributes of which a person sees more and less, or further round."""

OVERLAYS: Mapping[str, Callable[[int, int], int]] = {
    "union": lambda a, b: a | b,
    "common": lambda a, b: a & b,
    "either": lambda a, b: a ^ b,
    "without": lambda a, b: a & ~b,
}
"""What the third set of lines of a row is of the first two; sets are bits."""


@dataclass(frozen=True)
class Rule:
    """A rule by name, with the step of a progression."""

    name: str
    step: int = 0

    def holds(self, attribute: Attribute, lines: Grid) -> bool:
        """Whether three lines (rows or columns) of three values obey it."""
        if self.name == "constant":
            return all(len(set(line)) == 1 for line in lines)
        if self.name == "three":
            return len(set(lines[0])) == 3 and all(set(line) == set(lines[0]) for line in lines)
        return all(
            self.third(attribute, line[0], line[1]) == line[2] and self._second(attribute, line) for line in lines
        )

    def _second(self, attribute: Attribute, line: Sequence[int]) -> bool:
        return self.name != "progression" or (line[1] - line[0] - self.step) % _turn(attribute) == 0

    def third(self, attribute: Attribute, first: int, second: int) -> int | None:
        """The third value of a line, for rules that it follows from the first two by; None where there is none."""
        if self.name == "progression":
            value = second + self.step
        elif self.name == "sum":
            value = (first + 1) + (second + 1) - 1  # of counts, of which value 0 is one figure
        elif self.name == "difference":
            value = (first + 1) - (second + 1) - 1
        else:
            value = first
        if attribute == "dot":
            return value % VALUES["dot"]
        return value if 0 <= value < VALUES[attribute] else None


def _turn(attribute: Attribute) -> int:
    """Dots go round, other values don't."""
    return VALUES["dot"] if attribute == "dot" else 1_000


def rules(attribute: Attribute) -> list[Rule]:
    """The rules that an attribute may follow."""
    found = [Rule("constant"), Rule("three")]
    if attribute in ORDERED:
        found += [Rule("progression", step) for step in ((1, 2, 3, -1, -2, -3) if attribute == "dot" else (1, -1))]
    if attribute == "count":
        found += [Rule("sum"), Rule("difference")]
    return found


def drawn(attribute: Attribute, rule: Rule, rng: random.Random) -> Grid | None:
    """A matrix of an attribute that follows a rule along its rows; None where chance gave none."""
    values = range(VALUES[attribute])
    if rule.name == "constant":
        rows = rng.sample(values, 3) if rng.random() < 0.5 else [rng.choice(values)] * 3
        return [[value] * 3 for value in rows]
    if rule.name == "three":
        three = rng.sample(values, 3)
        shift = rng.choice((1, 2))
        return [[three[(column + row * shift) % 3] for column in range(3)] for row in range(3)]
    lines = [
        [first, second, third]
        for first in values
        for second in values
        if (third := rule.third(attribute, first, second)) is not None
        and rule.holds(attribute, [[first, second, third]])
    ]
    return [rng.choice(lines) for _ in range(3)] if lines else None


def continuations(attribute: Attribute, grid: Grid) -> set[int]:
    """The values that the last cell takes by any rule, along rows or columns, that the other eight cells agree with."""
    found = set()
    for value in range(VALUES[attribute]):
        rows = [list(row) for row in grid]
        rows[2][2] = value
        columns = [list(column) for column in zip(*rows, strict=True)]
        if any(rule.holds(attribute, lines) for rule in rules(attribute) for lines in (rows, columns)):
            found.add(value)
    return found


def overlay_continuations(grid: Grid) -> set[int]:
    """The sets of lines that the last cell takes by any operation, along rows or columns, that the others follow."""
    found = set()
    for lines in (grid, [list(column) for column in zip(*grid, strict=True)]):
        for operation in OVERLAYS.values():
            if all(operation(line[0], line[1]) == line[2] for line in lines[:2]):
                found.add(operation(lines[2][0], lines[2][1]))
    return found


def overlay_drawn(rng: random.Random, name: str, lines: int, density: float) -> Grid:
    """Two random sets of `lines` lines a row, and what the operation makes of them."""
    rows = []
    for _ in range(3):
        first, second = (sum(1 << line for line in range(lines) if rng.random() < density) for _ in range(2))
        rows.append([first, second, OVERLAYS[name](first, second)])
    return rows


SPLITS: Mapping[int, Sequence[tuple[int, ...]]] = {
    4: ((2, 2),),
    6: ((2, 3), (3, 2)),
    8: ((2, 2, 2), (2, 4), (4, 2)),
}
"""Number of options -> how many values two or three attributes may take in them."""


def balanced_options(
    rng: random.Random,
    right: Mapping[Attribute, int],
    varying: Sequence[Attribute],
    seen: Mapping[Attribute, Collection[int]],
    count: int,
) -> list[dict[Attribute, int]]:
    """The right figure among figures that differ from it in up to three attributes, in a random order.

    The options are all combinations of two or more values for each of these attributes, so that no value is more
    frequent among them and the right one can't be told without the matrix (the bisection tree of I-RAVEN, Hu et al.
    2021). Values `seen` in the matrix come before others. An odd `count` drops one wrong figure; a single attribute
    with fewer values than `count` gives four options.
    """
    even = count + count % 2
    splits = [sizes for sizes in SPLITS[even] if len(sizes) <= len(varying)]
    names = rng.sample(list(varying), len(varying))
    ways = [
        sizes for sizes in splits if all(VALUES[name] >= size for name, size in zip(names, sizes, strict=False))
    ] or [(count if VALUES[names[0]] >= count else 4,)]
    sizes = rng.choice(ways)
    figures: list[dict[Attribute, int]] = [dict(right)]
    for name, size in zip(names, sizes, strict=False):
        others = [value for value in range(VALUES[name]) if value != right[name]]
        rng.shuffle(others)
        others.sort(key=lambda value: value not in seen[name])
        figures = [{**figure, name: value} for figure in figures for value in (right[name], *others[: size - 1])]
    while len(figures) > count:
        figures.remove(rng.choice([figure for figure in figures if figure != right]))
    rng.shuffle(figures)
    return figures
