"""Chat templates as data: which special tokens stand around messages and images.

A template is a small JSON file, not code: nothing in a checkpoint or a request is ever run.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from vergence.config import Section, parse
from vergence.conversation import Role
from vergence.errors import UsageError


class ImageTokens(Section):
    """The tokens of one image: `start`, then per visual token `token`, after each row `row_end`, then `end`."""

    start: str
    token: str
    row_end: str
    end: str


class ChatTemplate(Section):
    """`begin`, then for each message its role token, its content and `end`."""

    name: str
    begin: str
    roles: dict[Role, str]
    end: str
    image: ImageTokens

    @property
    def special_tokens(self) -> list[str]:
        """Every special token, in the order in which a tokenizer numbers them."""
        image = self.image
        return [self.begin, self.end, *self.roles.values(), image.start, image.token, image.row_end, image.end]


@cache
def load_template(name: str) -> ChatTemplate:
    """The shipped template of this name. Raises `UsageError` with the names there are."""
    folder = resources.files("vergence.processing") / "templates"
    names = sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json"))
    if name not in names:
        raise UsageError(f"no chat template {name!r}; there are: {', '.join(names)}")
    text = (folder / f"{name}.json").read_text(encoding="utf-8")
    return parse(ChatTemplate, json.loads(text), source=f"template {name}")
