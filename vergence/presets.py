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
    """The vision encoder: a pre-norm ViT on packed patches. Seed-ViT, SigLIP and MoonViT are choices of these keys."""

    patch_size: int = Field(14, ge=1, description="side of a patch in pixels")
    merge_size: int = Field(2, ge=1, description="side of the block of patches that is pooled into one visual token")
    width: int = Field(ge=8)
    depth: int = Field(ge=1)
    heads: int = Field(ge=1)
    mlp_width: int = Field(ge=8)
    bias: bool = Field(False, description="linear layers have biases, layer norms gains and biases")
    position_table: int = Field(
        0, ge=0, description="side of a learned table of positions, resized to each image's grid; 0: no table"
    )
    rope: Literal["none", "halves", "interleaved"] = Field(
        "halves", description="2D rotary embedding: half of the pairs by row, half by column, or column and row in turn"
    )
    rope_theta: float = Field(10_000.0, gt=0, description="base of the 2D rotary embedding")
    norm_eps: float = Field(1e-6, gt=0)
    final_norm: Literal["applied", "kept", "none"] = Field(
        "applied", description="the layer norm after the last block; kept: its weights are there, but it isn't applied"
    )

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
    pooling: Literal["average", "concatenate"] = Field(
        "average", description="how the patches of one visual token become one vector"
    )
    pre_norm: bool = Field(False, description="a layer norm on every patch before they are pooled")
    norm_eps: float = Field(1e-5, gt=0)
    newline: bool = Field(False, description="a learned vector that ends rows of tiles, single views and videos")
    position_frequencies: int = Field(
        0, ge=0, le=8, description="tell the adapter where in its image a visual token lies, by so many frequencies"
    )


class RopeScaling(Section):
    """Llama 3.1's stretching of low rotary frequencies, for contexts longer than the one trained first."""

    factor: float = Field(ge=1)
    low: float = Field(1.0, gt=0, description="wavelengths longer than the old context over this are stretched fully")
    high: float = Field(4.0, gt=0, description="wavelengths shorter than the old context over this stay")
    old_context: int = Field(8192, ge=1)


class LatentConfig(Section):
    """Multi-head latent attention: keys and values from one small vector (DeepSeek-V2, arXiv 2405.04434, 2.1)."""

    kv_rank: int = Field(512, ge=8, description="size of the vector that is cached for keys and values")
    nope_size: int = Field(128, ge=1, description="part of a head's query and key without positions")
    rope_size: int = Field(64, ge=2, multiple_of=2, description="part with rotary positions, one key for all heads")
    value_size: int = Field(128, ge=1)


class ExpertsConfig(Section):
    """A DeepSeek-V3-style mixture of experts in place of the MLP (arXiv 2412.19437, section 2.1.2)."""

    count: int = Field(64, ge=1, description="routed experts")
    active: int = Field(6, ge=1, description="routed experts that a token is sent to")
    shared: int = Field(2, ge=0, description="experts that every token is sent to, as one MLP")
    width: int = Field(1408, ge=8, description="inner width of one expert")
    dense_layers: int = Field(1, ge=0, description="first layers that keep a plain MLP")
    normalise: bool = Field(True, description="the weights of a token's experts sum to one before scaling")
    scale: float = Field(2.446, gt=0, description="factor of the routed experts' sum")
    bias_rate: float = Field(1e-3, ge=0, description="step by which the balancing biases move after an optimizer step")
    balance_loss: float = Field(1e-3, ge=0, description="weight of the sequence-wise balance loss")

    @model_validator(mode="after")
    def _enough_experts(self) -> ExpertsConfig:
        if self.active > self.count:
            raise ValueError(f"active {self.active} must not exceed count {self.count}")
        return self


class LanguageConfig(Section):
    """The decoder language model: RMSNorm, SwiGLU, rotary positions; Qwen, Llama and Moonlight are choices of keys."""

    vocab_size: int = Field(ge=2)
    width: int = Field(ge=8)
    depth: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    head_size: int | None = Field(None, ge=2, description="null: width / heads")
    mlp_width: int = Field(ge=8)
    qkv_bias: bool = Field(False, description="query, key and value layers have biases (Qwen2)")
    qk_norm: bool = Field(False, description="an RMSNorm on each head's query and key (Qwen3)")
    rope_theta: float = Field(10_000.0, gt=0)
    rope_scaling: RopeScaling | None = None
    norm_eps: float = Field(1e-6, gt=0)
    tied: bool = Field(True, description="the output head shares the embedding matrix")
    context: int = Field(4096, ge=16, description="longest sample in tokens")
    latent: LatentConfig | None = Field(None, description="multi-head latent attention instead of grouped queries")
    experts: ExpertsConfig | None = Field(None, description="a mixture of experts instead of the MLP")

    @property
    def query_size(self) -> int:
        """Numbers in one head's query."""
        if self.latent:
            return self.latent.nope_size + self.latent.rope_size
        return self.head_size or self.width // self.heads

    @property
    def rotary_size(self) -> int:
        """Numbers of a head that rotary positions turn."""
        return self.latent.rope_size if self.latent else self.query_size

    @model_validator(mode="after")
    def _heads_divide(self) -> LanguageConfig:
        if self.latent is None and self.head_size is None and self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        if self.rotary_size % 2:
            raise ValueError(f"width {self.width} over {self.heads} heads must give an even head size")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads {self.heads} must be a multiple of kv_heads {self.kv_heads}")
        if self.latent and (self.qkv_bias or self.qk_norm or self.kv_heads != self.heads):
            raise ValueError("latent attention has no qkv_bias, no qk_norm, and as many kv_heads as heads")
        if self.experts and self.experts.dense_layers > self.depth:
            raise ValueError(f"experts.dense_layers {self.experts.dense_layers} must not exceed depth {self.depth}")
        return self


