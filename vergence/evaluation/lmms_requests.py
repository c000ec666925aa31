"""lmms-eval's messages, pictures and generation settings in our terms. Nothing of lmms-eval is imported."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from vergence.conversation import Conversation, ImagePart, MediaPart, Message, Part, TextPart, VideoPart
from vergence.errors import DataError
from vergence.evaluation.tasks.frames import cut
from vergence.inference.sampler import MIN_TEMPERATURE, Sampling

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
_LIMITS = ("max_new_tokens", "max_gen_toks", "max_tokens")
_NOT_MEANT = "\n\n"  # lmms-eval's own default for tasks that name no stop string


def sampling(settings: Mapping[str, Any], name: str = "") -> Sampling:
    """How to answer, from a task's `generation_kwargs`; what we don't know, such as beams, has no effect.

    An answer is greedy unless `do_sample` is true or, where it isn't named, the temperature is above 0. A blank line
    doesn't stop an answer: lmms-eval adds it to tasks that name no `until`, and it would cut thoughts. Sampled answers
    are seeded from `name`, which stands for the question and the repeat.
    """
    sample = settings.get("do_sample")
    temperature = settings.get("temperature")
    heat = (1.0 if sample else 0.0) if temperature is None else float(temperature)
    limit = next((int(settings[key]) for key in _LIMITS if settings.get(key)), None)
    until = settings.get("until") or ()
    stop = tuple(text for text in ([until] if isinstance(until, str) else until) if text and text != _NOT_MEANT)
    warm = sample is not False and heat >= MIN_TEMPERATURE
    options: dict[str, Any] = {} if limit is None else {"max_tokens": limit}
    if warm:
        options |= {"temperature": heat, "top_p": float(settings.get("top_p") or 1.0)}
        options["top_k"] = max(0, int(settings.get("top_k") or 0))
        options["seed"] = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
    return Sampling(stop=stop, **options)


def conversation(messages: Sequence[Mapping[str, Any]], frames: int) -> Conversation:
    """A chat task's messages. Raises `DataError` for content that isn't text, a picture or a video."""
    found = []
    for message in messages:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found.append(Message(message["role"], tuple(_part(part, frames) for part in parts)))
    return Conversation(tuple(found))


def simple_conversation(text: str, visuals: Sequence[Any] | None, frames: int) -> Conversation:
    """A simple task's question: its pictures and videos, then the text."""
    parts: list[Part] = [_media(visual, None, frames) for visual in _flat(visuals)]
    return Conversation((Message("user", (*parts, *([TextPart(text)] if text else []))),))


def _flat(visuals: Any) -> list[Any]:
    if visuals is None:
        return []
    found: list[Any] = []
    for visual in visuals if isinstance(visuals, list | tuple) else [visuals]:
        found += _flat(visual) if isinstance(visual, list | tuple) else [visual]
    return found


def _part(part: Mapping[str, Any], frames: int) -> Part:
    kind = part.get("type")
    if kind == "text":
        return TextPart(part["text"])
    if kind in ("image", "video"):
        source = part.get("url", part.get(kind))
        times = {key: part[key] for key in ("start_time", "end_time") if part.get(key) is not None}
        return _media({"url": source, **times} if times else source, kind, frames)
    raise DataError(f"a message holds {kind!r:.40}; only text, pictures and videos can be shown")


def _media(source: Any, kind: str | None, frames: int) -> MediaPart:
    """A picture or a video from what lmms-eval's tasks return: a picture, a path, a URL of data, or a dictionary."""
    if isinstance(source, Image.Image):
        return ImagePart(source)
    if isinstance(source, Mapping):
        place = next((source[key] for key in ("url", "path", "video", "image", "video_path") if source.get(key)), None)
        start, end = (_time(source, edge) for edge in ("start", "end"))
        if start is not None or end is not None:
            return cut(_file(place), "ends", frames, start=start, end=end)
        if place is not None and not isinstance(place, Mapping):
            return _media(place, source.get("type", kind), frames)
    if isinstance(source, str | Path):
        text = str(source)
        if kind is None:
            kind = "image" if text.startswith("data:image/") or text.lower().endswith(_PICTURES) else "video"
        return ImagePart(_file(text)) if kind == "image" else VideoPart(_file(text))
    raise DataError(f"a task shows a {type(source).__name__}, which is neither a picture nor a video")


def _time(source: Mapping[str, Any], edge: str) -> float | None:
    value = next((source[key] for key in (f"video_{edge}", f"{edge}_time") if source.get(key) is not None), None)
    return None if value is None else float(value)


def _file(place: Any) -> Path | bytes:
    """A path, or the content of a URL of data. Raises `DataError` for one that would have to be fetched."""
    text = str(place)
    if text.startswith("data:"):
        head, _, data = text.partition(",")
        try:
            return base64.b64decode(data, validate=True) if head.endswith(";base64") else data.encode()
        except binascii.Error:
            raise DataError("a task shows data in broken base64") from None
    if text.startswith(("http://", "https://")):
        raise DataError(f"{text:.200}: pictures and videos are not fetched; the task's files have to be local")
    return Path(text.removeprefix("file://"))
