"""Tokens to text while they come: never half a character, never the start of what may become a stop string or a mark.

tokens ─▶ TextStream ─▶ certain text ─▶ ThoughtStream ─▶ ("thought", "...") ... ("text", "...") ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from vergence.processing.thoughts import THOUGHT_MARKS
from vergence.processing.tokenizer import Tokenizer

Kind = Literal["thought", "text"]

_INCOMPLETE = "\ufffd"  # what a byte-level tokenizer decodes bytes to that are no character, or not yet one


class TextStream:
    """The text of one answer. `add` tokens, `take` what is certain, `finish` when the last token came.

    Byte-level tokens decode independently of one another once a character is complete, so only the tokens since the
    last complete character are decoded again.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._pending: list[int] = []  # tokens whose last character may be incomplete
        self._settled = ""  # the text of the tokens before them
        self._taken = 0
        self.text = ""  # everything decoded so far, cut at a stop string
        self.stopped = False

    def add(self, token: int) -> bool:
        """Take in a token; true if a stop string is complete now, and the text is cut before it."""
        self._pending.append(token)
        decoded = self._tokenizer.decode(self._pending)
        if decoded.endswith(_INCOMPLETE):
            return self._extend(self._settled + decoded[:-1])
        self._settled += decoded
        self._pending.clear()
        return self._extend(self._settled)

    def finish(self) -> str:
        """No token follows: the text, with U+FFFD for a character that was never completed."""
        if self._pending and not self.stopped:
            self._extend(self._settled + self._tokenizer.decode(self._pending))
        self._stop = ()
        return self.text

    def take(self) -> str:
        """The text since the last call that can't change any more."""
        end = len(self.text)
        if not self.stopped:
            end -= max((_overlap(self.text, stop) for stop in self._stop), default=0)
        taken = self.text[self._taken : end]
        self._taken = max(self._taken, end)
        return taken

    def _extend(self, text: str) -> bool:
        if not self._stop:
            self.text = text
            return False
        # Only an occurrence that ends in the new part can be new.
        start = max(0, len(self.text) - max(map(len, self._stop)) + 1)
        found = [at for stop in self._stop if (at := text.find(stop, start)) >= 0]
        self.text = text[: min(found)] if found else text
        self.stopped = bool(found)
        return self.stopped


class ThoughtStream:
    """Tells an answer's thought from its text while both come; `opened` says that the prompt ended inside a thought.

    `thought` and `text` are what has come so far, without the marks of a thought and the white space around them, as
    `vergence.processing.thoughts.split_thought` gives them for a whole answer. A closing mark without an opening one
    is plain text, since what stands before it has been handed out already.
    """

    def __init__(self, *, opened: bool = False) -> None:
        self.thought: str | None = None
        self.text = ""
        self._opened = opened
        self._at: Literal["start", "thought", "gap", "text"] = "start"
        self._ends = tuple(end for _, end in THOUGHT_MARKS)
        self._held = ""  # what can't be told yet

    def add(self, piece: str, *, last: bool = False) -> list[tuple[Kind, str]]:
        """Take in text; what is certain now, in order. With `last` nothing follows, and nothing is held back."""
        self._held += piece
        found: list[tuple[Kind, str]] = []
        if self._at == "start":
            self._begin(last)
        if self._at == "thought" and (thought := self._think(last)):
            found.append(("thought", thought))
            self.thought = (self.thought or "") + thought
        if self._at == "gap":
            self._held = self._held.lstrip()
            self._at = "text" if self._held else "gap"
        if self._at == "text" and self._held:
            found.append(("text", self._held))
            self.text += self._held
            self._held = ""
        return found

    def _begin(self, last: bool) -> None:
        """Decide whether the answer begins with a thought, as soon as that can be told."""
        text = self._held.lstrip()
        for start, end in THOUGHT_MARKS:
            if text.startswith(start):
                self._at, self.thought, self._ends, self._held = "thought", "", (end,), text.removeprefix(start)
                return
        if not last and any(start.startswith(text) for start, _ in THOUGHT_MARKS):
            return
        self._at = "thought" if self._opened else "text"
        self.thought = "" if self._opened else None

    def _think(self, last: bool) -> str:
        """More of the thought: up to its closing mark, or to what may become one."""
        if not self.thought:
            self._held = self._held.lstrip()
        marks = [(at, end) for end in self._ends if (at := self._held.find(end)) >= 0]
        if marks:
            at, end = min(marks)
            thought, self._held, self._at = self._held[:at].rstrip(), self._held[at + len(end) :], "gap"
            return thought
        begun = max(_overlap(self._held, end) for end in self._ends)
        if last and begun < 2:  # a lone "<" may well be the thought's own
            begun = 0
        thought = self._held[: len(self._held) - begun].rstrip()
        self._held = "" if last else self._held[len(thought) :]
        return thought


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` begins with."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
