"""Public checkpoints in and out: `vergence convert import` and `vergence convert export`.

A checkpoint is read and written one tensor at a time, so that memory is needed for a few tensors and not for a model.
What is written appears whole or not at all. `source.json` keeps where a checkpoint came from and those of its files
that a faithful export needs.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from vergence.errors import DataError, UsageError
from vergence.model_config import ModelConfig
from vergence.models.checkpoint import (
    CHAT_TEMPLATE,
    Checkpoint,
    find_checkpoint,
    new_checkpoint,
    new_folder,
    open_checkpoint,
    read_config,
    write_documents,
    written_checkpoint,
)
from vergence.models.hub.families import FAMILIES, Family, recognise
from vergence.models.hub.gguf_file import GGUFModel, read_gguf
from vergence.models.hub.plan import expected_tensors, plan_export, plan_import
from vergence.models.hub.public import OWN_TEMPLATE, Config, Target
from vergence.models.hub.safetensors_file import LazyTensor, TensorInfo, read_header, read_tensor, write_sharded
from vergence.models.hub.source import Source, open_source
from vergence.models.hub.tokenizer_file import read_tokenizer, token_ids, with_special_tokens

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# Kept in source.json, and written again by an export.
_KEPT = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
# Copied as they are, in and out: the ranks of Moonshot's tokenizers.
_COPIED = ("tiktoken.model",)
# Of these, what doesn't depend on the layout.
_ALWAYS = ("generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")

T = TypeVar("T")
Progress = Callable[[int, int], None]
MakeTokenizer = Callable[[Source], str | None]
CheckTemplate = Callable[[str, str], None]


def import_checkpoint(
    source: str,
    destination: Path,
    *,
    revision: str | None = None,
    dtype: str | None = None,
    make_tokenizer: MakeTokenizer = lambda source: None,
    check_template: CheckTemplate = lambda template, name: None,
    progress: Progress = lambda done, total: None,
) -> Checkpoint:
    """Write a public checkpoint as one of ours: a folder, a hub id, or a GGUF file, into a new folder.

    The type of the weights stays as it is unless `dtype` names another. `make_tokenizer` makes a tokenizer.json for a
    checkpoint that has none (it returns None where it can't); `check_template` raises for a chat template that mustn't
    be used, given the template and how errors name it; `progress` is told how many tensors of how many are written.
    Raises `UsageError` where the destination exists, and `DataError` that names what can't be used; nothing is then
    written.
    """
    _check_new(destination)
    kept_dtype = _dtype(dtype)
    public, location, commit = open_public(source, revision)
    refuse_quantised(public.config, location)
    keys = public.keys
    family = recognise(public.config, keys.keys(), where=location)
    layout = family.find_layout(keys.keys())
    config = _named(lambda: family.read_config(public), location)
    entries = family.entries(config, layout)
    unread = family.unread(keys.keys(), public.config)
    expected = _named(lambda: expected_tensors(config), location)
    tensors = plan_import(entries, expected, keys, public.tensor, unread=unread, dtype=kept_dtype, where=location)
    texts = _texts(public, config, location, make_tokenizer)
    if CHAT_TEMPLATE in texts:
        check_template(texts[CHAT_TEMPLATE], f"{location}: its chat template")
    origin = {
        "family": family.name,
        "layout": layout,
        "location": source,
        "commit": commit,
        "copies": [name for entry in entries if entry.copy for name in entry.theirs if name in keys],
        "documents": {name: document for name in _KEPT if (document := public.document(name))},
    }
    copied = [public.file(name) for name in _COPIED if name in public.names] if isinstance(public, Source) else []
    name = "model" if isinstance(config, ModelConfig) else "encoder"
    with new_checkpoint(destination) as partial:
        for file in copied:
            shutil.copyfile(file, partial / file.name)
        write_sharded(partial, _counted(tensors, progress))
        write_documents(partial, {name: config.model_dump(mode="json"), "source": origin}, texts)
    return written_checkpoint(destination)


def open_public(source: str, revision: str | None = None) -> tuple[Source | GGUFModel, str, str | None]:
    """A public checkpoint by folder, hub id or GGUF file, how errors name it, and its commit on the hub, if known."""
    path = Path(source)
    files = sorted(path.glob("*.gguf")) if path.is_dir() and not (path / "config.json").exists() else [path]
    if len(files) > 1:
        raise DataError(f"{source}: holds {len(files)} GGUF files; name one of them")
    if files and files[0].suffix == ".gguf":
        if revision is not None:
            raise UsageError(f"{source}: a file has no revision; leave it out, or name a hub id such as org/name")
        return read_gguf(files[0]), str(files[0]), None
    opened = open_source(source, revision=revision)
    return opened, source, opened.commit


def refuse_quantised(config: Mapping[str, Any], where: str) -> None:
    """Raise `DataError` for a checkpoint whose weights are quantised, whatever its names are."""
    quantised = config.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, Mapping) else quantised
        raise DataError(f"{where}: its weights are quantised ({method!r:.40}); use a checkpoint that isn't")


def _texts(public: Source | GGUFModel, config: Config, where: str, make: MakeTokenizer) -> dict[str, str]:
    """The tokenizer, with the tokens that stand for pictures, and the chat template where it is the model's own."""
    if not isinstance(config, ModelConfig):
        return {}
    if isinstance(public, GGUFModel):
        text: str | None = public.tokenizer_json
    else:
        text = public.text("tokenizer.json", optional=True) or make(public)
    if text is None:
        raise DataError(f"{where}: has no tokenizer.json; save its tokenizer with transformers' save_pretrained first")
    processing = config.processing
    wanted = [processing.image_token, processing.video_token] if config.vision else []
    tokens = [token for token in wanted if token]
    size = config.language.vocab_size
    texts = {"tokenizer.json": with_special_tokens(text, tokens, size=size, where=f"{where}: tokenizer.json")}
    if processing.template == OWN_TEMPLATE and public.chat_template:
        texts[CHAT_TEMPLATE] = public.chat_template
    return texts


def export_checkpoint(
    source: Path,
    destination: Path,
    *,
    layout: str | None = None,
    dtype: str | None = None,
    progress: Progress = lambda done, total: None,
) -> str:
    """Write one of our checkpoints, or a run's newest, in a public form, into a new folder; returns family and layout.

    `layout` is one of the family's; without one, it is that of the import, or the family's first. Raises `UsageError`
    for a model that no public form holds, or a layout that its families don't have, and `DataError` for a checkpoint
    whose weights don't fit its configuration.
    """
    _check_new(destination)
    wanted = _dtype(dtype)
    checkpoint = open_checkpoint(find_checkpoint(source))
    config = read_config(checkpoint)
    origin = checkpoint.json("source") if "source.json" in checkpoint.files else {}
    if not isinstance(origin, dict):
        raise DataError(f"{checkpoint.path}: source.json must be an object")
    family, chosen = choose_layout(config, origin, layout, where=str(checkpoint.path))
    name = "model" if isinstance(config, ModelConfig) else "encoder"
    found: dict[str, TensorInfo] = {}
    for file in checkpoint.weight_files("model"):
        found |= read_header(file)

    def load(key: str) -> Tensor:
        return read_tensor(key, found[key])

    entries = family.entries(config, chosen)
    copies = set(origin.get("copies", []))
    where = f"{checkpoint.path}: {name}.json"
    tensors = plan_export(entries, expected_tensors(config), found, load, copies=copies, where=where)
    if wanted:
        keep = {theirs for entry in entries if entry.keep_dtype for theirs in entry.theirs}
        tensors = [tensor if tensor.name in keep else _cast(tensor, wanted) for tensor in tensors]
    documents = _documents(family, config, chosen, origin, checkpoint, _usual(tensors))
    with new_folder(destination) as partial:
        write_sharded(partial, _counted(tensors, progress))
        for file_name, document in documents.items():
            content = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
            (partial / file_name).write_text(content, encoding="utf-8")
        for file_name in ("tokenizer.json", CHAT_TEMPLATE, *_COPIED):
            if file_name in checkpoint.files:
                shutil.copyfile(checkpoint.path / file_name, partial / file_name)
    return f"{family.name} ({chosen})"


def choose_layout(config: Config, origin: Mapping[str, Any], layout: str | None, *, where: str) -> tuple[Family, str]:
    """The family and layout to export in: those asked for, or those of the import, or the first that hold the model.

    Raises `UsageError` where no family holds it, or none that does has the layout.
    """
    able = [family for family in FAMILIES if family.exports(config)]
    able.sort(key=lambda family: family.name != origin.get("family"))
    if not able:
        raise UsageError(f"{where}: no public format holds a model with these choices of encoder and projector")
    if layout is None:
        own = origin.get("layout") if able[0].name == origin.get("family") else None
        return able[0], own if own in able[0].layouts else able[0].layouts[0]
    for family in able:
        if layout in family.layouts:
            return family, layout
    known = ", ".join(name for family in able for name in family.layouts)
    raise UsageError(f"{where}: no format {layout!r:.60} for this model; there is {known}")


def _documents(
    family: Family,
    config: Config,
    layout: str,
    origin: Mapping[str, Any],
    checkpoint: Checkpoint,
    dtype: torch.dtype,
) -> dict[str, Any]:
    """The JSON files of an export: the family's, and those of the original that describe its tokenizer."""
    original = origin.get("documents", {}) if origin.get("family") == family.name else {}
    ids: dict[str, int] = {}
    if "tokenizer.json" in checkpoint.files:
        file = checkpoint.path / "tokenizer.json"
        ids = token_ids(read_tokenizer(file.read_text(encoding="utf-8"), str(file)))
    written = family.write_documents(config, Target(layout, dtype, ids.get, original))
    kept = {name: origin["documents"][name] for name in _ALWAYS if name in origin.get("documents", {})}
    if isinstance(config, ModelConfig):
        tokenizer = kept.get("tokenizer_config.json", {})
        if "tokenizer_class" not in tokenizer or "auto_map" in tokenizer:  # code is no part of an export
            tokenizer = {key: value for key, value in tokenizer.items() if key != "auto_map"}
            kept["tokenizer_config.json"] = {**tokenizer, "tokenizer_class": "PreTrainedTokenizerFast"}
    return {**kept, **written}


def describe(checkpoint: Checkpoint) -> str:
    """What an imported checkpoint holds, in a line: family, layout, number of weights and their type."""
    tensors = {name: info for file in checkpoint.weight_files("model") for name, info in read_header(file).items()}
    origin = checkpoint.json("source")
    count = sum(math.prod(info.shape) for info in tensors.values())
    types = sorted({str(info.dtype).removeprefix("torch.") for info in tensors.values()})
    return f"{origin['family']} ({origin['layout']}), {count:,} weights in {' and '.join(types)}"


def _usual(tensors: Sequence[LazyTensor]) -> torch.dtype:
    """The type of most numbers."""
    sizes: dict[torch.dtype, int] = {}
    for tensor in tensors:
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.nbytes
    return max(sizes, key=lambda dtype: sizes[dtype])


def _cast(tensor: LazyTensor, dtype: torch.dtype) -> LazyTensor:
    return LazyTensor(tensor.name, dtype, tensor.shape, lambda: tensor.load().to(dtype))


def _counted(tensors: Sequence[LazyTensor], progress: Progress) -> list[LazyTensor]:
    """The same tensors; `progress` hears of each one that is made."""
    done = 0

    def make(tensor: LazyTensor) -> Tensor:
        nonlocal done
        done += 1
        progress(done, len(tensors))
        return tensor.load()

    return [LazyTensor(t.name, t.dtype, t.shape, lambda t=t: make(t)) for t in tensors]  # type: ignore[misc]


def _dtype(name: str | None) -> torch.dtype | None:
    if name is not None and name not in DTYPES:
        raise UsageError(f"dtype {name!r:.40} is not one of {', '.join(DTYPES)}")
    return DTYPES[name] if name else None


def _check_new(destination: Path) -> None:
    """Raise `UsageError` unless the folder doesn't exist, or is empty."""
    if destination.exists() and not (destination.is_dir() and not any(destination.iterdir())):
        raise UsageError(f"{destination}: exists already; name a new folder")


def _named(read: Callable[[], T], where: str) -> T:
    """What `read` gives; its errors begin with the checkpoint's name."""
    try:
        return read()
    except DataError as error:
        message = str(error)
        raise DataError(message if message.startswith(where) else f"{where}: {message}") from None
