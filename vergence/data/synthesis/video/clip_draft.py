"""A clip with turns about it as a draft: what the kinds of whole videos share."""

from __future__ import annotations

import random
from typing import Literal

from pydantic import Field

from vergence.conversation import VideoPart
from vergence.data.generator import Draft, GeneratorConfig, SourceItem, dialogue
from vergence.data.synthesis.video.events import Clip
from vergence.data.synthesis.video.questions import Form, turns_of
from vergence.processing.video_writer import encode_video

FORMS: tuple[Form, ...] = ("caption", "question", "grounding")
CAPABILITIES = {
    "caption": "video/dense captions",
    "question": "video/events",
    "grounding": "video/temporal grounding",
}


class ClipConfig(GeneratorConfig):
    """What is said about a clip, and how."""

    form: Literal["mix", "caption", "question", "grounding"] = Field(
        "mix",
        description="caption: with times; question: what, how often, which first, in what order, why; "
        "grounding: when is it, what is then",
    )
    language: Literal["en", "zh", "mix"] = Field("mix", description="English, Chinese, or each for half")
    turns: int = Field(3, ge=1, le=5, description="most questions about one clip")
    fps: float = Field(2.0, gt=0, description="frames a second that the model is to look at")


def language_of(config: ClipConfig, rng: random.Random) -> str:
    """The language of a sample."""
    return rng.choice(("en", "zh")) if config.language == "mix" else config.language


def draft_of(
    clip: Clip, config: ClipConfig, rng: random.Random, *, language: str = "", sources: tuple[SourceItem, ...] = ()
) -> Draft:
    """The clip as an MP4 before turns about it; a language that is given was decided already."""
    language = language or language_of(config, rng)
    form = rng.choice(FORMS) if config.form == "mix" else config.form
    turns = turns_of(clip, form, language, rng, config.turns)
    video = VideoPart(encode_video(clip.frames, clip.fps), config.fps)
    messages, checks = dialogue((video,), turns)
    return Draft(
        messages,
        checks,
        truth=clip.truth,
        capability=CAPABILITIES[form],
        domain=clip.domain,
        difficulty=clip.difficulty,
        language=language,
        sources=sources,
        tags={"form": form},
    )
