"""Proofs by forward chaining: relations between the quantities of a figure, and what follows from some that are given.

A quantity is named as it is written: "∠ABC" (degrees), "AB" (a length), "△ABC" or another figure's sign for an area. A
relation that has all values but one gives the last; its reason is a theorem's name. Values are exact fractions, and
`Root` where a square root is left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

REASONS: Mapping[str, tuple[str, str]] = {
    "triangle": ("The angles of triangle {0} add up to 180°", "三角形{0}的内角和为180°"),
    "isosceles": (
        "In triangle {0} two sides are equal, so the angles opposite to them are equal",
        "在三角形{0}中，等边对等角",
    ),
    "apex": ("In isosceles triangle {0} the base angles are equal", "等腰三角形{0}的两底角相等"),
    "straight": ("The angles at {0} form a straight line", "{0}处的两角互为邻补角"),
    "exterior": (
        "An exterior angle of triangle {0} is the sum of the two remote interior angles",
        "三角形{0}的外角等于与它不相邻的两个内角之和",
    ),
    "parts": ("The ray {0} splits the angle", "射线{0}把这个角分成两部分"),
    "bisector": ("{0} is a bisector", "{0}是角平分线"),
    "vertical": ("Vertical angles are equal", "对顶角相等"),
    "corresponding": ("Corresponding angles at parallel lines are equal", "两直线平行，同位角相等"),
    "alternate": ("Alternate interior angles at parallel lines are equal", "两直线平行，内错角相等"),
    "interior": ("Co-interior angles at parallel lines add up to 180°", "两直线平行，同旁内角互补"),
    "zigzag": (
        "A line through {0} parallel to both splits the angle there into two alternate angles",
        "过点{0}作平行线，由内错角相等",
    ),
    "central": ("A central angle is twice the inscribed angle on the same arc", "同弧所对的圆心角是圆周角的两倍"),
    "same_arc": ("Inscribed angles on the same arc are equal", "同弧所对的圆周角相等"),
    "thales": ("The angle in a semicircle is a right angle", "直径所对的圆周角是直角"),
    "cyclic": ("Opposite angles of a cyclic quadrilateral add up to 180°", "圆内接四边形的对角互补"),
    "tangent": ("A tangent is perpendicular to the radius at the point of contact", "切线垂直于过切点的半径"),
    "quadrilateral": ("The angles of quadrilateral {0} add up to 360°", "四边形{0}的内角和为360°"),
    "tangents": ("The two tangents from {0} are equally long", "从点{0}引的两条切线长相等"),
    "radii": ("Radii of a circle are equal", "同圆的半径相等"),
    "pythagoras": ("Pythagoras in right triangle {0}", "在直角三角形{0}中，由勾股定理"),
    "segment": ("The point {0} divides the segment", "点{0}把线段分成两段"),
    "segment_sum": ("The sum of the two parallel sides", "上底与下底之和"),
    "similar": (
        "Triangles {0} and {1} are similar, so their sides are in proportion",
        "三角形{0}与三角形{1}相似，对应边成比例",
    ),
    "triangle_area": ("The area of a triangle is half of base times height", "三角形面积等于底乘高的一半"),
    "trapezoid_area": (
        "The area of a trapezoid is half of the sum of the parallel sides times the height",
        "梯形面积等于上底与下底之和乘高的一半",
    ),
    "parallelogram_area": ("The area of a parallelogram is base times height", "平行四边形面积等于底乘高"),
    "two_areas": ("The area of triangle {0} can be written in two ways", "三角形{0}的面积有两种表示方法"),
    "opposite_sides": ("Opposite sides of a parallelogram are equal", "平行四边形的对边相等"),
}
"""A theorem's key -> its name as it opens a step, in English and Chinese."""

