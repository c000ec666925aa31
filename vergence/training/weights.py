"""Where a run's weights come from, and the files that stand beside them in every checkpoint of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from vergence.errors import DataError
from vergence.model_config import ModelConfig
from vergence.models.checkpoint import CHAT_TEMPLATE, OWN_FILES, Checkpoint, compare_weights, open_checkpoint
from vergence.models.vlm import VLM
from vergence.processing.tokenizer import Tokenizer
from vergence.recipe import Recipe

# Of a checkpoint that a run starts from: where it came from, and Moonshot's ranks. An export writes them again.
_CARRIED = ("source.json", "tiktoken.model")


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """What a run's checkpoints hold beside tensors: a configuration that names no file outside, and texts by name."""

    config: ModelConfig
    texts: Mapping[str, str]


def own_files(recipe: Recipe, tokenizer: Tokenizer) -> OwnFiles:
    """The tokenizer, the chat template where it is a Jinja file, and what a start brings for later exports.

    `tokenizer` is the recipe's; a start's file is taken as it is. Raises `DataError` for a file that can't be read.
    """
    rule = recipe.model.processing
    changes = {}
    texts = {OWN_FILES["tokenizer"]: tokenizer.backend.to_str()}
    if Path(rule.tokenizer).is_file():
        changes["tokenizer"] = OWN_FILES["tokenizer"]
    if Path(rule.template).suffix == ".jinja":
        texts[CHAT_TEMPLATE] = _read(Path(rule.template))
        changes["template"] = CHAT_TEMPLATE
    if recipe.start:
        texts[OWN_FILES["tokenizer"]] = _read(Path(rule.tokenizer))
        texts |= {name: _read(recipe.start / name) for name in _CARRIED if (recipe.start / name).is_file()}
    processing = rule.model_copy(update=changes)
    return OwnFiles(recipe.model.model_copy(update={"processing": processing}), texts)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: can't be read as text ({type(error).__name__})") from None


def trained_model(recipe: Recipe, config: ModelConfig, restored: Checkpoint | None, device: torch.device) -> VLM:
    """The model of a run with `config`, in fp32: from its own checkpoint, or the recipe's `start`, or its seed.

    Weights that are read are copied into memory of torch's own: sums may depend on how it is aligned, and a run that
    goes on must equal an unbroken one to the bit. Raises `DataError` for a checkpoint that can't be used or that
    doesn't fit, by name.
    """
    source = restored or (open_checkpoint(recipe.start) if recipe.start else None)
    if source is None:
        model = VLM(config)
        model.initialise(recipe.seed)
        return model.to(device)
    with torch.device("meta"):  # nothing is filled that is overwritten at once
        model = VLM(config)
    model.to_empty(device=device)
    weights = source.tensors("model")
    problems = compare_weights(weights, model.state_dict())
    if problems:
        raise DataError(f"{source.path / 'model.safetensors'}: doesn't fit the recipe's model: {'; '.join(problems)}")
    model.load_state_dict(weights)
    return model
