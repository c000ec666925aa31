"""The figures of GIMP's manual with their captions."""

from __future__ import annotations

import re
from functools import cache
from html import unescape

from vergence.data.sources.items import Item
from vergence.data.sources.packages import package_folder

_FIGURE = re.compile(r'<div class="figure">(.*?)</div>\s*<br class="figure-break"', re.DOTALL)
_TITLE = re.compile(r'<p class="title">(.*?)</p>', re.DOTALL)
_IMAGE = re.compile(r'<img\b[^>]*?src="([^"]+)"')
_TAG = re.compile(r"<[^>]+>")
_NUMBER = re.compile(r"^Figure\s+[\w.]+?\.\s+")


@cache
def items() -> tuple[Item, ...]:
    """A figure's pictures, each once a page, with its title. Raises `UsageError` where the package isn't fetched."""
    root = package_folder("gimp-help") / "usr/share/gimp/2.0/help/en"
    found: dict[str, Item] = {}
    for page in sorted(root.glob("*.html")):
        for figure in _FIGURE.findall(page.read_text("utf-8", "replace")):
            title = _TITLE.search(figure)
            if title is None:
                continue
            caption = _NUMBER.sub("", " ".join(unescape(_TAG.sub("", title[1])).split()))
            for place in _IMAGE.findall(figure):
                path = root / place
                if path.is_file():
                    licence, name = "GFDL-1.2-or-later", f"{page.name}#{place}"
                    item = Item("gimp-help", name, {}, {"en": caption}, page.stem, licence, path.read_bytes)
                    found.setdefault(name, item)
    return tuple(found.values())
