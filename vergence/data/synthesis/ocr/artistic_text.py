"""One to three words in display fonts: filled with gradients or patterns, outlined, shadowed, glowing, turned.

Everything around the letters (outline, shadow, depth, glow) is decoration: the boxes are those of the letters alone.
Held out are fonts and words.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageChops, ImageFilter
from pydantic import Field

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Draft, GeneratorConfig, Region, Turn, dialogue
from vergence.data.synthesis.ocr import effects
from vergence.data.synthesis.ocr.fonts import families, font_item
from vergence.data.synthesis.ocr.page import line_truth
from vergence.data.synthesis.ocr.scripts import SCRIPTS, Writer
from vergence.data.synthesis.ocr.shaping import Colour, Line, Style, line_width, set_line
from vergence.processing.coordinates import format_box

VERSION = 2
PACKAGES: tuple[str, ...] = ()

DECORATIONS = {
    "outline": ("an outline", "描边"),
    "shadow": ("a soft shadow", "柔和的阴影"),
    "depth": ("a solid depth, as if cut from a block", "立体的厚度"),
    "glow": ("a glow", "一圈光晕"),
    "none": ("nothing", "什么也没有"),
}
PALETTES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((250, 240, 220), (190, 40, 50), (40, 30, 60)),
    ((20, 24, 48), (255, 205, 70), (235, 80, 120)),
    ((235, 245, 250), (20, 100, 180), (10, 40, 90)),
    ((35, 65, 55), (245, 235, 200), (240, 160, 60)),
    ((255, 225, 230), (130, 30, 110), (60, 20, 80)),
    ((18, 18, 20), (90, 240, 210), (180, 90, 255)),
    ((245, 225, 160), (120, 60, 25), (60, 30, 15)),
    ((70, 40, 110), (255, 240, 245), (255, 150, 90)),
    ((225, 238, 220), (35, 110, 60), (15, 55, 40)),
)
"""Ground, letters, second colour of the letters."""

CAPITALS = ("monoton", "bungee shade", "creepster", "bangers")
"""Fonts whose small letters have the shape of capital ones: they only get capitals."""
DECORATED = ("monoton", "bungee shade", "fredericka the great")
"""Fonts whose letters have outlines or depth of their own: nobody is asked for a decoration there."""


class Config(GeneratorConfig):
    """What is written and in which languages it is asked about."""

    scripts: tuple[Literal["latin", "cyrillic", "han"], ...] = Field(
        ("latin", "latin", "han"), description="scripts; one is drawn for each picture"
    )
    language: Literal["en", "zh", "mix"] = Field("mix", description="language of questions and answers")
    min_size: int = Field(44, ge=24, description="least size of the letters in pixels")
    max_size: int = Field(110, le=400, description="largest size of the letters in pixels")
    turns: int = Field(3, ge=1, description="questions about one picture")


@dataclass(slots=True)
class Lettering:
    """A decorated text: its lines, the picture, and what decorates it."""

    lines: list[Line]
    picture: Image.Image
    decoration: str
    turn: float
    family: str


def generate(rng: random.Random, config: Config) -> Draft:
    """Draw and question a decorated text. Raises `UsageError` where a font isn't fetched."""
    script = SCRIPTS[rng.choice(config.scripts)]
    typeface = rng.choice(rng.choice(families(script.name, "display", config.split)))
    size = rng.randint(config.min_size, max(config.min_size, config.max_size))
    style = Style(typeface, size, script)
    writer = Writer(script, config.split, "words", (typeface,), rng)
    art = letter(style, writer, rng)
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    turns = questions(art, language, rng)[: config.turns]
    messages, checks = dialogue((effects.jpeg(art.picture, rng.randint(78, 94)),), turns)
    return Draft(
        messages,
        checks,
        truth={
            "script": script.name,
            "font": typeface.family,
            "decoration": art.decoration,
            "turned_degrees": round(art.turn, 2),
            "lines": [line_truth(line) for line in art.lines],
        },
        capability="ocr/artistic text",
        domain="lettering",
        difficulty=min(1.0, 0.25 + 0.08 * sum(len(line.words) for line in art.lines) + abs(art.turn) / 30),
        language=language,
        sources=(font_item(typeface),),
        regions=tuple(
            Region(word.text, points=word.quad or effects.corners_of(word.box))
            for line in art.lines
            for word in line.words
        ),
        tags={"script": script.name},
    )


