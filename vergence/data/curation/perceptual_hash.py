"""Pictures that look alike: 64-bit hashes, an index of them by Hamming distance, and a closer look at what it finds.

The difference hash says of 8 x 8 places whether it gets lighter to the right of them (Krawetz, "Kind of Like That",
2013); the DCT hash says which of the 64 lowest frequencies lie above their median (Zauner, "Implementation and
Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2). Recompressed and resized copies stay within a few
bits by either; the second lasts longer under cropping, the first where a picture has little contrast. Hashes alone
confuse pictures of one layout (two tables, two charts); `similarity` compares their thumbnails.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vergence.processing.media import decode_image

SIDE = 16
"""Of a thumbnail, in pixels."""

FLAT = 3.0
"""Pictures whose thumbnail's brightness has a smaller standard deviation (of 255) say nothing: every sky is alike."""

CROPS = (0.03, 0.06, 0.1)
"""Parts of a side that may have been cut off when two thumbnails are aligned."""

BANDS, BAND_BITS = 4, 16
_BRUTE_FORCE = 2048  # up to so many hashes comparing with all of them is faster than asking the index

Hashes = NDArray[np.uint64]


class Fingerprint(NamedTuple):
    """What is kept of a picture: two hashes and a thumbnail [16, 16, 3]; `flat` says that they mean nothing."""

    difference: int
    frequency: int
    thumbnail: NDArray[np.uint8]
    flat: bool


def fingerprint(source: Path | bytes | Image.Image) -> Fingerprint:
    """The fingerprint of a picture, of any size and aspect. Raises `DataError` where it can't be decoded."""
    image = decode_image(source)
    grey = image.convert("L")
    thumbnail = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.uint8)
    flat = bool(thumbnail.mean(2).std() < FLAT)
    return Fingerprint(difference_hash(grey), frequency_hash(grey), thumbnail, flat)


def difference_hash(grey: Image.Image) -> int:
    """64 bits: of a 9 x 8 thumbnail of a grey picture, row by row, is the pixel to the right lighter."""
    pixels = np.asarray(grey.resize((9, 8), Image.Resampling.LANCZOS), np.int16)
    return _number(pixels[:, 1:] > pixels[:, :-1])


def frequency_hash(grey: Image.Image) -> int:
    """64 bits: of the 8 x 8 lowest frequencies of a 32 x 32 thumbnail, which lie above their median (without the mean).

    The first bit, that of the mean brightness, is 0.
    """
    pixels = np.asarray(grey.resize((32, 32), Image.Resampling.LANCZOS), np.float64)
    cosines = _cosines()
    lowest = (cosines @ pixels @ cosines.T).ravel()
    bits = lowest > np.median(lowest[1:])
    bits[0] = False
    return _number(bits)


def hamming(a: int, b: int) -> int:
    """The number of bits in which two hashes differ."""
    return (a ^ b).bit_count()


@cache
def _cosines() -> NDArray[np.float64]:
    """The first eight rows of the type-II discrete cosine transform of 32 points."""
    place, frequency = np.arange(32), np.arange(8)[:, None]
    return np.asarray(np.cos(np.pi * (2 * place + 1) * frequency / 64))


