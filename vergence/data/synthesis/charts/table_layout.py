"""Draws a table with Pillow: where each cell's frame and text are follows from the measured widths of the texts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from vergence.data.pictures import Box
from vergence.data.synthesis.charts.chart_fonts import ChartFont
from vergence.data.synthesis.charts.table_content import PageTable, runs

Rules = Literal["grid", "book", "lines", "none", "frame"]
Colour = tuple[int, int, int]

THEMES: tuple[tuple[Colour, Colour, Colour, Colour], ...] = (
    ((255, 255, 255), (30, 30, 30), (255, 255, 255), (30, 30, 30)),
    ((255, 255, 255), (25, 25, 25), (226, 232, 240), (20, 30, 50)),
    ((255, 255, 255), (35, 35, 35), (38, 70, 83), (255, 255, 255)),
    ((252, 251, 247), (50, 44, 36), (233, 224, 205), (60, 45, 25)),
    ((255, 255, 255), (30, 30, 30), (46, 125, 90), (255, 255, 255)),
    ((248, 249, 252), (30, 34, 60), (80, 86, 140), (255, 255, 255)),
    ((34, 38, 46), (228, 228, 228), (58, 66, 82), (245, 245, 245)),
)
"""Background, ink, background and ink of the header."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a table is drawn; sizes in pixels."""

    rules: Rules
    theme: int
    striped: bool
    size: int
    pad_x: int
    pad_y: int
    centred: bool
    caption: Literal["above", "below", "none"]
    margin: int


