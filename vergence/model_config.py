"""What a model is, as typed keys: its parts' geometry and how pictures and text reach it.

Processing and models both read these sections; a preset is one `ModelConfig` (`vergence/presets.py`), and nothing in
the code asks for a family by name.
"""

from __future__ import annotations

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
