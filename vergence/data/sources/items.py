"""What every real source yields: a picture with its names in several languages, its licence and its bytes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops

from vergence.data.generator import SourceItem, source_item
from vergence.errors import DataError, UsageError
from vergence.processing.media import decode_image, image_size

_TYPES: tuple[tuple[bytes, str], ...] = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"RIFF", "webp"))


class Item(NamedTuple):
    """A picture of a package.

    `names` and `captions` map a language ("en", "zh", ...) to a name of a few words and to a sentence or paragraph;
    `category` is a group of like things; `read` returns the bytes of the file.
    """

    package: str
    name: str
    names: Mapping[str, str]
    captions: Mapping[str, str]
    category: str
    licence: str
    read: Callable[[], bytes]

    @property
    def sha256(self) -> str:
        """The hash of the file."""
        return sha256(self.read()).hexdigest()

    @property
    def record(self) -> SourceItem:
        """What the provenance of a sample says of it."""
        return source_item(self.package, self.name, self.read(), self.licence)

    def rgba(self, side: int) -> Image.Image:
        """The picture with its transparency, its longer side at `side` pixels. Raises `DataError`."""
        return render(self.read(), side, self.name)


def is_vector(data: bytes) -> bool:
    """Whether a file is an SVG rather than a PNG, JPEG or WebP."""
    return not data.startswith(tuple(magic for magic, _ in _TYPES))


def render(data: bytes, side: int, name: str = "picture") -> Image.Image:
    """RGBA from an SVG or an image file, its longer side at `side` pixels; colours under full transparency are black.

    Drawn on black and on white by resvg: what differs is alpha. Raises `DataError` for what can't be drawn.
    """
    try:
        black, white = (np.asarray(_drawn(data, side, paper)) for paper in ("#000", "#fff"))
    except (ValueError, OSError, DataError) as error:
        raise DataError(f"{name}: can't be drawn ({error})") from None
    alpha = 255 - (white.astype(np.int16) - black).clip(0, 255).min(axis=2)
    opacity = np.maximum(alpha[:, :, None], 1) / 255
    colours = np.minimum(255, black / opacity + 0.5)
    return Image.fromarray(np.dstack([colours, alpha]).astype(np.uint8))


def _drawn(data: bytes, side: int, paper: str) -> Image.Image:
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise UsageError("real pictures need resvg_py: pip install 'vergence[demo]'") from None
    if is_vector(data):
        text = data.decode("utf-8", "replace")
        drawn = svg_to_bytes(svg_string=text, width=side, height=side, skip_system_fonts=True, background=paper)
    else:
        drawn = svg_to_bytes(svg_string=_wrapped(data, side), skip_system_fonts=True, background=paper)
    return decode_image(bytes(drawn))


def _wrapped(data: bytes, side: int) -> str:
    kind = next(kind for magic, kind in _TYPES if data.startswith(magic))
    width, height = image_size(data)
    scale = side / max(width, height)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    source = f"data:image/{kind};base64,{b64encode(data).decode()}"
    head = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    image = f'<image width="{wide}" height="{high}" preserveAspectRatio="none" xlink:href="{source}"/>'
    return f'<svg {head} width="{wide}" height="{high}">{image}</svg>'


@lru_cache(maxsize=4096)
def cutout(item_read: Callable[[], bytes], side: int, name: str) -> Image.Image:
    """A picture cropped to what is visible of it. Raises `DataError` for one of which nothing is."""
    image = render(item_read(), side, name)
    box = image.getchannel("A").point([255 if value >= 128 else 0 for value in range(256)]).getbbox()
    if box is None:
        raise DataError(f"{name}: nothing of it is visible")
    return image.crop(box)


def opaque(image: Image.Image) -> bool:
    """Whether a picture has no transparent corner, as photographs have."""
    return ImageChops.invert(image.getchannel("A")).getbbox() is None
