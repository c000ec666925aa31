"""Families of functions with whole or simple numbers: their formula, values, and what can be read off their graphs."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

Point = tuple[Fraction, Fraction]
NAN = math.nan


@dataclass(slots=True)
class Function:
    """A function: LaTeX of its right-hand side, the same for sympy, its values (not a number outside of its domain),
    and its features, of which those that it doesn't have are empty."""

    family: str
    latex: str
    expression: str
    value: Callable[[float], float]
    parameters: tuple[Fraction, ...]
    zeros: tuple[Fraction, ...] = ()
    vertex: Point | None = None
    opens_up: bool = True
    slope: Fraction | None = None
    points: tuple[Point, ...] = ()
    """Points of the graph with whole coordinates, none of them outside of -6..6."""
    period: str = ""
    asymptotes: tuple[tuple[str, Fraction], ...] = field(default_factory=tuple)


def _term(value: Fraction, name: str = "", *, first: bool = False) -> str:
    """A signed term of a sum in LaTeX, "" for zero; a factor of one isn't written."""
    if value == 0:
        return ""
    sign = ("-" if value < 0 else "") if first else (" - " if value < 0 else " + ")
    size = abs(value)
    whole = size.denominator == 1
    number = str(size) if whole else f"\\frac{{{size.numerator}}}{{{size.denominator}}}"
    return f"{sign}{'' if size == 1 and name else number}{name}"


def _shift(h: Fraction) -> str:
    """x - h in LaTeX, without brackets where h is zero."""
    return "x" if h == 0 else f"x{_term(-h)}"


def _whole_points(exact: Callable[[int], Fraction | None]) -> tuple[Point, ...]:
    """Points with whole coordinates in -6..6."""
    found = []
    for x in range(-6, 7):
        y = exact(x)
        if y is not None and y.denominator == 1 and abs(y) <= 6:
            found.append((Fraction(x), y))
    return tuple(found)


def make_linear(m: Fraction, b: Fraction) -> Function:
    """m x + b."""
    return Function(
        "linear",
        _term(m, "x", first=True) + _term(b),
        f"({m})*x + ({b})",
        lambda x: float(m) * x + float(b),
        (m, b),
        zeros=(-b / m,),
        slope=m,
        points=_whole_points(lambda x: m * x + b),
    )


def make_quadratic(a: Fraction, h: Fraction, k: Fraction) -> Function:
    """a (x - h)² + k, written out."""
    b, c = -2 * a * h, a * h * h + k
    square = -k / a
    root = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator)) if square >= 0 else None
    zeros: tuple[Fraction, ...] = ()
    if root is not None and root * root == square:
        zeros = (h,) if root == 0 else (h - root, h + root)
    return Function(
        "quadratic",
        _term(a, "x^{2}", first=True) + _term(b, "x") + _term(c),
        f"({a})*x**2 + ({b})*x + ({c})",
        lambda x: float(a) * (x - float(h)) ** 2 + float(k),
        (a, h, k),
        zeros=zeros,
        vertex=(h, k),
        opens_up=a > 0,
        points=_whole_points(lambda x: a * (x - h) ** 2 + k),
    )


def linear(rng: random.Random) -> Function:
    """A line with a slope that steps of whole numbers show."""
    m = Fraction(rng.choice((-3, -2, -1, 1, 2, 3)), rng.choice((1, 1, 1, 2, 3)))
    return make_linear(m, Fraction(rng.randint(-4, 4)))


def quadratic(rng: random.Random) -> Function:
    """A parabola with a vertex at whole numbers."""
    a = Fraction(rng.choice((-2, -1, -1, 1, 1, 2)), rng.choice((1, 1, 2)))
    h = Fraction(rng.randint(-3, 3))
    k = -a * rng.choice((1, 4, 4, 9)) if rng.random() < 0.6 else Fraction(rng.randint(-4, 4))
    return make_quadratic(a, h, k if abs(k) <= 5 else -a * 4)


def cubic(rng: random.Random) -> Function:
    """A third of the product of three linear factors with whole zeros."""
    first, second, third = sorted(rng.sample(range(-4, 5), 3))
    scale = Fraction(rng.choice((-1, 1)), rng.choice((2, 3, 4)))
    factors = "".join("x" if r == 0 else f"({_shift(Fraction(r))})" for r in (first, second, third))

    def exact(x: int) -> Fraction:
        return scale * (x - first) * (x - second) * (x - third)

    return Function(
        "cubic",
        _term(scale, factors, first=True),
        f"({scale})*(x - ({first}))*(x - ({second}))*(x - ({third}))",
        lambda x: float(scale) * (x - first) * (x - second) * (x - third),
        (scale, *map(Fraction, (first, second, third))),
        zeros=tuple(map(Fraction, (first, second, third))),
        points=_whole_points(exact),
    )


def absolute(rng: random.Random) -> Function:
    """A kink at whole numbers."""
    a, h, k = Fraction(rng.choice((-2, -1, 1, 2))), Fraction(rng.randint(-3, 3)), Fraction(rng.randint(-4, 4))
    away = -k / a
    zeros = () if away < 0 else (h,) if away == 0 else (h - away, h + away)
    return Function(
        "absolute",
        _term(a, f"\\left|{_shift(h)}\\right|", first=True) + _term(k),
        f"({a})*Abs(x - ({h})) + ({k})",
        lambda x: float(a) * abs(x - float(h)) + float(k),
        (a, h, k),
        zeros=zeros,
        vertex=(h, k),
        opens_up=a > 0,
        points=_whole_points(lambda x: a * abs(x - h) + k),
    )


