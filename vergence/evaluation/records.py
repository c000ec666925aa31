"""One line of JSON for each answered sample: written once, read again after a stop, by reports and by comparisons."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from vergence.conversation import Frames, ImagePart, MediaPart, VideoPart
from vergence.errors import DataError
from vergence.evaluation.task import Answer, CandidateScore, Record, Sample, Verdict
from vergence.processing.media import decode_image

THUMBNAIL = 320  # longest side in pixels
THUMBNAIL_FRAMES = 4  # of a video's frames

UNSCORED = "can't be scored: "
"""How the error of an answer begins that is there, but that nothing can be made of."""

Key = tuple[str, int]
"""What a record is known by: the sample's id and the repeat."""


def to_json(record: Record, run: str, media: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The object of a record's line. `run` says which questions and model it belongs to, `media` what was shown."""
    sample, answer, verdict = record.sample, record.answer, record.verdict
    return {
        "run": run,
        "id": sample.id,
        "repeat": record.repeat,
        "question": sample.question,
        "media": list(media),
        "reference": sample.reference,
        "choices": list(sample.choices),
        "answer": answer.text,
        "thought": answer.thought,
        "finish_reason": answer.finish_reason,
        "error": answer.error,
        "image": None if answer.image is None else str(answer.image),
        "extracted": verdict.extracted if verdict else None,
        "valid": verdict.valid if verdict else None,
        "tie": verdict.tie if verdict else False,
        "scores": dict(verdict.scores) if verdict else {},
        "compat": dict(verdict.compat) if verdict else {},
        "candidates": [asdict(candidate) for candidate in answer.candidates],
        "tags": dict(sample.tags),
        "tokens": {
            "prompt": answer.prompt_tokens,
            "image": answer.image_tokens,
            "answer": answer.answer_tokens,
            "thought": answer.thought_tokens,
        },
    }


def from_json(line: Mapping[str, Any], sample: Sample) -> Record:
    """The record of a line about `sample`. Raises `KeyError` or `TypeError` for a line of another form."""
    verdict = None
    if line["error"] is None:
        verdict = Verdict(line["scores"], line["extracted"], line["valid"], line["compat"], line["tie"])
    candidates = tuple(
        CandidateScore(**{**candidate, "tokens": tuple(candidate["tokens"])}) for candidate in line["candidates"]
    )
    tokens = line["tokens"]
    answer = Answer(
        text=line["answer"],
        thought=line["thought"],
        candidates=candidates,
        finish_reason=line["finish_reason"],
        prompt_tokens=tokens["prompt"],
        image_tokens=tokens["image"],
        answer_tokens=tokens["answer"],
        thought_tokens=tokens["thought"],
        error=line["error"],
        image=None if line["image"] is None else Path(line["image"]),
    )
    return Record(sample, answer, verdict, line["repeat"])


def dump(line: Mapping[str, Any]) -> str:
    """A record's line, with its line break: ASCII, so that half of a surrogate pair, which a model may say, is kept.

    Numbers that JSON doesn't have (an infinity that was read from an answer) are written as text.
    """
    try:
        return json.dumps(line, separators=(",", ":"), allow_nan=False, default=_plain) + "\n"
    except ValueError:
        return json.dumps(_finite(line), separators=(",", ":"), allow_nan=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy and torch as JSON has them, anything else as text."""
    return _finite(value.tolist()) if hasattr(value, "tolist") else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file of records; a last line that a kill cut off is left out.

    Raises `DataError` for a broken line that others follow, with its number.
    """
    broken: int | None = None
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if broken is not None:
                raise DataError(f"{path}:{broken}: not a record of an evaluation")
            try:
                line = json.loads(raw) if raw.endswith(b"\n") else None
            except ValueError:
                line = None
            if isinstance(line, dict) and isinstance(line.get("id"), str) and isinstance(line.get("repeat"), int):
                yield line
            else:
                broken = number


def show_media(media: Sequence[MediaPart], folder: Path, name: str, *, keep: bool) -> list[dict[str, Any]]:
    """What a record says of its media, and with `keep` a small PNG of each picture below `folder`/media/`name`.

    A picture that can't be decoded is described without its size: the sample's own error says why.
    """
    shown: list[dict[str, Any]] = []
    for part in media:
        kind, pictures = ("image", [part.image]) if isinstance(part, ImagePart) else ("video", _frames(part))
        source = part.image if isinstance(part, ImagePart) else part.video
        path = str(source) if isinstance(source, Path) else None
        if not pictures:
            shown.append({"kind": kind, "path": path, "thumbnail": None, "width": None, "height": None})
        for picture in pictures:
            place = f"media/{name}-{len(shown)}.png" if keep else None
            size = _thumbnail(picture, folder / place) if place else None
            width, height = size or (None, None)
            path = str(picture) if isinstance(picture, Path) else path
            thumbnail = place if size else None
            shown.append({"kind": kind, "path": path, "thumbnail": thumbnail, "width": width, "height": height})
    return shown


def _frames(part: VideoPart) -> list[Path | bytes | Image.Image]:
    return list(part.video.images[:THUMBNAIL_FRAMES]) if isinstance(part.video, Frames) else []


def _thumbnail(picture: Path | bytes | Image.Image, path: Path) -> tuple[int, int] | None:
    try:
        image = decode_image(picture)
    except DataError:
        return None
    size = image.size
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    image.save(temporary, "PNG")
    temporary.replace(path)
    return size
