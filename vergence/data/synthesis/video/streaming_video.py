"""The kind `streaming-video`: a clip that comes second by second, narrated, asked about ahead of time, or commented."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from typing import Any, Literal

from PIL import Image
from pydantic import Field

from vergence.conversation import ImagePart, Message, Part, TextPart, assistant, user
from vergence.data.generator import Draft, GeneratorConfig, Region, SourceItem
from vergence.data.synthesis.video.ball_scenes import ball_clip
from vergence.data.synthesis.video.events import Clip, clause
from vergence.data.synthesis.video.grid_scenes import grid_clip
from vergence.data.synthesis.video.screen_scenes import screen_clip
from vergence.data.synthesis.video.streaming import Chunk, be_asked, chunks_of, comment, narrate
from vergence.processing.video import timestamp

VERSION = 2
PACKAGES = ()
FORMS = ("narration", "proactive", "commentary")
FPS = {"physics": 5.0, "grid": 4.0, "screen": 2.0}
"""Frames a second at which the events of a world can be seen."""
CAPABILITIES = {
    "narration": "video/streaming captions",
    "proactive": "video/proactive answers",
    "commentary": "video/live commentary",
}


class Config(GeneratorConfig):
    """What streams by and how it is answered."""

    form: Literal["mix", "narration", "proactive", "commentary"] = Field(
        "mix",
        description="narration: what happened in each part; proactive: a question is answered when its evidence "
        "appears; commentary: short phrases in step",
    )
    world: Literal["mix", "physics", "grid", "screen"] = Field("mix", description="what is shown")
    language: Literal["en", "zh", "mix"] = Field("mix", description="English, Chinese, or each for half")
    fps: float | None = Field(
        None, gt=0, le=10, description="frames a second; null: 5 of balls, 4 of grids, 2 of screens"
    )
    chunk: float = Field(1.0, ge=0.5, le=4, description="seconds of the stream between two answers")
    pace: float = Field(4.0, ge=1, le=6, description="commentary: words a second; Chinese characters: twice as many")
    learn_silence: float = Field(
        0.5, ge=0, le=1, description="share of the silent answers that are learned: there are many, and all are alike"
    )


def generate(rng: random.Random, config: Config) -> Draft:
    """A stream with an answer after each chunk. Raises `DataError` where a world finds no scene."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    world = rng.choice(tuple(FPS)) if config.world == "mix" else config.world
    form = rng.choice(FORMS) if config.form == "mix" else config.form
    clip, sources = _clip(rng, world, language, config)
    chunks = chunks_of(clip, config.fps or FPS[world], config.chunk)
    if form == "narration":
        narrate(clip, chunks, language, rng)
    elif form == "proactive":
        be_asked(clip, chunks, language, rng)
    else:
        comment(clip, chunks, language, rng, config.pace)
    return Draft(
        _messages(clip, chunks, rng, config.learn_silence),
        tuple(chunk.check for chunk in chunks),
        truth={**clip.truth, "stream": _record(chunks)},
        capability=CAPABILITIES[form],
        domain=clip.domain,
        difficulty=min(1.0, 0.15 + 0.85 * clip.difficulty),
        language=language,
        sources=sources,
        regions=tuple(_regions(clip, chunks, language)),
        tags={"form": form, "world": world},
    )


def _clip(rng: random.Random, world: str, language: str, config: Config) -> tuple[Clip, tuple[SourceItem, ...]]:
    if world == "physics":
        return ball_clip(rng), ()
    if world == "grid":
        return grid_clip(rng), ()
    return screen_clip(rng, language, config.split)


def _messages(clip: Clip, chunks: Sequence[Chunk], rng: random.Random, learned: float) -> tuple[Message, ...]:
    messages: list[Message] = []
    for number, chunk in enumerate(chunks):
        parts: list[Part] = []
        for shown in chunk.frames:
            parts += [TextPart(timestamp(shown.time)), ImagePart(_png(clip.frames[shown.frame]))]
        if chunk.said:
            said = TextPart(f"{chunk.said}\n" if number == 0 else chunk.said)
            parts.insert(0 if number == 0 else len(parts), said)
        loss = rng.random() < learned if chunk.silent else True
        messages += [user(*parts), assistant(chunk.answer, loss=loss)]
    return tuple(messages)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _record(chunks: Sequence[Chunk]) -> list[dict[str, Any]]:
    return [
        {
            "frames": [round(shown.time, 4) for shown in chunk.frames],
            "said": chunk.said,
            "answer": chunk.answer,
            "seen": None if chunk.seen is None else round(chunk.seen, 4),
        }
        for chunk in chunks
    ]


def _regions(clip: Clip, chunks: Sequence[Chunk], language: str) -> list[Region]:
    """Who does something, in the first frame that shows it done."""
    shown = [frame for chunk in chunks for frame in chunk.frames]
    found: list[Region] = []
    for event in clip.events:
        place = next((place for place, frame in enumerate(shown) if frame.time >= event.end - 1e-9), None)
        actor = event.subject.en if event.subject.en in clip.tracks else clip.names[0].en
        if place is not None and (box := clip.tracks[actor][shown[place].frame]) is not None:
            found.append(Region(clause(event, language), box, image=place, order=len(found)))
    return found