def letter(style: Style, writer: Writer, rng: random.Random) -> Lettering:
    """One to three words on one or more lines, filled, decorated and turned by up to 12 degrees."""
    row = writer.words(rng.choices((1, 2, 3), (45, 38, 17))[0])
    if style.typeface.family in CAPITALS or (style.script.name != "han" and rng.random() < 0.4):
        row = tuple(token.upper() for token in row)
    rows = [row] if rng.random() < 0.5 or len(row) == 1 else _halves(row)
    up, down = style.heights
    leading, edge = (up + down) * rng.uniform(0.95, 1.15), round(style.size * rng.uniform(0.5, 0.9))
    width = max(line_width(tokens, style) for tokens in rows)
    lines = [set_line(tokens, style, edge, edge + up + n * leading, width, "centre") for n, tokens in enumerate(rows)]
    right = max(edge + width, *(line.box[2] for line in lines))
    low = max(edge + up + down + (len(rows) - 1) * leading, *(line.box[3] for line in lines))
    # The mask must be wide enough for a shift to the left too: some display letters begin before their pen.
    shift = max(0, round(edge * 0.5 - min(line.box[0] for line in lines)))
    size = (round(right) + edge + shift, round(low) + edge)
    if shift:
        lines = [
            set_line(tokens, style, edge + shift, edge + up + n * leading, width, "centre")
            for n, tokens in enumerate(rows)
        ]
    mask = Image.new("L", size)
    for line in lines:
        line.draw(mask, 255)
    ground, first, second = rng.choice(PALETTES)
    # A shadow is dark and a glow is light: neither shows on a ground like itself.
    decoration = rng.choice([name for name in DECORATIONS if name != ("glow" if sum(ground) > 300 else "shadow")])
    turn = rng.uniform(-12, 12) if rng.random() < 0.45 else 0.0
    sheet = Image.new("RGB", size, ground)
    if not turn and rng.random() < 0.6:
        near: Colour = (_near(ground[0], rng), _near(ground[1], rng), _near(ground[2], rng))
        sheet.paste(near, (0, 0), effects.clouds(size, rng.randint(20, 90), rng))
    decorate(sheet, mask, decoration, second, style.size, rng)
    sheet.paste(
        filling(size, first, second if decoration in ("shadow", "none") else _lighter(first), rng), (0, 0), mask
    )
    if turn:
        sheet = _turned(sheet, lines, turn, ground)
    if rng.random() < 0.3:
        sheet = effects.noisy(sheet, rng.randint(2, 8), rng)
    return Lettering(lines, sheet, decoration, turn, style.typeface.family)


def _halves(row: Sequence[str]) -> list[tuple[str, ...]]:
    middle = (len(row) + 1) // 2
    return [tuple(row[:middle]), tuple(row[middle:])]


def _near(value: int, rng: random.Random) -> int:
    return min(255, max(0, value + rng.randint(-30, 30)))


