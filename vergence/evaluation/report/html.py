"""What reports are built of: a page that asks the network nothing, tables that sort, heat maps that can be read.

body = table(["model", "accuracy"], [["A", Cell("63.2", 0.632)], ["B", Cell("61.0", 0.610)]], label="Models")
body += heat_map(["counting", "text"], ["A", "B"], [[0.63, None], [0.41, 0.0]], label="Dimensions by model")
path.write_text(page("Two models", body), encoding="utf-8")

Labels and names are plain text and escaped here; `Cell.html` and a page's `body` are HTML.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from vergence.errors import VergenceError
from vergence.evaluation.examples import write_text
from vergence.evaluation.wording import percent

STEPS = 9  # shades of a heat map; the colours are --h0 to --h8 of report.css
BLANK = math.nan
"""The value of a heat map's cell that doesn't apply; None is one that was not evaluated."""
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def text(value: object) -> str:
    """A value as HTML text that is only text: escaped, without control characters, its reading direction contained."""
    return f"<bdi>{escape(plain(value))}</bdi>"


def plain(value: object) -> str:
    """A value as characters that a page can hold; the others become U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", str(value))


def resource(name: str) -> str:
    """The text of a style sheet or script of this package."""
    return (resources.files("vergence.evaluation.report") / name).read_text(encoding="utf-8")


def page(title: str, body: str, script: str = "", *, style: str = "", wide: bool = False) -> str:
    """A whole HTML document around `body`, self-contained: a browser may load nothing, and runs this script alone.

    The script for sorting and folding is added where the body has a table that needs it. Data for a script goes into
    the body with `script_data`.
    """
    if "data-sortable" in body or "data-folds" in body:
        script = f"{resource('tables.js')}\n{script}"
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(plain(title))}</title><style>{resource('report.css')}{style}</style></head>\n"
        f"<body><main{_class('wide' if wide else '')}>{body}</main>"
        + (f"<script>{script}</script>" if script else "")
        + "</body></html>\n"
    )


def write_page(path: Path, document: str) -> None:
    """Write a page atomically. Raises `VergenceError` by its name where that isn't possible."""
    try:
        write_text(path, document)
    except OSError as error:
        raise VergenceError(f"{path}: can't be written: {error.strerror or error}") from None


def script_data(identifier: str, data: Any) -> str:
    """JSON for a page's script, in an element that no browser runs and that nothing in the data can end."""
    # Lone surrogates can't be written as UTF-8; every "<" is escaped, so that no tag can begin or end here.
    dumped = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    dumped = re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", dumped)
    return f'<script type="application/json" id="{escape(identifier)}">{dumped}</script>'


def section(title: str, body: str, *, level: int = 2) -> str:
    """A part of a page under a heading of plain text; nothing where the body is empty."""
    return f"<section><h{level}>{text(title)}</h{level}>{body}</section>\n" if body else ""


def facts(values: dict[str, str]) -> str:
    """Names and figures as a row of cards; a figure that is empty is left out."""
    cards = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in values.items() if value
    )
    return f'<dl class="facts">{cards}</dl>' if cards else ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its HTML, the value it is sorted by (its text where None) and its classes."""

    html: str
    sort: float | str | None = None
    css: str = ""


NOT_EVALUATED = Cell('<span title="not evaluated">n/a</span>', "", "missing")


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell | str]],
    *,
    label: str,
    sortable: bool = True,
    left: Collection[int] = (0,),
) -> str:
    """A table that scrolls inside its frame where the page is narrow, and sorts by the column that is clicked on.

    A row's first cell is its heading; a `str` is plain text. `left` are the columns that are aligned to the left.
    """
    head = "".join(_heading(name, sortable, index in left) for index, name in enumerate(columns))
    body = "".join(f"<tr>{''.join(_cell(cell, i, i in left) for i, cell in enumerate(row))}</tr>" for row in rows)
    return _framed(f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>", label, "data-sortable" if sortable else "")


def _framed(content: str, label: str, attributes: str = "", css: str = "") -> str:
    name = escape(plain(label))
    return (
        f'<div class="scroll{" fit" if css else ""}" role="region" aria-label="{name}" tabindex="0">'
        f"<table{_class(css)}{' ' + attributes if attributes else ''}>{content}</table></div>"
    )


def _heading(name: str, sortable: bool, left: bool) -> str:
    shown = f'<button type="button">{text(name)}</button>' if sortable and name else text(name)
    return f'<th scope="col"{_class("left" if left else "")}>{shown}</th>'


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""


def _cell(cell: Cell | str, index: int, left: bool) -> str:
    cell = Cell(text(cell)) if isinstance(cell, str) else cell
    attributes = _class(" ".join(filter(None, [cell.css, "left" if left and index else ""])))
    if cell.sort is not None:
        attributes += f' data-sort="{escape(plain(cell.sort))}"'
    return f'<th scope="row"{attributes}>{cell.html}</th>' if index == 0 else f"<td{attributes}>{cell.html}</td>"


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A row of a heat map: its name, its depth in a tree (0 is the top), and a mark such as "OOD" with its meaning."""

    label: str
    level: int = 0
    mark: str = ""
    meaning: str = ""


