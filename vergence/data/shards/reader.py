"""Samples of shards in any order: one `pread` for each, so any number of processes can share the files.

```
folder ─▶ *.tar in the order of their names ─▶ their indexes ─▶ [number] ─▶ bytes, checked ─▶ Conversation
```
"""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

from vergence.conversation import Conversation
from vergence.data.shards.index import ShardIndex, fast_hash, open_index
from vergence.data.shards.markers import read_settings
from vergence.data.shards.samples import conversation_of, parse_record
from vergence.errors import DataError


@dataclass(frozen=True, slots=True)
class ShardSource:
    """The conversations of a folder of shards by number, in the order of the tars and of the samples in them.

    `fingerprint` covers every byte of a member where side-cars hold its hash, and its place and size where not.
    """

    path: Path
    shards: tuple[ShardIndex, ...]
    ends: tuple[int, ...]
    fingerprint: str

    def __len__(self) -> int:
        return self.ends[-1]

    def key(self, index: int) -> str:
        """The key of a sample; for what a damaged tar has lost, that it's the end."""
        shard, sample = self._find(index)
        return "its end" if sample == len(shard.keys) else shard.keys[sample]

    def where(self, index: int) -> str:
        """The place of a conversation as its shard and key, for messages."""
        return f"{self._find(index)[0].tar}: {self.key(index)}"

    def __getitem__(self, index: int) -> Conversation:
        """One conversation with its media as bytes. Raises `DataError` that names shard and key if it can't be used."""
        return conversation_of(self.members(index), where=self.where(index))

    def record(self, index: int) -> dict[str, Any]:
        """The JSON of a sample without its media; empty where it has none. Raises `DataError` as `members` does."""
        found = self.members(index, suffix=".json")
        record = parse_record(next(iter(found.values())), self.where(index)) if found else {}
        return record if isinstance(record, dict) else {}

    def members(self, index: int, *, suffix: str = "") -> dict[str, bytes]:
        """The content of a sample's members (of those whose names end so) by their names.

        Raises `DataError` for what is damaged or has changed.
        """
        shard, sample = self._find(index)
        if sample == len(shard.keys):
            raise DataError(f"{shard.tar}: {shard.damage}; the samples from there on are lost")
        where = f"{shard.tar}: {shard.keys[sample]}"
        first = int(shard.first[sample])
        members, names = [], []
        for number, name in enumerate(shard.names(sample), first):
            if name.endswith(suffix):
                members.append(number)
                names.append(name)
        if not members:
            return {}
        start = int(shard.offsets[members[0]])
        end = int(shard.offsets[members[-1]] + shard.lengths[members[-1]])
        data = memoryview(_read(shard, start, end, where))
        found = {}
        for number, name in zip(members, names, strict=True):
            place = int(shard.offsets[number]) - start
            content = data[place : place + int(shard.lengths[number])].tobytes()
            if _differs(shard, number, content):
                raise DataError(f"{where}: {name} is not what was packed (its hash differs)")
            found[name] = content
        return found

    def _find(self, index: int) -> tuple[ShardIndex, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"conversation {index} of {len(self)} in {self.path}")
        number = bisect_right(self.ends, index)
        return self.shards[number], index - (self.ends[number - 1] if number else 0)


def _differs(shard: ShardIndex, member: int, content: bytes) -> bool:
    """Whether a member isn't what its side-car says, by the fast checksum where there is one."""
    if shard.fast is not None:
        return fast_hash(content) != int(shard.fast[member])
    return shard.digests is not None and sha256(content).digest() != shard.digests[member].tobytes()


def _read(shard: ShardIndex, start: int, end: int, where: str) -> bytes:
    """Bytes of a tar, opened anew: no handle is shared or left open, whatever forks, threads or is pickled."""
    try:
        handle = os.open(shard.tar, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            size = os.fstat(handle).st_size
            if shard.digests is None and size != shard.size:
                raise DataError(f"{where}: the file has changed since it was opened for this run")
            if not 0 <= start <= end <= size:
                raise DataError(f"{where}: the file ends at byte {size}, before the sample does")
            data = os.pread(handle, end - start, start)
        finally:
            os.close(handle)
    except OSError as error:
        raise DataError(f"{where}: can't be read ({error.strerror})") from None
    if len(data) != end - start:  # more than 2 GB in one read, or a file that shrinks at this moment
        raise DataError(f"{where}: only {len(data)} of {end - start} bytes can be read")
    return data


def tars_of(path: Path) -> list[Path]:
    """The tars of a folder in the order of their names, or the one tar that `path` is."""
    return [path] if path.suffix == ".tar" and path.is_file() else sorted(path.glob("*.tar"))


def open_shards(path: str | Path) -> ShardSource:
    """Open a folder of tars, ours or another tool's, or a single tar.

    Raises `DataError` for a folder without a sample and for one whose packing hasn't finished.
    """
    folder = Path(path)
    tars = tars_of(folder)
    settings = read_settings(folder)
    if settings is not None and settings.get("shards") != len(tars):
        expected = settings.get("shards")
        problem = f"has {len(tars)} of {expected} shards" if expected else "it has not finished"
        raise DataError(f"{folder}: {problem}; the same `vergence data pack` or `make` goes on")
    shards = tuple(open_index(tar) for tar in tars)
    ends = tuple(accumulate(map(len, shards)))
    if not ends or not ends[-1]:
        raise DataError(f"{folder}: holds no tar with a sample")
    digest = sha256("|".join(shard.fingerprint() for shard in shards).encode()).hexdigest()
    # A tar in which everything is lost has no sample, but it has its damage.
    return ShardSource(folder, shards, ends, digest)
