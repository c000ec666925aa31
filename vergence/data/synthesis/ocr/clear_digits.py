"""The real handwritten digits that a person reads without doubt, out of those that scikit-learn carries."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vergence.data.pictures import Split
from vergence.data.sources.digits import numbers_of, pictures

NEIGHBOURS = 5
CLEAR = 0.72


@lru_cache(maxsize=1)
def doubt() -> tuple[float, ...]:
    """For each picture its mean distance to the five nearest pictures of its digit over that to the five nearest of
    all other digits. Many pictures of 8 x 8 pixels over 0.8 could be another digit just as well."""
    pixels = np.array([np.frombuffer(picture.tobytes(), np.uint8) for _, picture in pictures()], dtype=np.int64)
    labels = np.array([label for label, _ in pictures()])
    squares = (pixels**2).sum(1)
    distances = np.sqrt(squares[:, None] + squares[None] - 2 * pixels @ pixels.T)
    np.fill_diagonal(distances, np.inf)
    found = []
    for row, label in zip(distances, labels, strict=True):
        own, other = (np.sort(row[mine])[:NEIGHBOURS].mean() for mine in (labels == label, labels != label))
        found.append(float(own / other))
    return tuple(found)


@lru_cache(maxsize=2)
def clear_digits(split: Split) -> tuple[tuple[int, ...], ...]:
    """For each digit 0 to 9 the numbers of its clear pictures in a split."""
    return tuple(tuple(number for number in digit if doubt()[number] < CLEAR) for digit in numbers_of(split))
