"""Pictures out of distribution: held-out pictures changed, or drawn with more, longer or otherwise than in training.

Every function is pure: what is random comes from the `random.Random` given. Places move with the picture.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from vergence.data.pictures import Box, Picture, Question, wording
from vergence.data.sources import numbers
from vergence.data.sources.digits import SIDE, numbers_of, stroke
from vergence.data.sources.fonts import FAMILIES
from vergence.data.synthesis import chart, shapes, text
from vergence.data.synthesis.palette import COLOURS, background, ink_and_paper, jitter
from vergence.errors import UsageError
from vergence.processing.coordinates import format_box, format_point

ENLARGED = 5 / 3
NOISE = 28.0
STRIPE = 34

Change = Callable[[Picture, random.Random], Picture]
Draw = Callable[[random.Random], Picture]


def enlarged(picture: Picture, rng: random.Random) -> Picture:
    """The picture at 5/3 of its size: more patches than any training picture of its kind has."""
    width, height = (round(side * ENLARGED) for side in picture.image.size)
    image = picture.image.resize((width, height), Image.Resampling.BICUBIC)
    scale = (width / picture.image.width, height / picture.image.height)
    return replace(picture, image=image, questions=tuple(_moved(q, scale, image.size) for q in picture.questions))


def _moved(question: Question, scale: tuple[float, float], size: tuple[int, int]) -> Question:
    """The question about a stretched picture. What a place is called doesn't change, but for rounding."""
    if question.box is None:
        return question
    x, y = scale
    left, top, right, bottom = question.box
    box: Box = (left * x, top * y, right * x, bottom * y)
    answer = question.answer
    if question.task == "box":
        answer = format_box(box, *size)
    elif question.task == "point":
        answer = format_point(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), *size)
    return replace(question, box=box, answer=answer)


def noisy(picture: Picture, rng: random.Random) -> Picture:
    """Independent Gaussian noise on every channel of every pixel."""
    pixels = np.asarray(picture.image, np.float64)
    noise = np.random.default_rng(rng.getrandbits(64)).normal(0, NOISE, pixels.shape)
    return replace(picture, image=Image.fromarray((pixels + noise).round().clip(0, 255).astype(np.uint8)))


def striped(picture: Picture, rng: random.Random) -> Picture:
    """The plain background (the colour of the picture's corner) with darker slanted stripes."""
    pixels = np.array(picture.image, np.int16)
    plain = (pixels == pixels[0, 0]).all(2)
    rows, columns = np.indices(plain.shape)
    width, slant = rng.randint(3, 6), rng.choice((-1, 1))
    dark = (columns + slant * rows) // width % 2 == 0
    pixels[plain & dark] -= STRIPE
    return replace(picture, image=Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


def inverted(picture: Picture, rng: random.Random) -> Picture:
    """Light on dark: the negative."""
    return replace(picture, image=ImageOps.invert(picture.image))


def grey(picture: Picture, rng: random.Random) -> Picture:
    """Without colours."""
    return replace(picture, image=picture.image.convert("L").convert("RGB"))


def rotated(picture: Picture, rng: random.Random) -> Picture:
    """Turned by 12 to 25 degrees to either side around its centre; the corners get the colour of the picture's own."""
    angle = rng.choice((-1, 1)) * rng.uniform(12, 25)
    corner = picture.image.getpixel((0, 0))
    image = picture.image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=corner)
    return replace(picture, image=image)


CHANGES: Mapping[str, Change] = {
    "enlarged": enlarged,
    "noisy": noisy,
    "striped": striped,
    "inverted": inverted,
    "grey": grey,
    "rotated": rotated,
}
"""Changes of a held-out picture that leave its questions' answers as they are."""


def crowd(rng: random.Random) -> Picture:
    """Five to seven things, none of them in a training picture, where training has one to four."""
    number, side = rng.randint(5, 7), 112
    image = Image.new("RGB", (side, side), background(rng))
    names: dict[tuple[str, str], int] = {}
    while len(names) < number:
        size, colour, shape = rng.randint(17, 22), rng.choice(shapes.COLOUR_NAMES), rng.choice(shapes.SHAPES)
        if shapes.split_of_thing(shapes.size_name(size), colour, shape) == "heldout":
            names.setdefault((colour, shape), size)
    # Each thing in a cell of its own of a grid of nine, so that none touches another.
    cells = rng.sample(range(9), number)
    for cell, ((colour, shape), size) in zip(cells, names.items(), strict=True):
        room = side // 3 - size - 1
        place = side // 3 * (cell % 3) + rng.randint(1, room), side // 3 * (cell // 3) + rng.randint(1, room)
        image.paste(jitter(rng, COLOURS[colour]), place, shapes.mask(shape, size))
    question = Question("count", wording(rng, shapes.WORDINGS["count"]), str(number))
    return Picture(image, f"{number} shapes", (question,), (), False, "vergence, rendered")


