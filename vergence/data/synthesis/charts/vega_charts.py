"""Charts by Vega-Lite, drawn without a browser by vl-convert; the specification is the ground truth.

```
measure ─▶ table ─▶ specification ─▶ SVG ─▶ picture, boxes of bars and cells ─▶ questions
```

Held out are measures and font families.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any, Literal
from xml.etree import ElementTree

from PIL import Image, ImageFont
from pydantic import Field

from vergence.data.generator import Draft, Region, dialogue
from vergence.data.pictures import Box
from vergence.data.synthesis.charts.chart_fonts import ChartFont, chinese_font, latin_fonts
from vergence.data.synthesis.charts.chart_style import draw_style
from vergence.data.synthesis.charts.chart_turns import Chart, ChartConfig, chart_turns, difficulty, languages
from vergence.data.synthesis.charts.data_tables import DataTable, draw_table
from vergence.data.synthesis.charts.raw_data_charts import shares
from vergence.data.synthesis.charts.table_reader import Cell
from vergence.data.synthesis.charts.vega_specification import specification, written
from vergence.errors import DataError
from vergence.processing.media import decode_image

VERSION = 2
PACKAGES = ("vl-convert-python",)

Type = Literal["bar", "horizontal bar", "grouped bar", "stacked bar", "line", "area", "pie", "heat map"]
TYPES: tuple[Type, ...] = ("bar", "horizontal bar", "grouped bar", "stacked bar", "line", "area", "pie", "heat map")
SKIPPED: Mapping[str, tuple[str, ...]] = {
    "pie": ("average", "trend", "jump", "sum", "entries"),
    "heat map": ("trend", "jump", "entries"),
}
SVG = "{http://www.w3.org/2000/svg}"


class Config(ChartConfig):
    """The settings of `vega-chart`."""

    types: tuple[Type, ...] = Field(TYPES, min_length=1, description="types of charts to draw")


def generate(rng: random.Random, config: Config) -> Draft:
    """Draw a table, a chart of it, and questions about it."""
    spoken, drawn = languages(config, rng)
    kind = rng.choice(config.types)
    font = chinese_font(config.split) if drawn == "zh" else rng.choice(latin_fonts(config.split))
    several = kind in ("grouped bar", "stacked bar", "heat map") or (kind == "line" and rng.random() < 0.6)
    table = draw_table(
        rng,
        config.split,
        drawn,
        rows={"line": (4, 10), "area": (4, 10), "pie": (3, 6)}.get(kind, (3, 7)),
        series=(2, 4) if several else (1, 1),
        time={"line": True, "area": True, "pie": False}.get(kind),
        additive=kind in ("stacked bar", "pie"),
    )
    if kind == "pie":
        table = shares(table, rng)
    if kind == "stacked bar":
        table = replace(table, values=tuple(tuple(v + 10 * table.step for v in values) for values in table.values))
    spec, printed = specification(kind, table, draw_style(rng, len(table.series)), rng, register(font))
    image, boxes = draw(kind, table, spec, rng.choice((1.0, 1.0, 1.4)))
    fraction = None if printed else Decimal("0.025")
    code = written(spec)
    chart = Chart(table, code, "vega-lite", boxes, image.size, fraction, SKIPPED.get(kind, ()))
    turns = chart_turns(chart, config, rng, spoken)
    messages, checks = dialogue((image,), turns)
    return Draft(
        messages,
        checks,
        truth={"type": kind, "table": table.grid, "title": table.title, "spec": spec, "printed": printed},
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


@cache
def register(font: ChartFont) -> str:
    """Make a family known to vl-convert and return the name that its file gives."""
    import vl_convert

    vl_convert.register_font_directory(str(font.regular.parent))
    return str(ImageFont.truetype(str(font.regular), 10).getname()[0])


def draw(kind: str, table: DataTable, spec: Mapping[str, Any], scale: float) -> tuple[Image.Image, dict[Cell, Box]]:
    """The picture of a specification and the pixel boxes of its bars or cells. Raises `DataError` where it shows other
    parts than the table has cells."""
    import vl_convert

    svg = vl_convert.vegalite_to_svg(dict(spec))
    image = decode_image(vl_convert.svg_to_png(svg, scale=scale)).convert("RGB")
    if kind in ("line", "area", "pie"):
        return image, {}
    found = list(_marks(ElementTree.fromstring(svg), 0.0, 0.0))
    cells = [(s, r) for s in range(len(table.series)) for r in range(len(table.rows))]
    if len(found) != len(cells):
        raise DataError(f"a {kind} of Vega-Lite shows {len(found)} parts for {len(cells)} cells")
    boxes = [tuple(value * scale for value in box) for box in found]
    return image, dict(zip(cells, boxes, strict=True))  # type: ignore[arg-type]


def _marks(element: ElementTree.Element, x: float, y: float, inside: bool = False) -> Iterator[Box]:
    """The boxes of the rectangles drawn for data, in the order of the data."""
    moved = re.search(r"translate\(([-\d.]+),([-\d.]+)\)", element.get("transform", ""))
    if moved:
        x, y = x + float(moved[1]), y + float(moved[2])
    inside = inside or element.get("class", "").startswith("mark-rect role-mark")
    if inside and element.tag == f"{SVG}path":
        left, top, right, bottom = _extent(element.get("d", ""))
        yield (x + left, y + top, x + right, y + bottom)
    for child in element:
        yield from _marks(child, x, y, inside)


def _extent(path: str) -> Box:
    """The box of a path of straight parts and rounded corners, by the end points of its parts."""
    x = y = 0.0
    xs: list[float] = []
    ys: list[float] = []
    for command, text in re.findall(r"([MLHVhvCZ])([^MLHVhvCZ]*)", path):
        numbers = [float(number) for number in re.findall(r"-?\d*\.?\d+(?:e-?\d+)?", text)]
        if command in "ML":
            x, y = numbers[:2]
        elif command == "H":
            x = numbers[0]
        elif command == "V":
            y = numbers[0]
        elif command == "h":
            x += numbers[0]
        elif command == "v":
            y += numbers[0]
        elif command == "C":
            x, y = numbers[-2:]
        xs.append(x)
        ys.append(y)
    return (min(xs), min(ys), max(xs), max(ys))
