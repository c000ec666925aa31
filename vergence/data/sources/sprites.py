"""Wesnoth's units: a sprite with its name and, mostly, a long description."""

from __future__ import annotations

import re
from functools import cache

from vergence.data.sources.items import Item
from vergence.data.sources.packages import package_folder

_NAME = re.compile(r'^\s*name\s*=\s*_\s*"([^"]+)"', re.MULTILINE)
_IMAGE = re.compile(r'^\s*image\s*=\s*"?([^"~:\s]+\.png)', re.MULTILINE)
_MACRO = re.compile(r"^#define (PATH_\w+)\s+(\S+?)\s*#enddef", re.MULTILINE)
_TEXT = re.compile(r'^\s*description\s*=\s*_\s*"((?:[^"]|"")+)"', re.MULTILINE)
LICENCE = "GPL-2.0-or-later, CC-BY-SA-4.0"


@cache
def items() -> tuple[Item, ...]:
    """The first picture of each unit; the category is its folder. Raises `UsageError` if not fetched."""
    root = package_folder("wesnoth") / "usr/share/games/wesnoth/1.16/data/core"
    found: dict[str, Item] = {}
    for config in sorted((root / "units").rglob("*.cfg")):
        unit = config.read_text("utf-8", "replace")
        for macro, value in _MACRO.findall(unit):
            unit = unit.replace(f"{{{macro}}}", value)
        name, image, text = _NAME.search(unit), _IMAGE.search(unit), _TEXT.search(unit)
        path = root / "images" / image[1] if image else root
        if name is None or not path.is_file() or path.parent.name == "misc":
            continue
        captions = {"en": " ".join(text[1].replace('""', '"').split())} if text else {}
        names = {"en": name[1].removeprefix("female^")}
        place = path.relative_to(root / "images").as_posix()
        item = Item("wesnoth", place, names, captions, config.parent.name, LICENCE, path.read_bytes)
        found.setdefault(place, item)
    return tuple(found.values())
