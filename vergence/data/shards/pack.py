"""Conversations into shards, so that a pack which is killed anywhere goes on and ends in the bytes of an unbroken one.

```
rows ─▶ conversation, media checked ─▶ shard-000000.tar ─▶ shard-000000.parquet ─▶ shard-000000.json (it is done)
           └─▶ left out, by reason          ...                                       pack.json: all is done
```

A sample's key is the number of its row, so leaving one out renames no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vergence.data.shards.index import load_pyarrow, sidecar_of, write_sidecar
from vergence.data.shards.markers import (
    SETTINGS,
    LeftOut,
    Marker,
    read_marker,
    read_settings,
    shard_path,
    write_json,
    write_marker,
)
from vergence.data.shards.messages import RowError
from vergence.data.shards.rows import RowSource
from vergence.data.shards.samples import members_of
from vergence.data.shards.writer import END, ShardWriter, stored_size
from vergence.errors import DataError, UsageError

SHARD_BYTES = 256 * 1024 * 1024

Shown = Callable[[int, int], None]
"""Told after each row how many rows were read and how many shards are done."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What a pack came to: samples and shards, their bytes, and the rows that were left out."""

    samples: int
    shards: int
    bytes: int
    left_out: tuple[LeftOut, ...]


def pack(
    source: RowSource, output: Path, *, form: str, shard_bytes: int = SHARD_BYTES, show: Shown = lambda *_: None
) -> Packed:
    """Write the rows of a source as shards of at most `shard_bytes`; what is already there and whole stays.

    Rows that can't be used are left out, counted and named. Raises `UsageError` for an `output` that holds something
    else, `DataError` where no row can be used or pictures changed between two runs.
    """
    load_pyarrow()
    settings = {"format": form, "fingerprint": source.fingerprint, "shard_bytes": shard_bytes}
    new = _begin(output, settings)
    done: list[Marker] = []
    outcomes: _Outcomes | None = None
    while not done or not done[-1].last:
        tar = shard_path(output, len(done))
        start = done[-1].end if done else 0
        marker = read_marker(tar)
        if marker and marker.start == start and tar.is_file() and tar.stat().st_size == marker.bytes:
            outcomes = None  # they stand further back
            if not sidecar_of(tar).is_file():
                write_sidecar(tar)
        else:
            outcomes = outcomes or _Outcomes(source, start, shard_bytes)
            try:
                written = _write_shard(tar, outcomes, start, shard_bytes, lambda row: show(row, len(done)))
            except DataError:
                if new:
                    (output / SETTINGS).unlink()
                    output.rmdir()
                raise
            if marker and marker != written:
                tar.unlink()
                raise DataError(f"{tar}: the source's pictures have changed since; pack them into a new folder")
            write_sidecar(tar)
            write_marker(tar, written)
            marker = written
        done.append(marker)
    for partial in output.glob("*.partial"):
        partial.unlink(missing_ok=True)
    samples = sum(marker.samples for marker in done)
    write_json(output / SETTINGS, {**settings, "samples": samples, "shards": len(done)})
    left_out = tuple(row for marker in done for row in marker.left_out)
    return Packed(samples, len(done), sum(marker.bytes for marker in done), left_out)


def _begin(output: Path, settings: Mapping[str, Any]) -> bool:
    """Make the folder, or see that it is that of the same pack; returns whether it is new."""
    if output.exists() and (
        not output.is_dir()
        # A pack that was killed at once has written part of its settings.
        or not ((output / SETTINGS).is_file() or all(path.suffix == ".partial" for path in output.iterdir()))
    ):
        raise UsageError(f"{output}: exists already and holds no pack; name a new folder")
    output.mkdir(parents=True, exist_ok=True)
    found = read_settings(output)
    if found is None:
        write_json(output / SETTINGS, settings)
        return True
    for key, value in settings.items():
        if found.get(key) != value:
            what = "of another source" if key == "fingerprint" else f"with {key} {found.get(key)}, not {value}"
            raise UsageError(f"{output}: holds a pack {what}; name a new folder")
    return False


class _Outcomes:
    """The rows of a source from number `start` on, each as its sample's members or as the reason why it has none.

    `ahead` is the next one with its row's number, None at the end. It is looked at before it is taken, since a sample
    that doesn't fit into a shard begins the next one.
    """

    def __init__(self, source: RowSource, start: int, shard_bytes: int) -> None:
        self._outcomes = self._read(source, start, shard_bytes)
        self.ahead = next(self._outcomes, None)

    def take(self) -> None:
        """Go on to the next."""
        self.ahead = next(self._outcomes, None)

    @staticmethod
    def _read(source: RowSource, start: int, shard_bytes: int) -> Iterator[tuple[int, dict[str, bytes] | LeftOut]]:
        for number, row in enumerate(source.rows(start), start):
            try:
                members = members_of(row.load(), f"{number:09d}", where=row.where, max_bytes=shard_bytes)
                if (size := stored_size(members) + len(END)) > shard_bytes:
                    raise RowError("too large", f"{row.where}: {size} bytes, more than a shard may have")
            except DataError as error:
                yield number, LeftOut(error.reason if isinstance(error, RowError) else "unusable row", str(error))
            else:
                yield number, members


def _write_shard(tar: Path, outcomes: _Outcomes, start: int, shard_bytes: int, show: Callable[[int], None]) -> Marker:
    """Write the samples that fit. Raises `DataError` where no row is left that can be used."""
    left_out: list[LeftOut] = []
    samples, end = 0, start
    with ShardWriter(tar) as writer:
        while outcomes.ahead:
            number, found = outcomes.ahead
            if isinstance(found, LeftOut):
                left_out.append(found)
            elif writer.size + stored_size(found) <= shard_bytes:
                writer.add(found)
                samples += 1
            else:
                break
            end = number + 1
            show(end)
            outcomes.take()
        if not samples:
            last = (
                f"none of {end - start} rows can be used; the last: {left_out[-1].message}" if left_out else "no rows"
            )
            raise DataError(f"nothing to pack: {last}")
    return Marker(start, end, outcomes.ahead is None, samples, writer.size, writer.sha256, tuple(left_out))
