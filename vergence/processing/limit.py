"""Kimi-VL's rule: an image keeps its size up to a number of patches, and is padded to whole visual tokens.

```
(w // p) * (h // p) patches > max_patches?  ─▶  both sides shrunk by one factor  ─▶  black to the right and below
```

Source: Kimi-VL report (arXiv 2504.07491), section 2.1; the image processor of its checkpoints, as vLLM's
`vllm/model_executor/models/kimi_vl.py` counts its tokens. Sizes are (width, height) in pixels, p is the patch's side.
"""

from __future__ import annotations

import math

from PIL import Image

from vergence.errors import DataError
from vergence.processing.image import laid_on, resize

MAX_SIDE = 512
"""MoonViT's 2D rotary positions are defined for fewer patches than this to a side."""


def limited_size(width: int, height: int, *, patch_size: int, max_patches: int) -> tuple[int, int]:
    """(width, height) before padding: the image's own, or shrunk by sqrt(max_patches / patches) and rounded down.

    Patches are counted whole, (width // p) * (height // p), so that an image thinner than a patch is never shrunk, and
    a few patches more than `max_patches` can be left. None is ever enlarged. Raises `DataError` for an empty image.
    """
    if min(width, height) < 1:
        raise DataError(f"image of {width}x{height} pixels: both sides must be at least 1")
    patches = (width // patch_size) * (height // patch_size)
    if patches <= max_patches:
        return width, height
    scale = math.sqrt(max_patches / patches)
    return max(1, int(width * scale)), max(1, int(height * scale))


def limited_grid(width: int, height: int, *, patch_size: int, merge_size: int, max_patches: int) -> tuple[int, int]:
    """(rows, columns) in patches after padding to multiples of `merge_size`; padding may pass `max_patches` a little.

    Raises `DataError` for an empty image, and for one with `MAX_SIDE` patches or more to a side.
    """
    size = limited_size(width, height, patch_size=patch_size, max_patches=max_patches)
    factor = patch_size * merge_size
    columns, rows = (-(-side // factor) * merge_size for side in size)
    if max(rows, columns) >= MAX_SIDE:
        raise DataError(
            f"image of {width}x{height} pixels: {rows} x {columns} patches, "
            f"a side must have fewer than {MAX_SIDE} (at most {(MAX_SIDE - 1) // merge_size * factor} pixels)"
        )
    return rows, columns


def limited(image: Image.Image, size: tuple[int, int], grid: tuple[int, int], patch_size: int) -> Image.Image:
    """The image resized (bicubic) to `size` and padded right and below with black to `grid` patches."""
    rows, columns = grid
    return laid_on(resize(image, size, bicubic=True), (columns * patch_size, rows * patch_size), (0, 0), (0, 0, 0))