def _number(bits: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big")


class HashIndex:
    """64-bit hashes that are found by Hamming distance.

    Two hashes within distance r differ by at most r // 4 bits in at least one of four bands of 16 bits (pigeonhole), so
    it is enough to look up, band by band, the keys that near. Exact: it finds what comparing with all would find.
    """

    def __init__(self, hashes: Sequence[int] | Hashes) -> None:
        self.hashes: Hashes = np.array(hashes, np.uint64)
        self._orders: list[NDArray[np.intp]] = []
        self._starts: list[NDArray[np.intp]] = []
        if len(self.hashes) > _BRUTE_FORCE:
            for band in range(BANDS):
                keys = (self.hashes >> np.uint64(band * BAND_BITS)).astype(np.uint16)
                self._orders.append(np.argsort(keys, kind="stable"))
                self._starts.append(np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << BAND_BITS))]))

    def __len__(self) -> int:
        return len(self.hashes)

    def near(self, query: int, radius: int) -> list[tuple[int, int]]:
        """(position, distance) of every hash within `radius` bits of `query`, in ascending order of position."""
        places, distances = self.neighbours(query, radius)
        return list(zip(places.tolist(), distances.tolist(), strict=True))

    def neighbours(self, query: int, radius: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """What `near` finds as two arrays: positions and distances."""
        spans = [self._spans(band, query, radius // BANDS) for band in range(BANDS)] if self._orders else []
        # Where many are near, as are the frames of a video, comparing with all costs less than sorting their positions.
        if not spans or 8 * sum(int(sizes.sum()) for _, sizes in spans) > len(self.hashes):
            distances = _count_bits(self.hashes ^ np.uint64(query))
            found = np.flatnonzero(distances <= radius)
            return found, distances[found]
        places = np.unique(np.concatenate([self._at(band, *span) for band, span in enumerate(spans)]))
        distances = _count_bits(self.hashes[places] ^ np.uint64(query))
        close = distances <= radius
        return places[close], distances[close]

    def _spans(self, band: int, query: int, errors: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where in a band's order the hashes stand that differ in at most so many bits of it: starts and sizes."""
        keys = ((query >> (band * BAND_BITS)) & 0xFFFF) ^ _masks(errors)
        first = self._starts[band][keys]
        return first, self._starts[band][keys + 1] - first

    def _at(self, band: int, first: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.intp]:
        """The positions in ranges of a band's order, one behind the other, without a loop over them."""
        begins = np.cumsum(sizes) - sizes
        return self._orders[band][np.arange(int(sizes.sum())) + np.repeat(first - begins, sizes)]


@cache
def _masks(errors: int) -> NDArray[np.int64]:
    """The 16-bit numbers with at most so many bits set."""
    found = [sum(1 << bit for bit in bits) for k in range(errors + 1) for bits in combinations(range(BAND_BITS), k)]
    return np.array(found, np.int64)


@cache
def _bit_table() -> NDArray[np.uint8]:
    return np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


def _count_bits(values: Hashes) -> NDArray[np.int64]:
    if hasattr(np, "bitwise_count"):  # from NumPy 2 on, and ten times as fast
        return np.bitwise_count(values).astype(np.int64)
    return np.asarray(_bit_table()[values.view(np.uint16)].reshape(-1, 4).sum(1), np.int64)


def similarity(a: Fingerprint, b: Fingerprint) -> float:
    """The correlation of two pictures' thumbnails where they fit best, from -1 to 1 for the same.

    One of them may be the other with up to a tenth of its width and height cut off: at the sides or at the corners.
    Flat pictures, whose correlation is noise, have 0.
    """
    if a.flat or b.flat:
        return 0.0
    first, second = _cut(a.thumbnail.tobytes()), _cut(b.thumbnail.tobytes())
    return float(max((first @ second[0]).max(), (second @ first[0]).max()))


@lru_cache(maxsize=256)  # whoever compares one picture with many
def _cut(thumbnail: bytes) -> NDArray[np.float64]:
    """The thumbnail whole and with parts cut off, each as a unit vector without its mean; [28, 768]."""
    image = Image.frombytes("RGB", (SIDE, SIDE), thumbnail)
    boxes = [(0.0, 0.0, float(SIDE), float(SIDE))]
    for part in CROPS:
        offsets = [part * SIDE * share for share in (0, 0.5, 1)]
        kept = SIDE * (1 - part)
        boxes += [(x, y, x + kept, y + kept) for x in offsets for y in offsets]
    cut = [np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)).ravel() for box in boxes]
    vectors = np.stack(cut).astype(np.float64)
    vectors -= vectors.mean(1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
