"""Setting a page: margins, columns, and blocks that fill them from top to bottom.

No block goes over from one column to the next, so what a paragraph is can be seen and counted.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from vergence.data.pictures import Box, Split
from vergence.data.synthesis.ocr.fonts import Typeface, families
from vergence.data.synthesis.ocr.page import Block, BlockKind, Page
from vergence.data.synthesis.ocr.scripts import Script, Writer
from vergence.data.synthesis.ocr.shaping import Align, Line, Style, set_line, wrap

INKS = ((0, 0, 0), (20, 20, 20), (35, 35, 45), (50, 45, 40), (15, 25, 60), (60, 20, 20))
PAPERS = ((255, 255, 255), (252, 252, 250), (250, 246, 235), (244, 238, 222), (238, 240, 242), (232, 226, 206))
ACCENTS = ((0, 0, 0), (20, 60, 130), (130, 25, 25), (20, 95, 55), (90, 30, 110))


@dataclass(slots=True)
class Setting:
    """The choices that hold for a whole page. Lengths are in pixels."""

    script: Script
    body: Typeface
    display: Typeface
    size: int
    leading: float
    align: Align
    indent: float
    gap: float
    ink: tuple[int, int, int]
    accent: tuple[int, int, int]

    def style(self, scale: float = 1.0, display: bool = False) -> Style:
        """The style of a text that is `scale` times the body's size."""
        return Style(self.display if display else self.body, max(8, round(self.size * scale)), self.script)


def choose_typefaces(script: Script, split: Split, rng: random.Random) -> tuple[Typeface, Typeface]:
    """A regular face for the body and one for titles, of the same family in most pages."""
    choices = families(script.name, "print", split)
    family = rng.choice(choices)
    regular = [face for face in family if face.weight == 400 and not _heavy(face)] or list(family)
    titles = family if rng.random() < 0.7 else rng.choice(choices)
    heavy = [face for face in titles if face.weight == 700 or _heavy(face)] or list(titles)
    return rng.choice(regular), rng.choice(heavy)


def _heavy(typeface: Typeface) -> bool:
    return any(word in typeface.files[0].stem for word in ("Bold", "Black", "Heavy", "Extra"))


def choose_setting(script: Script, split: Split, width: int, rng: random.Random) -> Setting:
    """The settings of a page that is `width` pixels wide."""
    body, display = choose_typefaces(script, split, rng)
    # Scripts with many strokes or marks need more pixels than Latin letters do.
    least = 13 if script.name == "latin" else 16
    size = rng.randint(least, max(least, round(width / 42)))
    dark = rng.random() < 0.06
    return Setting(
        script,
        body,
        display,
        size,
        leading=size
        * rng.uniform(1.3, 1.75)
        * (1.15 if script.name in ("thai", "devanagari", "bengali", "arabic") else 1),
        align="justify" if rng.random() < 0.45 and script.name != "thai" else "start",
        indent=(indent := size * rng.choice((0.0, 0.0, 1.5, 2.0))),
        gap=size * (rng.uniform(0.5, 1.0) if not indent else rng.uniform(0.25, 0.5)),
        ink=(235, 235, 230) if dark else rng.choice(INKS),
        accent=(240, 220, 150) if dark else rng.choice(ACCENTS),
    )


