"""Graphs of functions in a coordinate plane: values, zeros, vertices, slopes, formulas, intersections."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Literal

from pydantic import Field

from vergence.data.formats import choice_turn, short_turn
from vergence.data.generator import Draft, GeneratorConfig, Region, Turn, dialogue
from vergence.data.pictures import split_of
from vergence.data.synthesis.stem.axes import Plane, Ticks, draw_plane
from vergence.data.synthesis.stem.deduction import latex, written
from vergence.data.synthesis.stem.drawing import CrowdedError, choose_style, colour_name, polar
from vergence.data.synthesis.stem.function_questions import maths, maybe_thought, single_turns
from vergence.data.synthesis.stem.functions import FAMILIES, Function, Point, make_linear, make_quadratic
from vergence.data.synthesis.stem.turns import is_argued
from vergence.errors import DataError
from vergence.processing.coordinates import format_point

VERSION = 2
PACKAGES = ("matplotlib",)
_TRIES = 200
_SEEN = 0.25
"""The least share of the plane's columns in which a graph is seen: less is a stub at the border."""


class Config(GeneratorConfig):
    """Which functions, how many graphs, and in which language."""

    families: tuple[str, ...] = Field((), description=f"of {', '.join(FAMILIES)}; empty: all")
    pairs: float = Field(0.3, ge=0, le=1, description="share of pictures with two graphs that meet at whole numbers")
    language: Literal["en", "zh", "mix"] = Field("mix", description="of questions and answers")


@dataclass(slots=True)
class Graphs:
    """One or two functions, where they meet, and the plane that they are drawn in."""

    functions: list[Function]
    meetings: list[Point]
    plane: Plane
    names: list[str]
    colours: list[tuple[int, int, int]]


def generate(rng: random.Random, config: Config) -> Draft:
    """Graphs and questions about them. Raises `DataError` where the settings leave no function."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    unknown = [name for name in config.families if name not in FAMILIES]
    if unknown:
        raise DataError(f"there is no family of functions {unknown[0]!r}; there are {', '.join(FAMILIES)}")
    for _ in range(_TRIES):
        if rng.random() < config.pairs:
            functions, meetings = _meeting_pair(rng)
        else:
            functions, meetings = [FAMILIES[rng.choice(config.families or tuple(FAMILIES))](rng)], []
        if any(_visible(function) < _SEEN for function in functions):
            continue
        key = "function/" + " & ".join(function.latex for function in functions)
        if split_of(key) != config.split:
            continue
        try:
            graphs = _draw(functions, meetings, rng)
        except CrowdedError:
            continue
        turns = _turns(graphs, language, rng)
        if turns:
            return _draft(graphs, turns, language)
    raise DataError("no function of these families can be asked about")


def _visible(function: Function) -> float:
    """The share of the columns from -6.4 to 6.4 in which a graph lies between those heights."""
    places = [number / 10 for number in range(-64, 65)]
    return sum(abs(function.value(x)) <= 6.4 for x in places) / len(places)


def _meeting_pair(rng: random.Random) -> tuple[list[Function], list[Point]]:
    """Two lines through a whole point, or a line and a parabola through two."""
    if rng.random() < 0.5:
        x, y = rng.randint(-4, 4), rng.randint(-4, 4)
        slopes = rng.sample([Fraction(n, d) for n in (-2, -1, 1, 2, 3) for d in (1, 2) if n % d or d == 1], 2)
        lines = [make_linear(m, y - m * x) for m in slopes]
        return lines, [(Fraction(x), Fraction(y))]
    while True:
        a, h, k = rng.choice((-1, 1)), rng.randint(-2, 2), rng.randint(-4, 4)
        parabola = make_quadratic(Fraction(a), Fraction(h), Fraction(k))
        # Between points that are nearer the line and the parabola can hardly be told apart.
        pairs = [(p, q) for p, q in combinations(parabola.points, 2) if q[0] - p[0] >= 3 and p[1] != q[1]]
        if pairs:
            break
    first, second = rng.choice(pairs)
    m = (second[1] - first[1]) / (second[0] - first[0])
    functions = [parabola, make_linear(m, first[1] - m * first[0])]
    rng.shuffle(functions)
    return functions, [first, second]


def _quarter(number: int) -> str:
    """The multiple of π/2 with a number, as an axis names it."""
    half, sign = abs(number), "−" if number < 0 else ""
    if half % 2 == 0:
        return f"{sign}{'' if half == 2 else half // 2}π"
    return f"{sign}{'' if half == 1 else half}π/2"


def _draw(functions: Sequence[Function], meetings: list[Point], rng: random.Random) -> Graphs:
    style = choose_style(rng, squares=0)
    if functions[0].family == "wave":
        side = rng.choice((1.5, 2.0)) * math.pi
        unit = (rng.randint(28, 34), rng.randint(26, 32))
        plane = draw_plane(style, (-side, -5.4), (side, 5.4), unit, rng, Ticks(math.pi / 2, _quarter))
    else:
        reach = rng.choice((6.4, 6.4, 7.4))
        side = rng.randint(24, 31)
        plane = draw_plane(style, (-reach, -6.4), (reach, 6.4), (side, side), rng)
    names = ["f", "g"][: len(functions)]
    colours = list(style.accents[: len(functions)]) if len(functions) > 1 or rng.random() < 0.7 else [style.ink]
    pen = style.pen * rng.choice((1.1, 1.4))
    for function, colour in zip(functions, colours, strict=True):
        plane.curve(function.value, colour, pen)
    for function, colour, name in zip(functions, colours, names, strict=True):
        if len(functions) > 1:
            _name_curve(plane, function, name, colour)
    return Graphs(list(functions), meetings, plane, names, colours)


def _name_curve(plane: Plane, function: Function, name: str, colour: tuple[int, int, int]) -> None:
    """Write a curve's name beside it, from its ends inwards."""
    spots = []
    for step in range(40):
        for x in (plane.high[0] - 0.3 - step * 0.15, plane.low[0] + 0.3 + step * 0.15):
            y = function.value(x)
            if math.isfinite(y) and plane.holds(x, y):
                spots += [polar(plane.pixel(x, y), 14, turn) for turn in (90, 270, 0, 180)]
    plane.canvas.place(spots, name, colour=colour, slanted=True)


