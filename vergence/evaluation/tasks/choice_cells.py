"""Choices and the right one of them, however a row writes them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from vergence.evaluation.task import LETTERS
from vergence.evaluation.tasks.cells import as_list, as_text, shorten

_LETTER = re.compile(r"\(?([A-Za-z])\)?[.):]?")


def choice_list(cell: Any) -> list[Any]:
    """Choices in one cell: a list, a mapping of letters to texts, or a mapping with the list "text"."""
    if isinstance(cell, str) and cell.lstrip().startswith("{"):
        cell = _mapping(cell)
    if isinstance(cell, Mapping):
        return as_list(cell["text"]) if "text" in cell else [cell[key] for key in sorted(cell)]
    try:
        return as_list(cell)
    except ValueError as error:
        raise ValueError(f"choices are {error}") from None


def _mapping(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    raise ValueError(f"choices are neither a list nor a mapping: {shorten(text)}")


def without_letters(texts: Sequence[str]) -> tuple[str, ...]:
    """The choices without "A. ", "(B) " before them, where each of them carries exactly its own letter."""
    stripped = []
    for letter, text in zip(LETTERS, texts, strict=False):
        match = re.match(rf"\({letter}\)[.:]?\s*|{letter}[.):]\s*", text)
        if match is None:
            return tuple(texts)
        stripped.append(text[match.end() :].strip() or text)
    return tuple(stripped) if len(stripped) > 1 else tuple(texts)


_OPTION_LINE = re.compile(r"\s*(?:\(([A-Z])\)[.:]?|([A-Z])[.):])\s*(\S.*)")
_OPTIONS_IN_LINE = re.compile(r"(.*?)\s*\b(?:Options|Choices):\s*(A[.:)]\s.*)", re.DOTALL)
_HEADING = re.compile(r"\s*(?:options|choices):?\s*", re.IGNORECASE)
_HOW_TO_ANSWER = re.compile(
    r"\s*(?:please\s+)?(?:answer|select|respond|choose|reply)\b.*\b(?:letter|option|choice)s?\b.*", re.I
)


def split_choices(question: str) -> tuple[str, tuple[str, ...]]:
    """A question without its options, which are lettered in order from A, and the options.

    They are lines of their own ("A. red", "(B) blue") or stand in one line behind "Options:" ("A: red, B: blue"). A
    line "Options:" before them goes, and so does one that says how to answer with a letter: the task has its own
    wording. Without at least two options the question stays as it is.
    """
    kept: list[str] = []
    choices: list[str] = []
    for line in question.split("\n"):
        match = _OPTION_LINE.fullmatch(line)
        letter = (match[1] or match[2]) if match else None
        if match and len(choices) < len(LETTERS) and letter == LETTERS[len(choices)]:
            choices.append(match[3].strip())
        else:
            kept.append(line)
    if len(choices) >= 2:
        return _without(kept, _HEADING, _HOW_TO_ANSWER), tuple(choices)
    inside = _OPTIONS_IN_LINE.fullmatch(question)
    choices = _in_line(inside[2]) if inside else []
    return (_without(inside[1].split("\n"), _HOW_TO_ANSWER), tuple(choices)) if inside and choices else (question, ())


def _without(lines: Sequence[str], *patterns: re.Pattern[str]) -> str:
    return "\n".join(line for line in lines if not any(pattern.fullmatch(line) for pattern in patterns)).strip()


def _in_line(text: str) -> list[str]:
    """The options of "A: red, B: blue"; none where there aren't two."""
    starts = [(0, 2)]
    for letter in LETTERS[1:]:
        found = re.compile(rf"[,;]?\s+{letter}[.:)]\s").search(text, starts[-1][1])
        if found is None:
            break
        starts.append((found.start(), found.end()))
    ends = [*[start for start, _ in starts[1:]], len(text)]
    choices = [text[begin:end].strip() for (_, begin), end in zip(starts, ends, strict=True)]
    return choices if len(choices) > 1 and all(choices) else []


def right_choice(cell: Any, rule: str, choices: Sequence[str], positions: Mapping[int, int]) -> int:
    """The index of the right choice, however the cell says it."""
    if rule == "text":
        text = as_text(cell).strip()
        for same in (lambda a, b: a == b, lambda a, b: a.casefold() == b.casefold()):
            found = [index for index, choice in enumerate(choices) if same(choice, text)]
            if len(found) == 1:
                return found[0]
        raise ValueError(f"the answer {shorten(text)} is not one of the choices")
    if rule == "letter":
        match = _LETTER.fullmatch(as_text(cell).strip())
        if match is None:
            raise ValueError(f"the answer {shorten(cell)} is not a letter")
        place = LETTERS.index(match[1].upper())
    else:
        try:
            place = int(as_text(cell)) - (rule == "number")
        except ValueError:
            raise ValueError(f"the answer {shorten(cell)} is not a whole number") from None
    if place not in positions:
        raise ValueError(f"the answer {shorten(cell)} is none of the {len(choices)} choices")
    return positions[place]
