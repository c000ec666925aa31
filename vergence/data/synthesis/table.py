"""Small tables with a header row and a header column, asked for the content of one cell.

Held out are font families and the two-digit numbers in the cells: a held-out table shows only numbers that no
training table shows, in fonts that no training table uses. Label schemes and sizes are the same in both splits.
"""

from __future__ import annotations

import random
from functools import lru_cache

from PIL import Image, ImageDraw

from vergence.data.pictures import Picture, Question, Split, split_of, wording
from vergence.data.sources.fonts import Font, face, fonts
from vergence.data.synthesis.palette import RGB, ink_and_paper

WORDINGS = (
    "What is in row {row}, column {column}?",
    "Read the cell in row {row}, column {column}.",
    "Which number is in column {column} of row {row}?",
)

SCHEMES = (("123", "ABC"), ("123", "XYZ"), ("KLM", "ABC"), ("PQR", "XYZ"))
"""Labels of the rows and of the columns."""

VALUES: dict[Split, list[str]] = {
    "train": [str(n) for n in range(100) if n < 10 or split_of(f"cell:{n}") == "train"],
    "heldout": [str(n) for n in range(10, 100) if split_of(f"cell:{n}") == "heldout"],
}


def _blend(a: RGB, b: RGB, share: float) -> RGB:
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


@lru_cache(maxsize=16384)
def _printed(font: Font, size: int, text: str) -> Image.Image:
    """A short text as a tight mask through which ink is poured: far cheaper than setting it anew for every table."""
    loaded = face(font, size)
    left, top, right, bottom = (int(side) for side in loaded.getbbox(text))
    mask = Image.new("L", (right - left, bottom - top), 0)
    ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=loaded)
    return mask


def draw(split: Split, rng: random.Random) -> Picture:
    """One table of two or three rows and columns, with one question."""
    rows, columns = rng.randint(2, 3), rng.randint(2, 3)
    row_labels, column_labels = rng.choice(SCHEMES)
    width, height = 28 * rng.randint(columns + 1, 5), 28 * (rows + 1)
    cells = rng.sample(VALUES[split], rows * columns)
    font = rng.choice(rng.choice(fonts(split)))
    size = rng.randint(19, 22)
    ink, paper = ink_and_paper(rng)
    image = Image.new("RGB", (width, height), paper)
    pen = ImageDraw.Draw(image)
    if rng.random() < 0.7:
        shade = _blend(paper, ink, 0.18)
        pen.rectangle((0, 0, width, 27), fill=shade)
        pen.rectangle((0, 0, width // (columns + 1), height), fill=shade)
    line = _blend(paper, ink, 0.5)
    for i in range(columns + 2):
        x = min(width - 1, width * i // (columns + 1))
        pen.line((x, 0, x, height), fill=line)
    for j in range(rows + 2):
        y = min(height - 1, 28 * j)
        pen.line((0, y, width, y), fill=line)
    grid = [["", *column_labels[:columns]]]
    grid += [[row_labels[j], *cells[j * columns : (j + 1) * columns]] for j in range(rows)]
    for j, texts in enumerate(grid):
        for i, text in enumerate(texts):
            if text:
                mask = _printed(font, size, text)
                x = round(width * (i + 0.5) / (columns + 1) - mask.width / 2) + 1
                image.paste(ink, (x, 28 * j + (29 - mask.height) // 2), mask)
    row, column = rng.randrange(rows), rng.randrange(columns)
    prompt = wording(rng, WORDINGS, row=row_labels[row], column=column_labels[column])
    return Picture(
        image=image,
        caption="a table: " + "; ".join(" ".join(texts).strip() for texts in grid),
        questions=(Question("table", prompt, cells[row * columns + column]),),
        items=(*(f"cell:{cell}" for cell in cells), font.item),
        real=False,
        source="vergence, rendered",
    )
