"""Charts by Apache ECharts, drawn in node without a browser; the option, plain JSON, is the ground truth.

```
measure ─▶ table ─▶ option ─▶ SVG, boxes of its parts ─▶ picture ─▶ questions
```

Held out are measures and font families.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Literal

from pydantic import Field

from vergence.data.generator import Draft, Region, dialogue
from vergence.data.pictures import Box
from vergence.data.sources.packages import package_version
from vergence.data.synthesis.charts.chart_fonts import chinese_font, latin_fonts
from vergence.data.synthesis.charts.chart_style import Style, draw_style
from vergence.data.synthesis.charts.chart_turns import (
    Chart,
    ChartConfig,
    chart_turns,
    difficulty,
    languages,
    reader,
)
from vergence.data.synthesis.charts.data_tables import DataTable, Language, draw_table
from vergence.data.synthesis.charts.echarts_options import chart_option
from vergence.data.synthesis.charts.echarts_renderer import draw_pixels, draw_svg
from vergence.data.synthesis.charts.raw_data_charts import scatter, scatter_questions, shares
from vergence.data.synthesis.charts.table_reader import Cell
from vergence.data.synthesis.charts.vega_specification import written
from vergence.errors import DataError

VERSION = 1
PACKAGES = ("resvg-py",)

Type = Literal[
    "bar", "horizontal bar", "grouped bar", "stacked bar", "line", "area", "pie", "radar", "heat map", "scatter"
]
TYPES: tuple[Type, ...] = Type.__args__  # type: ignore[attr-defined]

READABLE: Mapping[str, str] = {"pie": "0.05", "radar": "0.04"}
"""Type -> the share of the largest value that a reading may be wrong by; 0.025 for the others."""

SKIPPED: Mapping[str, tuple[str, ...]] = {
    "pie": ("average", "trend", "jump", "sum", "entries"),
    "radar": ("trend", "jump"),
    "heat map": ("trend", "jump", "entries"),
    "scatter": ("table",),
}


class Config(ChartConfig):
    """The settings of `echarts-chart`."""

    types: tuple[Type, ...] = Field(TYPES, min_length=1, description="types of charts to draw")


def generate(rng: random.Random, config: Config) -> Draft:
    """Draw a table, a chart of it, and questions about it."""
    spoken, drawn = languages(config, rng)
    kind = rng.choice(config.types)
    font = chinese_font(config.split) if drawn == "zh" else rng.choice(latin_fonts(config.split))
    table, style = _plan(kind, rng, config, drawn)
    option, size, printed = chart_option(kind, table, style, rng, font.family)
    scale = rng.choice((1.0, 1.0, 1.4))
    svg, found = draw_svg(option, size, font)
    image = draw_pixels(svg, font, scale)
    boxes = _boxes(kind, table, found, scale)
    fraction = None if printed else Decimal(READABLE.get(kind, "0.025"))
    own = tuple(scatter_questions(reader(table, fraction, rng, spoken))) if kind == "scatter" else ()
    places = boxes if kind not in ("line", "area", "scatter") else {}
    chart = Chart(table, written(option), "echarts", places, image.size, fraction, SKIPPED.get(kind, ()), own)
    turns = chart_turns(chart, config, rng, spoken)
    messages, checks = dialogue((image,), turns)
    truth = {"type": kind, "table": table.grid, "title": table.title, "option": option, "printed": printed}
    return Draft(
        messages,
        checks,
        truth={**truth, "size": list(size), "scale": scale, "echarts": package_version("echarts")},
        capability="ocr/charts",
        domain=table.domain,
        difficulty=difficulty(table, printed, turns),
        language=spoken,
        sources=(font.item(),),
        regions=tuple(
            Region(f"{table.rows[r]}, {table.series[s]}" if len(table.series) > 1 else table.rows[r], box)
            for (s, r), box in sorted(boxes.items())
        ),
        tags={"chart": kind, "labels": drawn},
    )


def _plan(kind: Type, rng: random.Random, config: Config, language: Language) -> tuple[DataTable, Style]:
    """The table and the look of a chart of some type."""
    if kind == "scatter":
        style = draw_style(rng, 1)
        return scatter(rng, config.split, language, style)[0], style
    several = kind in ("grouped bar", "stacked bar", "heat map") or (kind == "line" and rng.random() < 0.6)
    rows = {"line": (4, 10), "area": (4, 10), "pie": (3, 6), "radar": (4, 7)}.get(kind, (3, 7))
    table = draw_table(
        rng,
        config.split,
        language,
        rows=rows,
        series=(2, 4) if several else (1, 3) if kind == "radar" else (1, 1),
        time={"line": True, "area": True, "pie": False, "radar": False}.get(kind),
        additive=kind in ("stacked bar", "pie"),
    )
    if kind == "pie":
        table = shares(table, rng)
    if kind == "stacked bar":  # room for a number in the thinnest part
        thick = tuple(tuple(value + 10 * table.step for value in values) for values in table.values)
        table = replace(table, values=thick)
    return table, draw_style(rng, len(table.series))


def _boxes(kind: str, table: DataTable, found: list[list[Box | None]], scale: float) -> dict[Cell, Box]:
    """The pixel box of what shows each cell; none for radar charts, whose parts show a series.

    Raises `DataError` where ECharts shows other parts than the table has cells.
    """
    if kind == "radar":
        return {}
    rows = range(len(table.rows))
    series = [1] if kind == "scatter" else range(len(table.series))
    cells = [(s, r) for s in series for r in rows]
    boxes = [box for parts in found for box in parts]
    if len(boxes) != len(cells):
        raise DataError(f"a {kind} of ECharts has {len(boxes)} parts for {len(cells)} cells")
    scaled = [tuple(value * scale for value in box) for box in boxes if box is not None]
    if len(scaled) != len(cells):
        raise DataError(f"a {kind} of ECharts shows {len(scaled)} of {len(cells)} parts")
    return dict(zip(cells, scaled, strict=True))  # type: ignore[arg-type]
