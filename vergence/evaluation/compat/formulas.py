"""Whether two formulas are equal as other harnesses see it: what Python makes of sympy's way of writing them.

Both codes give a text to Python's `eval`; here only arithmetic is computed, in a worker process, because sympy and
Python alike may take for ever.
"""

from __future__ import annotations

import ast
import functools
import importlib
import operator
from collections.abc import Callable, Mapping
from typing import Any

from vergence.errors import UsageError
from vergence.verifiers.pool import Pool, WorkerCrashed

SECONDS = 5.0
"""How long one comparison may take; what takes longer is not equal."""


def decided(equal: Callable[[str, str], bool], first: str, second: str) -> bool:
    """The verdict of a worker, False where it takes too long; texts that are the same, or nothing, need none."""
    left, right = first.lower(), second.lower()
    if not left.strip() or not right.strip():
        return left.strip() == right.strip() and equal is python_equal
    if left.strip() == right.strip():
        return True
    try:
        return _POOL.call(equal, (left, right), SECONDS)
    except ImportError:
        raise UsageError("reading LaTeX needs latex2sympy2_extended: pip install 'vergence[eval]'") from None
    except (TimeoutError, WorkerCrashed, MemoryError, RecursionError):
        return False


def _prepare() -> None:
    """In a worker, once: what is slow to import."""
    _latex2sympy()


_POOL = Pool(workers=2, memory=3 * 2**30, prepare=_prepare)


@functools.cache
def _latex2sympy() -> Callable[[str], Any]:
    """The parser that the official code names where it is installed, otherwise its maintained successor."""
    try:
        return importlib.import_module("latex2sympy2").latex2sympy
    except ImportError:
        return importlib.import_module("latex2sympy2_extended").latex2sympy


@functools.lru_cache(maxsize=4096)
def _expression(latex: str) -> Any:
    return _latex2sympy()(latex)


def rounded_equal(first: str, second: str) -> bool:
    """MathVision's: two answers in lower case as tuples of rounded values, or as values rounded to two decimals."""
    left, right = _rounded_tuple(first), _rounded_tuple(second)
    if left == right:
        return True
    try:
        return bool(round(_value(left), 2) == round(_value(right), 2))
    except Exception:
        return False


def _value(latex: str) -> Any:
    return arithmetic(str(_expression(latex)))


def _rounded_tuple(text: str) -> str:
    """ "(1/2, 3)" as "(0.5,3)"; the text itself where one of the parts has no value."""
    parts = text[1:-1].split(",")
    if len(parts) < 2 or text[0] + text[-1] not in ("()", "[]"):
        return text
    try:
        values = [p if "infty" in p or p in ("a", "-a") else str(round(_value(p), 2)) for p in parts]
    except Exception:
        return text
    return text[0] + ",".join(values) + text[-1]


def python_equal(first: str, second: str) -> bool:
    """VLMEvalKit's: reference and answer in lower case as Python, then as LaTeX, to 1e-6.

    The code that is copied keeps the two in variables `a` and `b`, which the texts can name.
    """
    left, right = first.strip(), second.strip()
    try:
        value = arithmetic(left)
        if abs(value - arithmetic(right, {"a": value})) < 1e-6:
            return True
    except Exception:
        pass  # not numbers in Python
    try:
        names = {"a": _expression(left), "b": _expression(right)}
        close = abs(arithmetic(str(names["a"]), names) - arithmetic(str(names["b"]), names)) < 1e-6
        return bool(close) or bool(abs(names["a"] - names["b"]) < 1e-6)
    except Exception:
        return False


_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitXor: operator.xor,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def arithmetic(text: str, names: Mapping[str, Any] | None = None) -> Any:
    """What Python's `eval` makes of numbers, operators and the given names; `ValueError` or `SyntaxError` otherwise.

    May take for ever ("9**9**9**9"): to be called in a worker.
    """
    return _computed(ast.parse(text, mode="eval").body, names or {})


def _computed(node: ast.expr, names: Mapping[str, Any]) -> Any:
    def value(part: ast.expr) -> Any:
        return _computed(part, names)

    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | complex):
        return node.value
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](value(node.left), value(node.right))
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS[type(node.op)](value(node.operand))
    if isinstance(node, ast.BoolOp):
        values = [value(part) for part in node.values]
        stop = isinstance(node.op, ast.Or)
        return next((found for found in values[:-1] if bool(found) is stop), values[-1])
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPERATORS:
        return _OPERATORS[type(node.ops[0])](value(node.left), value(node.comparators[0]))
    raise ValueError(f"not arithmetic: {ast.dump(node)[:60]}")
