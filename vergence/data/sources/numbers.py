"""Real handwritten digits set side by side to numbers of two to four digits, to be read from left to right.

Held out are digit pictures, the same ones as in `digits`.
"""

from __future__ import annotations

import random

from PIL import Image

from vergence.data.pictures import Picture, Question, Split, wording
from vergence.data.sources.digits import SIDE, SOURCE, numbers_of, stroke
from vergence.data.synthesis.palette import ink_and_paper

WORDINGS = (
    "Read the handwritten number.",
    "Which number is written here?",
    "What does the handwriting say?",
    "What number is this?",
)


def draw(split: Split, rng: random.Random) -> Picture:
    """One number; its first digit is never 0."""
    length = rng.choices((2, 3, 4), (45, 35, 20))[0]
    digits = [rng.randint(1, 9)] + [rng.randrange(10) for _ in range(length - 1)]
    chosen = [rng.choice(numbers_of(split)[digit]) for digit in digits]
    ink, paper = ink_and_paper(rng)
    image = Image.new("RGB", (length * SIDE, SIDE), paper)
    for i, number in enumerate(chosen):
        mask = stroke(number, rng.randint(SIDE - 4, SIDE), rng.randint(SIDE - 4, SIDE))
        place = (i * SIDE + rng.randint(0, SIDE - mask.width), rng.randint(0, SIDE - mask.height))
        image.paste(ink, place, mask)
    answer = "".join(map(str, digits))
    return Picture(
        image=image,
        caption=f"the handwritten number {answer}",
        questions=(Question("number", wording(rng, WORDINGS), answer),),
        items=tuple(f"digit:{number}" for number in chosen),
        real=True,
        source=SOURCE,
    )