def many_bars(rng: random.Random) -> Picture:
    """A chart of six or seven bars, where training has three to five."""
    number, (width, height) = rng.randint(6, 7), (140, 84)
    colours = rng.sample(list(COLOURS), number)
    heights = rng.sample(range(1, chart.STEPS + 1), number)
    image = Image.new("RGB", (width, height), background(rng))
    pen = ImageDraw.Draw(image)
    left, base, top, right = 6, height - 6, 6, width - 4
    slot, unit, share = (right - left - 2) / number, (base - top) / chart.STEPS, rng.uniform(0.6, 0.85)
    for i, (colour, steps) in enumerate(zip(colours, heights, strict=True)):
        x = left + 2 + slot * (i + (1 - share) / 2)
        box = (round(x), round(base - unit * steps), round(x + slot * share) - 1, base - 1)
        pen.rectangle(box, fill=jitter(rng, COLOURS[colour]))
    pen.line((left, top, left, base, right, base), fill=(70, 70, 70))
    asked, chosen = rng.choice((("tallest", max(heights)), ("shortest", min(heights))))
    questions = (
        Question("chart", wording(rng, chart.WORDINGS[asked]), colours[heights.index(chosen)]),
        Question("bars", wording(rng, chart.WORDINGS["bars"]), str(number)),
    )
    return Picture(image, ", ".join(colours), questions, (), False, "vergence, rendered")


def long_number(rng: random.Random) -> Picture:
    """A handwritten number of five or six held-out digits, where training has two to four."""
    digits = [rng.randint(1, 9)] + [rng.randrange(10) for _ in range(rng.randint(4, 5))]
    ink, paper = ink_and_paper(rng)
    image = Image.new("RGB", (len(digits) * SIDE, SIDE), paper)
    for i, digit in enumerate(digits):
        mask = stroke(rng.choice(numbers_of("heldout")[digit]), SIDE - 2, SIDE - 2)
        image.paste(ink, (i * SIDE + 1, 1), mask)
    answer = "".join(map(str, digits))
    question = Question("number", wording(rng, numbers.WORDINGS), answer)
    return Picture(image, answer, (question,), (), True, numbers.SOURCE)


def long_word(rng: random.Random) -> Picture:
    """Two held-out words written as one of seven to ten letters, where training words have three to six."""
    words = text.words("heldout", 5)
    while not 7 <= len(word := rng.choice(words) + rng.choice(words)) <= 10:
        pass
    return _printed(word, _fonts(slanted=False), rng)


def slanted_word(rng: random.Random) -> Picture:
    """A held-out word in an italic of a held-out family; training has upright fonts only."""
    return _printed(rng.choice(text.words("heldout")), _fonts(slanted=True), rng)


DRAWN: Mapping[str, Draw] = {
    "crowd": crowd,
    "many-bars": many_bars,
    "long-number": long_number,
    "long-word": long_word,
    "slanted": slanted_word,
}
"""Pictures that no change of a held-out one gives."""


@lru_cache(maxsize=2)
def _fonts(*, slanted: bool) -> tuple[Path, ...]:
    """The font files of the held-out families in their regular or italic style. Raises `UsageError` without any."""
    found: dict[str, Path] = {}
    for module, split in FAMILIES.values():
        spec = find_spec(module) if split == "heldout" else None
        if spec is not None and spec.submodule_search_locations:
            for path in sorted(Path(spec.submodule_search_locations[0]).rglob("*.[ot]tf")):
                found[path.stem] = path
    ends = ("-Italic", "-It", "-RegularItalic") if slanted else ("-Regular",)
    chosen = tuple(path for stem, path in found.items() if stem.endswith(ends))
    if not chosen:
        raise UsageError("printed text needs the font packages: pip install 'vergence[demo]'")
    return chosen


def _printed(word: str, fonts: tuple[Path, ...], rng: random.Random) -> Picture:
    font = ImageFont.truetype(str(rng.choice(fonts)), rng.randint(20, 26), layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = (int(side) for side in font.getbbox(word))
    width, height = 28 * -(-(right - left + 8) // 28), 28 * -(-(bottom - top + 6) // 28)
    ink, paper = ink_and_paper(rng)
    image = Image.new("RGB", (width, height), paper)
    place = rng.randint(3, width - 3 - (right - left)) - left, rng.randint(2, height - 2 - (bottom - top)) - top
    ImageDraw.Draw(image).text(place, word, fill=ink, font=font)
    question = Question("text", wording(rng, text.WORDINGS), word)
    return Picture(image, word, (question,), (f"word:{word}",), False, "vergence, rendered")
