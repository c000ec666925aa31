"""Rotary positions: what attention scores may depend on, and what a rotation may not do."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vergence.models.rope import rotate, rotation_1d, rotation_2d

SIZES = st.sampled_from([4, 8, 32, 64])
THETAS = st.sampled_from([100.0, 10_000.0, 1_000_000.0])
PLACES = st.integers(0, 300)
SEEDS = st.integers(0, 2**32)


def make(seed: int, tokens: int, size: int, heads: int = 2) -> Tensor:
    return torch.randn(tokens, heads, size, generator=torch.Generator().manual_seed(seed))


def turned(x: Tensor, places: list[int] | list[tuple[int, int]], theta: float) -> Tensor:
    """`x` rotated to places on a line (whole numbers) or in a grid (pairs)."""
    positions = torch.tensor(places)
    rotation = rotation_1d if positions.ndim == 1 else rotation_2d
    return rotate(x, rotation(positions, x.shape[-1], theta))


def scores(query: Tensor, key: Tensor) -> Tensor:
    return torch.einsum("thd,shd->hts", query, key)


def oracle(x: Tensor, angles: Tensor) -> Tensor:
    """Every pair multiplied by its own 2x2 rotation matrix, in double precision; `angles` `[T, D/2]`."""
    x, angles = x.double(), angles.double()
    matrix = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], dim=-1).unflatten(-1, (2, 2))
    return torch.einsum("tpij,thpj->thpi", matrix, x.unflatten(-1, (-1, 2))).flatten(-2)


@given(SEEDS, SIZES, THETAS, st.lists(PLACES, min_size=3, max_size=3), PLACES)
def test_scores_depend_on_the_relative_position_only(seed, size, theta, places, shift):
    query, key = make(seed, 3, size), make(seed + 1, 3, size)
    here = scores(turned(query, places, theta), turned(key, places, theta))
    moved = [place + shift for place in places]
    there = scores(turned(query, moved, theta), turned(key, moved, theta))
    torch.testing.assert_close(here, there, atol=2e-3, rtol=1e-4)


@given(SEEDS, SIZES, THETAS, st.lists(st.tuples(PLACES, PLACES), min_size=3, max_size=3), PLACES, PLACES)
def test_scores_in_a_grid_depend_on_relative_rows_and_columns_only(seed, size, theta, places, down, right):
    query, key = make(seed, 3, size), make(seed + 1, 3, size)
    here = scores(turned(query, places, theta), turned(key, places, theta))
    moved = [(row + down, column + right) for row, column in places]
    there = scores(turned(query, moved, theta), turned(key, moved, theta))
    torch.testing.assert_close(here, there, atol=2e-3, rtol=1e-4)


def test_scores_do_depend_on_the_relative_position():
    query, key = make(1, 1, 32), make(2, 1, 32)
    line = [scores(turned(query, [5], 1e4), turned(key, [5 + n], 1e4)) for n in range(4)]
    grid = [scores(turned(query, [(5, 5)], 1e4), turned(key, [place], 1e4)) for place in [(5, 5), (6, 5), (5, 6)]]
    for values in (line, grid):
        assert all(not torch.allclose(a, b, atol=1e-3) for i, a in enumerate(values) for b in values[:i])


@given(SEEDS, SIZES, THETAS)
def test_position_zero_is_the_identity(seed, size, theta):
    x = make(seed, 2, size)
    assert torch.equal(turned(x, [0, 0], theta), x)
    assert torch.equal(turned(x, [(0, 0), (0, 0)], theta), x)


@given(SEEDS, SIZES, THETAS, st.lists(st.tuples(PLACES, PLACES), min_size=2, max_size=2))
def test_norms_stay(seed, size, theta, places):
    x = make(seed, 2, size)
    torch.testing.assert_close(turned(x, places, theta).norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(turned(x, [row for row, _ in places], theta).norm(dim=-1), x.norm(dim=-1))


@given(SEEDS, SIZES, PLACES, PLACES, st.integers(1, 300))
def test_rows_and_columns_are_independent(seed, size, row, column, step):
    x = make(seed, 1, size)
    half = size // 2
    here = turned(x, [(row, column)], 1e4)
    right = turned(x, [(row, column + step)], 1e4)
    below = turned(x, [(row + step, column)], 1e4)
    assert torch.equal(here[..., :half], right[..., :half]), "the first half turns with the row alone"
    assert torch.equal(here[..., half:], below[..., half:]), "the second half turns with the column alone"
    assert not torch.equal(here[..., half:], right[..., half:])
    assert not torch.equal(here[..., :half], below[..., :half])


@given(SEEDS, SIZES, THETAS, st.lists(st.integers(0, 64), min_size=2, max_size=2))
def test_equals_rotation_matrices(seed, size, theta, places):
    x = make(seed, 2, size)
    frequency = torch.tensor([theta ** (-2 * i / size) for i in range(size // 2)], dtype=torch.float64)
    angles = torch.tensor(places, dtype=torch.float64)[:, None] * frequency
    torch.testing.assert_close(turned(x, places, theta).double(), oracle(x, angles), atol=1e-4, rtol=1e-4)


@given(SEEDS, SIZES, THETAS, st.lists(st.tuples(st.integers(0, 64), st.integers(0, 64)), min_size=2, max_size=2))
def test_in_a_grid_equals_rotation_matrices(seed, size, theta, places):
    x = make(seed, 2, size)
    frequency = torch.tensor([theta ** (-4 * i / size) for i in range(size // 4)], dtype=torch.float64)
    where = torch.tensor(places, dtype=torch.float64)
    angles = torch.cat([where[:, :1] * frequency, where[:, 1:] * frequency], dim=1)
    torch.testing.assert_close(turned(x, places, theta).double(), oracle(x, angles), atol=1e-4, rtol=1e-4)


def test_half_precision_is_rotated_in_single_precision():
    x = make(3, 4, 32)
    places = [0, 1, 900, 4000]
    found = turned(x.bfloat16(), places, 1e4)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, turned(x.bfloat16().float(), places, 1e4).bfloat16())
