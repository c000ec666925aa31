"""What is wrong with a file, kind by kind: counted, with the first few examples, and without ending the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of fault: what it is, how often it was found, and where (at most five examples)."""

    kind: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line: `duplicate question_id: 8 (3_165, 5_84, ...)`."""
        more = ", ..." if self.count > len(self.examples) else ""
        shown = f" ({', '.join(self.examples)}{more})" if self.examples else ""
        return f"{self.kind}: {self.count}{shown}"

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"kind": self.kind, "count": self.count, "examples": list(self.examples)}


class Problems:
    """Collects faults in the order in which their kinds first appear."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, tuple[str, ...]]] = {}

    def add(self, kind: str, example: object = None, count: int = 1) -> None:
        """Note a fault; an example is shown on one line and cut at 60 characters."""
        before, examples = self._found.get(kind, (0, ()))
        if example is not None and len(examples) < _SHOWN:
            text = "".join(c if c.isprintable() else " " for c in str(example))
            examples = (*examples, text if len(text) <= 60 else text[:57] + "...")
        self._found[kind] = before + count, examples

    def add_many(self, kind: str, examples: Iterable[object], count: int) -> None:
        """Note `count` faults of a kind, of which the first few examples are shown."""
        if not count:
            return
        for number, example in enumerate(examples):
            if number == _SHOWN:
                break
            self.add(kind, example, count=0)
        self.add(kind, count=count)

    def copy(self, problem: Problem) -> None:
        """Take over what another collection has found."""
        self.add_many(problem.kind, problem.examples, problem.count)

    def list(self) -> tuple[Problem, ...]:
        """All kinds that were found."""
        return tuple(Problem(kind, count, examples) for kind, (count, examples) in self._found.items())

    def counts(self) -> Mapping[str, int]:
        """How often each kind was found."""
        return {kind: count for kind, (count, _) in self._found.items()}
