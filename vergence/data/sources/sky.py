"""Stellarium's photographs of nebulae and galaxies, with the proper names of the objects in them.

`textures.json` isn't strict JSON (numbers begin with a point), so the names of pictures are picked out of it.
"""

from __future__ import annotations

import re
from functools import cache

from vergence.data.sources.items import Item
from vergence.data.sources.packages import package_folder

_CREDIT = re.compile(r'"imageCredits"\s*:\s*\{\s*"[Ss]hort"\s*:\s*"([^"]*)"[^}]*\}\s*,\s*"imageUrl"\s*:\s*"([^"]+)"')
_NAME = re.compile(r'^(\w+) +(\S+) +_\("([^"]+)"\)')
_FILE = re.compile(r"^(m|ngc|n|ic|sh2|b|vdb|abell)[-_]?(\d+)")
_PREFIX = {"m": "M", "ngc": "NGC", "n": "NGC", "ic": "IC", "sh2": "SH2", "b": "B", "vdb": "VDB", "abell": "ACO"}


@cache
def items() -> tuple[Item, ...]:
    """Every photograph; its name is the object's catalogue number, its caption the proper name where it has one."""
    root = package_folder("stellarium") / "usr/share/stellarium/nebulae/default"
    proper: dict[str, str] = {}
    for line in (root / "names.dat").read_text("utf-8", "replace").splitlines():
        entry = _NAME.match(line)
        if entry:
            proper.setdefault(f"{entry[1]} {entry[2]}", entry[3])
    found: dict[str, Item] = {}
    for credit, file in _CREDIT.findall((root / "textures.json").read_text("utf-8", "replace")):
        path, known = root / file, _FILE.match(file.lower())
        if not path.is_file():
            continue
        number = f"{_PREFIX[known[1]]} {int(known[2])}" if known else ""
        names = {"en": number} if number else {}
        captions = {"en": proper[number]} if number in proper else {}
        licence = f"image by {credit}, terms per image"
        found.setdefault(file, Item("stellarium", file, names, captions, "deep sky", licence, path.read_bytes))
    return tuple(found.values())
