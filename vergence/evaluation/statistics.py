"""How sure is a score: intervals, standard errors, and comparisons of two models on the same questions."""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""The 0.975 quantile of the standard normal: two-sided intervals of 95%."""


def wilson(successes: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927, "Probable inference", J. Am. Stat. Assoc. 22, 209-212).

    The shares p with |p - successes/n| <= z sqrt(p (1 - p) / n), so it stays inside [0, 1] and doesn't shrink to a
    point at 0% and 100%. Without samples nothing is known: (0, 1). Raises `ValueError` unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} is not a proportion")
    if n == 0:
        return 0.0, 1.0
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    # Exact at the ends, where rounding would otherwise leave a trace.
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)