class AnyResConfig(Section):
    """LLaVA-OneVision's AnyRes: a whole view of the image, and tiles of it in the grid that fits it best."""

    view: int = Field(384, ge=1, description="side of a view in pixels")
    grid: int = Field(6, ge=1, description="tiles per side at most")
    max_views: int = Field(9, ge=0, description="tiles' tokens are shrunk to about those of so many; 0: never")
    rounding: Literal["hf", "original"] = Field(
        "hf", description="rounding of the unpadded size: transformers' or LLaVA-NeXT's (1 of 60,000 sizes differs)"
    )


class VideoConfig(Section):
    """Which frames of a video are seen, and how large."""

    rule: Literal["dynamic", "uniform"] = Field(
        "dynamic", description="Seed1.5-VL's dynamic frame-resolution sampling, or evenly spaced frames"
    )
    frames: int = Field(32, ge=1, description="uniform: at most so many")
    fps: float = Field(1.0, gt=0, description="dynamic: frames a second (the report uses 1, 2 and 5)")
    levels: tuple[int, ...] = Field((640, 512, 384, 256, 160, 128), min_length=1, description="dynamic: tokens a frame")
    budget: int = Field(81_920, ge=1, description="dynamic: tokens a video")
    least_frames: int = Field(16, ge=1, description="dynamic: fewest frames, where the video has them")
    timestamps: bool = Field(True, description="the time stands before each frame, as [1.5 second]")


class ProcessingConfig(Section):
    """How pictures and text become model inputs."""

    tokenizer: str = Field("tiny", description="name of a shipped tokenizer, or the path of a tokenizer.json")
    template: str = Field("seed", description="name of a shipped chat template, or the path of a Jinja file")
    image_token: str = Field("<|image|>", description="the token that stands for one visual token")
    video_token: str | None = Field(None, description="the same in a video; null: the image's")
    rule: Literal["native", "anyres", "limit"] = Field(
        "native", description="Seed1.5-VL's native resolution, LLaVA-OneVision's AnyRes, or Kimi-VL's limit and padding"
    )
    min_pixels: int = Field(4 * 784, ge=1, description="native: smallest area after resizing")
    max_pixels: int = Field(5120 * 784, ge=1, description="native: largest area after resizing")
    max_aspect: float = Field(200.0, ge=1, description="native: long side over short side at most")
    max_patches: int = Field(4096, ge=1, description="limit: patches an image may have before padding")
    anyres: AnyResConfig = AnyResConfig()
    video: VideoConfig = VideoConfig()
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    row_token: bool = Field(
        False, description="end each row of visual tokens with a token, so that the 2D layout is in the sequence"
    )


class ModelConfig(Section):
    """A whole vision-language model, or a language model alone (no vision, no projector)."""

    preset: str = Field("custom", description="the preset that this configuration started from")
    vision: VisionConfig | None = None
    projector: ProjectorConfig | None = None
    language: LanguageConfig
    processing: ProcessingConfig = ProcessingConfig()

    @property
    def patch_values(self) -> int:
        """Numbers in one patch: 3 channels of patch_size x patch_size pixels; 0 for a language model alone."""
        return 3 * self.vision.patch_size**2 if self.vision else 0

    @model_validator(mode="after")
    def _parts_fit(self) -> ModelConfig:
        if (self.vision is None) != (self.projector is None):
            raise ValueError("vision and projector come together: give both, or neither for a language model alone")
        if self.vision is None:
            return self
        smallest = self.vision.factor**2
        if self.processing.max_pixels < smallest:
            raise ValueError(f"processing.max_pixels must be at least {smallest} (one visual token)")
        if self.processing.min_pixels > self.processing.max_pixels:
            raise ValueError("processing.min_pixels must not exceed processing.max_pixels")
        if self.processing.rule == "anyres":
            self._check_anyres(self.vision)
        return self

    def _check_anyres(self, vision: VisionConfig) -> None:
        side = self.processing.anyres.view // vision.patch_size
        if vision.merge_size != 1 or not (self.projector and self.projector.newline):
            raise ValueError("processing.rule anyres needs vision.merge_size 1 and projector.newline true")
        if side < 1 or vision.position_table not in (0, side):
            raise ValueError(
                f"a view of processing.anyres has {side} x {side} patches, vision.position_table must be {side}"
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
