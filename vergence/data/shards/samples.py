"""A sample of a shard: members with one key, in WebDataset's naming, and the conversation that they make.

Ours are `KEY.json`, the record of `vergence.conversation.from_json` whose images and videos are named by their members,
then `KEY.0.png`, `KEY.1.mp4` and so on in reading order. What `tar x` unpacks is therefore readable as it is.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from vergence.conversation import Conversation, Frames, ImagePart, Message, Part, TextPart, VideoPart, to_json, user
from vergence.conversation import assistant as said
from vergence.data.shards.inline import inline_bytes, is_inline
from vergence.data.shards.messages import RowError, as_messages
from vergence.errors import DataError, UsageError
from vergence.processing import image_headers
from vergence.processing.media import MediaLimits, decode_image, encoded_file
from vergence.processing.video_headers import EXPECTED, container_of

PICTURES = ("png", "jpg", "jpeg", "webp", "gif", "bmp")
VIDEOS = ("mp4", "mov", "webm", "mkv", "avi")
_EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "BMP": "bmp"}
_CONTAINERS = {"mov": "mp4", "matroska": "mkv", "gif": "gif", "avi": "avi"}

Members = Mapping[str, bytes]
"""Member name -> content, in the order of the tar."""


def members_of(conversation: Conversation, key: str, *, where: str, max_bytes: int) -> dict[str, bytes]:
    """The members that hold a conversation; its pictures are decoded once, so that a shard holds none that is broken.

    Raises `RowError` for media that can't be read, are broken or larger than `max_bytes`, and for frames of a video
    that were chosen already, which no file holds.
    """
    media: dict[str, bytes] = {}
    for number, part in enumerate(conversation.media):
        data, extension = encoded(part, where=where, max_bytes=max_bytes)
        media[f"{key}.{number}.{extension}"] = data
    try:
        record = json.dumps(to_json(conversation, media), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:  # half of a surrogate pair is a ValueError, too
        raise RowError("text", f"{where}: can't be written as JSON ({error})") from None
    return {f"{key}.json": record + b"\n", **media}


def encoded(part: ImagePart | VideoPart, *, where: str, max_bytes: int) -> tuple[bytes, str]:
    """The bytes of an image or video and the extension that they call for. Raises `RowError` that names both."""
    source = part.image if isinstance(part, ImagePart) else part.video
    kind = "picture" if isinstance(part, ImagePart) else "video"
    if isinstance(source, Frames):
        raise RowError("frames", f"{where}: frames that were chosen already are no file of a video")
    if isinstance(source, Image.Image):
        return _png(source), "png"
    if isinstance(source, Path):
        limit = min(max_bytes, MediaLimits().max_bytes) if kind == "picture" else max_bytes
        try:
            with encoded_file(source, str(source), limit, kind) as file:
                data = file.read(limit)
        except DataError as error:
            raise RowError(f"unreadable {kind}", f"{where}: {error}") from None
    else:
        data = source
    name = f"{where}: {source}" if isinstance(source, Path) else where
    if kind == "video":
        container = container_of(data[:64])
        if container is None:
            raise RowError("broken video", f"{name}: not a video in a known container, expected {EXPECTED}")
        return data, _CONTAINERS[container]
    try:
        decode_image(data)
    except DataError as error:
        raise RowError("broken picture", f"{name}: {str(error).removeprefix('image bytes: ')}") from None
    header = image_headers.read(io.BytesIO(data))
    assert header, "decode_image takes only what this reads"
    return data, _EXTENSIONS[header.format]


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    decode_image(picture).save(file, "PNG")
    return file.getvalue()


def conversation_of(members: Members, *, where: str) -> Conversation:
    """The conversation that a sample's members make, its media as bytes.

    Reads our records, those of other forms (`vergence.data.shards.messages`) in `.json`, and pictures with a caption in
    `.txt` or in the JSON's `caption` or `text`. Raises `DataError` that names `where`.
    """
    suffixes = {name: name.rpartition("/")[2].partition(".")[2].lower() for name in members}
    media = {
        kind: [name for name, suffix in suffixes.items() if suffix.rpartition(".")[2] in known]
        for kind, known in (("image", PICTURES), ("video", VIDEOS))
    }
    by_suffix = {suffix: members[name] for name, suffix in suffixes.items()}
    record = parse_record(by_suffix["json"], where) if "json" in by_suffix else {}
    if isinstance(record, dict) and not {"messages", "conversations"} & record.keys():
        return _captioned(members, media, record, by_suffix.get("txt"), where)
    # Ours names its members. Others mark their files, whatever these were called before they were packed.
    known = as_messages(record, where=where, media=media)
    messages = tuple(
        _message(turn, members, f"{where}: messages[{number}]") for number, turn in enumerate(known.pop("messages"))
    )
    return Conversation(messages, known)


def _message(turn: dict[str, Any], members: Members, place: str) -> Message:
    if not isinstance(turn["loss"], bool):
        raise RowError("fields", f"{place}.loss: expected true or false")
    return Message(turn["role"], tuple(_part(part, members, place) for part in turn["content"]), turn["loss"])


def _part(part: dict[str, Any], members: Members, place: str) -> Part:
    kind = part["type"]
    if kind == "text":
        return TextPart(part["text"])
    data = inline_bytes(part[kind], kind, place) if is_inline(part[kind]) else members.get(part[kind])
    if data is None:
        raise RowError("fields", f"{place}: names {part[kind]!r:.80}, which the sample doesn't hold")
    if kind == "image":
        return ImagePart(data)
    try:
        return VideoPart(data, part.get("fps"))
    except (UsageError, TypeError):
        raise RowError("fields", f"{place}.fps: {part['fps']!r:.20} is not a number greater than 0") from None


def parse_record(data: bytes, where: str) -> Any:
    """The value of a JSON member. Raises `RowError` in one line."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RowError("JSON", f"{where}: the JSON is not UTF-8 text (byte {error.start + 1})") from None
    except json.JSONDecodeError as error:
        raise RowError("JSON", f"{where}: not JSON ({error.msg} at line {error.lineno}, {error.colno})") from None
    except (RecursionError, ValueError):
        raise RowError("JSON", f"{where}: JSON that is nested too deeply or holds an unreadable number") from None


def _captioned(
    members: Members, media: Mapping[str, list[str]], record: dict[str, Any], text: bytes | None, where: str
) -> Conversation:
    caption = record.get("caption", record.get("text"))
    if text is not None:
        try:
            caption = text.decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise RowError("text", f"{where}: the caption is not UTF-8 text (byte {error.start + 1})") from None
    parts: list[Part] = [ImagePart(members[name]) for name in media["image"]]
    parts += [VideoPart(members[name]) for name in media["video"]]
    if not parts or not isinstance(caption, str) or not caption:
        lacks = "picture or video" if not parts else "caption (.txt, or caption in .json)"
        raise RowError("fields", f"{where}: has no {lacks}; its members are {', '.join(members)!s:.200}")
    question: Message = user(*parts)
    return Conversation((question, said(caption)), record)
