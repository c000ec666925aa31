"""Model families as data: geometry and choices that processing and models both read.

A preset is a complete `ModelConfig`. A recipe names one and overrides single keys; nothing in the code asks for a
family by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from vergence.model_config import (
    AnyResConfig,
    ExpertsConfig,
    LanguageConfig,
    LatentConfig,
    ModelConfig,
    ProcessingConfig,
    ProjectorConfig,
    VideoConfig,
    VisionConfig,
)

# Seed1.5-VL: report Table 1 (patch 14, width 1280, depth 27, 20 heads of 64, MLP ratio 4). Its language model is
# internal (a mixture of experts with 20B active parameters); the stand-in has Qwen2.5-7B's public shape, so that the
# preset is a whole, trainable model that `vergence build` can fill with public language weights.
_SEED = ModelConfig(
    preset="seed1.5-vl",
    vision=VisionConfig(width=1280, depth=27, heads=20, mlp_width=5120),
    projector=ProjectorConfig(hidden=3584),
    language=LanguageConfig(
        vocab_size=152_064,
        width=3584,
        depth=28,
        heads=28,
        kv_heads=4,
        mlp_width=18_944,
        qkv_bias=True,
        rope_theta=1_000_000.0,
        tied=False,
        context=32_768,
    ),
)

# Small enough to train in minutes on two CPU cores; every part of the design is there.
_SEED_TINY = ModelConfig(
    preset="seed-tiny",
    vision=VisionConfig(width=128, depth=3, heads=4, mlp_width=512),
    projector=ProjectorConfig(hidden=256, position_frequencies=4),
    language=LanguageConfig(vocab_size=400, width=128, depth=3, heads=4, kv_heads=2, mlp_width=384, context=1024),
    processing=ProcessingConfig(min_pixels=784, max_pixels=64 * 784),
)

# SigLIP so400m-patch14-384 as LLaVA-OneVision uses it: 26 of 27 layers, and the last norm kept but not applied.
_SIGLIP = VisionConfig(
    merge_size=1,
    width=1152,
    depth=26,
    heads=16,
    mlp_width=4304,
    bias=True,
    position_table=27,
    rope="none",
    final_norm="kept",
)


def _llava_onevision(
    size: str, *, width: int, mlp_width: int, depth: int, heads: int, kv_heads: int, vocab_size: int, tied: bool
) -> ModelConfig:
    """LLaVA-OneVision (arXiv 2408.03326) on a Qwen2 of these sizes; vocabulary of the checkpoints for transformers."""
    return ModelConfig(
        preset=f"llava-onevision-{size}",
        vision=_SIGLIP,
        projector=ProjectorConfig(hidden=width, newline=True),
        language=LanguageConfig(
            vocab_size=vocab_size,
            width=width,
            depth=depth,
            heads=heads,
            kv_heads=kv_heads,
            mlp_width=mlp_width,
            qkv_bias=True,
            rope_theta=1_000_000.0,
            tied=tied,
            context=32_768,
        ),
        processing=ProcessingConfig(
            template="chatml",
            image_token="<image>",
            video_token="<video>",
            rule="anyres",
            video=VideoConfig(rule="uniform", timestamps=False),
        ),
    )


_LLAVA_TINY = ModelConfig(
    preset="llava-onevision-tiny",
    vision=_SIGLIP.model_copy(update={"width": 64, "depth": 2, "heads": 4, "mlp_width": 128, "position_table": 5}),
    projector=ProjectorConfig(hidden=64, newline=True),
    language=LanguageConfig(
        vocab_size=400, width=64, depth=2, heads=4, kv_heads=2, mlp_width=128, qkv_bias=True, context=4096
    ),
    processing=ProcessingConfig(
        rule="anyres",
        anyres=AnyResConfig(view=73, grid=3, max_views=4),
        video=VideoConfig(rule="uniform", frames=8, timestamps=False),
    ),
)

# MoonViT: SigLIP's layers with 2D rotary positions beside the resized table (Kimi-VL report, section 2.1).
_MOONVIT = VisionConfig(
    width=1152,
    depth=27,
    heads=16,
    mlp_width=4304,
    bias=True,
    position_table=64,
    rope="interleaved",
    norm_eps=1e-5,
)

# Kimi-VL-A3B: MoonViT and Moonlight-16B-A3B with a longer rotary base (arXiv 2504.07491, its config.json).
_KIMI_VL = ModelConfig(
    preset="kimi-vl-a3b",
    vision=_MOONVIT,
    projector=ProjectorConfig(hidden=4608, pooling="concatenate", pre_norm=True),
    language=LanguageConfig(
        vocab_size=163_840,
        width=2048,
        depth=27,
        heads=16,
        kv_heads=16,
        mlp_width=11_264,
        rope_theta=800_000.0,
        norm_eps=1e-5,
        tied=False,
        context=131_072,
        latent=LatentConfig(),
        experts=ExpertsConfig(),
    ),
    processing=ProcessingConfig(
        template="kimi",
        image_token="<|media_pad|>",
        rule="limit",
        video=VideoConfig(rule="uniform", timestamps=False),
    ),
)

_KIMI_TINY = ModelConfig(
    preset="kimi-vl-tiny",
    vision=_MOONVIT.model_copy(update={"width": 64, "depth": 2, "heads": 4, "mlp_width": 128, "position_table": 8}),
    projector=ProjectorConfig(hidden=256, pooling="concatenate", pre_norm=True),
    language=LanguageConfig(
        vocab_size=400,
        width=64,
        depth=3,
        heads=4,
        kv_heads=4,
        mlp_width=128,
        norm_eps=1e-5,
        tied=False,
        context=2048,
        latent=LatentConfig(kv_rank=32, nope_size=16, rope_size=8, value_size=16),
        experts=ExpertsConfig(count=8, active=2, shared=1, width=32),
    ),
    processing=ProcessingConfig(rule="limit", max_patches=64, video=VideoConfig(rule="uniform", frames=8)),
)

PresetName = Literal[
    "seed1.5-vl",
    "seed-tiny",
    "llava-onevision-0.5b",
    "llava-onevision-7b",
    "llava-onevision-72b",
    "llava-onevision-tiny",
    "kimi-vl-a3b",
    "kimi-vl-tiny",
]

_ALL = (
    _SEED,
    _SEED_TINY,
    _llava_onevision("0.5b", width=896, mlp_width=4864, depth=24, heads=14, kv_heads=2, vocab_size=152_000, tied=True),
    _llava_onevision(
        "7b", width=3584, mlp_width=18_944, depth=28, heads=28, kv_heads=4, vocab_size=152_128, tied=False
    ),
    _llava_onevision(
        "72b", width=8192, mlp_width=29_568, depth=80, heads=64, kv_heads=8, vocab_size=152_128, tied=False
    ),
    _LLAVA_TINY,
    _KIMI_VL,
    _KIMI_TINY,
)

PRESETS: Mapping[str, ModelConfig] = {config.preset: config for config in _ALL}
