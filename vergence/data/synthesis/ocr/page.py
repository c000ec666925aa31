"""A page as its blocks of lines, in reading order: how it is drawn and how a camera bends it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageDraw

from vergence.data.generator import Region
from vergence.data.pictures import Box
from vergence.data.synthesis.ocr import effects
from vergence.data.synthesis.ocr.shaping import Colour, Line, union

BlockKind = Literal["header", "title", "byline", "heading", "paragraph", "list item", "caption", "footer"]


@dataclass(slots=True)
class Block:
    """Lines that belong together; `column` counts from 0 in reading order, -1 is the width of the page."""

    kind: BlockKind
    lines: list[Line]
    column: int = -1
    marker: Box | None = None
    """Where a list item has a bullet, its place; a bullet isn't text."""

    @property
    def text(self) -> str:
        """The block as running text, without line breaks."""
        return self.lines[0].script.join([word.text for line in self.lines for word in line.words])

    @property
    def box(self) -> Box:
        """The box around its ink."""
        return union([line.box for line in self.lines])


@dataclass(slots=True)
class Page:
    """A set page: its blocks in reading order, figures and rules, and the colours of ink and paper."""

    size: tuple[int, int]
    blocks: list[Block]
    ink: Colour
    paper: Colour
    columns: int = 1
    figures: list[Box] = field(default_factory=list)
    rules: list[Box] = field(default_factory=list)
    bent: bool = False

    def of(self, *kinds: BlockKind) -> list[Block]:
        """The blocks of some kinds, in reading order."""
        return [block for block in self.blocks if block.kind in kinds]

    def draw(self, sheet: Image.Image) -> None:
        """Pour all text, rules and bullets on a sheet."""
        pen = ImageDraw.Draw(sheet)
        for rule in self.rules:
            pen.rectangle((rule[0], rule[1], rule[2] - 1, rule[3] - 1), fill=self.ink)
        for block in self.blocks:
            if block.marker:
                pen.ellipse(block.marker, fill=self.ink)
            for line in block.lines:
                line.draw(sheet)

    def bend(self, matrix: np.ndarray, size: tuple[int, int]) -> None:
        """Move every box to where a homography takes it, in a picture of `size`."""
        words = [word for block in self.blocks for line in block.lines for word in line.words]
        for word in words:
            word.quad = effects.project(matrix, effects.corners_of(word.box))
            word.box = effects.box_around(word.quad)
        self.figures = [effects.box_around(effects.project(matrix, effects.corners_of(box))) for box in self.figures]
        self.size, self.bent = size, True

    def regions(self) -> tuple[Region, ...]:
        """Blocks with their order, then lines and figures."""
        found = [Region(block.kind, block.box, order=number) for number, block in enumerate(self.blocks)]
        found += [Region("line", line.box) for block in self.blocks for line in block.lines]
        return (*found, *(Region("figure", box) for box in self.figures))

    def truth(self) -> dict[str, Any]:
        """Blocks, lines and words with text and boxes; words have their four corners too where the page is bent."""
        return {
            "columns": self.columns,
            "blocks": [
                {
                    "kind": block.kind,
                    "column": block.column,
                    "text": block.text,
                    "box": _plain(block.box),
                    "lines": [line_truth(line) for line in block.lines],
                }
                for block in self.blocks
            ],
            "figures": [_plain(box) for box in self.figures],
        }


def line_truth(line: Line) -> dict[str, Any]:
    """A line's text and box, and its words as [text, x1, y1, x2, y2] or [text, corner, corner, corner, corner]."""
    words: list[list[Any]] = []
    for word in line.words:
        corners = [[round(x, 1), round(y, 1)] for x, y in word.quad]
        words.append([word.text, *(corners or _plain(word.box))])
    return {"text": line.text, "box": _plain(line.box), "words": words}


def _plain(box: Box) -> list[float]:
    return [round(value, 1) for value in box]


def draw_figure(sheet: Image.Image, box: Box, rng: random.Random) -> None:
    """Something that isn't text: bars, a curve, discs or a plain field, in a frame."""
    pen = ImageDraw.Draw(sheet)
    x1, y1, x2, y2 = (int(value) for value in box)
    ground = tuple(rng.randint(200, 250) for _ in range(3))
    pen.rectangle((x1, y1, x2 - 1, y2 - 1), fill=ground, outline=(90, 90, 90))
    colours = [tuple(rng.randint(30, 200) for _ in range(3)) for _ in range(6)]
    width, height = x2 - x1, y2 - y1
    kind = rng.choice(("bars", "curve", "discs", "field"))
    if kind == "bars":
        count = rng.randint(4, 9)
        step = width / (count + 1)
        for number in range(count):
            top = y2 - height * rng.uniform(0.15, 0.9)
            left = x1 + step * (number + 0.65)
            pen.rectangle((left, top, left + step * 0.7, y2 - 2), fill=colours[0])
    elif kind == "curve":
        points = [(x1 + width * n / 12, y1 + height * rng.uniform(0.15, 0.85)) for n in range(13)]
        pen.line(points, fill=colours[0], width=3, joint="curve")
    elif kind == "discs":
        for colour in colours:
            radius = min(width, height) * rng.uniform(0.06, 0.2)
            x, y = x1 + rng.uniform(radius, width - radius), y1 + rng.uniform(radius, height - radius)
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    else:
        sheet.paste(effects.surface((width - 2, height - 2), rng), (x1 + 1, y1 + 1))


def unique_openings(blocks: Sequence[Block], least: int, most: int) -> dict[int, str]:
    """For each block's number its first tokens, as few as tell it from all others, at least `least`; a block that
    `most` tokens don't tell apart is left out."""
    found = {}
    for number, block in enumerate(blocks):
        tokens = [word.text for line in block.lines for word in line.words]
        join = block.lines[0].script.join
        for count in range(least, min(most, len(tokens)) + 1):
            opening = join(tokens[:count])
            if not any(other.text.startswith(opening) for other in blocks if other is not block):
                found[number] = opening
                break
    return found
