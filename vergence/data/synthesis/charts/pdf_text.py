"""Words and lines of a PDF page with their boxes in the pixels of its rendering, read by PDFium."""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vergence.data.pictures import Box

if TYPE_CHECKING:
    from PIL import Image

SYMBOLS = re.compile(
    r"sy|symbol|math|cmex|cmmi|cmmib|cmb?sy|ms[ab]m|txmi|pxmi|wasy|stmary|ding|esint|rsfs|euf|eus|marvo|awesome|^$",
    re.I,
)
"""Names of fonts for symbols and formulas; a font without a name is a bitmap font, whose characters are unknown."""

BROKEN_HYPHEN = "\x02"
"""What PDFium gives for the hyphen of a word that is broken at the end of a line."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word: its text, the box of its ink in pixels, the size of its letters in points, and whether the text can be
    trusted: none of its letters is of a font whose characters are symbols (PDFium reads "⟨" of such a font as "h")."""

    text: str
    box: Box
    size: float
    plain: bool


@dataclass(frozen=True, slots=True)
class Line:
    """Words side by side, from left to right."""

    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def box(self) -> Box:
        return union([word.box for word in self.words])

    @property
    def size(self) -> float:
        return max(word.size for word in self.words)


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page: its picture, its lines in the order in which the file has them."""

    image: Image.Image
    lines: tuple[Line, ...]

    @property
    def words(self) -> list[Word]:
        return [word for line in self.lines for word in line.words]


def union(boxes: Sequence[Box]) -> Box:
    """The least box around boxes."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return (min(lefts), min(tops), max(rights), max(bottoms))


def read_page(page: Any, scale: float) -> Page | None:
    """A page of `pypdfium2` at `scale` pixels a point; None for one that is turned, cropped or without text."""
    height = page.get_height()
    if page.get_rotation() or tuple(page.get_mediabox()) != tuple(page.get_cropbox()):
        return None
    if abs(page.get_mediabox()[0]) > 0.01 or abs(page.get_mediabox()[1]) > 0.01:
        return None
    text = page.get_textpage()
    try:
        lines = tuple(_lines(_unaccented(list(_words(text, height, scale)))))
    finally:
        text.close()
    if not lines:
        return None
    image = page.render(scale=scale).to_pil().convert("RGB")
    if _grey(image):
        image = image.convert("L")
    return Page(image, lines)


def _grey(image: Image.Image) -> bool:
    """Whether red, green and blue are the same everywhere."""
    red, green, blue = (channel.tobytes() for channel in image.split())
    return red == green == blue


def _words(text: Any, height: float, scale: float) -> Iterator[Word]:
    """The words of a page in the file's order: runs of characters between blanks and breaks."""
    from pypdfium2 import raw

    letters: list[str] = []
    boxes: list[Box] = []
    size, plain = 0.0, True
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    count = text.count_chars()
    for index in range(count + 1):
        code = raw.FPDFText_GetUnicode(text, index) if index < count else 32
        letter = chr(code) if code < 0x110000 else "\ufffd"
        if not letter.isspace() and code:
            letters.append("-" if letter == BROKEN_HYPHEN else letter)
            raw.FPDFText_GetCharBox(text, index, left, right, bottom, top)
            if right.value > left.value and top.value > bottom.value:
                low, high = height - bottom.value, height - top.value
                boxes.append((left.value * scale, high * scale, right.value * scale, low * scale))
            size = max(size, raw.FPDFText_GetFontSize(text, index))
            plain = plain and not SYMBOLS.search(_font(text, index))
            if letter != BROKEN_HYPHEN:  # there no break follows, but the rest of the word is on the next line
                continue
        if boxes:
            yield Word(_joined(letters), union(boxes), size, plain)
        letters, boxes, size, plain = [], [], 0.0, True


def _joined(letters: list[str]) -> str:
    """The text of PDFium's characters, which are units of UTF-16, with ligatures as single letters."""
    units = "".join(letters).encode("utf-16-le", "surrogatepass")
    return unicodedata.normalize("NFKC", units.decode("utf-16-le", "replace"))


def _unaccented(words: list[Word]) -> Iterator[Word]:
    """The words without accents that stand by themselves, as those of old TeX fonts do; the words under them aren't
    plain, because a letter of theirs lacks its accent."""
    accents = [w.box for w in words if all(unicodedata.category(letter) in ("Mn", "Sk", "Zs") for letter in w.text)]
    for word in words:
        left, top, right, bottom = word.box
        reach = top - 0.7 * (bottom - top)
        if word.box in accents:
            continue
        under = any(
            left - 1 < (a[0] + a[2]) / 2 < right + 1 and reach < (a[1] + a[3]) / 2 < bottom + 0.3 * (bottom - top)
            for a in accents
        )
        yield replace(word, plain=False) if under else word


def _font(text: Any, index: int) -> str:
    """The name of a character's font, without the letters that mark a subset."""
    from pypdfium2 import raw

    name = ctypes.create_string_buffer(100)
    raw.FPDFText_GetFontInfo(text, index, name, 100, None)
    return name.value.decode("latin-1").rpartition("+")[2]


def _lines(words: Iterator[Word]) -> Iterator[Line]:
    """Words that follow one another to the right at one height."""
    line: list[Word] = []
    for word in words:
        if line and not _beside(line[-1], word):
            yield Line(tuple(line))
            line = []
        line.append(word)
    if line:
        yield Line(tuple(line))


def _beside(first: Word, second: Word) -> bool:
    """Whether a word goes on with the line of another: to its right, not far, and with half its height shared."""
    (_, top, right, bottom), (left, above, _, below) = first.box, second.box
    shared = min(bottom, below) - max(top, above)
    least = min(bottom - top, below - above)
    return left > right - 1 and left - right < 3 * max(bottom - top, below - above) + 4 and shared > 0.4 * least
