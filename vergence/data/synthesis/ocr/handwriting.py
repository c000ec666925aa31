"""Notes, lists and columns of numbers in handwriting fonts on ruled paper, and numbers of real handwritten digits.

A token is drawn three times as large, its columns move up and down along a smooth curve, its rows to the side (slant),
and the result is averaged down: so no two of a letter are alike, and the ink's own box is still exact. Held out are
fonts, words and digit pictures.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import numpy as np
from PIL import Image, ImageChops, ImageDraw
from pydantic import Field

from vergence.data.formats import short_turn, thought_turn
from vergence.data.generator import Draft, GeneratorConfig, Region, SourceItem, Turn, dialogue, source_item
from vergence.data.sources.digits import pictures
from vergence.data.synthesis.ocr import effects
from vergence.data.synthesis.ocr.clear_digits import clear_digits
from vergence.data.synthesis.ocr.fonts import Typeface, families, font_item
from vergence.data.synthesis.ocr.page import line_truth
from vergence.data.synthesis.ocr.scripts import SCRIPTS, ScriptName, Writer
from vergence.data.synthesis.ocr.shaping import Box, Colour, Ink, Line, Style, Word, draw_token, wrap
from vergence.data.synthesis.ocr.turns import untold
from vergence.processing.coordinates import format_box

VERSION = 2
PACKAGES: tuple[str, ...] = ("scikit-learn",)
DIGITS_LICENCE = "CC-BY-4.0"
SCALE = 3
PENS: tuple[Colour, ...] = ((25, 35, 110), (20, 25, 60), (30, 30, 32), (70, 70, 75), (130, 30, 35), (20, 80, 60))
SHEETS: tuple[Colour, ...] = ((255, 255, 255), (250, 248, 240), (255, 249, 205), (240, 246, 252), (246, 236, 216))


class Config(GeneratorConfig):
    """What is written and in which languages it is asked about."""

    scripts: tuple[Literal["latin", "cyrillic", "han"], ...] = Field(
        ("latin", "han"), description="scripts; one is drawn for each picture"
    )
    language: Literal["en", "zh", "mix"] = Field("mix", description="language of questions and answers")
    lines: int = Field(7, ge=1, le=20, description="most lines of a note")
    digits: float = Field(0.2, ge=0, le=1, description="share of pictures that are numbers of real handwritten digits")
    turns: int = Field(3, ge=1, description="questions about one picture")


@dataclass(frozen=True, slots=True)
class Hand:
    """How somebody writes: slant (x per y), waviness of the baseline and unevenness of size, as shares of the size."""

    style: Style
    slant: float
    wave: float
    uneven: float

    def write(self, token: str, rng: random.Random) -> Ink:
        """A token as this hand writes it this time."""
        style = self.style
        script = style.script
        # Multiples of four pixels, so that a Chinese font isn't held in memory in a hundred sizes.
        size = 4 * round(style.size * SCALE * (1 + rng.uniform(-self.uneven, self.uneven)) / 4)
        plain = draw_token(style.typeface, size, token, script.direction, script.language)
        return _reduced(waved(np.asarray(plain.mask), plain, self.slant, self.wave * size, size, rng))


def waved(mask: np.ndarray, plain: Ink, slant: float, wave: float, size: int, rng: random.Random) -> Ink:
    """Ink whose columns (mask [H, W]) move along a smooth curve by at most `wave` pixels, and whose rows slant."""
    height, width = mask.shape
    knots = [rng.uniform(-wave, wave) for _ in range(max(2, width // size + 2))]
    shift = np.interp(np.linspace(0, len(knots) - 1, width), np.arange(len(knots)), knots)
    up = int(np.ceil(wave)) + 1
    lean = abs(slant) * (height + 2 * up)
    side = int(np.ceil(lean)) + 1
    target = np.zeros((height + 2 * up, width + 2 * side), dtype=np.uint8)
    y, x = np.mgrid[0 : target.shape[0], 0 : target.shape[1]]
    # Rows above the baseline lean to the right for a positive slant.
    row_from_baseline = y - up + plain.top
    from_x = np.rint(x - side + slant * row_from_baseline).astype(np.intp)
    inside_x = np.clip(from_x, 0, width - 1)
    from_y = np.rint(y - up - shift[inside_x]).astype(np.intp)
    inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
    target[inside] = mask[from_y[inside], from_x[inside]]
    return Ink(Image.fromarray(target), plain.left - side, plain.top - up, plain.advance)


def _reduced(large: Ink) -> Ink:
    """Ink drawn `SCALE` times too large, brought down so that the pen stays on a whole pixel, and cut to its ink."""
    left, top = large.left % SCALE, large.top % SCALE
    width, height = large.mask.width + left, large.mask.height + top
    canvas = Image.new("L", (-(-width // SCALE) * SCALE, -(-height // SCALE) * SCALE))
    canvas.paste(large.mask, (left, top))
    small = canvas.reduce(SCALE)
    box = small.getbbox() or (0, 0, 1, 1)
    x, y = (large.left - left) // SCALE + box[0], (large.top - top) // SCALE + box[1]
    return Ink(small.crop(box), x, y, large.advance / SCALE)


def generate(rng: random.Random, config: Config) -> Draft:
    """Write and question a note or numbers. Raises `UsageError` where a font isn't fetched."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    if rng.random() < config.digits:
        return _numbers(rng, config, language)
    script = SCRIPTS[rng.choice(config.scripts)]
    typeface = rng.choice(rng.choice(families(script.name, "handwriting", config.split)))
    kind = rng.choices(("note", "list"), (65, 35))[0]
    lines, picture = write_note(script.name, typeface, kind, config, rng)
    turns = questions(lines, kind, picture.size, language, config.turns, rng)
    messages, checks = dialogue((effects.jpeg(picture, rng.randint(75, 92)),), turns)
    return Draft(
        messages,
        checks,
        truth={
            "script": script.name,
            "kind": kind,
            "font": typeface.family,
            "lines": [line_truth(line) for line in lines],
        },
        capability="ocr/handwriting",
        domain="handwriting",
        difficulty=min(1.0, 0.25 + 0.06 * len(lines) + 0.2 * (script.name != "latin")),
        language=language,
        sources=(font_item(typeface),),
        regions=_regions(lines),
        tags={"script": script.name},
    )


