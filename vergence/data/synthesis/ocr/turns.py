"""Which questions of one dialogue go together: none that an earlier question or answer has already given away."""

from __future__ import annotations

from collections.abc import Iterable

from vergence.data.generator import Turn

READ = ("text", "exact")
"""Verifiers of answers that are read off a picture word by word."""


def untold(turns: Iterable[Turn], most: int, whole: Turn | None = None) -> list[Turn]:
    """At most `most` turns in their order, without those whose answer is already told; never empty if there are any.

    `whole`, a transcription of everything, is always wanted; it comes last, because every other answer stands in it.
    """
    kept: list[Turn] = []
    told = ""
    for turn in turns:
        if len(kept) == most - (whole is not None):
            break
        if not is_told(turn, told):
            kept.append(turn)
            told += f"{turn.question}\n{turn.answer}\n"
    if whole is not None and not (kept and is_told(whole, told)):
        kept.append(whole)
    return kept


def is_told(turn: Turn, told: str) -> bool:
    """Whether an earlier part of the dialogue has the words, the list of words, or the box that the turn asks for."""
    name, target = turn.check["verifier"], turn.check.get("target", "")
    if name in READ:
        return str(target) in told
    if name in ("set", "sequence"):
        return all(item in told for item in target)
    return name == "box" and turn.answer in told
