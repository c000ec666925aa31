"""Pictures of tables with their source in HTML, Markdown or LaTeX as ground truth.

```
subject ─▶ columns of names, numbers, money, dates, words ─▶ own layout with measured texts ─▶ cells with boxes
                                                      └─▶ HTML, Markdown, LaTeX
```

Held out are subjects and font families. A table with a spanning header is asked for in HTML or LaTeX only, because
Markdown has none.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from pydantic import Field

from vergence.data.formats import short_turn
from vergence.data.generator import Draft, Region, Turn, dialogue
from vergence.data.synthesis.charts.chart_fonts import chinese_font, latin_fonts
from vergence.data.synthesis.charts.chart_turns import ChartConfig, languages
from vergence.data.synthesis.charts.data_tables import DataTable
from vergence.data.synthesis.charts.questions import ask_table, turn_of
from vergence.data.synthesis.charts.table_content import (
    Column,
    PageTable,
    Syntax,
    draw_page_table,
    to_html,
    to_latex,
    to_markdown,
)
from vergence.data.synthesis.charts.table_layout import Cell, draw_look, draw_page
from vergence.data.synthesis.charts.table_reader import Asked, Reader
from vergence.processing.coordinates import format_box

VERSION = 2
PACKAGES: tuple[str, ...] = ()

WRITERS: dict[Syntax, tuple[str, Callable[[PageTable], str]]] = {
    "html": ("HTML", to_html),
    "markdown": ("Markdown", to_markdown),
    "latex": ("LaTeX", to_latex),
}
NUMERIC = ("extreme", "comparison", "difference", "sum", "average", "count", "ranking")


class Config(ChartConfig):
    """The settings of `table-page`."""

    tasks: tuple[Literal["question", "table", "place"], ...] = Field(
        ("question", "table", "place"), min_length=1, description="what is asked for"
    )
    rows: tuple[int, int] = Field((3, 10), description="least and most rows below the header, at most 20")
    columns: tuple[int, int] = Field((3, 7), description="least and most columns, at least 2 and at most 7")
    syntaxes: tuple[Syntax, ...] = Field(
        ("html", "markdown", "latex"), min_length=1, description="what the table is asked for in"
    )


def generate(rng: random.Random, config: Config) -> Draft:
    """Draw a table and ask about it."""
    spoken, drawn = languages(config, rng)
    rows = rng.randint(max(2, config.rows[0]), min(20, config.rows[1]))
    columns = rng.randint(max(2, config.columns[0]), min(7, config.columns[1]))
    table = draw_page_table(rng, config.split, drawn, columns=columns, rows=rows)
    font = chinese_font(config.split) if drawn == "zh" else rng.choice(latin_fonts(config.split))
    image, cells = draw_page(table, draw_look(rng), font)
    turns = _turns(table, cells, image.size, config, rng, spoken)
    messages, checks = dialogue((image,), turns)
    return Draft(
        messages,
        checks,
        truth={
            "table": table.rows,
            "html": to_html(table),
            "latex": to_latex(table),
            "caption": table.caption,
            "cells": [{"text": c.text, "row": c.row, "column": c.column, "box": list(c.ink)} for c in cells],
        },
        capability="ocr/tables",
        domain=table.domain,
        difficulty=min(1.0, 0.1 + 0.6 * len(cells) / 100 + (0.2 if table.grouped else 0) + 0.1 * (len(turns) > 1)),
        language=spoken,
        sources=(font.item(),),
        regions=tuple(Region(cell.text, cell.ink, order=number) for number, cell in enumerate(cells)),
        tags={"labels": drawn, "spanning": table.grouped},
    )


def _turns(
    table: PageTable, cells: list[Cell], size: tuple[int, int], config: Config, rng: random.Random, language: str
) -> list[Turn]:
    turns: list[Turn] = []
    if "question" in config.tasks:
        turns += [_lookup(table, rng, language), *_numeric(table, config.turns, rng, language)]
        turns += [turn for turn in (_words(table, rng, language), _structure(table, rng, language)) if turn]
    if "place" in config.tasks:
        turns += _places(cells, size, rng, language)
    rng.shuffle(turns)
    turns = turns[: config.turns]
    if "table" in config.tasks and (not turns or rng.random() < 0.55):
        turns[config.turns - 1 :] = [_source(table, config, rng, language)]
    return turns


def _source(table: PageTable, config: Config, rng: random.Random, language: str) -> Turn:
    choices = [syntax for syntax in config.syntaxes if syntax != "markdown" or not table.grouped] or ["html"]
    name, write = WRITERS[rng.choice(choices)]
    question = (
        rng.choice((f"请把这个表格转写成{name}。", f"请用{name}写出图中的表格。"))
        if language == "zh"
        else rng.choice((f"Write this table in {name}.", f"Convert the table to {name}."))
    )
    return Turn(question, write(table), {"verifier": "table", "target": table.rows})


def _name(column: Column, language: str) -> str:
    """A column's header, with the one above it."""
    return f"{column.head} ({column.group})" if column.group else column.head