THEOREMS: Mapping[str, tuple[str, str]] = {
    "triangle": ("The angles of a triangle add up to 180°", "三角形的内角和为180°"),
    "isosceles": ("Angles opposite to equal sides of a triangle are equal", "在三角形中，等边对等角"),
    "apex": (
        "In an isosceles triangle, the angle at the apex and twice a base angle add up to 180°",
        "等腰三角形的顶角与两个相等的底角之和为180°",
    ),
    "straight": ("Two angles that form a straight line add up to 180°", "互为邻补角的两角之和为180°"),
    "exterior": (
        "An exterior angle of a triangle is the sum of the two remote interior angles",
        "三角形的外角等于与它不相邻的两个内角之和",
    ),
    "parts": ("An angle is the sum of the parts into which a ray splits it", "一个角等于被射线分成的两部分之和"),
    "bisector": ("A bisector halves an angle", "角平分线平分角"),
    "quadrilateral": ("The angles of a quadrilateral add up to 360°", "四边形的内角和为360°"),
    "tangents": ("The two tangents from a point are equally long", "从圆外一点引圆的两条切线长相等"),
    "pythagoras": ("Pythagoras' theorem in a right triangle", "直角三角形的勾股定理"),
    "segment": ("A segment is the sum of its parts", "线段等于它的各部分之和"),
    "similar": ("The sides of similar triangles are in proportion", "相似三角形的对应边成比例"),
    "two_areas": ("The area of a triangle can be written in two ways", "同一三角形的面积有两种表示方法"),
    **{key: names for key, names in REASONS.items() if "{" not in names[0] and key != "segment_sum"},
}
"""A theorem's key -> its name without the points of a figure, in English and Chinese."""

_DECIMALS = 4
"""Most decimals that are written; what needs more, or has no end, is written as a fraction."""


@dataclass(frozen=True, slots=True)
class Root:
    """`factor` times the square root of `radicand`, a square-free whole number above one."""

    factor: Fraction
    radicand: int

    def __float__(self) -> float:
        return float(self.factor) * math.sqrt(self.radicand)


Value = Fraction | Root


def square_root(value: Fraction) -> Value:
    """The exact square root of a fraction above zero."""
    inside, outside, factor = value.numerator * value.denominator, 1, 2
    while factor * factor <= inside:
        while inside % (factor * factor) == 0:
            inside, outside = inside // (factor * factor), outside * factor
        factor += 1
    share = Fraction(outside, value.denominator)
    return share if inside == 1 else Root(share, inside)


def written(value: Value) -> str:
    """A value as it stands in a line of text, exactly: "12", "37.5", "20/3", "5√3"."""
    if isinstance(value, Root):
        factor = written(value.factor)
        return f"{'' if factor == '1' else factor}√{value.radicand}"
    if value.denominator == 1 or 10**_DECIMALS % value.denominator:
        return str(value)
    return f"{float(value):.{_DECIMALS}f}".rstrip("0")


def latex(value: Value) -> str:
    """A value as LaTeX: "12", "37.5", "\\frac{20}{3}", "5\\sqrt{3}"."""
    if isinstance(value, Root):
        top, below = value.factor.numerator, value.factor.denominator
        above = f"{'' if top == 1 else top}\\sqrt{{{value.radicand}}}"
        return above if below == 1 else f"\\frac{{{above}}}{{{below}}}"
    text = written(value)
    sign, size = "-" if value < 0 else "", abs(value.numerator)
    return f"{sign}\\frac{{{size}}}{{{value.denominator}}}" if "/" in text else text


def unit(name: str) -> str:
    """The sign behind a quantity's number."""
    return "°" if name.startswith("∠") else ""


@dataclass(frozen=True, slots=True)
class Step:
    """One application of a theorem: which quantity it gives, from which, and how that is written."""

    quantity: str
    value: Value
    reason: str
    about: tuple[str, ...]
    uses: tuple[str, ...]
    working: str

    def sentence(self, language: str) -> str:
        """The step in a line."""
        english = language == "en"
        reason = REASONS[self.reason][0 if english else 1].format(*self.about)
        result = f"{self.quantity} = {self.working}"
        return f"{reason}: {result}." if english else f"{reason}：{result}。"


@dataclass(frozen=True, slots=True)
class Linear:
    """The sum of coefficient times quantity over `terms` is `total`."""

    reason: str
    terms: tuple[tuple[str, int], ...]
    total: int = 0
    about: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.terms)

    def solve(self, unknown: str, known: Mapping[str, Value]) -> Step | None:
        """The step that gives the only unknown quantity; None where a root is in the way."""
        factor = dict(self.terms)[unknown]
        others = [(name, coefficient) for name, coefficient in self.terms if name != unknown]
        rest, sign = Fraction(self.total), unit(unknown)
        symbols, numbers = ([f"{self.total}{sign}"] if self.total else [] for _ in range(2))
        for name, coefficient in others:
            value = known[name]
            if isinstance(value, Root):
                return None
            rest -= coefficient * value
            minus = (coefficient > 0) == (factor > 0)
            times = "" if abs(coefficient) == 1 else str(abs(coefficient))
            for parts, text in ((symbols, times + name), (numbers, f"{times and times + ' × '}{written(value)}{sign}")):
                parts.append(f" − {text}" if minus else f" + {text}" if parts else text)
        value = rest / factor
        over = "" if abs(factor) == 1 else f" / {abs(factor)}"
        sides = ["".join(parts) for parts in (symbols, numbers)]
        sides = [f"({side}){over}" if over and len(symbols) > 1 else side + over for side in sides]
        lines = [*sides, f"{written(value)}{sign}"] if others else [f"{written(value)}{sign}"]
        working = " = ".join(dict.fromkeys(lines))
        return Step(unknown, value, self.reason, self.about, tuple(name for name, _ in others), working)