def write_note(
    script: ScriptName, typeface: Typeface, kind: str, config: Config, rng: random.Random
) -> tuple[list[Line], Image.Image]:
    """Lines of a note or the items of a list on a sheet."""
    size = rng.randint(22, 44)
    style = Style(typeface, size, SCRIPTS[script])
    hand = Hand(style, rng.uniform(-0.08, 0.25), rng.uniform(0.01, 0.04), rng.uniform(0.01, 0.05))
    writer = Writer(SCRIPTS[script], config.split, "words", (typeface,), rng)
    width, leading = rng.randint(9, 20) * size, size * rng.uniform(1.45, 1.9)
    count = rng.randint(1, config.lines)
    if kind == "list":
        rows = [list(writer.words(rng.randint(1, 3))) for _ in range(max(2, count))]
        width = max(width, size * 10)
    else:
        per_line = width / size / (2.4 if style.script.joiner else 1)
        rows = wrap(writer.ended(writer.paragraph(max(2, round(per_line * count)))), style, width)[:count]
    ink = rng.choice(PENS)
    left, top = size * rng.uniform(0.9, 2.0), leading * rng.uniform(1.0, 1.4)
    lines = [write_line(row, hand, left, top + n * leading, ink, rng) for n, row in enumerate(rows)]
    right = max(line.box[2] for line in lines)
    extent = (round(max(right, left + width * 0.5) + size), round(top + (len(rows) - 1) * leading + leading * 0.9))
    sheet = ruled_paper(extent, top, leading, left - size * 0.5, rng)
    if kind == "list":
        pen = ImageDraw.Draw(sheet)
        for n in range(len(lines)):
            x, y = left - size * 0.45, top + n * leading - size * 0.25 + rng.uniform(-2, 2)
            pen.line(
                (x - size * 0.18, y, x + size * 0.12, y + rng.uniform(-1.5, 1.5)), fill=ink, width=max(2, size // 14)
            )
    pour(lines, sheet, rng)
    return lines, _finish(sheet, rng)


def write_line(row: list[str], hand: Hand, left: float, baseline: float, ink: Colour, rng: random.Random) -> Line:
    """Tokens one after the other; the baseline drifts and the spaces differ."""
    pen = left + rng.uniform(-0.2, 0.3) * hand.style.size
    slope = rng.uniform(-0.012, 0.012)
    words = []
    for token in row:
        drawn = hand.write(token, rng)
        x, y = round(pen), round(baseline + slope * (pen - left) + rng.uniform(-0.03, 0.03) * hand.style.size)
        box = (x + drawn.left, y + drawn.top, x + drawn.left + drawn.mask.width, y + drawn.top + drawn.mask.height)
        words.append(Word(token, (float(box[0]), float(box[1]), float(box[2]), float(box[3])), drawn, (x, y)))
        pen += drawn.advance + hand.style.space * rng.uniform(0.9, 1.4)
    return Line(words, hand.style.script, ink)


def ruled_paper(size: tuple[int, int], first: float, leading: float, margin: float, rng: random.Random) -> Image.Image:
    """A blank, ruled, margined or squared sheet; rules lie a little under the baselines."""
    sheet = effects.paper(size, rng.choice(SHEETS), rng, rng.choice((0, 8, 14)))
    kind = rng.choice(("blank", "ruled", "ruled", "margin", "squared"))
    pen = ImageDraw.Draw(sheet)
    colour = rng.choice(((190, 205, 230), (205, 205, 205), (200, 220, 210)))
    if kind in ("ruled", "margin"):
        y = first + leading * 0.12 - leading * 4
        while y < size[1]:
            pen.line((0, y, size[0], y), fill=colour)
            y += leading
    if kind == "margin":
        pen.line((margin * 0.7, 0, margin * 0.7, size[1]), fill=(225, 150, 150))
    if kind == "squared":
        step = max(8, round(leading / 2))
        for x in range(step, size[0], step):
            pen.line((x, 0, x, size[1]), fill=colour)
        for y in range(round(first + leading * 0.12) % step, size[1], step):
            pen.line((0, y, size[0], y), fill=colour)
    return sheet


def pour(lines: list[Line], sheet: Image.Image, rng: random.Random) -> None:
    """Pour ink on a sheet, now more and now less of it; the thinnest place keeps 70 %."""
    mask = Image.new("L", sheet.size)
    for line in lines:
        for word in line.words:
            mask.paste(255, (int(word.box[0]), int(word.box[1])), word.ink.mask)
    flow = effects.clouds(sheet.size, rng.randint(6, 30), rng).point([255 - value * 75 // 255 for value in range(256)])
    sheet.paste(lines[0].ink, (0, 0), ImageChops.multiply(mask, flow))


def _finish(sheet: Image.Image, rng: random.Random) -> Image.Image:
    if rng.random() < 0.5:
        sheet = effects.lit(sheet, rng)
    if rng.random() < 0.6:
        sheet = effects.noisy(sheet, rng.randint(2, 8), rng)
    return sheet


def _regions(lines: list[Line]) -> tuple[Region, ...]:
    return tuple(Region("line", line.box, order=number) for number, line in enumerate(lines))


def questions(
    lines: list[Line], kind: str, size: tuple[int, int], language: str, most: int, rng: random.Random
) -> list[Turn]:
    """A line, the place of another, how many there are, and at the end all of the text."""
    zh = language == "zh"
    text = "\n".join(line.text for line in lines)
    first = rng.choice(
        ("请逐行读出这段手写文字。", "图中手写的是什么？")
        if zh
        else ("Read the handwriting line by line.", "What is written here? Keep the lines.")
    )
    whole = Turn(first, text, {"verifier": "text", "target": text})
    if len(lines) == 1:
        return [whole]
    number, other_number = rng.sample(range(len(lines)), 2)
    line, other_line = lines[number], lines[other_number]
    name = ("列表项" if kind == "list" else "行") if zh else ("item" if kind == "list" else "line")
    question = (
        f"第{number + 1}{'个列表项' if kind == 'list' else '行'}写的是什么？"
        if zh
        else f"What does {name} {number + 1} say?"
    )
    more = [Turn(question, line.text, {"verifier": "text", "target": line.text})]
    steps = [f"{n + 1}. {each.text}" for n, each in enumerate(lines)]
    question = (
        f"这里写了多少{'个列表项' if kind == 'list' else '行'}？" if zh else f"How many {name}s are written here?"
    )
    check = {"verifier": "count", "target": len(lines)}
    more.append(thought_turn(question, steps, str(len(lines)), check, language))
    text = other_line.text
    if sum(text == each.text for each in lines) == 1:
        question = f"请框出“{text}”。" if zh else f"Where is “{text}” written? Give its box."
        check = {"verifier": "box", "target": [float(value) for value in other_line.box], "size": list(size)}
        more.append(Turn(question, format_box(other_line.box, *size), check))
    rng.shuffle(more)
    return untold(more, most, whole)


def _numbers(rng: random.Random, config: Config, language: str) -> Draft:
    """One to five whole numbers of real digits, below each other as in a sum."""
    side, count = rng.randint(26, 44), rng.randint(1, 5)
    leading, ink = side * rng.uniform(1.25, 1.6), rng.choice(PENS)
    values = [rng.randint(10, 9999) for _ in range(count)]
    left, longest = side * 1.0, max(len(str(value)) for value in values)
    lines, items = [], []
    for n, value in enumerate(values):
        pen = left + (longest - len(str(value))) * side * 0.8
        words: list[Word] = []
        for digit in str(value):
            number = rng.choice(clear_digits(config.split)[int(digit)])
            items.append(number)
            drawn = real_digit(number, side)
            x, y = round(pen), round(side * 0.6 + n * leading + rng.uniform(-0.05, 0.05) * side)
            box: Box = (x, y + drawn.top, x + drawn.mask.width, y + drawn.top + drawn.mask.height)
            words.append(Word(digit, box, drawn, (x, y)))
            pen += side * rng.uniform(0.74, 0.86)
        lines.append(Line(words, SCRIPTS["han"], ink))
    size = (round(left * 2 + longest * side), round(side * 0.9 + count * leading))
    sheet = ruled_paper(size, side * 1.5, leading, left, rng)
    pour(lines, sheet, rng)
    turns = number_questions(lines, values, size, language, rng)[: config.turns]
    messages, checks = dialogue((effects.jpeg(_finish(sheet, rng), rng.randint(80, 95)),), turns)
    return Draft(
        messages,
        checks,
        truth={"kind": "numbers", "values": values, "lines": [line_truth(line) for line in lines], "digits": items},
        capability="ocr/handwriting",
        domain="handwriting",
        difficulty=min(1.0, 0.15 + 0.12 * count),
        language=language,
        licence=DIGITS_LICENCE,
        source="UCI Optical Recognition of Handwritten Digits (CC BY 4.0), from scikit-learn",
        sources=tuple(_digit_item(number) for number in dict.fromkeys(items)),
        regions=_regions(lines),
        tags={"script": "digits"},
    )


def _digit_item(number: int) -> SourceItem:
    return source_item("scikit-learn", f"digit:{number}", pictures()[number][1].tobytes(), DIGITS_LICENCE)


def real_digit(number: int, side: int) -> Ink:
    """A digit picture of scikit-learn at a size, with edges made sharp while it is large, and cut to its ink."""
    width = side * 3 // 4
    grey = pictures()[number][1].resize((width * SCALE, side * SCALE), Image.Resampling.BICUBIC)
    mask = grey.point([min(255, max(0, (value - 80) * 3)) for value in range(256)]).reduce(SCALE)
    box = mask.getbbox() or (0, 0, 1, 1)
    return Ink(mask.crop(box), 0, box[1], box[2] - box[0])


def number_questions(
    lines: list[Line], values: list[int], size: tuple[int, int], language: str, rng: random.Random
) -> list[Turn]:
    """The numbers, their sum, the largest and where one is."""
    zh = language == "zh"
    text = "\n".join(map(str, values))
    if len(values) == 1:
        question = "图中手写的数字是多少？" if zh else "Which number is written here?"
        return [short_turn(question, text, {"verifier": "number", "target": values[0]}, language)]
    question = (
        "请从上到下读出这些手写的数字，每行一个。"
        if zh
        else "Read the handwritten numbers from top to bottom, one a line."
    )
    turns = [Turn(question, text, {"verifier": "sequence", "target": [str(value) for value in values]})]
    total, most = sum(values), max(values)
    question = "这些手写数字的和是多少？" if zh else "What is the sum of the handwritten numbers?"
    sums = list(accumulate(values))
    steps = [f"{before} + {value} = {after}" for before, value, after in zip(sums, values[1:], sums[1:], strict=False)]
    more = [thought_turn(question, steps, str(total), {"verifier": "number", "target": total}, language)]
    question = "其中最大的数字是多少？" if zh else "Which of the numbers is the largest?"
    more.append(short_turn(question, str(most), {"verifier": "number", "target": most}, language))
    number = rng.randrange(len(values))
    if values.count(values[number]) == 1:
        question = f"请框出数字{values[number]}。" if zh else f"Give the box of the number {values[number]}."
        check = {"verifier": "box", "target": [float(value) for value in lines[number].box], "size": list(size)}
        more.append(Turn(question, format_box(lines[number].box, *size), check))
    rng.shuffle(more)
    return turns + more
