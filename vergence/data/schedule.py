"""Which source each position of an endless mixture takes, as a pure function of weights, schedules and budgets.

Positions come in blocks of `BLOCK`. In a block every source gets its share of the positions exactly, by the weight that
its schedule has at the block's first position; a source whose budget is used up leaves its share to the others. Where
none of those left has a weight, they have those of the next point of a schedule at which one has.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from vergence.data.pictures import rng_for

BLOCK = 1024  # positions over which the weights hold exactly


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the mixture a source gets.

    `points` are (position, weight), ascending: the weight is theirs in between by straight lines, and before the first
    and behind the last it is constant. `budget` is how many samples it gives at most; None: as many as are asked for.
    """

    points: tuple[tuple[int, float], ...]
    budget: int | None = None

    def weight(self, position: int) -> float:
        """The weight at a position."""
        after = bisect_right(self.points, position, key=lambda point: point[0])
        if after == 0:
            return self.points[0][1]
        if after == len(self.points):
            return self.points[-1][1]
        (left, low), (right, high) = self.points[after - 1], self.points[after]
        return low + (high - low) * (position - left) / (right - left)


class Schedule:
    """Places of positions: (source, how manieth sample of it). The state of the data is therefore one integer."""

    def __init__(self, shares: Sequence[Share], seed: int) -> None:
        self.shares, self.seed = tuple(shares), seed
        constant = all(len(share.points) == 1 and share.budget is None for share in shares)
        self._constant = block_counts([share.points[0][1] for share in shares], BLOCK) if constant else None
        # What the sources had given before each block that was asked for so far, and what they give in it.
        self._before: list[list[int]] = [[0] * len(self.shares)]
        self._counts: list[list[int]] = []
        self._order = lru_cache(maxsize=2)(self._make_order)

    def place(self, position: int) -> tuple[int, int] | None:
        """(source, index within it) of a position of the global order; None behind the end of all budgets."""
        block, offset = divmod(position, BLOCK)
        before, _ = self._block(block)
        order = self._order(block)
        if offset >= len(order):
            return None
        source, rank = order[offset]
        return source, before[source] + rank

    def given(self, positions: int) -> list[int]:
        """How many samples each source has given before a position."""
        block, offset = divmod(positions, BLOCK)
        counts = list(self._block(block)[0])
        for source, _ in self._order(block)[:offset]:
            counts[source] += 1
        return counts

    def _block(self, block: int) -> tuple[list[int], list[int]]:
        """(samples before, samples in the block) of each source."""
        if self._constant is not None:
            return [block * count for count in self._constant], self._constant
        while len(self._counts) <= block:
            before = self._before[-1]
            counts = self._next_counts(len(self._counts) * BLOCK, before)
            self._counts.append(counts)
            self._before.append([given + count for given, count in zip(before, counts, strict=True)])
        return self._before[block], self._counts[block]

    def _next_counts(self, position: int, before: Sequence[int]) -> list[int]:
        counts = [0] * len(self.shares)
        left = [
            BLOCK if share.budget is None else max(0, share.budget - given)
            for share, given in zip(self.shares, before, strict=True)
        ]
        while (room := BLOCK - sum(counts)) > 0:
            unspent = [s for s, most in enumerate(left) if counts[s] < most]
            weights = self._weights(position, unspent)
            open_sources = [s for s in unspent if weights[s] > 0]
            if not open_sources:
                break
            for source, count in zip(open_sources, block_counts([weights[s] for s in open_sources], room), strict=True):
                counts[source] += min(count, left[source] - counts[source])
        return counts

    def _weights(self, position: int, sources: Sequence[int]) -> list[float]:
        """The weights at the first place, from a position on, where one of these sources has any."""
        later = {place for s in sources for place, _ in self.shares[s].points if place > position}
        weights: list[float] = []
        for place in (position, *sorted(later)):
            weights = [share.weight(place) for share in self.shares]
            if any(weights[s] > 0 for s in sources):
                break
        return weights

    def _make_order(self, block: int) -> list[tuple[int, int]]:
        order = [source for source, count in enumerate(self._block(block)[1]) for _ in range(count)]
        rng_for(self.seed, "mixture", "train", block).shuffle(order)
        seen = [0] * len(self.shares)
        places = []
        for source in order:
            places.append((source, seen[source]))
            seen[source] += 1
        return places


def block_counts(weights: Sequence[float], size: int) -> list[int]:
    """How many of `size` positions each weight gets: largest remainders, and at least one each where there is room."""
    exact = [weight / sum(weights) * size for weight in weights]
    least = 1 if size >= len(weights) else 0
    counts = [max(least, int(share)) for share in exact]
    order = sorted(range(len(weights)), key=lambda i: exact[i] - int(exact[i]), reverse=True)
    step = 0
    while sum(counts) != size:
        if sum(counts) < size:
            counts[order[step % len(order)]] += 1
        else:
            counts[counts.index(max(counts))] -= 1
        step += 1
    return counts