def draw_look(rng: random.Random) -> Look:
    """A look."""
    rules: Rules = rng.choice(("grid", "grid", "book", "lines", "none", "frame"))
    size = rng.choice((14, 15, 16, 17, 18, 20))
    return Look(
        rules=rules,
        theme=rng.randrange(len(THEMES)),
        striped=rules != "book" and (rules == "none" or rng.random() < 0.4),
        size=size,
        pad_x=rng.randint(size // 2, size + 4),
        pad_y=rng.randint(4, 10),
        centred=rng.random() < 0.25,
        caption=rng.choice(("above", "above", "below", "none")),
        margin=rng.randint(12, 40),
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """A drawn cell: text, frame and box of the text's ink in pixels, row of the grid from the top, first column."""

    text: str
    frame: Box
    ink: Box
    row: int
    column: int
    header: bool


@cache
def face_of(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """A font's file at a size in pixels, with plain layout from left to right."""
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def draw_page(table: PageTable, look: Look, font: ChartFont) -> tuple[Image.Image, list[Cell]]:
    """The picture of a table and its cells, header first."""
    plain, bold = face_of(font.regular, look.size), face_of(font.bold, look.size)
    title = face_of(font.bold, look.size + 3)
    widths = _widths(table, look, plain, bold)
    height = sum(plain.getmetrics()) + 2 * look.pad_y
    header = 2 if table.grouped else 1
    above = sum(title.getmetrics()) + look.pad_y if look.caption != "none" else 0
    total_width = max(sum(widths), round(title.getlength(table.caption)) if above else 0)
    total_height = height * (header + len(table.body))
    size = (total_width + 2 * look.margin, total_height + above + 2 * look.margin)
    back, ink, _, _ = THEMES[look.theme]
    image = Image.new("RGB", size, back)
    pen = ImageDraw.Draw(image)
    left = look.margin
    top = look.margin + (above if look.caption == "above" else 0)
    if look.caption != "none":
        y = look.margin if look.caption == "above" else top + total_height + look.pad_y
        pen.text((left, y), table.caption, fill=ink, font=title)
    frames = _frames(table, widths, left, top, height)
    _fill(pen, table, look, frames)
    cells = [
        Cell(
            text,
            frame,
            _write(pen, text, frame, look, side, bold if header_cell else plain, header_cell),
            r,
            c,
            header_cell,
        )
        for text, frame, r, c, side, header_cell in frames
    ]
    _rule(pen, table, look, (left, top, left + sum(widths), top + total_height), widths, height)
    return image, cells


def _widths(table: PageTable, look: Look, plain: ImageFont.FreeTypeFont, bold: ImageFont.FreeTypeFont) -> list[int]:
    widths = [
        max([bold.getlength(column.head), *(plain.getlength(text) for text in column.texts)])
        for column in table.columns
    ]
    found = [round(width) + 2 * look.pad_x for width in widths]
    for group, start, count in runs(table.columns):
        lacking = round(bold.getlength(group)) + 2 * look.pad_x - sum(found[start : start + count]) if group else 0
        for number in range(start, start + count):
            found[number] += max(0, -(-lacking // count))
    return found


Framed = tuple[str, Box, int, int, str, bool]


def _frames(table: PageTable, widths: list[int], left: int, top: int, height: int) -> list[Framed]:
    """Text, frame, row, column, side and whether it is a header, for all cells in reading order."""
    edges = [left + sum(widths[:number]) for number in range(len(widths) + 1)]
    found: list[Framed] = []
    header = 1
    if table.grouped:
        header = 2
        for group, start, count in runs(table.columns):
            text = group or table.columns[start].head
            low = top + height * (1 if group else 2)
            found.append((text, (edges[start], top, edges[start + count], low), 0, start, "centre", True))
    for number, column in enumerate(table.columns):
        if not table.grouped or column.group:
            y = top + height * (header - 1)
            frame = (edges[number], y, edges[number + 1], y + height)
            found.append((column.head, frame, header - 1, number, _side(column.kind), True))
    for r, row in enumerate(table.body):
        y = top + height * (header + r)
        for number, text in enumerate(row):
            frame = (edges[number], y, edges[number + 1], y + height)
            found.append((text, frame, header + r, number, _side(table.columns[number].kind), False))
    return found


def _side(kind: str) -> str:
    return "left" if kind in ("word", "date") else "right"


def _fill(pen: ImageDraw.ImageDraw, table: PageTable, look: Look, frames: list[Framed]) -> None:
    back, _, head, _ = THEMES[look.theme]
    stripe = tuple(value + (12 if sum(back) < 384 else -14) for value in back)
    for _, (x1, y1, x2, y2), row, _, _, header in frames:
        first = 2 if table.grouped else 1
        if header and look.rules != "book":
            pen.rectangle((x1, y1, x2 - 1, y2 - 1), fill=head)
        elif look.striped and (row - first) % 2:
            pen.rectangle((x1, y1, x2 - 1, y2 - 1), fill=stripe)


def _write(
    pen: ImageDraw.ImageDraw, text: str, frame: Box, look: Look, side: str, font: ImageFont.FreeTypeFont, header: bool
) -> Box:
    """Write a text into its frame and return the box of its ink."""
    x1, y1, x2, y2 = frame
    width = font.getlength(text)
    side = "centre" if look.centred else side
    x = {"left": x1 + look.pad_x, "right": x2 - look.pad_x - width, "centre": (x1 + x2 - width) / 2}[side]
    y = (y1 + y2) / 2 - sum(font.getmetrics()) / 2
    _, ink, _, head_ink = THEMES[look.theme]
    place = (round(x), round(y))
    pen.text(place, text, fill=head_ink if header and look.rules != "book" else ink, font=font)
    mask, (dx, dy) = font.getmask2(text, "L")
    left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)  # `textbbox` would take the last letter's advance
    x, y = place[0] + dx, place[1] + dy
    return (float(x + left), float(y + top), float(x + right), float(y + bottom))


def _rule(pen: ImageDraw.ImageDraw, table: PageTable, look: Look, outer: Box, widths: list[int], height: int) -> None:
    """The lines between cells."""
    left, top, right, bottom = outer
    _, ink, _, _ = THEMES[look.theme]
    header = 2 if table.grouped else 1
    rows = [top + height * number for number in range(header + len(table.body) + 1)]
    spans = runs(table.columns) if table.grouped else []
    edges = [left + sum(widths[:number]) for number in range(len(widths) + 1)]
    if look.rules in ("grid", "frame"):
        pen.rectangle((left, top, right, bottom), outline=ink)
    if look.rules == "book":
        for y, thick in ((top, 2), (rows[header], 1), (bottom, 2)):
            pen.line((left, y, right, y), fill=ink, width=thick)
    if look.rules in ("grid", "lines"):
        for y in rows[header:]:
            pen.line((left, y, right, y), fill=ink)
    if look.rules == "frame":
        pen.line((left, rows[header], right, rows[header]), fill=ink)
    if look.rules in ("grid", "book", "lines", "frame"):
        for group, start, count in spans:
            if group:
                gap = 6 if look.rules == "book" else 0
                pen.line((edges[start] + gap, rows[1], edges[start + count] - gap, rows[1]), fill=ink)
    if look.rules == "grid":
        inside = {start for group, start, count in spans} if spans else set(range(len(widths)))
        for number, x in enumerate(edges[:-1]):
            pen.line((x, top if number in inside else rows[1], x, bottom), fill=ink)
