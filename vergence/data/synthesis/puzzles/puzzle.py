"""What all puzzles share: their settings, how hard ones are asked for, and how a question is put and answered."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol, TypeVar

from pydantic import Field, model_validator

from vergence.config import Section
from vergence.data.formats import Form, ask, thought_turn
from vergence.data.generator import GeneratorConfig, Turn
from vergence.errors import DataError

Language = Literal["en", "zh"]
Check = Mapping[str, Any]

ATTEMPTS = 400
"""Puzzles that are made and thrown away before a range of difficulty counts as out of reach."""


class Difficulty(Section):
    """A range of difficulties, 0..1."""

    min: float = Field(0.0, ge=0, le=1, description="the easiest puzzle")
    max: float = Field(1.0, ge=0, le=1, description="the hardest puzzle")

    @model_validator(mode="after")
    def _ordered(self) -> Difficulty:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self


class PuzzleConfig(GeneratorConfig):
    """What every kind of puzzle can be told."""

    language: Literal["en", "zh", "mix"] = Field("mix", description="of questions and answers")
    difficulty: Difficulty = Field(default_factory=Difficulty, description="only puzzles of this range")
    turns: int = Field(2, ge=1, description="most questions about one puzzle")
    reasoning: float = Field(0.5, ge=0, le=1, description="share of answers that explain how they were found")


class Graded(Protocol):
    """A puzzle that knows how hard it is."""

    @property
    def difficulty(self) -> float:
        """0..1."""


P = TypeVar("P", bound=Graded)


def graded(rng: random.Random, config: PuzzleConfig, make: Callable[[random.Random, float], P | None]) -> P:
    """The first puzzle of `make(rng, level)` whose difficulty lies in the range asked for.

    `level` is drawn from that range, and `make` should come near it; None is a puzzle that failed (no unique answer, no
    solution). Raises `DataError` where 400 attempts give none.
    """
    wanted = config.difficulty
    for _ in range(ATTEMPTS):
        puzzle = make(rng, rng.uniform(wanted.min, wanted.max))
        if puzzle is not None and wanted.min <= puzzle.difficulty <= wanted.max:
            return puzzle
    raise DataError(f"no puzzle of a difficulty in {wanted.min}..{wanted.max} in {ATTEMPTS} attempts")


def between(level: float, low: int, high: int) -> int:
    """A size that grows with the level, 0..1, from `low` to `high`."""
    return low + min(int(level * (high - low + 1)), high - low)


def share(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, clamped to 0..1."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def language_of(rng: random.Random, config: PuzzleConfig) -> Language:
    """The language of a sample."""
    return rng.choice(("en", "zh")) if config.language == "mix" else config.language


def reply(
    rng: random.Random,
    config: PuzzleConfig,
    language: Language,
    question: str,
    answer: str,
    check: Check,
    steps: Sequence[str] = (),
    form: Form = "word",
) -> Turn:
    """A turn that explains its answer by `steps`, or gives it alone in a form; by the share that the settings name."""
    if steps and rng.random() < config.reasoning:
        return thought_turn(question, steps, answer, check, language)
    return Turn(ask(question, form, language), answer, check)


def some_turns(
    rng: random.Random,
    config: PuzzleConfig,
    makers: Sequence[Callable[[], Turn] | Sequence[Callable[[], Turn]]],
    opening: str = "",
) -> list[Turn]:
    """One to `turns` of the questions that can be asked, in the order given.

    Of a group of questions, each of which would give away the answers of the others, one alone is asked. An `opening`,
    with which several questions begin, is kept in the first of them only.
    """
    count = min(rng.randint(1, config.turns), len(makers))
    turns: list[Turn] = []
    for place in sorted(rng.sample(range(len(makers)), count)):
        maker = makers[place]
        turn = maker() if callable(maker) else rng.choice(maker)()
        if opening and any(earlier.question.startswith(opening) for earlier in turns):
            turn = replace(turn, question=turn.question.removeprefix(opening))
        turns.append(turn)
    return turns
