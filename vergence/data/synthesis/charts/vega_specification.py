"""Vega-Lite specifications of the charts of a table, one for each type of chart."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from vergence.data.synthesis.charts.chart_style import Style
from vergence.data.synthesis.charts.data_tables import DataTable

SCHEMES = ("tableau10", "category10", "set2", "dark2", "accent", "paired")
HEAT = ("blues", "viridis", "oranges", "greens", "yellowgreenblue", "magma")


def written(spec: Mapping[str, Any]) -> str:
    """A specification as JSON with a line for each of its keys."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in spec.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def specification(
    kind: str, table: DataTable, style: Style, rng: random.Random, family: str
) -> tuple[dict[str, Any], bool]:
    """The Vega-Lite specification of a chart, and whether the numbers are printed in it."""
    several = len(table.series) > 1
    values = [
        {
            "row": row,
            **({"series": name} if several else {}),
            **({"place": s} if kind == "stacked bar" else {}),
            "value": float(table.values[s][r]),
        }
        for s, name in enumerate(table.series)
        for r, row in enumerate(table.rows)
    ]
    parts = _PARTS[kind](table, style, rng)
    spec: dict[str, Any] = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": {"text": table.title, "anchor": "start" if style.title_left else "middle"},
        "width": rng.choice((320, 360, 420, 480)),
        "height": rng.choice((220, 260, 300)),
        "background": style.face,
        "data": {"values": values},
        **parts,
    }
    if kind == "pie":
        spec["height"] = spec["width"] = 280
    spec["config"] = _config(replace(style, grid=False) if kind == "heat map" else style, family)
    return spec, "layer" in parts


def _config(style: Style, family: str) -> dict[str, Any]:
    config: dict[str, Any] = {"font": family, "axis": {"labelFontSize": style.font_size + 1, "titleFontSize": 12}}
    config["axis"]["grid"] = style.grid
    config["legend"] = {"titleLimit": 0, "labelLimit": 0}
    config["view"] = {"stroke": "#dddddd" if style.frame else None}
    if style.dark:
        config["axis"] |= {"labelColor": style.ink, "titleColor": style.ink, "gridColor": "#4a505c"}
        config["title"] = {"color": style.ink}
        config["legend"] |= {"labelColor": style.ink, "titleColor": style.ink}
    return config


def _category(table: DataTable, axis: bool = True) -> dict[str, Any]:
    """The channel of the rows, in their order."""
    letters = sum(2 if ord(letter) > 0x2E7F else 1 for row in table.rows for letter in row) + 2 * len(table.rows)
    channel: dict[str, Any] = {"field": "row", "type": "nominal", "sort": None, "title": table.row_name}
    return {**channel, "axis": {"labelAngle": -40 if letters > 48 else 0}} if axis else channel


def _value(table: DataTable) -> dict[str, Any]:
    return {"field": "value", "type": "quantitative", "title": table.axis_label}


def _colour(rng: random.Random) -> dict[str, Any]:
    scheme = rng.choice(SCHEMES)
    return {"field": "series", "type": "nominal", "sort": None, "title": None, "scale": {"scheme": scheme}}


def _with_text(mark: dict[str, Any], encoding: dict[str, Any], text: dict[str, Any]) -> dict[str, Any]:
    """A mark with the values printed at it."""
    label = {"field": "value", "type": "quantitative"}
    return {"encoding": encoding, "layer": [{"mark": mark}, {"mark": text, "encoding": {"text": label}}]}


def _bar(table: DataTable, style: Style, rng: random.Random) -> dict[str, Any]:
    mark: dict[str, Any] = {"type": "bar", "color": style.colours[0]}
    if rng.random() < 0.4:
        mark["cornerRadiusEnd"] = 3
    encoding = {"x": _category(table), "y": _value(table)}
    if rng.random() < 0.4:
        return _with_text(mark, encoding, {"type": "text", "dy": -7, "color": style.ink})
    return {"mark": mark, "encoding": encoding}


def _barh(table: DataTable, style: Style, rng: random.Random) -> dict[str, Any]:
    mark: dict[str, Any] = {"type": "bar", "color": style.colours[0]}
    encoding = {"y": _category(table, axis=False), "x": _value(table)}
    if rng.random() < 0.4:
        return _with_text(mark, encoding, {"type": "text", "align": "left", "dx": 4, "color": style.ink})
    return {"mark": mark, "encoding": encoding}


