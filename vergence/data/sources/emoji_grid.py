"""Four real emoji of four kinds in a two-by-two grid, asked where the one of a kind is.

Held out are base emoji, the same ones as in `emoji`.
"""

from __future__ import annotations

import random

from PIL import Image

from vergence.data.pictures import Picture, Question, Split, wording
from vergence.data.sources.emoji import SOURCE, by_kind, choose, scaled
from vergence.data.synthesis.palette import background

SIDES = ((84, 84), (84, 84), (112, 84), (84, 112))
PLACES = ("top left", "top right", "bottom left", "bottom right")

WORDINGS = ("Where is the {kind}?", "In which corner is the {kind}?", "Which corner holds the {kind}?")


def draw(split: Split, rng: random.Random) -> Picture:
    """One grid with a question about one of its corners."""
    width, height = rng.choice(SIDES)
    image = Image.new("RGB", (width, height), background(rng))
    chosen = [choose(split, rng, kind) for kind in rng.sample(list(by_kind(split)), 4)]
    room_x, room_y = width // 2, height // 2
    boxes = []
    for i, emoji in enumerate(chosen):
        drawing = scaled(emoji, rng.randint(36, min(room_x, room_y) - 2), mirror=rng.random() < 0.5)
        x = room_x * (i % 2) + rng.randint(0, room_x - drawing.width)
        y = room_y * (i // 2) + rng.randint(0, room_y - drawing.height)
        image.paste(drawing, (x, y), drawing)
        boxes.append((x, y, x + drawing.width, y + drawing.height))
    target = rng.randrange(4)
    return Picture(
        image=image,
        caption=", ".join(e.kind for e in chosen),
        questions=(Question("find", wording(rng, WORDINGS, kind=chosen[target].kind), PLACES[target], boxes[target]),),
        items=tuple(f"emoji:{e.base}" for e in chosen),
        real=True,
        source=SOURCE,
    )
