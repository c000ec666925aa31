"""Matplotlib code for charts of a table. The code is the ground truth: a chart is drawn by running it.

A chart's code stands between a head, which makes `fig` and `ax`, and `fig.savefig`. Users get a head with pyplot; the
generator runs the same body on a `Figure` of its own, because pyplot keeps figures in a global list.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from vergence.data.synthesis.charts.chart_style import DASHES, HATCHES, HEAT, MARKERS, Style
from vergence.data.synthesis.charts.data_tables import DataTable
from vergence.data.synthesis.charts.table_reader import plain


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a chart: data and drawing, and whether the numbers are printed in the picture."""

    data: tuple[str, ...]
    body: tuple[str, ...]
    annotated: bool


def literal(texts: Sequence[str]) -> str:
    """Texts as a Python list in one line."""
    return json.dumps(list(texts), ensure_ascii=False)


def numbers(values: Sequence[Decimal]) -> str:
    """Numbers as a Python list in one line."""
    return f"[{', '.join(map(plain, values))}]"


def _data(table: DataTable) -> list[str]:
    if len(table.series) == 1:
        return [f"labels = {literal(table.rows)}", f"values = {numbers(table.values[0])}"]
    lines = [f"labels = {literal(table.rows)}", "data = {"]
    pairs = zip(table.series, table.values, strict=True)
    lines += [f"    {json.dumps(name, ensure_ascii=False)}: {numbers(values)}," for name, values in pairs]
    return [*lines, "}"]


def _colours(style: Style, count: int) -> str:
    return f"colors = {literal(style.colours[:count])}"


def _width(text: str) -> int:
    return sum(2 if ord(letter) > 0x2E7F else 1 for letter in text)


def _axes(table: DataTable, style: Style, *, headroom: float = 1.08, flipped: bool = False) -> list[str]:
    """Title, axis labels, limits, grid and frame; values lie on the y axis, or on the x axis where `flipped`."""
    names, values = ("y", "x") if flipped else ("x", "y")
    room = style.width * 12 * 10 / style.font_size  # letters along the x axis
    crowded = not flipped and sum(_width(row) + 2 for row in table.rows) > room * 0.8
    top = max(value for line in table.values for value in line) * Decimal(str(headroom))
    lines = [
        f"ax.set_title({json.dumps(table.title, ensure_ascii=False)}{style.title_words})",
        f"ax.set_{names}label({json.dumps(table.row_name, ensure_ascii=False)})",
        f"ax.set_{values}label({json.dumps(table.axis_label, ensure_ascii=False)})",
        f"ax.set_{values}lim(0, {plain(top.quantize(Decimal('0.01')))})",
    ]
    if crowded:
        lines.append('ax.tick_params(axis="x", labelrotation=40)')
    if style.grid:
        lines += [f'ax.grid(axis="{values}", color="#888888", alpha=0.35)', "ax.set_axisbelow(True)"]
    if not style.frame:
        lines.append('ax.spines[["top", "right"]].set_visible(False)')
    return lines


def _legend(style: Style) -> str:
    if style.outside_legend:
        return 'ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)'
    return 'ax.legend(loc="upper center", ncols=len(data), frameon=False, columnspacing=1.0, handlelength=1.4)'


def bar(table: DataTable, style: Style, rng: random.Random) -> Code:
    """Upright bars of one series."""
    annotated = rng.random() < 0.4
    one = rng.random() < 0.5
    hatch = f', hatch="{rng.choice(HATCHES)}", edgecolor="white"' if style.hatched else ""
    width = rng.choice((0.5, 0.6, 0.7, 0.8))
    colour = f'"{style.colours[0]}"' if one else "colors"
    data = _data(table) + ([] if one else [_colours(style, len(table.rows))])
    body = [f"bars = ax.bar(labels, values, color={colour}, width={width}{hatch})"]
    body += [f"ax.bar_label(bars, labels={literal(list(map(plain, table.values[0])))}, padding=2)"] if annotated else []
    return Code(tuple(data), (*body, *_axes(table, style, headroom=1.12)), annotated)


