"""Fonts for matplotlib's charts: registered once, under their family's name, in front of what the machine has."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from vergence.data.generator import SourceItem, source_item
from vergence.data.pictures import Split
from vergence.data.sources.fonts import FAMILIES, fonts
from vergence.data.sources.packages import package_folder
from vergence.errors import UsageError

CHINESE: dict[Split, str] = {"train": "noto-sans-sc", "heldout": "zcool-xiaowei"}
"""Split -> the font of @fontsource that Chinese labels are drawn in. In zcool-xiaowei 回 is a black square, so that no
label has it."""

UNCLEAR = ("intuitive",)
"""Families whose digits can't be told apart at the size of a tick label."""

APACHE = ("Caladea", "Open Sans", "Roboto")
"""Families under Apache-2.0; the others are under OFL-1.1."""

FAMILY_NAMES = {"noto-sans-sc": "Noto Sans SC", "zcool-xiaowei": "ZCOOL XiaoWei"}


class ChartFont(NamedTuple):
    """A family with the files of its regular and its bold style."""

    family: str
    regular: Path
    bold: Path
    package: str

    @cache  # noqa: B019, there are a dozen fonts
    def item(self) -> SourceItem:
        """The record of the font, by the bytes of its regular style."""
        licence = "Apache-2.0" if self.family in APACHE else "OFL-1.1"
        return source_item(self.package, f"font:{self.family}", self.regular.read_bytes(), licence)


@cache
def latin_fonts(split: Split) -> tuple[ChartFont, ...]:
    """The families of a split with Latin letters, from the font packages on PyPI."""
    return tuple(
        _latin(family[0].family, [font.path for font in family])
        for family in fonts(split)
        if family[0].family not in UNCLEAR
    )


def _latin(family: str, paths: list[Path]) -> ChartFont:
    named = {path.stem.lower().rpartition("-")[2]: path for path in sorted(paths)}
    regular = next((named[name] for name in ("regular", "book", "roman", "medium") if name in named), sorted(paths)[0])
    bold = next((named[name] for name in ("bold", "semibold", "black") if name in named), regular)
    return ChartFont(family.title(), regular, bold, FAMILIES[family][0].replace("_", "-"))


@cache
def chinese_font(split: Split) -> ChartFont:
    """The Chinese family of a split, unpacked from its web font beside it.

    Raises `UsageError` where its package isn't fetched.
    """
    name = CHINESE[split]
    files = package_folder(f"font-{name}") / "package" / "files"
    weights = [
        _unpacked(files / f"{name}-chinese-simplified-{weight}-normal.woff")
        for weight in (400, 700)
        if (files / f"{name}-chinese-simplified-{weight}-normal.woff").is_file()
    ]
    return ChartFont(
        FAMILY_NAMES[name],
        weights[0],
        weights[-1],
        f"font-{name}",
    )


def _unpacked(path: Path) -> Path:
    """A web font as plain TrueType, which is all that matplotlib and Vega read; written once, whole."""
    target = path.parents[1] / "ttf" / f"{path.stem}.ttf"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        try:
            from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
        except ImportError:
            raise UsageError("Chinese labels need fonttools: pip install 'vergence[render]'") from None

        font = TTFont(path, recalcTimestamp=False)
        font.flavor = None
        partial = target.with_suffix(f".{os.getpid()}.partial")
        font.save(partial)
        os.replace(partial, target)
    return target


@cache
def register(font: ChartFont) -> str:
    """Make a family known to matplotlib and return its name.

    It stands first in the list, so that a font of the same name that the machine has is not taken instead.
    """
    from matplotlib import font_manager

    manager = font_manager.fontManager
    for path, weight in ((font.bold, 700), (font.regular, 400)):
        found = font_manager.ttfFontProperty(font_manager.get_font(str(path)))
        entry = replace(found, name=font.family, weight=weight, style="normal", variant="normal", stretch="normal")
        manager.ttflist.insert(0, entry)
    manager._findfont_cached.cache_clear()  # type: ignore[attr-defined]
    return font.family
