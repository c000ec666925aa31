"""LLaVA-OneVision's AnyRes: a whole view of an image, and tiles of it in the grid of views that fits it best.

```
one image ──▶ squashed to one view ──────────────────────────────▶ base view    side x side tokens
          └─▶ best grid ─▶ resized inside it, centred on black ─▶ tiles ─▶ one map ─▶ unpadded ─▶ capped ─▶ newlines
several images ─▶ each padded to a square, one view, a newline at its end
video ─▶ each frame squashed to one view, ceil(side / 2) x ceil(side / 2) tokens, a newline at the end of the last
```

Sizes are (width, height) in pixels, grids (rows, columns) of views. A view of v pixels has side = v // p patches of p
pixels to a side; what is left over at its right and lower border isn't encoded. The order of the operations on floats
is that of the sources, because a last bit decides where one token more or less comes out.

Source: LLaVA-OneVision report (arXiv 2408.03326), section 3.1 and figure 3; LLaVA-VL/LLaVA-NeXT `llava/mm_utils.py`,
`llava/model/llava_arch.py`; transformers `models/llava_onevision`.
"""

from __future__ import annotations

import math

from PIL import Image

from vergence.errors import DataError
from vergence.inputs import Layout
from vergence.model_config import AnyResConfig
from vergence.processing.image import laid_on, resize

_BAND = 256  # rows of a padded image that are in memory at a time


def best_grid(width: int, height: int, *, view: int, grid: int) -> tuple[int, int]:
    """(rows, columns) of tiles for an image: at most `grid` to a side, each `view` x `view` pixels.

    The grid that keeps most of the image's pixels, and of equal ones the one that wastes the fewest of its own; of
    equal ones again the first, row counts outermost. Source: `select_best_resolution`. Raises `DataError` for an empty
    image.
    """
    if min(width, height) < 1:
        raise DataError(f"image of {width}x{height} pixels: both sides must be at least 1")
    best, most, least = (1, 1), -1, 0
    for rows in range(1, grid + 1):
        for columns in range(1, grid + 1):
            target_width, target_height = columns * view, rows * view
            scale = min(target_width / width, target_height / height)
            kept = min(int(width * scale) * int(height * scale), width * height)
            wasted = target_width * target_height - kept
            if kept > most or (kept == most and wasted < least):
                best, most, least = (rows, columns), kept, wasted
    return best


def fitted_size(width: int, height: int, target: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of an image that fills `target` in one direction, rounded up in the other (`resize_and_pad`)."""
    across, down = target[0] / width, target[1] / height
    if across < down:
        return target[0], min(math.ceil(height * across), target[1])
    return min(math.ceil(width * down), target[0]), target[1]


def tile_layout(width: int, height: int, *, side: int, rule: AnyResConfig) -> Layout:
    """How the tiles of an image become one map: without the padding, capped, a newline after each row.

    Unpadding (`unpad_image`) computes the image's share of the map from its own aspect ratio; an odd row or column
    stays. Where the map then holds more than the tokens of `rule.max_views` views, by more than 1.1 to a side, it is
    shrunk to those. Our repair, where the sources would leave nothing: at least one row and one column stay.
    """
    rows, columns = best_grid(width, height, view=rule.view, grid=rule.grid)
    high, wide = rows * side, columns * side
    top = left = 0
    if width / height > wide / high:
        top = _padding(high, _rounded(height * (wide / width), rule))
    else:
        left = _padding(wide, _rounded(width * (high / height), rule))
    crop = (top, left, high - 2 * top, wide - 2 * left)
    size = None
    if rule.max_views:
        times = math.sqrt(crop[2] * crop[3] / (rule.max_views * side**2))
        if times > 1.1:
            size = (max(1, int(crop[2] // times)), max(1, int(crop[3] // times)))
    return Layout(side, rows, columns, crop=crop if top or left else None, size=size, newline="rows")


def _rounded(share: float, rule: AnyResConfig) -> int:
    return int(round(share, 7)) if rule.rounding == "hf" else int(share)


def _padding(whole: int, share: int) -> int:
    """Rows or columns of padding on each side; never all of them."""
    return min((whole - share) // 2, (whole - 1) // 2)


def tiles(image: Image.Image, grid: tuple[int, int], view: int) -> list[Image.Image]:
    """The image resized (bicubic) into a grid of views, centred on black, and cut into them, row by row."""
    rows, columns = grid
    target = (columns * view, rows * view)
    size = fitted_size(*image.size, target)
    corner = ((target[0] - size[0]) // 2, (target[1] - size[1]) // 2)
    canvas = laid_on(resize(image, size, bicubic=True), target, corner, (0, 0, 0))
    corners = [(column * view, row * view) for row in range(rows) for column in range(columns)]
    return [canvas.crop((x, y, x + view, y + view)) for x, y in corners]


def squashed(image: Image.Image, view: int) -> Image.Image:
    """The whole image as one view (bicubic); its aspect ratio isn't kept, which is part of the published rule."""
    return resize(image, (view, view), bicubic=True)


def squared(image: Image.Image, view: int, mean: tuple[float, float, float]) -> Image.Image:
    """The image centred on a square of its longer side in the mean colour, int(255 * mean), resized to one view.

    Source: `expand2square`. A thin image's square can take gigabytes, so it is never made: bands of rows are padded and
    resized across, and what they give is resized down. Pillow's own two passes do the same, to the bit.
    """
    side = max(image.size)
    left, top = (side - image.width) // 2, (side - image.height) // 2
    red, green, blue = (int(value * 255) for value in mean)
    colour = (red, green, blue)
    narrow = Image.new("RGB", (view, side), colour)
    for start in range(0, image.height, _BAND):
        band = image.crop((0, start, image.width, min(start + _BAND, image.height)))
        wide = laid_on(band, (side, band.height), (left, 0), colour)
        narrow.paste(resize(wide, (view, band.height), bicubic=True), (0, top + start))
    return squashed(narrow, view)


def frame_layout(frames: int, *, side: int, newline: bool = True) -> Layout:
    """`frames` views of a video, each halved to ceil(side / 2) tokens a side (`get_2dPool`), a newline at their end."""
    half = -(-side // 2)
    return Layout(side, count=frames, size=(half, half), newline="end" if newline else "none")