class Composer:
    """Fills a page. `fill` is the share of the height at which columns may end early."""

    def __init__(
        self, setting: Setting, size: tuple[int, int], columns: int, writer: Writer, rng: random.Random
    ) -> None:
        self.setting = setting
        self.rng = rng
        self.writer = writer
        paper = (30, 32, 36) if setting.ink[0] > 200 else rng.choice(PAPERS)
        self.page = Page(size, [], setting.ink, paper, columns)
        width, height = size
        self.margin = round(width * rng.uniform(0.06, 0.11))
        self.top = round(height * rng.uniform(0.05, 0.09))
        self.bottom = height - self.top
        self.figure_boxes: list[Box] = []

    def compose(self, fill: float) -> Page:
        """Header, title, columns, footer. Raises `DataError` for text that the book lacks."""
        rng, page = self.rng, self.page
        left, width = float(self.margin), float(page.size[0] - 2 * self.margin)
        footer = self._footer(left, width) if rng.random() < 0.6 else None
        if rng.random() < 0.5:
            self._header(left, width)
        self._title(left, width)
        gutter = self.setting.size * rng.uniform(1.6, 2.6)
        column_width = (width - gutter * (page.columns - 1)) / page.columns
        start, end = self.top, self.top + (self.bottom - self.top) * fill
        ruled = page.columns > 1 and rng.random() < 0.2
        for column in range(page.columns):
            place = column if self.setting.script.direction == "ltr" else page.columns - 1 - column
            x = left + place * (column_width + gutter)
            self._column(column, x, column_width, start, end)
            if ruled and place:
                page.rules.append((round(x - gutter / 2), start, round(x - gutter / 2) + 1, round(end)))
        if footer:
            page.blocks.append(footer)
        return page

    def _lines(
        self,
        tokens: Sequence[str],
        style: Style,
        left: float,
        width: float,
        top: float,
        align: Align,
        indent: float = 0.0,
    ) -> list[Line]:
        """Text set from `top` down; the leading follows the style's size."""
        setting = self.setting
        leading = setting.leading * style.size / setting.size
        ink = setting.accent if style.typeface == setting.display and style.size > setting.size else setting.ink
        lines = []
        rows = wrap(tokens, style, width, indent)
        up, down = style.heights
        first = top + (leading - up - down) / 2 + up
        for number, row in enumerate(rows):
            shift = indent if number == 0 else 0.0
            at = left + (shift if setting.script.direction == "ltr" else 0.0)
            last = number == len(rows) - 1
            how: Align = "start" if align == "justify" and last else align
            lines.append(set_line(row, style, at, first + number * leading, width - shift, how, ink))
        return lines

    def _height(self, lines: Sequence[Line], style: Style) -> float:
        return len(lines) * self.setting.leading * style.size / self.setting.size

    def _header(self, left: float, width: float) -> None:
        style = self.setting.style(0.85)
        align: Align = self.rng.choice(("left", "centre", "right"))
        lines = self._lines(self.writer.words(self.rng.randint(2, 4)), style, left, width, self.top, align)[:1]
        self.page.blocks.append(Block("header", lines))
        self.top = round(self.top + self._height(lines, style) + 2)
        if self.rng.random() < 0.6:
            self.page.rules.append((left, self.top, left + width, self.top + 1))
        self.top = round(self.top + self.setting.size)

    def _footer(self, left: float, width: float) -> Block:
        style = self.setting.style(0.85)
        self.bottom = round(self.bottom - self.setting.leading)
        align: Align = self.rng.choice(("left", "centre", "centre", "right"))
        block = Block("footer", self._lines((str(self.rng.randint(2, 480)),), style, left, width, self.bottom, align))
        self.bottom = round(self.bottom - self.setting.size * 0.8)
        return block

    def _title(self, left: float, width: float) -> None:
        rng, setting = self.rng, self.setting
        style = setting.style(rng.uniform(1.6, 2.6), display=True)
        align: Align = rng.choice(("centre", "start"))
        lines = self._lines(self.writer.words(rng.randint(2, 6)), style, left, width, self.top, align)
        self.page.blocks.append(Block("title", lines))
        self.top = round(self.top + self._height(lines, style) + setting.size * 0.5)
        if rng.random() < 0.35:
            small = setting.style()
            lines = self._lines(self.writer.words(rng.randint(2, 4)), small, left, width, self.top, align)
            self.page.blocks.append(Block("byline", lines))
            self.top = round(self.top + self._height(lines, small))
        if rng.random() < 0.25:
            self.page.rules.append((left, self.top + 4, left + width, self.top + 5))
        self.top = round(self.top + setting.size * rng.uniform(0.8, 1.6))

    def _column(self, column: int, left: float, width: float, top: float, end: float) -> None:
        rng, setting = self.rng, self.setting
        y, before = top, "start"
        while end - y > setting.leading * 2:
            room = int((end - y) / setting.leading)
            weights = {
                "paragraph": 60.0,
                "heading": 22.0 if before != "heading" and room > 5 else 0.0,
                "list": 14.0 if before == "paragraph" and room > 3 else 0.0,
                "figure": 12.0 if before in ("paragraph", "list") and room > 9 else 0.0,
            }
            kind = rng.choices(list(weights), list(weights.values()))[0]
            if kind == "figure":
                y = self._figure(column, left, width, y, end)
            elif kind == "heading":
                y += setting.gap * 0.8
                style = setting.style(rng.choice((1.15, 1.25, 1.35)), display=True)
                y = self._add("heading", column, self.writer.words(rng.randint(1, 4)), style, left, width, y, end)
            elif kind == "list":
                y = self._list(column, left, width, y, end)
            else:
                lines = rng.randint(2, min(room, 9)) if room > 4 else room
                y = self._paragraph(column, lines, left, width, y, end)
            y += setting.gap
            before = kind

    def _add(
        self,
        kind: BlockKind,
        column: int,
        tokens: Sequence[str],
        style: Style,
        left: float,
        width: float,
        top: float,
        end: float,
    ) -> float:
        """A block, unless it is higher than the room; the place below it."""
        lines = self._lines(tokens, style, left, width, top, "start")
        height = self._height(lines, style)
        if top + height > end + 1:
            return end
        self.page.blocks.append(Block(kind, lines, column))
        return top + height

    def _paragraph(self, column: int, count: int, left: float, width: float, top: float, end: float) -> float:
        setting, style = self.setting, self.setting.style()
        per_line = max(2.0, width / (setting.size * (0.5 * 6.0 if setting.script.joiner else 1.0)))
        if setting.script.name == "thai":
            per_line /= 3
        tokens = self.writer.paragraph(max(3, int((count - self.rng.uniform(0.1, 0.8)) * per_line)))
        tokens = self.writer.ended(tokens)
        while True:
            lines = self._lines(tokens, style, left, width, top, setting.align, setting.indent)
            height = self._height(lines, style)
            if top + height <= end + 1 and len(lines) <= count + 1:
                break
            if len(tokens) < 4:
                return end
            tokens = self.writer.ended(tokens[: len(tokens) * count // (len(lines) + 1)])
        self.page.blocks.append(Block("paragraph", lines, column))
        return top + height

    def _list(self, column: int, left: float, width: float, top: float, end: float) -> float:
        setting, style = self.setting, self.setting.style()
        inset = setting.size * 1.6
        bullet = self.rng.random() < 0.5
        for number in range(self.rng.randint(2, 5)):
            words = self.writer.words(self.rng.randint(1, 4))
            x = left + (inset if setting.script.direction == "ltr" else 0.0)
            tokens = words if bullet else (f"{number + 1}.", *words)
            start = len(self.page.blocks)
            below = self._add("list item", column, tokens, style, x, width - inset, top, end)
            if len(self.page.blocks) > start and bullet:
                radius = setting.size * 0.16
                middle = self.page.blocks[-1].lines[0].words[0].pen[1] - setting.size * 0.32
                centre = left + (inset * 0.6 if setting.script.direction == "ltr" else width - inset * 0.6)
                self.page.blocks[-1].marker = (centre - radius, middle - radius, centre + radius, middle + radius)
            top = below
        return top

    def _figure(self, column: int, left: float, width: float, top: float, end: float) -> float:
        setting = self.setting
        height = min(width * self.rng.uniform(0.4, 0.75), end - top - 3 * setting.leading)
        box = (round(left), round(top), round(left + width), round(top + height))
        style = setting.style(0.9)
        below = top + height + setting.size * 0.4
        lines = self._lines(self.writer.words(self.rng.randint(3, 6)), style, left, width, below, "centre")
        if below + self._height(lines, style) > end + 1:
            return end
        self.page.figures.append(box)
        self.page.blocks.append(Block("caption", lines, column))
        return below + self._height(lines, style)
