"""RGB images to patches and back.

P patches of p x p pixels, R rows and C columns of patches, m the merge size (m x m patches make one visual token).

Patches stand in *block order*: visual tokens row by row, and within each its m x m patches row by row. The patches of
one token are neighbours, so that average pooling is `features.reshape(P // m**2, m**2, D).mean(1)`. For R, C = 2, 4:

```
0 1 | 4 5
2 3 | 6 7
```
"""

from __future__ import annotations

import numpy as np
from PIL import Image


def resize(image: Image.Image, size: tuple[int, int], *, bicubic: bool = False) -> Image.Image:
    """Resize to (width, height) pixels, antialiased where it shrinks; the same object if it fits already.

    Bilinear as in Seed1.5-VL's report, section 2.1.1 (its demo code resizes bicubic); LLaVA-OneVision and Kimi-VL ask
    for bicubic.
    """
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR)


def laid_on(
    image: Image.Image, size: tuple[int, int], corner: tuple[int, int], colour: tuple[int, int, int]
) -> Image.Image:
    """`image` with its left top `corner` on a canvas of `size` pixels in one RGB `colour`; the same object if equal."""
    if image.size == size:
        return image
    canvas = Image.new("RGB", size, colour)
    canvas.paste(image, corner)
    return canvas


def to_patches(image: Image.Image, patch_size: int, merge_size: int) -> np.ndarray:
    """uint8 [P, p*p*3] in block order, each patch flattened as (row, column, channel). Raises `ValueError`."""
    unit = patch_size * merge_size
    width, height = image.size
    if image.mode != "RGB" or width % unit or height % unit:
        raise ValueError(f"expected an RGB image with sides in multiples of {unit}, got {image.mode} {width}x{height}")
    m, p = merge_size, patch_size
    pixels = np.asarray(image).reshape(height // unit, m, p, width // unit, m, p, 3)
    return pixels.transpose(0, 3, 1, 4, 2, 5, 6).reshape(-1, p * p * 3)


def from_patches(patches: np.ndarray, grid: tuple[int, int], patch_size: int, merge_size: int) -> Image.Image:
    """The image whose `to_patches` is `patches` (uint8 [P, p*p*3]); grid is (rows, columns). Raises `ValueError`."""
    rows, columns = grid
    m, p = merge_size, patch_size
    if patches.shape != (rows * columns, p * p * 3) or rows % m or columns % m:
        raise ValueError(f"patches of shape {patches.shape} don't make a grid of {rows}x{columns} in groups of {m}x{m}")
    blocks = patches.reshape(rows // m, columns // m, m, m, p, p, 3).transpose(0, 2, 4, 1, 3, 5, 6)
    return Image.fromarray(np.ascontiguousarray(blocks.reshape(rows * p, columns * p, 3)))


def patch_coordinates(grid: tuple[int, int], merge_size: int) -> np.ndarray:
    """int64 [P, 2]: (row, column) in the grid of each patch, in block order; what 2D RoPE rotates by."""
    rows, columns = grid
    m = merge_size
    if rows % m or columns % m:
        raise ValueError(f"a grid of {rows}x{columns} patches doesn't split into {m}x{m} groups")
    index = np.arange(rows * columns, dtype=np.int64).reshape(rows // m, m, columns // m, m)
    return np.stack(np.divmod(index.transpose(0, 2, 1, 3).reshape(-1), columns), axis=1)
