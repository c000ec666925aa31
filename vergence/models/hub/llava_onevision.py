"""LLaVA-OneVision: SigLIP, a two-layer projector, a newline vector and Qwen2, in every layout that is published.

The original (lmms-lab) is written by LLaVA-NeXT; the others by transformers, whose names moved with its versions.
Sources: LLaVA-NeXT llava/model/llava_arch.py and multimodal_encoder/siglip_encoder.py; transformers'
configuration_llava_onevision.py and its script convert_llava_onevision_weights_to_hf.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from vergence.model_config import ModelConfig
from vergence.models.hub import dense, siglip
from vergence.models.hub.entries import Entry, same
from vergence.models.hub.llava_documents import read_processing, write_hf, write_original
from vergence.models.hub.public import Config, Keys, PublicCheckpoint, Target, section


@dataclass(frozen=True, slots=True)
class _Names:
    """How the names of each part begin."""

    vision: str
    up: str
    down: str
    newline: str
    language: str
    head: str


def _hf(before: str, vision: str, language: str, head: str) -> _Names:
    projector = f"{before}multi_modal_projector.linear_"
    return _Names(f"{before}{vision}", f"{projector}1", f"{projector}2", f"{before}image_newline", language, head)


# "hf" are the names on the hub; the others are what transformers 4.52 and 5 save, and what 5 has in memory.
_NAMES: Mapping[str, _Names] = {
    "hf": _hf("", "vision_tower.vision_model.", "language_model.model.", "language_model.lm_head.weight"),
    "original": _Names(
        "model.vision_tower.vision_tower.vision_model.",
        "model.mm_projector.0",
        "model.mm_projector.2",
        "model.image_newline",
        "model.",
        "lm_head.weight",
    ),
    "transformers-4.52": _hf("model.", "vision_tower.vision_model.", "model.language_model.", "lm_head.weight"),
    "transformers-5": _hf("", "vision_tower.", "language_model.model.", "language_model.lm_head.weight"),
    "memory": _hf("model.", "vision_tower.", "model.language_model.", "lm_head.weight"),
}
LAYOUTS = tuple(_NAMES)


def matches(config: Mapping[str, Any], keys: Set[str]) -> bool:
    """One of the layouts, whole in its marks. LLaVA-NeXT has the same ones around CLIP, which has a class token."""
    return _layout(keys) is not None


def find_layout(keys: Set[str]) -> str:
    """By the names of newline, projector, patch embedding and first layer, which no two layouts share."""
    found = _layout(keys)
    assert found, "the family was recognised by its layout"
    return found


def _layout(keys: Set[str]) -> str | None:
    for layout, names in _NAMES.items():
        marks = {
            names.newline,
            f"{names.up}.weight",
            f"{names.vision}embeddings.patch_embedding.weight",
            f"{names.language}layers.0.self_attn.q_proj.weight",
        }
        if marks <= keys and f"{names.vision}embeddings.class_embedding" not in keys:
            return layout
    return None


def read_config(checkpoint: PublicCheckpoint) -> ModelConfig:
    """Our configuration. Raises `DataError` for a choice that our model doesn't have, by its key."""
    keys, layout = Keys(checkpoint.config), find_layout(checkpoint.keys.keys())
    names = _NAMES[layout]
    original = layout == "original"
    text = keys if original else keys.section("text_config")
    text.refuse("model_type", "qwen2", *(("llava_qwen", "llava") if original else ()))
    _check_choices(keys, original)
    embedding = f"{names.language}embed_tokens.weight"
    says_tied = keys.get("tie_word_embeddings", False) or text.get("tie_word_embeddings", False)
    info = checkpoint.keys.get(embedding)
    language = dense.read_language(
        text,
        "qwen2",
        tensors=len(checkpoint.keys),
        tied=dense.is_tied(checkpoint, embedding, names.head, says_tied),
        # The published configurations and tensors don't always agree; the tensors decide.
        vocab_size=info.shape[0] if info and len(info.shape) == 2 else None,
    )
    tower = _vision_keys(keys, original)
    vision = siglip.read_vision(tower, len(checkpoint.keys), final_norm="kept")
    values = {
        "vision": vision,
        "projector": {"hidden": language.width, "newline": True},
        "language": language,
        "processing": read_processing(checkpoint, keys, side=siglip.image_side(tower), original=original),
    }
    return section(ModelConfig, values, keys.where)


