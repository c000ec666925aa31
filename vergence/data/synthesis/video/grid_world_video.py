"""The kind `grid-world-video`: a robot fetches keys, opens doors, takes gems and visits places on a map of tiles."""

from __future__ import annotations

import random

from pydantic import Field

from vergence.data.generator import Draft
from vergence.data.synthesis.video.clip_draft import ClipConfig, draft_of
from vergence.data.synthesis.video.grid_scenes import grid_clip

VERSION = 2
PACKAGES = ("av",)


class Config(ClipConfig):
    """How large the map is."""

    fps: float = Field(4.0, gt=0, description="frames a second that the model is to look at; a step takes 0.25 s")
    rooms: int | None = Field(None, ge=2, le=3, description="rooms on the map; null: two or three")


def generate(rng: random.Random, config: Config) -> Draft:
    """A clip and turns about it. Raises `DataError` where no map has a run of a good length."""
    return draft_of(grid_clip(rng, config.rooms), config, rng)
