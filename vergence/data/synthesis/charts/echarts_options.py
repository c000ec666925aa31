"""Options of Apache ECharts for the charts of a table, one for each type of chart; plain JSON, without functions."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from vergence.data.synthesis.charts.chart_style import Style
from vergence.data.synthesis.charts.data_tables import DataTable

Option = dict[str, Any]

HEAT = (
    ("#f7fbff", "#6baed6", "#08306b"),
    ("#fff5eb", "#fd8d3c", "#7f2704"),
    ("#f7fcf5", "#74c476", "#00441b"),
    ("#ffffcc", "#41b6c4", "#253494"),
    ("#fcfbfd", "#9e9ac8", "#3f007d"),
)
NAME_ONLY = "{b}"
"""The text at a sector without its number."""

RINGS = 5
"""Rings of a radar chart, from zero in the middle."""


def chart_option(
    kind: str, table: DataTable, style: Style, rng: random.Random, family: str
) -> tuple[Option, tuple[int, int], bool]:
    """The option of a chart, its size in pixels, and whether the numbers are printed in it."""
    width, height = rng.choice((440, 480, 540, 600)), rng.choice((320, 360, 400))
    parts = _PARTS[kind](table, style, rng)
    option: Option = {
        "animation": False,
        "backgroundColor": style.face,
        "color": list(style.colours[: max(len(table.series), len(table.rows) if kind == "pie" else 1)]),
        "textStyle": {"fontFamily": family},
        "title": {
            "text": table.title,
            "left": 12 if style.title_left else "center",
            "top": 10,
            "textStyle": {
                "fontSize": style.font_size + 6,
                "fontWeight": "bold" if style.bold_title else "normal",
                "color": style.ink,
            },
        },
    }
    named = len(table.series) > 1 and kind not in ("heat map", "scatter")
    below = named and rng.random() < 0.5
    if named:
        place: Option = {"bottom": 8} if below else {"top": 40}
        option["legend"] = {**place, "data": list(table.series), "textStyle": {"color": style.ink}}
    if kind == "pie":
        width = max(width, 520)
    elif "xAxis" in parts:
        option["grid"] = {
            "left": 16,
            "right": 90 if kind == "heat map" else 28,
            "top": 76 if named and not below else 48,
            "bottom": 40 if below else 14,
            "outerBoundsMode": "same",
            **({"show": True, "borderColor": "#cccccc"} if style.frame else {}),
        }
    else:
        height = max(height, 400)
        parts["radar"]["center"] = ["50%", "59%" if named and not below else "52%"]
    label = parts["series"][0].get("label", {})
    printed = bool(label) and label.get("formatter") != NAME_ONLY
    return {**option, **parts}, (width, height), printed


def _category(table: DataTable, style: Style, *, turned: bool = True) -> Option:
    """The axis of the rows; ECharts would leave out names that come close, so all are asked for."""
    letters = sum(2 if ord(letter) > 0x2E7F else 1 for row in table.rows for letter in row) + 2 * len(table.rows)
    label = {"interval": 0, "color": style.ink, "rotate": 35 if turned and letters > 46 else 0}
    return {"type": "category", "data": list(table.rows), "axisLabel": label}


def _value(label: str, style: Style, rng: random.Random, *, lying: bool = False) -> Option:
    above = not lying and rng.random() < 0.4
    place: Option = {"nameLocation": "end"} if above else {"nameLocation": "middle"}
    if above:
        # A name is centred over the axis, at the edge of the picture; so it begins there instead.
        place["nameTextStyle"] = {"align": "left", "color": style.ink}
    else:
        place |= {"nameGap": 28 if lying else 40, "nameTextStyle": {"color": style.ink}}
    line = {"show": style.grid, "lineStyle": {"color": "#4a505c" if style.dark else "#dddddd"}}
    axis = {"axisLabel": {"color": style.ink}, "axisLine": {"show": True}, "axisTick": {"show": True}}
    return {"type": "value", "name": label, **place, **axis, "splitLine": line}


def _numbers(table: DataTable, series: int) -> list[float]:
    return [float(value) for value in table.values[series]]


def _label(style: Style, position: str) -> Option:
    return {"show": True, "position": position, "color": style.ink, "fontSize": 11}


def _bar(table: DataTable, style: Style, rng: random.Random) -> Option:
    series: Option = {"type": "bar", "name": table.series[0], "data": _numbers(table, 0)}
    series["barWidth"] = rng.choice(("45%", "60%", "70%"))
    if rng.random() < 0.4:
        series["itemStyle"] = {"borderRadius": [4, 4, 0, 0]}
    if rng.random() < 0.4:
        series["label"] = _label(style, "top")
    return {"xAxis": _category(table, style), "yAxis": _value(table.axis_label, style, rng), "series": [series]}


def _lying(table: DataTable, style: Style, rng: random.Random) -> Option:
    series: Option = {"type": "bar", "name": table.series[0], "data": _numbers(table, 0)}
    series["barWidth"] = rng.choice(("45%", "60%"))
    if rng.random() < 0.4:
        series["label"] = _label(style, "right")
    rows = {**_category(table, style, turned=False), "inverse": True}
    return {"xAxis": _value(table.axis_label, style, rng, lying=True), "yAxis": rows, "series": [series]}


def _grouped(table: DataTable, style: Style, rng: random.Random) -> Option:
    gap = rng.choice((0, "10%"))
    series = [
        {"type": "bar", "name": name, "data": _numbers(table, s), "barGap": gap} for s, name in enumerate(table.series)
    ]
    return {"xAxis": _category(table, style), "yAxis": _value(table.axis_label, style, rng), "series": series}


def _stacked(table: DataTable, style: Style, rng: random.Random) -> Option:
    lying = rng.random() < 0.3
    label = {"show": True, "position": "inside", "fontSize": 10}
    series = [
        {"type": "bar", "stack": "all", "name": name, "barWidth": "60%", "label": label, "data": _numbers(table, s)}
        for s, name in enumerate(table.series)
    ]
    rows, values = _category(table, style, turned=not lying), _value(table.axis_label, style, rng, lying=lying)
    if lying:
        return {"xAxis": values, "yAxis": {**rows, "inverse": True}, "series": series}
    return {"xAxis": rows, "yAxis": values, "series": series}


def _line(table: DataTable, style: Style, rng: random.Random) -> Option:
    symbols = rng.sample(("circle", "rect", "triangle", "diamond", "emptyCircle"), len(table.series))
    if rng.random() < 0.4:
        symbols = ["emptyCircle"] * len(symbols)
    look: Option = {"type": "line", "showAllSymbol": True, "symbolSize": 7, "smooth": rng.random() < 0.25}
    look["lineStyle"] = {"width": rng.choice((1.5, 2, 3))}
    series = [
        {**look, "name": name, "symbol": symbols[s], "data": _numbers(table, s)} for s, name in enumerate(table.series)
    ]
    if len(series) == 1 and rng.random() < 0.3:
        series[0]["label"] = _label(style, "top")
    return {"xAxis": _category(table, style), "yAxis": _value(table.axis_label, style, rng), "series": series}


def _area(table: DataTable, style: Style, rng: random.Random) -> Option:
    series: Option = {"type": "line", "name": table.series[0], "showAllSymbol": True, "symbolSize": 6}
    series |= {"areaStyle": {"opacity": rng.choice((0.3, 0.5, 0.8))}, "data": _numbers(table, 0)}
    rows = {**_category(table, style), "boundaryGap": False}
    return {"xAxis": rows, "yAxis": _value(table.axis_label, style, rng), "series": [series]}


def _pie(table: DataTable, style: Style, rng: random.Random) -> Option:
    printed = rng.random() < 0.7
    values = [{"name": row, "value": value} for row, value in zip(table.rows, _numbers(table, 0), strict=True)]
    series: Option = {
        "type": "pie",
        "name": table.measure,
        "radius": rng.choice(("56%", ["28%", "56%"])),
        "center": ["50%", "54%"],
        "data": values,
        "itemStyle": {"borderColor": style.face, "borderWidth": 1},
    }
    shown = "{b}: {c}%" if printed else NAME_ONLY
    # ECharts would shorten names that come close to the edge.
    series["label"] = {"formatter": shown, "color": style.ink, "overflow": "none"}
    return {"series": [series]}


def _radar(table: DataTable, style: Style, rng: random.Random) -> Option:
    top = round_top(max(value for values in table.values for value in values))
    filled = rng.random() < 0.5
    colours = {"axisLabel": {"show": True, "color": style.ink, "fontSize": 10}, "axisName": {"color": style.ink}}
    radar: Option = {
        "indicator": [
            # The numbers at the rings stand on the first axis only.
            {"name": row, "min": 0, "max": float(top), **({} if r == 0 else {"axisLabel": {"show": False}})}
            for r, row in enumerate(table.rows)
        ],
        "radius": "66%",
        "splitNumber": RINGS,
        "shape": rng.choice(("polygon", "circle")),
        "splitArea": {"show": False},
        **colours,
    }
    data = [{"name": name, "value": _numbers(table, s)} for s, name in enumerate(table.series)]
    series: Option = {"type": "radar", "symbolSize": 6, "data": data}
    if filled:
        series["areaStyle"] = {"opacity": 0.2}
    return {"radar": radar, "series": [series]}


def round_top(value: Decimal) -> Decimal:
    """The least number that isn't below `value` and has round fifths: 1, 2, 2.5, 4 or 5 times a power of ten each."""
    unit = Decimal(10) ** (value / RINGS).adjusted()
    fifths = (unit * factor for factor in map(Decimal, ("1", "2", "2.5", "4", "5", "10")))
    return next(fifth for fifth in fifths if fifth * RINGS >= value) * RINGS


