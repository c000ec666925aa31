"""KGeography: maps whose regions are each of one exact colour, with names in 68 languages."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from vergence.data.sources.items import Item
from vergence.data.sources.packages import package_folder
from vergence.processing.media import decode_image

FOLDER = "usr/share/kgeography"


class MapRegion(NamedTuple):
    """A region of a map: its colour in it, its capital ("" if none), and whether it is asked about."""

    name: str
    colour: tuple[int, int, int]
    capital: str
    ignored: bool


class Map(NamedTuple):
    """A map: the file that describes it, its picture's, what it shows and what its regions are called."""

    file: str
    picture: str
    name: str
    divisions: str
    regions: tuple[MapRegion, ...]

    def read(self) -> bytes:
        """The PNG."""
        return (package_folder("kgeography") / FOLDER / self.picture).read_bytes()

    def pixels(self) -> np.ndarray:
        """The picture: [H, W, 3] uint8."""
        return np.asarray(decode_image(self.read()))


@cache
def maps() -> tuple[Map, ...]:
    """Every map. Raises `UsageError` where the package isn't fetched."""
    root = package_folder("kgeography") / FOLDER
    return tuple(_map(path.name, ElementTree.parse(path).getroot()) for path in sorted(root.glob("*.kgm")))


def _map(file: str, tree: ElementTree.Element) -> Map:
    regions = []
    for division in tree.iter("division"):
        parts = [division.findtext(f"color/{channel}") or "0" for channel in ("red", "green", "blue")]
        red, green, blue = map(int, parts)
        ignored = (division.findtext("ignore") or "no").strip() == "yes"
        name, capital = division.findtext("name") or "", division.findtext("capital") or ""
        regions.append(MapRegion(name.strip(), (red, green, blue), capital.strip(), ignored))
    picture, name = tree.findtext("mapFile") or "", tree.findtext("name") or ""
    return Map(file, picture.strip(), name.strip(), (tree.findtext("divisionsName") or "").strip(), tuple(regions))


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    tag = {"zh": "zh_CN"}.get(language, language)
    path = package_folder("kgeography") / f"usr/share/locale/{tag}/LC_MESSAGES/kgeography.mo"
    if not path.is_file():
        return gettext.NullTranslations()
    with path.open("rb") as file:
        return gettext.GNUTranslations(file)


def translated(shown: Map, name: str, language: str) -> str | None:
    """A name on a map in another language; None where nobody translated it."""
    found = _catalogue(language).pgettext(shown.file, name)
    return found if language == "en" or found != name else None


def languages() -> tuple[str, ...]:
    """The languages that have a catalogue."""
    root = package_folder("kgeography") / "usr/share/locale"
    return tuple(sorted(path.parts[-3] for path in root.glob("*/LC_MESSAGES/kgeography.mo")))


@cache
def items() -> tuple[Item, ...]:
    """The maps as pictures with a name."""
    return tuple(_item(shown) for shown in maps())


def _item(shown: Map) -> Item:
    names: Mapping[str, str] = {
        tag: text for tag in ("en", "zh") if (text := translated(shown, shown.name, tag)) is not None
    }
    return Item("kgeography", shown.file, names, {}, "map", "GPL-2.0-or-later", shown.read)
