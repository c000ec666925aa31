"""Hashes, their index, and how well copies are told from unrelated pictures."""

from __future__ import annotations

import io
import random
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn

from vergence.data import catalogue
from vergence.data.curation.perceptual_hash import (
    HashIndex,
    difference_hash,
    fingerprint,
    frequency_hash,
    hamming,
    similarity,
)
from vergence.errors import DataError
from vergence.evaluation.picture_matches import RADIUS, SIMILARITY
from vergence.processing.media import decode_image

KINDS = ("shapes", "text", "chart", "emoji", "emoji_grid")
TEMPLATES = ("table", "numbers")
"""Pictures of one layout, the hard case."""


def alike(a, b):
    """The rule of `picture_matches`, for one pair."""
    near = hamming(a.difference, b.difference) <= RADIUS or hamming(a.frequency, b.frequency) <= RADIUS
    return near and similarity(a, b) >= SIMILARITY


def jpeg(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return decode_image(file.getvalue())


def scaled(image, factor):
    size = max(8, round(image.width * factor)), max(8, round(image.height * factor))
    return image.resize(size, Image.Resampling.BICUBIC)


def cropped(image, most, rng):
    left, top, right, bottom = (rng.uniform(0, most) for _ in range(4))
    w, h = image.size
    return image.crop((round(left * w), round(top * h), w - round(right * w), h - round(bottom * h)))


def photographs():
    """32 tiles of scikit-learn's two photographs, which show different things (some of them plain sky)."""
    spec = find_spec("sklearn")
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "images"
    tiles = []
    for name in ("china.jpg", "flower.jpg"):
        image = decode_image(folder / name)
        w, h = image.size
        tiles += [
            image.crop((w * i // 4, h * j // 4, w * (i + 1) // 4, h * (j + 1) // 4)) for i in range(4) for j in range(4)
        ]
    return tiles


@pytest.fixture(scope="module")
def pictures():
    return photographs() + [catalogue.draw(kind, "heldout", 0, i).image for kind in KINDS for i in range(30)]


COPIES = {
    "JPEG 75": (0.99, lambda image, rng: jpeg(image, 75)),
    "JPEG 30": (0.99, lambda image, rng: jpeg(image, 30)),
    "half as large": (0.98, lambda image, rng: scaled(image, 0.5)),
    "1.7 times as large": (0.99, lambda image, rng: scaled(image, 1.7)),
    "up to 3% off each side": (0.96, lambda image, rng: cropped(image, 0.03, rng)),
    "up to 5% off each side": (0.80, lambda image, rng: cropped(image, 0.05, rng)),
    "3% off, 0.7 times, JPEG 60": (0.95, lambda image, rng: jpeg(scaled(cropped(image, 0.03, rng), 0.7), 60)),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_found(pictures, name):
    least, copy = COPIES[name]
    rng = random.Random(0)
    pairs = [(fingerprint(image), fingerprint(copy(image, rng))) for image in pictures]
    pairs = [(a, b) for a, b in pairs if not a.flat]
    assert len(pairs) > 175
    found = sum(alike(a, b) for a, b in pairs)
    print(f"{name}: {found} of {len(pairs)}")
    assert found / len(pairs) >= least


def test_unrelated_pictures_are_hardly_ever_taken_for_copies(pictures):
    prints = [fingerprint(image) for image in pictures]
    prints += [fingerprint(catalogue.draw(kind, "heldout", 0, i).image) for kind in TEMPLATES for i in range(30)]
    others = [fingerprint(catalogue.draw(k, "train", 7, i).image) for k in (*KINDS, *TEMPLATES) for i in range(50)]
    pairs = [(a, b) for i, a in enumerate(prints) for b in prints[:i]] + [(a, b) for a in prints for b in others]
    near = [
        (a, b)
        for a, b in pairs
        if min(hamming(a.difference, b.difference), hamming(a.frequency, b.frequency)) <= RADIUS
    ]
    false = sum(similarity(a, b) >= SIMILARITY for a, b in near)
    print(f"{len(pairs)} unrelated pairs, {len(near)} near by hash, {false} alike")
    assert len(pairs) > 110_000
    assert len(near) > 500  # the hashes alone are not enough
    assert false <= 10


def test_the_frequency_hash_is_scipys_cosine_transform():
    grey = catalogue.draw("shapes", "heldout", 0, 1).image.convert("L")
    pixels = np.asarray(grey.resize((32, 32), Image.Resampling.LANCZOS), np.float64)
    lowest = dctn(pixels, norm=None)[:8, :8].ravel()
    bits = "".join("01"[int(value > np.median(lowest[1:]))] for value in lowest[1:])
    assert frequency_hash(grey) == int("0" + bits, 2)


def test_the_difference_hash_of_pictures_that_are_known():
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 90, dtype=np.uint8), (80, 1)))
    assert difference_hash(ramp) == 2**64 - 1
    assert difference_hash(ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) == 0
    assert difference_hash(ramp.transpose(Image.Transpose.ROTATE_90)) == 0  # nothing changes from left to right


def test_fingerprints_do_not_depend_on_how_a_picture_comes(tmp_path):
    image = photographs()[5]
    image.save(tmp_path / "a.png")
    ways = [fingerprint(way) for way in (image, tmp_path / "a.png", (tmp_path / "a.png").read_bytes())]
    assert len({(way.difference, way.frequency, way.thumbnail.tobytes()) for way in ways}) == 1
    with pytest.raises(DataError):
        fingerprint(b"no picture")


def test_plain_pictures_are_flat_and_like_nothing():
    plain = fingerprint(Image.new("RGB", (300, 200), (140, 180, 230)))
    assert plain.flat
    assert similarity(plain, plain) == 0
    photo = fingerprint(photographs()[5])
    assert not photo.flat
    assert similarity(photo, photo) == pytest.approx(1)


def test_colours_count():
    image = catalogue.draw("shapes", "heldout", 0, 1).image
    red, green, blue = image.split()
    assert similarity(fingerprint(image), fingerprint(Image.merge("RGB", (blue, red, green)))) < SIMILARITY


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=16))
def test_hamming_counts_the_bits_that_were_changed(number, places):
    changed = number
    for place in places:
        changed ^= 1 << place
    assert hamming(number, changed) == len(places)


