"""Samples that repeat others: pictures equal or alike, texts equal or nearly so. Of each group the first is kept.

Pictures are compared by two 64-bit hashes and then by their thumbnails (`perceptual_hash`). Texts are compared by
MinHash: the share of equal minima of P random functions over word shingles estimates the Jaccard similarity of two
texts (Broder 1997, "On the resemblance and containment of documents"); bands of rows find the pairs worth comparing,
and each is then compared exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vergence.data.curation.ngrams import words
from vergence.data.curation.perceptual_hash import Fingerprint, HashIndex, similarity

RADIUS = 10
SIMILARITY = 0.9
SHINGLE = 3
_PRIME = np.uint64((1 << 61) - 1)


class Groups:
    """Disjoint sets of numbers, joined by pairs; the smallest member stands for its set."""

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def find(self, item: int) -> int:
        """The smallest member of an item's set."""
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def join(self, first: int, second: int) -> None:
        """Make two items' sets one."""
        low, high = sorted((self.find(first), self.find(second)))
        self.parent[high] = low

    def representatives(self) -> list[int]:
        """For each item the smallest of its set."""
        return [self.find(item) for item in range(len(self.parent))]


class PicturePair(NamedTuple):
    """Two pictures that look alike: their numbers, the smaller Hamming distance, the thumbnails' correlation."""

    first: int
    second: int
    distance: int
    overlap: float


def near_hashes(hashes: Sequence[int], radius: int) -> Iterator[tuple[int, int, int]]:
    """(i, j, distance) of all pairs i < j of 64-bit hashes within a Hamming distance; exact, by an index."""
    index = HashIndex(hashes)
    for number, value in enumerate(hashes):
        yield from ((other, number, distance) for other, distance in index.near(value, radius) if other < number)


def alike_pictures(
    prints: Sequence[Fingerprint], *, radius: int = RADIUS, least: float = SIMILARITY, spanning: bool = False
) -> list[PicturePair]:
    """The pairs of pictures that look alike; flat ones, which say nothing, have none.

    Of many pictures with the same hashes and thumbnail each is paired with the first, and only that with others. With
    `spanning` there are only as many pairs as hold a group together: of a video's thousand frames 999, not half a
    million.
    """
    solid: list[int] = []
    first_of: dict[tuple[int, int, bytes], int] = {}
    equal: list[PicturePair] = []
    for number, print_ in enumerate(prints):
        if print_.flat:
            continue
        first = first_of.setdefault((print_.difference, print_.frequency, print_.thumbnail.tobytes()), number)
        if first == number:
            solid.append(number)
        else:
            equal.append(PicturePair(first, number, 0, 1.0))
    distinct = [prints[number] for number in solid]
    pairs = (_joining_pictures if spanning else _all_pictures)(distinct, radius, least)
    return sorted([*equal, *(pair._replace(first=solid[pair.first], second=solid[pair.second]) for pair in pairs)])


def _all_pictures(prints: Sequence[Fingerprint], radius: int, least: float) -> Iterator[PicturePair]:
    """All pairs that are near by one of the hashes and whose thumbnails overlap enough."""
    found: dict[tuple[int, int], int] = {}
    for hashes in ([print_.difference for print_ in prints], [print_.frequency for print_ in prints]):
        for first, second, distance in near_hashes(hashes, radius):
            found[first, second] = min(distance, found.get((first, second), 64))
    for (first, second), distance in found.items():
        if (overlap := similarity(prints[first], prints[second])) >= least:
            yield PicturePair(first, second, distance, overlap)


def _joining_pictures(prints: Sequence[Fingerprint], radius: int, least: float) -> Iterator[PicturePair]:
    """Of all such pairs those that join two groups, each picture's nearest first."""
    differences = HashIndex([print_.difference for print_ in prints])
    frequencies = HashIndex([print_.frequency for print_ in prints])
    group = np.arange(len(prints))  # of each picture
    members = [[number] for number in range(len(prints))]  # of each group
    for item, print_ in enumerate(prints):
        near = differences.neighbours(print_.difference, radius), frequencies.neighbours(print_.frequency, radius)
        places = np.concatenate([found[: np.searchsorted(found, item)] for found, _ in near])
        distances = np.concatenate([of[: np.searchsorted(found, item)] for found, of in near])
        while len(places):
            nearest = len(places) - 1 - int(distances[::-1].argmin())  # the latest of equals, whose cuts are at hand
            other, distance = int(places[nearest]), int(distances[nearest])
            overlap = similarity(prints[other], print_)
            if overlap >= least:
                yield PicturePair(other, item, distance, overlap)
                small, large = sorted((int(group[other]), int(group[item])), key=lambda g: len(members[g]))
                group[members[small]] = large
                members[large] += members[small]
            apart = (group[places] != group[item]) & (places != other)
            places, distances = places[apart], distances[apart]


def shingles(text: str, length: int = SHINGLE) -> frozenset[int]:
    """The 64-bit hashes of a text's runs of `length` words; of a shorter one, of all its words."""
    found = words(text)
    runs = [found[start : start + length] for start in range(max(1, len(found) - length + 1))] if found else []
    return frozenset(int.from_bytes(blake2b(" ".join(run).encode(), digest_size=8).digest(), "big") for run in runs)


def jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    """|A and B| / |A or B|; 1 for two empty sets."""
    union = len(first | second)
    return len(first & second) / union if union else 1.0


