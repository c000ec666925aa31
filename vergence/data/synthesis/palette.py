"""The named colours of rendered pictures, and light backgrounds on which all of them stand out."""

from __future__ import annotations

import random

RGB = tuple[int, int, int]

COLOURS: dict[str, RGB] = {
    "red": (215, 30, 35),
    "orange": (250, 130, 10),
    "yellow": (245, 205, 0),
    "green": (30, 150, 55),
    "blue": (35, 85, 225),
    "purple": (125, 45, 165),
    "pink": (250, 130, 190),
    "black": (25, 25, 25),
}


def jitter(rng: random.Random, colour: RGB, by: int = 10) -> RGB:
    """The colour with each channel moved by at most `by`."""
    red, green, blue = (min(255, max(0, c + rng.randint(-by, by))) for c in colour)
    return red, green, blue


def background(rng: random.Random) -> RGB:
    """A plain light grey, lightly tinted."""
    level = rng.randint(222, 250)
    return jitter(rng, (level, level, level), 5)


def ink_and_paper(rng: random.Random) -> tuple[RGB, RGB]:
    """A dark ink on a light paper, both lightly tinted."""
    dark, light = rng.randint(0, 60), rng.randint(205, 250)
    ink, paper = jitter(rng, (dark, dark, dark), 18), jitter(rng, (light, light, light), 12)
    return ink, paper
