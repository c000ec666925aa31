"""Questions about a table of numbers with exact answers and the steps that lead to them, in English and Chinese.

A question is asked only where its answer is beyond doubt: values that are compared differ by `margin`, which is what
can be told apart in the picture. An answer that is read off an axis may be wrong by `tolerance` for each reading.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Turn
from vergence.data.synthesis.charts import cell_questions as cells
from vergence.data.synthesis.charts import series_questions as series
from vergence.data.synthesis.charts.table_reader import Asked, Reader

TASKS: Mapping[str, Callable[[Reader], Asked | None]] = {
    "value": cells.value,
    "extreme": cells.extreme,
    "comparison": cells.comparison,
    "difference": cells.difference,
    "sum": series.total,
    "average": series.average,
    "count": series.above,
    "trend": series.trend,
    "jump": series.jump,
    "ranking": series.ranking,
    "total": series.best_series,
    "entries": series.entries,
}
"""Task -> what asks it; None where its answer would be in doubt."""


def ask_table(read: Reader, count: int, tasks: Sequence[str] = tuple(TASKS)) -> list[Asked]:
    """Up to `count` questions of different tasks, in random order."""
    found: list[Asked] = []
    for task in read.rng.sample(list(tasks), len(tasks)):
        asked = TASKS[task](read)
        if asked is not None:
            found.append(asked)
        if len(found) == count:
            break
    return found


def turn_of(asked: Asked, rng: random.Random, language: str) -> Turn:
    """A question in one of the forms that fit it: short, lettered options, or reasoning."""
    forms = ["short"] if asked.check else []
    forms += ["choice"] if asked.others else []
    forms += ["thought"] if asked.steps and asked.task not in ("value", "entries") else []
    form = rng.choice(forms)
    if form == "choice":
        return choice_turn(asked.question, asked.answer, asked.others, rng, language)
    if form == "thought":
        return thought_turn(asked.question, asked.steps, asked.answer, asked.check, language)
    return short_turn(asked.question, asked.answer, asked.check, language)
