"""Charts by matplotlib: bars, lines, areas, pies, histograms, box plots, heat maps and scatter plots.

```
measure ─▶ table ─▶ code ─▶ run on a figure of its own ─▶ picture, boxes of bars and points ─▶ questions
```

The code that a sample gives as the answer is the code that drew it. Every setting starts from matplotlib's own, so
that a user's matplotlibrc changes nothing. Held out are measures and font families.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from PIL import Image
from pydantic import Field

from vergence.data.generator import OURS, Draft, Region, dialogue
from vergence.data.pictures import Box
from vergence.data.synthesis.charts.chart_code import CODES, Code, script, settings
from vergence.data.synthesis.charts.chart_fonts import chinese_font, latin_fonts, register
from vergence.data.synthesis.charts.chart_style import Style, draw_style
from vergence.data.synthesis.charts.chart_turns import Chart, ChartConfig, chart_turns, difficulty, languages, reader
from vergence.data.synthesis.charts.data_tables import DataTable, Language, draw_table
from vergence.data.synthesis.charts.raw_data_charts import box_plot, histogram, scatter, scatter_questions, shares
from vergence.data.synthesis.charts.table_reader import Cell

VERSION = 2
PACKAGES = ("matplotlib", "numpy")

Type = Literal[
    "bar",
    "horizontal bar",
    "grouped bar",
    "stacked bar",
    "line",
    "area",
    "pie",
    "heat map",
    "histogram",
    "box plot",
    "scatter",
]
TYPES: tuple[Type, ...] = Type.__args__  # type: ignore[attr-defined]

READABLE: Mapping[str, str] = {"area": "0.025", "line": "0.02", "box plot": "0.025", "scatter": "0.025"}
"""Type -> the share of the largest value that a reading off the axis may be wrong by; 0.02 for the others."""

SKIPPED: Mapping[str, tuple[str, ...]] = {
    "pie": ("average", "trend", "jump", "sum", "entries"),
    "histogram": ("average", "trend", "jump", "total"),
    "box plot": ("sum", "average", "trend", "jump", "total", "entries"),
    "heat map": ("trend", "jump", "entries"),
    "scatter": ("table",),
}


class Config(ChartConfig):
    """The settings of `plot`."""

    types: tuple[Type, ...] = Field(TYPES, min_length=1, description="types of charts to draw")


def generate(rng: random.Random, config: Config) -> Draft:
    """Draw a table, a chart of it, and questions about it."""
    spoken, drawn = languages(config, rng)
    kind = rng.choice(config.types)
    font = chinese_font(config.split) if drawn == "zh" else rng.choice(latin_fonts(config.split))
    table, code, style = _plan(kind, rng, config.split, drawn)
    family = register(font)
    image, boxes = draw(kind, table, code, style, family)
    fraction = None if code.annotated else Decimal(READABLE.get(kind, "0.02"))
    own = tuple(scatter_questions(reader(table, fraction, rng, spoken))) if kind == "scatter" else ()
    chart = Chart(
        table,
        script(code, style, family),
        "matplotlib",
        boxes if kind not in ("line", "area", "scatter", "box plot") else {},
        image.size,
        fraction,
        SKIPPED.get(kind, ()),
        own,
    )
    turns = chart_turns(chart, config, rng, spoken)
    messages, checks = dialogue((image,), turns)
    return Draft(
        messages,
        checks,
        truth={"type": kind, "table": table.grid, "title": table.title, "code": chart.code, "printed": code.annotated},
        capability="ocr/charts",
        domain=table.domain,
        difficulty=difficulty(table, code.annotated, turns),
        language=spoken,
        licence=OURS,
        sources=(font.item(),),
        regions=tuple(
            Region(f"{table.rows[r]}, {table.series[s]}" if len(table.series) > 1 else table.rows[r], box)
            for (s, r), box in sorted(boxes.items())
        ),
        tags={"chart": kind, "labels": drawn},
    )


def _plan(kind: str, rng: random.Random, split: Any, language: Language) -> tuple[DataTable, Code, Style]:
    """The table and the code of a chart of some type."""
    if kind in ("histogram", "box plot", "scatter"):
        style = draw_style(rng, 1)
        make = {"histogram": histogram, "box plot": box_plot, "scatter": scatter}[kind]
        return *make(rng, split, language, style), style
    several = kind in ("grouped bar", "stacked bar", "heat map") or (kind == "line" and rng.random() < 0.6)
    time = {"line": True, "area": True, "pie": False}.get(kind)
    rows = {"line": (4, 10), "area": (4, 10), "pie": (3, 6), "bar": (3, 9)}.get(kind, (3, 7))
    table = draw_table(
        rng,
        split,
        language,
        rows=rows,
        series=(2, 4) if several else (1, 1),
        time=time,
        additive=kind in ("stacked bar", "pie"),
    )
    if kind == "pie":
        table = shares(table, rng)
    if kind == "stacked bar":  # room for a number in the thinnest part
        thick = tuple(tuple(value + 10 * table.step for value in values) for values in table.values)
        table = replace(table, values=thick)
    style = draw_style(rng, len(table.series))
    return table, CODES[kind](table, style, rng), style


@cache
def _defaults() -> dict[str, Any]:
    """Matplotlib's own settings but for those that choose a backend."""
    import matplotlib

    kept = matplotlib.rcParamsDefault.copy()
    return {key: value for key, value in kept.items() if not key.startswith(("backend", "interactive", "toolbar"))}


