"""The fonts of the font packages on PyPI, with their upright and readable styles only.

A font family lies on one side of the split with all its weights. Every package must be there: if a missing one were
left out silently, the same recipe would draw other pictures on another machine.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import ImageFont

from vergence.data.pictures import Split
from vergence.errors import UsageError

FAMILIES: dict[str, tuple[str, Split]] = {
    "caladea": ("font_caladea", "train"),
    "fredoka one": ("font_fredoka_one", "train"),
    "hanken grotesk": ("font_hanken_grotesk", "train"),
    "intuitive": ("font_intuitive", "train"),
    "lato": ("font_lato", "train"),
    "manrope": ("font_manrope", "train"),
    "red hat display": ("font_rhd", "train"),
    "roboto": ("font_roboto", "train"),
    "source serif pro": ("font_source_serif_pro", "train"),
    "fjalla one": ("font_fjallaone", "heldout"),
    "open sans": ("ttf_opensans", "heldout"),
    "source sans pro": ("font_source_sans_pro", "heldout"),
}
"""Family -> (module of its package, split). By hand, not by hash, so that both sides have plain and odd designs."""

UNREADABLE = ("Italic", "It.", "Thin", "ExtraLight", "Variable")


class Font(NamedTuple):
    """One style of a family."""

    family: str
    path: Path

    @property
    def item(self) -> str:
        return f"font:{self.family}"


@lru_cache(maxsize=2)
def fonts(split: Split) -> tuple[tuple[Font, ...], ...]:
    """The fonts of a split, one tuple per family (draw a family first, so that none counts for its many weights)."""
    return tuple(_styles(family, module) for family, (module, side) in FAMILIES.items() if side == split)


def _styles(family: str, module: str) -> tuple[Font, ...]:
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"printed text needs the font package {module}: pip install 'vergence[demo]'")
    root = Path(spec.submodule_search_locations[0])
    files: dict[str, Path] = {}
    for path in sorted(root.rglob("*.[ot]tf")):  # of an .otf and a .ttf of one style, the second, .ttf, stays
        if not any(word in path.name for word in UNREADABLE):
            files[path.stem] = path
    if not files:
        raise UsageError(f"the font package {module} holds no readable font: pip install --force-reinstall it")
    return tuple(Font(family, path) for path in files.values())


@cache
def face(font: Font, size: int) -> ImageFont.FreeTypeFont:
    """The font loaded at a size in pixels; plain left-to-right layout, which is the same with and without raqm."""
    return ImageFont.truetype(str(font.path), size, layout_engine=ImageFont.Layout.BASIC)
