"""Bar charts of three to five coloured bars, asked for the tallest or shortest bar and for the number of bars.

Held out are colour sets: a held-out chart shows a set of colours that no training chart shows in any order. The
colours themselves, and their pairs, are trained on.
"""

from __future__ import annotations

import random
from itertools import combinations

from PIL import Image, ImageDraw

from vergence.data.pictures import Picture, Question, Split, split_of, wording
from vergence.data.synthesis.palette import COLOURS, background, jitter

SIDES = ((84, 84), (84, 84), (112, 84), (84, 56))
STEPS = 8
"""Bar heights are distinct multiples of 1/8 of the plot, so the tallest and the shortest are never in doubt."""

WORDINGS = {
    "tallest": ("Which bar is tallest?", "What colour is the tallest bar?", "Name the highest bar."),
    "shortest": ("Which bar is shortest?", "What colour is the shortest bar?", "Name the lowest bar."),
    "bars": ("How many bars are there?", "Count the bars.", "How many bars does the chart have?"),
}


def colour_sets(split: Split, number: int) -> list[tuple[str, ...]]:
    """The colour sets of a split with so many colours, each in alphabetical order."""
    return [s for s in combinations(sorted(COLOURS), number) if split_of("bars:" + "-".join(s)) == split]


SETS: dict[Split, dict[int, list[tuple[str, ...]]]] = {
    "train": {n: colour_sets("train", n) for n in (3, 4, 5)},
    "heldout": {n: colour_sets("heldout", n) for n in (3, 4, 5)},
}


def draw(split: Split, rng: random.Random) -> Picture:
    """One chart with a question about an extreme bar and one about their number."""
    width, height = rng.choice(SIDES)
    number = rng.randint(3, 5)
    colours = list(rng.choice(SETS[split][number]))
    rng.shuffle(colours)
    heights = rng.sample(range(1, STEPS + 1), number)
    image = Image.new("RGB", (width, height), background(rng))
    pen = ImageDraw.Draw(image)
    left, base, top = rng.randint(4, 9), height - rng.randint(4, 9), rng.randint(4, 10)
    right = width - rng.randint(2, 6)
    unit = (base - top) / STEPS
    axis = jitter(rng, (70, 70, 70))
    if rng.random() < 0.5:
        for step in range(2, STEPS + 1, 2):
            y = round(base - unit * step)
            pen.line((left, y, right, y), fill=(150, 150, 150))
    slot = (right - left - 2) / number
    share = rng.uniform(0.6, 0.85)
    for i, (colour, steps) in enumerate(zip(colours, heights, strict=True)):
        x = left + 2 + slot * (i + (1 - share) / 2)
        box = (round(x), round(base - unit * steps), round(x + slot * share) - 1, base - 1)
        pen.rectangle(box, fill=jitter(rng, COLOURS[colour]))
    pen.line((left, top, left, base, right, base), fill=axis, width=1)
    tallest, shortest = colours[heights.index(max(heights))], colours[heights.index(min(heights))]
    asked, answer = ("tallest", tallest) if rng.random() < 0.5 else ("shortest", shortest)
    return Picture(
        image=image,
        caption=f"a bar chart of {number} bars: {', '.join(colours)}",
        questions=(
            Question("chart", wording(rng, WORDINGS[asked]), answer),
            Question("bars", wording(rng, WORDINGS["bars"]), str(number)),
        ),
        items=("bars:" + "-".join(sorted(colours)),),
        real=False,
        source="vergence, rendered",
    )
