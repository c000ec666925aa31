"""The pictures of KStars' handbook with the descriptions that stand in for them, in eight languages."""

from __future__ import annotations

import re
from functools import cache
from html import unescape

from vergence.data.sources.items import Item
from vergence.data.sources.packages import package_folder

_MEDIA = re.compile(r"<mediaobject>(.*?)</mediaobject>", re.DOTALL)
_FILE = re.compile(r'fileref="([^"]+)"')
_TEXT = re.compile(r"<textobject>(.*?)</textobject>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


@cache
def items() -> tuple[Item, ...]:
    """Pictures with a description; a translation's own screenshots are items too. Raises `UsageError`."""
    root = package_folder("kstars") / "usr/share/doc/HTML"
    found: dict[str, Item] = {}
    for page in sorted(root.glob("*/kstars/*.docbook")):
        language = page.parts[-3]
        for media in _MEDIA.findall(page.read_text("utf-8", "replace")):
            file, text = _FILE.search(media), _TEXT.search(media)
            path = page.parent / file[1] if file else page.parent
            if text is None or not path.is_file():
                continue
            caption = " ".join(unescape(_TAG.sub("", text[1])).split())
            name = path.relative_to(root).as_posix()
            if caption:
                item = Item(
                    "kstars", name, {}, {language: caption}, page.stem, "GPL-2.0-or-later, GFDL", path.read_bytes
                )
                found.setdefault(name, item)
    return tuple(found.values())
