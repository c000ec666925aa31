"""A coordinate plane on a canvas: axes with arrows, ticks and numbers, a grid, and curves."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from vergence.data.synthesis.palette import RGB
from vergence.data.synthesis.stem.drawing import XY, Canvas, Style, mix

_MARGIN = 22


@dataclass(frozen=True, slots=True)
class Ticks:
    """Where an axis is marked: every `step`, named by `name`, which may give "" for no number."""

    step: float = 1.0
    name: Callable[[int], str] = lambda number: str(number).replace("-", "−")


@dataclass(slots=True)
class Plane:
    """The part of the plane from `low` to `high`, drawn with `unit` pixels for one in x and in y."""

    canvas: Canvas
    low: XY
    high: XY
    unit: XY

    def pixel(self, x: float, y: float) -> XY:
        """The pixel of a point of the plane."""
        return _MARGIN + (x - self.low[0]) * self.unit[0], _MARGIN + (self.high[1] - y) * self.unit[1]

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in the part that is drawn."""
        return self.low[0] <= x <= self.high[0] and self.low[1] <= y <= self.high[1]

    def curve(self, function: Callable[[float], float], colour: RGB, pen: float, jump: float = 80.0) -> None:
        """The graph of a function, left out where it is not a number or outside of the part that is drawn.

        Between two columns of pixels of which the graph has one only, its end is found by bisection: a root or a
        logarithm is drawn from where it begins.
        """
        run: list[XY] = []
        steps = round((self.high[0] - self.low[0]) * self.unit[0])
        before = self.low[0]
        for number in range(steps + 1):
            x = self.low[0] + (self.high[0] - self.low[0]) * number / steps
            pixel = self._shown(function, x)
            begins = pixel is not None and not run and number > 0
            if begins:
                run.append(self._end(function, x, before))
            if pixel is None and run:
                run.append(self._end(function, before, x))
            if run and not begins and (pixel is None or abs(pixel[1] - run[-1][1]) > jump):
                self._draw(run, colour, pen)
                run = []
            if pixel is not None:
                run.append(pixel)
            before = x
        self._draw(run, colour, pen)

    def _shown(self, function: Callable[[float], float], x: float) -> XY | None:
        """The pixel of the graph over x; None where there is none."""
        y = function(x)
        return self.pixel(x, y) if math.isfinite(y) and self.holds(x, y) else None

    def _end(self, function: Callable[[float], float], inside: float, outside: float) -> XY:
        """The last pixel of the graph between an x over which it is drawn and one over which it isn't."""
        found = self._shown(function, inside)
        assert found is not None, "the graph is drawn over the first x"
        for _ in range(40):
            middle = (inside + outside) / 2
            pixel = self._shown(function, middle)
            if pixel is None:
                outside = middle
            else:
                inside, found = middle, pixel
        return found

    def _draw(self, run: list[XY], colour: RGB, pen: float) -> None:
        if len(run) > 1:
            self.canvas.curve(run, colour, pen)

    def record(self) -> dict[str, list[float]]:
        """What a reader of pixels needs: the pixel of the origin and the pixels for one in x and y."""
        return {"origin": list(self.pixel(0, 0)), "unit": list(self.unit)}


def draw_plane(
    style: Style,
    low: XY,
    high: XY,
    unit: XY,
    rng: random.Random,
    across: Ticks | None = None,
    up: Ticks | None = None,
    grid: bool | None = None,
) -> Plane:
    """Axes with their ticks and numbers; the grid, if any, runs through the ticks."""
    across, up = across or Ticks(), up or Ticks()
    width = round((high[0] - low[0]) * unit[0]) + 2 * _MARGIN
    height = round((high[1] - low[1]) * unit[1]) + 2 * _MARGIN
    canvas = Canvas(width, height, style)
    plane = Plane(canvas, low, high, unit)
    xs = range(math.ceil(low[0] / across.step), math.floor(high[0] / across.step) + 1)
    ys = range(math.ceil(low[1] / up.step), math.floor(high[1] / up.step) + 1)
    if grid if grid is not None else rng.random() < 0.75:
        _draw_grid(plane, [n * across.step for n in xs], [n * up.step for n in ys])
    pen = style.pen * 0.8
    (left, zero), (right, _) = plane.pixel(low[0], 0), plane.pixel(high[0], 0)
    (centre, top), (_, bottom) = plane.pixel(0, high[1]), plane.pixel(0, low[1])
    canvas.arrow((left - 6, zero), (right + 12, zero), pen=pen)
    canvas.arrow((centre, bottom + 6), (centre, top - 12), pen=pen)
    size = max(9, min(13, round(min(unit[0] * across.step, unit[1] * up.step) * 0.42)))
    for number in xs:
        x, name = plane.pixel(number * across.step, 0)[0], across.name(number)
        if number:
            canvas.line((x, zero - 3), (x, zero + 3), pen=pen)
            canvas.text((x, zero + 6 + size * 0.55), name, size)
    for number in ys:
        y, name = plane.pixel(0, number * up.step)[1], up.name(number)
        if number:
            canvas.line((centre - 3, y), (centre + 3, y), pen=pen)
            canvas.text((centre - 7 - canvas.measure(name, size)[0] / 2, y), name, size)
    canvas.text((centre - 8, zero + 9), rng.choice(("0", "O")), size)
    canvas.text((right + 12, zero - 12), "x", style.letter - 2, slanted=True)
    canvas.text((centre + 12, top - 10), "y", style.letter - 2, slanted=True)
    return plane


def _draw_grid(plane: Plane, xs: list[float], ys: list[float]) -> None:
    style = plane.canvas.style
    pale = mix(style.ink, style.paper, 0.16)
    for x in xs:
        plane.canvas.rule(plane.pixel(x, plane.low[1]), plane.pixel(x, plane.high[1]), pale)
    for y in ys:
        plane.canvas.rule(plane.pixel(plane.low[0], y), plane.pixel(plane.high[0], y), pale)
