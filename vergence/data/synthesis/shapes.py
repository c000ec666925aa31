"""Scenes of one to four coloured shapes, asked for colour, shape, count, relative position, boxes and points.

Held out are (colour, shape) pairs: every colour and every shape is trained on, but a held-out pair is never in a
training picture, and a held-out picture shows nothing but held-out pairs. No picture shows the same pair twice, so
"the red circle" always names one object.
"""

from __future__ import annotations

import math
import random
from functools import cache
from typing import NamedTuple

from PIL import Image, ImageDraw

from vergence.data.pictures import Box, Picture, Question, Split, wording
from vergence.data.synthesis.palette import COLOURS, background, jitter
from vergence.processing.coordinates import format_box, format_point

SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond", "heart", "ring")
SIDES = ((84, 84), (84, 84), (84, 56), (56, 84))
"""Picture sizes, drawn independently of the scene so that a size says nothing about the answer."""

LARGEST = {1: 40, 2: 28, 3: 25, 4: 22}
SMALLEST = {1: 22, 2: 20, 3: 18, 4: 17}
GAP = 3
NAMELESS = 0.5
"""Share of the training pictures with one shape in which its colour is any, without a name."""

WORDINGS = {
    "colour": (
        "What colour is the {shape}?",
        "Which colour does the {shape} have?",
        "Name the colour of the {shape}.",
        "The {shape} is which colour?",
    ),
    "shape": (
        "What shape is the {colour} thing?",
        "What is the shape of the {colour} object?",
        "Which shape is {colour}?",
        "Name the {colour} shape.",
    ),
    "count": (
        "How many shapes are there?",
        "How many shapes do you see?",
        "Count the shapes.",
        "What is the number of shapes?",
    ),
    "position": (
        "Where is the {a} relative to the {b}?",
        "Seen from the {b}, where is the {a}?",
        "On which side of the {b} is the {a}?",
    ),
    "box": ("Give the box of the {a}.", "Draw a box around the {a}.", "Locate the {a} with a box."),
    "point": ("Point to the {a}.", "Give a point on the {a}.", "Mark the {a} with a point."),
}


ALONE = {
    "colour": ("What colour is this?", "Which colour is it?", "Name the colour."),
    "shape": ("What shape is this?", "Which shape is it?", "Name the shape."),
}
"""Wordings for a shape that is alone, which don't give away its other half."""


class Thing(NamedTuple):
    """One shape of a scene with its tight box."""

    colour: str
    shape: str
    box: tuple[int, int, int, int]

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"

    @property
    def centre(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


def pairs(split: Split) -> list[tuple[str, str]]:
    """The (colour, shape) pairs of a split: one in eight is held out, one of every colour and of every shape."""
    return [
        (colour, shape)
        for i, colour in enumerate(COLOURS)
        for j, shape in enumerate(SHAPES)
        if ((i + 3 * j) % 8 == 0) == (split == "heldout")
    ]


PAIRS: dict[Split, list[tuple[str, str]]] = {"train": pairs("train"), "heldout": pairs("heldout")}


@cache
def mask(shape: str, size: int) -> Image.Image:
    """The smooth silhouette of a shape that fills a square of `size` pixels from edge to edge."""
    n = 240
    canvas = Image.new("L", (n, n), 0)
    pen = ImageDraw.Draw(canvas)
    match shape:
        case "circle":
            pen.ellipse((0, 0, n - 1, n - 1), fill=255)
        case "ring":
            pen.ellipse((0, 0, n - 1, n - 1), fill=255)
            pen.ellipse((62, 62, n - 63, n - 63), fill=0)
        case "square":
            pen.rectangle((0, 0, n - 1, n - 1), fill=255)
        case "triangle":
            pen.polygon([(n / 2, 0), (n - 1, n - 1), (0, n - 1)], fill=255)
        case "diamond":
            pen.polygon([(n / 2, 0), (n - 1, n / 2), (n / 2, n - 1), (0, n / 2)], fill=255)
        case "cross":
            pen.rectangle((80, 0, 159, n - 1), fill=255)
            pen.rectangle((0, 80, n - 1, 159), fill=255)
        case "star":
            radii = [n / 2 * (1 if k % 2 == 0 else 0.42) for k in range(10)]
            angles = [math.pi * (k / 5 - 0.5) for k in range(10)]
            pen.polygon(
                [(n / 2 + r * math.cos(a), n / 2 + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)],
                fill=255,
            )
        case "heart":
            pen.polygon(
                [
                    (
                        n / 2 + n / 34 * 16 * math.sin(t) ** 3,
                        n / 2
                        - n / 34 * (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)),
                    )
                    for t in (math.tau * k / 60 for k in range(60))
                ],
                fill=255,
            )
    return canvas.crop(canvas.getbbox()).resize((size, size), Image.Resampling.BOX)


