"""The order of the questions of one dialogue: steps that lead to an answer tell others, so that they come last."""

from __future__ import annotations

from collections.abc import Sequence

from vergence.data.formats import PROMPTS
from vergence.data.generator import Turn


def is_argued(turn: Turn) -> bool:
    """Whether the answer of a turn is to be found step by step."""
    return any(turn.question.endswith(prompts["thought"]) for prompts in PROMPTS.values())


def argued_last(turns: Sequence[Turn]) -> list[Turn]:
    """The turns in their order, those with steps after the others."""
    return sorted(turns, key=is_argued)
