"""What a chat template makes of a conversation: pieces, in the order in which a model reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from vergence.conversation import Conversation

Learn = Literal["answers", "text"]

MEDIA = ("<image>", "<video>", "<|media_pad|>")
"""The placeholders of images and videos in the templates of LLaVA-OneVision and Kimi-VL."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a rendered conversation: text, one special token by its name, or the next image or video in order.

    `text` pieces are encoded whole and without special tokens; `media` pieces have no text; `learned` ones carry loss.
    """

    kind: Literal["text", "special", "media"]
    text: str = ""
    learned: bool = False


class Template(Protocol):
    """Anything that lays out a conversation."""

    @property
    def ends(self) -> tuple[str, ...]:
        """Special tokens that end an answer."""

    def render(
        self,
        conversation: Conversation,
        *,
        learn: Learn = "answers",
        generate: bool = False,
        thinking: bool | None = None,
    ) -> list[Piece]:
        """The pieces of a conversation; with `generate`, up to where an answer that is to come begins.

        `learn="answers"` marks the assistant turns with `loss` and their end token, `learn="text"` also the contents of
        the other messages. `thinking` switches thoughts on or off where the template knows such a switch. Raises
        `DataError` for a conversation that the template refuses.
        """

    def plain(self, conversation: Conversation) -> list[Piece]:
        """The contents of the messages one after the other, without turns: text as it is, media with their markup."""