def barh(table: DataTable, style: Style, rng: random.Random) -> Code:
    """Lying bars of one series, the first on top."""
    annotated = rng.random() < 0.4
    body = [f'bars = ax.barh(labels, values, color="{style.colours[0]}", height={rng.choice((0.55, 0.65, 0.75))})']
    body += ["ax.invert_yaxis()"]
    body += [f"ax.bar_label(bars, labels={literal(list(map(plain, table.values[0])))}, padding=3)"] if annotated else []
    return Code(tuple(_data(table)), (*body, *_axes(table, style, headroom=1.14, flipped=True)), annotated)


def grouped(table: DataTable, style: Style, rng: random.Random) -> Code:
    """Bars of several series side by side."""
    annotated = len(table.rows) * len(table.series) <= 12 and rng.random() < 0.35
    share = rng.choice((0.7, 0.8))
    body = [
        f"width = {share} / len(data)",
        "for number, (name, values) in enumerate(data.items()):",
        "    places = [i + (number - (len(data) - 1) / 2) * width for i in range(len(labels))]",
        "    bars = ax.bar(places, values, width, label=name, color=colors[number])",
        *(['    ax.bar_label(bars, labels=[f"{value:g}" for value in values], fontsize=8)'] if annotated else []),
        "ax.set_xticks(range(len(labels)), labels)",
        *_axes(table, style, headroom=1.08 if style.outside_legend else 1.2),
        _legend(style),
    ]
    return Code((*_data(table), _colours(style, len(table.series))), tuple(body), annotated)


def stacked(table: DataTable, style: Style, rng: random.Random) -> Code:
    """Bars of several series on top of one another, with the numbers in them."""
    body = [
        "bottom = [0] * len(labels)",
        "for number, (name, values) in enumerate(data.items()):",
        f"    bars = ax.bar(labels, values, {rng.choice((0.55, 0.65, 0.75))}, bottom=bottom, label=name,"
        " color=colors[number])",
        '    ax.bar_label(bars, labels=[f"{value:g}" for value in values], label_type="center", color="white",'
        " fontsize=8)",
        "    bottom = [low + value for low, value in zip(bottom, values)]",
        *_axes(_summed(table), style, headroom=1.06 if style.outside_legend else 1.2),
        _legend(style),
    ]
    # White numbers want dark bars.
    dark = [_darkened(colour) for colour in style.colours[: len(table.series)]]
    return Code((*_data(table), f"colors = {literal(dark)}"), tuple(body), True)


def _darkened(colour: str) -> str:
    red, green, blue = bytes.fromhex(colour[1:])
    light = (0.299 * red + 0.587 * green + 0.114 * blue) / 255
    share = min(1.0, 0.5 / max(light, 0.01))
    return "#" + bytes(int(part * share) for part in (red, green, blue)).hex()


def _summed(table: DataTable) -> DataTable:
    return replace(table, values=(tuple(sum(column, Decimal(0)) for column in zip(*table.values, strict=True)),))


def line(table: DataTable, style: Style, rng: random.Random) -> Code:
    """Lines in time, of one series or more."""
    marked = rng.random() < 0.75 or len(table.rows) < 5
    annotated = len(table.series) == 1 and rng.random() < 0.4
    thick = rng.choice((1.5, 2, 2.5))
    several = len(table.series) > 1
    dashes = [DASHES[i % 4] if rng.random() < 0.3 else "-" for i in range(len(table.series))]
    marks = list(rng.choice((MARKERS, "oooooo", "ssssss")))[: len(table.series)]
    data = _data(table) + ([_colours(style, len(table.series))] if several else [])
    if several:
        data.append(f"dashes = {literal(dashes)}")
        body = [
            "for number, (name, values) in enumerate(data.items()):",
            f"    ax.plot(labels, values, color=colors[number], linestyle=dashes[number], linewidth={thick},"
            + (f" marker={literal(marks)}[number]," if marked else "")
            + " label=name)",
        ]
    else:
        mark = f', marker="{marks[0]}"' if marked else ""
        body = [f'ax.plot(labels, values, color="{style.colours[0]}", linewidth={thick}{mark})']
    if annotated:
        body += [
            "for place, value in enumerate(values):",
            '    ax.annotate(f"{value:g}", (place, value), (0, 6), textcoords="offset points", ha="center")',
        ]
    body += _axes(table, style, headroom=1.12 if style.outside_legend or not several else 1.2)
    return Code(tuple(data), (*body, *([_legend(style)] if several else [])), annotated)


