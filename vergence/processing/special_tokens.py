"""Which special tokens a chat template writes, for a tokenizer that is to learn them (`vergence build`)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vergence.conversation import Conversation, ImagePart, Message, TextPart, assistant, user
from vergence.processing.template import ChatTemplate, load_template
from vergence.processing.tokenizer import Tokenizer

_TOKEN = re.compile(r"<\|[^<>|\s]+\|>")

# Every role, and a picture, which no template opens.
_DIALOGUE = Conversation((Message("system", (TextPart("."),)), user(ImagePart(b""), "?"), assistant("!")))


def template_tokens(name: str, media: Sequence[str]) -> tuple[str, ...]:
    """The special tokens of a chat template, by name or path, without the placeholders of `media`.

    Our JSON templates list theirs. A Jinja template is tried out on a short dialogue with a picture; whatever it writes
    in the form `<|name|>` counts. Raises `UsageError` for an unknown name, `DataError` for a template that can't be
    used, or that writes no picture.
    """
    template = load_template(name, Tokenizer.load("tiny"), media=media)
    if isinstance(template, ChatTemplate):
        found = template.special_tokens
    else:
        pieces = template.render(_DIALOGUE) + template.render(_DIALOGUE, generate=True)
        texts = [piece.text for piece in pieces]
        found = [token for text in texts for token in _TOKEN.findall(text)]
    return tuple(dict.fromkeys(token for token in found if token not in media))
