"""LLaVA-OneVision's AnyRes against transformers' own processor, and against the published formula written straight."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vergence.errors import DataError
from vergence.inputs import Layout
from vergence.model_config import AnyResConfig, ProcessingConfig, VisionConfig
from vergence.presets import PRESETS
from vergence.processing.anyres import best_grid, frame_layout, squared, tile_layout, tiles
from vergence.processing.image import from_patches
from vergence.processing.views import plan_image, plan_video, to_views

LLAVA = PRESETS["llava-onevision-0.5b"]
VISION, RULE = LLAVA.vision, LLAVA.processing
assert VISION is not None
ORIGINAL = RULE.model_copy(update={"anyres": AnyResConfig(rounding="original")})
TINY = PRESETS["llava-onevision-tiny"]
SIDES = st.one_of(st.integers(1, 60), st.integers(1, 5000))


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Coarse and fine noise, so that every filter and every border shows."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    large = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST)).astype(int)
    fine = rng.integers(-60, 61, (height, width, 3))
    return Image.fromarray(np.clip(large + fine, 0, 255).astype(np.uint8))


def tokens(width: int, height: int, *, view: int = 384, side: int = 27, grid: int = 6, cap: int = 9) -> tuple[int, int]:
    """The count by transformers' rounding and by LLaVA-NeXT's, written straight from the published code's rules."""
    fit: tuple[int, int] | None = None
    effective, wasted = 0, math.inf
    for high in range(view, view * grid + 1, view):
        for wide in range(view, view * grid + 1, view):
            scale = min(wide / width, high / height)
            use = min(int(width * scale) * int(height * scale), width * height)
            if use > effective or (use == effective and high * wide - use < wasted):
                effective, wasted, fit = use, high * wide - use, (high, wide)
    assert fit is not None
    counts = []
    for cut in (lambda x: int(round(x, 7)), int):
        rows, columns = fit[0] // view * side, fit[1] // view * side
        if width / height > columns / rows:
            rows -= (rows - cut(height * (columns / width))) // 2 * 2
        else:
            columns -= (columns - cut(width * (rows / height))) // 2 * 2
        times = math.sqrt(rows * columns / (cap * side * side))
        if times > 1.1:
            rows, columns = int(rows // times), int(columns // times)
        counts.append(side * side + rows * (columns + 1))
    return counts[0], counts[1]


def random_sizes(count: int, seed: int) -> Iterator[tuple[int, int]]:
    """Sizes whose longer side is up to 200 times the shorter, small and large ones alike."""
    rng = random.Random(seed)
    while count:
        width, height = (round(2 ** rng.uniform(0, 12.3)) for _ in range(2))
        if max(width, height) <= 200 * min(width, height):
            count -= 1
            yield width, height


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((336, 336), 1485),
        ((384, 384), 1485),
        ((640, 480), 2929),
        ((1024, 768), 4725),
        ((1920, 1080), 7269),
        ((1152, 1152), 7371),
        ((2304, 2304), 7371),
        ((977, 1180), 8765),
    ],
)
@pytest.mark.parametrize("rule", [RULE, ORIGINAL], ids=["hf", "original"])
def test_tokens_of_known_sizes(size: tuple[int, int], expected: int, rule: ProcessingConfig) -> None:
    assert plan_image(*size, VISION, rule).tokens == expected


def test_the_two_roundings_differ_where_they_should() -> None:
    assert tokens(1872, 832) == (7263, 7248)
    assert plan_image(1872, 832, VISION, RULE).tokens == 7263
    assert plan_image(1872, 832, VISION, ORIGINAL).tokens == 7248


def test_tokens_equal_the_published_formula_on_many_sizes() -> None:
    for width, height in random_sizes(20_000, 1):
        for rule, expected in zip((RULE, ORIGINAL), tokens(width, height), strict=True):
            layout = tile_layout(width, height, side=27, rule=rule.anyres)
            assert 729 + layout.tokens == expected, (width, height)


def test_plans_count_what_their_layouts_give() -> None:
    assert TINY.vision is not None
    for width, height in random_sizes(4000, 2):
        plan = plan_image(width, height, TINY.vision, TINY.processing)
        expected, _ = tokens(width, height, view=73, side=5, grid=3, cap=4)
        assert plan.tokens == sum(layout.tokens for layout in plan.layouts) == expected, (width, height)


