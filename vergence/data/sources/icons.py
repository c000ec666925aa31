"""Four sets of icons with search words: Material Design Icons, Tabler, Lucide, Font Awesome."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from vergence.data.sources.items import Item
from vergence.data.sources.packages import find_package, package_folder

SETS = ("mdi", "tabler-icons", "lucide", "fontawesome")


@cache
def items(package: str) -> tuple[Item, ...]:
    """The icons of a set. The caption is its search words. Raises `UsageError` where the set isn't fetched."""
    licence = find_package(package).licence
    root = package_folder(package) / "package"
    return tuple(
        Item(
            package,
            path.relative_to(root).as_posix(),
            {"en": title},
            {"en": ", ".join(words)} if words else {},
            category,
            licence,
            path.read_bytes,
        )
        for path, title, words, category in _READERS[package](root)
        if path.is_file()
    )


Found = Iterator[tuple[Path, str, list[str], str]]


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _mdi(root: Path) -> Found:
    for entry in _json(root / "meta.json"):
        words = [*entry["tags"], *(alias.replace("-", " ") for alias in entry["aliases"])]
        category = entry["tags"][0] if entry["tags"] else "other"
        yield root / "svg" / f"{entry['name']}.svg", entry["name"].replace("-", " "), words, category


def _tabler(root: Path) -> Found:
    for name, entry in _json(root / "icons.json").items():
        for style in entry["styles"]:
            words = [str(tag) for tag in entry["tags"]]
            yield root / "icons" / style / f"{name}.svg", name.replace("-", " "), words, entry["category"]


def _lucide(root: Path) -> Found:
    for name, words in _json(root / "tags.json").items():
        yield root / "icons" / f"{name}.svg", name.replace("-", " "), words, "other"


def _fontawesome(root: Path) -> Found:
    for name, entry in _json(root / "metadata/icon-families.json").items():
        words = [str(term) for term in entry["search"]["terms"]]
        for style in entry["svgs"].get("classic", entry["svgs"].get("brands", {})):
            yield root / "svgs" / style / f"{name}.svg", entry["label"], words, style


_READERS = {"mdi": _mdi, "tabler-icons": _tabler, "lucide": _lucide, "fontawesome": _fontawesome}
