"""Tiny public checkpoints with random weights, written by transformers, and our models of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vergence.inputs import IGNORE, Layout, ModelInputs, pack
from vergence.models.checkpoint import load_model, open_checkpoint
from vergence.models.hub.convert import export_checkpoint, import_checkpoint
from vergence.models.vlm import VLM
from vergence.processing.tokenizer import Tokenizer, train_tokenizer


def randomise(model: Any, seed: int) -> Any:
    """Every weight away from its start, so that a forgotten gain, bias or norm shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        gain = weight.ndim == 1 and "norm" in name and name.endswith("weight")
        with torch.no_grad():
            weight.copy_(1 + 0.2 * noise if gain else noise * (weight.shape[-1] ** -0.5 if weight.ndim > 1 else 0.2))
    return model.eval()


def save(model: Any, folder: Path) -> Path:
    """What `save_pretrained` writes, and a tokenizer."""
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder


SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")
TEXTS = ("What is shown in these pictures?", "a wall of red bricks", "user assistant system")


@cache
def tokenizer() -> Tokenizer:
    """Bytes, a few merges, and Qwen2's special tokens with the placeholders of transformers, ids 0 to 4."""
    return train_tokenizer(TEXTS, vocab_size=290, special_tokens=SPECIAL)


def write_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text(tokenizer().backend.to_str(), encoding="utf-8")


def edit(folder: Path, name: str, **changes: Any) -> None:
    """Change keys of a JSON file; None takes a key away."""
    document = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
    document.update(changes)
    document = {key: value for key, value in document.items() if value is not None}
    (folder / name).write_text(json.dumps(document))


def imported(folder: Path, destination: Path, **options: Any) -> VLM:
    """Our model of a public checkpoint, through a checkpoint of ours on disk."""
    import_checkpoint(str(folder), destination, **options)
    return load_model(open_checkpoint(destination))[0].eval()


def round_trip(checkpoint: Path, folder: Path, **options: Any) -> Path:
    """Export, import again, and check that every weight is the same to the bit; returns the exported folder."""
    export_checkpoint(checkpoint, folder / "public", **options)
    again = open_checkpoint(import_checkpoint(str(folder / "public"), folder / "again").path).tensors("model")
    first = open_checkpoint(checkpoint).tensors("model")
    assert first.keys() == again.keys()
    for name, weight in first.items():
        assert weight.dtype == again[name].dtype, name
        assert torch.equal(weight, again[name]), name
    return folder / "public"


def sample(ids: Tensor, visual: Tensor | None = None, views: Tensor | None = None, layouts: Sequence[Layout] = ()):
    """One sample of ids `[T]`; `views` `[N, side, side, 3]` uint8 are cut into patches of 14 pixels."""
    patches, grids = torch.empty(0, 588, dtype=torch.uint8), torch.empty(0, 2, dtype=torch.long)
    if views is not None:
        side = views.shape[1] // 14
        cut = views[:, : side * 14, : side * 14].unflatten(1, (side, 14)).unflatten(3, (side, 14))
        patches = cut.transpose(2, 3).reshape(-1, 588)
        grids = torch.tensor([[side, side]]).expand(len(views), 2).contiguous()
    places = torch.empty(0, dtype=torch.long) if visual is None else visual
    return ModelInputs(ids, torch.full_like(ids, IGNORE), patches, grids, places, tuple(layouts))


@torch.no_grad()
def logits(model: VLM, inputs: ModelInputs) -> Tensor:
    """Scores `[T, vocab]`."""
    return model.language.logits(model(pack([inputs])))
