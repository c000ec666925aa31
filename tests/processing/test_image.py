"""Resizing, and patches in block order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vergence.processing.image import from_patches, laid_on, patch_coordinates, resize, to_patches

CELLS = st.integers(1, 5)


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


@settings(max_examples=150, deadline=None)
@given(CELLS, CELLS, st.integers(1, 6), st.integers(1, 3))
def test_each_patch_is_the_square_that_its_coordinates_name(rows: int, columns: int, patch: int, merge: int) -> None:
    grid = (rows * merge, columns * merge)
    image = noise(grid[1] * patch, grid[0] * patch)
    pixels = np.asarray(image)
    patches, places = to_patches(image, patch, merge), patch_coordinates(grid, merge)
    assert patches.dtype == np.uint8
    assert places.dtype == np.int64
    assert patches.shape == (grid[0] * grid[1], patch * patch * 3)
    assert places.shape == (len(patches), 2)
    for values, (row, column) in zip(patches, places, strict=True):
        square = pixels[row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
        assert np.array_equal(values, square.reshape(-1))
    assert np.array_equal(np.asarray(from_patches(patches, grid, patch, merge)), pixels)


@given(CELLS, CELLS, st.integers(1, 3))
def test_the_patches_of_a_visual_token_are_neighbours(rows: int, columns: int, merge: int) -> None:
    places = patch_coordinates((rows * merge, columns * merge), merge)
    tokens = places.reshape(rows * columns, merge * merge, 2) // merge
    assert (tokens == tokens[:, :1]).all()
    assert [tuple(token) for token in tokens[:, 0]] == [(r, c) for r in range(rows) for c in range(columns)]


def test_block_order_of_the_documented_example() -> None:
    assert patch_coordinates((2, 4), 2).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [0, 2], [0, 3], [1, 2], [1, 3]]


def test_resize_is_bilinear_and_skips_a_matching_size() -> None:
    image = noise(60, 40)
    assert resize(image, (60, 40)) is image
    small = resize(image, (28, 56))
    assert small.size == (28, 56)
    assert small.tobytes() == image.resize((28, 56), Image.Resampling.BILINEAR).tobytes()


def test_resize_is_bicubic_where_that_is_asked_for() -> None:
    image = noise(60, 40)
    assert resize(image, (60, 40), bicubic=True) is image
    cubic = resize(image, (28, 56), bicubic=True)
    assert cubic.tobytes() == image.resize((28, 56), Image.Resampling.BICUBIC).tobytes()
    assert cubic.tobytes() != resize(image, (28, 56)).tobytes()


def test_an_image_lies_on_its_canvas_at_its_corner() -> None:
    image = noise(6, 4)
    assert laid_on(image, (6, 4), (0, 0), (9, 8, 7)) is image
    canvas = np.asarray(laid_on(image, (10, 9), (1, 3), (9, 8, 7)))
    expected = np.full((9, 10, 3), (9, 8, 7), dtype=np.uint8)
    expected[3:7, 1:7] = np.asarray(image)
    assert np.array_equal(canvas, expected)


def test_resize_antialiases() -> None:
    stripes = np.zeros((28, 280, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    small = np.asarray(resize(Image.fromarray(stripes), (28, 28)))
    assert abs(small.astype(int) - 127).max() < 20


def test_wrong_shapes_are_refused_with_their_numbers() -> None:
    with pytest.raises(ValueError, match="multiples of 28, got RGB 30x28"):
        to_patches(noise(30, 28), 14, 2)
    with pytest.raises(ValueError, match="got L 28x28"):
        to_patches(Image.new("L", (28, 28)), 14, 2)
    with pytest.raises(ValueError, match="grid of 2x4"):
        from_patches(np.zeros((4, 588), dtype=np.uint8), (2, 4), 14, 2)
    with pytest.raises(ValueError, match="3x2"):
        patch_coordinates((3, 2), 2)