def _pair_text(point: Point) -> str:
    return f"({latex(point[0])}, {latex(point[1])})"


def _pair(graphs: Graphs, language: str, rng: random.Random) -> list[Turn]:
    """The questions about two graphs."""
    en = language == "en"
    plane, meetings = graphs.plane, graphs.meetings
    one = len(meetings) == 1
    points = [f"({written(x)}, {written(y)})" for x, y in meetings]
    if one:
        text = "At which point do the two graphs meet?" if en else "两个图象的交点坐标是什么？"
    else:
        text = (
            "At which x do the two graphs meet? Give both, separated by a comma."
            if en
            else ("两个图象交点的横坐标是多少？请写出两个，用逗号分隔。")
        )
    steps = [
        f"The graphs of f and g share the point{'' if one else 's'} {' and '.join(points)}."
        if en
        else f"f与g的图象有公共点{'和'.join(points)}。"
    ]
    xs = [written(x) for x, _ in meetings]
    check = maths(points[0]) if one else {"verifier": "set", "target": xs}
    found = [maybe_thought(text, steps, points[0] if one else ", ".join(xs), check, language, rng, 0.5)]
    count = "How many times do the graphs of f and g meet in the picture?" if en else "图中f与g的图象有几个交点？"
    found.append(short_turn(count, str(len(meetings)), {"verifier": "count", "target": len(meetings)}, language))
    size = [plane.canvas.width, plane.canvas.height]
    if one:
        at = plane.pixel(*map(float, meetings[0]))
        check = {"verifier": "point", "targets": [list(at)], "size": size, "radius": 14.0}
        found.append(
            Turn("Point to where the graphs meet." if en else "请指出两个图象的交点。", format_point(at, *size), check)
        )
    number = rng.randrange(2)
    function, colour = graphs.functions[number], colour_name(graphs.colours[number], language)
    ask = f"Which formula does the {colour} graph have?" if en else f"{colour}图象对应哪个解析式？"
    formulas = [f"$y = {other.latex}$" for other in (graphs.functions[1 - number], FAMILIES[function.family](rng))]
    right = f"$y = {function.latex}$"
    if len({right, *formulas}) == 3:
        found.append(choice_turn(ask, right, formulas, rng, language))
    for x in rng.sample(range(-5, 6), 4):
        first, second = (f.value(x) for f in graphs.functions)
        if abs(first - second) > 0.4 and all(plane.holds(x, value) for value in (first, second)):
            text = f"Which is greater at x = {x}, f(x) or g(x)?" if en else f"当x = {x}时，f(x)与g(x)哪个更大？"
            answer = "f(x)" if first > second else "g(x)"
            check = {"verifier": "exact", "target": answer, "accepted": [answer[0]]}
            found.append(short_turn(text, answer, check, language))
            break
    name = "f" if number == 0 else "g"
    text = f"What colour is the graph of {name}?" if en else f"{name}的图象是什么颜色？"
    found.append(short_turn(text, colour, {"verifier": "exact", "target": colour}, language))
    return found


def _turns(graphs: Graphs, language: str, rng: random.Random) -> list[Turn]:
    if len(graphs.functions) > 1:
        turns = _pair(graphs, language, rng)
    else:
        turns = single_turns(graphs.functions[0], graphs.plane, language, rng)
    return sorted(rng.sample(turns, min(len(turns), rng.choice((1, 2, 2, 3)))), key=_telling)


def _telling(turn: Turn) -> int:
    """How much of other answers a question or its answer tells; the steps of an answer, and a formula, come last."""
    text = turn.question
    if turn.check["verifier"] == "count" or "kind of function" in text or "哪类函数" in text:
        return 0
    formula = any(word in text for word in ("formula", "equation", "解析式"))
    return 1 + is_argued(turn) + 2 * formula


def _draft(graphs: Graphs, turns: list[Turn], language: str) -> Draft:
    plane = graphs.plane
    messages, checks = dialogue((plane.canvas.finish(),), turns)
    families = [function.family for function in graphs.functions]
    truth = {
        "functions": [
            {"name": name, "latex": f.latex, "expression": f.expression, "family": f.family, "colour": list(colour)}
            for name, f, colour in zip(graphs.names, graphs.functions, graphs.colours, strict=True)
        ],
        "axes": plane.record(),
        "range": [list(plane.low), list(plane.high)],
        "meetings": [[written(x), written(y)] for x, y in graphs.meetings],
    }
    hard = {"linear": 0.2, "quadratic": 0.35, "absolute": 0.35, "cubic": 0.45, "root": 0.45, "wave": 0.5}
    difficulty = max(hard.get(family, 0.55) for family in families) + 0.15 * (len(families) - 1) + 0.05 * len(turns)
    return Draft(
        messages,
        checks,
        truth=truth,
        capability="stem/function",
        domain="mathematics",
        difficulty=min(1.0, difficulty),
        language=language,
        regions=tuple(Region("intersection", points=(plane.pixel(float(x), float(y)),)) for x, y in graphs.meetings),
        tags={"families": families},
    )
