"""The kind `screen-video`: recordings of a made computer or telephone in use."""

from __future__ import annotations

import random

from vergence.data.generator import Draft
from vergence.data.synthesis.video.clip_draft import ClipConfig, draft_of, language_of
from vergence.data.synthesis.video.screen_scenes import screen_clip

VERSION = 2
PACKAGES = ("av",)


class Config(ClipConfig):
    """How a recording is talked about; the screen is in the same language."""


def generate(rng: random.Random, config: Config) -> Draft:
    """A clip and turns about it. Raises `UsageError` where a font isn't there."""
    language = language_of(config, rng)
    clip, sources = screen_clip(rng, language, config.split)
    return draft_of(clip, config, rng, language=language, sources=sources)
