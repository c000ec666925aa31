"""Model families as data: geometry and choices that processing and models both read.

A preset is a complete `ModelConfig`. A recipe names one and overrides single keys; nothing in the code asks for a
family by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from vergence.config import Section


class VisionConfig(Section):
    """The vision encoder: a ViT on packed native-resolution patches (Seed1.5-VL section 2.1.1)."""

    patch_size: int = Field(14, ge=1, description="side of a patch in pixels")
    merge_size: int = Field(2, ge=1, description="side of the block of patches that is pooled into one visual token")
    width: int = Field(ge=8)
    depth: int = Field(ge=1)
    heads: int = Field(ge=1)
    mlp_width: int = Field(ge=8)
    rope_theta: float = Field(10_000.0, gt=0, description="base of the 2D rotary embedding")
    norm_eps: float = Field(1e-6, gt=0)

    @property
    def factor(self) -> int:
        """Both sides of a resized image are multiples of this many pixels."""
        return self.patch_size * self.merge_size

    @model_validator(mode="after")
    def _heads_divide_width(self) -> VisionConfig:
        if self.width % self.heads or (self.width // self.heads) % 4:
            raise ValueError(
                f"width {self.width} over {self.heads} heads must give a head size that is a multiple of 4 (2D rotary)"
            )
        return self


class ProjectorConfig(Section):
    """The adapter between encoder and language model: two linear layers with a GELU between them."""

    hidden: int = Field(ge=8, description="width between the two layers")
    position_frequencies: int = Field(
        0, ge=0, le=8, description="tell the adapter where in its image a visual token lies, by so many frequencies"
    )


class LanguageConfig(Section):
    """The decoder language model: RMSNorm, SwiGLU, grouped-query attention, rotary positions."""

    vocab_size: int = Field(ge=2)
    width: int = Field(ge=8)
    depth: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    mlp_width: int = Field(ge=8)
    rope_theta: float = Field(10_000.0, gt=0)
    norm_eps: float = Field(1e-6, gt=0)
    tied: bool = Field(True, description="the output head shares the embedding matrix")
    context: int = Field(4096, ge=16, description="longest sample in tokens")

    @model_validator(mode="after")
    def _heads_divide(self) -> LanguageConfig:
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"width {self.width} over {self.heads} heads must give an even head size")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads {self.heads} must be a multiple of kv_heads {self.kv_heads}")
        return self


class ProcessingConfig(Section):
    """How pictures and text become model inputs."""

    tokenizer: str = Field("tiny", description="name of a shipped tokenizer, or the path of a tokenizer.json")
    template: str = Field("seed", description="name of a shipped chat template")
    min_pixels: int = Field(4 * 784, ge=1)
    max_pixels: int = Field(5120 * 784, ge=1)
    max_aspect: float = Field(200.0, ge=1)
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    row_token: bool = Field(
        False, description="end each row of visual tokens with a token, so that the 2D layout is in the sequence"
    )


class ModelConfig(Section):
    """A whole vision-language model."""

    preset: str = Field("custom", description="the preset that this configuration started from")
    vision: VisionConfig
    projector: ProjectorConfig
    language: LanguageConfig
    processing: ProcessingConfig = ProcessingConfig()

    @model_validator(mode="after")
    def _pixels_hold_one_token(self) -> ModelConfig:
        smallest = self.vision.factor**2
        if self.processing.max_pixels < smallest:
            raise ValueError(f"processing.max_pixels must be at least {smallest} (one visual token)")
        if self.processing.min_pixels > self.processing.max_pixels:
            raise ValueError("processing.min_pixels must not exceed processing.max_pixels")
        return self


PresetName = Literal["seed-vit-532m", "seed-tiny"]

# Seed-ViT: report Table 1 (patch 14, width 1280, depth 27, 20 heads of 64, MLP ratio 4). The report's own language
# model is internal; the decoder here has Qwen2.5-7B's public shape, so that the preset is a whole, trainable model.
_SEED_VIT_532M = ModelConfig(
    preset="seed-vit-532m",
    vision=VisionConfig(width=1280, depth=27, heads=20, mlp_width=5120),
    projector=ProjectorConfig(hidden=3584),
    language=LanguageConfig(
        vocab_size=152_064,
        width=3584,
        depth=28,
        heads=28,
        kv_heads=4,
        mlp_width=18_944,
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

PRESETS: Mapping[str, ModelConfig] = {"seed-vit-532m": _SEED_VIT_532M, "seed-tiny": _SEED_TINY}