@cache
def reference() -> Any:
    """transformers' image processor with the mean and deviation of LLaVA-OneVision's checkpoints."""
    name = "transformers.models.llava_onevision.image_processing_pil_llava_onevision"
    module = pytest.importorskip(name)
    return module.LlavaOnevisionImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3)


def pixels_of(patches: np.ndarray, views: int) -> np.ndarray:
    """Views `[N, 378, 378, 3]` uint8 from their patches."""
    return np.stack([np.asarray(from_patches(p, (27, 27), 14, 1)) for p in patches.reshape(views, 729, 588)])


def their_bytes(images: Any) -> np.ndarray:
    """The bytes that transformers makes of images before it normalises them; channels last, what is encoded of each."""
    plain = {"do_rescale": False, "do_normalize": False, "input_data_format": "channels_last"}
    return np.asarray(reference()(images=images, **plain)["pixel_values"][0]).transpose(0, 2, 3, 1)[:, :378, :378]


@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.5), (0.48145466, 0.26862954), (0.485, 0.229)])
def test_normalisation_of_every_byte_is_that_of_transformers(mean: float, std: float) -> None:
    processor = type(reference())(image_mean=[mean] * 3, image_std=[std] * 3)
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16).repeat(3, axis=0)
    theirs = processor.normalize(processor.rescale(image, 1 / 255), [mean] * 3, [std] * 3)
    ours = (torch.from_numpy(image).float() / 255).sub(torch.tensor(mean)).div(torch.tensor(std))
    assert np.array_equal(ours.numpy(), theirs)


def ours_of(image: Image.Image, *, alone: bool = True) -> np.ndarray:
    plan = plan_image(*image.size, VISION, RULE, alone=alone)
    return pixels_of(to_views(image, plan, VISION, RULE), len(plan.grids))


def test_normalised_views_are_bit_identical_to_transformers() -> None:
    rng = random.Random(6)
    for seed in range(12):
        image = noise(rng.randint(1, 900), rng.randint(1, 900), seed)
        theirs = np.asarray(reference()(images=image, input_data_format="channels_last")["pixel_values"][0])
        values = torch.from_numpy(ours_of(image)).float() / 255
        ours = values.sub(torch.tensor(RULE.mean)).div(torch.tensor(RULE.std)).permute(0, 3, 1, 2).numpy()
        assert np.array_equal(ours, theirs[:, :, :378, :378]), image.size


# Bytes are compared from here on, which is the same by the two tests above, and faster.
def test_views_of_small_images_are_bit_identical_to_transformers() -> None:
    rng = random.Random(3)
    for seed in range(420):
        image = noise(rng.randint(1, 384), rng.randint(1, 384), seed)
        assert np.array_equal(ours_of(image), their_bytes(image)), image.size


def test_views_of_larger_and_thin_images_are_bit_identical_to_transformers() -> None:
    rng = random.Random(4)
    sizes = [(rng.randint(1, 900), rng.randint(1, 900)) for _ in range(70)]
    thin = [(1, 1), (1, 200), (200, 1), (2, 2), (3, 3), (1, 3), (3, 1), (1500, 8), (8, 1500), (767, 385), (384, 768)]
    for seed, size in enumerate([*sizes, *thin, (977, 1180), (2400, 1300)]):
        image = noise(*size, seed)
        assert np.array_equal(ours_of(image), their_bytes(image)), size


def test_each_of_several_images_is_bit_identical_to_transformers() -> None:
    rng = random.Random(5)
    sizes = [(rng.randint(1, 600), rng.randint(1, 600)) for _ in range(60)]
    sizes += [(1, 1), (1, 300), (300, 1), (384, 384), (1900, 700), (700, 1900), (5, 900), (900, 4)]
    for seed, size in enumerate(sizes):
        image = noise(*size, seed)
        assert np.array_equal(ours_of(image, alone=False), their_bytes([[image, Image.new("RGB", (2, 1))]])), size
        assert plan_image(*size, VISION, RULE, alone=False).tokens == 730


def test_the_colour_around_one_of_several_images_is_the_mean() -> None:
    mean = (0.48145466, 0.4578275, 0.40821073)
    view = np.asarray(squared(Image.new("RGB", (10, 2), (255, 0, 0)), 20, mean))
    assert view[0, 0].tolist() == view[-1, -1].tolist() == [122, 116, 104]
    assert view[10, 10].tolist() == [255, 0, 0]