@pytest.mark.parametrize("count", [0, 1, 500, 6000])
@pytest.mark.parametrize("radius", [0, 3, 4, 10, 13])
def test_the_index_finds_what_comparing_with_all_finds(count, radius):
    rng = random.Random(count)
    centres = [rng.getrandbits(64) for _ in range(max(1, count // 20))]
    hashes = []
    for _ in range(count):  # in clusters, so that there is something to find
        number = rng.choice(centres)
        for place in rng.sample(range(64), rng.randint(0, 16)):
            number ^= 1 << place
        hashes.append(number)
    index = HashIndex(hashes)
    assert len(index) == count
    for query in [*centres[:10], 0, 2**64 - 1]:
        expected = [(i, hamming(query, number)) for i, number in enumerate(hashes) if hamming(query, number) <= radius]
        assert index.near(query, radius) == expected


def test_a_hundred_thousand_hashes_are_searched_without_comparing_with_all(monkeypatch):
    from vergence.data.curation import perceptual_hash

    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 100_000, dtype=np.uint64)
    index = HashIndex(hashes)
    compared = []
    count_bits = perceptual_hash._count_bits

    def watched(values):
        compared.append(len(values))
        return count_bits(values)

    monkeypatch.setattr(perceptual_hash, "_count_bits", watched)
    for place in range(0, 100_000, 1000):
        query = int(hashes[place]) ^ 0b1011 << 3 ^ 1 << 40 ^ 1 << 50 ^ 1 << 60
        assert (place, 6) in index.near(query, RADIUS)
    assert len(compared) == 100
    assert max(compared) < 1500