def _heat(table: DataTable, style: Style, rng: random.Random) -> Option:
    cells = [[r, s, value] for s in range(len(table.series)) for r, value in enumerate(_numbers(table, s))]
    numbers = [value for _, _, value in cells]
    series = {"type": "heatmap", "data": cells, "label": {"show": True, "fontSize": 11}}
    series["itemStyle"] = {"borderColor": style.face, "borderWidth": rng.choice((0, 1, 2))}
    scale = {
        "min": min(numbers),
        "max": max(numbers),
        "calculable": True,
        "orient": "vertical",
        "right": 8,
        "top": "middle",
        "itemHeight": 150,
        "textStyle": {"color": style.ink},
        "precision": max(0, -int(table.step.normalize().as_tuple().exponent)),
        "inRange": {"color": list(rng.choice(HEAT))},
    }
    names = {"type": "category", "data": list(table.series), "inverse": True}
    names["axisLabel"] = {"interval": 0, "color": style.ink}
    return {"xAxis": _category(table, style), "yAxis": names, "visualMap": scale, "series": [series]}


def _scatter(table: DataTable, style: Style, rng: random.Random) -> Option:
    points = [list(pair) for pair in zip(_numbers(table, 0), _numbers(table, 1), strict=True)]
    series = {"type": "scatter", "symbolSize": rng.choice((8, 10, 13)), "data": points}
    series["symbol"] = rng.choice(("circle", "rect", "triangle", "diamond"))
    across = _value(table.series[0], style, rng, lying=True)
    return {"xAxis": across, "yAxis": _value(table.series[1], style, rng), "series": [series]}


_PARTS: Mapping[str, Callable[[DataTable, Style, random.Random], Option]] = {
    "bar": _bar,
    "horizontal bar": _lying,
    "grouped bar": _grouped,
    "stacked bar": _stacked,
    "line": _line,
    "area": _area,
    "pie": _pie,
    "radar": _radar,
    "heat map": _heat,
    "scatter": _scatter,
}
