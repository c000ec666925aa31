"""What is wrong with a task's data: each kind of problem once, with its count and the first places."""

from __future__ import annotations

PLACES_SHOWN = 3


class Problems:
    """Rows that were left out and why. What can be used is evaluated; what can't is named here and counted.

    Its length is the number of rows that were left out.
    """

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = {}
        self._remarks: list[str] = []

    def add(self, reason: str, where: str) -> None:
        """Note that the row at `where` was left out. Rows with the same reason share a line."""
        self._places.setdefault(" ".join(reason.split()), []).append(where)

    def remark(self, text: str) -> None:
        """Note something about all rows, of which none was left out for it."""
        self._remarks.append(text)

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    def lines(self) -> list[str]:
        """One line a reason, in the order of their first appearance: `2 rows left out: no answer (a.jsonl:3, :9)`."""
        return [*(_line(reason, places) for reason, places in self._places.items()), *self._remarks]


def _line(reason: str, places: list[str]) -> str:
    more = [f"and {len(places) - PLACES_SHOWN} more"] if len(places) > PLACES_SHOWN else []
    shown = ", ".join([*places[:PLACES_SHOWN], *more])
    return f"{len(places)} row{'s' if len(places) > 1 else ''} left out: {reason} ({shown})"
