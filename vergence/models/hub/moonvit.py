"""MoonViT (moonshotai/MoonViT-SO-400M, and the vision tower of Kimi-VL): its config and the names of its tensors.

Query, key and value are one matrix there as here, and rotary pairs are neighbours, so every tensor is taken as it is
but the patch embedding, which is a convolution there.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from vergence.errors import DataError
from vergence.model_config import VisionConfig
from vergence.models.hub.entries import Entry, patch_convolution, same
from vergence.models.hub.public import Config, Keys, PublicCheckpoint, Target, section

LAYOUTS = ("original",)
TABLE = "patch_embed.pos_emb.weight"
_DROPPED = ("auto_map", "torch_dtype", "dtype", "transformers_version")

# What MoonViT's code fixes and its config.json doesn't say.
_FIXED: Mapping[str, Any] = {
    "bias": True,
    "rope": "interleaved",
    "rope_theta": 10_000.0,
    "norm_eps": 1e-5,
    "final_norm": "applied",
}


def matches(config: Mapping[str, Any], keys: Set[str]) -> bool:
    """Whether these are the config and the tensors' names of a MoonViT alone."""
    return TABLE in keys and "encoder.blocks.0.wqkv.weight" in keys


def find_layout(keys: Set[str]) -> str:
    """The one layout there is."""
    return LAYOUTS[0]


def read_config(checkpoint: PublicCheckpoint) -> VisionConfig:
    """The encoder alone. Raises `DataError` that names the key of whatever is not supported."""
    return read_vision(Keys(checkpoint.config), len(checkpoint.keys))


def read_vision(keys: Keys, tensors: int) -> VisionConfig:
    """The encoder of a config.json, or of Kimi-VL's vision_config, in a checkpoint of so many tensors.

    Missing keys mean what they mean in Moonshot's `MoonViTConfig`. Raises `DataError` by key.
    """
    table, depth = keys.get("init_pos_emb_height", 64), keys.get("num_hidden_layers", 27)
    if keys.get("init_pos_emb_width", 64) != table:
        raise DataError(f"{keys.where}: init_pos_emb_width must be init_pos_emb_height ({table}), the table is square")
    if depth > tensors:
        raise DataError(f"{keys.where}: num_hidden_layers is {depth}, but the checkpoint has {tensors} tensors")
    values = {
        "patch_size": keys.get("patch_size", 14),
        "merge_size": read_merge_size(keys),
        "width": keys.get("hidden_size", 1152),
        "depth": depth,
        "heads": keys.get("num_attention_heads", 16),
        "mlp_width": keys.get("intermediate_size", 4304),
        "position_table": table,
    }
    return section(VisionConfig, {**values, **_FIXED}, keys.where)


def read_merge_size(keys: Keys, default: int = 2) -> int:
    """The side of merge_kernel_size, `[side, side]`. Raises `DataError` where it is something else."""
    value = keys.data.get("merge_kernel_size", [default, default])
    sides = value if isinstance(value, list | tuple) else [value, value]
    if len(sides) != 2 or sides[0] != sides[1] or type(sides[0]) is not int:
        raise DataError(f"{keys.where}: merge_kernel_size must be [side, side], found {value!r:.60}")
    return int(sides[0])


def entries(config: Config, layout: str) -> list[Entry]:
    """How each tensor is made of the checkpoint's."""
    assert isinstance(config, VisionConfig), "a MoonViT is an encoder alone"
    return vision_entries(config)


def vision_entries(config: VisionConfig, prefix: str = "") -> list[Entry]:
    """The same, for the encoder of a larger checkpoint, whose names have `prefix` before them."""
    found = [
        patch_convolution("vision.embed.weight", f"{prefix}patch_embed.proj.weight", config.patch_size),
        same("vision.embed.bias", f"{prefix}patch_embed.proj.bias"),
        same("vision.positions", f"{prefix}{TABLE}"),
    ]
    names = {
        "attention_norm": "norm0",
        "qkv": "wqkv",
        "out": "wo",
        "mlp_norm": "norm1",
        "up": "mlp.fc0",
        "down": "mlp.fc1",
    }
    layers = {
        f"vision.blocks.{index}.{own}": f"{prefix}encoder.blocks.{index}.{other}"
        for index in range(config.depth)
        for own, other in names.items()
    }
    layers["vision.norm"] = f"{prefix}encoder.final_layernorm"
    for own, other in layers.items():
        found += [same(f"{own}.{kind}", f"{other}.{kind}") for kind in ("weight", "bias")]
    return found


def exports(config: Config) -> bool:
    """Whether an encoder that was made here can be written as a MoonViT: what its code fixes must be so."""
    if not isinstance(config, VisionConfig) or not config.position_table:
        return False
    return all(getattr(config, key) == value for key, value in _FIXED.items())


def write_documents(config: Config, target: Target) -> dict[str, Any]:
    """The JSON files of an export."""
    assert isinstance(config, VisionConfig), "a MoonViT is an encoder alone"
    written = write_vision(config, target.original.get("config.json", {}))
    return {"config.json": written | {"torch_dtype": str(target.dtype).removeprefix("torch.")}}


def write_vision(config: VisionConfig, original: Mapping[str, Any]) -> dict[str, Any]:
    """The config.json of this encoder, or its part in Kimi-VL's; the `original`'s other keys are kept.

    `auto_map` is not: it names Python files, which no export holds.
    """
    return {
        **{key: value for key, value in original.items() if key not in _DROPPED},
        "model_type": "moonvit",
        "patch_size": config.patch_size,
        "init_pos_emb_height": config.position_table,
        "init_pos_emb_width": config.position_table,
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.depth,
        "hidden_size": config.width,
        "intermediate_size": config.mlp_width,
        "merge_kernel_size": [config.merge_size, config.merge_size],
    }
