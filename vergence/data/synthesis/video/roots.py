"""When a distance that is a polynomial of time runs out: the exact moments of contacts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

_HALVINGS = 60
_CLOSE = 1e-7  # a gap that rounding left of a contact
_SLOW = 1e-9


def value(coefficients: Sequence[float], t: float) -> float:
    """A polynomial at t; coefficients begin with the constant."""
    total = 0.0
    for coefficient in reversed(coefficients):
        total = total * t + coefficient
    return total


def derivative(coefficients: Sequence[float]) -> list[float]:
    """The coefficients of the derivative."""
    return [power * coefficient for power, coefficient in enumerate(coefficients)][1:]


def roots(coefficients: Sequence[float], end: float) -> list[float]:
    """The real roots in 0..end at which a polynomial changes its sign, ascending.

    Between two extrema, which are the roots of the derivative, it is monotone, and halving finds the only root there.
    """
    terms = list(coefficients)
    while terms and terms[-1] == 0:
        terms.pop()
    if len(terms) < 2:
        return []
    if len(terms) == 2:
        root = -terms[0] / terms[1]
        return [root] if 0 <= root <= end else []
    if len(terms) == 3:
        return [root for root in _quadratic(*terms) if 0 <= root <= end]
    edges = [0.0, *roots(derivative(terms), end), end]
    found = []
    for low, high in itertools.pairwise(edges):
        if (value(terms, low) > 0) != (value(terms, high) > 0):
            found.append(_halve(terms, low, high))
    return found


def _quadratic(c: float, b: float, a: float) -> list[float]:
    under = b * b - 4 * a * c
    if under <= 0:
        return []
    q = -(b + math.copysign(math.sqrt(under), b)) / 2
    pair = [q / a, c / q] if q else [q / a]
    return sorted(pair)


def _halve(terms: Sequence[float], low: float, high: float) -> float:
    rising = value(terms, high) > 0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (value(terms, middle) > 0) == rising:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def first_contact(gap: Sequence[float], end: float) -> float | None:
    """The first time in 0..end at which a gap closes: it is nought there and getting smaller. None where it never does.

    A gap that is just closed and closing is a contact now; one that opens, or is well closed, is none.
    """
    slope = derivative(gap)
    if abs(gap[0]) <= _CLOSE and value(slope, 0.0) < -_SLOW:
        return 0.0
    return next((t for t in roots(gap, end) if value(slope, t) < -_SLOW), None)
