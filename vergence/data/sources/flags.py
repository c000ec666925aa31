"""flag-icons: flags with the name of their country, its capital and its continent."""

from __future__ import annotations

import json
from functools import cache

from vergence.data.sources.items import Item
from vergence.data.sources.packages import package_folder


@cache
def items() -> tuple[Item, ...]:
    """Every flag with its country's name; the category is the continent. Raises `UsageError` if not fetched."""
    root = package_folder("flag-icons")
    place = next(iter(sorted(root.rglob("country.json"))))
    found = []
    for entry in json.loads(place.read_text("utf-8")):
        path = place.parent / entry["flag_4x3"]
        capital = entry.get("capital")
        captions = {"en": f"The flag of {entry['name']}, whose capital is {capital}."} if capital else {}
        group = entry.get("continent") or "other"
        found.append(Item("flag-icons", entry["code"], {"en": entry["name"]}, captions, group, "MIT", path.read_bytes))
    return tuple(found)
