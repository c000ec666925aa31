"""The kind `physics-video`: balls that roll, collide, bounce and fall, on a table or in a room with a basket."""

from __future__ import annotations

import random

from pydantic import Field

from vergence.data.generator import Draft
from vergence.data.synthesis.video.ball_scenes import ball_clip
from vergence.data.synthesis.video.clip_draft import ClipConfig, draft_of

VERSION = 2
PACKAGES = ("av",)


class Config(ClipConfig):
    """How much happens."""

    fps: float = Field(5.0, gt=0, description="frames a second that the model is to look at")
    fewest_events: int = Field(3, ge=1, le=8, description="fewest events in a clip")
    most_events: int = Field(9, ge=3, le=12, description="most events in a clip")


def generate(rng: random.Random, config: Config) -> Draft:
    """A clip and turns about it. Raises `DataError` where no scene of so many events is found."""
    return draft_of(ball_clip(rng, config.fewest_events, config.most_events), config, rng)