class MinHash:
    """Signatures of sets of numbers: minima, whose share of equals estimates the sets' Jaccard index."""

    def __init__(self, permutations: int = 128, seed: int = 1) -> None:
        rng = np.random.Generator(np.random.PCG64(seed))
        # Multiply-shift on the upper half (Dietzfelbinger et al. 1997): odd factors, no division.
        self.factors: NDArray[np.uint64] = rng.integers(0, 1 << 63, permutations, np.uint64) * np.uint64(2) + np.uint64(
            1
        )
        self.offsets: NDArray[np.uint64] = rng.integers(0, 1 << 63, permutations, np.uint64)

    def signature(self, items: frozenset[int]) -> NDArray[np.uint32]:
        """[P] minima; all 2^32 - 1 for an empty set."""
        if not items:
            return np.full(len(self.factors), np.iinfo(np.uint32).max, np.uint32)
        values = np.fromiter(items, np.uint64, len(items))
        with np.errstate(over="ignore"):
            mixed = values[:, None] * self.factors + self.offsets
        return np.asarray((mixed >> np.uint64(32)).min(0), np.uint32)


def band_rows(permutations: int, threshold: float) -> int:
    """The rows R of a band at which (1 / B)^(1 / R), where a pair is found half the time, lies just below a threshold.

    Source: Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4.2.
    """
    fitting = [r for r in range(1, permutations + 1) if (r / permutations) ** (1 / r) <= threshold * 0.9]
    return max(fitting, default=1)


def near_texts(
    texts: Sequence[str], *, threshold: float = 0.8, permutations: int = 128, spanning: bool = False
) -> list[tuple[int, int, float]]:
    """(i, j, Jaccard index) of pairs of texts whose word shingles have at least `threshold` in common.

    What it finds is exact; that a pair is found at all is likely, and nearly certain well above the threshold. Of many
    equal texts each is paired with the first. With `spanning` there are only as many pairs as hold a group of copies
    together, n - 1 of n: of a template filled in ten thousand times all pairs would be fifty million.
    """
    first_of: dict[frozenset[int], int] = {}
    sets: list[frozenset[int]] = []
    pairs: list[tuple[int, int, float]] = []
    distinct: list[int] = []
    for number, text in enumerate(texts):
        found = shingles(text)
        sets.append(found)
        if found in first_of:
            pairs.append((first_of[found], number, 1.0))
        else:
            first_of[found] = number
            distinct.append(number)
    hasher = MinHash(permutations)
    signatures = np.array([hasher.signature(sets[number]) for number in distinct], np.uint32)
    if not distinct:
        return []
    if spanning:
        overlap_of = lambda a, b: jaccard(sets[distinct[a]], sets[distinct[b]])  # noqa: E731
        joined = _joining_pairs(signatures, band_rows(permutations, threshold), overlap_of, threshold)
        return sorted([*pairs, *((distinct[a], distinct[b], overlap) for a, b, overlap in joined)])
    for first, second in sorted(_candidates(signatures, band_rows(permutations, threshold))):
        i, j = distinct[first], distinct[second]
        if (overlap := jaccard(sets[i], sets[j])) >= threshold:
            pairs.append((i, j, overlap))
    return sorted(pairs)


def _joining_pairs(
    signatures: NDArray[np.uint32], rows: int, overlap_of: Callable[[int, int], float], threshold: float
) -> Iterator[tuple[int, int, float]]:
    """Pairs that agree in all rows of a band and overlap enough, but for those whose groups are joined already."""
    groups = Groups(len(signatures))
    for bucket in _buckets(signatures, rows):
        parts: list[list[int]] = []  # the bucket's items so far, by their groups
        for item in bucket:
            apart: list[list[int]] = []
            own: list[int] | None = None
            for part in parts:
                if groups.find(part[0]) != groups.find(item):
                    overlaps = ((other, overlap_of(other, item)) for other in part)
                    found = next(((other, overlap) for other, overlap in overlaps if overlap >= threshold), None)
                    if found is None:
                        apart.append(part)
                        continue
                    groups.join(found[0], item)
                    yield found[0], item, found[1]
                if own is None:
                    own = part
                else:
                    own += part
            if own is None:
                own = []
            own.append(item)
            parts = [*apart, own]


def _buckets(signatures: NDArray[np.uint32], rows: int) -> Iterator[list[int]]:
    """The numbers that agree in all rows of a band, ascending, band by band; those alone are left out."""
    for start in range(0, signatures.shape[1] - rows + 1, rows):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for number, signature in enumerate(signatures):
            buckets[signature[start : start + rows].tobytes()].append(number)
        yield from (bucket for bucket in buckets.values() if len(bucket) > 1)


def _candidates(signatures: NDArray[np.uint32], rows: int) -> set[tuple[int, int]]:
    """Pairs that agree in all rows of a band."""
    found: set[tuple[int, int]] = set()
    for bucket in _buckets(signatures, rows):
        found.update((a, b) for place, a in enumerate(bucket) for b in bucket[place + 1 :])
    return found


def first_of_groups(size: int, pairs: Iterable[tuple[int, int]]) -> Mapping[int, int]:
    """Item -> the first of its group, for the items that repeat another."""
    groups = Groups(size)
    for first, second in pairs:
        groups.join(first, second)
    return {item: first for item, first in enumerate(groups.representatives()) if item != first}
