"""Open Clip Art: drawings of the public domain with titles, keywords and descriptions as people left them."""

from __future__ import annotations

import re
from functools import cache
from html import unescape

from vergence.data.sources.items import Item
from vergence.data.sources.packages import package_folder

_WORK = re.compile(r"<(?:cc:)?Work\b.*?</(?:cc:)?Work>", re.DOTALL)
_TITLE = re.compile(r"<dc:title>([^<]+)</dc:title>")
_DESCRIPTION = re.compile(r"<dc:description>([^<]+)</dc:description>")
_KEYWORD = re.compile(r"<rdf:li>([^<]+)</rdf:li>")
_NESTED = re.compile(r"<dc:(publisher|creator|rights|contributor)\b.*?</dc:\1>", re.DOTALL)


@cache
def items() -> tuple[Item, ...]:
    """Drawings with a title and keywords; the description is their caption. Raises `UsageError` if not fetched."""
    root = package_folder("openclipart") / "usr/share/openclipart/svg"
    found = []
    for path in sorted(root.rglob("*.svg")):
        work = _WORK.search(path.read_text("utf-8", "replace"))
        if work is None:
            continue
        body = _NESTED.sub("", work[0])
        title, description = _TITLE.search(body), _DESCRIPTION.search(body)
        if title is None or not title[1].strip() or not _KEYWORD.search(body):
            continue
        captions = {"en": _plain(description[1])} if description and description[1].strip() else {}
        place = path.relative_to(root)
        names = {"en": _plain(title[1])}
        found.append(Item("openclipart", str(place), names, captions, str(place.parent), "CC0-1.0", path.read_bytes))
    return tuple(found)


def _plain(text: str) -> str:
    return " ".join(unescape(text).split())
