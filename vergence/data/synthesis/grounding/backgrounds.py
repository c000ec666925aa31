"""What cut-outs are pasted on: made skies, gradients, weaves and tiles, or real wallpapers and photographs."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from vergence.data.generator import SourceItem
from vergence.data.pictures import Split, split_of
from vergence.data.sources.items import Item
from vergence.data.sources.real import load_items
from vergence.processing.media import decode_image

Backgrounds = Literal["made", "wallpapers"]
Colour = tuple[int, int, int]


def background(
    rng: random.Random, size: tuple[int, int], split: Split, which: Backgrounds
) -> tuple[Image.Image, SourceItem | None]:
    """An RGB picture of `size`, and the real item that it is cut from if any."""
    if which == "wallpapers" and rng.random() < 0.7:
        return _real(rng, size, split)
    return rng.choice((_gradient, _meadow, _tiles, _cloudy))(rng, size), None


def _soft(rng: random.Random) -> Colour:
    base, spread = rng.randint(150, 225), 28
    red, green, blue = (min(250, max(90, base + rng.randint(-spread, spread))) for _ in range(3))
    return red, green, blue


def _blend(first: Colour, second: Colour, share: np.ndarray) -> Image.Image:
    mixed = np.asarray(first) + (np.asarray(second) - np.asarray(first)) * share[:, :, None]
    return Image.fromarray((mixed + 0.5).astype(np.uint8))


def _gradient(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    width, height = size
    across, down = rng.random(), rng.random()
    share = np.linspace(0, across, width)[None, :] + np.linspace(0, down, height)[:, None]
    return _blend(_soft(rng), _soft(rng), share / max(across + down, 1e-6))


def _cloudy(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    noise = np.random.Generator(np.random.PCG64(rng.getrandbits(64)))
    total = np.zeros((size[1], size[0]))
    for cells in (3, 6, 12, 24):
        grid = Image.fromarray((noise.random((cells, cells)) * 255).astype(np.uint8))
        total += np.asarray(grid.resize(size, Image.Resampling.BICUBIC), float) / 255 / cells
    low, high = float(total.min()), float(total.max())
    return _blend(_soft(rng), _soft(rng), (total - low) / (high - low))


def _meadow(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    width, height = size
    horizon = rng.uniform(0.3, 0.6) * height
    sky = _blend((150, 195, 235), (225, 238, 248), np.tile(np.linspace(0, 1, height)[:, None], (1, width)))
    draw = ImageDraw.Draw(sky)
    greens = ((168, 205, 130), (186, 214, 140), (150, 190, 120), (214, 200, 150), (200, 190, 170))
    for step in range(3):
        colour, wave = rng.choice(greens), rng.uniform(0, 6.28)
        top = horizon + step * (height - horizon) * rng.uniform(0.2, 0.35)
        line = [(x, top + 10 * float(np.sin(x / width * 5 + wave))) for x in range(0, width + 9, 8)]
        draw.polygon([*line, (width + 8, height), (0, height)], fill=colour)
    return sky.filter(ImageFilter.GaussianBlur(0.8))


def _tiles(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    first = _soft(rng)
    second: Colour = (max(60, first[0] - 14), max(60, first[1] - 14), max(60, first[2] - 14))
    picture, side = Image.new("RGB", size, first), rng.randint(24, 72)
    draw = ImageDraw.Draw(picture)
    for row in range(size[1] // side + 1):
        for column in range(row % 2, size[0] // side + 1, 2):
            draw.rectangle((column * side, row * side, (column + 1) * side - 1, (row + 1) * side - 1), fill=second)
    return picture


SHOWING_THINGS = frozenset(
    ("Altai", "Autumn", "ColorfulCups", "EveningGlow", "FallenLeaf", "FlyingKonqui", "Kite", "OneStandsOut", "Path")
)
"""Wallpapers that show things of their own (cups, boats, a kite): on them one would count more than was pasted."""


@lru_cache(maxsize=4)
def _items(split: Split) -> tuple[Item, ...]:
    return tuple(
        item
        for item in load_items("wallpapers")
        if item.name not in SHOWING_THINGS and split_of(f"wallpaper:{item.name}") == split
    )


@lru_cache(maxsize=40)
def _decoded(number: int, split: Split) -> tuple[Image.Image, SourceItem]:
    item = _items(split)[number]
    image = decode_image(item.read())
    small = image.resize((1280, max(1, round(1280 * image.height / image.width))), Image.Resampling.LANCZOS)
    return small, item.record


def _real(rng: random.Random, size: tuple[int, int], split: Split) -> tuple[Image.Image, SourceItem]:
    whole, record = _decoded(rng.randrange(len(_items(split))), split)
    scale = rng.uniform(max(size[0] / whole.width, size[1] / whole.height), 1.0)
    wide, high = min(whole.width, round(size[0] / scale)), min(whole.height, round(size[1] / scale))
    left, top = rng.randint(0, whole.width - wide), rng.randint(0, whole.height - high)
    picture = whole.crop((left, top, left + wide, top + high)).resize(size, Image.Resampling.BICUBIC)
    return picture, record
