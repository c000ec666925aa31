"""Chat templates: what stands around messages and media, as a list of pieces that a processor turns into ids.

Two kinds share one interface: our own JSON templates (special tokens around plain contents) and the Jinja templates of
public checkpoints (`vergence.processing.jinja_template`). In both, only the template can bring in a special token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, overload

from vergence.config import Section, parse
from vergence.conversation import Conversation, Message, Role, TextPart
from vergence.errors import DataError, UsageError
from vergence.processing.jinja_template import JinjaTemplate
from vergence.processing.pieces import MEDIA, Learn, Piece, Template
from vergence.processing.tokenizer import Tokenizer

_TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json", "processor_config.json", "tokenizer_config.json")


class ImageTokens(Section):
    """The tokens of one image: `start`, then per visual token `token`, after each row `row_end`, then `end`."""

    start: str
    token: str
    row_end: str
    end: str


class ChatTemplate(Section):
    """`begin`, then for each message its role token, its content and `end`.

    A media piece stands for all of `image`: the start, the visual tokens and the end.
    """

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

    @property
    def ends(self) -> tuple[str, ...]:
        """The special token that ends an answer."""
        return (self.end,)

    def render(
        self,
        conversation: Conversation,
        *,
        learn: Learn = "answers",
        generate: bool = False,
        thinking: bool | None = None,
    ) -> list[Piece]:
        """See `Template.render`; `thinking` has no effect."""
        pieces = [Piece("special", self.begin)]
        for message in conversation.messages:
            learned = message.loss if message.role == "assistant" else learn == "text"
            pieces.append(Piece("special", self._role(message)))
            for part in message.parts:
                pieces.append(Piece("text", part.text, learned) if isinstance(part, TextPart) else Piece("media"))
            pieces.append(Piece("special", self.end, learned and message.role == "assistant"))
        if generate:
            pieces.append(Piece("special", self.roles["assistant"]))
        return pieces

    def plain(self, conversation: Conversation) -> list[Piece]:
        """See `Template.plain`; begins with `begin`."""
        parts = [part for message in conversation.messages for part in message.parts]
        return [
            Piece("special", self.begin),
            *(Piece("text", part.text) if isinstance(part, TextPart) else Piece("media") for part in parts),
        ]

    def _role(self, message: Message) -> str:
        if message.role not in self.roles:
            raise DataError(f"template {self.name} has no role {message.role!r}; it has {', '.join(self.roles)}")
        return self.roles[message.role]


@overload
def load_template(name: str) -> ChatTemplate: ...
@overload
def load_template(name: str, tokenizer: Tokenizer, *, media: Sequence[str] = MEDIA) -> Template: ...
def load_template(name: str, tokenizer: Tokenizer | None = None, *, media: Sequence[str] = MEDIA) -> Template:
    """A shipped template by name, or one by path: our JSON, a file of Hugging Face's, or a checkpoint's folder.

    A Jinja template needs the `tokenizer`, in which it reserves the tokens that only it may write, and the `media`
    placeholders. Raises `UsageError` for a name that doesn't exist (with those that do), `DataError` for a file that
    can't be used.
    """
    shipped = _shipped()
    path = shipped.get(name, Path(name))
    if not path.is_dir() and not (path.suffix in (".json", ".jinja") and path.is_file()):
        raise UsageError(f"no chat template {name!r}; there are: {', '.join(sorted(shipped))}, or give a file's path")
    if path.suffix == ".json" and path.is_file():
        data = _json(path)
        if "chat_template" not in data:
            return parse(ChatTemplate, data, source=f"template {name}")
    if tokenizer is None:
        raise UsageError(f"chat template {name!r} is a Jinja template: it can only be loaded with a tokenizer")
    bos, eos = _sentence_tokens(path if path.is_dir() else path.parent)
    template = JinjaTemplate(_source(path), tokenizer.added_tokens, media=media, bos=bos, eos=eos, name=name)
    tokenizer.reserve(template.special_tokens)
    return template


@cache
def _shipped() -> dict[str, Path]:
    """The shipped templates by name."""
    folder = Path(str(resources.files("vergence.processing") / "templates"))
    return {path.stem: path for path in folder.iterdir() if path.suffix in (".json", ".jinja")}


def _source(path: Path) -> str:
    """The Jinja program of a file, or of a checkpoint's folder, in the order in which Hugging Face looks for it."""
    files = [path / name for name in _TEMPLATE_FILES] if path.is_dir() else [path]
    for file in files:
        if file.suffix == ".jinja" and file.is_file():
            return _read(file)
        found = _json(file).get("chat_template") if file.is_file() else None
        if isinstance(found, list):  # several by name
            named = {t.get("name"): t.get("template") for t in found if isinstance(t, dict)}
            found = named.get("default") or next(iter(named.values()), None)
        if isinstance(found, str):
            return found
        if found is not None:
            raise DataError(f"{file}: chat_template is neither text nor a list of named templates")
    raise DataError(f"{path}: no chat template in {', '.join(_TEMPLATE_FILES)}")


def _sentence_tokens(folder: Path) -> tuple[str | None, str | None]:
    """`bos_token` and `eos_token` of a checkpoint's `tokenizer_config.json`, as texts.

    A checkpoint that was imported keeps that file's content in its `source.json`.
    """
    file, kept = folder / "tokenizer_config.json", folder / "source.json"
    data: Any = _json(file) if file.is_file() else {}
    if not data and kept.is_file():
        documents = _json(kept).get("documents")
        data = documents.get("tokenizer_config.json") if isinstance(documents, dict) else None
    data = data if isinstance(data, dict) else {}
    found = [data.get(key) for key in ("bos_token", "eos_token")]
    bos, eos = [token.get("content") if isinstance(token, dict) else token for token in found]
    return bos if isinstance(bos, str) else None, eos if isinstance(eos, str) else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a text file ({type(error).__name__})") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise DataError(f"{path}: expected a JSON object")
    return data
