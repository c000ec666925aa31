"""What a mixture takes samples from: kinds of data made on the fly, and folders or shards read in shuffled epochs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vergence.config import ConfigError, parse
from vergence.conversation import Conversation
from vergence.data.curation.decisions import combine
from vergence.data.generator import GeneratorConfig, make_sample
from vergence.data.kinds import find_kind, is_picture_kind, load_generator
from vergence.data.pictures import Split
from vergence.data.selection import select
from vergence.data.shards.reader import ShardSource, open_shards, tars_of
from vergence.data.sources.folder import FILE_NAME, FolderSource, read_folder, read_lines
from vergence.errors import DataError
from vergence.recipe import MixtureEntry


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

    @property
    def size(self) -> int | None:
        """Samples in an epoch; None for a source without end."""
        ...


class KindSource:
    """An endless source: every index is a new sample of one kind."""

    size = None

    def __init__(self, entry: MixtureEntry, split: Split, seed: int) -> None:
        find_kind(entry.source)
        self.entry, self.seed = entry, seed
        self.generator = load_generator(entry.source)
        self.config = settings_of(entry, split, self.generator.Config)

    def conversation(self, index: int) -> Conversation:
        """Make the sample of this index."""
        return make_sample(self.entry.source, self.generator, self.config, self.seed, index)

    def name(self, index: int) -> str:
        """The kind: nobody can look up a made sample's number."""
        return f"{self.entry.source} picture" if is_picture_kind(self.entry.source) else f"{self.entry.source} sample"

    def fingerprint(self) -> str:
        """The kind, its version and its settings; the samples follow from them and the seed."""
        return f"{self.entry.model_dump_json()}/{self.generator.VERSION}/{self.config.split}/{self.seed}"


def settings_of(entry: MixtureEntry, split: Split, model: type[GeneratorConfig]) -> GeneratorConfig:
    """The settings of a kind that an entry asks for. Raises `ConfigError` for those that the kind doesn't have."""
    where = f"mixture entry {entry.source}"
    talk: dict[str, Any] = {
        name: getattr(entry, name) for name in ("style", "tasks", "turns") if name in entry.model_fields_set
    }
    if not is_picture_kind(entry.source) and talk:
        raise ConfigError(where, [f"{name}: only the small picture kinds have it; use settings" for name in talk])
    return parse(model, {**entry.settings, **talk, "split": split}, source=where)


class ShuffledFolder:
    """A data folder, or a folder of shards, read in a new order each epoch.

    Of it what `take` says, and of that what every file of decisions in `keep` keeps, as often as it says. Raises
    `DataError` where nothing is left.
    """

    def __init__(
        self, folder: FolderSource | ShardSource, seed: int, take: str = "all", keep: Sequence[Path] = ()
    ) -> None:
        if not len(folder):
            raise DataError(f"{folder.path}: the data folder has no conversations")
        self.folder, self.seed, self.take = folder, seed, take
        self._taken: np.ndarray | None = None if take == "all" and not keep else select(len(folder), take, seed)
        self._kept = ""
        if keep and self._taken is not None:
            repeats = combine(keep, fingerprint=folder.fingerprint, size=len(folder), where=str(folder.path))
            self._taken = np.repeat(self._taken, repeats[self._taken])
            self._kept = sha256(self._taken.tobytes()).hexdigest()
            if not len(self._taken):
                raise DataError(f"{folder.path}: {', '.join(map(str, keep))} keep none of its samples")
        self._size = len(folder) if self._taken is None else len(self._taken)
        # Each source keeps its own: a mixture of many would make them anew for every sample.
        self._permutation = lru_cache(maxsize=2)(partial(_permutation, seed, size=self._size))

    @property
    def size(self) -> int:
        """The samples that are taken, once each in an epoch."""
        return self._size

    def conversation(self, index: int) -> Conversation:
        """Sample `index` of the endless sequence of shuffled epochs."""
        return self.folder[self._line(index)]

    def name(self, index: int) -> str:
        """The file and the line, or the shard and the key."""
        return self.folder.where(self._line(index))

    def _line(self, index: int) -> int:
        epoch, place = divmod(index, self._size)
        number = int(self._permutation(epoch)[place])
        return number if self._taken is None else int(self._taken[number])

    def fingerprint(self) -> str:
        """The hash of the folder's `conversations.jsonl`, or of what its shards hold, and what is taken of it."""
        parts = [self.folder.fingerprint, *([] if self.take == "all" else [self.take]), *filter(None, [self._kept])]
        return "/".join(parts)


def _permutation(seed: int, epoch: int, size: int) -> np.ndarray:
    kind = np.uint32 if size < 1 << 32 else np.int64
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(size).astype(kind)


def open_folder(path: Path) -> FolderSource | ShardSource:
    """A folder of conversations, or of tars where it has no `conversations.jsonl`; or a file of JSON lines.

    Raises `DataError` for anything else.
    """
    if path.suffix in (".jsonl", ".json", ".ndjson") and path.is_file():
        return read_lines(path)
    return read_folder(path) if (path / FILE_NAME).exists() or not tars_of(path) else open_shards(path)


def open_source(entry: MixtureEntry, split: Split, seed: int) -> Source:
    """The source that an entry of a mixture names."""
    if entry.path is not None:
        return ShuffledFolder(open_folder(entry.path), seed, entry.take, entry.keep)
    return KindSource(entry, split, seed)
