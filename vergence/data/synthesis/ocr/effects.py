"""What happens to a page after it is set: paper, light, noise, blur, and a camera that sees it at an angle.

A camera is a homography, so a box becomes a quadrilateral whose corners are known; `bent_box` is the box around that.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from vergence.data.pictures import Box

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]]


def numpy_rng(rng: random.Random) -> np.random.Generator:
    """A generator for whole fields of pixels, seeded by the sample's own."""
    return np.random.Generator(np.random.PCG64(rng.getrandbits(64)))


def clouds(size: tuple[int, int], cell: int, rng: random.Random) -> Image.Image:
    """Smooth grey noise in 0..255 whose spots are about `cell` pixels wide."""
    width, height = max(2, size[0] // cell + 2), max(2, size[1] // cell + 2)
    grid = numpy_rng(rng).integers(0, 256, (height, width), dtype=np.uint8)
    return Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)


def paper(size: tuple[int, int], colour: Colour, rng: random.Random, texture: int = 0) -> Image.Image:
    """A sheet of a colour; `texture` is how many of 255 steps its spots are darker at most."""
    sheet = Image.new("RGB", size, colour)
    if not texture:
        return sheet
    spots = clouds(size, rng.randint(6, 60), rng).point([255 - texture * value // 255 for value in range(256)])
    return ImageChops.multiply(sheet, Image.merge("RGB", (spots, spots, spots)))


def noisy(picture: Image.Image, amount: int, rng: random.Random) -> Image.Image:
    """The picture with grey noise of at most `amount` steps up or down at every pixel."""
    field = numpy_rng(rng).integers(128 - amount, 129 + amount, (picture.height, picture.width), dtype=np.uint8)
    grey = Image.fromarray(field)
    return ImageChops.add(picture, Image.merge("RGB", (grey, grey, grey)), 1, -128)


def lit(picture: Image.Image, rng: random.Random, least: int = 140) -> Image.Image:
    """The picture under a light that falls off to one side; the far corner keeps `least` of 255 steps at least."""
    darkest = rng.randint(least, max(least, 215))
    corners = [255, rng.randint(darkest, 255), rng.randint(darkest, 255), darkest]
    rng.shuffle(corners)
    field = Image.fromarray(np.array(corners, dtype=np.uint8).reshape(2, 2))
    shade = field.resize(picture.size, Image.Resampling.BILINEAR)
    return ImageChops.multiply(picture, Image.merge("RGB", (shade, shade, shade)))


def blurred(picture: Image.Image, radius: float) -> Image.Image:
    """The picture out of focus."""
    return picture.filter(ImageFilter.GaussianBlur(radius))


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """The picture as a JPEG file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def surface(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Something to lie on: a plain, spotted, striped or tiled ground in two related colours, mostly greyish ones."""
    grey, tint = rng.randint(50, 215), rng.choice((25, 25, 25, 90))
    first = tuple(min(255, max(0, grey + rng.randint(-tint, tint))) for _ in range(3))
    second = tuple(min(255, max(0, value + rng.randint(-45, 45))) for value in first)
    kind = rng.choice(("spots", "stripes", "tiles", "light"))
    if kind == "spots":
        mask = clouds(size, rng.randint(20, 160), rng)
    elif kind == "stripes":
        across = rng.randint(10, 90)
        wave = clouds((size[0], 4), across, rng).resize(size)
        mask = ImageChops.add(wave, clouds(size, 9, rng), 2)
    elif kind == "tiles":
        side = rng.randint(24, 90)
        x, y = np.arange(size[0]) // side, np.arange(size[1]) // side
        mask = Image.fromarray((((x[None, :] + y[:, None]) % 2) * 255).astype(np.uint8))
    else:
        mask = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize(size)
    ground = Image.new("RGB", size, first)
    ground.paste(second, (0, 0), mask)
    return ground


def homography(source: Points, target: Points) -> np.ndarray:
    """The 3 x 3 matrix, scaled to end in 1, that takes four points to four others (Hartley and Zisserman 2004,
    "Multiple View Geometry", section 4.1, inhomogeneous solution).

    Raises `numpy.linalg.LinAlgError` where three of the points lie on a line.
    """
    rows, right = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(np.array(rows, float), np.array(right, float)), 1.0).reshape(3, 3)


def project(matrix: np.ndarray, points: Points) -> tuple[tuple[float, float], ...]:
    """Where a homography takes points."""
    ends = np.column_stack([np.array(points, float), np.ones(len(points))]) @ matrix.T
    return tuple((float(x / w), float(y / w)) for x, y, w in ends)


def corners_of(box: Box) -> tuple[tuple[float, float], ...]:
    """A box's corners, clockwise from the top left."""
    x1, y1, x2, y2 = box
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def box_around(points: Points) -> Box:
    """The box around points."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))


def camera(size: tuple[int, int], rng: random.Random, tilt: float) -> tuple[tuple[int, int], np.ndarray]:
    """A picture's size and the homography from a sheet to it: each corner moves inwards by up to `tilt` of a side."""
    width, height = size
    edge_x, edge_y = round(width * 0.04), round(height * 0.04)
    outer = (width + 2 * edge_x, height + 2 * edge_y)
    shift = [(rng.uniform(0, tilt) * width, rng.uniform(0, tilt) * height) for _ in range(4)]
    target = [
        (edge_x + shift[0][0], edge_y + shift[0][1]),
        (outer[0] - edge_x - shift[1][0], edge_y + shift[1][1]),
        (outer[0] - edge_x - shift[2][0], outer[1] - edge_y - shift[2][1]),
        (edge_x + shift[3][0], outer[1] - edge_y - shift[3][1]),
    ]
    return outer, homography(corners_of((0, 0, width, height)), target)


def photographed(sheet: Image.Image, ground: Image.Image, matrix: np.ndarray) -> Image.Image:
    """The sheet as a homography shows it, on a ground of the picture's size, with a soft shadow at its edge."""
    inverse = np.linalg.inv(matrix)
    coefficients = tuple(float(value) for value in (inverse / inverse[2, 2]).ravel()[:8])
    size = ground.size
    seen = sheet.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    whole = Image.new("L", sheet.size, 255)
    mask = whole.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
    small = mask.reduce(4).filter(ImageFilter.GaussianBlur(3)).resize(size, Image.Resampling.BILINEAR)
    ground = ground.copy()
    ground.paste((0, 0, 0), (3, 5), small.point([value // 2 for value in range(256)]))
    ground.paste(seen, (0, 0), mask)
    return ground
