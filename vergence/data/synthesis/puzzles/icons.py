"""Icons of things that everybody names alike: Material Design Icons (Apache-2.0) as masks that take any colour."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from vergence.data.generator import SourceItem, source_item
from vergence.data.pictures import Split, split_of
from vergence.data.sources.packages import package_folder
from vergence.processing.media import decode_image

PACKAGE = "mdi"
LICENCE = "Apache-2.0"

LIST = Path(__file__).with_suffix(".txt")


class Icon(NamedTuple):
    """A thing with its names and its icon."""

    english: str
    file: str
    chinese: str

    def name(self, language: str) -> str:
        """In "en" or "zh"."""
        return self.chinese if language == "zh" else self.english


@cache
def icons(split: Split) -> tuple[Icon, ...]:
    """The icons on one side of the split."""
    found = []
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        english, file, chinese = line.split()
        if split_of(f"icon:{file}") == split:
            found.append(Icon(english.replace("_", " "), file, chinese))
    return tuple(found)


@cache
def icon_item(icon: Icon) -> SourceItem:
    """The record of an icon."""
    return source_item(PACKAGE, icon.file, _svg(icon.file).encode(), LICENCE)


@cache
def _svg(file: str) -> str:
    return (package_folder(PACKAGE) / "package" / "svg" / f"{file}.svg").read_text(encoding="utf-8")


@cache
def _large(file: str) -> Image.Image:
    from resvg_py import svg_to_bytes

    white = _svg(file).replace("<path ", '<path fill="#fff" ')
    return decode_image(svg_to_bytes(svg_string=white, width=192, height=192, background="#000")).convert("L")


@lru_cache(maxsize=4096)
def mask(icon: Icon, size: int, *, flipped: bool = False) -> Image.Image:
    """How much of each pixel the icon covers, 0..255, cut to its outline, its longer side `size` pixels."""
    large = _large(icon.file)
    box = large.getbbox()
    assert box, "an icon shows something"
    cut = large.crop(box)
    scale = size / max(cut.size)
    cut = cut.resize((max(1, round(cut.width * scale)), max(1, round(cut.height * scale))), Image.Resampling.BOX)
    # What is all but invisible doesn't count, so that the outline is where a person sees it.
    cut = cut.point([0 if value < 24 else value for value in range(256)])
    outline = cut.getbbox()
    assert outline, "an icon shows something at any size"
    cut = cut.crop(outline)
    return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flipped else cut


@cache
def lopsided(icon: Icon) -> bool:
    """Whether the icon looks clearly different in a mirror."""
    plain, other = mask(icon, 48), mask(icon, 48, flipped=True)
    differing = sum(abs(a - b) > 96 for a, b in zip(plain.tobytes(), other.tobytes(), strict=True))
    return differing > 0.1 * plain.width * plain.height
