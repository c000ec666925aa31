"""Backgrounds: Plasma's wallpapers and the photographs of OpenCV's examples, which have no more than a file name."""

from __future__ import annotations

import json
from functools import cache

from vergence.data.sources.items import Item
from vergence.data.sources.packages import package_folder


@cache
def items() -> tuple[Item, ...]:
    """One picture of each wallpaper, the smallest that is wide, with its name. Raises `UsageError` if not fetched."""
    root = package_folder("wallpapers") / "usr/share/wallpapers"
    found = []
    for place in sorted(root.glob("*/metadata.json")):
        about = json.loads(place.read_text("utf-8")).get("KPlugin", {})
        pictures = sorted(p for p in place.parent.glob("contents/images/*x*.*") if _wide(p.stem))
        if pictures:
            name, licence = place.parent.name, about.get("License", "CC-BY-SA-4.0 and others, per file")
            names = {"en": about.get("Name", name)}
            found.append(Item("wallpapers", name, names, {}, "background", licence, pictures[0].read_bytes))
    return tuple(found)


def _wide(size: str) -> bool:
    width, _, height = size.partition("x")
    return width.isdigit() and height.isdigit() and int(width) > int(height)


@cache
def opencv_items() -> tuple[Item, ...]:
    """The pictures in OpenCV's folder of example data. Raises `UsageError` where the package isn't fetched."""
    root = package_folder("opencv-doc") / "usr/share/doc/opencv-doc/examples/data"
    found = []
    for path in sorted([*root.rglob("*.jpg"), *root.rglob("*.png")]):
        name = path.relative_to(root).as_posix()
        found.append(Item("opencv-doc", name, {"en": path.stem}, {}, "photo", "mixed, per file", path.read_bytes))
    return tuple(found)