def area(table: DataTable, style: Style, rng: random.Random) -> Code:
    """The area below one line in time."""
    colour = style.colours[0]
    body = [
        f'ax.fill_between(range(len(labels)), values, color="{colour}", alpha={rng.choice((0.3, 0.5, 0.8))})',
        f'ax.plot(range(len(labels)), values, color="{colour}", linewidth=2)',
        "ax.set_xticks(range(len(labels)), labels)",
        "ax.set_xlim(0, len(labels) - 1)",
        *_axes(table, style),
    ]
    return Code(tuple(_data(table)), tuple(body), False)


def pie(table: DataTable, style: Style, rng: random.Random) -> Code:
    """Shares as sectors, or as a ring, with their percentages: nobody reads a share off an angle to the unit."""
    ring = (
        ', wedgeprops={"width": 0.45, "edgecolor": "white"}'
        if rng.random() < 0.35
        else ', wedgeprops={"edgecolor": "white"}'
    )
    turn = rng.choice((90, 90, 0, 45))
    place = 0.78 if "width" in ring else 0.62
    data = [*_data(table), f"colors = {literal([_lightened(c) for c in style.colours[: len(table.rows)]])}"]
    ink = "#888888" if style.dark else style.ink
    shown = f', autopct="%d%%", pctdistance={place}, textprops={{"color": "{ink}"}}'
    body = [
        f"ax.pie(values, labels=labels, colors=colors, startangle={turn}, counterclock=False{shown}{ring})",
        f"ax.set_title({json.dumps(table.title, ensure_ascii=False)}{style.title_words})",
    ]
    return Code(tuple(data), tuple(body), True)


def _lightened(colour: str) -> str:
    """A colour that dark numbers can be read on."""
    red, green, blue = bytes.fromhex(colour[1:])
    return "#" + bytes(255 - int((255 - part) * 0.62) for part in (red, green, blue)).hex()


def heat(table: DataTable, style: Style, rng: random.Random) -> Code:
    """A grid of coloured cells with their numbers."""
    scale = rng.choice(HEAT)
    body = [
        "grid = list(data.values())",
        f'picture = ax.imshow(grid, cmap="{scale}", aspect="auto")',
        "ax.set_xticks(range(len(labels)), labels)",
        "ax.set_yticks(range(len(data)), list(data))",
        "for r, values in enumerate(grid):",
        "    for c, value in enumerate(values):",
        "        light = sum(picture.cmap(picture.norm(value))[:3]) > 1.6",
        '        ax.text(c, r, f"{value:g}", ha="center", va="center", color="black" if light else "white")',
        f"fig.colorbar(picture, label={json.dumps(table.axis_label, ensure_ascii=False)})",
        f"ax.set_title({json.dumps(table.title, ensure_ascii=False)}{style.title_words})",
    ]
    if sum(_width(row) + 2 for row in table.rows) > style.width * 8:
        body.append('ax.tick_params(axis="x", labelrotation=40)')
    return Code(tuple(_data(table)), tuple(body), True)


CODES: Mapping[str, Callable[[DataTable, Style, random.Random], Code]] = {
    "bar": bar,
    "horizontal bar": barh,
    "grouped bar": grouped,
    "stacked bar": stacked,
    "line": line,
    "area": area,
    "pie": pie,
    "heat map": heat,
}
"""Type of chart -> what writes its code, for charts that show a table cell by cell."""


def settings(style: Style, family: str) -> dict[str, object]:
    """Matplotlib's settings that differ from its own."""
    changed: dict[str, object] = {"font.family": [family, "DejaVu Sans"], "font.size": style.font_size}
    for key in ("figure.facecolor", "axes.facecolor"):
        changed[key] = style.face
    if style.dark:
        for key in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"):
            changed[key] = style.ink
        changed["legend.facecolor"] = style.face
    return changed


def script(code: Code, style: Style, family: str) -> str:
    """The whole program, as an answer gives it."""
    changed = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in settings(style, family).items())
    head = f'fig, ax = plt.subplots(figsize=({style.width:g}, {style.height:g}), dpi=100, layout="constrained")'
    lines = ["import matplotlib.pyplot as plt", "", f"plt.rcParams.update({{{changed}}})", *code.data, "", head]
    return "\n".join([*lines, *code.body, 'fig.savefig("chart.png")'])