def _vision_keys(keys: Keys, original: bool) -> Keys:
    """What describes the tower: transformers' vision_config, or a name that stands for SigLIP so400m.

    LLaVA-NeXT's configurations only name it. A model of ours with another tower carries a vision_config there too.
    """
    named = original and keys.data.get("mm_vision_tower") == SO400M
    if "vision_config" in keys.data and not named:
        return keys.section("vision_config")
    if original:
        keys.refuse("mm_vision_tower", SO400M)
    return Keys(SO400M_CONFIG, f"{keys.where}: mm_vision_tower")


SO400M = "google/siglip-so400m-patch14-384"
# 26 of its 27 layers: LLaVA-NeXT deletes the last one.
SO400M_CONFIG = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 26,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
}


def _check_choices(keys: Keys, original: bool) -> None:
    if original:
        keys.refuse("mm_projector_type", "mlp2x_gelu")
        keys.refuse("mm_patch_merge_type", "spatial_unpad")
        keys.refuse("mm_newline_position", "one_token")
        keys.refuse("mm_vision_select_feature", "patch")
        keys.refuse("mm_resampler_type")
        keys.refuse("mm_spatial_pool_mode", "bilinear")
        keys.refuse("mm_spatial_pool_stride", 2)
        keys.refuse("add_faster_video", False)
    else:
        keys.section("vision_config").refuse("model_type", "siglip_vision_model")
        keys.refuse("vision_feature_layer", -1)
        keys.refuse("vision_feature_select_strategy", "full")
        keys.refuse("projector_hidden_act", "gelu")
        keys.refuse("multimodal_projector_bias", True)
        keys.refuse("use_image_newline_parameter", True)


def entries(config: Config, layout: str) -> list[Entry]:
    """All tensors of the model."""
    assert isinstance(config, ModelConfig), "a whole model"
    assert config.vision is not None, "a whole model"
    names = _NAMES[layout]
    return [
        *siglip.vision_entries(config.vision, names.vision),
        *[same(f"projector.up.{kind}", f"{names.up}.{kind}") for kind in ("weight", "bias")],
        *[same(f"projector.down.{kind}", f"{names.down}.{kind}") for kind in ("weight", "bias")],
        same("projector.newline", names.newline),
        *dense.language_entries(config.language, names.language, names.head),
    ]


def exports(config: Config) -> bool:
    """Whether a model makes LLaVA-OneVision's choices, whatever its sizes."""
    if not isinstance(config, ModelConfig) or config.vision is None or config.projector is None:
        return False
    language, projector, vision = config.language, config.projector, config.vision
    return (
        siglip.is_siglip(vision)
        and vision.final_norm == "kept"
        and projector.newline
        and not projector.pre_norm
        and not projector.position_frequencies
        and projector.hidden == language.width
        and dense.is_dense(language)
        and dense.architecture_of(language) == "qwen2"
        and config.processing.rule == "anyres"
    )


def write_documents(config: Config, target: Target) -> dict[str, Any]:
    """config.json, and in transformers' layouts what its processor reads."""
    assert isinstance(config, ModelConfig), "a whole model"
    assert config.vision is not None, "a whole model"
    if target.layout != "original":
        return write_hf(config, config.vision, target)
    tower = siglip.write_vision(config.vision, config.processing.anyres.view)
    named = {key: tower[key] for key in SO400M_CONFIG} == SO400M_CONFIG
    return write_original(config, config.vision, target, tower=SO400M if named else None)
