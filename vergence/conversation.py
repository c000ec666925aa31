"""The one message schema: what data, chat, training, evaluation and serving call a dialogue.

A `Conversation` is a tuple of `Message`s, a message is a role and a tuple of parts, a part is text, an image or a
video. Media are held as whatever their origin gave (path, encoded bytes or, for an image, a decoded `PIL.Image`), and
are decoded only by `vergence.processing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from vergence.errors import DataError, UsageError

if TYPE_CHECKING:
    from PIL import Image

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """A run of plain text. Special tokens written in it stay plain text when it is tokenised."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """One image: a path, encoded bytes (PNG, JPEG, WebP, GIF or BMP) or an already decoded picture."""

    image: Path | bytes | Image.Image


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a video that somebody has chosen already: pictures of one size, and when each is shown in seconds.

    All of them are looked at. Benchmarks that fix their frames need this. Raises `UsageError` unless there is one time,
    ascending, for each of at least one picture.
    """

    images: tuple[Path | bytes | Image.Image, ...]
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the times."""
        if not self.images or len(self.images) != len(self.seconds):
            raise UsageError(f"frames: {len(self.images)} pictures with {len(self.seconds)} times")
        if list(self.seconds) != sorted(self.seconds) or not 0 <= self.seconds[0] <= self.seconds[-1] < float("inf"):
            raise UsageError(f"frames: the times {self.seconds} don't ascend from 0 on")


@dataclass(frozen=True, slots=True)
class VideoPart:
    """One video: a path or encoded bytes (MP4, WebM or GIF), or its chosen frames.

    `fps` asks for so many frames a second of a path or bytes.
    """

    video: Path | bytes | Frames
    fps: float | None = None

    def __post_init__(self) -> None:
        """Raises `UsageError` for a rate that is none."""
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise UsageError(f"fps: {self.fps!r} is not a number greater than 0")


MediaPart = ImagePart | VideoPart
Part = TextPart | ImagePart | VideoPart


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said. `loss` marks an assistant turn whose tokens a training step learns."""

    role: Role
    parts: tuple[Part, ...]
    loss: bool = True

    @property
    def text(self) -> str:
        """The message's text parts joined, without its media."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A whole dialogue, oldest message first."""

    messages: tuple[Message, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> list[Path | bytes | Image.Image]:
        """Every image of the dialogue, in reading order."""
        return [p.image for m in self.messages for p in m.parts if isinstance(p, ImagePart)]

    @property
    def media(self) -> list[MediaPart]:
        """Every image and video of the dialogue, in reading order."""
        return [p for m in self.messages for p in m.parts if not isinstance(p, TextPart)]


def user(*content: str | Path | bytes | Image.Image | Part) -> Message:
    """A user message from strings (text), paths, bytes or PIL pictures (images) and parts, in the order given."""
    return Message("user", tuple(_as_part(c) for c in content))


def _as_part(content: str | Path | bytes | Image.Image | Part) -> Part:
    if isinstance(content, TextPart | ImagePart | VideoPart):
        return content
    return TextPart(content) if isinstance(content, str) else ImagePart(content)


def assistant(text: str, *, loss: bool = True) -> Message:
    """An assistant message of plain text."""
    return Message("assistant", (TextPart(text),), loss)


def from_json(record: Any, *, folder: Path, where: str) -> Conversation:
    """Read `{"messages": [{"role", "content"}]}`, where content is a string or a list of typed parts.

    A part is `{"type": "text", "text": ...}`, `{"type": "image", "image": "path relative to folder"}` or
    `{"type": "video", "video": "path", "fps": 2}` (fps may be left out). Other keys of the record become metadata.
    Raises `DataError` that names `where` (file and line) and the offending key.
    """
    if not isinstance(record, dict) or not isinstance(record.get("messages"), list) or not record["messages"]:
        raise DataError(f'{where}: expected an object with a non-empty list "messages"')
    messages = tuple(
        _message(m, folder=folder, where=f"{where}: messages[{i}]") for i, m in enumerate(record["messages"])
    )
    return Conversation(messages, {k: v for k, v in record.items() if k != "messages"})


def _message(record: Any, *, folder: Path, where: str) -> Message:
    if not isinstance(record, dict):
        raise DataError(f"{where}: expected an object with role and content")
    role = record.get("role")
    if role not in get_args(Role):
        raise DataError(f"{where}.role: {role!r} is not one of {', '.join(get_args(Role))}")
    content = record.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise DataError(f"{where}.content: expected a string or a list of parts")
    parts = tuple(_part(p, folder=folder, where=f"{where}.content[{i}]") for i, p in enumerate(content))
    loss = record.get("loss", True)
    if not isinstance(loss, bool):
        raise DataError(f"{where}.loss: expected true or false")
    return Message(cast(Role, role), parts, loss)


def _part(record: Any, *, folder: Path, where: str) -> Part:
    kind = record.get("type") if isinstance(record, dict) else None
    if kind == "text" and isinstance(record.get("text"), str):
        return TextPart(record["text"])
    if kind in ("image", "video") and isinstance(record.get(kind), str):
        path = (folder / record[kind]).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise DataError(f"{where}.{kind}: {record[kind]!r} lies outside the data folder")
        return ImagePart(path) if kind == "image" else VideoPart(path, _fps(record.get("fps"), where=where))
    raise DataError(
        f'{where}: expected {{"type": "text", "text": ...}}, {{"type": "image", "image": "path"}} or '
        f'{{"type": "video", "video": "path"}}'
    )


def _fps(value: Any, *, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise DataError(f"{where}.fps: {value!r} is not a number greater than 0")
    return float(value)


def to_json(conversation: Conversation, media_names: Iterable[str]) -> dict[str, Any]:
    """The inverse of `from_json`; `media_names` are the relative paths of its images and videos, in order."""
    names = iter(media_names)
    messages = []
    for message in conversation.messages:
        content = [_part_json(part, names) for part in message.parts]
        messages.append({"role": message.role, "content": content, "loss": message.loss})
    return {"messages": messages, **conversation.metadata}


def _part_json(part: Part, names: Iterator[str]) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "image", "image": next(names)}
    return {"type": "video", "video": next(names)} | ({} if part.fps is None else {"fps": part.fps})
