"""The questions about the graph of one function."""

from __future__ import annotations

import math
import random
from typing import Any

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Turn
from vergence.data.synthesis.stem.axes import Plane
from vergence.data.synthesis.stem.deduction import latex, written
from vergence.data.synthesis.stem.functions import FAMILIES, NAMES, Function
from vergence.processing.coordinates import format_point


def maths(target: str) -> dict[str, Any]:
    """A check of a value or formula in LaTeX."""
    return {"verifier": "maths", "target": target}


def single_turns(function: Function, plane: Plane, language: str, rng: random.Random) -> list[Turn]:
    """Every question that one graph allows."""
    en = language == "en"
    found: list[Turn] = []
    for x, y in rng.sample(function.points, min(2, len(function.points))):
        text = (
            rng.choice(("What is the value of the function at x = {0}?", "Find f({0}) from the graph of f."))
            if en
            else rng.choice(("当x = {0}时，图中函数的值是多少？", "根据f的图象，求f({0})。"))
        ).format(written(x))
        step = (
            f"At x = {written(x)} the graph has the height y = {written(y)}."
            if en
            else f"在x轴上找到x = {written(x)}，图象在该处的纵坐标为{written(y)}。"
        )
        found.append(maybe_thought(text, [step], written(y), maths(latex(y)), language, rng, 0.25))
    if function.slope is not None and len(function.points) > 1:
        found += _about_line(function, language, rng)
    if function.family == "quadratic" and len(function.points) > 1:
        found += _about_parabola(function, language, rng)
    if function.vertex is not None and plane.holds(*map(float, function.vertex)):
        found += _about_vertex(function, plane, language, rng)
    zeros = [zero for zero in function.zeros if plane.low[0] < zero < plane.high[0]]
    if zeros and len(zeros) == len(function.zeros) and all(zero.denominator == 1 for zero in zeros):
        text = "At which x does the graph meet the x-axis?" if en else "图象与x轴交点的横坐标是多少？"
        many = (" Separate several by commas." if en else "若有多个，用逗号分隔。") if len(zeros) > 1 else ""
        answer = ", ".join(map(written, zeros))
        check = {"verifier": "set", "target": [written(zero) for zero in zeros]}
        found.append(short_turn(text + many, answer, check, language))
    for axis, place in function.asymptotes:
        line = "horizontal" if axis == "y" else "vertical"
        text = (
            f"Which {line} line does the graph come ever closer to?"
            if en
            else f"图象无限接近哪条{'水平' if axis == 'y' else '竖直'}直线？"
        )
        check = {"verifier": "exact", "target": f"{axis} = {written(place)}", "accepted": [f"{axis}={written(place)}"]}
        found.append(short_turn(text, f"{axis} = {written(place)}", check, language))
    if function.family == "wave":
        found += _about_wave(function, language)
    found.append(_which_formula(function, language, rng))
    others = rng.sample([family for family in FAMILIES if family != function.family], 3)
    kinds = [NAMES[family][0 if en else 1] for family in (function.family, *others)]
    text = "What kind of function is drawn?" if en else "图中画的是哪类函数？"
    found.append(choice_turn(text, kinds[0], kinds[1:], rng, language))
    return found


def maybe_thought(
    text: str, steps: list[str], answer: str, check: dict[str, Any], language: str, rng: random.Random, share: float
) -> Turn:
    """A question that asks for its steps, for a share of the samples, and otherwise for the answer alone."""
    if rng.random() < share:
        return thought_turn(text, steps, answer, check, language)
    return short_turn(text, answer, check, language)


def _about_line(function: Function, language: str, rng: random.Random) -> list[Turn]:
    en = language == "en"
    (x1, y1), (x2, y2) = sorted(rng.sample(function.points, 2))
    m, b = function.parameters
    names = [written(value) for value in (x1, y1, x2, y2)]
    minus = [f"({name})" if name.startswith("-") else name for name in names]
    sums = f"({names[3]} − {minus[1]}) / ({names[2]} − {minus[0]}) = {written(m)}"
    through = (
        f"The line passes through ({names[0]}, {names[1]}) and ({names[2]}, {names[3]})."
        if en
        else f"直线经过点({names[0]}, {names[1]})和({names[2]}, {names[3]})。"
    )
    slope = f"Its slope is {sums}." if en else f"斜率为{sums}。"
    found = [
        maybe_thought(
            "What is the slope of the line?" if en else "图中直线的斜率是多少？",
            [through, slope],
            _dollars(latex(m)),
            maths(latex(m)),
            language,
            rng,
            0.7,
        )
    ]
    if abs(b) <= 6:
        crosses = f"It crosses the y-axis at y = {written(b)}." if en else f"它与y轴交于y = {written(b)}处。"
        found.append(
            thought_turn(
                "Find the equation of the line in the form y = mx + b."
                if en
                else "求图中直线的解析式，写成y = kx + b的形式。",
                [through, slope, crosses],
                f"$y = {function.latex}$",
                maths(function.latex),
                language,
            )
        )
    return found


def _dollars(text: str) -> str:
    return f"${text}$" if "\\" in text else text


