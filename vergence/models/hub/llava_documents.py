"""The JSON files of LLaVA-OneVision's layouts: how its pictures are cut (read), and whole exports (written).

Sources: LLaVA-NeXT llava/mm_utils.py (grid pinpoints); transformers' configuration_, image_processing_ and
processing_llava_onevision.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vergence.errors import DataError
from vergence.model_config import ModelConfig, VisionConfig
from vergence.models.hub.dense import without_rope, write_language
from vergence.models.hub.public import Keys, PublicCheckpoint, Target, template_of, token_named
from vergence.models.hub.siglip import write_vision

IMAGE, VIDEO = "<image>", "<video>"
_IMAGE_ID, _VIDEO_ID = 151_646, 151_647  # transformers' defaults


def read_processing(checkpoint: PublicCheckpoint, keys: Keys, *, side: int, original: bool) -> dict[str, Any]:
    """The `processing` section: AnyRes with views of `side` pixels. Raises `DataError` by key.

    LLaVA-NeXT's tokenizer files hold Qwen's chat template, which knows no pictures; `chatml` is its own conversation.
    """
    pictures = _preprocessor(checkpoint)
    grid = read_grid(keys, side)
    if "image_grid_pinpoints" in pictures.data and read_grid(pictures, side) != grid:
        raise DataError(f"{pictures.where}: image_grid_pinpoints differ from those of {keys.where}")
    size = pictures.section("size") if isinstance(pictures.data.get("size"), Mapping) else Keys({}, pictures.where)
    for edge in ("height", "width", "shortest_edge"):
        size.refuse(edge, side)
    tokens: dict[str, str | None] = {"image_token": IMAGE, "video_token": VIDEO}
    if not original:
        image = keys.get("image_token_index", keys.get("image_token_id", _IMAGE_ID))
        video = keys.get("video_token_index", keys.get("video_token_id", _VIDEO_ID))
        tokens = {
            "image_token": token_named(checkpoint, image, IMAGE),
            "video_token": token_named(checkpoint, video, VIDEO) if video != image else None,
        }
    aspect = "image_aspect_ratio" if original else "vision_aspect_ratio"
    return {
        "tokenizer": "tokenizer.json",
        "template": "chatml" if original else template_of(checkpoint, "chatml"),
        **tokens,
        "rule": "anyres",
        "anyres": {
            "view": side,
            "grid": grid,
            "max_views": read_max_views(keys, aspect),
            "rounding": "original" if original else "hf",
        },
        "video": {"rule": "uniform", "timestamps": False},
        "mean": pictures.channels("image_mean"),
        "std": pictures.channels("image_std"),
    }


def _preprocessor(checkpoint: PublicCheckpoint) -> Keys:
    """preprocessor_config.json, or its place in the processor_config.json of transformers 5."""
    alone = checkpoint.document("preprocessor_config.json")
    if alone:
        return Keys(alone, "preprocessor_config.json")
    return Keys(checkpoint.document("processor_config.json"), "processor_config.json").section("image_processor")


def read_grid(keys: Keys, side: int) -> int:
    """image_grid_pinpoints as the largest number of tiles per side: 6 for "(1x1),...,(6x6)", and where it is missing.

    Raises `DataError` for sizes that aren't all of 1 to n by 1 to n tiles of `side` pixels.
    """
    value = keys.data.get("image_grid_pinpoints")
    if value is None:
        return 6
    tiles: set[tuple[int, int]] = set()
    if isinstance(value, str):
        # As LLaVA-NeXT reads it: everything between the first and the last one.
        ends = re.findall(r"\((\d{1,3})x(\d{1,3})\)", value) or [("1", "0")]
        (low, left), (high, right) = (tuple(map(int, ends[i])) for i in (0, -1))
        tiles = {(i, j) for i in range(low, high + 1) for j in range(left, right + 1)}
    elif isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(type(x) is int and x % side == 0 for x in pair)
        for pair in value
    ):
        tiles = {(first // side, second // side) for first, second in value}
    largest = max((max(tile) for tile in tiles), default=0)
    if largest < 1 or tiles != {(i, j) for i in range(1, largest + 1) for j in range(1, largest + 1)}:
        raise DataError(
            f"{keys.where}: image_grid_pinpoints must be all sizes from 1x1 to n x n tiles of {side} pixels, "
            f"found {value!r:.80}"
        )
    return largest


def read_max_views(keys: Keys, key: str) -> int:
    """N of "anyres_max_N"; 0, never, for "anyres". Raises `DataError` for other rules."""
    value = keys.get(key, "anyres_max_9")
    match = re.fullmatch(r"anyres(?:_max_(\d{1,4}))?", value)
    if not match:
        raise DataError(f"{keys.where}: {key} {value!r:.60} is not supported ('anyres_max_N' and 'anyres' are)")
    return int(match[1] or 0)


def write_hf(config: ModelConfig, vision: VisionConfig, target: Target) -> dict[str, Any]:
    """config.json and the processors' files for transformers; the original's are kept, if it was in such a layout."""
    processing, anyres = config.processing, config.processing.anyres
    original = target.original.get("config.json", {})
    original = {} if _is_original(original) else original
    text = {**without_rope(original.get("text_config", {})), **write_language(config.language, target.dtype)}
    image = _token(target, processing.image_token, _IMAGE_ID)
    shape = {"image_grid_pinpoints": _pinpoints(config)}
    # A cap at as many views as there can be tiles is none; transformers can't read a rule without one.
    aspect = f"anyres_max_{anyres.max_views or anyres.grid**2}"
    document = {
        **without_rope(original),
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "model_type": "llava_onevision",
        "image_token_index": image,
        "video_token_index": _token(target, processing.video_token, _VIDEO_ID) if processing.video_token else image,
        "projector_hidden_act": "gelu",
        "multimodal_projector_bias": True,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "vision_aspect_ratio": aspect,
        "use_image_newline_parameter": True,
        "tie_word_embeddings": config.language.tied,
        "text_config": text,
        "vision_config": {**original.get("vision_config", {}), **write_vision(vision, anyres.view)},
        "torch_dtype": text["torch_dtype"],
        **shape,
    }
    pictures = {
        "image_processor_type": "LlavaOnevisionImageProcessor",
        "processor_class": "LlavaOnevisionProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "do_pad": True,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"height": anyres.view, "width": anyres.view},
        "image_mean": list(processing.mean),
        "image_std": list(processing.std),
        **shape,
    }
    processor = {
        "processor_class": "LlavaOnevisionProcessor",
        "num_image_tokens": vision.position_table**2,
        "vision_feature_select_strategy": "full",
        "vision_aspect_ratio": aspect,
        "image_token": processing.image_token,
        "video_token": processing.video_token or processing.image_token,
    }
    kept = {name: target.original[name] for name in _PROCESSOR_FILES if original and name in target.original}
    fresh = {} if kept else {"preprocessor_config.json": pictures, "processor_config.json": processor}
    return {"config.json": document, **fresh, **kept}


_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")


def write_original(config: ModelConfig, vision: VisionConfig, target: Target, *, tower: str | None) -> dict[str, Any]:
    """config.json as LLaVA-NeXT writes it, over the original's if it was so.

    `tower` names the vision tower; one without a public name is described by a vision_config, which only we read.
    """
    original = target.original.get("config.json", {})
    original = original if _is_original(original) else {}
    anyres = config.processing.anyres
    document = {
        **without_rope(original),
        **write_language(config.language, target.dtype),
        "architectures": ["LlavaQwenForCausalLM"],
        "model_type": original.get("model_type", "llava_qwen"),
        "mm_vision_tower": tower or "custom",
        "mm_hidden_size": vision.width,
        "mm_projector_type": "mlp2x_gelu",
        "mm_patch_merge_type": "spatial_unpad",
        "mm_newline_position": "one_token",
        "mm_spatial_pool_mode": "bilinear",
        "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": -2,
        "image_aspect_ratio": f"anyres_max_{anyres.max_views}" if anyres.max_views else "anyres",
        "image_grid_pinpoints": _pinpoints(config),
        "tokenizer_model_max_length": config.language.context,
        "use_mm_proj": True,
    }
    if not tower:
        document["vision_config"] = write_vision(vision, anyres.view)
    return {"config.json": document}


def _is_original(document: Mapping[str, Any]) -> bool:
    return "mm_vision_tower" in document


def _pinpoints(config: ModelConfig) -> list[list[int]]:
    sides = [config.processing.anyres.view * i for i in range(1, config.processing.anyres.grid + 1)]
    return [[first, second] for first in sides for second in sides]


def _token(target: Target, token: str | None, otherwise: int) -> int:
    """The id of a token; the published one for a model without that token."""
    index = target.token_id(token) if token else None
    return otherwise if index is None else index
