"""Pasting cut-outs on a background, and what follows from their transparency: who is visible where.

An object's pixels are those where it is at least half opaque; the last object pasted on a pixel is the visible one.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from vergence.data.generator import Region, SourceItem
from vergence.data.synthesis.grounding.cutouts import Thing, distinct, usable
from vergence.errors import DataError

HALF = 128
FEWEST_PIXELS = 100
"""Every object keeps as many visible pixels, as in CLEVR (Johnson et al. 2017, appendix A)."""

Box = tuple[int, int, int, int]


class Pasted(NamedTuple):
    """A cut-out to paste: its kind, its left top corner, its pixels at that size, and whether it is mirrored."""

    thing: Thing
    left: int
    top: int
    cutout: Image.Image
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """An object in a picture: what was pasted, the box and a point of its visible pixels, and how many it has, of
    which how many are visible."""

    thing: Thing
    left: int
    top: int
    cutout: Image.Image
    mirrored: bool
    box: Box
    point: tuple[int, int]
    pixels: int
    visible: int


def choose(rng: random.Random, candidates: Sequence[Thing], count: int, language: str) -> list[Thing]:
    """Things of different names that nobody confuses. Raises `DataError` where there are too few."""
    chosen: list[Thing] = []
    for _ in range(60 * count):
        thing = rng.choice(candidates)
        if distinct(chosen, thing, language) and usable(thing):
            chosen.append(thing)
            if len(chosen) == count:
                return chosen
    raise DataError(f"no {count} things with different names were found")


def sized(thing: Thing, side: int, *, mirror: bool) -> Image.Image:
    """The cut-out with its longer side at `side` pixels, perhaps mirrored."""
    picture = thing.picture()
    scale = side / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    small = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return small.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirror else small


def solid(cutout: Image.Image) -> np.ndarray:
    """Where a cut-out is at least half opaque: [H, W] bool."""
    return np.asarray(cutout.getchannel("A")) >= HALF


def paste(ids: np.ndarray, mask: np.ndarray, left: int, top: int, number: int) -> np.ndarray:
    """The map of visible objects [H, W] int16 (-1: background) with one more on top; it must lie inside."""
    after = ids.copy()
    after[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = number
    return after


def box_of(mask: np.ndarray) -> Box:
    """The smallest box around the true pixels of [H, W]; right and bottom lie just outside."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def inner_point(mask: np.ndarray) -> tuple[int, int]:
    """A true pixel (x, y) of [H, W] that lies deep inside: of those that outlive erosion, the nearest to their mean."""
    left, top, right, bottom = box_of(mask)
    deep = np.pad(mask[top:bottom, left:right], 1)
    while True:
        core = deep.copy()
        core[1:-1, 1:-1] &= deep[:-2, 1:-1] & deep[2:, 1:-1] & deep[1:-1, :-2] & deep[1:-1, 2:]
        if not core.any():
            break
        deep = core
    rows, columns = np.nonzero(deep)
    nearest = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
    return int(columns[nearest]) + left - 1, int(rows[nearest]) + top - 1


def finish(
    background: Image.Image, objects: Sequence[Pasted], ids: np.ndarray
) -> tuple[Image.Image, tuple[Placed, ...]]:
    """The picture, and its objects from back to front with their visible boxes and points."""
    picture, placed = background.copy(), []
    for number, pasted in enumerate(objects):
        picture.paste(pasted.cutout, (pasted.left, pasted.top), pasted.cutout)
        seen = ids == number
        pixels = int(solid(pasted.cutout).sum())
        placed.append(Placed(*pasted, box_of(seen), inner_point(seen), pixels, int(seen.sum())))
    return picture, tuple(placed)


def jpeg(picture: Image.Image) -> bytes:
    """The file of a picture."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def radius(points: Sequence[tuple[int, int]], boxes: Sequence[Box]) -> float:
    """How far from a point an answer may lie, so that no answer is near two: half of the least distance at most."""
    least = min(min(right - left, bottom - top) for left, top, right, bottom in boxes) / 2
    gaps = [float(np.hypot(a[0] - b[0], a[1] - b[1])) for i, a in enumerate(points) for b in points[:i]]
    return round(max(2.5, min([least, *(gap / 2 for gap in gaps)])), 2)


def regions(objects: Sequence[Placed], language: str) -> tuple[Region, ...]:
    """Boxes and points to draw."""
    return tuple(Region(o.thing.name(language), box=o.box, points=(o.point,)) for o in objects)


def truth(objects: Sequence[Placed]) -> list[dict[str, object]]:
    """What is known of the objects, from back to front."""
    return [
        {
            "name": o.thing.names["en"],
            "source": o.thing.item.package,
            "item": o.thing.item.name,
            "box": list(o.box),
            "point": list(o.point),
            "pixels": o.pixels,
            "visible": o.visible,
            "mirrored": o.mirrored,
            "placed": [o.left, o.top, o.cutout.width, o.cutout.height],
        }
        for o in objects
    ]


def sources(objects: Sequence[Placed], further: SourceItem | None) -> tuple[SourceItem, ...]:
    """The real items of a scene, each once."""
    found = {(o.thing.item.package, o.thing.item.name): o.thing.item.record for o in objects}
    return (*found.values(), *((further,) if further else ()))


def licence(items: Sequence[SourceItem]) -> str:
    """All the licences that bind a picture, joined by AND, for none of them takes the place of another."""
    return " AND ".join(dict.fromkeys(sorted(item.licence for item in items)))
