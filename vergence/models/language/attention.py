"""Attention of the decoder: grouped queries (Qwen, Llama), and DeepSeek's multi-head latent attention (Moonlight).

Shapes: `T` tokens of a packed row, `D` width, `H` query heads, `K` key/value heads, `E` size of a head's query and key,
`R` size of the cached latent vector.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vergence.inputs import Segments
from vergence.model_config import LanguageConfig, LatentConfig
from vergence.models.attention import packed_attention
from vergence.models.layers import Linear, RMSNorm
from vergence.models.rope import rotate


class Cache(Protocol):
    """What a decoder layer asks of a key/value cache (see `vergence.inference.cache`).

    A step's row holds one token for each of `decoding` requests that are stored already, then whole prompts with the
    borders `prompts`.
    """

    @property
    def decoding(self) -> int:
        """How many tokens at the front of the row continue a stored request."""
        ...

    @property
    def prompts(self) -> Segments | None:
        """The borders of the prompts behind them."""
        ...

    def extend(self, layer: int, query: Tensor, key: Tensor, value: Tensor | None, *, scale: float) -> Tensor:
        """Store one key `[K, E]` and value per decoding request, attend `query` `[decoding, H, E]` to all stored.

        Where `value` is None, the first numbers of each key are its value.
        """
        ...

    def store(self, layer: int, key: Tensor, value: Tensor | None) -> None:
        """Store the keys `[T, K, E]` and values of the prompts."""
        ...


class GroupedQueryAttention(nn.Module):
    """Causal attention in which `H / K` query heads share a key and value head (arXiv 2305.13245).

    x [T, D] -> qkv (bias: Qwen2) -> norm of each query and key (Qwen3) -> rotary -> attention -> out -> [T, D]
    """

    def __init__(self, config: LanguageConfig, index: int) -> None:
        super().__init__()
        self.index = index
        self.heads, self.kv_heads, self.size = config.heads, config.kv_heads, config.query_size
        self.qkv = Linear(config.width, (self.heads + 2 * self.kv_heads) * self.size, bias=config.qkv_bias)
        self.q_norm = RMSNorm(self.size, eps=config.norm_eps) if config.qk_norm else None
        self.k_norm = RMSNorm(self.size, eps=config.norm_eps) if config.qk_norm else None
        self.out = Linear(self.heads * self.size, config.width, bias=False)

    def forward(self, x: Tensor, rotation: Tensor, segments: Segments, cache: Cache | None) -> Tensor:
        """`x` `[T, D]` -> `[T, D]`."""
        heads = self.qkv(x).view(x.shape[0], -1, self.size)
        turned, value = torch.split_with_sizes(heads, [self.heads + self.kv_heads, self.kv_heads], dim=1)
        if self.q_norm is not None and self.k_norm is not None:
            query, key = turned.split([self.heads, self.kv_heads], dim=1)
            turned = torch.cat([self.q_norm(query), self.k_norm(key)], dim=1)
        query, key = torch.split_with_sizes(rotate(turned, rotation), [self.heads, self.kv_heads], dim=1)
        if cache is None:
            mixed = packed_attention(query, key, value, segments, causal=True)
        else:
            mixed = self._cached(query, key, value, cache)
        return self.out(mixed.flatten(1))

    def _cached(self, query: Tensor, key: Tensor, value: Tensor, cache: Cache) -> Tensor:
        scale, n = self.size**-0.5, cache.decoding
        if cache.prompts is None:
            return cache.extend(self.index, query, key, value, scale=scale)
        cache.store(self.index, key[n:], value[n:])
        mixed = packed_attention(query[n:], key[n:], value[n:], cache.prompts, causal=True)
        return torch.cat([cache.extend(self.index, query[:n], key[:n], value[:n], scale=scale), mixed]) if n else mixed


class LatentAttention(nn.Module):
    """Multi-head latent attention: a small vector per token, from which every head's key and value are made.

        x -> q [T, H, nope + rope]
        x -> kv_down -> latent [T, R] -> norm -> kv_up -> keys [T, H, nope], values [T, H, value]
                     -> rope key [T, 1, rope], one for all heads

    Whole rows are attended to in this *expanded* form. Decoding is done in the *absorbed* form: `kv_up` moves to the
    other side of the products, the cache holds latent and rope key alone (R + rope numbers a token instead of
    H (nope + rope + value)), and all heads attend to one shared key. Both are the same sums in another order.

    Source: DeepSeek-V2, arXiv 2405.04434, section 2.1 and appendix C, without the query's low rank, as Moonlight has
    it (arXiv 2502.16982).
    """

    def __init__(self, config: LanguageConfig, latent: LatentConfig, index: int) -> None:
        super().__init__()
        self.index, self.heads, self.latent = index, config.heads, latent
        self.query_size = config.query_size
        self.q = Linear(config.width, config.heads * self.query_size, bias=False)
        self.kv_down = Linear(config.width, latent.kv_rank + latent.rope_size, bias=False)
        self.kv_norm = RMSNorm(latent.kv_rank, eps=config.norm_eps)
        self.kv_up = Linear(latent.kv_rank, config.heads * (latent.nope_size + latent.value_size), bias=False)
        self.out = Linear(config.heads * latent.value_size, config.width, bias=False)

    def forward(self, x: Tensor, rotation: Tensor, segments: Segments, cache: Cache | None) -> Tensor:
        """`x` `[T, D]` -> `[T, D]`."""
        sizes = self.latent
        nope, rope = self.q(x).unflatten(-1, (self.heads, -1)).split([sizes.nope_size, sizes.rope_size], dim=-1)
        latent, rope_key = self.kv_down(x).split([sizes.kv_rank, sizes.rope_size], dim=-1)
        latent = self.kv_norm(latent)
        turned = rotate(torch.cat([rope, rope_key[:, None]], dim=1), rotation)
        rope, rope_key = turned.split([self.heads, 1], dim=1)
        if cache is None:
            return self.out(self.expanded(nope, rope, latent, rope_key, segments))
        n, outputs = cache.decoding, []
        key = torch.cat([latent[:, None], rope_key], dim=-1)
        if cache.prompts is not None:  # before the others attend, as they may to these
            cache.store(self.index, key[n:], None)
        if n:
            outputs.append(self.absorbed(nope[:n], rope[:n], key[:n], cache))
        if cache.prompts is not None:
            outputs.append(self.expanded(nope[n:], rope[n:], latent[n:], rope_key[n:], cache.prompts))
        return self.out(outputs[0] if len(outputs) == 1 else torch.cat(outputs))

    def expanded(self, nope: Tensor, rope: Tensor, latent: Tensor, rope_key: Tensor, segments: Segments) -> Tensor:
        """Attention with every head's own key and value: `[T, H, nope]`, `[T, H, rope]`, `[T, R]`, `[T, 1, rope]`."""
        sizes = self.latent
        key, value = self.kv_up(latent).unflatten(-1, (self.heads, -1)).split([sizes.nope_size, sizes.value_size], -1)
        query = torch.cat([nope, rope], dim=-1)
        key = torch.cat([key, rope_key.expand(-1, self.heads, -1)], dim=-1)
        # The attention kernels want values as long as keys; the zeros behind them come out as zeros.
        missing = max(0, self.query_size - sizes.value_size)
        mixed = packed_attention(query, key, F.pad(value, (0, missing)), segments, causal=True)
        return mixed[..., : sizes.value_size].flatten(1)

    def absorbed(self, nope: Tensor, rope: Tensor, key: Tensor, cache: Cache) -> Tensor:
        """One new token per request, `key` `[T, 1, R + rope]`: `kv_up`'s key half is applied to the query instead."""
        sizes = self.latent
        up = self.kv_up.weight.view(self.heads, sizes.nope_size + sizes.value_size, sizes.kv_rank)
        into_key, into_value = up.split([sizes.nope_size, sizes.value_size], dim=1)
        latent_query = torch.bmm(nope.transpose(0, 1), into_key).transpose(0, 1)
        query = torch.cat([latent_query, rope], dim=-1)
        mixed = cache.extend(self.index, query, key, None, scale=self.query_size**-0.5)[..., : sizes.kv_rank]
        if mixed.dtype == torch.bfloat16:  # on a CPU, four times as fast as the other way round; in fp32, half as fast
            return torch.bmm(into_value, mixed.permute(1, 2, 0)).permute(2, 0, 1).flatten(1)
        return torch.bmm(mixed.transpose(0, 1), into_value.transpose(1, 2)).transpose(0, 1).flatten(1)