@dataclass(frozen=True, slots=True)
class Product:
    """`factor` times the product of `above` over the product of `below` is one; a proportion or an area."""

    reason: str
    above: tuple[str, ...]
    below: tuple[str, ...]
    factor: Fraction = Fraction(1)
    about: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return self.above + self.below

    def solve(self, unknown: str, known: Mapping[str, Value]) -> Step | None:
        """The step that gives the only unknown quantity; None where a root is in the way."""
        on_top = unknown in self.above
        top, bottom = (self.below, self.above) if on_top else (self.above, self.below)
        value = 1 / self.factor if on_top else self.factor
        left = [name for name in bottom if name != unknown]
        for names, power in ((top, 1), (bottom, -1)):
            for name in names:
                other = known.get(name)
                if name == unknown:
                    continue
                if not isinstance(other, Fraction):
                    return None
                value *= other**power
        scale = 1 / self.factor if on_top else self.factor
        symbols = _quotient(scale, list(top), left)
        numbers = _quotient(scale, [written(known[name]) for name in top], [written(known[name]) for name in left])
        uses = tuple(name for name in self.names if name != unknown)
        return Step(unknown, value, self.reason, self.about, uses, f"{symbols} = {numbers} = {written(value)}")


def _quotient(scale: Fraction, above: list[str], below: list[str]) -> str:
    """A scale times a product over a product, as text; a sum among the factors is put in brackets."""
    above, below = ([f"({part})" if " " in part else part for part in parts] for parts in (above, below))
    above = ([str(scale.numerator)] if scale.numerator != 1 or not above else []) + above
    below = ([str(scale.denominator)] if scale.denominator != 1 else []) + below
    text = " × ".join(above)
    if not below:
        return text
    return f"{text} / {below[0]}" if len(below) == 1 else f"{text} / ({' × '.join(below)})"


@dataclass(frozen=True, slots=True)
class Pythagoras:
    """The squares of two legs add up to the hypotenuse's."""

    legs: tuple[str, str]
    hypotenuse: str
    about: tuple[str, ...]
    reason: str = "pythagoras"

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.legs, self.hypotenuse)

    def solve(self, unknown: str, known: Mapping[str, Value]) -> Step | None:
        """The step that gives the only unknown side; None where a root is in the way."""
        uses = tuple(name for name in self.names if name != unknown)
        if unknown != self.hypotenuse:
            uses = (self.hypotenuse, *(name for name in uses if name != self.hypotenuse))
        first, second = (known[name] for name in uses)
        if not isinstance(first, Fraction) or not isinstance(second, Fraction):
            return None
        sign = 1 if unknown == self.hypotenuse else -1
        value = square_root(first**2 + sign * second**2)
        between = "+" if sign > 0 else "−"
        symbols = f"√({uses[0]}² {between} {uses[1]}²)"
        numbers = f"√({_squared(first)} {between} {_squared(second)})"
        working = f"{symbols} = {numbers} = {written(value)}"
        return Step(unknown, value, self.reason, self.about, uses, working)


def _squared(value: Fraction) -> str:
    text = written(value)
    return f"({text})²" if "/" in text else f"{text}²"


Relation = Linear | Product | Pythagoras


def deduce(relations: Sequence[Relation], given: Mapping[str, Value]) -> dict[str, Step]:
    """All that follows from what is given: quantity -> the step that gives it first, in the order of discovery."""
    known, found = dict(given), dict[str, Step]()
    while True:
        new: dict[str, Step] = {}
        for relation in relations:
            unknown = [name for name in relation.names if name not in known]
            if len(unknown) == 1 and unknown[0] not in new:
                step = relation.solve(unknown[0], known)
                if step is not None:
                    new[unknown[0]] = step
        if not new:
            return found
        found |= new
        known |= {name: step.value for name, step in new.items()}


def chain(found: Mapping[str, Step], target: str) -> list[Step]:
    """The steps that lead to a quantity, each after those that it needs."""
    needed: set[str] = {target}
    for name in reversed(list(found)):
        if name in needed:
            needed |= set(found[name].uses)
    return [step for name, step in found.items() if name in needed]
