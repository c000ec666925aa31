"""The typefaces of text in pictures: which families write which script, on which side of the split, from which package.

Latin print comes from the font packages on PyPI (`vergence.data.sources.fonts`), so that pages and lines in it need no
fetching. Everything else comes from packages of the npm scope @fontsource. Those cut a family into one file a script,
and Latin letters, digits and most marks stand in the Latin file: a `Typeface` is a list of files, of which the first
that has a character draws it.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import ImageFont, features

from vergence.data.generator import SourceItem, source_item
from vergence.data.pictures import Split
from vergence.data.sources import fonts as demo_fonts
from vergence.data.sources.packages import fetched, package_folder
from vergence.data.synthesis.ocr.woff import unpacked
from vergence.errors import UsageError

Use = Literal["print", "handwriting", "display"]
LICENCE = "OFL-1.1"

PARTS = {
    "latin": "latin",
    "cyrillic": "cyrillic",
    "greek": "greek",
    "han": "chinese-simplified",
    "japanese": "japanese",
    "korean": "korean",
    "arabic": "arabic",
    "hebrew": "hebrew",
    "devanagari": "devanagari",
    "thai": "thai",
    "bengali": "bengali",
    "tamil": "tamil",
}
"""Script -> the name of its part in the files of @fontsource."""

UNEVEN = ("source serif pro",)
"""Families of PyPI whose hinting gives "%" and quotation marks no width, so that letters fall on each other."""

_WESTERN = "latin cyrillic greek"
_SOURCES: tuple[tuple[str, str, Use, Split], ...] = (
    ("noto-sans", _WESTERN, "print", "train"),
    ("noto-serif", _WESTERN, "print", "train"),
    ("eb-garamond", _WESTERN, "print", "train"),
    ("open-sans", _WESTERN, "print", "heldout"),
    ("noto-sans-sc", "han", "print", "train"),
    ("zcool-xiaowei", "han", "print", "heldout"),
    ("zen-kaku-gothic-new", "japanese", "print", "train"),
    ("zen-old-mincho", "japanese", "print", "heldout"),
    ("nanum-gothic", "korean", "print", "train"),
    ("nanum-myeongjo", "korean", "print", "heldout"),
    ("noto-naskh-arabic", "arabic", "print", "train"),
    ("amiri", "arabic", "print", "heldout"),
    ("noto-sans-hebrew", "hebrew", "print", "train"),
    ("frank-ruhl-libre", "hebrew", "print", "heldout"),
    ("noto-sans-devanagari", "devanagari", "print", "train"),
    ("mukta", "devanagari", "print", "heldout"),
    ("noto-sans-thai", "thai", "print", "train"),
    ("sarabun", "thai", "print", "heldout"),
    ("noto-sans-bengali", "bengali", "print", "train"),
    ("hind-siliguri", "bengali", "print", "heldout"),
    ("noto-sans-tamil", "tamil", "print", "train"),
    ("catamaran", "tamil", "print", "heldout"),
    ("caveat", "latin cyrillic", "handwriting", "train"),
    ("kalam", "latin", "handwriting", "train"),
    ("patrick-hand", "latin", "handwriting", "train"),
    ("indie-flower", "latin", "handwriting", "train"),
    ("reenie-beanie", "latin", "handwriting", "train"),
    ("architects-daughter", "latin", "handwriting", "heldout"),
    ("shadows-into-light", "latin", "handwriting", "heldout"),
    ("marck-script", "latin cyrillic", "handwriting", "heldout"),
    ("ma-shan-zheng", "han", "handwriting", "train"),
    ("long-cang", "han", "handwriting", "train"),
    ("zhi-mang-xing", "han", "handwriting", "heldout"),
    ("monoton", "latin", "display", "train"),
    ("bungee-shade", "latin", "display", "train"),
    ("lobster", "latin cyrillic", "display", "train"),
    ("fredericka-the-great", "latin", "display", "train"),
    ("righteous", "latin", "display", "train"),
    ("shrikhand", "latin", "display", "train"),
    ("creepster", "latin", "display", "train"),
    ("abril-fatface", "latin", "display", "heldout"),
    ("pacifico", "latin cyrillic", "display", "heldout"),
    ("bangers", "latin", "display", "heldout"),
    ("zcool-kuaile", "han", "display", "train"),
    ("zcool-qingke-huangyou", "han", "display", "heldout"),
)
"""Name in @fontsource, scripts, use, split. By hand: each script has a family on both sides."""


class Typeface(NamedTuple):
    """One weight of a family for a script: the package it is from and its files, the one to try first in front."""

    family: str
    package: str
    weight: int
    files: tuple[Path, ...]

    @property
    def licence(self) -> str:
        """The licence of the font; a picture of its letters isn't bound by it."""
        return LICENCE if self.package.startswith("font-") else "OFL-1.1 or Apache-2.0"


