"""The first tensors of a new model: an encoder fitted to another geometry, fresh modules, a grown vocabulary.

Every tensor is made when it is written, so that memory is needed for a few of them and not for a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from vergence.errors import UsageError
from vergence.model_config import LanguageConfig, ModelConfig, VisionConfig
from vergence.models.hub.safetensors_file import LazyTensor
from vergence.models.parts import Part
from vergence.models.vision.vit import table_positions
from vergence.models.vlm import VLM, patch_coordinates

_SHAPES = ("patch_size", "width", "heads", "mlp_width", "bias")
_FREE = {"rope": "rotary positions", "rope_theta": "rotary base", "norm_eps": "norm epsilon", "final_norm": "last norm"}


def fit_encoder(part: Part, wanted: VisionConfig) -> tuple[dict[str, LazyTensor], list[str]]:
    """An encoder's tensors for the geometry `wanted`, and what was changed, in words.

    Layers are taken one to one from the first on, the last ones dropped where fewer are wanted; the table of positions
    is resized (bicubic, as MoonViT resizes it to each image). What has no weights (rotary positions, epsilon, whether
    the last norm is applied) is simply as wanted. Raises `UsageError` that names all that doesn't fit.
    """
    found = part.vision
    problems = [
        f"{key} is {getattr(found, key)}, wanted {getattr(wanted, key)}"
        for key in _SHAPES
        if getattr(found, key) != getattr(wanted, key)
    ]
    if wanted.depth > found.depth:
        problems.append(f"depth is {found.depth}, wanted {wanted.depth}")
    if wanted.position_table and not found.position_table:
        problems.append(
            f"it has no table of positions, wanted one of {wanted.position_table} x {wanted.position_table}"
        )
    if wanted.final_norm != "none" and found.final_norm == "none" and wanted.bias:
        problems.append("it has no last norm, wanted one")
    if problems:
        raise UsageError(f"{part.name}: the encoder doesn't fit: {'; '.join(problems)} (vision.*)")
    return _fitted(part, wanted), _changes(found, wanted)


def _fitted(part: Part, wanted: VisionConfig) -> dict[str, LazyTensor]:
    tensors = {}
    for name, tensor in part.of("vision").items():
        pieces = name.split(".")
        if pieces[1] == "blocks" and int(pieces[2]) >= wanted.depth:
            continue
        if (pieces[1] == "norm" and wanted.final_norm == "none") or (
            name == "vision.positions" and not wanted.position_table
        ):
            continue
        if name == "vision.positions" and tensor.shape[0] != wanted.position_table:
            shape = (wanted.position_table, wanted.position_table, wanted.width)
            tensor = LazyTensor(name, tensor.dtype, shape, _resized(tensor, wanted.position_table))
        tensors[name] = tensor
    return tensors


def _resized(tensor: LazyTensor, side: int) -> Callable[[], Tensor]:
    def make() -> Tensor:
        grid = torch.tensor([[side, side]])
        rows = table_positions(tensor.load().float(), patch_coordinates(grid, 1), grid)
        return rows.view(side, side, -1).to(tensor.dtype)

    return make


def _changes(found: VisionConfig, wanted: VisionConfig) -> list[str]:
    """What the new encoder does otherwise than the one its weights are from."""
    said = [
        f"layers 1 to {wanted.depth} of {found.depth}" if wanted.depth < found.depth else f"all {found.depth} layers"
    ]
    if found.position_table != wanted.position_table:
        before, after = found.position_table, wanted.position_table
        said.append(f"positions {before} x {before} resized to {after} x {after}" if after else "no table of positions")
    for key, name in _FREE.items():
        if getattr(found, key) != getattr(wanted, key) and (key != "rope_theta" or wanted.rope != "none"):
            said.append(f"{name} {getattr(wanted, key)} (was {getattr(found, key)})")
    return said


def fresh_tensors(config: ModelConfig, part: Literal["vision", "projector"], seed: int) -> dict[str, LazyTensor]:
    """The tensors of an encoder or a projector with random weights in fp32, by the rule of `VLM.initialise`.

    Each part depends on the seed alone, not on what the model's other parts are.
    """
    with torch.device("meta"):
        model = VLM(config)
    # Only what is named is filled, and only that is allocated.
    model.language = nn.Module()  # type: ignore[assignment]
    model.vision = model.vision if part == "vision" else None
    model.projector = model.projector if part == "projector" else None
    model.to_empty(device="cpu")
    model.initialise(seed)
    return {
        name: LazyTensor(name, tensor.dtype, tuple(tensor.shape), lambda tensor=tensor: tensor)  # type: ignore[misc]
        for name, tensor in model.state_dict().items()
    }


def grow_vocabulary(
    tensors: Mapping[str, LazyTensor], config: LanguageConfig, known: int, added: Sequence[int]
) -> dict[str, LazyTensor]:
    """A language model's tensors with embedding and head of `config.vocab_size` rows.

    The rows of `added` ids, and those that are new, are the mean of the first `known` rows, which are the tokens in
    use: a new token then starts as likely as any, where zeros or noise would stand out (Hewitt 2021, "Initializing New
    Word Embeddings for Pretrained Language Models").
    """
    grown = dict(tensors)
    for name in ("language.embed.weight", "language.head.weight"):
        if added and name in grown:
            tensor = grown[name]
            shape = (config.vocab_size, *tensor.shape[1:])
            grown[name] = LazyTensor(
                name, tensor.dtype, shape, _with_mean_rows(tensor, config.vocab_size, known, added)
            )
    return grown


def _with_mean_rows(tensor: LazyTensor, size: int, known: int, added: Sequence[int]) -> Callable[[], Tensor]:
    def make() -> Tensor:
        rows = tensor.load()
        mean = rows[:known].mean(dim=0, dtype=torch.float32).to(rows.dtype)
        rows = torch.cat([rows, mean.expand(size - rows.shape[0], -1)])
        rows[torch.tensor(list(added))] = mean
        return rows

    return make


def of_dtype(tensor: LazyTensor, dtype: torch.dtype) -> LazyTensor:
    """The same tensor in another type. A router's balancing biases stay as they are: they move in steps of 0.001."""
    if tensor.dtype == dtype or tensor.name.endswith(".mlp.bias"):
        return tensor
    return tensor._replace(dtype=dtype, load=lambda: tensor.load().to(dtype))