def _about_parabola(function: Function, language: str, rng: random.Random) -> list[Turn]:
    en = language == "en"
    a, h, k = function.parameters
    others = [point for point in function.points if point[0] != h]
    if not others or abs(k) > 6:
        return []
    x, y = rng.choice(others)
    base = f"x − {written(h)}" if h > 0 else f"x + {written(-h)}" if h else "x"
    square = f"({base})²" if h else "x²"
    k_term = "" if k == 0 else f" − {written(-k)}" if k < 0 else f" + {written(k)}"
    difference = f"({written(y)} − {f'({written(k)})' if k < 0 else written(k)})"
    quotient = f"{difference} / {written((x - h) ** 2)} = {written(a)}"
    steps = [
        f"The vertex is ({written(h)}, {written(k)}), so y = a{square}{k_term}."
        if en
        else f"顶点为({written(h)}, {written(k)})，设y = a{square}{k_term}。",
        f"The graph passes through ({written(x)}, {written(y)}), so a = {quotient}."
        if en
        else f"图象经过点({written(x)}, {written(y)})，所以a = {quotient}。",
        f"Multiplied out: $y = {function.latex}$." if en else f"展开得$y = {function.latex}$。",
    ]
    text = "Find the equation of the parabola." if en else "求图中抛物线的解析式。"
    return [thought_turn(text, steps, f"$y = {function.latex}$", maths(function.latex), language)]


def _about_vertex(function: Function, plane: Plane, language: str, rng: random.Random) -> list[Turn]:
    en = language == "en"
    assert function.vertex is not None
    h, k = function.vertex
    least = function.opens_up
    answer = f"({written(h)}, {written(k)})"
    size = [plane.canvas.width, plane.canvas.height]
    at = plane.pixel(float(h), float(k))
    word = ("lowest" if least else "highest") if en else ("最低" if least else "最高")
    extreme = ("least" if least else "greatest") if en else ("最小" if least else "最大")
    found = [
        short_turn(
            f"What are the coordinates of the {word} point of the graph?" if en else f"图象的{word}点的坐标是什么？",
            answer,
            maths(answer),
            language,
        ),
        short_turn(
            f"What is the {extreme} value of the function?" if en else f"该函数的{extreme}值是多少？",
            written(k),
            maths(latex(k)),
            language,
        ),
        Turn(
            f"Point to the {word} point of the graph." if en else f"请指出图象的{word}点。",
            format_point(at, *size),
            {"verifier": "point", "targets": [list(at)], "size": size, "radius": 14.0},
        ),
    ]
    below, above = f"$(-\\infty, {written(h)})$", f"$({written(h)}, +\\infty)$"
    right, wrong = (above, below) if least else (below, above)
    other = "$(-\\infty, +\\infty)$"
    text = "On which interval is the function increasing?" if en else "函数在哪个区间上单调递增？"
    found.append(choice_turn(text, right, [wrong, other], rng, language))
    return found


def _about_wave(function: Function, language: str) -> list[Turn]:
    en = language == "en"
    a, k, _ = function.parameters
    high, low = k + abs(a), k - abs(a)
    half_gap = f"({written(high)} − {f'({written(low)})' if low < 0 else written(low)}) / 2 = {written(abs(a))}"
    half = [
        f"The graph moves between y = {written(low)} and y = {written(high)}."
        if en
        else f"图象在y = {written(low)}与y = {written(high)}之间变化。",
        f"The amplitude is half the distance: {half_gap}." if en else f"振幅是差的一半：{half_gap}。",
    ]
    return [
        thought_turn(
            "What is the amplitude of the wave?" if en else "图中曲线的振幅是多少？",
            half,
            written(abs(a)),
            maths(latex(abs(a))),
            language,
        ),
        short_turn(
            "What is the smallest positive period of the function?" if en else "该函数的最小正周期是多少？",
            f"${function.period}$",
            maths(function.period),
            language,
        ),
        short_turn(
            "What is the greatest value of the function?" if en else "该函数的最大值是多少？",
            written(high),
            maths(latex(high)),
            language,
        ),
    ]


def _which_formula(function: Function, language: str, rng: random.Random) -> Turn:
    """A choice of four formulas of the same family."""
    wrong: list[Function] = []
    while len(wrong) < 3:
        other = FAMILIES[function.family](rng)
        if all(_differ(other, known) for known in (function, *wrong)):
            wrong.append(other)
    text = "Which formula belongs to the graph?" if language == "en" else "下列哪个解析式与图象相符？"
    return choice_turn(text, f"$y = {function.latex}$", [f"$y = {other.latex}$" for other in wrong], rng, language)


def _differ(first: Function, second: Function) -> bool:
    """Whether two functions have clearly different values somewhere in the picture."""
    if first.latex == second.latex:
        return False
    places = [-4.7, -3.1, -1.6, -0.4, 0.7, 1.9, 3.3, 4.8]
    values = [(first.value(x), second.value(x)) for x in places]
    return any(math.isnan(a) != math.isnan(b) or abs(a - b) > 0.5 for a, b in values)