def _grouped(table: DataTable, style: Style, rng: random.Random) -> dict[str, Any]:
    offset = {"field": "series", "sort": None}
    encoding = {"x": _category(table), "xOffset": offset, "y": _value(table), "color": _colour(rng)}
    return {"mark": "bar", "encoding": encoding}


def _stacked(table: DataTable, style: Style, rng: random.Random) -> dict[str, Any]:
    lying = rng.random() < 0.3
    across, along = ("y", "x") if lying else ("x", "y")
    # Without an order of its own each layer would be stacked in another.
    order = {"field": "place", "type": "quantitative"}
    encoding = {across: _category(table, axis=not lying), along: _value(table), "color": _colour(rng), "order": order}
    middle = {**_value(table), "stack": "zero", "bandPosition": 0.5}
    text: dict[str, Any] = {"mark": {"type": "text", "color": "black", "fontSize": 9}, "encoding": {along: middle}}
    text["encoding"] |= {
        "text": {"field": "value", "type": "quantitative"},
        "detail": {"field": "series"},
        "order": order,
    }
    text["encoding"] |= {across: _category(table, axis=not lying)}
    return {"layer": [{"mark": {"type": "bar", "opacity": 0.75}, "encoding": encoding}, text]}


def _line(table: DataTable, style: Style, rng: random.Random) -> dict[str, Any]:
    mark: dict[str, Any] = {"type": "line", "point": rng.random() < 0.8, "strokeWidth": rng.choice((1.5, 2, 3))}
    encoding = {"x": _category(table), "y": _value(table)}
    if len(table.series) > 1:
        encoding["color"] = _colour(rng)
    else:
        mark["color"] = style.colours[0]
    return {"mark": mark, "encoding": encoding}


def _area(table: DataTable, style: Style, rng: random.Random) -> dict[str, Any]:
    mark = {"type": "area", "color": style.colours[0], "opacity": rng.choice((0.4, 0.7, 1.0)), "line": True}
    return {"mark": mark, "encoding": {"x": _category(table), "y": _value(table)}}


def _pie(table: DataTable, style: Style, rng: random.Random) -> dict[str, Any]:
    inner = rng.choice((0, 0, 55))
    colour: dict[str, Any] = {"field": "row", "type": "nominal", "sort": None, "title": table.row_name}
    colour["scale"] = {"scheme": rng.choice(SCHEMES)}
    encoding = {"theta": {"field": "value", "type": "quantitative", "stack": True}, "color": colour}
    encoding["order"] = {"field": "value", "sort": None}
    mark = {"type": "arc", "innerRadius": inner, "outerRadius": 105}
    # Nobody reads a share off an angle to the unit, so the numbers are always printed.
    text: dict[str, Any] = {
        "mark": {"type": "text", "radius": 122},
        "encoding": {"text": {"field": "value", "type": "quantitative"}},
    }
    text["encoding"]["color"] = {"value": style.ink}
    text["encoding"]["detail"] = {"field": "row"}
    return {"encoding": encoding, "layer": [{"mark": mark}, text]}


def _heat(table: DataTable, style: Style, rng: random.Random) -> dict[str, Any]:
    top = max(value for values in table.values for value in values)
    colour: dict[str, Any] = {
        "field": "value",
        "type": "quantitative",
        "title": table.axis_label,
        "scale": {"scheme": rng.choice(HEAT)},
    }
    rows = {"field": "series", "type": "nominal", "sort": None, "title": None}
    dark: dict[str, Any] = {
        "condition": {"test": f"datum.value > {float(top) * 0.55:g}", "value": "white"},
        "value": "black",
    }
    if colour["scale"]["scheme"] in ("viridis", "magma"):
        dark["condition"]["value"], dark["value"] = "black", "white"
    text: dict[str, Any] = {"mark": {"type": "text", "fontSize": 12}, "encoding": {"color": dark}}
    text["encoding"]["text"] = {"field": "value", "type": "quantitative"}
    return {
        "encoding": {"x": _category(table), "y": rows},
        "layer": [{"mark": "rect", "encoding": {"color": colour}}, text],
    }


_PARTS: Mapping[str, Callable[[DataTable, Style, random.Random], dict[str, Any]]] = {
    "bar": _bar,
    "horizontal bar": _barh,
    "grouped bar": _grouped,
    "stacked bar": _stacked,
    "line": _line,
    "area": _area,
    "pie": _pie,
    "heat map": _heat,
}
