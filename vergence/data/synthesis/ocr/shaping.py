"""Tokens as ink, and lines of tokens with the exact box of each.

```
token ─▶ token_ink: mask cut to its ink, place relative to (pen, baseline), advance     (cached)
tokens ─▶ wrap: lines that fit a width ─▶ set_line: pens from left to right or right to left ─▶ Line
```

A token is drawn alone, so its box is that of its own ink to the pixel, whatever touches it on the page. Shaping never
crosses a space, and in Chinese, Japanese and Thai not the tokens' borders either; only kerning against a space is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from PIL import Image, ImageDraw

from vergence.data.pictures import Box
from vergence.data.synthesis.ocr.fonts import Typeface, face, runs
from vergence.data.synthesis.ocr.scripts import Script

Align = Literal["left", "right", "centre", "justify", "start"]
Colour = tuple[int, int, int]


LEAST_SPACE = 0.4
"""The least width of a space in widths of an "o": some display fonts' own is no wider than what parts two letters."""
FULL = 0.75
"""A line that fills less of its width isn't justified: its spaces would become gaps."""


class Ink(NamedTuple):
    """A drawn token: grey mask cut to its ink, the mask's left and top from the pen on the baseline, the advance."""

    mask: Image.Image
    left: int
    top: int
    advance: float


class Style(NamedTuple):
    """How a line is set: typeface, size in pixels, script."""

    typeface: Typeface
    size: int
    script: Script

    def ink(self, token: str) -> Ink:
        """A token in this style."""
        return token_ink(self.typeface, self.size, token, self.script.direction, self.script.language)

    @property
    def space(self) -> float:
        """The advance of what stands between two tokens."""
        return space_advance(self.typeface, self.size) if self.script.joiner else 0.0

    @property
    def ascent(self) -> int:
        """The font's highest letter above the baseline."""
        return self.heights[0]

    @property
    def heights(self) -> tuple[int, int]:
        """Ascent and descent, the larger ones of the typeface's files."""
        metrics = [face(path, self.size).getmetrics() for path in self.typeface.files]
        return max(up for up, _ in metrics), max(down for _, down in metrics)


@dataclass(slots=True)
class Word:
    """A token on a page: its text, its ink's box in pixels and the pen that drew it."""

    text: str
    box: Box
    ink: Ink
    pen: tuple[int, int]
    quad: tuple[tuple[float, float], ...] = ()
    """The corners, clockwise from the top left, where the picture was bent; else empty."""


@dataclass(slots=True)
class Line:
    """Tokens on a baseline, in the order in which they are read."""

    words: list[Word]
    script: Script
    ink: Colour = (0, 0, 0)

    @property
    def text(self) -> str:
        """The line as running text."""
        return self.script.join([word.text for word in self.words])

    @property
    def box(self) -> Box:
        """The box around all ink."""
        return union([word.box for word in self.words])

    def draw(self, page: Image.Image, colour: Colour | int | None = None) -> None:
        """Pour the ink on a page, in the line's colour or in another."""
        poured = self.ink if colour is None else colour
        for word in self.words:
            page.paste(poured, (int(word.box[0]), int(word.box[1])), word.ink.mask)


def union(boxes: Sequence[Box]) -> Box:
    """The smallest box around boxes, of which there is at least one."""
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


@lru_cache(maxsize=16_384)
def token_ink(typeface: Typeface, size: int, text: str, direction: str, language: str) -> Ink:
    """`draw_token`, which remembers: the common words of a page are drawn once."""
    return draw_token(typeface, size, text, direction, language)


