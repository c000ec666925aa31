"""Tokens to text while they come: never half a character, never the start of what may become a stop string."""

from __future__ import annotations

from collections.abc import Sequence

from vergence.processing.tokenizer import Tokenizer

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


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` begins with."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
