"""Real handwritten digits: the 1,797 pictures of 8 x 8 pixels that scikit-learn carries from the UCI repository.

Held out are digit pictures, about one in five. The pictures are only enlarged, placed and inked; nothing is redrawn.
"""

from __future__ import annotations

import random
from functools import lru_cache

from PIL import Image

from vergence.data.pictures import Picture, Question, Split, split_of, wording
from vergence.data.synthesis.palette import ink_and_paper
from vergence.errors import UsageError

SOURCE = "UCI Optical Recognition of Handwritten Digits (CC BY 4.0), from scikit-learn"
HELD_OUT = 0.22
SIDE = 28

WORDINGS = ("Which digit is this?", "What digit is written here?", "Read the digit.", "Name this digit.")


@lru_cache(maxsize=1)
def pictures() -> tuple[tuple[int, Image.Image], ...]:
    """Every digit with its grey 8 x 8 picture, in which ink is white; the position is the picture's number."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UsageError("handwritten digits need scikit-learn: pip install 'vergence[demo]'") from None
    data = load_digits()
    return tuple(
        (int(label), Image.frombytes("L", (8, 8), bytes(min(255, int(v) * 16) for v in pixels)))
        for label, pixels in zip(data.target, data.data, strict=True)
    )


@lru_cache(maxsize=2)
def numbers_of(split: Split) -> tuple[tuple[int, ...], ...]:
    """For each digit 0 to 9 the numbers of its pictures in a split."""
    found: list[list[int]] = [[] for _ in range(10)]
    for number, (label, _) in enumerate(pictures()):
        if split_of(f"digit:{number}", HELD_OUT) == split:
            found[label].append(number)
    return tuple(map(tuple, found))


def stroke(number: int, width: int, height: int) -> Image.Image:
    """A digit picture enlarged to a mask through which ink is poured."""
    return pictures()[number][1].resize((width, height), Image.Resampling.BICUBIC)


def draw(split: Split, rng: random.Random) -> Picture:
    """One digit that about fills its picture."""
    digit = rng.randrange(10)
    number = rng.choice(numbers_of(split)[digit])
    mask = stroke(number, rng.randint(SIDE - 4, SIDE), rng.randint(SIDE - 4, SIDE))
    ink, paper = ink_and_paper(rng)
    image = Image.new("RGB", (SIDE, SIDE), paper)
    image.paste(ink, (rng.randint(0, SIDE - mask.width), rng.randint(0, SIDE - mask.height)), mask)
    return Picture(
        image=image,
        caption=f"a handwritten digit {digit}",
        questions=(Question("digit", wording(rng, WORDINGS), str(digit)),),
        items=(f"digit:{number}",),
        real=True,
        source=SOURCE,
    )
