"""Packed attention: it agrees with the definition, and segments never see each other."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vergence.inputs import Segments
from vergence.models.attention import packed_attention

LENGTHS = [[5], [1], [1, 1, 1], [3, 3, 7, 1, 7, 7], [20, 23, 23, 22, 9, 8, 8], [200 - 1, 200, 200, 200 + 1, 2]]
HEADS = [(2, 2), (4, 2), (6, 1)]  # query heads, key/value heads


def make_heads(lengths: list[int], heads: int, kv_heads: int, size: int = 8, **kwargs: object) -> list[Tensor]:
    """Random query, key and value of a row."""
    generator = torch.Generator().manual_seed(sum(lengths) + heads)
    total = sum(lengths)
    return [torch.randn(total, n, size, generator=generator, **kwargs) for n in (heads, kv_heads, kv_heads)]


def dense(query: Tensor, key: Tensor, value: Tensor, lengths: list[int], *, causal: bool) -> Tensor:
    """The definition: one score matrix over the whole row, with a block-diagonal mask."""
    segment = torch.repeat_interleave(torch.tensor(lengths))
    allowed = segment[:, None] == segment[None, :]
    if causal:
        allowed &= torch.ones_like(allowed).tril()
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    scores = torch.einsum("thd,shd->hts", query, key) / math.sqrt(query.shape[-1])
    weights = scores.masked_fill(~allowed, float("-inf")).softmax(-1)
    return torch.einsum("hts,shd->thd", weights, value)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("heads", "kv_heads"), HEADS)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_equals_the_definition(lengths, heads, kv_heads, causal):
    query, key, value = make_heads(lengths, heads, kv_heads)
    found = packed_attention(query, key, value, Segments.from_lengths(lengths), causal=causal)
    assert found.shape == query.shape
    torch.testing.assert_close(found, dense(query, key, value, lengths, causal=causal), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_gradients_equal_those_of_the_definition(causal):
    lengths = [3, 3, 7, 1, 20, 24, 22, 200 + 2]
    ours, theirs = ([x.requires_grad_() for x in make_heads(lengths, 4, 2)] for _ in range(2))
    weight = torch.randn(sum(lengths), 4, 8)
    (packed_attention(*ours, Segments.from_lengths(lengths), causal=causal) * weight).sum().backward()
    (dense(*theirs, lengths, causal=causal) * weight).sum().backward()
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own.grad, other.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_gradients_are_those_of_finite_differences(causal):
    lengths = [2, 2, 1, 4, 5]
    inputs = [x.requires_grad_() for x in make_heads(lengths, 2, 1, size=2, dtype=torch.float64)]
    segments = Segments.from_lengths(lengths)
    assert torch.autograd.gradcheck(lambda q, k, v: packed_attention(q, k, v, segments, causal=causal), inputs)


def test_a_segment_of_one_token_is_its_own_value():
    query, key, value = make_heads([1, 4, 1], 2, 2)
    for causal in (True, False):
        found = packed_attention(query, key, value, Segments.from_lengths([1, 4, 1]), causal=causal)
        torch.testing.assert_close(found[[0, 5]], value[[0, 5]])


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("lengths", [[4, 4, 4], [6, 2, 9, 9, 1], [10, 12, 11, 9], [200, 200, 200 + 3]], ids=str)
def test_changing_one_segment_changes_no_other_at_all(lengths, causal):
    segments = Segments.from_lengths(lengths)
    query, key, value = make_heads(lengths, 4, 2)
    before = packed_attention(query, key, value, segments, causal=causal)
    for changed in range(len(lengths)):
        start, end = segments.cu_seqlens[changed : changed + 2].tolist()
        others = [x.clone() for x in (query, key, value)]
        for x in others:
            x[start:end] = 100 * torch.randn_like(x[start:end])
        after = packed_attention(*others, segments, causal=causal)
        assert not torch.equal(after[start:end], before[start:end])
        outside = torch.ones(sum(lengths), dtype=torch.bool)
        outside[start:end] = False
        assert torch.equal(after[outside], before[outside])


@pytest.mark.parametrize("causal", [True, False])
def test_not_even_nan_crosses_a_border(causal):
    lengths = [10, 12, 11, 12, 3]
    segments = Segments.from_lengths(lengths)
    inputs = make_heads(lengths, 4, 2)
    before = packed_attention(*inputs, segments, causal=causal)
    for changed, (start, end) in enumerate(zip(segments.cu_seqlens, segments.cu_seqlens[1:], strict=False)):
        leaves = [x.clone() for x in inputs]
        for x in leaves:
            x[start:end] = float("nan")
            x.requires_grad_()
        parts = packed_attention(*leaves, segments, causal=causal).split(lengths)
        assert all(
            torch.equal(a, b) for i, (a, b) in enumerate(zip(parts, before.split(lengths), strict=True)) if i != changed
        )
        torch.cat([part for i, part in enumerate(parts) if i != changed]).sum().backward()
        for x in leaves:
            assert x.grad is not None
            gradients = [part for i, part in enumerate(x.grad.split(lengths)) if i != changed]
            assert all(part.isfinite().all() for part in gradients)


def test_a_later_token_changes_no_earlier_one_where_causal():
    query, key, value = make_heads([9], 4, 2)
    segments = Segments.from_lengths([9])
    before = packed_attention(query, key, value, segments, causal=True)
    key[6:], value[6:] = 5.0, 7.0
    after = packed_attention(query, key, value, segments, causal=True)
    assert torch.equal(after[:6], before[:6])
    assert not torch.equal(after[6:], before[6:])
