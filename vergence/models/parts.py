"""The parts that a new model can be built from: an encoder or a language model, out of any checkpoint.

A part is its configuration and its tensors by our names, each of which is read when it is asked for. A Vergence
checkpoint, a run folder, a public checkpoint's folder, a hub id and a GGUF file all give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vergence.errors import DataError, UsageError
from vergence.model_config import LanguageConfig, ModelConfig, VisionConfig
from vergence.models.checkpoint import CHAT_TEMPLATE, MANIFEST, find_checkpoint, open_checkpoint, read_config
from vergence.models.hub.convert import open_public, refuse_quantised
from vergence.models.hub.families import recognise
from vergence.models.hub.plan import check_tensors, expected_tensors, plan_import
from vergence.models.hub.public import Config
from vergence.models.hub.safetensors_file import LazyTensor, TensorInfo, read_header, read_tensor
from vergence.models.hub.source import Source

MakeTokenizer = Callable[[Source], str | None]


@dataclass(frozen=True, slots=True)
class Part:
    """What a checkpoint offers, by our names. `origin` says where it is from, for the new checkpoint's `source.json`.

    `tokenizer` and `template` are the contents of its `tokenizer.json` and of its own chat template, if it has them.
    """

    name: str
    config: Config
    tensors: Mapping[str, LazyTensor]
    origin: Mapping[str, Any]
    tokenizer: str | None = None
    template: str | None = None

    @property
    def vision(self) -> VisionConfig:
        """Its encoder. Raises `UsageError` where it has none."""
        config = self.config if isinstance(self.config, VisionConfig) else self.config.vision
        if config is None:
            raise UsageError(f"{self.name}: has no vision encoder (it is a language model alone)")
        return config

    @property
    def language(self) -> LanguageConfig:
        """Its language model. Raises `UsageError` where it has none."""
        if isinstance(self.config, VisionConfig):
            raise UsageError(f"{self.name}: has no language model (it is a vision encoder alone)")
        return self.config.language

    def of(self, part: str) -> dict[str, LazyTensor]:
        """Its tensors of `vision` or `language`."""
        return {name: tensor for name, tensor in self.tensors.items() if name.startswith(f"{part}.")}


def open_part(name: str, make_tokenizer: MakeTokenizer = lambda source: None) -> Part:
    """Open a checkpoint of ours, or a public one by folder, hub id or GGUF file, without reading a tensor.

    `make_tokenizer` makes a tokenizer.json for a public checkpoint that has none. Raises `DataError` that names what
    can't be used.
    """
    path = Path(name)
    run = not (path / "config.json").exists() and any((path / folder).is_dir() for folder in ("checkpoints", "final"))
    if run or (path / MANIFEST).exists():
        return _open_own(path)
    return _open_public(name, make_tokenizer)


def _open_own(path: Path) -> Part:
    checkpoint = open_checkpoint(find_checkpoint(path))
    config = read_config(checkpoint)
    found: dict[str, TensorInfo] = {}
    for file in checkpoint.weight_files("model"):
        found |= read_header(file)
    shapes = {name: tuple(tensor.shape) for name, tensor in expected_tensors(config).items()}
    check_tensors(found, shapes, optional=set(), unread=set(), where=str(checkpoint.path))
    texts = {
        file: (checkpoint.path / file).read_text(encoding="utf-8") if file in checkpoint.files else None
        for file in ("tokenizer.json", CHAT_TEMPLATE)
    }
    return Part(
        name=str(path),
        config=config,
        tensors={name: LazyTensor(name, info.dtype, info.shape, _reader(name, info)) for name, info in found.items()},
        origin={"location": str(path)},
        tokenizer=texts["tokenizer.json"],
        template=texts[CHAT_TEMPLATE],
    )


def _reader(name: str, info: TensorInfo) -> Callable[[], Tensor]:
    return lambda: read_tensor(name, info)


def _open_public(name: str, make_tokenizer: MakeTokenizer) -> Part:
    public, location, commit = open_public(name)
    refuse_quantised(public.config, location)
    keys = public.keys
    family = recognise(public.config, keys.keys(), where=location)
    layout = family.find_layout(keys.keys())
    try:
        config = family.read_config(public)
    except DataError as error:
        message = str(error)
        raise DataError(message if message.startswith(location) else f"{location}: {message}") from None
    unread = family.unread(keys.keys(), public.config)
    entries, expected = family.entries(config, layout), expected_tensors(config)
    tensors = plan_import(entries, expected, keys, public.tensor, unread=unread, dtype=None, where=location)
    tokenizer: str | None = None
    if isinstance(config, ModelConfig):
        if isinstance(public, Source):
            tokenizer = public.text("tokenizer.json", optional=True) or make_tokenizer(public)
        else:
            tokenizer = getattr(public, "tokenizer_json", None)
    return Part(
        name=name,
        config=config,
        tensors={tensor.name: tensor for tensor in tensors},
        origin={"location": name, "commit": commit, "family": family.name},
        tokenizer=tokenizer,
        template=public.chat_template,
    )


def usual_dtype(tensors: Mapping[str, LazyTensor]) -> torch.dtype:
    """The type of most bytes: a router's balancing biases, or a few norms, may be wider than the weights."""
    sizes: dict[torch.dtype, int] = {}
    for tensor in tensors.values():
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.nbytes
    return max(sizes, key=lambda dtype: sizes[dtype])
