"""Seed1.5-VL's size rule: always inside its bounds, always near the image's own shape."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, inf, sqrt

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vergence.errors import DataError, UsageError
from vergence.processing.resize import grid_size, target_size, visual_tokens

SEED = {"factor": 28, "min_pixels": 4 * 784, "max_pixels": 5120 * 784, "max_aspect": inf}
SIDE = st.one_of(st.integers(1, 200), st.integers(1, 30_000))


def size(width: int, height: int, **changes: float) -> tuple[int, int]:
    return target_size(width, height, **{**SEED, **changes})  # type: ignore[arg-type]


@settings(max_examples=3000, deadline=None)
@given(SIDE, SIDE)
@example(1, 1)
@example(1, 5000)
@example(5000, 1)
@example(20_000, 30)
@example(30, 20_000)
@example(30_000, 30_000)
@example(300_000, 30)
def test_sides_are_multiples_inside_the_bounds_and_stable(width: int, height: int) -> None:
    w, h = size(width, height)
    assert w % 28 == 0
    assert h % 28 == 0
    assert min(w, h) >= 28
    assert 4 * 784 <= w * h <= 5120 * 784
    assert size(w, h) == (w, h)
    assert (w >= h) if width >= height else (h >= w)
    if width != height:
        assert size(height, width) == (h, w)


@settings(max_examples=2000, deadline=None)
@given(SIDE, SIDE, st.integers(1, 64), st.integers(0, 3000), st.integers(0, 3000))
@example(20_000, 30, 28, 1, 499)
@example(1, 5000, 28, 256, 0)
@example(84, 84, 28, 5, 0)
def test_any_feasible_bounds_are_met(width: int, height: int, factor: int, least: int, room: int) -> None:
    bounds = {"factor": factor, "min_pixels": least * factor**2, "max_pixels": (max(least, 1) + room) * factor**2}
    w, h = size(width, height, **bounds)
    assert w % factor == 0
    assert h % factor == 0
    assert bounds["min_pixels"] <= w * h <= bounds["max_pixels"]
    assert size(w, h, **bounds) == (w, h)


@settings(max_examples=2000, deadline=None)
@given(SIDE, SIDE)
def test_the_published_rule_holds_wherever_it_stays_inside_the_bounds(width: int, height: int) -> None:
    w, h = (max(28, round(Fraction(side, 28)) * 28) for side in (width, height))
    if w * h > SEED["max_pixels"]:
        beta = sqrt(width * height / SEED["max_pixels"])
        exact = [side / beta / 28 for side in (width, height)]
        w, h = (max(28, floor(x) * 28) for x in exact)
    elif w * h < SEED["min_pixels"]:
        beta = sqrt(SEED["min_pixels"] / (width * height))
        exact = [side * beta / 28 for side in (width, height)]
        w, h = (ceil(x) * 28 for x in exact)
    else:
        exact = []
    on_the_edge = any(abs(x - round(x)) < 1e-9 for x in exact)  # there the published floats may fall either way
    if not on_the_edge and SEED["min_pixels"] <= w * h <= SEED["max_pixels"]:
        assert size(width, height) == (w, h)


@settings(max_examples=2000, deadline=None)
@given(st.integers(56, 4000), st.integers(56, 4000))
def test_aspect_error_is_that_of_rounding_each_side(width: int, height: int) -> None:
    w, h = size(width, height)
    scale = sqrt(SEED["max_pixels"] / (width * height))
    if round(Fraction(width, 28)) * round(Fraction(height, 28)) <= 5120:
        assert abs(w - width) <= 14
        assert abs(h - height) <= 14
        low, high = (w - 14) / (h + 14), (w + 14) / (h - 14)
    else:  # shrunk to the limit and rounded down
        assert 0 <= width * scale - w < 28
        assert 0 <= height * scale - h < 28
        low, high = w / (h + 28), (w + 28) / h
    assert low <= width / height <= high


@pytest.mark.parametrize(("side", "expected"), [(28, 28), (41, 28), (42, 56), (43, 56), (69, 56), (70, 56), (71, 84)])
def test_ties_go_to_the_even_multiple(side: int, expected: int) -> None:
    assert size(side, 280) == (expected, 280)


@settings(max_examples=1000, deadline=None)
@given(st.integers(56, 1900), st.integers(56, 1900), st.integers(0, 100), st.integers(0, 100))
def test_a_larger_image_is_never_smaller_between_the_bounds(width: int, height: int, more: int, higher: int) -> None:
    small, large = size(width, height), size(width + more, height + higher)
    assert small[0] <= large[0]
    assert small[1] <= large[1]


def test_repairs_what_the_published_rule_breaks() -> None:
    room = 500 * 784
    assert size(20_000, 30, max_pixels=room) == (500 * 28, 28)
    assert size(30, 20_000, max_pixels=room) == (28, 500 * 28)
    assert size(1, 5000, min_pixels=256 * 784, max_pixels=1024 * 784) == (28, 1024 * 28)
    assert size(100, 100, min_pixels=5 * 784, max_pixels=5 * 784) == (5 * 28, 28)
    assert size(1, 1) == (56, 56)


@pytest.mark.parametrize(("width", "height"), [(1, 201), (201, 1), (1, 5000), (20_000, 30)])
def test_refuses_an_extreme_aspect_by_its_size(width: int, height: int) -> None:
    with pytest.raises(DataError, match=rf"{width}x{height} pixels: aspect ratio .* limit of 200"):
        size(width, height, max_aspect=200)
    assert size(200, 1, max_aspect=200)


def test_refuses_an_empty_image_and_impossible_bounds() -> None:
    with pytest.raises(DataError, match="0x7"):
        size(0, 7)
    with pytest.raises(UsageError, match="min_pixels 800 and max_pixels 1500"):
        size(10, 10, min_pixels=800, max_pixels=1500)


@settings(max_examples=500, deadline=None)
@given(SIDE, SIDE)
def test_grid_and_tokens_follow_from_the_size(width: int, height: int) -> None:
    limits = {name: value for name, value in SEED.items() if name != "factor"}
    rows, columns = grid_size(width, height, patch_size=14, merge_size=2, **limits)  # type: ignore[arg-type]
    w, h = size(width, height)
    assert (rows * 14, columns * 14) == (h, w)
    assert visual_tokens((rows, columns), 2) == w * h // 784


def test_tokens_of_a_grid_that_does_not_split_are_refused() -> None:
    with pytest.raises(ValueError, match="3x4"):
        visual_tokens((3, 4), 2)
