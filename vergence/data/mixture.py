"""A weighted mixture of sources as a pure function: position in the global order -> conversation.

Which source a position takes, and which of its samples, depends on the seed and the position alone. So the state of
the data is one integer, and any number of ranks and workers sees the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from vergence.conversation import Conversation
from vergence.data.mixture_sources import Source, open_source
from vergence.data.pictures import Split
from vergence.data.schedule import Schedule, Share
from vergence.errors import DataError
from vergence.recipe import MixtureEntry


class MixtureEndError(DataError):
    """Every source of a mixture has given what its budget allows."""


class Mixture:
    """Weighted entries as one seeded sequence of conversations, endless unless every entry has a budget."""

    def __init__(self, entries: Sequence[MixtureEntry], *, split: Split, seed: int) -> None:
        self.entries = tuple(entries)
        self.seed = seed
        self.sources: list[Source] = [open_source(entry, split, seed) for entry in entries]
        shares = [share_of(entry, source.size) for entry, source in zip(entries, self.sources, strict=True)]
        self.schedule = Schedule(shares, seed)

    @property
    def _uneven(self) -> bool:
        return len({entry.weight for entry in self.entries}) > 1

    def place(self, position: int) -> tuple[int, int]:
        """(entry, index within the entry's source) of a position of the global order. Raises `MixtureEndError`."""
        found = self.schedule.place(position)
        if found is None:
            total = sum(self.schedule.given(position))
            raise MixtureEndError(
                f"the mixture ends after {total} samples: "
                "every entry has reached its epochs, its samples or the end of its schedule"
            )
        return found

    def conversation(self, position: int) -> Conversation:
        """The conversation at a position. Raises `DataError` for a sample that can't be used."""
        entry, index = self.place(position)
        return self.sources[entry].conversation(index)

    def name(self, position: int) -> str:
        """What a message calls the sample at a position."""
        entry, index = self.place(position)
        return self.sources[entry].name(index)

    def label(self, entry: int) -> str:
        """What an account calls an entry: its kind or folder, with its number where that isn't clear."""
        labels = [str(each.path) if each.path else each.source for each in self.entries]
        return labels[entry] if labels.count(labels[entry]) == 1 else f"{labels[entry]} ({entry})"

    def fingerprint(self) -> str:
        """Changes when the order or the content of the data would."""
        shares = [
            f"{number}/{entry.weight}/{entry.schedule}/{entry.epochs}/{entry.samples}"
            for number, entry in enumerate(self.entries)
            if entry.schedule or entry.epochs is not None or entry.samples is not None or (entry.path and self._uneven)
        ]
        return "|".join([str(self.seed), *(source.fingerprint() for source in self.sources), *shares])


def share_of(entry: MixtureEntry, size: int | None) -> Share:
    """The share of an entry whose source has `size` samples an epoch; the smaller of its two budgets counts."""
    budgets = [] if entry.samples is None else [entry.samples]
    if entry.epochs is not None:
        assert size is not None, "the recipe refuses epochs of an endless source"
        if math.isfinite(entry.epochs):
            budgets.append(math.ceil(Fraction(str(entry.epochs)) * size))  # as written: 1.1 of 10 is 11, not 12
    points = entry.schedule or ((0, 1.0),)
    return Share(tuple((position, entry.weight * factor) for position, factor in points), min(budgets, default=None))