def packages_of(script: str, use: Use) -> tuple[str, ...]:
    """The source packages that write a script; none for Latin print, which needs no fetching."""
    if (script, use) == ("latin", "print"):
        return ()
    return tuple(
        f"font-{name}" for name, scripts, purpose, _ in _SOURCES if purpose == use and script in scripts.split()
    )


@cache
def families(script: str, use: Use, split: Split) -> tuple[tuple[Typeface, ...], ...]:
    """The typefaces of a script, one tuple for each family (draw a family first, then one of its weights).

    Raises `UsageError` for a script that no family of that use writes, and with the command that fetches what lacks.
    """
    if (script, use) == ("latin", "print"):
        return tuple(
            tuple(Typeface(style.family, demo_fonts.FAMILIES[style.family][0], 400, (style.path,)) for style in family)
            for family in demo_fonts.fonts(split)
            if family[0].family not in UNEVEN
        )
    needed = packages_of(script, use)
    if not needed:
        raise UsageError(f"no {use} font writes {script}; there are fonts for {', '.join(scripts_of(use))}")
    lacking = [name for name in needed if not fetched(name)]
    if lacking:
        raise UsageError(f"{script} in {use} needs fonts that aren't here: vergence data fetch {' '.join(lacking)}")
    return tuple(
        _typefaces(name, script)
        for name, scripts, purpose, side in _SOURCES
        if purpose == use and side == split and script in scripts.split()
    )


def scripts_of(use: Use) -> tuple[str, ...]:
    """The scripts that have fonts of a use."""
    written = {script for _, scripts, purpose, _ in _SOURCES if purpose == use for script in scripts.split()}
    return tuple(script for script in PARTS if script in written)


def _typefaces(name: str, script: str) -> tuple[Typeface, ...]:
    """The regular and the bold weight of a family, those that it has.

    The `.woff` files are read, not the `.woff2`: both hold the same font, and zlib is enough for the first.
    """
    folder = package_folder(f"font-{name}") / "package" / "files"
    found = []
    for weight in (400, 700):
        parts = [PARTS[script], *(() if script == "latin" else ("latin",))]
        paths = [folder / f"{name}-{part}-{weight}-normal.woff" for part in parts]
        if paths[0].is_file():
            files = tuple(path for path in paths if path.is_file())
            found.append(Typeface(name.replace("-", " "), f"font-{name}", weight, files))
    if not found:
        raise UsageError(
            f"font-{name} holds no {PARTS[script]} font: delete {package_folder(f'font-{name}')}, fetch it again"
        )
    return tuple(found)


@cache
def font_item(typeface: Typeface) -> SourceItem:
    """The record of a typeface: the hash is that of its first file."""
    item = f"{typeface.files[0].stem}"
    return source_item(typeface.package, item, typeface.files[0].read_bytes(), typeface.licence)


@lru_cache(maxsize=64)
def face(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """A font file at a size in pixels.

    Files of @fontsource are shaped by Raqm; those of PyPI are laid out letter by letter, with and without Raqm. Few are
    kept, as one of a Chinese font holds some 5 MB. Raises `UsageError` where Raqm, or the FriBiDi that it loads, isn't
    there.
    """
    if path.suffix != ".woff":
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    if not features.check("raqm"):
        raise UsageError("this script needs Pillow with Raqm and FriBiDi: apt-get install libfribidi0")
    return ImageFont.truetype(str(unpacked(path)), size, layout_engine=ImageFont.Layout.RAQM)


@cache
def characters(path: Path) -> frozenset[int]:
    """The code points that a font file has glyphs for. Raises `UsageError` where fontTools isn't installed."""
    try:
        from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
    except ImportError:
        raise UsageError("fonts of other scripts need fontTools: pip install fonttools") from None
    with TTFont(path, lazy=True) as font:
        return frozenset(font.getBestCmap())


@cache
def runs(typeface: Typeface, text: str) -> tuple[tuple[Path, str], ...]:
    """A text cut where the file that draws it changes, in the order of its characters.

    ASCII in a font of PyPI isn't looked up: all of them have it. Raises `UsageError` for a character that no file has.
    """
    if len(typeface.files) == 1 and typeface.files[0].suffix != ".woff" and text.isascii():
        return ((typeface.files[0], text),)
    found: list[tuple[Path, str]] = []
    for character in text:
        path = next((path for path in typeface.files if ord(character) in characters(path)), None)
        if path is None:
            raise UsageError(f"{typeface.family} has no glyph for {character!r} (U+{ord(character):04X})")
        if found and found[-1][0] == path:
            found[-1] = (path, found[-1][1] + character)
        else:
            found.append((path, character))
    return tuple(found)


def covers(typeface: Typeface, text: str) -> bool:
    """Whether a typeface has a glyph for every character of a text."""
    known = [characters(path) for path in typeface.files]
    return all(any(ord(character) in points for points in known) for character in text)
