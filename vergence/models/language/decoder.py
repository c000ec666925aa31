"""The decoder language model: RMSNorm, SwiGLU, grouped-query attention and rotary positions.

Shapes: `T` tokens of a packed row, `D` width, `H` query heads, `K` key/value heads.
"""

from __future__ import annotations

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from vergence.inputs import Segments
from vergence.models.attention import packed_attention
from vergence.models.rope import rotate, rotation_1d
from vergence.presets import LanguageConfig


class Cache(Protocol):
    """What a decoder layer asks of a key/value cache (see `vergence.inference.cache`)."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Store the new keys and values `[T, K, head]`, attend `query` `[T, H, head]` to all stored so far."""
        ...


class DecoderLayer(nn.Module):
    """`x + attention(norm(x))`, then `x + swiglu(norm(x))`; attention is causal inside each sample."""

    def __init__(self, config: LanguageConfig, index: int) -> None:
        super().__init__()
        self.index = index
        self.heads, self.kv_heads = config.heads, config.kv_heads
        self.head_size = config.width // config.heads
        self.attention_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.qkv = nn.Linear(config.width, (config.heads + 2 * config.kv_heads) * self.head_size, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.mlp_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.gate_up = nn.Linear(config.width, 2 * config.mlp_width, bias=False)
        self.down = nn.Linear(config.mlp_width, config.width, bias=False)

    def forward(self, x: Tensor, rotation: Tensor, segments: Segments, cache: Cache | None) -> Tensor:
        """`x` `[T, D]` -> `[T, D]`."""
        heads = self.qkv(self.attention_norm(x)).unflatten(-1, (-1, self.head_size))
        turned, value = heads.split([self.heads + self.kv_heads, self.kv_heads], dim=1)
        query, key = rotate(turned, rotation).split([self.heads, self.kv_heads], dim=1)
        if cache is None:
            mixed = packed_attention(query, key, value, segments, causal=True)
        else:
            mixed = cache.attend(self.index, query, key, value)
        x = x + self.out(mixed.flatten(1))
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Decoder(nn.Module):
    """Token embeddings -> hidden states; `logits` turns hidden states into scores over the vocabulary.

    input_ids [T] -> embed -> [T, D] -> depth x DecoderLayer(RoPE, per sample) -> norm -> [T, D] -> head -> [T, vocab]
    """

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.width)
        self.layers = nn.ModuleList(DecoderLayer(config, index) for index in range(config.depth))
        self.norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.head = None if config.tied else nn.Linear(config.width, config.vocab_size, bias=False)

    def forward(self, x: Tensor, position_ids: Tensor, segments: Segments, cache: Cache | None = None) -> Tensor:
        """Embedded tokens `[T, D]` with positions `[T]` -> normed hidden states `[T, D]`."""
        config = self.config
        rotation = rotation_1d(position_ids, config.width // config.heads, config.rope_theta)
        for layer in self.layers:
            x = layer(x, rotation, segments, cache)
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """`[..., D]` -> `[..., vocab]`."""
        return F.linear(hidden, self.embed.weight if self.head is None else self.head.weight)
