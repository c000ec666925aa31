"""Scenes of one to four coloured shapes, asked for colour, shape, count, relative position, boxes and points.

Held out are things, that is a size, a colour and a shape together, such as "small red circle": a held-out thing is
never in a training picture, and a held-out picture shows nothing but held-out things. (Holding out pairs of a colour
and a shape in every size teaches the opposite of what is asked: a model that never sees a red circle learns that what
is red is no circle. docs/experiments.md has the figures.) No picture shows the same pair of colour and shape twice, so
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
COLOUR_NAMES = tuple(COLOURS)
SIDES = ((84, 84), (84, 84), (84, 56), (56, 84))
"""Picture sizes, drawn independently of the scene so that a size says nothing about the answer."""

LARGEST = {1: 40, 2: 28, 3: 25, 4: 22}
SMALLEST = {1: 22, 2: 20, 3: 18, 4: 17}
GAP = 3

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


SIZE_NAMES = ("small", "medium", "large")


def size_name(size: int) -> str:
    """The size in pixels of a thing as a word: small, medium or large."""
    return SIZE_NAMES[(size >= 21) + (size >= 26)]


@cache
def split_of_thing(size: str, colour: str, shape: str) -> Split:
    """The side on which a thing lies: of each size, every colour and every shape is held out in exactly one thing."""
    place = COLOUR_NAMES.index(colour) + 3 * SHAPES.index(shape) + 3 * SIZE_NAMES.index(size)
    return "heldout" if place % len(SHAPES) == 0 else "train"


def _choose(split: Split, rng: random.Random, number: int) -> list[tuple[int, str, str]]:
    """Sizes, colours and shapes of a picture's things, all of this split, no pair of colour and shape twice."""
    chosen: dict[tuple[str, str], int] = {}
    while len(chosen) < number:
        size, colour, shape = (
            rng.randint(SMALLEST[number], LARGEST[number]),
            rng.choice(COLOUR_NAMES),
            rng.choice(SHAPES),
        )
        if (colour, shape) not in chosen and split_of_thing(size_name(size), colour, shape) == split:
            chosen[colour, shape] = size
    return [(size, colour, shape) for (colour, shape), size in chosen.items()]


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


def _place(rng: random.Random, sizes: list[int], width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Boxes of these sizes that don't touch one another: thrown at random, all anew when they don't fit."""
    while True:
        boxes: list[tuple[int, int, int, int]] = []
        for _ in range(len(sizes) * 12):
            size = sizes[len(boxes)]
            x, y = rng.randint(1, width - size - 1), rng.randint(1, height - size - 1)
            if all(
                x >= b[2] + GAP or b[0] >= x + size + GAP or y >= b[3] + GAP or b[1] >= y + size + GAP for b in boxes
            ):
                boxes.append((x, y, x + size, y + size))
                if len(boxes) == len(sizes):
                    return boxes


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
    chosen = _choose(split, rng, number)
    boxes = _place(rng, [size for size, _, _ in chosen], width, height)
    things = [Thing(colour, shape, box) for (_, colour, shape), box in zip(chosen, boxes, strict=True)]
    for thing in things:
        size = thing.box[2] - thing.box[0]
        image.paste(jitter(rng, COLOURS[thing.colour]), thing.box[:2], mask(thing.shape, size))
    names = [_with_article(t.name) for t in sorted(things, key=lambda t: t.centre)]
    return Picture(
        image=image,
        caption=" and ".join([", ".join(names[:-1]), names[-1]] if number > 1 else names),
        questions=_questions(rng, things, width, height),
        items=tuple(f"thing:{size_name(size)} {colour} {shape}" for size, colour, shape in chosen),
        real=False,
        source="vergence, rendered",
    )


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