def _place(rng: random.Random, number: int, width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Boxes that don't touch one another: thrown at random, all anew with smaller ones when they don't fit."""
    largest = LARGEST[number]
    while True:
        boxes: list[tuple[int, int, int, int]] = []
        for _ in range(number * 12):
            size = rng.randint(SMALLEST[number], largest)
            x, y = rng.randint(1, width - size - 1), rng.randint(1, height - size - 1)
            if all(
                x >= b[2] + GAP or b[0] >= x + size + GAP or y >= b[3] + GAP or b[1] >= y + size + GAP for b in boxes
            ):
                boxes.append((x, y, x + size, y + size))
                if len(boxes) == number:
                    return boxes
        largest = max(SMALLEST[number], largest - 2)


def relation(a: Box, b: Box) -> str | None:
    """Where box a lies as seen from box b, or None when neither axis clearly dominates."""
    dx, dy = (a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2
    if abs(dx) >= 20 and abs(dx) >= 2 * abs(dy):
        return "left" if dx < 0 else "right"
    if abs(dy) >= 20 and abs(dy) >= 2 * abs(dx):
        return "above" if dy < 0 else "below"
    return None


def _questions(rng: random.Random, things: list[Thing], width: int, height: int) -> tuple[Question, ...]:
    """One question per task that the scene allows."""
    questions = [Question("count", wording(rng, WORDINGS["count"]), str(len(things)))]
    if unique := [t for t in things if sum(o.shape == t.shape for o in things) == 1]:
        target = rng.choice(unique)
        forms = ALONE["colour"] if len(things) == 1 else WORDINGS["colour"]
        questions.append(Question("colour", wording(rng, forms, shape=target.shape), target.colour, target.box))
    if unique := [t for t in things if sum(o.colour == t.colour for o in things) == 1]:
        target = rng.choice(unique)
        forms = ALONE["shape"] if len(things) == 1 else WORDINGS["shape"]
        questions.append(Question("shape", wording(rng, forms, colour=target.colour), target.shape, target.box))
    related = [(a, b, where) for a in things for b in things if a is not b and (where := relation(a.box, b.box))]
    if related:
        a, b, where = rng.choice(related)
        questions.append(Question("position", wording(rng, WORDINGS["position"], a=a.name, b=b.name), where, a.box))
    target = rng.choice(things)
    questions.append(
        Question("box", wording(rng, WORDINGS["box"], a=target.name), format_box(target.box, width, height), target.box)
    )
    target = rng.choice(things)
    answer = format_point(target.centre, width, height)
    questions.append(Question("point", wording(rng, WORDINGS["point"], a=target.name), answer, target.box))
    return tuple(questions)


def draw(split: Split, rng: random.Random) -> Picture:
    """One scene with a question per task."""
    width, height = rng.choice(SIDES)
    number = rng.randint(1, 4)
    image = Image.new("RGB", (width, height), background(rng))
    if split == "train" and number == 1 and rng.random() < NAMELESS:
        return _nameless(rng, image)
    combos = rng.sample(PAIRS[split], number)
    boxes = _place(rng, number, width, height)
    things = [Thing(*combo, box) for combo, box in zip(combos, boxes, strict=True)]
    for thing in things:
        size = thing.box[2] - thing.box[0]
        image.paste(jitter(rng, COLOURS[thing.colour]), thing.box[:2], mask(thing.shape, size))
    names = [_with_article(t.name) for t in sorted(things, key=lambda t: t.centre)]
    return Picture(
        image=image,
        caption=" and ".join([", ".join(names[:-1]), names[-1]] if number > 1 else names),
        questions=_questions(rng, things, width, height),
        items=tuple(f"combo:{t.name}" for t in things),
        real=False,
        source="vergence, rendered",
    )


def _nameless(rng: random.Random, image: Image.Image) -> Picture:
    """One shape of no named colour, asked for its shape alone: shapes are to be known by their outline."""
    shape = rng.choice(SHAPES)
    [box] = _place(rng, 1, *image.size)
    colour = (rng.randint(0, 200), rng.randint(0, 200), rng.randint(0, 200))
    image.paste(colour, box[:2], mask(shape, box[2] - box[0]))
    return Picture(
        image=image,
        caption=_with_article(shape),
        questions=(
            Question("shape", wording(rng, ALONE["shape"]), shape, box),
            Question("count", wording(rng, WORDINGS["count"]), "1"),
        ),
        items=(f"combo:nameless {shape}",),
        real=False,
        source="vergence, rendered",
    )


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
