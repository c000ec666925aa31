"""Tux Paint's stamps: cut-outs with a sentence in 77 languages."""

from __future__ import annotations

import re
from functools import cache

from vergence.data.sources.items import Item
from vergence.data.sources.packages import package_folder

_LINE = re.compile(r"^([A-Za-z_@]+)\.utf8=(.+)$")
_ARTICLE = re.compile(r"^(?:a|an|the) ", re.IGNORECASE)


@cache
def items() -> tuple[Item, ...]:
    """Every stamp that has a picture and an English sentence. Raises `UsageError` where the package isn't fetched."""
    root = package_folder("tuxpaint-stamps") / "usr/share/tuxpaint/stamps"
    found = []
    for text in sorted(root.rglob("*.txt")):
        picture = next((p for p in (text.with_suffix(".png"), text.with_suffix(".svg")) if p.exists()), None)
        lines = text.read_text("utf-8", "replace").splitlines()
        if picture is None or not lines or not lines[0].strip():
            continue
        captions = {"en": lines[0].strip()}
        captions |= {m[1].replace("zh_CN", "zh"): m[2].strip() for m in map(_LINE.match, lines[1:]) if m}
        names: dict[str, str] = {tag: name_of(captions[tag]) for tag in ("en", "zh") if tag in captions}
        place = text.relative_to(root)
        group = "/".join(place.parts[:2])
        found.append(
            Item(
                "tuxpaint-stamps", str(picture.relative_to(root)), names, captions, group, "GPL-2.0", picture.read_bytes
            )
        )
    return tuple(found)


def name_of(sentence: str) -> str:
    """ "A zebra." as "zebra"; "一匹斑马。" keeps its classifier."""
    bare = _ARTICLE.sub("", sentence.strip().rstrip(".。"))
    return bare[:1].lower() + bare[1:] if _ARTICLE.match(sentence) else bare
