"""Thoughts that a model writes before its answer, between marks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vergence.processing.pieces import Piece

# Opening and closing marks of a thought: Qwen, DeepSeek and most others; Kimi (U+25C1 and U+25B7 around the words).
THOUGHT_MARKS = (("<think>", "</think>"), ("\u25c1think\u25b7", "\u25c1/think\u25b7"))


def split_thought(answer: str, *, opened: bool = False) -> tuple[str | None, str]:
    """A model's thought and its answer proper, without their marks and the line breaks around them.

    `opened` says that the prompt ended in the opening mark (see `opens_thought`). A thought that was cut off before its
    closing mark is a thought, with an empty answer. Without a thought the first value is None.
    """
    for start, end in THOUGHT_MARKS:
        text = answer.lstrip()
        begins = text.startswith(start)
        thought, closed, rest = text.removeprefix(start).partition(end)
        if closed and (begins or start not in thought):
            return thought.strip(), rest.lstrip()
        if begins:
            return _without_cut_mark(thought, end).strip(), ""
    if opened:
        for _, end in THOUGHT_MARKS:
            answer = _without_cut_mark(answer, end)
        return answer.strip(), ""
    return None, answer


def _without_cut_mark(thought: str, mark: str) -> str:
    """Without the beginning of a mark at its end, where the answer was cut off inside the mark."""
    for length in range(len(mark) - 1, 1, -1):
        if thought.endswith(mark[:length]):
            return thought[:-length]
    return thought


def opens_thought(pieces: Sequence[Piece]) -> bool:
    """True where a rendered prompt ends inside a thought, so that the answer begins with one."""
    text = "".join(piece.text for piece in pieces[-4:] if piece.kind != "media")
    return any(re.search(f"{re.escape(start)}\\s*$", text) for start, _ in THOUGHT_MARKS)
