"""Other projects' conversations turned into ours: LLaVA's and ShareGPT's turns, ChatML's and OpenAI's messages.

```
{"image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\\nWhat is it?"}, ...]}   LLaVA, ShareGPT
{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.jpg"}}, ...]}, ...]}
        │
        ▼  the record that `vergence.conversation.from_json` reads
{"messages": [{"role": "user", "content": [{"type": "image", "image": "a.jpg"}, ...]}, ...]}
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from vergence.errors import DataError

_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_MARK = re.compile(r"(<image>|<video>)")
_KEYS = {"image": ("image", "images"), "video": ("video", "videos")}


class RowError(DataError):
    """A row that can't be used. `reason` is the short name under which such rows are counted."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def as_messages(record: Any, *, where: str, media: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """A record of any of the known forms as `{"messages": ...}` with its other keys; ours comes back unchanged.

    `media` are the names of the images and videos that `<image>` and `<video>` stand for; where it is None they are
    the record's own (`image`, `images`, `video`, `videos`). Marks count in LLaVA's form, and in messages whose content
    is a plain text or a part without its file; a typed text is text. Raises `RowError` that names `where` and the key.
    """
    if not isinstance(record, dict):
        raise RowError("fields", f"{where}: expected an object")
    form = "messages" if "messages" in record or "conversations" not in record else "conversations"
    turns = record.get(form)
    if not isinstance(turns, list) or not turns:
        raise RowError("fields", f'{where}: expected a non-empty list "messages" or "conversations"')
    marked = form == "conversations" or _marked(turns)
    names = _Names(record if marked else {}, media if marked else {}, where)
    messages = []
    for number, turn in enumerate(turns):
        place = f"{where}: {form}[{number}]"
        if not isinstance(turn, dict):
            raise RowError("fields", f"{place}: expected an object")
        messages.append(_from_value(turn, names, place) if form == "conversations" else _message(turn, names, place))
    names.check(where)
    used = {form, *(key for keys in _KEYS.values() for key in keys if marked)}
    return {"messages": messages, **{key: value for key, value in record.items() if key not in used}}


def _marked(turns: Sequence[Any]) -> bool:
    """Whether messages can refer to files that are listed apart from them; ours, whose parts name theirs, can't."""
    contents = [turn.get("content") for turn in turns if isinstance(turn, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(isinstance(content, str) for content in contents) or any(
        isinstance(part, dict) and part.get("type") in _KEYS and part.keys() <= {"type"} for part in parts
    )


class _Names:
    """The media that a record lists apart from its text, each taken by one mark."""

    def __init__(self, record: dict[str, Any], media: Mapping[str, Sequence[str]] | None, where: str) -> None:
        if media is None:
            media = {kind: list(_listed(record, keys, where)) for kind, keys in _KEYS.items()}
        self.lists = {kind: list(media.get(kind, ())) for kind in _KEYS}
        self.taken = dict.fromkeys(_KEYS, 0)
        # LLaVA's data of videos marks them <image>, too.
        self.only_videos = bool(self.lists["video"]) and not self.lists["image"]

    def __bool__(self) -> bool:
        return any(self.lists.values())

    def take(self, kind: str) -> dict[str, Any]:
        """The part for the next mark of a kind; `check` finds out if there were too many."""
        if kind == "image" and self.only_videos:
            kind = "video"
        number = self.taken[kind]
        self.taken[kind] += 1
        return {"type": kind, kind: self.lists[kind][number] if number < len(self.lists[kind]) else ""}

    def check(self, where: str) -> None:
        """Raises `RowError` unless every mark had its file and every file its mark."""
        for kind, names in self.lists.items():
            if self.taken[kind] != len(names):
                message = f"{where}: {self.taken[kind]} marks <{kind}> in the text, but {len(names)} {kind} files"
                raise RowError("marks", message)


def _listed(record: dict[str, Any], keys: Sequence[str], where: str) -> Iterator[str]:
    for key in keys:
        value = record.get(key)
        for name in value if isinstance(value, list) else [] if value is None else [value]:
            if not isinstance(name, str):
                raise RowError("fields", f"{where}: {key}: expected a path or a list of paths")
            yield local_path(name, f"{where}: {key}")


def _role(name: Any, key: str, place: str) -> str:
    if not isinstance(name, str) or name not in _ROLES:
        raise RowError("role", f"{place}.{key}: {name!r:.60} is not one of {', '.join(_ROLES)}")
    return _ROLES[name]


def _from_value(turn: dict[str, Any], names: _Names, place: str) -> dict[str, Any]:
    if not isinstance(turn.get("value"), str):
        raise RowError("fields", f"{place}.value: expected a text")
    content = list(split_marks(turn["value"], names))
    return {"role": _role(turn.get("from"), "from", place), "content": content, "loss": turn.get("loss", True)}


def _message(turn: dict[str, Any], names: _Names, place: str) -> dict[str, Any]:
    content = turn.get("content")
    if isinstance(content, str):
        content = list(split_marks(content, names)) if names else [{"type": "text", "text": content}]
    elif isinstance(content, list):
        content = [_part(part, names, f"{place}.content[{i}]") for i, part in enumerate(content)]
    else:
        raise RowError("fields", f"{place}.content: expected a text or a list of parts")
    # OpenAI's fine-tuning files say `weight: 0` of a message that isn't learned.
    loss = turn.get("loss", turn.get("weight", 1) != 0)
    return {"role": _role(turn.get("role"), "role", place), "content": content, "loss": loss}


def _part(part: Any, names: _Names, place: str) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "input_text") and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    for medium in _KEYS:
        if kind not in (medium, f"{medium}_url", f"input_{medium}"):
            continue
        value = part.get(medium, part.get(f"{medium}_url"))
        if value is None:  # transformers' form: the files stand in a list of their own
            return names.take(medium)
        if isinstance(value, dict):
            value = value.get("url")
        if isinstance(value, str):
            fps = {"fps": part["fps"]} if "fps" in part else {}
            return {"type": medium, medium: local_path(value, f"{place}.{medium}"), **fps}
    raise RowError("fields", f"{place}: expected a part of type text, image, image_url or video with its content")


def local_path(name: str, place: str) -> str:
    """A path or a `data:` address as it is, or the path of a `file://` address. Raises `RowError` for any other."""
    if name.startswith("file://"):
        return unquote(name.removeprefix("file://"))
    if re.match(r"\w+://", name):
        raise RowError("not a local file", f"{place}: {name[:60]!r} is not the path of a local file")
    return name


def split_marks(text: str, names: _Names) -> Iterator[dict[str, Any]]:
    """The parts of a text with marks. One line break behind a mark, or before one that ends the text, belongs to it."""
    pieces = _MARK.split(text)
    for number, piece in enumerate(pieces):
        if number % 2:
            yield names.take(piece[1:-1])
            continue
        if number:
            piece = piece.removeprefix("\n")
        if number + 2 == len(pieces) - 1 and not pieces[-1]:
            piece = piece.removesuffix("\n")
        if piece:
            yield {"type": "text", "text": piece}


def as_llava(messages: Sequence[Mapping[str, Any]], *, where: str) -> dict[str, Any]:
    """The keys `conversations`, `image` and `video` of LLaVA's form for messages in ours; `as_messages` reads it back.

    One picture is a path, several are a list. A turn says `loss` only where it is false; other tools don't know it.
    Raises `RowError` for a text that holds a mark, since it would be read as a picture.
    """
    files: dict[str, list[str]] = {kind: [] for kind in _KEYS}
    turns = []
    for message in messages:
        value = ""
        for part in message["content"]:
            if part["type"] == "text":
                value += part["text"]
            else:
                value += f"<{part['type']}>\n"
                files[part["type"]].append(part[part["type"]])
        if len(_MARK.findall(value)) != sum(part["type"] != "text" for part in message["content"]):
            raise RowError("marks", f"{where}: a text holds <image> or <video>, which LLaVA's form reserves")
        speaker = {"user": "human", "assistant": "gpt"}.get(message["role"], message["role"])
        turns.append({"from": speaker, "value": value} | ({} if message["loss"] else {"loss": False}))
    named = {kind: names[0] if len(names) == 1 else names for kind, names in files.items() if names}
    return {**named, "conversations": turns}
