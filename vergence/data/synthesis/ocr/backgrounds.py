"""What signs hang on: made walls, or parts of wallpapers of a Debian package whose metadata name CC-BY-SA-4.0."""

from __future__ import annotations

import random
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from vergence.data.generator import SourceItem, source_item
from vergence.data.pictures import Split
from vergence.data.shards.markers import read_json
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.ocr import effects
from vergence.errors import DataError
from vergence.processing.media import decode_image

WALLPAPERS = "wallpapers"
WALLPAPER_LICENCE = "CC-BY-SA-4.0"
HELD_OUT = ("Honeywave", "Kay")
"""Wallpapers that only held-out pictures show; by hand, as there are no more than a few."""
WIDEST = 1920


def wall(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """A wall to hang signs on: bricks, planks, or a plain or spotted ground, blurred a little."""
    ground = effects.surface(size, rng)
    kind = rng.choice(("plain", "bricks", "planks"))
    if kind != "plain":
        width, height = (
            (rng.randint(50, 110), rng.randint(18, 44)) if kind == "bricks" else (size[0], rng.randint(30, 90))
        )
        y, x = np.mgrid[0 : size[1], 0 : size[0]]
        row = y // height
        along = x + (row % 2) * (width // 2)
        joint = (y % height < 2) | ((along % width < 2) & (kind == "bricks"))
        tones = effects.numpy_rng(rng).integers(205, 256, (size[1] // height + 1, size[0] // width + 2), dtype=np.uint8)
        shade = Image.fromarray(np.where(joint, 110, tones[row, along // width]).astype(np.uint8))
        ground = Image.composite(ground, Image.new("RGB", size, (15, 15, 15)), shade)
    return ground.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2.5)))


def wallpaper_part(size: tuple[int, int], split: Split, rng: random.Random) -> tuple[Image.Image, SourceItem]:
    """A part of a wallpaper, at a scale at which it fills `size`. Raises `UsageError` where they aren't fetched."""
    path = rng.choice(_wallpapers(split))
    whole, item = _wallpaper(path)
    scale = max(size[0] / whole.width, size[1] / whole.height, rng.uniform(0.5, 1.0))
    width, height = size[0] / scale, size[1] / scale
    left, top = rng.uniform(0, whole.width - width), rng.uniform(0, whole.height - height)
    box = (left, top, left + width, top + height)
    return whole.resize(size, Image.Resampling.BICUBIC, box=box), item


@cache
def _wallpapers(split: Split) -> tuple[Path, ...]:
    """The first picture of each wallpaper of a split. Raises `DataError` where the package has none."""
    found = []
    for folder in sorted((package_folder(WALLPAPERS) / "usr" / "share" / "wallpapers").iterdir()):
        about = (read_json(folder / "metadata.json") or {}).get("KPlugin", {})
        pictures = sorted((folder / "contents" / "images").glob("*.[jp][pn]g"))
        if about.get("License") == WALLPAPER_LICENCE and pictures and (folder.name in HELD_OUT) == (split == "heldout"):
            found.append(pictures[-1])
    if not found:
        raise DataError(f"{package_folder(WALLPAPERS)} holds no wallpaper under {WALLPAPER_LICENCE}")
    return tuple(found)


@lru_cache(maxsize=16)
def _wallpaper(path: Path) -> tuple[Image.Image, SourceItem]:
    whole = decode_image(path)
    whole.thumbnail((WIDEST, WIDEST))
    name = path.parents[2].name
    return whole, source_item(WALLPAPERS, name, path.read_bytes(), WALLPAPER_LICENCE)