def draw_token(typeface: Typeface, size: int, text: str, direction: str, language: str) -> Ink:
    """Draw a token. A token without ink has an empty mask of one pixel.

    Raises `UsageError` for a character that the typeface hasn't.
    """
    parts = list(runs(typeface, text))
    if direction == "rtl":
        parts.reverse()
    drawn, pen = [], 0.0
    for path, part in parts:
        font = face(path, size)
        by_raqm = path.suffix == ".woff"
        way, tongue = (direction, language) if by_raqm else (None, None)
        drawn.append((font, part, way, tongue, pen))
        pen += font.getlength(part, direction=way, language=tongue)
    room = size
    canvas = Image.new("L", (int(pen) + 2 * room, 4 * size))
    ink = ImageDraw.Draw(canvas)
    for font, part, way, tongue, at in drawn:
        place = (room + round(at), 2 * size)
        ink.text(place, part, fill=255, font=font, anchor="ls", direction=way, language=tongue)
    box = canvas.getbbox()
    if box is None:
        return Ink(Image.new("L", (1, 1)), 0, 0, pen)
    return Ink(canvas.crop(box), box[0] - room, box[1] - 2 * size, pen)


@lru_cache(maxsize=4096)
def space_advance(typeface: Typeface, size: int) -> float:
    """The advance of a space, from the file that has Latin letters."""
    font = face(typeface.files[-1], size)
    return max(font.getlength(" "), LEAST_SPACE * font.getlength("o"))


def wrap(tokens: Sequence[str], style: Style, width: float, indent: float = 0.0) -> list[list[str]]:
    """Tokens cut into lines that fit a width, the first of them an `indent` less; a token wider than a line stands
    alone."""
    lines: list[list[str]] = []
    used, space = 0.0, style.space
    for token in tokens:
        advance = style.ink(token).advance
        if lines and used + space + advance <= width:
            lines[-1].append(token)
            used += space + advance
        else:
            used = advance + (0.0 if lines else indent)
            lines.append([token])
    return lines


def line_width(tokens: Sequence[str], style: Style) -> float:
    """The advance of a line."""
    return sum(style.ink(token).advance for token in tokens) + style.space * (len(tokens) - 1)


def set_line(
    tokens: Sequence[str],
    style: Style,
    left: float,
    baseline: float,
    width: float,
    align: Align = "start",
    ink: Colour = (0, 0, 0),
) -> Line:
    """Place tokens on a baseline between `left` and `left + width`; "start" is the side on which the script begins."""
    space, used = style.space, line_width(tokens, style)
    rtl = style.script.direction == "rtl"
    if align == "justify" and len(tokens) > 1 and FULL * width < used < width:
        space += (width - used) / (len(tokens) - 1)
        used = width
    free = width - used
    before = {
        "left": 0.0,
        "right": free,
        "centre": free / 2,
        "justify": free if rtl else 0.0,
        "start": free if rtl else 0.0,
    }
    pen = left + before[align]
    words: list[Word | None] = [None] * len(tokens)
    for number in visual_order(tokens, rtl):
        drawn = style.ink(tokens[number])
        x, y = round(pen), round(baseline)
        words[number] = Word(tokens[number], _box(drawn, x, y), drawn, (x, y))
        pen += drawn.advance + space
    return Line([word for word in words if word is not None], style.script, ink)


def _box(ink: Ink, x: int, y: int) -> Box:
    left, top = x + ink.left, y + ink.top
    return (float(left), float(top), float(left + ink.mask.width), float(top + ink.mask.height))


def visual_order(tokens: Sequence[str], rtl: bool) -> list[int]:
    """The tokens' numbers from left to right: the Unicode bidirectional algorithm (UAX 9) for a line whose tokens are
    each of one direction. Neighbouring tokens with Latin letters keep their own order, as do numbers right behind them.
    """
    if not rtl:
        return list(range(len(tokens)))
    runs: list[list[int]] = []
    latin = False
    for number, token in enumerate(tokens):
        goes_on = is_latin(token) or (latin and is_number(token))
        if latin and goes_on:
            runs[-1].append(number)
        else:
            runs.append([number])
        latin = goes_on
    return [number for run in reversed(runs) for number in run]


def is_latin(token: str) -> bool:
    """Whether a token has a Latin letter."""
    return any("a" <= character.lower() <= "z" for character in token)


def is_number(token: str) -> bool:
    """Whether a token has digits and no letters."""
    return any(map(str.isdecimal, token)) and not any(map(str.isalpha, token))
