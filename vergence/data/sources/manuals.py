"""Pages of real manuals as blocks in reading order: headings, paragraphs, list items, code, pictures with captions.

```
HTML or DocBook ─▶ main body (no navigation, footers, contents lists) ─▶ blocks in the order of the document
                ─▶ lines that many pages repeat and small decorations go ─▶ Page
```

The steps are those of OBELICS and OmniCorpus on a small scale. Pages of one manual in several languages have one name,
so that they lie on one side of a split; a picture that several pages show belongs to the first of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from html.entities import html5
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal, NamedTuple

from vergence.data.pictures import Split, split_of
from vergence.data.sources.packages import package_folder
from vergence.errors import DataError
from vergence.processing.media import image_size

Sort = Literal["heading", "paragraph", "item", "code", "image"]

SMALLEST = 48
"""Pixels of a picture's shorter side below which it is an ornament in a line of text."""
SAMPLED = 80
"""How many pages of a manual are looked at for lines that are repeated."""
REPEATED = 4


class Manual(NamedTuple):
    """A manual: its folder in its package with one folder for each language, and its licence for samples."""

    package: str
    folder: str
    licence: str
    languages: Mapping[str, str]
    suffix: str = ".html"


MANUALS: Mapping[str, Manual] = {
    "gimp-help": Manual(
        "gimp-help", "usr/share/gimp/2.0/help", "GFDL-1.2-or-later", {"en": "en"}
    ),
    "debian-handbook": Manual(
        "debian-handbook",
        "usr/share/doc/debian-handbook/html",
        "GPL-2.0-or-later OR CC-BY-SA-3.0",
        {
            "en": "en-US", "de": "de-DE", "fr": "fr-FR", "es": "es-ES", "it": "it-IT", "pt": "pt-BR", "nl": "nl-NL",
            "nb": "nb-NO", "ru": "ru-RU", "ja": "ja-JP", "zh": "zh-CN", "ar": "ar-MA",
        },
    ),
    "kstars": Manual("kstars", "usr/share/doc/HTML", "GPL-2.0-or-later, GFDL", {"en": "en/kstars"}, ".docbook"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page: its text, or for a picture its caption (may be empty) and its file; `aside` in a box of its
    own, a remark that the text around it doesn't need."""

    sort: Sort
    text: str
    file: Path | None = None
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a manual in a language; `name` is the same in all languages."""

    manual: str
    name: str
    language: str
    path: Path
    blocks: tuple[Block, ...]

    @property
    def images(self) -> list[Block]:
        """The pictures in their order."""
        return [block for block in self.blocks if block.sort == "image"]


HEADINGS = {f"h{level}" for level in range(1, 7)}
SKIPPED_TAGS = {"script", "style", "head", "nav", "footer", "indexterm", "sect1info", "prolog", "remark"}
SKIPPED_CLASSES = {
    "navheader", "navfooter", "toc", "indexterm", "reportbug", "docnav", "footnotes", "revhistory", "legalnotice",
    "authorgroup", "producttitle", "footnote", "list-of-figures", "list-of-tables",
}  # fmt: skip
BREAKING = {
    "p", "div", "li", "dt", "dd", "td", "th", "table", "tr", "ul", "ol", "dl", "pre", "blockquote", "body", "section",
    "para", "listitem", "sect1", "sect2", "sect3", "screen", "title", "itemizedlist", "orderedlist", "screeninfo",
    "mediaobject", "figure", "screenshot", "term", "varlistentry", "variablelist", "note", "tip", "informalfigure",
    "chapter", "entry", "row", "programlisting", "caption", "textobject", "imageobject", *HEADINGS,
}  # fmt: skip
ITEMS = {"li", "dt", "dd", "listitem", "term"}
CODE = {"pre", "screen", "programlisting"}
ASIDES = frozenset({"sidebar", "note", "tip", "warning", "important", "caution"})
VOID = {"br", "hr", "img", "meta", "link", "input", "col", "imagedata", "xref", "anchor"}
ENTITIES = re.compile(r"&([A-Za-z][\w.-]*);")


class _Words(NamedTuple):
    """What is said of a picture: above it the title of its figure, below it its caption."""

    text: str
    above: bool


class _Reader(HTMLParser):
    """Collects blocks: text runs until an element begins or ends that breaks the line."""

    def __init__(self, folder: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.folder = folder
        self.blocks: list[Block | _Words] = []
        self.stack: list[tuple[str, frozenset[str]]] = []
        self.skipping = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = frozenset(given.get("class", "").split())
        if tag not in VOID:
            if self.skipping or tag in SKIPPED_TAGS or not SKIPPED_CLASSES.isdisjoint(classes):
                self.skipping += 1
                self.stack.append((tag, classes))
                return
            if tag in BREAKING:
                self._end_block()
            self.stack.append((tag, classes))
        elif not self.skipping:
            self._void(tag, given)

    def _void(self, tag: str, given: Mapping[str, str]) -> None:
        if tag == "br":
            self.text.append("\n" if self._within(CODE) else " ")
        source = given.get("src") or given.get("fileref", "")
        if tag in ("img", "imagedata") and source:
            file = (self.folder / source).resolve()
            if _is_figure(file):
                self._end_block()
                self.blocks.append(Block("image", " ".join(given.get("alt", "").split()), file))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or not any(name == tag for name, _ in self.stack):
            return
        if tag in BREAKING and not self.skipping:
            self._end_block()
        while self.stack:
            name, _ = self.stack.pop()
            self.skipping = max(0, self.skipping - 1)
            if name == tag:
                return

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.text.append(data)

    def _within(self, tags: set[str]) -> bool:
        return any(name in tags for name, _ in self.stack)

    def _end_block(self) -> None:
        raw, self.text = "".join(self.text), []
        code = self._within(CODE)
        text = raw.strip("\n").rstrip() if code else " ".join(raw.split())
        if not text.strip():
            return
        classes = {each for _, found in self.stack for each in found}
        aside = not ASIDES.isdisjoint(classes) or self._within(set(ASIDES))
        figure = bool(classes & {"figure", "informalfigure", "mediaobject"}) or self._within(
            {"screenshot", "mediaobject", "figure", "informalfigure"}
        )
        if figure and not code:
            below = "caption" in classes or self._within({"textobject", "caption"})
            self.blocks.append(_Words(text, above=not below))
        elif (
            self._within(HEADINGS)
            or (self.stack and self.stack[-1][0] == "title")
            or "title" in (self.stack[-1][1] if self.stack else ())
        ):
            self.blocks.append(Block("heading", text, aside=aside))
        else:
            sort: Sort = "code" if code else "item" if self._within(ITEMS) else "paragraph"
            self.blocks.append(Block(sort, text, aside=aside))


def _is_figure(file: Path) -> bool:
    if file.suffix not in (".png", ".jpg", ".jpeg", ".gif") or not file.is_file():
        return False
    try:
        return min(image_size(file)) >= SMALLEST
    except DataError:
        return False


_NUMBER = re.compile(r"^(?:Figure|Abbildung|Figura|Рисунок|图|図)\s*[\dA-Z][\d.]*[.:]?\s*")


def read_blocks(text: str, folder: Path) -> tuple[Block, ...]:
    """The blocks of an HTML or DocBook page whose pictures are named relative to `folder`."""
    reader = _Reader(folder)
    reader.feed(text)
    reader.close()
    reader._end_block()
    joined: list[Block] = []
    title, told = "", False
    for block in reader.blocks:
        if isinstance(block, _Words):
            text = _NUMBER.sub("", block.text)
            if block.above:
                title = text
            elif joined and joined[-1].sort == "image" and not told:
                # A caption says more of one picture than the title of its figure, or the text that stands for it.
                joined[-1], told = replace(joined[-1], text=text), True
        elif block.sort == "image":
            joined.append(replace(block, text=title or _caption(block.text)))
            title, told = "", False
        else:
            joined.append(block)
            title = ""
    return tuple(joined)


def _caption(text: str) -> str:
    return "" if text.startswith("[") or text.lower() in ("image", "screenshot", "figure", "png", "img") else text


@cache
def page_names(manual: str) -> tuple[str, ...]:
    """The names of a manual's pages, ordered."""
    entry = MANUALS[manual]
    folder = package_folder(entry.package) / entry.folder / entry.languages["en"]
    return tuple(sorted(path.stem for path in folder.glob(f"*{entry.suffix}") if path.stem not in ("index", "ix01")))


def pages_of(manual: str, split: Split) -> tuple[str, ...]:
    """Those of one side of the split."""
    return tuple(name for name in page_names(manual) if split_of(f"{manual}/{name}") == split)


@lru_cache(maxsize=256)
def read_page(manual: str, name: str, language: str) -> Page:
    """A page without what other pages repeat. Raises `DataError` where it isn't there in the language."""
    path = _path(manual, name, language)
    repeated = _repeated(manual, language)
    blocks = [block for block in _raw(path) if block.sort in ("image", "code") or block.text not in repeated]
    shown = _shown_on(manual)
    side = split_of(f"{manual}/{name}")
    kept = []
    for block in blocks:
        pages = shown.get(block.file.name, (name,)) if block.file else ()
        # A picture on many pages is an ornament; one on a few belongs to the side of the first.
        if not pages or (len(pages) < REPEATED and split_of(f"{manual}/{pages[0]}") == side):
            kept.append(block)
    return Page(manual, name, language, path, tuple(kept))


def _path(manual: str, name: str, language: str) -> Path:
    entry = MANUALS[manual]
    path = package_folder(entry.package) / entry.folder / entry.languages[language] / f"{name}{entry.suffix}"
    if not path.is_file():
        raise DataError(f"{manual}: has no page {name} in {language}")
    return path


def _raw(path: Path) -> tuple[Block, ...]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".docbook":
        # Entities of KDE's own are names of programs: &kstars; &Linux;
        text = ENTITIES.sub(lambda m: m[0] if f"{m[1]};" in html5 else m[1], text)
        text = re.sub(r"<(\w+)([^<>]*)/>", r"<\1\2></\1>", text)
        for name in ("imagedata", "xref", "anchor"):
            text = text.replace(f"</{name}>", "")
    return read_blocks(text, path.parent)


@cache
def _repeated(manual: str, language: str) -> frozenset[str]:
    """Texts that stand on several of a manual's pages."""
    names = page_names(manual)
    found: Counter[str] = Counter()
    for name in names[:: max(1, len(names) // SAMPLED)]:
        try:
            blocks = _raw(_path(manual, name, language))
        except DataError:
            continue
        found.update({block.text for block in blocks if block.sort not in ("image", "code")})
    return frozenset(text for text, count in found.items() if count >= REPEATED)


@cache
def _shown_on(manual: str) -> Mapping[str, tuple[str, ...]]:
    """File name of a picture -> the pages that show it, in their order."""
    shown: dict[str, list[str]] = {}
    for name in page_names(manual):
        text = _path(manual, name, "en").read_text(encoding="utf-8", errors="replace")
        for source in dict.fromkeys(re.findall(r'(?:src|fileref)="([^"]+)"', text)):
            shown.setdefault(Path(source).name, []).append(name)
    return {file: tuple(pages) for file, pages in shown.items()}


def as_text(blocks: Sequence[Block]) -> str:
    """Blocks as plain text with Markdown's marks; pictures are left out."""
    marks = {"heading": "## {}", "item": "- {}", "code": "```\n{}\n```", "paragraph": "{}"}
    return "\n\n".join(marks[block.sort].format(block.text) for block in blocks if block.sort != "image")
