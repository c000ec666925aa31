"""What a figure of plane geometry is, and the words in which its theorems are written down."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from vergence.data.synthesis.stem.deduction import Linear, Relation, Step, Value, chain

XY = tuple[float, float]


@dataclass(slots=True)
class Figure:
    """Points in units of length with y upwards; what is drawn; the exact values; the theorems; what the text says.

    `givens` are the quantities that may be told, `targets` those that may be asked. `right` are the
    angles with a square, `equal` groups of equally long segments, `parallel` pairs of points in the same direction.
    """

    name: str
    points: dict[str, XY]
    segments: list[str]
    values: dict[str, Fraction]
    relations: list[Relation]
    givens: list[str]
    targets: list[str]
    facts: list[tuple[str, str]] = field(default_factory=list)
    circle: tuple[str, float] | None = None
    parallel: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)
    equal: list[list[str]] = field(default_factory=list)


def sine_of(degrees: float) -> float:
    """The sine of an angle in degrees."""
    return math.sin(math.radians(degrees))


def on_circle(degrees: float, radius: float = 1.0) -> XY:
    """A point of a circle around the origin, in a direction in degrees."""
    return radius * math.cos(math.radians(degrees)), radius * math.sin(math.radians(degrees))


def are_equal(reason: str, first: str, second: str, *about: str) -> Linear:
    """The relation that two quantities are equal."""
    return Linear(reason, ((first, 1), (second, -1)), 0, about)


def add_up_to(reason: str, names: str, total: int, *about: str) -> Linear:
    """The relation that quantities, separated by spaces, add up to a whole number."""
    return Linear(reason, tuple((name, 1) for name in names.split()), total, about)


def degrees(**values: int) -> dict[str, Fraction]:
    """Angles named by their three letters."""
    return {f"∠{name}": Fraction(value) for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Problem:
    """A figure with what is told of it, what is asked, and all that follows."""

    figure: Figure
    given: dict[str, Value]
    target: str
    found: dict[str, Step]

    @property
    def proof(self) -> list[Step]:
        """The steps that lead to the target."""
        return chain(self.found, self.target)
