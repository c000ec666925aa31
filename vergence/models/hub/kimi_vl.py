"""Kimi-VL (moonshotai/Kimi-VL-A3B-*): MoonViT, a projector and Moonlight in one checkpoint.

Names of keys and tensors: as Moonshot's released code and vLLM (`vllm/model_executor/models/kimi_vl.py`) read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from vergence.errors import DataError
from vergence.model_config import ModelConfig, ProcessingConfig, ProjectorConfig, VisionConfig
from vergence.models.hub import moonlight, moonvit
from vergence.models.hub.entries import Entry, same
from vergence.models.hub.public import Config, Keys, PublicCheckpoint, Target, section, template_of

LAYOUTS = ("original",)
IMAGE_TOKEN = "<|media_pad|>"
IMAGE_TOKEN_ID = 163_605
_VISION, _PROJECTOR, _LANGUAGE = "vision_tower.", "multi_modal_projector.", "language_model."
_PREPROCESSOR = "preprocessor_config.json"
_DROPPED = ("auto_map", "torch_dtype", "dtype", "transformers_version")


def matches(config: Mapping[str, Any], keys: Set[str]) -> bool:
    """Whether these are the config and the tensors' names of a Kimi-VL."""
    return "text_config" in config and {_VISION + moonvit.TABLE, f"{_PROJECTOR}linear_1.weight"} <= keys


def find_layout(keys: Set[str]) -> str:
    """The one layout there is."""
    return LAYOUTS[0]


def read_config(checkpoint: PublicCheckpoint) -> ModelConfig:
    """The whole model. Raises `DataError` that names the key of whatever is not supported."""
    keys, names = Keys(checkpoint.config), checkpoint.keys.keys()
    vision = moonvit.read_vision(keys.section("vision_config"), len(names))
    return ModelConfig(
        vision=vision,
        projector=_projector(vision),
        language=moonlight.read_language(keys.section("text_config"), names, _LANGUAGE),
        processing=_read_processing(checkpoint, vision),
    )


def _projector(vision: VisionConfig) -> ProjectorConfig:
    """Both layers start from all features of a visual token's patches (vLLM, `KimiVLMultiModalProjector`)."""
    hidden = vision.width * vision.merge_size**2
    return ProjectorConfig(hidden=hidden, pooling="concatenate", pre_norm=True, norm_eps=1e-5)


def _read_processing(checkpoint: PublicCheckpoint, vision: VisionConfig) -> ProcessingConfig:
    """What preprocessor_config.json says, with the released image processor's defaults for what it doesn't.

    But for mean and deviation: the class has CLIP's, every released checkpoint states 0.5, and so do we.
    """
    keys = Keys(checkpoint.document(_PREPROCESSOR), _PREPROCESSOR)
    keys.refuse("pad_input", True)
    if keys.get("patch_size", vision.patch_size) != vision.patch_size:
        raise DataError(f"{keys.where}: patch_size must be {vision.patch_size}, as in config.json: vision_config")
    if moonvit.read_merge_size(keys, vision.merge_size) != vision.merge_size:
        raise DataError(f"{keys.where}: merge_kernel_size must be that of config.json: vision_config")
    values = {
        "tokenizer": "tokenizer.json",
        "template": template_of(checkpoint, "kimi"),
        "image_token": _image_token(checkpoint),
        "rule": "limit",
        "max_patches": keys.get("in_token_limit", 4096),
        "video": {"rule": "uniform", "timestamps": False},
        "mean": _channels(keys, "image_mean"),
        "std": _channels(keys, "image_std"),
    }
    return section(ProcessingConfig, values, keys.where)


def _image_token(checkpoint: PublicCheckpoint) -> str:
    """The text of the token whose id config.json gives; tokenizer_config.json tells it, or it is the release's."""
    index = Keys(checkpoint.config).get("media_placeholder_token_id", IMAGE_TOKEN_ID)
    added = Keys(checkpoint.document("tokenizer_config.json"), "tokenizer_config.json").section("added_tokens_decoder")
    return added.section(str(index)).get("content", IMAGE_TOKEN)


def _channels(keys: Keys, key: str) -> tuple[float, float, float]:
    value = keys.data.get(key, (0.5, 0.5, 0.5))
    if not isinstance(value, list | tuple) or len(value) != 3 or any(type(x) not in (int, float) for x in value):
        raise DataError(f"{keys.where}: {key} must be three numbers, found {value!r:.60}")
    return float(value[0]), float(value[1]), float(value[2])


def entries(config: Config, layout: str) -> list[Entry]:
    """How each tensor is made of the checkpoint's."""
    assert isinstance(config, ModelConfig), "a Kimi-VL is not an encoder alone"
    assert config.vision is not None, "a Kimi-VL has an encoder"
    projector = {"pre_norm": "pre_norm", "up": "linear_1", "down": "linear_2"}
    return [
        *moonvit.vision_entries(config.vision, _VISION),
        *(
            same(f"projector.{own}.{kind}", f"{_PROJECTOR}{other}.{kind}")
            for own, other in projector.items()
            for kind in ("weight", "bias")
        ),
        *moonlight.language_entries(config.language, _LANGUAGE),
    ]


def ignored(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Patterns for the tensors of the layers that predict further tokens ahead, which are left out."""
    return moonlight.ignored(Keys(config).section("text_config").data)


def exports(config: Config) -> bool:
    """Whether a model that was made here can be written as a Kimi-VL: what its code fixes must be so."""
    if not isinstance(config, ModelConfig) or config.vision is None or not moonlight.writes(config.language):
        return False
    processing = config.processing
    return (
        moonvit.exports(config.vision)
        and config.projector == _projector(config.vision)
        and processing.rule == "limit"
        and not processing.row_token
    )


def write_documents(config: Config, target: Target) -> dict[str, Any]:
    """The JSON files of an export; other keys of the original ones are kept, but `auto_map`."""
    assert isinstance(config, ModelConfig), "a Kimi-VL is not an encoder alone"
    assert config.vision is not None, "a Kimi-VL has an encoder"
    kept, preprocessor = (
        {key: value for key, value in target.original.get(name, {}).items() if key not in _DROPPED}
        for name in ("config.json", _PREPROCESSOR)
    )
    token = target.token_id(config.processing.image_token)
    return {
        "config.json": kept
        | {
            "architectures": ["KimiVLForConditionalGeneration"],
            "model_type": "kimi_vl",
            "vocab_size": config.language.vocab_size,
            "tie_word_embeddings": config.language.tied,
            "torch_dtype": moonlight.dtype_name(target),
            "ignore_index": -100,
            "media_placeholder_token_id": IMAGE_TOKEN_ID if token is None else token,
            "vision_config": moonvit.write_vision(config.vision, kept.get("vision_config", {})),
            "text_config": moonlight.write_language(config.language, kept.get("text_config", {})),
        },
        _PREPROCESSOR: preprocessor
        | {
            "image_processor_type": "KimiVLImageProcessor",
            "patch_size": config.vision.patch_size,
            "merge_kernel_size": [config.vision.merge_size] * 2,
            "pad_input": True,
            "in_token_limit": config.processing.max_patches,
            "image_mean": list(config.processing.mean),
            "image_std": list(config.processing.std),
        },
    }
