"""Formulas as trees, written in LaTeX and in Typst's language, and evaluated by Python's own floats."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["number", "symbol", "sum", "product", "fraction", "power", "root", "call", "series", "bars", "negative"]
FUNCTIONS = ("sin", "cos", "tan", "ln", "exp")
GREEK = ("alpha", "beta", "theta", "lambda", "mu")
LEFT, RIGHT = r"\left(", r"\right)"
LETTERS = ("x", "y", "a", "b", "c", "t", "p", "q")


@dataclass(frozen=True, slots=True)
class Formula:
    """A node: its kind, its text (a number, a symbol, a function's name, the index of a series), and its parts.

    The parts of a fraction are numerator and denominator; of a power base and exponent; of a root the index (or none)
    and what stands below it; of a series the lower limit, the upper limit and the term.
    """

    kind: Kind
    text: str = ""
    parts: tuple[Formula, ...] = ()


def number(value: int) -> Formula:
    """A whole number."""
    return Formula("number", str(value))


def draw_formula(rng: random.Random, depth: int, symbols: Sequence[str]) -> Formula:
    """A formula of at most `depth` levels in some of the symbols."""
    if depth <= 0 or rng.random() < 0.08:
        return Formula("symbol", rng.choice(symbols)) if rng.random() < 0.7 else number(rng.randint(2, 12))
    kind = rng.choice(("sum", "sum", "product", "fraction", "fraction", "power", "root", "call", "series", "bars"))
    if kind == "sum":
        parts: list[Formula] = []
        wanted = rng.choice((2, 2, 3))
        for _ in range(12):
            part = draw_formula(rng, depth - 1, symbols)
            plain = part.kind == "number" and any(other.kind == "number" for other in parts)
            if len(parts) < wanted and part not in parts and not plain:
                parts.append(part)
        signed = [parts[0], *(Formula("negative", "", (p,)) if rng.random() < 0.4 else p for p in parts[1:])]
        return Formula("sum", "", tuple(signed))
    if kind == "product":
        parts = [draw_formula(rng, depth - 1, symbols) for _ in range(2)]
        first = number(rng.randint(2, 9)) if rng.random() < 0.6 else parts[0]
        second = parts[1] if parts[1].kind != "number" else Formula("symbol", rng.choice(symbols))
        return Formula("product", "", (first, second))
    if kind == "power":
        base = draw_formula(rng, min(depth - 1, 1), symbols)
        base = base if base.kind in ("symbol", "sum") else Formula("symbol", rng.choice(symbols))
        others = [name for name in symbols if name not in free_symbols(base)]
        exponent = number(rng.randint(2, 5))
        if others and rng.random() < 0.25:
            exponent = Formula("symbol", rng.choice(others))
        return Formula("power", "", (base, exponent))
    if kind == "root":
        degree = (number(3),) if rng.random() < 0.25 else ()
        return Formula("root", "", (*degree, _with_symbol(rng, depth - 1, symbols)))
    if kind == "call":
        return Formula("call", rng.choice(FUNCTIONS), (_with_symbol(rng, min(depth - 1, 1), symbols),))
    if kind == "series":
        index = Formula("symbol", "k")
        term = Formula("power", "", (index, number(rng.randint(2, 3)))) if rng.random() < 0.5 else index
        if rng.random() < 0.5:
            term = Formula("fraction", "", (Formula("symbol", rng.choice(symbols)), term))
        return Formula("series", "k", (number(rng.randint(1, 2)), number(rng.randint(3, 6)), term))
    if kind == "bars":
        return Formula("bars", "", (_with_symbol(rng, depth - 1, symbols),))
    above, below = draw_formula(rng, depth - 1, symbols), _with_symbol(rng, depth - 1, symbols)
    return Formula("fraction", "", (above if above != below else number(rng.randint(2, 9)), below))


def _with_symbol(rng: random.Random, depth: int, symbols: Sequence[str]) -> Formula:
    """A formula that isn't a number alone, nor bars."""
    formula = draw_formula(rng, depth, symbols)
    return formula if formula.kind not in ("number", "bars") else Formula("symbol", rng.choice(symbols))


def evaluate(formula: Formula, values: Mapping[str, float]) -> float:
    """The value of a formula. Raises `ValueError`, `ZeroDivisionError` or `OverflowError` where it has none."""
    if formula.kind == "number":
        return float(formula.text)
    if formula.kind == "symbol":
        return values[formula.text]
    if formula.kind == "series":
        low, high = (int(part.text) for part in formula.parts[:2])
        return math.fsum(evaluate(formula.parts[2], {**values, formula.text: k}) for k in range(low, high + 1))
    parts = [evaluate(part, values) for part in formula.parts]
    if formula.kind == "sum":
        return math.fsum(parts)
    if formula.kind == "product":
        return math.prod(parts)
    if formula.kind == "fraction":
        return parts[0] / parts[1]
    if formula.kind == "power":
        return math.pow(*parts)
    if formula.kind == "root":
        if parts[-1] < 0:
            raise ValueError("a root of a negative number")
        return math.sqrt(parts[-1]) if len(parts) == 1 else math.pow(parts[-1], 1 / parts[0])
    if formula.kind == "negative":
        return -parts[0]
    if formula.kind == "bars":
        return abs(parts[0])
    return {"sin": math.sin, "cos": math.cos, "tan": math.tan, "ln": math.log, "exp": math.exp}[formula.text](parts[0])


def latex(formula: Formula) -> str:
    """The formula in LaTeX."""
    kind, text, parts = formula.kind, formula.text, formula.parts
    if kind == "number":
        return text
    if kind == "symbol":
        return f"\\{text}" if text in GREEK else text
    if kind == "negative":
        return f"-{_grouped(parts[0], latex, LEFT, RIGHT)}"
    if kind == "sum":
        return _signed([_term(part, number == len(parts), latex, LEFT, RIGHT) for number, part in enumerate(parts, 1)])
    if kind == "product":
        first, second = (_grouped(part, latex, LEFT, RIGHT) for part in parts)
        return f"{first} {second}" if _joins(parts) else rf"{first} \cdot {second}"
    if kind == "fraction":
        return rf"\frac{{{latex(parts[0])}}}{{{latex(parts[1])}}}"
    if kind == "power":
        return f"{_grouped(parts[0], latex, LEFT, RIGHT)}^{{{latex(parts[1])}}}"
    if kind == "root":
        index = f"[{latex(parts[0])}]" if len(parts) == 2 else ""
        return rf"\sqrt{index}{{{latex(parts[-1])}}}"
    if kind == "series":
        low, high, term = map(latex, parts)
        return rf"\sum_{{{text}={low}}}^{{{high}}} {term}"
    if kind == "bars":
        return rf"\left|{latex(parts[0])}\right|"
    return rf"\{text}\left({latex(parts[0])}\right)"


def typst_source(formula: Formula) -> str:
    """The formula in Typst's mathematics."""
    kind, text, parts = formula.kind, formula.text, formula.parts
    if kind in ("number", "symbol"):
        return text
    if kind == "negative":
        return f"-{_grouped(parts[0], typst_source, '(', ')')}"
    if kind == "sum":
        return _signed(
            [_term(part, number == len(parts), typst_source, "(", ")") for number, part in enumerate(parts, 1)]
        )
    if kind == "product":
        first, second = (_grouped(part, typst_source, "(", ")") for part in parts)
        return f"{first} {second}" if _joins(parts) else f"{first} dot {second}"
    if kind == "fraction":
        return f"frac({typst_source(parts[0])}, {typst_source(parts[1])})"
    if kind == "power":
        return f"{_grouped(parts[0], typst_source, '(', ')')}^({typst_source(parts[1])})"
    if kind == "root":
        below = typst_source(parts[-1])
        return f"sqrt({below})" if len(parts) == 1 else f"root({typst_source(parts[0])}, {below})"
    if kind == "series":
        low, high, term = map(typst_source, parts)
        return f"sum_({text}={low})^({high}) {term}"
    if kind == "bars":
        return f"abs({typst_source(parts[0])})"
    return f"{text}({typst_source(parts[0])})"


def _term(part: Formula, last: bool, write: Callable[[Formula], str], left: str, right: str) -> str:
    """A term of a sum; a series in front of other terms stands in parentheses, so that they aren't taken as its own."""
    return write(part) if last or part.kind != "series" else f"{left}{write(part)}{right}"


def _signed(terms: Sequence[str]) -> str:
    """Terms of a sum with plus signs but before a minus."""
    return terms[0] + "".join(f" - {term[1:]}" if term.startswith("-") else f" + {term}" for term in terms[1:])


def _grouped(formula: Formula, write: Callable[[Formula], str], left: str, right: str) -> str:
    """A part of a product or power, or behind a minus, in parentheses where it would be read otherwise."""
    text = write(formula)
    return f"{left}{text}{right}" if formula.kind in ("sum", "negative", "series") else text


def _joins(parts: Sequence[Formula]) -> bool:
    """Whether two factors may stand side by side without a dot: the second begins with no digit, and the first is no
    call, whose argument the second would seem to be a part of."""
    first, second = parts
    return _leading(second).kind not in ("number", "fraction") and first.kind in ("number", "symbol", "fraction")


def _leading(formula: Formula) -> Formula:
    """The leftmost leaf that is written first."""
    if formula.kind in ("product", "power") and formula.parts[0].kind not in ("sum", "negative", "series"):
        return _leading(formula.parts[0])
    return formula


def nodes(formula: Formula) -> list[Formula]:
    """The formula and all its parts, from the top."""
    return [formula, *(node for part in formula.parts for node in nodes(part))]


def free_symbols(formula: Formula) -> set[str]:
    """The symbols of a formula but for the indices of its series."""
    if formula.kind == "symbol":
        return {formula.text}
    found = {name for part in formula.parts for name in free_symbols(part)}
    return found - {formula.text} if formula.kind == "series" else found


def changed(formula: Formula, rng: random.Random) -> Formula:
    """The formula with one thing in it changed: a number, a symbol, a sign, a function, or a fraction upside down."""
    places = [node for node in nodes(formula) if node.kind in ("number", "symbol", "fraction", "call", "negative")]
    if not places:
        return formula
    old = rng.choice(places)
    if old.kind == "number":
        new = number(int(old.text) + rng.choice((1, 2)))
    elif old.kind == "symbol":
        new = Formula("symbol", rng.choice([name for name in ("x", "y", "a", "b") if name != old.text]))
    elif old.kind == "fraction":
        new = replace(old, parts=old.parts[::-1])
    elif old.kind == "call":
        new = replace(old, text=rng.choice([name for name in FUNCTIONS if name != old.text]))
    else:
        new = old.parts[0]
    return _replaced(formula, old, new)


def _replaced(formula: Formula, old: Formula, new: Formula) -> Formula:
    """The formula with the part `old` (this very object) replaced; in a series only the term may change."""
    if formula is old:
        return new
    return replace(formula, parts=tuple(_replaced(part, old, new) for part in formula.parts))