def heat_map(
    rows: Sequence[HeatRow | str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    label: str,
    corner: str = "",
    scale: tuple[float, float] | None = None,
    form: Callable[[float], str] | None = None,
    titles: Sequence[Sequence[str]] = (),
    sortable: bool = False,
    lower_is_better: bool = False,
) -> str:
    """A table whose cells are coloured by their value, each with its number, and a legend.

    `values[row][column]` None is hatched as not evaluated, `BLANK` stays empty. `scale` are the ends of the colours,
    otherwise those of the values; `form` writes a value (default: a share in percent, without the sign). `titles` are
    plain texts shown over a cell. Rows of several levels fold; such a map can't be sorted.
    """
    form = form or points
    named = [row if isinstance(row, HeatRow) else HeatRow(row) for row in rows]
    low, high = scale or span([value for row in values for value in row])
    folds = any(row.level for row in named)
    body = ""
    for index, (row, line) in enumerate(zip(named, values, strict=True)):
        below = folds and index + 1 < len(named) and named[index + 1].level > row.level
        cells = "".join(
            _heat_cell(value, low, high, form, titles[index][column] if titles else "", lower_is_better)
            for column, value in enumerate(line)
        )
        level = f' data-level="{row.level}"' if folds else ""
        body += f"<tr{level}>{_heat_heading(row, below)}{cells}</tr>"
    sorts = sortable and not folds
    head = _heading(corner, sorts, True) + "".join(_heading(name, sorts, False) for name in columns)
    missing = any(value is None for row in values for value in row)
    content = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    attributes = "data-folds" if folds else "data-sortable" if sorts else ""
    return (
        f"{_levels(named) if folds else ''}"
        f"{_framed(content, label, attributes, 'heat')}"
        f"{_heat_legend(form(low), form(high), missing, lower_is_better)}"
    )


def _heat_heading(row: HeatRow, below: bool) -> str:
    name = text(row.label)
    if below:
        name = f'<button type="button" class="fold" aria-expanded="true">{name}</button>'
    if row.mark:
        name += f' <abbr class="mark" title="{escape(plain(row.meaning or row.mark))}">{text(row.mark)}</abbr>'
    return f'<th scope="row"{_class(f"level{row.level}" if row.level else "")}>{name}</th>'


def _heat_cell(
    value: float | None, low: float, high: float, form: Callable[[float], str], title: str, lower_is_better: bool
) -> str:
    if value is None:
        return '<td class="missing" data-sort="" title="not evaluated"><span>n/a</span></td>'
    if math.isnan(value):
        return '<td class="blank" data-sort=""></td>'
    over = f' title="{escape(plain(title))}"' if title else ""
    step = shade(value, low, high, lower_is_better)
    return f'<td class="h{step}" data-sort="{value!r}"{over}>{escape(plain(form(value)))}</td>'


def shade(value: float, low: float, high: float, lower_is_better: bool = False) -> int:
    """The step of the colour scale, 0 to 8, of a value between the scale's ends; the better end is the last step."""
    share = (value - low) / (high - low) if high > low else 0.5
    share = 1 - share if lower_is_better else share
    return min(STEPS - 1, max(0, math.floor(share * STEPS)))


def span(values: Sequence[float | None]) -> tuple[float, float]:
    """The ends of a colour scale: of shares the whole tens of percent around them, otherwise the extremes."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if low >= 0 and high <= 1:
        low, high = math.floor(10 * low + 1e-9) / 10, math.ceil(10 * high - 1e-9) / 10
    return (low, high) if high > low else (low - 0.1, low) if high == 1 else (low, low + 0.1)


def _levels(rows: Sequence[HeatRow]) -> str:
    depth = max(row.level for row in rows) + 1
    buttons = "".join(f'<button type="button" data-depth="{level}">{level}</button>' for level in range(1, depth + 1))
    return f'<p class="levels" hidden>Levels shown: {buttons}</p>'


def _heat_legend(low: str, high: str, missing: bool, lower_is_better: bool) -> str:
    chips = "".join(f'<i class="h{step}"></i>' for step in range(STEPS))
    ends = (high, low) if lower_is_better else (low, high)
    hatched = '<span class="nowrap"><i class="missing"></i> not evaluated</span>' if missing else ""
    better = "lower is better" if lower_is_better else ""
    left, right = (escape(plain(end)) for end in ends)
    parts = f'<span class="nowrap">{left} <span class="ramp">{chips}</span> {right}</span>'
    return f'<p class="scale">{parts} {hatched} {better}</p>'


def points(share: float) -> str:
    """A share in percent without the sign: `63.2`."""
    return percent(share).removesuffix("%")
