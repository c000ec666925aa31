"""Frames of videos under the native rule, and what a plan promises under every rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vergence.errors import DataError
from vergence.presets import PRESETS
from vergence.processing.image import from_patches
from vergence.processing.video import LEVELS
from vergence.processing.views import plan_image, plan_video, to_views

SEED, SEED_TINY = PRESETS["seed1.5-vl"], PRESETS["seed-tiny"]
assert SEED.vision is not None
SIDES = st.integers(1, 3000)
TINY = [PRESETS[name] for name in ("seed-tiny", "llava-onevision-tiny", "kimi-vl-tiny")]


@given(st.integers(1, 400), st.integers(1, 400), st.booleans(), st.sampled_from(TINY))
def test_a_plan_promises_the_patches_that_come_out(width, height, alone, model) -> None:
    if max(width, height) > 200 * min(width, height):
        return
    plan = plan_image(width, height, model.vision, model.processing, alone=alone)
    patches = to_views(Image.new("RGB", (width, height)), plan, model.vision, model.processing)
    assert patches.shape == (sum(rows * columns for rows, columns in plan.grids), 588)
    merged = sum(rows * columns for rows, columns in plan.grids) // model.vision.merge_size**2
    assert plan.tokens == (sum(layout.tokens for layout in plan.layouts) if plan.layouts else merged)


@given(st.integers(1, 400), st.integers(1, 400), st.booleans())
def test_only_anyres_asks_whether_an_image_is_alone(width, height, alone) -> None:
    if max(width, height) > 200 * min(width, height):
        return
    for model in (TINY[0], TINY[2]):
        first, second = (plan_image(width, height, model.vision, model.processing, alone=a) for a in (True, alone))
        assert first == second


@given(SIDES, SIDES, st.sampled_from(LEVELS))
def test_a_frame_keeps_within_its_level(width, height, level) -> None:
    if max(width, height) > 200 * min(width, height):
        return
    (plan,) = plan_video(width, height, [2.5], level, SEED.vision, SEED.processing)
    assert plan.tokens <= level
    assert plan.lead == "[2.5 second]"
    image = plan_image(width, height, SEED.vision, SEED.processing)
    if image.tokens <= level:
        assert plan.grids == image.grids


def test_frame_sizes_of_the_published_rule() -> None:
    """640x480: 23 x 17 = 391 cells fit in 640; for 256, sides / sqrt(307200 / 200704) = 517.3 x 388 are floored."""
    sizes = {level: plan_video(640, 480, [0.0], level, SEED.vision, SEED.processing)[0].grids[0] for level in LEVELS}
    assert sizes[640] == sizes[512] == (2 * 17, 2 * 23)
    assert sizes[256] == (2 * 13, 2 * 18)
    assert sizes[128] == (2 * 9, 2 * 13)


def test_a_frame_is_never_larger_than_an_image_may_be() -> None:
    (plan,) = plan_video(4000, 4000, [0.0], 640, SEED_TINY.vision, SEED_TINY.processing)
    assert plan.tokens == 64


def test_frames_without_times_have_no_lead() -> None:
    silent = SEED.processing.model_copy(
        update={"video": SEED.processing.video.model_copy(update={"timestamps": False})}
    )
    assert [plan.lead for plan in plan_video(64, 64, [0.0, 1.0], 128, SEED.vision, silent)] == ["", ""]


def test_a_frame_shows_the_pixels_of_its_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (84, 112, 3), dtype=np.uint8)
    frame = Image.fromarray(pixels)
    (plan,) = plan_video(112, 84, [0.0], 640, SEED.vision, SEED.processing)
    patches = to_views(frame, plan, SEED.vision, SEED.processing)
    assert np.array_equal(np.asarray(from_patches(patches, plan.grids[0], 14, 2)), pixels)


def test_a_thin_frame_is_refused() -> None:
    with pytest.raises(DataError, match="aspect ratio"):
        plan_video(2100, 10, [0.0], 640, SEED.vision, SEED.processing)
