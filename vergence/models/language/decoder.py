"""The decoder language model: RMSNorm, causal attention, SwiGLU or a mixture of experts, rotary positions.

Shapes: `T` tokens of a packed row, `D` width. Qwen2, Qwen3, Llama, SmolLM2 and Moonlight are choices of
`LanguageConfig`.
"""

from __future__ import annotations

from torch import Tensor, nn

from vergence.inputs import Segments
from vergence.model_config import LanguageConfig
from vergence.models.language.attention import Cache, GroupedQueryAttention, LatentAttention
from vergence.models.language.experts import MixtureOfExperts, RouterLog, SwiGLU
from vergence.models.layers import Linear, RMSNorm, linear
from vergence.models.rope import rotation_1d


class DecoderLayer(nn.Module):
    """`x + attention(norm(x))`, then `x + mlp(norm(x))`; attention is causal inside each sample."""

    def __init__(self, config: LanguageConfig, index: int) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.width, eps=config.norm_eps)
        self.attention: nn.Module = (
            LatentAttention(config, config.latent, index) if config.latent else GroupedQueryAttention(config, index)
        )
        self.mlp_norm = RMSNorm(config.width, eps=config.norm_eps)
        sparse = config.experts is not None and index >= config.experts.dense_layers
        self.mlp: nn.Module = (
            MixtureOfExperts(config.width, config.experts)
            if sparse and config.experts
            else SwiGLU(config.width, config.mlp_width)
        )

    def forward(
        self, x: Tensor, rotation: Tensor, segments: Segments, cache: Cache | None, log: RouterLog | None
    ) -> Tensor:
        """`x` `[T, D]` -> `[T, D]`."""
        x = x + self.attention(self.attention_norm(x), rotation, segments, cache)
        return x + self.mlp(self.mlp_norm(x), segments, log)


class Decoder(nn.Module):
    """Token embeddings -> hidden states; `logits` turns hidden states into scores over the vocabulary.

    input_ids [T] -> embed -> [T, D] -> depth x DecoderLayer(RoPE, per sample) -> norm -> [T, D] -> head -> [T, vocab]
    """

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.width)
        self.layers = nn.ModuleList(DecoderLayer(config, index) for index in range(config.depth))
        self.norm = RMSNorm(config.width, eps=config.norm_eps)
        self.head = None if config.tied else Linear(config.width, config.vocab_size, bias=False)

    def forward(
        self,
        x: Tensor,
        position_ids: Tensor,
        segments: Segments,
        cache: Cache | None = None,
        log: RouterLog | None = None,
    ) -> Tensor:
        """Embedded tokens `[T, D]` with positions `[T]` -> normed hidden states `[T, D]`."""
        config = self.config
        rotation = rotation_1d(position_ids, config.rotary_size, config.rope_theta, config.rope_scaling)
        for layer in self.layers:
            x = layer(x, rotation, segments, cache, log)
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """`[..., D]` -> `[..., vocab]`."""
        return linear(hidden, self.embed.weight if self.head is None else self.head.weight)

    @property
    def mixtures(self) -> list[MixtureOfExperts]:
        """The layers' mixtures of experts, in order; empty for a dense model."""
        return [module for module in self.modules() if isinstance(module, MixtureOfExperts)]
