"""One to three printed words in many fonts, to be read.

Held out are words and font families: a held-out picture shows held-out words in a held-out font. A third of the
training words are made-up syllables, so that reading by letters pays more than knowing the word list.
"""

from __future__ import annotations

import random
from functools import cache, lru_cache
from importlib.resources import files

from PIL import Image, ImageDraw

from vergence.data.pictures import Picture, Question, Split, split_of, wording
from vergence.data.sources.fonts import face, fonts
from vergence.data.synthesis.palette import ink_and_paper

WORDINGS = ("What does the text say?", "Read the text.", "Which words are printed here?", "What is written here?")

CONSONANTS = "bcdfghjklmnprstvwxyz"
VOWELS = "aeiou"
MADE_UP = 1 / 3


@lru_cache(maxsize=1)
def _all_words() -> tuple[str, ...]:
    return tuple(files("vergence.data.synthesis").joinpath("words.txt").read_text(encoding="utf-8").split())


@cache
def words(split: Split, longest: int = 6) -> tuple[str, ...]:
    """The common English words of a split, of at most so many letters."""
    return tuple(w for w in _all_words() if len(w) <= longest and split_of(f"word:{w}") == split)


def made_up(rng: random.Random, longest: int) -> str:
    """A pronounceable word of three or more letters that isn't a held-out word."""
    while True:
        length = rng.randint(3, longest)
        first = rng.random() < 0.75
        letters = [rng.choice(CONSONANTS if (i % 2 == 0) == first else VOWELS) for i in range(length)]
        if length > 3 and rng.random() < 0.3:
            at = rng.randrange(length)
            letters[at] = rng.choice(CONSONANTS + VOWELS)
        word = "".join(letters)
        if split_of(f"word:{word}") == "train":
            return word


def _word(split: Split, rng: random.Random, longest: int) -> str:
    if split == "train" and rng.random() < MADE_UP:
        return made_up(rng, longest)
    return rng.choice(words(split, longest))


def draw(split: Split, rng: random.Random) -> Picture:
    """One to three words, each on its own line."""
    number = rng.choices((1, 2, 3), (75, 18, 7))[0]
    longest = rng.choices((5, 6), (4, 1))[0] if number == 1 else 4
    lines = [_word(split, rng, longest) for _ in range(number)]
    font = rng.choice(rng.choice(fonts(split)))
    size = rng.randint(20, 28)
    height = 28 * number + (28 if number == 1 and rng.random() < 0.5 else 0)
    while True:
        loaded = face(font, size)
        boxes = [loaded.getbbox(line) for line in lines]
        wide = max(b[2] - b[0] for b in boxes)
        if wide <= 136 and all(b[3] - b[1] <= 26 for b in boxes):
            break
        size -= 1
    width = 28 * max(3, int(-(-(wide + 4) // 28)))
    if number == 1 and width < 140 and rng.random() < 0.25:
        width += 28
    ink, paper = ink_and_paper(rng)
    image = Image.new("RGB", (width, height), paper)
    pen = ImageDraw.Draw(image)
    room = height // number
    for i, (line, (left, top, right, bottom)) in enumerate(zip(lines, boxes, strict=True)):
        x = rng.randint(2, width - 2 - int(right - left))
        y = i * room + rng.randint(1, room - 1 - int(bottom - top))
        pen.text((x - left, y - top), line, fill=ink, font=loaded)
    answer = " ".join(lines)
    return Picture(
        image=image,
        caption=f'the text "{answer}"',
        questions=(Question("text", wording(rng, WORDINGS), answer),),
        items=(*(f"word:{line}" for line in lines), font.item),
        real=False,
        source="vergence, rendered",
    )
