"""Seed1.5-VL's native-resolution rule: which size an image is resized to, and so how many tokens it costs.

Plain integer arithmetic, no floats: the same numbers everywhere, so that a count made from a header equals what the
model later produces. Sizes are (width, height) in pixels; grids are (rows, columns) in patches.
"""

from __future__ import annotations

from math import isqrt

from vergence.errors import DataError, UsageError


def target_size(
    width: int, height: int, *, factor: int, min_pixels: int, max_pixels: int, max_aspect: float
) -> tuple[int, int]:
    """(width, height) to resize to: multiples of `factor` whose area lies in [min_pixels, max_pixels].

    The published rule (Seed1.5-VL report section 2.1.1; ByteDance-Seed/Seed1.5-VL GradioDemo/infer.py):
      1. each side goes to the nearest multiple of `factor`, at least one; a tie to the even multiple (42 of 28 -> 56,
         70 -> 56), as Python's `round` does;
      2. area > max_pixels: both original sides are divided by sqrt(width * height / max_pixels) and rounded down;
      3. area < min_pixels: both are multiplied by sqrt(min_pixels / (width * height)) and rounded up.

    Our repair: in 2 and 3 a side that is lifted to one factor, or rounded, can push the area out of the bounds again
    (20000x30 with room for 500 cells would get 577x1). Then the result is the pair of sides inside the bounds whose
    aspect ratio is nearest to the image's, the larger of two equally near.

    A landscape never turns into a portrait or the reverse. Applied to its own result it changes nothing (that result's
    aspect can pass `max_aspect` by the rounding of its short side, so apply it there without that limit).
    Raises `DataError` for an empty image or one with long / short side > max_aspect, `UsageError` where no multiple of
    factor * factor lies within the bounds.
    """
    if min(width, height) < 1:
        raise DataError(f"image of {width}x{height} pixels: both sides must be at least 1")
    if max(width, height) > max_aspect * min(width, height):
        ratio = f"{max(width, height) / min(width, height):.6g}"
        raise DataError(f"image of {width}x{height} pixels: aspect ratio {ratio}, more than the limit of {max_aspect}")
    cell = factor * factor
    least, most = max(1, -(-min_pixels // cell)), max_pixels // cell
    if least > most:
        raise UsageError(
            f"no image size fits: no multiple of {factor}x{factor} = {cell} pixels lies between "
            f"min_pixels {min_pixels} and max_pixels {max_pixels}"
        )
    columns, rows = _nearest(width, factor), _nearest(height, factor)
    if columns * rows > most:
        columns, rows = (max(1, isqrt(max_pixels * a // (b * cell))) for a, b in ((width, height), (height, width)))
    elif columns * rows < least:
        columns, rows = (isqrt(-(-min_pixels * a // (b * cell)) - 1) + 1 for a, b in ((width, height), (height, width)))
    if not least <= columns * rows <= most:
        short, long = _nearest_aspect(min(width, height), max(width, height), least, most)
        columns, rows = (long, short) if width >= height else (short, long)
    return columns * factor, rows * factor


def grid_size(
    width: int,
    height: int,
    *,
    patch_size: int,
    merge_size: int,
    min_pixels: int,
    max_pixels: int,
    max_aspect: float,
) -> tuple[int, int]:
    """(rows, columns) in patches of an image of `width` x `height` pixels: the one function that says so.

    Both are multiples of `merge_size`. Raises as `target_size` does.
    """
    factor = patch_size * merge_size
    new_width, new_height = target_size(
        width, height, factor=factor, min_pixels=min_pixels, max_pixels=max_pixels, max_aspect=max_aspect
    )
    return new_height // patch_size, new_width // patch_size


def visual_tokens(grid: tuple[int, int], merge_size: int) -> int:
    """How many tokens the language model sees for a grid: one per merge_size x merge_size patches."""
    rows, columns = grid
    if rows % merge_size or columns % merge_size:
        raise ValueError(f"a grid of {rows}x{columns} patches doesn't split into {merge_size}x{merge_size} groups")
    return (rows // merge_size) * (columns // merge_size)


def _nearest(side: int, factor: int) -> int:
    """side / factor rounded to the nearest whole number, at least 1; ties to even."""
    whole, rest = divmod(side, factor)
    up = 2 * rest > factor or (2 * rest == factor and whole % 2 == 1)
    return max(1, whole + up)


def _nearest_aspect(short: int, long: int, least: int, most: int) -> tuple[int, int]:
    """Cells (a, b), a <= b and least <= a * b <= most, with b / a nearest in ratio to long / short; larger if tied."""
    best: tuple[int, int, int, int] | None = None  # error as numerator and denominator, then a, b
    for a in range(1, isqrt(most) + 1):
        lowest, highest = max(a, -(-least // a)), most // a
        ideal = a * long // short
        for b in {min(max(c, lowest), highest) for c in (ideal, ideal + 1)} if lowest <= highest else ():
            large, small = max(b * short, a * long), min(b * short, a * long)
            order = 1 if best is None else best[0] * small - large * best[1]  # > 0: nearer than the best so far
            if best is None or order > 0 or (order == 0 and a * b > best[2] * best[3]):
                best = (large, small, a, b)
    assert best is not None  # a = 1 always has room
    return best[2], best[3]
