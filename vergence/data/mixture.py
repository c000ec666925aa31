"""A weighted mixture of sources as a pure function: position in the global order -> conversation.

Which source a position takes, and which of its samples, depends on the seed and the position alone. So the state of
the data is one integer, and any number of ranks and workers sees the same order.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from vergence.conversation import Conversation, Message, assistant, user
from vergence.data import catalogue
from vergence.data.pictures import Picture, Question, Split, rng_for
from vergence.data.shards.reader import ShardSource, open_shards, tars_of
from vergence.data.sources.folder import FILE_NAME, FolderSource, read_folder
from vergence.errors import DataError
from vergence.recipe import MixtureEntry

BLOCK = 1024  # positions over which the weights hold exactly


class Source(Protocol):
    """Samples by index: `conversation(n)` is the n-th sample that the mixture takes from this source."""

    def conversation(self, index: int) -> Conversation:
        """The sample. Raises `DataError` for one that can't be used."""
        ...

    def name(self, index: int) -> str:
        """What a message calls the sample: the same in every epoch."""
        ...

    def fingerprint(self) -> str:
        """Changes when the source's content does."""
        ...


class PictureSource:
    """An endless source: every index draws a new picture of one kind."""

    def __init__(self, entry: MixtureEntry, split: Split, seed: int) -> None:
        self.entry, self.split, self.seed = entry, split, seed

    def conversation(self, index: int) -> Conversation:
        """Draw the picture of this index and talk about it in the entry's style."""
        picture = catalogue.draw(self.entry.source, self.split, self.seed, index)
        rng = rng_for(self.seed, f"{self.entry.source}/{self.entry.style}", self.split, index)
        return talk(picture, self.entry, rng)

    def name(self, index: int) -> str:
        """The kind: nobody can look up a drawn picture's number."""
        return f"{self.entry.source} picture"

    def fingerprint(self) -> str:
        """The kind and its settings; the pictures follow from them and the seed."""
        return f"{self.entry.model_dump_json()}/{self.split}/{self.seed}"


class ShuffledFolder:
    """A data folder, or a folder of shards, read in a new order each epoch."""

    def __init__(self, folder: FolderSource | ShardSource, seed: int) -> None:
        if not len(folder):
            raise DataError(f"{folder.path}: the data folder has no conversations")
        self.folder, self.seed = folder, seed

    def conversation(self, index: int) -> Conversation:
        """Sample `index` of the endless sequence of shuffled epochs."""
        return self.folder[self._line(index)]

    def name(self, index: int) -> str:
        """The file and the line, or the shard and the key."""
        return self.folder.where(self._line(index))

    def _line(self, index: int) -> int:
        epoch, place = divmod(index, len(self.folder))
        return int(_permutation(self.seed, epoch, len(self.folder))[place])

    def fingerprint(self) -> str:
        """The hash of the folder's `conversations.jsonl`, or of what its shards hold."""
        return self.folder.fingerprint


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, size: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(size)


def open_folder(path: Path) -> FolderSource | ShardSource:
    """A folder of conversations, or of tars where it has no `conversations.jsonl`. Raises `DataError`."""
    return read_folder(path) if (path / FILE_NAME).exists() or not tars_of(path) else open_shards(path)


def talk(picture: Picture, entry: MixtureEntry, rng: random.Random) -> Conversation:
    """A conversation about a picture: its caption, one question, or several; `text` leaves the picture out."""
    if entry.style == "caption":
        return Conversation((user(picture.image), assistant(picture.caption)))
    questions = choose_questions(picture.questions, entry.tasks, rng)
    if not questions:
        raise DataError(f"a {entry.source} picture has no question of the tasks {', '.join(entry.tasks)}")
    if entry.style == "question":
        questions = questions[:1]
    messages: list[Message] = []
    for number, question in enumerate(questions[: entry.turns]):
        first = number == 0 and entry.style != "text"
        messages.append(user(picture.image, question.prompt) if first else user(question.prompt))
        messages.append(assistant(question.answer))
    return Conversation(tuple(messages))


def choose_questions(questions: Sequence[Question], tasks: Sequence[str], rng: random.Random) -> list[Question]:
    """The questions of `tasks` (all where empty), shuffled so that every task has an equal chance to come first."""
    by_task: dict[str, list[Question]] = {}
    for question in questions:
        if not tasks or question.task in tasks:
            by_task.setdefault(question.task, []).append(question)
    for group in by_task.values():
        rng.shuffle(group)
    chosen: list[Question] = []
    groups = list(by_task.values())
    while groups:
        rng.shuffle(groups)
        chosen += [group.pop() for group in groups]
        groups = [group for group in groups if group]
    return chosen


class Mixture:
    """Weighted entries as one endless, seeded sequence of conversations."""

    def __init__(self, entries: Sequence[MixtureEntry], *, split: Split, seed: int) -> None:
        self.entries = tuple(entries)
        self.seed = seed
        self.sources: list[Source] = [
            ShuffledFolder(open_folder(entry.path), seed) if entry.path else PictureSource(entry, split, seed)
            for entry in entries
        ]
        self._counts = block_counts([entry.weight for entry in entries], BLOCK)
        self._block = lru_cache(maxsize=2)(self._make_block)

    def place(self, position: int) -> tuple[int, int]:
        """(entry, index within the entry's source) of a position of the global order."""
        block, offset = divmod(position, BLOCK)
        entry, rank = self._block(block)[offset]
        return entry, block * self._counts[entry] + rank

    def conversation(self, position: int) -> Conversation:
        """The conversation at a position. Raises `DataError` for a sample that can't be used."""
        entry, index = self.place(position)
        return self.sources[entry].conversation(index)

    def name(self, position: int) -> str:
        """What a message calls the sample at a position."""
        entry, index = self.place(position)
        return self.sources[entry].name(index)

    def fingerprint(self) -> str:
        """Changes when the order or the content of the data would."""
        return "|".join([str(self.seed), *(source.fingerprint() for source in self.sources)])

    def _make_block(self, block: int) -> list[tuple[int, int]]:
        order = [entry for entry, count in enumerate(self._counts) for _ in range(count)]
        rng_for(self.seed, "mixture", "train", block).shuffle(order)
        seen = [0] * len(self._counts)
        places = []
        for entry in order:
            places.append((entry, seen[entry]))
            seen[entry] += 1
        return places


def block_counts(weights: Sequence[float], size: int) -> list[int]:
    """How many of `size` positions each weight gets: largest remainders, and at least one each."""
    exact = [weight / sum(weights) * size for weight in weights]
    counts = [max(1, int(share)) for share in exact]
    order = sorted(range(len(weights)), key=lambda i: exact[i] - int(exact[i]), reverse=True)
    step = 0
    while sum(counts) != size:
        if sum(counts) < size:
            counts[order[step % len(order)]] += 1
        else:
            counts[counts.index(max(counts))] -= 1
        step += 1
    return counts
