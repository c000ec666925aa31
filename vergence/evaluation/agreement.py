"""Do two judges agree? Pure functions on their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two judges agree: on `n` answers that both scored; `left_out` are those that one of them didn't."""

    n: int
    left_out: int
    observed: float | None
    kappa: float | None


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Agreement of two judges on the same answers beyond chance (Cohen 1960, Educ. Psychol. Meas. 20, 37-46).

    kappa = (p_o - p_e) / (1 - p_e), with p_o the share of equal labels and p_e that of two judges who give their own
    labels at random. None without answers, and where both judges give one and the same label throughout, so that
    agreement by chance is certain. Raises `ValueError` for lists of different lengths.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} labels of one judge and {len(second)} of the other")
    n = len(first)
    mine, theirs = Counter(first), Counter(second)
    chance = sum(count * theirs[label] for label, count in mine.items())  # times n squared
    if not n or chance == n * n:
        return None
    observed = sum(one == other for one, other in zip(first, second, strict=True))
    return (observed * n - chance) / (n * n - chance)


def agreement(
    first: Sequence[float | None],
    second: Sequence[float | None],
    label: Callable[[float], Hashable] = lambda score: score,
) -> Agreement:
    """Agreement of two judges' scores of the same answers, None where a judge gave none.

    `label` turns a score into a class, such as right or wrong. Raises `ValueError` for lists of different lengths.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} scores of one judge and {len(second)} of the other")
    pairs = zip(first, second, strict=True)
    both = [(label(one), label(other)) for one, other in pairs if one is not None and other is not None]
    kappa = cohen_kappa([one for one, _ in both], [other for _, other in both])
    observed = sum(one == other for one, other in both) / len(both) if both else None
    return Agreement(len(both), len(first) - len(both), observed, kappa)