def _lighter(colour: Colour) -> Colour:
    red, green, blue = (value + (255 - value) * 2 // 5 for value in colour)
    return red, green, blue


def filling(size: tuple[int, int], first: Colour, second: Colour, rng: random.Random) -> Image.Image:
    """What shines through the letters: one colour, a gradient, stripes or spots of two."""
    kind = rng.choice(("plain", "gradient", "gradient", "stripes", "spots"))
    filled = Image.new("RGB", size, first)
    if kind == "plain":
        return filled
    if kind == "gradient":
        mask = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180))).resize(size)
    elif kind == "stripes":
        step, slope = rng.randint(4, 12), rng.choice((-1, 0, 1))
        x, y = np.arange(size[0])[None, :], np.arange(size[1])[:, None]
        mask = Image.fromarray((((y + slope * x) // step % 2) * 150).astype(np.uint8))
    else:
        mask = effects.clouds(size, rng.randint(6, 20), rng)
    filled.paste(second, (0, 0), mask)
    return filled


def decorate(
    sheet: Image.Image, mask: Image.Image, decoration: str, colour: Colour, size: int, rng: random.Random
) -> None:
    """Draw what lies around and behind the letters of a mask."""
    if decoration == "outline":
        sheet.paste(colour, (0, 0), thick(mask, max(2, size // 18)))
    elif decoration == "shadow":
        far = max(3, size // 14)
        soft = ImageChops.offset(mask, far, far).filter(ImageFilter.GaussianBlur(size / 24))
        sheet.paste((0, 0, 0), (0, 0), soft.point([value * 7 // 10 for value in range(256)]))
    elif decoration == "depth":
        solid = mask
        step = rng.choice((-1, 1))
        for far in range(1, max(4, size // 10)):
            solid = ImageChops.lighter(solid, ImageChops.offset(mask, step * far, far))
        sheet.paste(colour, (0, 0), solid)
    elif decoration == "glow":
        glow = thick(mask, max(2, size // 24)).filter(ImageFilter.GaussianBlur(size / 10))
        sheet.paste(_lighter(colour), (0, 0), glow)


def thick(mask: Image.Image, by: int) -> Image.Image:
    """A mask grown by a number of pixels to all sides, with rounded corners."""
    grown = mask
    for x, y in {(round(by * np.cos(n * np.pi / 8)), round(by * np.sin(n * np.pi / 8))): None for n in range(16)}:
        grown = ImageChops.lighter(grown, ImageChops.offset(mask, x, y))
    return grown


def _turned(sheet: Image.Image, lines: list[Line], degrees: float, ground: Colour) -> Image.Image:
    """The sheet turned about its middle, against the clock for positive degrees, on a ground that it all fits."""
    turned = sheet.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=ground)
    angle = np.deg2rad(degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    (x0, y0), (x1, y1) = (sheet.width / 2, sheet.height / 2), (turned.width / 2, turned.height / 2)
    for line in lines:
        for word in line.words:
            moved = [(x - x0, y - y0) for x, y in effects.corners_of(word.box)]
            word.quad = tuple((x * cos + y * sin + x1, -x * sin + y * cos + y1) for x, y in moved)
            word.box = effects.box_around(word.quad)
    return turned


def questions(art: Lettering, language: str, rng: random.Random) -> list[Turn]:
    """Reading first, then letters, decoration and places."""
    zh = language == "zh"
    lines, size = art.lines, art.picture.size
    script = lines[0].script
    text = script.join([word.text for line in lines for word in line.words])
    wordings = (
        ("图中的艺术字写的是什么？", "请读出图中的文字。")
        if zh
        else ("What does the lettering say?", "Read the decorated text.", "Which words are written here?")
    )
    turns = [short_turn(rng.choice(wordings), text, {"verifier": "text", "target": text}, language)]
    more = []
    if art.family not in DECORATED:
        names = [value[zh] for value in DECORATIONS.values()]
        right = DECORATIONS[art.decoration][zh]
        question = "这些文字的周围或背后有什么？" if zh else "What is around or behind the letters?"
        others = rng.sample([name for name in names if name != right], 3)
        more.append(choice_turn(question, right, others, rng, language))
    word = rng.choice([word for line in lines for word in line.words])
    count = sum(len(item.text) for line in lines for item in line.words)
    pieces = [item.text for line in lines for item in line.words]
    if script.joiner:
        steps = [f"{piece}: {'-'.join(piece)} ({len(piece)})" for piece in pieces]
        if len(pieces) > 1:
            steps.append(f"{' + '.join(str(len(piece)) for piece in pieces)} = {count}")
        question = "这些文字一共有多少个字母？" if zh else "How many letters are there in the text?"
    else:
        steps = [f"{n + 1}. {piece}" for n, piece in enumerate(pieces)]
        question = "图中一共有多少个汉字？" if zh else "How many characters are there in the text?"
    more.append(thought_turn(question, steps, str(count), {"verifier": "count", "target": count}, language))
    if pieces.count(word.text) == 1:
        question = f"请框出“{word.text}”。" if zh else f"Where is “{word.text}”? Give its box."
        check = {"verifier": "box", "target": [float(value) for value in word.box], "size": list(size)}
        more.append(Turn(question, format_box(word.box, *size), check))
    rng.shuffle(more)
    return turns + more
