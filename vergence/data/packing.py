"""Best-fit packing of variable-length samples into rows of a token budget. Nothing is ever split or truncated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass
class Row(Generic[Item]):
    """One row being filled: its items with their lengths, and the tokens they take together."""

    items: list[Item] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Tokens in the row."""
        return sum(self.lengths)


class BestFitPacker(Generic[Item]):
    """Online best-fit: an item goes into the open row that it fills most; a row leaves when a new one is needed.

    `budget` is the length of a row in tokens, `open_rows` how many rows are kept open at a time (more rows waste less
    and hold more samples in memory). Source of the rule: Johnson et al. 1974, "Worst-case performance bounds for
    simple one-dimensional packing algorithms".
    """

    def __init__(self, budget: int, open_rows: int = 8) -> None:
        if budget < 1 or open_rows < 1:
            raise ValueError(f"budget and open_rows must be positive, got {budget} and {open_rows}")
        self.budget = budget
        self.open_rows = open_rows
        self.rows: list[Row[Item]] = []

    def add(self, item: Item, length: int) -> Row[Item] | None:
        """Place an item of `length` tokens; returns a finished row where one had to make room.

        Raises `ValueError` for a length that no row can hold: the caller drops or refuses such a sample by name.
        """
        if not 0 < length <= self.budget:
            raise ValueError(f"an item of {length} tokens doesn't fit a row of {self.budget}")
        finished = None
        fitting = [row for row in self.rows if row.tokens + length <= self.budget]
        if fitting:
            row = max(fitting, key=lambda r: r.tokens)
        else:
            if len(self.rows) == self.open_rows:
                finished = max(self.rows, key=lambda r: r.tokens)
                self.rows.remove(finished)
            row = Row()
            self.rows.append(row)
        row.items.append(item)
        row.lengths.append(length)
        return finished

    def flush(self) -> list[Row[Item]]:
        """All open rows, fullest first; the packer is empty afterwards."""
        rows = sorted(self.rows, key=lambda r: -r.tokens)
        self.rows = []
        return rows


def utilisation(rows: list[Row[Item]], budget: int) -> float:
    """Share of the rows' budget that holds tokens, between 0 and 1."""
    return sum(row.tokens for row in rows) / (len(rows) * budget) if rows else 0.0