def draw(kind: str, table: DataTable, code: Code, style: Style, family: str) -> tuple[Image.Image, dict[Cell, Box]]:
    """Run a chart's code on a figure; returns the picture and the pixel box of the part that shows each cell."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    changed: Any = {**_defaults(), **settings(style, family)}
    with matplotlib.rc_context(changed):
        figure = Figure(figsize=(style.width, style.height), dpi=100, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots()
        exec(compile("\n".join((*code.data, *code.body)), "<chart>", "exec"), {"fig": figure, "ax": axes})
        canvas.draw()
        width, height = canvas.get_width_height()
        image = Image.frombytes("RGBA", (width, height), bytes(canvas.buffer_rgba())).convert("RGB")
        return image, _boxes(kind, table, axes, height)


def _boxes(kind: str, table: DataTable, axes: Any, height: int) -> dict[Cell, Box]:
    """Where bars, sectors, cells and points are, in pixels from the top left."""
    boxes: dict[Cell, Box] = {}

    def add(cell: Cell, extent: tuple[float, float, float, float]) -> None:
        left, bottom, right, top = extent
        boxes[cell] = (left, height - top, right, height - bottom)

    if kind in ("bar", "horizontal bar", "grouped bar", "stacked bar", "histogram"):
        for s, bars in enumerate(axes.containers):
            for r, bar in enumerate(bars.patches):
                add((s, r), bar.get_window_extent().extents)
    elif kind == "pie":
        for r, wedge in enumerate(axes.patches):
            add((0, r), wedge.get_path().get_extents(wedge.get_transform()).extents)
    elif kind == "heat map":
        for s in range(len(table.series)):
            for r in range(len(table.rows)):
                (left, top), (right, bottom) = axes.transData.transform([(r - 0.5, s - 0.5), (r + 0.5, s + 0.5)])
                add((s, r), (left, bottom, right, top))
    else:
        for cell, place in _points(kind, table):
            x, y = axes.transData.transform(place)
            add(cell, (x - 6, y - 6, x + 6, y + 6))
    return boxes


def _points(kind: str, table: DataTable) -> list[tuple[Cell, tuple[float, float]]]:
    """Where a line, an area, a box or a scatter plot shows its cells, in the units of its axes."""
    if kind == "scatter":
        pairs = zip(*table.values, strict=True)
        return [((1, r), (float(x), float(y))) for r, (x, y) in enumerate(pairs)]
    first = 1 if kind == "box plot" else 0
    return [
        ((s, r), (r + first, float(value))) for s, values in enumerate(table.values) for r, value in enumerate(values)
    ]
