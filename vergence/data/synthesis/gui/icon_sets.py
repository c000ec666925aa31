"""Three real sets of icons with names and search words: lucide (ISC), tabler-icons (MIT), mdi (Apache-2.0).

An icon's *concept* is what decides the side of the split: the meaning of `meanings.py` that it is drawn for, or its
name, so that the hearts of all sets lie on one side. Brand logos and drawings that are variants of another (outlined,
crossed out, numbered) are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageOps

from vergence.data.generator import SourceItem, source_item
from vergence.data.pictures import Split, split_of
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.gui.meanings import MEANINGS, Meaning
from vergence.processing.media import decode_image

SETS: Mapping[str, str] = {"lucide": "ISC", "tabler-icons": "MIT", "mdi": "Apache-2.0"}
"""Source package -> licence."""

_FOLDERS: Mapping[str, str] = {
    "lucide": "package/icons",
    "tabler-icons": "package/icons/outline",
    "mdi": "package/svg",
}
_WORDS = (
    "outline variant filled off alt box circle square rectangle multiple plus minus check remove edit alert arrow "
    "left right up down cancel x dot small large dashed rounded rotate share pause cog question exclamation"
)
VARIANTS = frozenset(_WORDS.split())
"""Words that a name of more than one word may not hold: such a drawing is an ornamented form of another."""


@dataclass(frozen=True, slots=True)
class Icon:
    """A drawing: its set, its name in it, the words it is called by, and further search words."""

    package: str
    name: str
    title: str
    tags: tuple[str, ...]
    concept: str

    @property
    def words(self) -> frozenset[str]:
        """Every word of the title and the tags."""
        return frozenset(word for term in (self.title, *self.tags) for word in term.split())

    @property
    def file(self) -> Path:
        """The SVG."""
        return package_folder(self.package) / _FOLDERS[self.package] / f"{self.name}.svg"

    def source(self) -> SourceItem:
        """The record of the drawing."""
        return source_item(self.package, self.name, self.file.read_bytes(), SETS[self.package])


class MeaningIcon(NamedTuple):
    """A drawing that stands for a meaning."""

    meaning: Meaning
    icon: Icon


def _names(meaning: Meaning) -> Mapping[str, str]:
    return {"lucide": meaning.lucide, "tabler-icons": meaning.tabler, "mdi": meaning.mdi}


@cache
def _concepts() -> Mapping[tuple[str, str], str]:
    return {(package, name): meaning.name for meaning in MEANINGS for package, name in _names(meaning).items()}


def side(concept: str) -> Split:
    """The split that a concept lies in."""
    return split_of(f"icon/{concept}")


def _term(text: str) -> str:
    return " ".join(text.replace("-", " ").replace("_", " ").lower().split())


@cache
def _tags(package: str) -> Mapping[str, tuple[str, ...]]:
    """Name -> search words, in the order of the set's own list."""
    folder = package_folder(package) / "package"
    if package == "lucide":
        return {name: tuple(tags) for name, tags in _json(folder / "tags.json").items()}
    if package == "tabler-icons":
        icons = _json(folder / "icons.json")
        return {
            name: tuple(map(str, icon["tags"]))
            for name, icon in icons.items()
            if "outline" in icon["styles"] and not name.startswith("brand-")
        }
    return {
        icon["name"]: tuple(icon["aliases"])
        for icon in _json(folder / "meta.json")
        if not icon["deprecated"] and "Brand / Logo" not in icon["tags"]
    }


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def icons(package: str, split: Split) -> tuple[Icon, ...]:
    """The icons of a set whose names are plain words, of one side of the split, ordered by name."""
    found = []
    for name, tags in sorted(_tags(package).items()):
        words = name.split("-")
        concept = _concepts().get((package, name), _term(name))
        plain = len(words) <= 2 and all(word.isalpha() and len(word) > 2 for word in words)
        ornamented = len(words) > 1 and not VARIANTS.isdisjoint(words)
        if plain and not ornamented and side(concept) == split:
            icon = Icon(package, name, _term(name), tuple(map(_term, tags)), concept)
            if icon.file.is_file():
                found.append(icon)
    return tuple(found)


@cache
def meaning_icons(package: str, split: Split) -> tuple[MeaningIcon, ...]:
    """The drawings of a set that stand for the meanings of one side of the split."""
    return tuple(
        MeaningIcon(
            meaning,
            Icon(package, name, meaning.name, tuple(map(_term, _tags(package).get(name, ()))), meaning.name),
        )
        for meaning in MEANINGS
        if side(meaning.name) == split
        for name in (_names(meaning)[package],)
    )


def svg(icon: Icon, colour: str) -> str:
    """The drawing as SVG in a colour."""
    text = icon.file.read_text(encoding="utf-8").replace("currentColor", colour)
    # mdi's paths have no colour of their own.
    return text.replace("<path d", f'<path fill="{colour}" d') if icon.package == "mdi" else text


@lru_cache(maxsize=512)
def mask(icon: Icon, side_length: int) -> Image.Image:
    """How much of each pixel a drawing covers, 0..255, in a square of `side_length` pixels."""
    import resvg_py

    data = bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg(icon, "#000000"), width=side_length, height=side_length, background="#ffffff"
        )
    )
    return ImageOps.invert(decode_image(data).convert("L"))


def drawn(icon: Icon) -> bool:
    """Whether there is enough ink to be seen: the weakest of the signs of a wireless network is but a dot."""
    return sum(mask(icon, 32).histogram()[128:]) >= 32


MISTAKEN: frozenset[frozenset[str]] = frozenset(
    map(frozenset, (("favourite", "like"), ("back", "undo"), ("forward", "redo"), ("list", "menu"), ("tag", "gift"),
                    ("search", "zoom in"), ("refresh", "undo"), ("refresh", "redo"), ("history", "undo"),
                    ("camera", "image"), ("close", "delete"), ("cloud", "save"), ("video", "play")))
)  # fmt: skip
"""Pairs of meanings of which one drawing may be taken for the other's: a heart marks a favourite in many programs."""


def alike(icon: Icon, others: Sequence[Icon]) -> bool:
    """Whether a name or a search word of an icon could be meant for one of the others too."""
    return any(
        icon.concept == other.concept
        or frozenset((icon.concept, other.concept)) in MISTAKEN
        or not set(icon.title.split()).isdisjoint(other.words)
        or not set(other.title.split()).isdisjoint(icon.words)
        for other in others
    )
