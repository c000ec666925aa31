"""Multi-head latent attention: the absorbed form used in decoding gives what the expanded form gives."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vergence.inference.cache import KeyValueCache
from vergence.inputs import Segments
from vergence.model_config import LanguageConfig, LatentConfig
from vergence.models.language.attention import LatentAttention
from vergence.models.language.decoder import Decoder
from vergence.models.rope import rotate, rotation_1d

SIZES = [LatentConfig(kv_rank=16, nope_size=12, rope_size=8, value_size=10)]
SIZES += [LatentConfig(kv_rank=8, nope_size=4, rope_size=4, value_size=24)]  # values longer than keys
SIZES += [LatentConfig(kv_rank=24, nope_size=16, rope_size=2, value_size=18)]


def make_config(latent: LatentConfig) -> LanguageConfig:
    return LanguageConfig(
        vocab_size=61,
        width=32,
        depth=2,
        heads=4,
        kv_heads=4,
        mlp_width=48,
        tied=False,
        rope_theta=1000.0,
        latent=latent,
    )


def make_random(module: torch.nn.Module, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.normal_(std=0.25, generator=generator)
            if "norm" in name:
                weight.add_(1.0)


class NaiveCache:
    """One request's latent keys in a list, attended to with the definition of attention."""

    def __init__(self) -> None:
        self.keys: list[Tensor] = []
        self.decoding = 0
        self.prompts: Segments | None = None

    def extend(self, layer: int, query: Tensor, key: Tensor, value: Tensor | None, *, scale: float) -> Tensor:
        assert value is None
        self.keys.append(key[0, 0])
        keys = torch.stack(self.keys)
        return torch.softmax(scale * query[0] @ keys.T, dim=-1)[None] @ keys

    def store(self, layer: int, key: Tensor, value: Tensor | None) -> None:
        assert value is None
        self.keys += list(key[:, 0])


def by_definition(attention: LatentAttention, x: Tensor, theta: float) -> Tensor:
    """Every head's attention written out token by token (DeepSeek-V2, equations 9 to 19)."""
    sizes, heads = attention.latent, attention.heads
    outputs = []
    rotation = rotation_1d(torch.arange(len(x)), sizes.rope_size, theta)
    down = attention.kv_down(x)
    latent = attention.kv_norm(down[:, : sizes.kv_rank])
    rope_key = rotate(down[:, None, sizes.kv_rank :], rotation)[:, 0]
    up = attention.kv_up(latent).view(len(x), heads, -1)
    queries = attention.q(x).view(len(x), heads, -1)
    turned = rotate(queries[..., sizes.nope_size :], rotation)
    for t in range(len(x)):
        parts = []
        for head in range(heads):
            scores = torch.stack(
                [
                    queries[t, head, : sizes.nope_size] @ up[s, head, : sizes.nope_size] + turned[t, head] @ rope_key[s]
                    for s in range(t + 1)
                ]
            )
            weights = torch.softmax(scores / math.sqrt(sizes.nope_size + sizes.rope_size), dim=0)
            parts.append(sum(weights[s] * up[s, head, sizes.nope_size :] for s in range(t + 1)))
        outputs.append(torch.cat(parts))
    return attention.out(torch.stack(outputs))


@pytest.mark.parametrize("latent", SIZES, ids=lambda x: f"value{x.value_size}")
def test_attention_is_its_definition(latent):
    config = make_config(latent)
    attention = LatentAttention(config, latent, 0)
    make_random(attention)
    x = torch.randn(9, 32)
    rotation = rotation_1d(torch.arange(9), latent.rope_size, config.rope_theta)
    with torch.no_grad():
        found = attention(x, rotation, Segments.from_lengths([9]), None)
        torch.testing.assert_close(found, by_definition(attention, x, config.rope_theta), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("latent", SIZES, ids=lambda x: f"value{x.value_size}")
def test_absorbed_equals_expanded_with_a_naive_cache(latent):
    config = make_config(latent)
    attention = LatentAttention(config, latent, 0)
    make_random(attention)
    x = torch.randn(10, 32)
    rotation = rotation_1d(torch.arange(10), latent.rope_size, config.rope_theta)
    with torch.no_grad():
        expected = attention(x, rotation, Segments.from_lengths([10]), None)
        cache = NaiveCache()
        cache.prompts = Segments.from_lengths([4])
        found = [attention(x[:4], rotation[:4], cache.prompts, cache)]
        cache.prompts, cache.decoding = None, 1
        for t in range(4, 10):
            found.append(attention(x[t : t + 1], rotation[t : t + 1], Segments.from_lengths([1]), cache))
    torch.testing.assert_close(torch.cat(found), expected, atol=1e-5, rtol=1e-4)
    assert cache.keys[0].shape == (latent.kv_rank + latent.rope_size,), "nothing else is stored of a token"


@pytest.mark.parametrize("latent", SIZES, ids=lambda x: f"value{x.value_size}")
def test_decoding_with_the_cache_gives_the_states_of_whole_rows(latent):
    """Two requests of different lengths; the second joins while the first is decoding."""
    config = make_config(latent)
    decoder = Decoder(config)
    make_random(decoder)
    rows = {7: torch.randint(0, 61, (40,)), 3: torch.randint(0, 61, (12,))}
    starts, found = {7: 5, 3: 6}, {7: [], 3: []}
    cache = KeyValueCache(config, dtype=torch.float32, device=torch.device("cpu"))

    def step(joining: list[int]) -> None:
        done = {request: sum(map(len, found[request])) for request in rows}
        order = cache.begin([(request, starts[request]) for request in joining])
        parts = [(request, done[request], 1) for request in order]
        parts += [(request, 0, starts[request]) for request in joining]
        ids = torch.cat([rows[request][start : start + count] for request, start, count in parts])
        positions = torch.cat([torch.arange(start, start + count) for _, start, count in parts])
        counts = [count for _, _, count in parts]
        with torch.no_grad():
            hidden = decoder(decoder.embed(ids), positions, Segments.from_lengths(counts), cache)
        for (request, _, _), part in zip(parts, hidden.split(counts), strict=True):
            found[request].append(part)

    step([7])
    step([])
    step([3])
    for _ in range(6):
        step([])
    cache.release(3)
    while sum(map(len, found[7])) < 40:
        step([])
    with torch.no_grad():
        for request, ids in rows.items():
            whole = decoder(decoder.embed(ids), torch.arange(len(ids)), Segments.from_lengths([len(ids)]))
            states = torch.cat(found[request])
            assert len(states) in (12, 40)
            torch.testing.assert_close(states, whole[: len(states)], atol=1e-4, rtol=1e-4)


def test_the_cache_holds_the_latent_vector_and_the_rotary_key_alone():
    latent = SIZES[0]
    config = make_config(latent)
    cache = KeyValueCache(config, dtype=torch.float32, device=torch.device("cpu"))
    cache.begin([(0, 3)])
    (shelf,) = cache._shelves.values()
    assert shelf.values is None
    assert shelf.keys.shape == (2, 1, 1, shelf.capacity, 16 + 8)
