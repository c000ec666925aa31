"""The tails of the distributions that intervals and tests need, in plain Python, to nine digits or more.

SciPy has all of these; it isn't needed to run an evaluation, so the three that are needed stand here and are tested
against it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_TINY = 1e-300
_NORMAL = NormalDist()


def normal_quantile(share: float) -> float:
    """The value below which that share (0 < share < 1) of the standard normal lies."""
    return _NORMAL.inv_cdf(share)


def normal_cdf(value: float) -> float:
    """The share of the standard normal below a value, with full relative precision in the lower tail."""
    return 0.5 * math.erfc(-value / math.sqrt(2))


def student_tails(t: float, df: float) -> float:
    """P(|T| >= |t|) of Student's t with `df` > 0 degrees of freedom (`math.inf`: the normal).

    I_x(df/2, 1/2) at x = df / (df + t^2) (Abramowitz and Stegun 26.7.1), which keeps its relative precision where
    1 - cdf has none left.
    """
    if not df > 0:
        raise ValueError(f"Student's t needs more than 0 degrees of freedom, got {df}")
    if math.isinf(df) or math.isinf(t):
        return 0.0 if math.isinf(t) else 2 * normal_cdf(-abs(t))
    square = t * t
    return _beta(df / (df + square), square / (df + square), df / 2, 0.5)


@lru_cache(maxsize=1024)
def student_quantile(level: float, df: float) -> float:
    """The t with P(|T| <= t) = level: 1.96 for 0.95 of the normal, 12.7 with one degree of freedom."""
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, got {level}")
    tail = (1 - level) / 2
    if math.isinf(df):
        return -normal_quantile(tail)
    low, high = 0.0, 1.0
    while student_tails(high, df) > 2 * tail:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if student_tails(middle, df) > 2 * tail else (low, middle)
    return (low + high) / 2


def sign_test(wins: int, losses: int) -> float:
    """The exact two-sided p-value of `wins` against `losses` where both are equally likely; 1 without any.

    As McNemar's exact test of two classifiers on the same items uses it: 2 P(X <= min(wins, losses)), at most 1,
    X ~ B(wins + losses, 1/2). Computed in integers, so it is exact before the last division.
    """
    if wins < 0 or losses < 0:
        raise ValueError(f"{wins} wins and {losses} losses are no counts")
    n, least = wins + losses, min(wins, losses)
    total, term = 0, 1
    for k in range(least + 1):
        total += term
        term = term * (n - k) // (k + 1)
    doubled = 2 * total
    return 1.0 if doubled >= 1 << n else doubled / (1 << n)


def _beta(x: float, rest: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b); `rest` is 1 - x, given so that it isn't rounded away."""
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * _log(x, rest) + b * _log(rest, x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(rest, b, a) / b


def _log(x: float, rest: float) -> float:
    return math.log1p(-rest) if rest < 0.5 else math.log(x)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of I_x(a, b) (Abramowitz and Stegun 26.5.8), evaluated by Lentz's rule."""
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, 100_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + numerator * d
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = 1 + numerator / c
            c = c if abs(c) > _TINY else _TINY
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            return value
    raise ArithmeticError(f"the incomplete beta function didn't converge at x={x}, a={a}, b={b}")
