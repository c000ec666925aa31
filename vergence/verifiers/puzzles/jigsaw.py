"""A jigsaw: the numbers of the pieces, row by row, as they lie in the whole picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vergence.verifiers.puzzles.reading import read_numbers


def jigsaw(check: Mapping[str, Any], answer: str) -> float:
    """1 for the pieces of `order`; else half the share of those that lie right, 0 where a piece is missing or twice."""
    numbers, order = read_numbers(answer), list(check["order"])
    if numbers is None or sorted(numbers) != sorted(order):
        return 0.0
    right = sum(number == place for number, place in zip(numbers, order, strict=True))
    return 1.0 if right == len(order) else 0.5 * right / len(order)
