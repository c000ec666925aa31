"""What a packed folder says of itself: how it was made (`pack.json`), and for each shard that it is done.

A shard is done when its marker `shard-000000.json` is there, which is written last. Neither file holds a time or
anything of the machine, so that a folder packed in one go and one packed after many stops have the same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vergence.data.shards.writer import write_whole
from vergence.errors import DataError

SETTINGS = "pack.json"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that could not be used, by the place in its file."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Marker:
    """A shard that is done: the rows of the source it covers, from `start` up to `end`, and what came of them."""

    start: int
    end: int
    last: bool
    samples: int
    bytes: int
    sha256: str
    left_out: tuple[LeftOut, ...] = ()


def shard_path(folder: Path, number: int) -> Path:
    """The tar of a shard; its side-car and its marker lie beside it."""
    return folder / f"shard-{number:06d}.tar"


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    write_whole(path, lambda partial: partial.write_bytes(text.encode("utf-8", "surrogatepass")))


def read_settings(folder: Path) -> dict[str, Any] | None:
    """The `pack.json` of a folder; None for tars that another tool wrote. `shards` is in it once packing is over."""
    return read_json(folder / SETTINGS)


def write_marker(tar: Path, marker: Marker) -> None:
    """Say that a shard is done."""
    write_json(tar.with_suffix(".json"), asdict(marker))


def read_marker(tar: Path) -> Marker | None:
    """The marker of a shard; None where there is none."""
    path = tar.with_suffix(".json")
    found = read_json(path)
    if found is None:
        return None
    try:
        return Marker(**{**found, "left_out": tuple(LeftOut(**row) for row in found["left_out"])})
    except (TypeError, KeyError):
        raise DataError(f"{path}: not the marker of a shard; delete it, and the shard is packed again") from None


def markers(folder: Path) -> list[Marker]:
    """The markers of a folder's shards in their order."""
    found: list[Marker] = []
    while (marker := read_marker(shard_path(folder, len(found)))) is not None:
        found.append(marker)
    return found


def count_reasons(rows: Iterable[LeftOut]) -> dict[str, int]:
    """How many rows each reason cost, the most frequent first."""
    return dict(sorted(Counter(row.reason for row in rows).items(), key=lambda item: (-item[1], item[0])))


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is no file. Raises `DataError` for anything but an object."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DataError(f"{path}: not a JSON object")
    return found
