"""Kimi-VL's rule against the published one written straight."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from vergence.errors import DataError
from vergence.presets import PRESETS
from vergence.processing.image import from_patches
from vergence.processing.limit import limited_grid, limited_size
from vergence.processing.views import plan_image, to_views

KIMI = PRESETS["kimi-vl-a3b"]
VISION, RULE = KIMI.vision, KIMI.processing
assert VISION is not None
SIDES = st.one_of(st.integers(1, 100), st.integers(1, 3000))


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def reference(image: Image.Image, limit: int) -> np.ndarray:
    """Pixels of the published rule (vLLM kimi_vl.py and the checkpoints' image processor): limit, then padding."""
    w, h = image.size
    if (w // 14) * (h // 14) > limit:
        scale = math.sqrt(limit / ((w // 14) * (h // 14)))
        image = image.resize((int(w * scale), int(h * scale)), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    below, right = (28 - image.height % 28) % 28, (28 - image.width % 28) % 28
    return np.pad(pixels, ((0, below), (0, right), (0, 0)))


@settings(max_examples=80, deadline=None)
@given(SIDES, SIDES, st.sampled_from([64, 300, 4096]))
@example(1, 1, 64)
@example(13, 3000, 64)
@example(3000, 14, 64)
@example(896, 896, 4096)
@example(897, 911, 4096)
@example(1000, 1000, 4096)
def test_pixels_and_tokens_are_those_of_the_published_rule(width: int, height: int, limit: int) -> None:
    rule = RULE.model_copy(update={"max_patches": limit})
    image = noise(width, height)
    expected = reference(image, limit)
    plan = plan_image(width, height, VISION, rule)
    (grid,) = plan.grids
    assert (grid[0] * 14, grid[1] * 14) == expected.shape[:2]
    assert plan.tokens == expected.shape[0] // 28 * (expected.shape[1] // 28)
    assert plan.rows == (expected.shape[1] // 28,) * (expected.shape[0] // 28)
    patches = to_views(image, plan, VISION, rule)
    assert np.array_equal(np.asarray(from_patches(patches, grid, 14, 2)), expected)


@given(st.integers(1, 30_000), st.integers(1, 30_000))
def test_nothing_is_enlarged_and_the_limit_holds_but_for_a_part_of_a_patch(width: int, height: int) -> None:
    w, h = limited_size(width, height, patch_size=14, max_patches=4096)
    assert 1 <= w <= width
    assert 1 <= h <= height
    across, down = width // 14, height // 14
    if across * down <= 4096:
        assert (w, h) == (width, height)
    else:  # the count takes no part of a patch, the size does, so a little more can be left
        assert (w // 14) * (h // 14) <= 4096 * (across + 1) * (down + 1) / (across * down)


def test_rounding_and_padding_may_pass_the_limit() -> None:
    assert limited_size(197, 4106, patch_size=14, max_patches=4096) == (196, 4102)
    rows, columns = limited_grid(897, 897, patch_size=14, merge_size=2, max_patches=4096)
    assert (rows, columns) == (66, 66)
    assert rows * columns > 4096


def test_a_side_of_512_patches_is_refused() -> None:
    assert limited_grid(510 * 14, 20, patch_size=14, merge_size=2, max_patches=4096) == (2, 510)
    for width, height in ((510 * 14 + 1, 20), (20, 511 * 14), (100_000, 1), (30_000, 150)):
        with pytest.raises(
            DataError, match=rf"image of {width}x{height} pixels.*fewer than 512 \(at most 7140 pixels\)"
        ):
            limited_grid(width, height, patch_size=14, merge_size=2, max_patches=4096)


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(DataError, match="image of 0x5 pixels: both sides must be at least 1"):
        limited_size(0, 5, patch_size=14, max_patches=4096)
