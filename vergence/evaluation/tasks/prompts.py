"""A declared task's wording: templates filled, options written, media put where the text marks them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from vergence.conversation import MediaPart, Part, TextPart
from vergence.evaluation.task import LETTERS

PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w-]*)\}")
MARK = re.compile(r"<(?:image|video)[ _]?([1-9][0-9]?)?>")
"""Where a picture stands in a question: `<image>`, `<video>`, `<image 2>`, `<image2>`."""


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its `{names}` replaced; a line of which every name is empty is left out.

    Values are put in word for word: braces in them stay. A name without a value raises `KeyError`.
    """
    lines = []
    for line in template.split("\n"):
        names = PLACEHOLDER.findall(line)
        if names and not any(values[name] for name in names):
            continue
        lines.append(PLACEHOLDER.sub(lambda found: values[found[1]], line))
    return "\n".join(lines).strip("\n")


def write_options(choices: Sequence[str], form: str, separator: str) -> str:
    """The choices as the prompt shows them, `form` being a template of `{letter}` and `{text}`."""
    written = (form.replace("{letter}", LETTERS[index]).replace("{text}", text) for index, text in enumerate(choices))
    return separator.join(written)


def place_media(text: str, media: Sequence[MediaPart], unmarked: str = "first") -> list[Part]:
    """The parts of a message: each medium at its first mark, those without one before or after the text.

    A mark with a number means that medium of the row, one without a number the next that has not been placed. Marks of
    media that were placed before stay as text. Raises `ValueError` for a mark of a medium that the row doesn't have.
    """
    placed: set[int] = set()
    parts: list[Part] = []
    end = 0
    for mark in MARK.finditer(text):
        index = int(mark[1]) - 1 if mark[1] else next((i for i in range(len(media)) if i not in placed), len(media))
        if index in placed:
            continue
        if index >= len(media):
            raise ValueError(f"the question marks a place for medium {index + 1} and the row has {len(media)}")
        placed.add(index)
        parts += [TextPart(text[end : mark.start()]), media[index]]
        end = mark.end()
    parts.append(TextPart(text[end:]))
    rest: list[Part] = [part for index, part in enumerate(media) if index not in placed]
    whole = [*rest, *parts] if unmarked == "first" else [*parts, *rest]
    return [part for part in whole if not isinstance(part, TextPart) or part.text]
