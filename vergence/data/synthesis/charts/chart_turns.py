"""The dialogue about a chart: questions about its table, the table, the code that draws it, the place of a part."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import Field

from vergence.data.generator import GeneratorConfig, Turn
from vergence.data.pictures import Box
from vergence.data.synthesis.charts.data_tables import DataTable
from vergence.data.synthesis.charts.questions import TASKS, ask_table, turn_of
from vergence.data.synthesis.charts.table_reader import Asked, Cell, Reader
from vergence.processing.coordinates import format_box

Task = Literal["question", "table", "code", "place"]


class ChartConfig(GeneratorConfig):
    """How a chart is labelled and talked about."""

    language: Literal["en", "zh", "mix"] = Field("mix", description="language of the questions and answers")
    labels: Literal["en", "zh", "mix"] = Field(
        "en", description="language of the words in the picture; zh and mix need a fetched Chinese font"
    )
    turns: int = Field(3, ge=1, le=10, description="most questions about one chart")
    tasks: tuple[Task, ...] = Field(
        ("question", "table", "code", "place"), min_length=1, description="what is asked for"
    )


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart: its table, code in `language_of_code`, pixel boxes of the parts that show a cell, its size.

    `fraction` is the share of the largest value that can be told apart in the picture; None where numbers are printed.
    `skipped` are tasks of `TASKS` that the chart can't be asked.
    """

    table: DataTable
    code: str
    code_name: str
    boxes: Mapping[Cell, Box]
    size: tuple[int, int]
    fraction: Decimal | None
    skipped: tuple[str, ...] = ()
    own: tuple[Asked, ...] = ()


def reader(table: DataTable, fraction: Decimal | None, rng: random.Random, language: str) -> Reader:
    """How a chart's table is asked about: exactly where numbers are printed, else within what an eye can read."""
    if fraction is None:
        return Reader(table, rng, language, table.step, Decimal(0))
    top = max(value for values in table.values for value in values)
    return Reader(table, rng, language, max(2 * table.step, top * fraction * 2), max(table.step, top * fraction))


def chart_turns(chart: Chart, config: ChartConfig, rng: random.Random, language: str) -> list[Turn]:
    """Up to `turns` turns; at least one where the tasks allow one."""
    read = reader(chart.table, chart.fraction, rng, language)
    turns: list[Turn] = []
    if "question" in config.tasks:
        tasks = [task for task in TASKS if task not in chart.skipped]
        asked = list(chart.own) if chart.own else ask_table(read, config.turns, tasks)
        turns += [turn_of(one, rng, language) for one in asked]
    if "place" in config.tasks and chart.boxes:
        turns.append(_place(chart, read))
    if "table" in config.tasks and "table" not in chart.skipped:
        turns.append(table_turn(chart.table, float(chart.fraction * 2) if chart.fraction else 0.0, rng, language))
    if "code" in config.tasks:
        turns.append(_code(chart, language))
    if not turns:
        turns.append(_code(chart, language))
    # Long answers come last and not always, so that most turns are questions.
    short = [turn for turn in turns if turn.check["verifier"] not in ("table", "text")]
    long = [turn for turn in turns if turn.check["verifier"] in ("table", "text")]
    rng.shuffle(short)
    rng.shuffle(long)
    kept = long[: 1 if not short or rng.random() < 0.4 else 0]
    return [*short[: max(config.turns - len(kept), 0)], *kept] or long[:1]


def _place(chart: Chart, read: Reader) -> Turn:
    cell = read.rng.choice(sorted(chart.boxes))
    box = [round(value, 2) for value in chart.boxes[cell]]
    name = read.cell(*cell)
    question = read.say(f"Give the box of the part that shows {name}.", f"请给出表示{name}的图形的边界框。")
    return Turn(question, format_box(box, *chart.size), {"verifier": "box", "target": box, "size": list(chart.size)})


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table; the first is its header."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def table_turn(table: DataTable, tolerance: float, rng: random.Random, language: str) -> Turn:
    """The table behind a chart, in Markdown."""
    question = (
        rng.choice(("请把图中的数据整理成Markdown表格。", "请将这张图转换为Markdown表格。"))
        if language == "zh"
        else rng.choice(
            ("Turn this chart into a Markdown table.", "Give the data of this chart as a table in Markdown.")
        )
    )
    check = {"verifier": "table", "target": table.grid, "tolerance": round(tolerance, 3)}
    return Turn(question, markdown(table.grid), check)


def _code(chart: Chart, language: str) -> Turn:
    kind, fence = {"matplotlib": ("Matplotlib", "python"), "echarts": ("ECharts", "json")}.get(
        chart.code_name, ("Vega-Lite", "json")
    )
    question = (
        f"请写出能绘制这张图的{kind}代码。" if language == "zh" else f"Write the {kind} code that draws this chart."
    )
    return Turn(
        question, f"```{fence}\n{chart.code}\n```", {"verifier": "text", "target": f"```{fence}\n{chart.code}\n```"}
    )


def languages(config: ChartConfig, rng: random.Random) -> tuple[str, Literal["en", "zh"]]:
    """The language of the questions, and of the words in the picture."""
    spoken = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    if config.labels == "mix":
        drawn: Literal["en", "zh"] = "zh" if spoken == "zh" or rng.random() < 0.1 else "en"
        return spoken, drawn
    return spoken, config.labels


def difficulty(table: DataTable, printed: bool, turns: Sequence[Turn]) -> float:
    """More cells, numbers that must be read off an axis, and answers with reasoning are harder."""
    cells = len(table.rows) * len(table.series)
    thinking = sum("\n" in turn.answer for turn in turns) / len(turns)
    return min(1.0, 0.15 + 0.3 * min(cells, 30) / 30 + (0 if printed else 0.25) + 0.3 * thinking)