def test_the_square_of_a_very_thin_image_costs_no_memory() -> None:
    view = np.asarray(squared(Image.new("RGB", (60_000, 2), (255, 0, 0)), 10, (0.5, 0.5, 0.5)))  # its square: 10 GB
    assert view.shape == (10, 10, 3)
    assert (view[0] == 127).all()


@given(SIDES, SIDES)
def test_layouts_and_views_fit_together(width: int, height: int) -> None:
    assert TINY.vision is not None
    rule = TINY.processing.anyres
    plan = plan_image(width, height, TINY.vision, TINY.processing)
    base, tiled = plan.layouts
    assert base == Layout(5)
    assert (tiled.rows, tiled.columns) == best_grid(width, height, view=rule.view, grid=rule.grid)
    assert len(plan.grids) == 1 + tiled.rows * tiled.columns <= 10
    assert set(plan.grids) == {(5, 5)}
    assert min(tiled.shape) >= 1
    if tiled.crop:
        top, left, high, wide = tiled.crop
        assert (top * 2 + high, left * 2 + wide) == (tiled.rows * 5, tiled.columns * 5)
    assert tiled.shape[0] * tiled.shape[1] <= 1.21 * 4 * 25
    assert sum(plan.rows) == base.tokens + tiled.tokens


@given(SIDES, SIDES, st.integers(1, 3))
def test_something_is_left_of_every_image(width: int, height: int, half: int) -> None:
    rule = AnyResConfig(view=28 * half, grid=4, max_views=1)
    layout = tile_layout(width, height, side=2 * half, rule=rule)
    assert min(layout.shape) >= 1
    assert layout.tokens >= 2


def test_without_a_cap_nothing_is_shrunk() -> None:
    free = AnyResConfig(max_views=0)
    assert tile_layout(2304, 2304, side=27, rule=free) == Layout(27, 6, 6, newline="rows")
    assert tile_layout(2304, 2304, side=27, rule=AnyResConfig()).size == (81, 81)


def test_tiles_lie_row_by_row_and_the_image_lies_in_their_middle() -> None:
    image = Image.new("RGB", (40, 20), (255, 0, 0))
    views = tiles(image, (2, 2), 10)
    assert [view.size for view in views] == [(10, 10)] * 4
    rows = [np.hstack([np.asarray(view) for view in views[start : start + 2]]) for start in (0, 2)]
    whole = np.vstack(rows)
    assert (whole[5:15] == [255, 0, 0]).all()
    assert not whole[:5].any()
    assert not whole[15:].any()


def test_frames_of_a_video_are_one_run_with_one_newline() -> None:
    (plan,) = plan_video(640, 480, [0.0, 1.5, 3.0], None, VISION, RULE)
    assert plan.layouts == (Layout(27, count=3, size=(14, 14), newline="end"),)
    assert plan.tokens == 196 * 3 + 1
    assert plan.grids == ((27, 27),) * 3
    assert plan.lead == ""
    assert frame_layout(32, side=27).tokens == 6273


def test_frames_with_times_are_runs_of_their_own() -> None:
    timed = RULE.model_copy(update={"video": RULE.video.model_copy(update={"timestamps": True})})
    plans = plan_video(640, 480, [0.0, 1.5], None, VISION, timed)
    assert [plan.lead for plan in plans] == ["[0.0 second]", "[1.5 second]"]
    assert [plan.tokens for plan in plans] == [196, 197]


def test_a_frame_is_squashed_into_its_view() -> None:
    frame = noise(100, 30)
    (plan,) = plan_video(100, 30, [0.0], None, VISION, RULE)
    view = frame.resize((384, 384), Image.Resampling.BICUBIC).crop((0, 0, 378, 378))
    assert np.array_equal(pixels_of(to_views(frame, plan, VISION, RULE), 1)[0], np.asarray(view))


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(DataError, match="image of 0x5 pixels: both sides must be at least 1"):
        best_grid(0, 5, view=384, grid=6)


def test_a_view_is_cut_where_patches_end() -> None:
    vision = VisionConfig(patch_size=4, merge_size=1, width=16, depth=1, heads=2, mlp_width=16)
    rule = ProcessingConfig(rule="anyres", anyres=AnyResConfig(view=10, grid=1))
    image = noise(10, 10)
    base = to_views(image, plan_image(10, 10, vision, rule), vision, rule)[:4]
    assert np.array_equal(np.asarray(from_patches(base, (2, 2), 4, 1)), np.asarray(image)[:8, :8])
