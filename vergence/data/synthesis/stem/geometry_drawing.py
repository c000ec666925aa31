"""Drawing a problem of geometry: lines, marks, names of points, and numbers where they can mean one thing only."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from vergence.data.synthesis.stem.deduction import unit, written
from vergence.data.synthesis.stem.drawing import XY, Canvas, choose_style, direction
from vergence.data.synthesis.stem.figure import Figure, Problem


@dataclass(slots=True)
class Sheet:
    """A drawn problem: the canvas, the points in pixels, pixels for a unit, and what is written in the figure."""

    canvas: Canvas
    points: dict[str, XY]
    scale: float
    shown: list[str]
    marked: str | None


def _placed(figure: Figure, rng: random.Random) -> tuple[tuple[int, int], dict[str, XY], float]:
    """A size, the points in its pixels after a turn and perhaps a reflection, which change no angle; pixels a unit."""
    turn = math.radians(rng.choice((0, 0, 0, rng.randint(-12, 12), rng.randint(-40, 40))))
    mirror = rng.choice((1, -1))
    turned = {}
    for name, (x, y) in figure.points.items():
        x *= mirror
        turned[name] = (x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn))
    span = list(turned.values())
    if figure.circle:
        (x, y), radius = turned[figure.circle[0]], figure.circle[1]
        span += [(x - radius, y - radius), (x + radius, y + radius)]
    left, right = min(x for x, _ in span), max(x for x, _ in span)
    low, high = min(y for _, y in span), max(y for _, y in span)
    margin = rng.randint(34, 46)
    scale = rng.randint(270, 420) / max(right - left, high - low)
    width = max(200, round(scale * (right - left)) + 2 * margin)
    height = max(160, round(scale * (high - low)) + 2 * margin)
    dx, dy = (width - scale * (right - left)) / 2, (height - scale * (high - low)) / 2
    pixels = {name: (dx + scale * (x - left), dy + scale * (high - y)) for name, (x, y) in turned.items()}
    return (width, height), pixels, scale


def draw(problem: Problem, rng: random.Random) -> Sheet:
    """Draw the figure, write what is given beside its place, and name the points. Raises `CrowdedError`."""
    figure, style = problem.figure, choose_style(rng)
    size, points, scale = _placed(figure, rng)
    canvas = Canvas(*size, style)
    _lines(canvas, figure, points, scale, arrows=rng.random() < 0.4)
    shown = [name for name in problem.given if _has_place(name, figure, points) and rng.random() < 0.8]
    marked = None
    if _has_place(problem.target, figure, points) and problem.target not in figure.right and rng.random() < 0.4:
        marked = rng.choice(("x", "?") if problem.target[0] != "∠" else ("x", "?", "α", "θ"))
    texts = {name: f"{written(problem.given[name])}{unit(name)}" for name in shown}
    if marked:
        texts[problem.target] = marked
    radius = {name: rng.randint(18, 26) for name in texts}
    middles = {
        name: canvas.angle(points[name[2]], points[name[1]], points[name[3]], radius[name])
        for name in texts
        if name[0] == "∠"
    }
    for name, at in points.items():
        canvas.label_point(at, name, _widest_gap(name, figure, points))
    colours = dict.fromkeys(texts, style.ink)
    if marked or rng.random() < 0.3:
        colours[problem.target] = style.accents[0]
    for name, text in texts.items():
        if name[0] == "∠":
            canvas.label_angle(points[name[2]], middles[name], text, radius[name], colours[name])
        else:
            first, second = points[name[0]], points[name[1]]
            canvas.label_segment(first, second, text, _outside(first, second, points), colours[name])
    return Sheet(canvas, points, scale, shown, marked)


def _lines(canvas: Canvas, figure: Figure, points: Mapping[str, XY], scale: float, *, arrows: bool) -> None:
    if figure.circle:
        canvas.circle(points[figure.circle[0]], figure.circle[1] * scale)
    for name in figure.segments:
        canvas.line(points[name[0]], points[name[1]])
    for corner in figure.right:
        canvas.angle(points[corner[1]], points[corner[0]], points[corner[2]], 17)
    if arrows:
        for name in figure.parallel:
            canvas.chevron(points[name[0]], points[name[1]])
    for number, group in enumerate(figure.equal):
        for name in group:
            canvas.ticks(points[name[0]], points[name[1]], number + 1)
    for at in points.values():
        canvas.dot(at)


def _rays(name: str, figure: Figure, points: Mapping[str, XY]) -> list[float]:
    """The directions in which drawn lines leave a point, as an end or from within."""
    at, found = points[name], []
    for segment in figure.segments:
        first, second = points[segment[0]], points[segment[1]]
        if math.dist(first, at) + math.dist(second, at) - math.dist(first, second) < 0.01:
            found += [direction(at, end) for end in (first, second) if math.dist(at, end) > 0.1]
    return found


def _widest_gap(name: str, figure: Figure, points: Mapping[str, XY]) -> float:
    """The direction from a point that is farthest from the lines that leave it; on a circle, away from its centre."""
    if figure.circle and name != figure.circle[0]:
        centre = points[figure.circle[0]]
        if abs(math.dist(points[name], centre) - max(math.dist(points[n], centre) for n in "AB" if n in points)) < 1:
            return direction(centre, points[name])
    rays = sorted(_rays(name, figure, points)) or [270.0]
    gaps = [((rays[(n + 1) % len(rays)] - ray) % 360 or 360.0, ray) for n, ray in enumerate(rays)]
    widest, start = max(gaps)
    return start + widest / 2


def _has_place(name: str, figure: Figure, points: Mapping[str, XY]) -> bool:
    """Whether a number written in the figure can only mean this quantity: nothing named lies inside of it."""
    if name[0] == "∠":
        vertex = points[name[2]]
        start, end = direction(vertex, points[name[1]]), direction(vertex, points[name[3]])
        if (end - start) % 360 > 180:
            start, end = end, start
        size = (end - start) % 360
        inside = any(0.01 < (ray - start) % 360 < size - 0.01 for ray in _rays(name[2], figure, points))
        return not inside and size >= 18
    if len(name) != 2:
        return False
    first, second = points[name[0]], points[name[1]]
    between = [
        n
        for n, at in points.items()
        if n not in name and math.dist(first, at) + math.dist(at, second) - 0.01 < math.dist(first, second)
    ]
    return not between and math.dist(first, second) >= 30


def _outside(first: XY, second: XY, points: Mapping[str, XY]) -> float:
    """The direction across a segment that leads away from the middle of the figure."""
    across = direction(first, second) + 90
    middle = (sum(x for x, _ in points.values()) / len(points), sum(y for _, y in points.values()) / len(points))
    toward = direction(((first[0] + second[0]) / 2, (first[1] + second[1]) / 2), middle)
    return across + 180 if math.cos(math.radians(toward - across)) > 0 else across
