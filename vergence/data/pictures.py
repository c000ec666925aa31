"""What every picture kind returns, and the two rules they share: how randomness is seeded and how items are split.

A *kind* (shapes, digits, text, ...) is a module with `draw(split, rng) -> Picture`, a pure function of its arguments.
An *item* is what a picture is made of and what a model could memorise: a (colour, shape) pair, one handwritten digit,
one emoji, a word, a font. Training and held-out pictures share no item of the sorts that their module names.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL import Image

Split = Literal["train", "heldout"]

Box = tuple[float, float, float, float]
"""A rectangle in pixels: left, top, right, bottom; right and bottom lie just outside of it."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a picture with its exact answer; `box` is the target's box where the task has a target."""

    task: str
    prompt: str
    answer: str
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """An RGB picture with its caption and questions; `real` means that nobody of this project drew its content."""

    image: Image.Image
    caption: str
    questions: tuple[Question, ...]
    items: tuple[str, ...]
    real: bool
    source: str


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def rng_for(seed: int, kind: str, split: str, index: int) -> random.Random:
    """The generator of one picture: the same on every machine, unrelated to the generators of other pictures."""
    return random.Random(_digest(f"{seed}/{kind}/{split}/{index}"))


@cache
def split_of(item: str, heldout: float = 0.2) -> Split:
    """The side on which an item lies, decided by a hash of its name; about the share `heldout` is held out."""
    return "heldout" if _digest(item) < heldout * 2**64 else "train"


def wording(rng: random.Random, forms: Sequence[str], **names: str) -> str:
    """One of the wordings of a question, with its names filled in."""
    return rng.choice(forms).format(**names)
