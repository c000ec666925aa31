"""Media that a record holds in itself: `data:image/png;base64,...` in place of a path, as OpenAI's messages may have.

Only base64 is read. What kind of picture or video it is, the bytes decide, as they do for a file. Source: RFC 2397.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from vergence.conversation import Conversation, ImagePart, Part, VideoPart, from_json
from vergence.data.shards.messages import RowError
from vergence.processing.media import MediaLimits


def is_inline(name: str) -> bool:
    """Whether a name is a `data:` address."""
    return name.startswith("data:")


def inline_bytes(address: str, kind: str, place: str) -> bytes:
    """What a `data:` address holds. Raises `RowError` for what isn't base64, and for a picture beyond the limit."""
    head, _, body = address.partition(",")
    if not head.endswith(";base64"):
        raise RowError("base64", f"{place}: {address[:40]!r}: expected data:{kind}/...;base64,...")
    size, limit = len(body) * 3 // 4, MediaLimits().max_bytes
    if kind == "image" and size > limit + 3:
        raise RowError("too large", f"{place}: a picture of some {size} bytes, more than the limit of {limit}")
    try:
        return base64.b64decode("".join(unquote(body).split()), validate=True)
    except ValueError as error:
        raise RowError("base64", f"{place}: {address[:40]!r}: not base64 ({error})") from None


def from_record(record: dict[str, Any], *, folder: Path, where: str) -> Conversation:
    """`vergence.conversation.from_json` of what `as_messages` gives, whose media may be `data:` addresses."""
    held: list[bytes | None] = []
    messages = []
    for number, message in enumerate(record["messages"]):
        content = []
        for place, part in enumerate(message["content"]):
            kind = part["type"]
            if kind != "text":
                inline = is_inline(part[kind])
                at = f"{where}: messages[{number}].content[{place}].{kind}"
                held.append(inline_bytes(part[kind], kind, at) if inline else None)
                part = {**part, kind: "inline"} if inline else part
            content.append(part)
        messages.append({**message, "content": content})
    conversation = from_json({**record, "messages": messages}, folder=folder, where=where)
    media = iter(held)
    filled = [replace(m, parts=tuple(_filled(part, media) for part in m.parts)) for m in conversation.messages]
    return replace(conversation, messages=tuple(filled))


def _filled(part: Part, media: Iterator[bytes | None]) -> Part:
    """A part with the bytes that its record held."""
    data = next(media) if isinstance(part, ImagePart | VideoPart) else None
    if data is None or not isinstance(part, ImagePart | VideoPart):
        return part
    return ImagePart(data) if isinstance(part, ImagePart) else VideoPart(data, part.fps)
