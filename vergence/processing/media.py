"""The one place where pictures enter: every limit on untrusted image data, and the way to plain RGB pixels.

```
path ─▶ regular file? bytes? ─▶ own header reader: format, width, height, limits ─▶ Pillow opens ─▶ decodes ─▶ RGB
bytes ──────────────────────────┘        (nothing is allocated before this has passed)
```

Sizes are (width, height) in pixels. Every failure is a `DataError` of one line that names the source and the reason;
Pillow's own messages are never passed on, since they can hold memory addresses. Nothing global is changed, so the
functions may run in any number of threads.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from vergence.errors import DataError
from vergence.processing import image_headers

__all__ = ["FORMATS", "MediaLimits", "decode_image", "image_size"]

# Importing a plug-in is what teaches Pillow its format; doing it here keeps Pillow from loading all the others.
_PLUGINS = (BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_EXPECTED = "PNG, JPEG, WebP, GIF or BMP"
_ORIENTATION_TAG = 0x0112
_UNDO_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """What a picture may be: encoded bytes, pixels (by its header, before decoding), long / short side, least side."""

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = 25_000_000
    max_aspect: float = 200
    min_side: int = 1


_DEFAULT_LIMITS = MediaLimits()


def decode_image(source: Path | bytes | Image.Image, limits: MediaLimits = _DEFAULT_LIMITS) -> Image.Image:
    """Decode a picture into a new, loaded RGB image without metadata; `DataError` where it can't or mustn't be.

    The EXIF orientation is applied; transparency is laid on white; 16-bit grey is scaled from 0..65535; CMYK, palette
    and 1-bit become RGB without colour management; of an animation the first frame is taken. 32-bit pictures (modes I
    and F exist only as picture objects) declare no range, see `_grey`. A picture object keeps its current frame.
    """
    name = _name(source)
    with _opened(source, name, limits, whole=True) as (image, orientation):
        try:
            image.load()
            rgb = _to_rgb(image)
            if orientation in _UNDO_ORIENTATION:
                rgb = rgb.transpose(_UNDO_ORIENTATION[orientation])
        except Exception:
            kind = image.format or f"mode {image.mode}"
            raise DataError(f"{name}: broken or truncated picture ({kind}, {_size_text(image.size)})") from None
    rgb.info = {}  # an orientation left here would be applied a second time
    return rgb


def image_size(source: Path | bytes | Image.Image, limits: MediaLimits = _DEFAULT_LIMITS) -> tuple[int, int]:
    """(width, height) after the EXIF orientation, read without decoding; `DataError` as in `decode_image`.

    A picture whose header is fine and whose pixels are broken passes here and is refused by `decode_image`.
    """
    name = _name(source)
    with _opened(source, name, limits, whole=False) as (image, orientation):
        width, height = image.size
    return (height, width) if orientation >= 5 else (width, height)


@contextmanager
def _opened(
    source: Path | bytes | Image.Image, name: str, limits: MediaLimits, *, whole: bool
) -> Iterator[tuple[Image.Image, int]]:
    """The picture, checked but not decoded, and its orientation 1..8. `whole` also asks for the file's proper end."""
    if isinstance(source, Image.Image):
        if source.format not in (None, "MPO", *FORMATS):
            raise DataError(f"{name}: a {source.format} picture, expected {_EXPECTED}")
        _check_size(name, source.size, limits)
        yield source, _orientation(source.getexif)
        return
    with encoded_file(source, name, limits.max_bytes, "picture") as file:
        if whole:
            file = _read(file, name, limits)
        try:
            header = image_headers.read(file)
        except image_headers.BrokenHeaderError:
            raise DataError(f"{name}: broken or truncated header") from None
        except OSError:
            raise DataError(f"{name}: can't be read") from None
        if header is None:
            raise DataError(f"{name}: not a picture in a known format, expected {_EXPECTED}")
        _check_size(name, header.size, limits)
        if whole and not image_headers.is_complete(header, file):
            length = file.seek(0, io.SEEK_END)
            raise DataError(f"{name}: truncated {header.format} picture (cut off after {length} bytes)")
        if header.format == "WEBP" and not whole:  # Pillow reads such a file to its end, for its size too
            file = _read(file, name, limits)
        file.seek(0)
        try:
            image = Image.open(file, formats=(header.format,))
        except Exception:
            raise DataError(f"{name}: broken {header.format} picture ({_size_text(header.size)})") from None
        with image:
            _check_size(name, image.size, limits)
            if header.exif is not None:  # a PNG's may stand after the pixels, where Pillow sees it only once decoded
                image.info["exif"] = b"Exif\0\0" + header.exif
            key = image.info.get("transparency")  # Pillow scales the samples to 8 bits, but not this colour
            if header.depth in (2, 4) and image.mode == "L" and isinstance(key, int):
                image.info["transparency"] = key * 255 // (2**header.depth - 1)
            elif header.depth == 16 and isinstance(key, tuple):
                image.info["transparency"] = tuple(sample >> 8 for sample in key)
            # the base class's method, since that of a PNG decodes the picture first
            yield image, _orientation(lambda: Image.Image.getexif(image))


