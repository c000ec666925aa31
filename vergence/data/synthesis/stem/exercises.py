"""Exercises of primary school with a picture: clocks, scales, fractions, money, bar models."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import Field

from vergence.data.generator import Draft, GeneratorConfig, dialogue
from vergence.data.pictures import split_of
from vergence.data.synthesis.stem.amounts import bar_model, fraction, money
from vergence.data.synthesis.stem.clock import clock
from vergence.data.synthesis.stem.drawing import CrowdedError, Style, choose_style
from vergence.data.synthesis.stem.instruments import Exercise, cylinder, ruler, thermometer
from vergence.data.synthesis.stem.number_line import number_line
from vergence.errors import DataError

VERSION = 2
PACKAGES = ("matplotlib",)
_TRIES = 200

TOPICS: Mapping[str, Callable[[random.Random, Style, str], Exercise]] = {
    "clock": clock,
    "fraction": fraction,
    "number-line": number_line,
    "ruler": ruler,
    "thermometer": thermometer,
    "cylinder": cylinder,
    "money": money,
    "bar-model": bar_model,
}
"""Name of a topic -> what makes an exercise of it."""


class Config(GeneratorConfig):
    """Which topics and in which language."""

    topics: tuple[str, ...] = Field((), description=f"of {', '.join(TOPICS)}; empty: all")
    language: Literal["en", "zh", "mix"] = Field("mix", description="of questions and answers")


def generate(rng: random.Random, config: Config) -> Draft:
    """An exercise. Raises `DataError` for an unknown topic."""
    unknown = [topic for topic in config.topics if topic not in TOPICS]
    if unknown:
        raise DataError(f"there is no exercise {unknown[0]!r}; there are {', '.join(TOPICS)}")
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    topic = rng.choice(config.topics or tuple(TOPICS))
    for _ in range(_TRIES):
        try:
            exercise = TOPICS[topic](rng, choose_style(rng, squares=0.05), language)
        except CrowdedError:
            continue
        if split_of(f"exercise/{exercise.key}") != config.split:
            continue
        messages, checks = dialogue((exercise.canvas.finish(),), exercise.turns)
        return Draft(
            messages,
            checks,
            truth={"topic": topic, **exercise.truth},
            capability=f"stem/exercise/{topic}",
            domain="mathematics",
            difficulty=min(1.0, exercise.difficulty),
            language=language,
            regions=tuple(exercise.regions),
            tags={"topic": topic},
        )
    raise DataError(f"no exercise of the topic {topic} lies in the split {config.split}")
