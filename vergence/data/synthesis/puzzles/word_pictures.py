"""How word games are drawn: grids of letters, crosswords, coloured clues, a gallows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import ImageFont

from vergence.data.generator import Region
from vergence.data.synthesis.palette import RGB
from vergence.data.synthesis.puzzles.drawing import Canvas, Look
from vergence.data.synthesis.puzzles.word_rules import (
    Slot,
)
from vergence.verifiers.puzzles.reading import cell_name

CLUES: Mapping[str, RGB] = {"G": (70, 150, 88), "Y": (214, 168, 48), "B": (120, 126, 134)}


def last_cell(word: str, place: tuple[int, int, tuple[int, int]]) -> tuple[int, int]:
    """The cell of a hidden word's last letter."""
    row, column, (down, right) = place
    return row + down * (len(word) - 1), column + right * (len(word) - 1)


def draw_search(facts: Mapping[str, Any], style: Look) -> tuple[Canvas, tuple[Region, ...]]:
    """The letters with names of columns and rows."""
    grid, cell, margin = facts["grid"], 34.0, 34.0
    size = len(grid)
    canvas = Canvas(margin + size * cell + 14, margin + size * cell + 14, style.paper)
    canvas.box((margin, margin, margin + size * cell, margin + size * cell), style.surface, style.ink, 1, 4)
    for row, line in enumerate(grid):
        canvas.text((margin / 2, margin + (row + 0.5) * cell), str(row + 1), 14, style.accent)
        canvas.text((margin + (row + 0.5) * cell, margin / 2), cell_name(0, row)[0], 14, style.accent)
        for column, letter in enumerate(line):
            at = (margin + (column + 0.5) * cell, margin + (row + 0.5) * cell)
            canvas.text(at, letter.upper(), 20, style.ink)
    regions = []
    for word, place in facts["places"].items():
        ends = (place[:2], last_cell(word, place))
        points = tuple((margin + (column + 0.5) * cell, margin + (row + 0.5) * cell) for row, column in ends)
        regions.append(Region(word, points=points))
    return canvas, tuple(regions)


def draw_crossword(
    facts: Mapping[str, Any], style: Look, letters: ImageFont.FreeTypeFont | None = None
) -> tuple[Canvas, tuple[Region, ...]]:
    """The cells with the given letters; the first cell of each word has its number, an asked cell a question mark."""
    cells = {cell for slot in facts["slots"] for cell in slot.cells}
    cell, margin = (58.0, 20.0) if letters else (40.0, 20.0)
    rows, columns = max(row for row, _ in cells) + 1, max(column for _, column in cells) + 1
    canvas = Canvas(2 * margin + columns * cell, 2 * margin + rows * cell, style.paper)
    ink: RGB = (30, 32, 36)
    for row, column in sorted(cells):
        x, y = margin + column * cell, margin + row * cell
        asked = facts.get("asked") == (row, column)
        canvas.box((x, y, x + cell, y + cell), (255, 236, 200) if asked else (255, 255, 255), ink, 1.5)
        text = "?" if asked else facts["given"].get((row, column), "").upper()
        if text:
            face_for = letters if not text.isascii() else None
            canvas.text((x + cell / 2, y + cell / 2 + (0 if letters else 3)), text, cell * 0.5, ink, face=face_for)
    numbers = numbers_of(facts["slots"])
    for at, number in numbers.items():
        if not letters:
            canvas.text(
                (margin + at[1] * cell + 3, margin + at[0] * cell + 2),
                str(number),
                11,
                style.accent if style.paper[0] > 100 else ink,
                "la",
            )
    regions = [
        Region(
            word,
            (
                margin + slot.column * cell,
                margin + slot.row * cell,
                margin + (slot.cells[-1][1] + 1) * cell,
                margin + (slot.cells[-1][0] + 1) * cell,
            ),
        )
        for slot, word in zip(facts["slots"], facts["answers"], strict=True)
    ]
    return canvas, tuple(regions)


def numbers_of(slots: Sequence[Slot]) -> dict[tuple[int, int], int]:
    """First cells by their numbers, counted row by row, as crosswords are numbered."""
    starts = sorted({(slot.row, slot.column) for slot in slots})
    return {start: number for number, start in enumerate(starts, 1)}


def draw_clues(facts: Mapping[str, Any], style: Look) -> tuple[Canvas, tuple[Region, ...]]:
    """The guesses, one a row, each letter on the colour of its clue, and a row of question marks."""
    clues, cell, margin = facts["clues"], 54.0, 20.0
    length = len(facts["secret"])
    canvas = Canvas(2 * margin + length * cell, 2 * margin + (len(clues) + 1) * cell, style.paper)
    regions = []
    for row, (guess, clue) in enumerate([*clues, ("?" * length, "?" * length)]):
        for column, (letter, mark) in enumerate(zip(guess, clue, strict=True)):
            x, y = margin + column * cell, margin + row * cell
            box = (x + 3, y + 3, x + cell - 3, y + cell - 3)
            canvas.box(box, CLUES.get(mark, style.surface), style.ink if mark == "?" else None, 1, 5)
            canvas.text((x + cell / 2, y + cell / 2), letter.upper(), 28, style.ink if mark == "?" else (255, 255, 255))
        if guess[0] != "?":
            regions.append(
                Region(guess, (margin, margin + row * cell, margin + length * cell, margin + (row + 1) * cell))
            )
    return canvas, tuple(regions)


def draw_letters(facts: Mapping[str, Any], style: Look) -> tuple[Canvas, tuple[Region, ...]]:
    """A gallows with as many strokes as letters were guessed in vain, the word with gaps, and the wrong letters."""
    pattern, wrong = facts["pattern"], facts["wrong"]
    width = max(320.0, 40 + 44.0 * len(pattern))
    canvas = Canvas(width, 270, style.paper)
    canvas.line([(30, 150), (110, 150)], style.ink, 4)
    canvas.line([(50, 150), (50, 24), (120, 24), (120, 40)], style.ink, 4)
    for number in range(len(wrong)):
        if number == 0:
            canvas.disc((120, 54), 13, None, style.accent, 3)
        else:
            strokes = (
                ((120, 68), (120, 106)),
                ((120, 78), (100, 92)),
                ((120, 78), (140, 92)),
                ((120, 106), (104, 132)),
            )
            canvas.line(list(strokes[number - 1]), style.accent, 4)
    canvas.text((180, 50), "Wrong:", 17, style.ink, "lm")
    canvas.text((180, 82), "  ".join(letter.upper() for letter in wrong), 22, style.accent, "lm")
    left = (width - 44 * len(pattern)) / 2
    regions = []
    for number, letter in enumerate(pattern):
        x = left + 44 * number
        canvas.line([(x + 5, 235), (x + 39, 235)], style.ink, 3)
        if letter != "_":
            canvas.text((x + 22, 213), letter.upper(), 30, style.ink)
        regions.append(Region(letter, (x, 190, x + 44, 240), order=number))
    return canvas, tuple(regions)
