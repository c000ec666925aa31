"""Is a text the right answer: pure functions on plain strings."""

from __future__ import annotations


def exact(answer: str, expected: str) -> bool:
    """Equality after Unicode case folding, with runs of white space read as one space and none at the ends.

    Nothing else is forgiven: "red." is not "red", and "the red one" isn't either.
    """
    return " ".join(answer.split()).casefold() == " ".join(expected.split()).casefold()
