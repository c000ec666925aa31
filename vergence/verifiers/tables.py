"""How much of a table a text gives: Markdown, HTML and LaTeX are read into rows of cells and compared cell by cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser

Rows = list[list[str]]

_RULE = re.compile(r"^\|?[\s:|-]*-[\s:|-]*\|?$")
_LATEX_BODY = re.compile(r"\\begin\{(tabular[*x]?|array|longtable)\}(.*?)\\end\{\1\}", re.DOTALL)
_SPAN = re.compile(r"^\\(multicolumn|multirow)\s*\{(\d+)\}\s*\{[^{}]*\}\s*\{(.*)\}$", re.DOTALL)
_LINES = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule)(?:\[[^\]]*\])?|\\(?:cmidrule|cline)(?:\([^)]*\))?\{[^}]*\}"
)
_COMMAND = re.compile(r"\\(?:textbf|textit|emph|textrm|mathrm|text)\{([^{}]*)\}")
_NUMBER = re.compile(r"^([-+−]?)\D{0,3}?(\d[\d,]*(?:\.\d+)?)\s*%?$")


def table_score(answer: str, target_rows: Sequence[Sequence[str]], tolerance: float = 0.0) -> float:
    """The share of equal cells, in 0..1: those at the same row and column, over the larger table's number of cells.

    Cells are compared with single spaces and without regard to case; numbers also where they differ by at most the
    share `tolerance` of the target's. A cell that spans several stands in each of them, on both sides. A table that
    can't be read scores 0.
    """
    rows = read_table(answer)
    target = [[_plain(cell) for cell in row] for row in target_rows]
    size = max(sum(map(len, rows)), sum(map(len, target)))
    if not size:
        return 0.0
    pairs = [
        (cell, wanted)
        for row, wanted_row in zip(rows, target, strict=False)
        for cell, wanted in zip(row, wanted_row, strict=False)
    ]
    return sum(_equal(cell, wanted, tolerance) for cell, wanted in pairs) / size


def read_table(text: str) -> Rows:
    """The first table of a text as rows of cells: HTML where there is a `<table>`, LaTeX where there is a `tabular`,
    else Markdown. Spanned cells are repeated. No table: no rows."""
    if "<table" in text.lower() or "<tr" in text.lower():
        return read_html(text)
    found = _LATEX_BODY.search(text)
    return read_latex(found[2]) if found else read_markdown(text)


def read_markdown(text: str) -> Rows:
    """The rows of the first block of lines with pipes, but for the line of dashes."""
    rows: Rows = []
    for line in map(str.strip, text.splitlines()):
        if "|" not in line:
            if rows:
                break
            continue
        if _RULE.match(line):
            continue
        inner = line.removeprefix("|")
        if inner.endswith("|") and not inner.endswith("\\|"):
            inner = inner[:-1]
        rows.append([_plain(cell.replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", inner)])
    return rows


class _Html(HTMLParser):
    """Cells of the first table with the rows and columns that they span."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, int, int]]] = []
        self.open: tuple[int, int] | None = None
        self.text: list[str] = []
        self.done = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.done:
            return
        if tag in ("tr", "td", "th"):
            self._close()
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            spans = {name: value or "1" for name, value in attrs}
            self.open = _span(spans.get("rowspan", "1")), _span(spans.get("colspan", "1"))
            if not self.rows:
                self.rows.append([])
        elif tag == "br":
            self.text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._close()
        if tag == "table":
            self.done = True

    def handle_data(self, data: str) -> None:
        if self.open is not None:
            self.text.append(data)

    def _close(self) -> None:
        if self.open is not None:
            self.rows[-1].append((_plain("".join(self.text)), *self.open))
        self.open, self.text = None, []


def _span(text: str) -> int:
    return min(int(text), 100) if text.isdecimal() and int(text) else 1


def read_html(text: str) -> Rows:
    """The rows of the first HTML table."""
    parser = _Html()
    parser.feed(text)
    parser.close()
    return _spread(row for row in parser.rows if row)


def read_latex(body: str) -> Rows:
    r"""The rows of the body of a `tabular`: cells between `&`, rows between `\\`."""
    body = re.sub(r"^\s*(?:\[[^\]]*\])?\{(?:[^{}]|\{[^{}]*\})*\}", "", body)  # the columns' layout
    body = _LINES.sub("", re.sub(r"(?<!\\)%.*", "", body))
    rows: list[list[tuple[str, int, int]]] = []
    for line in re.split(r"\\\\(?:\[[^\]]*\])?|\\tabularnewline", body):
        if line.strip():
            rows.append([_latex_cell(cell.strip()) for cell in re.split(r"(?<!\\)&", line)])
    return _spread(rows, latex=True)


def _latex_cell(cell: str) -> tuple[str, int, int]:
    found = _SPAN.match(cell)
    down, across = 1, 1
    while found:
        if found[1] == "multirow":
            down = _span(found[2])
        else:
            across = _span(found[2])
        cell = found[3].strip()
        found = _SPAN.match(cell)
    previous = None
    while previous != cell:
        previous, cell = cell, _COMMAND.sub(r"\1", cell)
    cell = re.sub(r"\\([&%$#_{}])", r"\1", cell.replace("\\$", "\0"))
    return _plain(re.sub(r"^\$(.*)\$$", r"\1", cell).replace("\0", "$")), down, across


def _spread(rows: object, latex: bool = False) -> Rows:
    """Repeat cells over the rows and columns that they span. LaTeX leaves the covered cells of later rows empty, HTML
    leaves them out."""
    grid: Rows = []
    held: dict[tuple[int, int], str] = {}
    for r, row in enumerate(rows):  # type: ignore[arg-type, var-annotated]
        line: list[str] = []
        for text, down, across in row:
            if not latex:
                while (r, len(line)) in held:
                    line.append(held[r, len(line)])
            for _ in range(across):
                place = (r, len(line))
                shown = held[place] if latex and place in held and not text else text
                for below in range(1, down):
                    held[r + below, len(line)] = text
                line.append(shown)
        while (r, len(line)) in held:
            line.append(held[r, len(line)])
        grid.append(line)
    return grid


def _plain(cell: str) -> str:
    return " ".join(str(cell).replace("**", "").split())


def _equal(cell: str, wanted: str, tolerance: float) -> bool:
    if cell.casefold() == wanted.casefold():
        return True
    first, second = _NUMBER.match(cell), _NUMBER.match(wanted)
    if not first or not second:
        return False
    a, b = (float(n[2].replace(",", "")) * (-1 if n[1] in ("-", "−") else 1) for n in (first, second))
    return abs(a - b) <= abs(b) * tolerance
