"""The cache gives what attention over whole sequences gives, for any order of joining, growing and leaving."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from vergence.inference.cache import SMALLEST_SHELF, KeyValueCache
from vergence.inputs import Segments
from vergence.model_config import LanguageConfig, LatentConfig
from vergence.models.attention import packed_attention

CONFIG = LanguageConfig(vocab_size=8, width=32, depth=2, heads=4, kv_heads=2, mlp_width=8)


def make_cache() -> KeyValueCache:
    return KeyValueCache(CONFIG, dtype=torch.float32, device=torch.device("cpu"))


def attend(cache: KeyValueCache, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """What a decoder layer does with the cache, for one row."""
    n, outputs = cache.decoding, []
    if n:
        outputs.append(cache.extend(layer, query[:n], key[:n], value[:n], scale=query.shape[-1] ** -0.5))
    if cache.prompts is not None:
        cache.store(layer, key[n:], value[n:])
        outputs.append(packed_attention(query[n:], key[n:], value[n:], cache.prompts, causal=True))
    return torch.cat(outputs)


class Reference:
    """Every request's queries, keys and values of each layer, kept whole."""

    def __init__(self) -> None:
        self.past: dict[int, list[tuple[torch.Tensor, ...]]] = {}

    def check(self, cache: KeyValueCache, prompts: list[tuple[int, int]]) -> None:
        order = cache.begin(prompts)
        assert sorted(order) == sorted(self.past)
        lengths = [(request, 1) for request in order] + prompts
        total = sum(length for _, length in lengths)
        for layer in range(CONFIG.depth):
            row = torch.randn(total, 4, 8), torch.randn(total, 2, 8), torch.randn(total, 2, 8)
            given = attend(cache, layer, *row)
            pieces = zip(*(x.split([length for _, length in lengths]) for x in (*row, given)), strict=True)
            for (request, length), (query, key, value, got) in zip(lengths, pieces, strict=True):
                layers = self.past.setdefault(request, [(row[0][:0], row[1][:0], row[2][:0])] * CONFIG.depth)
                whole = tuple(torch.cat(pair) for pair in zip(layers[layer], (query, key, value), strict=True))
                layers[layer] = whole
                expected = packed_attention(*whole, Segments.from_lengths([len(whole[0])]), causal=True)[-length:]
                torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
        for request in self.past:
            assert cache.length(request) == len(self.past[request][0][0])


@pytest.mark.parametrize("seed", range(4))
def test_equals_whole_sequences(seed):
    rng, cache, reference = random.Random(seed), make_cache(), Reference()
    torch.manual_seed(seed)
    number = 0
    for _ in range(60):
        prompts = []
        for _ in range(rng.choice([0, 0, 0, 1, 3]) if reference.past else 2):
            prompts.append((number, rng.choice([1, 2, 30, 31, 32, 33, 63, 64, rng.randint(1, 140)])))
            number += 1
        reference.check(cache, prompts)
        for request in [r for r in list(reference.past) if rng.random() < 0.08]:
            cache.release(request)
            del reference.past[request]
    assert len(cache.live) == len(reference.past)


def test_crosses_capacities_one_token_at_a_time():
    cache, reference = make_cache(), Reference()
    reference.check(cache, [(7, 1)])
    for _ in range(4 * SMALLEST_SHELF):
        reference.check(cache, [])
    assert cache.length(7) == 4 * SMALLEST_SHELF + 1


def test_a_request_leaves_no_trace():
    """Values that are not numbers in one request must not reach another that later takes its row."""
    cache = make_cache()
    cache.begin([(0, 40), (1, 33)])
    for layer in range(CONFIG.depth):
        missing = torch.full((73, 2, 8), torch.nan)
        attend(cache, layer, torch.randn(73, 4, 8), missing, missing)
    cache.release(0)
    reference = Reference()
    reference.past[1] = [(torch.zeros(33, 4, 8),) + (torch.full((33, 2, 8), torch.nan),) * 2] * CONFIG.depth
    cache.release(1)
    del reference.past[1]
    reference.check(cache, [(2, 34), (3, 50)])
    reference.check(cache, [])


def test_memory_is_given_back():
    cache = make_cache()
    cache.begin([(i, 100) for i in range(20)])
    assert cache.bytes >= 20 * 100 * 2 * CONFIG.depth * 2 * 8 * 4
    for i in range(20):
        cache.release(i)
    assert cache.bytes == 0
    assert cache.live == []


def test_wrong_names_are_refused():
    cache = make_cache()
    cache.begin([(1, 3)])
    with pytest.raises(ValueError, match=r"\[1\] are in the cache already"):
        cache.begin([(1, 3)])
    with pytest.raises(KeyError, match="request 2"):
        cache.release(2)


def test_latent_keys_are_values_too():
    """Latent attention stores one shared vector a token; its first numbers are what is mixed."""
    sizes = LatentConfig(kv_rank=12, nope_size=6, rope_size=4, value_size=6)
    config = LanguageConfig(vocab_size=8, width=32, depth=2, heads=4, kv_heads=4, mlp_width=8, latent=sizes)
    cache = KeyValueCache(config, dtype=torch.float32, device=torch.device("cpu"))
    torch.manual_seed(0)
    lengths = {0: 40, 1: 33, 2: 5}
    past = {request: torch.randn(length, 1, 16) for request, length in lengths.items()}
    cache.begin(list(lengths.items()))
    for layer in range(config.depth):
        cache.store(layer, torch.cat(list(past.values())), None)
    assert cache.bytes == 2 * 4 * 16 * (2 * 64 + 32), "one vector of 16 a token and layer, in shelves of 64 and 32"
    for _ in range(30):
        order = cache.begin()
        query, key = torch.randn(3, 4, 16), torch.randn(3, 1, 16)
        for row, request in enumerate(order):
            past[request] = torch.cat([past[request], key[row][None]])
        for layer in range(config.depth):
            mixed = cache.extend(layer, query, key, None, scale=0.3)
            for row, request in enumerate(order):
                whole = past[request][:, 0]
                expected = (query[row] @ whole.T * 0.3).softmax(-1) @ whole
                torch.testing.assert_close(mixed[row, :, :12], expected[:, :12], atol=1e-5, rtol=1e-5)
