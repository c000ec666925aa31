"""How a table of numbers is spoken about in English and Chinese: names of cells and series, readings, checks."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from vergence.data.synthesis.charts.data_tables import ROW_WORDS, DataTable, lowered

STATISTICS = "statistics"
"""The key of a table whose series are statistics of a measure, such as its median."""

BINS = "bins"
"""The key of a table whose rows are the bins of a histogram, such as "20-40"."""

Cell = tuple[int, int]
"""Series number, row number."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a task: answer, the steps to it, its check, the cells that it is about, wrong options if any."""

    task: str
    question: str
    answer: str
    steps: tuple[str, ...]
    check: Mapping[str, Any]
    cells: tuple[Cell, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """How a table is asked about: language of the questions, margin between compared values, tolerance of a reading."""

    table: DataTable
    rng: random.Random
    language: str
    margin: Decimal
    tolerance: Decimal

    def say(self, en: str, zh: str) -> str:
        return zh if self.language == "zh" else en

    @property
    def measure(self) -> str:
        """The measure's name, or "value" where the picture names it in another language."""
        if self.language == self.table.language:
            return self.table.measure if self.language == "zh" else lowered(self.table.measure)
        return self.say("value", "数值")

    def of(self, series: int) -> str:
        """ " of SERIES", or nothing for a table with one series."""
        if len(self.table.series) == 1:
            return ""
        return self.say(f" of {self.table.series[series]}", self.table.series[series])

    def place(self, row: int) -> str:
        name = self.table.row_name
        if self.table.key == BINS:
            return f"in the range {self.table.rows[row]}"
        word = "on" if name == "Day" else "in" if self.table.time or name in ("City", "Region") else "for"
        return f"{word} {self.table.rows[row]}"

    def which(self) -> str:
        """The beginning of an English question for a row: "In which year"."""
        if self.table.language != "en":
            return "In which range" if self.table.key == BINS else "For which entry"
        if self.table.key == BINS:
            return f"In which range of the {lowered(self.table.row_name)}"
        return f"{self.place(0).split()[0].title()} which {lowered(self.table.row_name)}"

    def rows_zh(self, place: int) -> str:
        """In Chinese: which row (0), how many rows (1), all rows (2)."""
        name = self.table.row_name if self.table.language == "zh" else "类别"
        name = "区间" if self.table.key == BINS else name
        return ROW_WORDS.get(name, (f"哪个{name}", f"有多少个{name}", f"所有{name}"))[place]

    def cell(self, series: int, row: int) -> str:
        """The name of a cell: "the revenue of Tea in 2019"."""
        table = self.table
        name, of = table.series[series], table.rows[row]
        if len(table.series) == 1:
            return self.say(f"the {self.measure} {self.place(row)}", f"{of}的{self.measure}")
        if table.key == STATISTICS:
            return self.say(
                f"the {name.lower()} of the {self.measure} {self.place(row)}", f"“{of}”{self.measure}的“{name}”"
            )
        zh = f"{of}“{name}”的{self.measure}" if table.language == "zh" else f"“{name}”在“{of}”的{self.measure}"
        return self.say(f"the {self.measure} of {name} {self.place(row)}", zh)

    def line(self, series: int) -> str:
        """The name of a series: "the revenue of Tea"."""
        if self.table.key == STATISTICS:
            name = self.table.series[series]
            return self.say(f"the {name.lower()} of the {self.measure}", f"{self.measure}的“{name}”")
        name = f"“{self.table.series[series]}”的" if len(self.table.series) > 1 else ""
        return self.say(f"the {self.measure}{self.of(series)}", f"{name}{self.measure}")

    def readings(self, series: int, rows: Sequence[int]) -> str:
        values = self.table.values[series]
        listed = [f"{self.table.rows[row]}: {plain(values[row])}" for row in rows]
        return self.say("; ".join(listed) + ".", "；".join(text.replace(": ", "：") for text in listed) + "。")


def plain(value: Decimal) -> str:
    """A number without an exponent and without zeros behind its last decimal."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def number_check(value: Decimal, tolerance: Decimal) -> dict[str, Any]:
    """The check of a number within an absolute tolerance."""
    return {"verifier": "number", "target": float(value), "tolerance": float(tolerance)}