def _lookup(table: PageTable, rng: random.Random, language: str) -> Turn:
    """The text of one cell; or, where a text stands once in its column, whose it is."""
    column = rng.choice(table.columns[1:])
    r = rng.randrange(len(column.texts))
    names, text, head = table.columns[0].texts, column.texts[r], _name(column, language)
    if column.texts.count(text) == 1 and rng.random() < 0.35:
        question = (
            f"哪一项的“{head}”是{text}？" if language == "zh" else f"Which entry has {text} in the column “{head}”?"
        )
        return short_turn(question, names[r], {"verifier": "exact", "target": names[r]}, language)
    question = f"{names[r]}的“{head}”是什么？" if language == "zh" else f"What is the “{head}” of {names[r]}?"
    check: dict[str, object] = {"verifier": "exact", "target": text}
    if column.numbers:
        bare = text.strip("$€£¥%")
        check["accepted"] = sorted({bare, bare.replace(",", "")})
    return short_turn(question, text, check, language)


def _numeric(table: PageTable, count: int, rng: random.Random, language: str) -> list[Turn]:
    """Questions about one column of numbers."""
    column = rng.choice([column for column in table.columns if column.numbers])
    name = f"{column.head}（{column.group}）" if language == "zh" and column.group else _name(column, language)
    step = min(abs(a - b) for i, a in enumerate(column.numbers) for b in column.numbers[:i])
    data = DataTable(
        key="accuracy" if column.kind == "percent" else "column",
        domain=table.domain,
        language=table.language,
        measure=name,
        unit="",
        row_name="Name" if table.language == "en" else "名称",
        rows=table.columns[0].texts,
        series=(name,),
        values=(column.numbers,),
        step=step,
        time=False,
        title=table.caption,
    )
    read = Reader(data, rng, language, Decimal("0.000001"), Decimal(0))
    return [turn_of(_named(asked, name, read), rng, language) for asked in ask_table(read, count, NUMERIC)]


def _named(asked: Asked, name: str, read: Reader) -> Asked:
    """The question with the column's own header, also where its language is another."""
    if read.language == read.table.language:
        return asked
    question = asked.question.replace(read.measure, f"“{name}”", 1) if read.language == "zh" else asked.question
    if read.language == "en":
        question = f"In the column “{name}”: {question}"
    return replace(asked, question=question)


def _words(table: PageTable, rng: random.Random, language: str) -> Turn | None:
    """How many rows have a word in their column."""
    columns = [column for column in table.columns[1:] if column.kind == "word"]
    if not columns:
        return None
    column = rng.choice(columns)
    word = rng.choice(column.texts)
    count = column.texts.count(word)
    question = (
        f"“{column.head}”为“{word}”的有几行？"
        if language == "zh"
        else f"How many rows have “{word}” in the column “{column.head}”?"
    )
    return short_turn(question, str(count), {"verifier": "count", "target": count}, language)


def _structure(table: PageTable, rng: random.Random, language: str) -> Turn:
    """How many columns, or rows below the header."""
    columns = rng.random() < 0.5
    count = len(table.columns) if columns else len(table.body)
    en = "How many columns does the table have?" if columns else "How many rows does the table have below its header?"
    zh = "这个表格有几列？" if columns else "除表头外，这个表格有几行？"
    return short_turn(zh if language == "zh" else en, str(count), {"verifier": "count", "target": count}, language)


def _places(cells: list[Cell], size: tuple[int, int], rng: random.Random, language: str) -> list[Turn]:
    """Where a text stands, for one that stands once; and what stands in the frame of a cell."""
    texts = [cell.text for cell in cells]
    once = [cell for cell in cells if texts.count(cell.text) == 1]
    turns = []
    if once:
        cell = rng.choice(once)
        question = (
            f"请给出单元格文字“{cell.text}”的边界框。"
            if language == "zh"
            else f"Give the box of the cell text “{cell.text}”."
        )
        check = {"verifier": "box", "target": list(cell.ink), "size": list(size)}
        turns.append(Turn(question, format_box(cell.ink, *size), check))
    cell = rng.choice(cells)
    place = format_box(cell.frame, *size)
    question = f"单元格{place}里写的是什么？" if language == "zh" else f"What is written in the cell {place}?"
    turns.append(short_turn(question, cell.text, {"verifier": "exact", "target": cell.text}, language))
    return turns
