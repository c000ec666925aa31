"""What an image, or a frame of a video, becomes: its views, their tokens, and their pixels.

The one place where a family's rule is chosen (`ProcessingConfig.rule`). First a `Plan` from the size alone, which tells
grids, layouts and tokens; then the patches by that plan. Counting tokens and making them can't differ, since both ask
for the same plan.

Sizes are (width, height) in pixels, grids (rows, columns) in patches, p is the patch's side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from vergence.inputs import Layout
from vergence.model_config import ProcessingConfig, VisionConfig
from vergence.processing import anyres, limit
from vergence.processing.image import resize, to_patches
from vergence.processing.resize import grid_size
from vergence.processing.video import frame_size, timestamp


@dataclass(frozen=True, slots=True)
class Plan:
    """How one picture becomes views and tokens.

    `fit` says how it is brought to its views: `stretch` to the grid, `pad` (resized to `size`, then padded), `tiles`
    (a base view and tiles), `square` (padded to a square, one view) or `squash` (one view). `grids` are the patches of
    each view, `rows` how many visual tokens stand in each row (newlines counted), `layouts` as in `ModelInputs`, `lead`
    the text that stands before it.
    """

    fit: Literal["stretch", "pad", "tiles", "square", "squash"]
    grids: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]
    layouts: tuple[Layout, ...] = ()
    size: tuple[int, int] = (0, 0)
    lead: str = ""

    @property
    def tokens(self) -> int:
        """How many visual tokens it takes."""
        return sum(self.rows)


def plan_image(width: int, height: int, vision: VisionConfig, rule: ProcessingConfig, *, alone: bool = True) -> Plan:
    """The plan of an image of this size; `alone` is false where the conversation has other images.

    Only AnyRes asks whether it is alone: of several images each is padded to a square and takes one view, as in
    transformers (`batch_num_images`), where videos don't count. Raises `DataError` for a size that the rule refuses.
    """
    if rule.rule == "anyres":
        return _plan_anyres(width, height, vision, rule, alone=alone)
    p, m = vision.patch_size, vision.merge_size
    if rule.rule == "limit":
        size = limit.limited_size(width, height, patch_size=p, max_patches=rule.max_patches)
        grid = limit.limited_grid(width, height, patch_size=p, merge_size=m, max_patches=rule.max_patches)
        return _one_view("pad", grid, m, size=size)
    bounds = {"min_pixels": rule.min_pixels, "max_pixels": rule.max_pixels}
    return _one_view(
        "stretch", grid_size(width, height, patch_size=p, merge_size=m, max_aspect=rule.max_aspect, **bounds), m
    )


def plan_video(
    width: int, height: int, seconds: Sequence[float], level: int | None, vision: VisionConfig, rule: ProcessingConfig
) -> list[Plan]:
    """The plans of a video's chosen frames of this size, shown at `seconds`; `level` is the most tokens of a frame.

    Frames are images of their own, each with its time before it where the configuration asks for timestamps; under the
    native rule they keep within `level`. Under AnyRes each is one view of ceil(side / 2)^2 tokens, and without
    timestamps all frames stand in one plan. Raises `DataError` for a size that the rule refuses.
    """
    leads = [timestamp(second) if rule.video.timestamps else "" for second in seconds]
    if rule.rule == "anyres":
        side = rule.anyres.view // vision.patch_size
        counts = [1] * len(leads) if rule.video.timestamps else [len(leads)]
        layouts = [
            anyres.frame_layout(count, side=side, newline=i == len(counts) - 1) for i, count in enumerate(counts)
        ]
        return [_arranged("squash", [layout], lead) for layout, lead in zip(layouts, leads, strict=False)]
    if level is None or rule.rule != "native":
        one = plan_image(width, height, vision, rule)
    else:
        cell = vision.factor**2
        most = min(level, rule.max_pixels // cell)
        least = -(-rule.min_pixels // cell)
        across, down = frame_size(
            width, height, most, factor=vision.factor, min_tokens=least, max_aspect=rule.max_aspect
        )
        one = _one_view("stretch", (down // vision.patch_size, across // vision.patch_size), vision.merge_size)
    return [Plan(one.fit, one.grids, one.rows, size=one.size, lead=lead) for lead in leads]


def to_views(image: Image.Image, plan: Plan, vision: VisionConfig, rule: ProcessingConfig) -> np.ndarray:
    """The patches of a decoded picture by its plan: uint8 [P, p*p*3], view after view; of a video, one frame."""
    p, view = vision.patch_size, rule.anyres.view
    if plan.fit == "stretch":
        rows, columns = plan.grids[0]
        return to_patches(resize(image, (columns * p, rows * p)), p, vision.merge_size)
    if plan.fit == "pad":
        return to_patches(limit.limited(image, plan.size, plan.grids[0], p), p, vision.merge_size)
    if plan.fit == "tiles":
        grid = (plan.layouts[1].rows, plan.layouts[1].columns)
        views = [anyres.squashed(image, view), *anyres.tiles(image, grid, view)]
    else:
        views = [anyres.squared(image, view, rule.mean) if plan.fit == "square" else anyres.squashed(image, view)]
    whole = view // p * p
    return np.concatenate([to_patches(one.crop((0, 0, whole, whole)), p, 1) for one in views])


def _plan_anyres(width: int, height: int, vision: VisionConfig, rule: ProcessingConfig, *, alone: bool) -> Plan:
    side = rule.anyres.view // vision.patch_size
    tiles = anyres.tile_layout(width, height, side=side, rule=rule.anyres)
    if alone:
        return _arranged("tiles", [Layout(side), tiles])
    return _arranged("square", [Layout(side, newline="end")])


def _arranged(fit: Literal["tiles", "square", "squash"], layouts: Sequence[Layout], lead: str = "") -> Plan:
    """The plan of views that layouts arrange; each layout's `side` is that of its views."""
    grids = tuple((layout.side, layout.side) for layout in layouts for _ in range(layout.views))
    return Plan(fit, grids, tuple(row for layout in layouts for row in _token_rows(layout)), tuple(layouts), lead=lead)


def _token_rows(layout: Layout) -> list[int]:
    """Tokens in each row of a layout's maps; a newline belongs to the row that it ends."""
    height, width = layout.shape
    rows = [width + (layout.newline == "rows")] * (height * layout.count)
    rows[-1] += layout.newline == "end"
    return rows


def _one_view(
    fit: Literal["stretch", "pad"], grid: tuple[int, int], merge_size: int, size: tuple[int, int] = (0, 0)
) -> Plan:
    rows, columns = grid
    return Plan(fit, (grid,), (columns // merge_size,) * (rows // merge_size), size=size)
