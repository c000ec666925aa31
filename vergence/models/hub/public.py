"""What the families read and write: a public checkpoint as they see it, and keys of config.json with clear errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from vergence.config import ConfigError, Section, parse
from vergence.errors import DataError
from vergence.model_config import ModelConfig, VisionConfig
from vergence.models.checkpoint import CHAT_TEMPLATE

Config = ModelConfig | VisionConfig
OWN_TEMPLATE = CHAT_TEMPLATE
"""`processing.template` of a checkpoint that brings its own chat template, which lies beside its model.json."""

S = TypeVar("S", bound=Section)
T = TypeVar("T", int, float, str, bool)


class Info(Protocol):
    """What a file's header says of a tensor."""

    @property
    def dtype(self) -> torch.dtype:
        """Its type of numbers."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""


class PublicCheckpoint(Protocol):
    """A public checkpoint, opened: safetensors in a folder, or a GGUF file (with Hugging Face names)."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The content of config.json."""

    @property
    def keys(self) -> Mapping[str, Info]:
        """Every tensor's name, with its type and shape."""

    def tensor(self, name: str) -> Tensor:
        """One tensor."""

    def document(self, name: str) -> dict[str, Any]:
        """The content of another JSON file; an empty mapping where there is none."""

    @property
    def chat_template(self) -> str | None:
        """Its own chat template."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a family's documents are written for: a layout, the type of the weights, ids of special tokens.

    `original` holds the JSON files of the checkpoint that the model was imported from, by name; empty for others.
    """

    layout: str
    dtype: torch.dtype = torch.float32
    token_id: Callable[[str], int | None] = lambda token: None
    original: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keys:
    """A mapping of config.json, and how to name it in errors. Every reader raises `DataError` with the key's name."""

    data: Mapping[str, Any]
    where: str = "config.json"

    def section(self, key: str) -> Keys:
        """A mapping inside; empty where it is missing or null."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise DataError(f"{self.where}: {key} must be a mapping, found {value!r:.60}")
        return Keys(value or {}, f"{self.where}: {key}")

    def get(self, key: str, default: T | None = None) -> T:
        """The value of a key, of the type of `default` (whole numbers without one), which stands in where it is null.

        Raises `DataError` where it is missing without a default, or of another type.
        """
        value = self.data.get(key)
        if value is None:
            if default is None:
                raise DataError(f"{self.where}: {key} is missing")
            return default
        kind = int if default is None else type(default)
        fits = isinstance(value, (int, float) if kind is float else kind) and (
            kind is bool or not isinstance(value, bool)
        )
        if not fits:
            names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
            raise DataError(f"{self.where}: {key} must be {names[kind]}, found {value!r:.60}")
        return kind(value)  # type: ignore[return-value]

    def refuse(self, key: str, *allowed: Any) -> None:
        """Raise `DataError` where the key is there with a value (other than null) that is none of `allowed`."""
        value = self.data.get(key)
        if value is not None and value not in allowed:
            fine = " or ".join(repr(a) for a in allowed) or "null"
            raise DataError(f"{self.where}: {key} {value!r:.60} is not supported ({fine} is)")

    def channels(self, key: str, default: float = 0.5) -> tuple[float, float, float]:
        """Three numbers, one per colour. Raises `DataError` for anything else."""
        value = self.data.get(key) or [default] * 3
        if not isinstance(value, list) or len(value) != 3 or any(type(x) not in (int, float) for x in value):
            raise DataError(f"{self.where}: {key} must be three numbers, found {value!r:.60}")
        return (float(value[0]), float(value[1]), float(value[2]))


def section(kind: type[S], values: Mapping[str, Any], where: str) -> S:
    """Our configuration section from values that were read. Raises `DataError`, in one line, where they don't fit."""
    try:
        return parse(kind, values, source=where)
    except ConfigError as error:
        raise DataError("; ".join(str(error).split("\n"))) from None


def template_of(checkpoint: PublicCheckpoint, otherwise: str) -> str:
    """`processing.template`: the checkpoint's own where it brings one, or the shipped one named `otherwise`."""
    return OWN_TEMPLATE if checkpoint.chat_template else otherwise


def token_named(checkpoint: PublicCheckpoint, index: int, otherwise: str) -> str:
    """The text of the added token with that id, from the tokenizer's files; `otherwise` where they don't say."""
    added = Keys(checkpoint.document("tokenizer_config.json"), "tokenizer_config.json").section("added_tokens_decoder")
    text = added.section(str(index)).data.get("content")
    if text is None:
        tokens = checkpoint.document("tokenizer.json").get("added_tokens")
        found = [token for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []
        text = next((token.get("content") for token in found if token.get("id") == index), None)
    return text if isinstance(text, str) else otherwise