def root(rng: random.Random) -> Function:
    """A square root that begins at whole numbers."""
    a, h, k = Fraction(rng.choice((-2, -1, 1, 2))), Fraction(rng.randint(-5, 1)), Fraction(rng.randint(-3, 3))

    def exact(x: int) -> Fraction | None:
        inside = x - int(h)
        side = math.isqrt(inside) if inside >= 0 else 0
        return a * side + k if side * side == inside else None

    return Function(
        "root",
        _term(a, f"\\sqrt{{{_shift(h)}}}", first=True) + _term(k),
        f"({a})*sqrt(x - ({h})) + ({k})",
        lambda x: float(a) * math.sqrt(x - float(h)) + float(k) if x >= h else NAN,
        (a, h, k),
        points=_whole_points(exact),
    )


def exponential(rng: random.Random) -> Function:
    """A power with the variable in the exponent, shifted up or down."""
    base, k = rng.choice((Fraction(2), Fraction(3), Fraction(1, 2), Fraction(1, 3))), Fraction(rng.randint(-4, 2))
    name = f"{base}^{{x}}" if base.denominator == 1 else f"\\left(\\frac{{1}}{{{base.denominator}}}\\right)^{{x}}"
    return Function(
        "exponential",
        name + _term(k),
        f"({base})**x + ({k})",
        lambda x: float(base) ** x + float(k),
        (base, k),
        points=_whole_points(lambda x: base**x + k),
        asymptotes=(("y", k),),
    )


def logarithm(rng: random.Random) -> Function:
    """A logarithm to base 2 or 3, shifted sideways."""
    base, h = rng.choice((2, 3)), Fraction(rng.randint(-4, 2))

    def exact(x: int) -> Fraction | None:
        power = next((n for n in range(5) if base**n == x - h), None)
        return None if power is None else Fraction(power)

    return Function(
        "logarithm",
        f"\\log_{{{base}}}({_shift(h)})" if h else f"\\log_{{{base}}} x",
        f"log(x - ({h}), {base})",
        lambda x: math.log(x - float(h)) / math.log(base) if x > h else NAN,
        (Fraction(base), h),
        zeros=(h + 1,),
        points=_whole_points(exact),
        asymptotes=(("x", h),),
    )


def reciprocal(rng: random.Random) -> Function:
    """A hyperbola with its asymptotes at whole numbers."""
    c, h, k = (Fraction(rng.choice(choices)) for choices in ((-6, -4, -2, 2, 4, 6), range(-2, 3), range(-2, 3)))
    zeros = () if k == 0 else (h - c / k,)
    below = _shift(h)
    return Function(
        "reciprocal",
        f"{'-' if c < 0 else ''}\\frac{{{abs(c)}}}{{{below}}}" + _term(k),
        f"({c})/(x - ({h})) + ({k})",
        lambda x: float(c) / (x - float(h)) + float(k) if x != h else NAN,
        (c, h, k),
        zeros=zeros,
        points=_whole_points(lambda x: None if x == h else c / (x - h) + k),
        asymptotes=(("x", h), ("y", k)),
    )


def sine(rng: random.Random) -> Function:
    """A wave whose period is a whole number of quarters of π; its features are read on an axis marked in π/2."""
    a, k, b = Fraction(rng.choice((1, 2, 3, -1, -2, -3))), Fraction(rng.randint(-2, 2)), rng.choice((1, 1, 2))
    name = rng.choice(("sin", "cos"))
    wave = math.sin if name == "sin" else math.cos
    inside = "x" if b == 1 else f"{b}x"
    return Function(
        "wave",
        _term(a, f"\\{name} {inside}", first=True) + _term(k),
        f"({a})*{name}({b}*x) + ({k})",
        lambda x: float(a) * wave(b * x) + float(k),
        (a, k, Fraction(b)),
        period="2\\pi" if b == 1 else "\\pi",
    )


FAMILIES: Mapping[str, Callable[[random.Random], Function]] = {
    "linear": linear,
    "quadratic": quadratic,
    "cubic": cubic,
    "absolute": absolute,
    "root": root,
    "exponential": exponential,
    "logarithm": logarithm,
    "reciprocal": reciprocal,
    "wave": sine,
}
"""Name of a family -> a random function of it."""

NAMES: Mapping[str, tuple[str, str]] = {
    "linear": ("linear function", "一次函数"),
    "quadratic": ("quadratic function", "二次函数"),
    "cubic": ("cubic function", "三次函数"),
    "absolute": ("absolute value function", "绝对值函数"),
    "root": ("square root function", "根式函数"),
    "exponential": ("exponential function", "指数函数"),
    "logarithm": ("logarithmic function", "对数函数"),
    "reciprocal": ("reciprocal function (hyperbola)", "反比例型函数（双曲线）"),
    "wave": ("trigonometric function", "三角函数"),
}
"""Name of a family -> as a question names it."""
