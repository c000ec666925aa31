"""Networks of resistors in series and in parallel: chosen, solved step by step, and drawn with a battery."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from vergence.data.pictures import Box
from vergence.data.synthesis.stem.drawing import XY, Canvas, Style

VALUES = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 18, 20, 24, 30, 36, 40, 60)
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(slots=True)
class Part:
    """A resistor, or several parts in series or in parallel; `numbers` are those of its resistors.

    `voltage` and `current` are set by `solve`.
    """

    joined: str
    parts: tuple[Part, ...] = ()
    numbers: tuple[int, ...] = ()
    ohms: Fraction = Fraction(0)
    voltage: Fraction = Fraction(0)
    current: Fraction = Fraction(0)

    @property
    def name(self) -> str:
        """R₂ for a resistor, R₂₃ for what replaces two."""
        return "R" + "".join(map(str, self.numbers)).translate(_SUBSCRIPTS)

    def walk(self) -> Iterator[Part]:
        """Its parts, each after those that it is made of, and itself."""
        for part in self.parts:
            yield from part.walk()
        yield self

    def resistors(self) -> list[Part]:
        """The resistors in order of their numbers."""
        return [part for part in self.walk() if not part.parts]


def resistor(number: int, ohms: int) -> Part:
    """A single resistor."""
    return Part("", (), (number,), Fraction(ohms))


def join(joined: str, parts: tuple[Part, ...]) -> Part:
    """Parts in "series" or in "parallel"."""
    total = (
        sum((part.ohms for part in parts), Fraction(0))
        if joined == "series"
        else 1 / sum((1 / part.ohms for part in parts), Fraction(0))
    )
    return Part(joined, parts, tuple(number for part in parts for number in part.numbers), total)


def choose_network(rng: random.Random, count: int) -> Part:
    """A random network of `count` resistors; parts of series are no series, and so for parallel."""
    numbers = iter(range(1, count + 1))

    def grow(size: int, joined: str) -> Part:
        if size == 1:
            return resistor(next(numbers), rng.choice(VALUES))
        groups = 2 if size == 2 or rng.random() < 0.7 else 3
        cuts = sorted(rng.sample(range(1, size), groups - 1))
        sizes = [end - start for start, end in zip([0, *cuts], [*cuts, size], strict=True)]
        other = "parallel" if joined == "series" else "series"
        return join(joined, tuple(grow(part, other) for part in sizes))

    return grow(count, rng.choice(("series", "series", "parallel")))


def solve(part: Part, voltage: Fraction) -> None:
    """Set the voltage and current of a part and of all that it is made of."""
    part.voltage, part.current = voltage, voltage / part.ohms
    for inner in part.parts:
        solve(inner, part.current * inner.ohms if part.joined == "series" else voltage)


@dataclass(slots=True)
class Wiring:
    """What was drawn, in pixels: wires, the ends and box of each resistor, the battery's ends (plus first) and box."""

    wires: list[tuple[XY, XY]] = field(default_factory=list)
    ends: dict[str, tuple[XY, XY]] = field(default_factory=dict)
    boxes: dict[str, Box] = field(default_factory=dict)
    battery: tuple[XY, XY] = ((0, 0), (0, 0))
    battery_box: Box = (0, 0, 0, 0)


_CELL = (104, 66)
_RAIL = 24


def _extent(part: Part) -> tuple[int, int]:
    """Width and height in pixels."""
    if not part.parts:
        return _CELL
    sizes = [_extent(inner) for inner in part.parts]
    if part.joined == "series":
        return sum(width for width, _ in sizes), max(height for _, height in sizes)
    return max(width for width, _ in sizes) + 2 * _RAIL, sum(height for _, height in sizes)


def draw_network(
    style: Style, network: Part, labels: dict[str, str], battery: str, *, boxes: bool
) -> tuple[Canvas, Wiring]:
    """Draw a network above its battery; resistors are boxes or zigzags. Raises `CrowdedError`."""
    if style.family == "stix":  # it lacks the small digits
        style = replace(style, family="serif")
    width, height = _extent(network)
    left, top = 46, 48
    canvas = Canvas(width + 2 * left, height + top + 68, style)
    wiring = Wiring()
    _draw_part(canvas, wiring, network, (left, top), width, boxes)
    right, bottom = left + width, top + height + 14
    middle = (left + right) / 2
    for start, end in (
        ((left, top), (left, bottom)),
        ((right, top), (right, bottom)),
        ((left, bottom), (middle - 5, bottom)),
        ((middle + 5, bottom), (right, bottom)),
    ):
        _wire(canvas, wiring, start, end)
    # The longer stroke of a battery is its plus pole.
    canvas.line((middle - 5, bottom - 16), (middle - 5, bottom + 16))
    canvas.line((middle + 5, bottom - 8), (middle + 5, bottom + 8), pen=style.pen * 2)
    wiring.battery = ((middle - 5, bottom), (middle + 5, bottom))
    wiring.battery_box = (middle - 9, bottom - 17, middle + 9, bottom + 17)
    canvas.text((middle - 16, bottom - 13), "+", style.letter - 3)
    for name, box in wiring.boxes.items():
        centre = (box[0] + box[2]) / 2
        canvas.place([(centre, box[1] - 11), (centre, box[3] + 12)], labels[name], min(15, style.letter - 3))
    canvas.place([(middle, bottom + 29)], battery, style.letter - 2)
    return canvas, wiring


def _wire(canvas: Canvas, wiring: Wiring, start: XY, end: XY) -> None:
    if start != end:
        canvas.line(start, end)
        wiring.wires.append((start, end))


def _draw_part(canvas: Canvas, wiring: Wiring, part: Part, at: XY, width: float, boxes: bool) -> None:
    """Draw a part from its left end at a place to the right, as wide as said."""
    x, y = at
    if not part.parts:
        _draw_resistor(canvas, wiring, part.name, at, width, boxes)
    elif part.joined == "series":
        share = width / _extent(part)[0]
        for inner in part.parts:
            wide = _extent(inner)[0] * share
            _draw_part(canvas, wiring, inner, (x, y), wide, boxes)
            x += wide
    else:
        _wire(canvas, wiring, at, (x + _RAIL, y))
        _wire(canvas, wiring, (x + width - _RAIL, y), (x + width, y))
        down = y
        for number, inner in enumerate(part.parts):
            _draw_part(canvas, wiring, inner, (x + _RAIL, down), width - 2 * _RAIL, boxes)
            if number:
                for rail in (x + _RAIL, x + width - _RAIL):
                    _wire(canvas, wiring, (rail, down - _extent(part.parts[number - 1])[1]), (rail, down))
            for rail in (x + _RAIL, x + width - _RAIL):
                if number + 1 < len(part.parts):
                    canvas.dot((rail, down))
            down += _extent(inner)[1]


def _draw_resistor(canvas: Canvas, wiring: Wiring, name: str, at: XY, width: float, boxes: bool) -> None:
    (x, y), long, high = at, 44, 8
    start, end = x + (width - long) / 2, x + (width + long) / 2
    _wire(canvas, wiring, at, (start, y))
    _wire(canvas, wiring, (end, y), (x + width, y))
    if boxes:
        canvas.polygon([(start, y - high), (end, y - high), (end, y + high), (start, y + high)])
    else:
        teeth = [(start + long * (n + 0.5) / 6, y + high * (-1) ** n) for n in range(6)]
        canvas.curve([(start, y), *teeth, (end, y)])
    wiring.ends[name] = ((start, y), (end, y))
    wiring.boxes[name] = (start, y - high - 1, end, y + high + 1)
