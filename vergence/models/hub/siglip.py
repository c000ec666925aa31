"""SigLIP's vision tower (google/siglip-so400m-patch14-384 and other sizes) as an encoder alone.

A checkpoint of the whole model is read too; its text tower, its attention-pooling head and its temperature are left
out. Sources: Zhai et al. 2023, arXiv 2303.15343; transformers' configuration_siglip.py, whose defaults stand in for
keys that a config.json leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from vergence.errors import DataError
from vergence.model_config import VisionConfig
from vergence.models.hub.entries import Entry, patch_convolution, reshaped, rows, same
from vergence.models.hub.public import Config, Keys, PublicCheckpoint, Target, section

# "hf" are the names on the hub, "transformers-5" those that its newest version saves for an encoder alone.
PREFIXES = {"hf": "vision_model.", "transformers-5": ""}
LAYOUTS = tuple(PREFIXES)
IGNORED = (r"text_model\..*", r"logit_(scale|bias)", r"(vision_model\.)?head\..*")

_MARKS = ("embeddings.position_embedding.weight", "encoder.layers.0.self_attn.q_proj.weight")
_NAMES = {
    "attention_norm": "layer_norm1",
    "out": "self_attn.out_proj",
    "mlp_norm": "layer_norm2",
    "up": "mlp.fc1",
    "down": "mlp.fc2",
}


def matches(config: Mapping[str, Any], keys: Set[str]) -> bool:
    """SigLIP's names, at the top; CLIP has the same ones and a class token."""
    return any(
        {prefix + mark for mark in _MARKS} <= keys and f"{prefix}embeddings.class_embedding" not in keys
        for prefix in PREFIXES.values()
    )


def find_layout(keys: Set[str]) -> str:
    """By the first name of the tower."""
    return next(layout for layout, prefix in PREFIXES.items() if prefix + _MARKS[0] in keys)


def read_config(checkpoint: PublicCheckpoint) -> VisionConfig:
    """The encoder alone, with its last norm. Raises `DataError` for a choice that ours doesn't have, by its key."""
    keys = Keys(checkpoint.config)
    return read_vision(keys.section("vision_config") if "vision_config" in keys.data else keys, len(checkpoint.keys))


def read_vision(keys: Keys, tensors: int, *, final_norm: str = "applied") -> VisionConfig:
    """The encoder of a config.json, or of its vision_config, in a checkpoint of so many tensors.

    Raises `DataError` by key.
    """
    keys.refuse("hidden_act", "gelu_pytorch_tanh")
    keys.refuse("num_channels", 3)
    patch_size, side = keys.get("patch_size", 16), image_side(keys)
    depth = keys.get("num_hidden_layers", 12)
    if depth > tensors:
        raise DataError(f"{keys.where}: num_hidden_layers is {depth}, but the checkpoint has {tensors} tensors")
    if patch_size < 1 or side < patch_size:
        raise DataError(f"{keys.where}: image_size {side} must hold at least one patch of patch_size {patch_size}")
    values = {
        "patch_size": patch_size,
        "merge_size": 1,
        "width": keys.get("hidden_size", 768),
        "depth": depth,
        "heads": keys.get("num_attention_heads", 12),
        "mlp_width": keys.get("intermediate_size", 3072),
        "bias": True,
        "position_table": side // patch_size,
        "rope": "none",
        "norm_eps": keys.get("layer_norm_eps", 1e-6),
        "final_norm": final_norm,
    }
    return section(VisionConfig, values, keys.where)


def image_side(keys: Keys) -> int:
    """image_size, a number or a square. Raises `DataError` for another shape."""
    value = keys.data.get("image_size", 224)
    sides = value if isinstance(value, list) and value else [value]
    if any(type(side) is not int or side != sides[0] for side in sides):
        raise DataError(f"{keys.where}: image_size must be one whole number or a square, found {value!r:.60}")
    return int(sides[0])


def entries(config: Config, layout: str) -> list[Entry]:
    """All tensors of an encoder alone."""
    assert isinstance(config, VisionConfig), "a SigLIP tower is an encoder alone"
    return vision_entries(config, PREFIXES[layout])


def vision_entries(config: VisionConfig, prefix: str) -> list[Entry]:
    """The encoder's tensors, where the names of theirs begin with `prefix`.

    A last norm that is kept but not applied may be missing; it is then made, with gain 1 and bias 0.
    """
    side, width = config.position_table, config.width
    table = f"{prefix}embeddings.position_embedding.weight"
    found = [
        patch_convolution("vision.embed.weight", f"{prefix}embeddings.patch_embedding.weight", config.patch_size),
        same("vision.embed.bias", f"{prefix}embeddings.patch_embedding.bias"),
        reshaped("vision.positions", table, (side, side, width), (side * side, width)),
    ]
    for index in range(config.depth):
        ours, theirs = f"vision.blocks.{index}.", f"{prefix}encoder.layers.{index}."
        for kind in ("weight", "bias"):
            projections = [f"{theirs}self_attn.{letter}_proj.{kind}" for letter in "qkv"]
            found.append(rows(f"{ours}qkv.{kind}", projections, [width] * 3))
            found += [same(f"{ours}{own}.{kind}", f"{theirs}{other}.{kind}") for own, other in _NAMES.items()]
    spare = config.final_norm == "kept"
    for kind, default in (("weight", 1.0), ("bias", 0.0)):
        norm = f"{prefix}post_layernorm.{kind}"
        found.append(Entry(f"vision.norm.{kind}", (norm,), optional=spare, default=default))
    return found


def is_siglip(config: VisionConfig) -> bool:
    """Whether the encoder makes SigLIP's choices, whatever its sizes."""
    return config.rope == "none" and config.bias and config.position_table > 0 and config.merge_size == 1


def exports(config: Config) -> bool:
    """Whether it is an encoder alone with SigLIP's choices, its last norm applied."""
    return isinstance(config, VisionConfig) and is_siglip(config) and config.final_norm == "applied"


def write_documents(config: Config, target: Target) -> dict[str, Any]:
    """config.json of the encoder alone, and preprocessor_config.json where there was none."""
    assert isinstance(config, VisionConfig), "a SigLIP tower is an encoder alone"
    original = Keys(target.original.get("config.json", {}))
    vision = original.section("vision_config").data if "vision_config" in original.data else original.data
    # An encoder of 27 x 27 patches of 14 pixels reads images of 384 pixels: what is left over is written as it was.
    side = image_side(Keys(vision)) if "image_size" in vision else config.position_table * config.patch_size
    preprocessor = {
        "image_processor_type": "SiglipImageProcessor",
        "do_resize": True,
        "size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "resample": 3,
    }
    return {
        "config.json": {
            "architectures": ["SiglipVisionModel"],
            **write_vision(config, side),
            "torch_dtype": str(target.dtype).removeprefix("torch."),
        },
        "preprocessor_config.json": target.original.get("preprocessor_config.json", preprocessor),
    }


def write_vision(config: VisionConfig, image_size: int) -> dict[str, Any]:
    """The encoder as config.json or vision_config; `image_size` is the side in pixels of what it reads."""
    return {
        "model_type": "siglip_vision_model",
        "hidden_size": config.width,
        "intermediate_size": config.mlp_width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "num_channels": 3,
        "image_size": image_size,
        "patch_size": config.patch_size,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": config.norm_eps,
        "vision_use_head": False,
    }