@contextmanager
def encoded_file(source: Path | bytes, name: str, max_bytes: int, kind: str) -> Iterator[BinaryIO]:
    """The encoded bytes as a file; refuses what is empty, too large or not a regular file before reading any of it."""
    if isinstance(source, bytes):
        _check_bytes(name, len(source), max_bytes)
        yield io.BytesIO(source)
        return
    try:
        _check_regular(
            name, os.stat(source), max_bytes, kind
        )  # before opening: to open a device or a pipe can have effects
        # The name may mean something else by now: don't wait on a pipe, and look again at what was opened.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        file = os.fdopen(os.open(source, flags), "rb")
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except PermissionError:
        raise DataError(f"{name}: can't be read (permission denied)") from None
    except (OSError, ValueError):
        raise DataError(f"{name}: can't be read") from None
    with file:
        _check_regular(name, os.fstat(file.fileno()), max_bytes, kind)
        yield file


def _read(file: BinaryIO, name: str, limits: MediaLimits) -> BinaryIO:
    """The whole content in memory; bounded, in case the file grew since it was looked at."""
    try:
        file.seek(0)
        data = file.read(limits.max_bytes + 1)
    except OSError:
        raise DataError(f"{name}: can't be read") from None
    _check_bytes(name, len(data), limits.max_bytes)
    return io.BytesIO(data)


def _check_regular(name: str, status: os.stat_result, max_bytes: int, kind: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{name}: a folder, not a {kind}")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{name}: not a regular file")
    _check_bytes(name, status.st_size, max_bytes)


def _check_bytes(name: str, count: int, max_bytes: int) -> None:
    if count == 0:
        raise DataError(f"{name}: empty (0 bytes)")
    if count > max_bytes:
        raise DataError(f"{name}: {count} bytes, more than the limit of {max_bytes}")


def _check_size(name: str, size: tuple[int, int], limits: MediaLimits) -> None:
    short, long = min(size), max(size)
    least = max(1, limits.min_side)
    if short < least:
        raise DataError(f"{name}: {_size_text(size)}, a side less than the limit of {least}")
    if short * long > limits.max_pixels:
        raise DataError(f"{name}: {_size_text(size)}, more than the limit of {limits.max_pixels}")
    if long > limits.max_aspect * short:
        ratio = f"{long / short:.6g}"
        raise DataError(f"{name}: {_size_text(size)}, aspect ratio {ratio}, more than the limit of {limits.max_aspect}")


def _size_text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]} pixels"


def _name(source: Path | bytes | Image.Image) -> str:
    """What error messages call the source: one printable line of at most 300 characters."""
    if isinstance(source, bytes):
        return "image bytes"
    if isinstance(source, Image.Image):
        return "image object"
    if not isinstance(source, Path):
        raise TypeError(f"an image is a Path, bytes or PIL.Image.Image, not {type(source).__name__}")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(source))
    return text if len(text) <= 300 else "..." + text[-297:]


def _orientation(exif: Callable[[], Image.Exif]) -> int:
    """EXIF orientation 1..8; 1 where there is none or it is broken."""
    try:
        value = exif().get(_ORIENTATION_TAG)
        return value if value in _UNDO_ORIENTATION else 1
    except Exception:
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """A new RGB image from a loaded picture of any mode, transparency laid on white."""
    if image.mode[0] in "IF":  # I, I;16 in its byte orders, F
        return Image.fromarray(_grey(np.asarray(image), image.info.get("transparency"))).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _grey(values: np.ndarray, transparent: object) -> np.ndarray:
    """8-bit grey [H, W] from 16-bit, 32-bit or float grey; a 16-bit value declared transparent becomes white.

    16-bit has the range 0..65535. The 32-bit modes declare none: values within 0..255 stay, integers within 0..65535
    count as 16-bit, floats within 0..1 as fractions, and anything else is stretched from its minimum to its maximum.
    """
    if values.dtype.itemsize == 2:
        table = ((np.arange(65536) * 255 + 32767) // 65535).astype(np.uint8)
        if isinstance(transparent, int):
            table[transparent % 65536] = 255
        grey: np.ndarray = table[values]
        return grey
    numbers = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    for top in (1, 255) if values.dtype.kind == "f" else (255, 65535):
        if low >= 0 and high <= top:
            low, high = 0.0, float(top)
            break
    return np.floor((numbers - low) * 255 / ((high - low) or 1.0) + 0.5).astype(np.uint8)
