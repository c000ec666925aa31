"""Other harnesses' scores of an answer, from the tables `COMPAT` of `vergence.evaluation.compat`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator

from vergence.evaluation.task import Measure

Table = Mapping[str, Mapping[str, Callable[..., Any]]]
_AS_THE_ORIGINALS = (ArithmeticError, LookupError, ValueError)
"""What the copied rules raise where the originals do: such an answer has no score there."""


def compat_name(table: Table) -> Any:
    """The type of a parameter that names a benchmark of a table; "" asks for no other harness's score."""

    def check(name: str) -> str:
        if name and name not in table:
            raise ValueError(f"found {name!r}, expected one of {', '.join(table)}")
        return name

    return Annotated[str, AfterValidator(check)]


def compat_scores(table: Table, name: str, prediction: str, reference: Any, **context: Any) -> dict[str, float]:
    """Each harness's score of the answer; of the `context` (options, size, kind, ...) each rule gets what it takes."""
    found = {}
    for harness, rule in table.get(name, {}).items():
        wanted = {key: value for key, value in context.items() if key in _parameters(rule)}
        try:
            score = rule(prediction, reference, **wanted)
        except _AS_THE_ORIGINALS:
            continue
        if score is not None:
            found[harness] = float(score)
    return found


@functools.cache
def _parameters(rule: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(rule).parameters)


def harness_measures(aggregates: Mapping[str, Callable[..., Any]], *values: Sequence[Any]) -> list[Measure]:
    """What each harness sums the same answers up to, as measures named "score (harness)"; none without answers."""
    if not values or not values[0]:
        return []
    found = []
    for harness, sum_up in aggregates.items():
        try:
            means = sum_up(*values)
        except _AS_THE_ORIGINALS:
            continue
        found += [Measure(f"{name} ({harness})", float(mean), len(values[0])) for name, mean in (means or {}).items()]
    return found
