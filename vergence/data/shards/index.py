"""Where the samples of a tar lie: read from its headers, or from the Parquet file beside it (its *side-car*).

`shard-000000.parquet` has a row for each sample of `shard-000000.tar`: `key`; for each member its `names`, `offsets`
and `lengths` in bytes, `sha256` and `xxh3` (64 bits, which reading compares, since it costs a tenth); of the pictures
`widths` and `heights` in pixels and `phashes`; `visual_tokens` and `text_bytes`, by which a sample's tokens can be
estimated; `kind`, `difficulty`, `licence`, `source` and `tags` (JSON) of the record. All of it is read from the tar,
so a side-car that is lost can be made again, to the byte.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from vergence.data.curation.perceptual_hash import frequency_hash
from vergence.data.shards.samples import PICTURES, parse_record
from vergence.data.shards.writer import write_whole
from vergence.errors import DataError, UsageError
from vergence.processing.media import decode_image

# WebDataset's rule: the key is all up to the first dot of the file's name; a name without one belongs to no sample.
_NAME = re.compile(r"((?:.*/|)[^.]+)[.]([^/]*)")
_VERSION = "2"
_READABLE = ("1", "2")

PATCH = 28
"""Pixels of a side that make a visual token, after the 2 x 2 merge of patches of 14 (Seed1.5-VL, Qwen2-VL, Kimi-VL)."""


class Place(NamedTuple):
    """A member: its name, and where its content lies in the tar, in bytes."""

    name: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The members of one sample, which stand next to one another."""

    key: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class TarPlan:
    """The samples of a tar by its headers. `damage` says from where on it can't be read, if so."""

    samples: tuple[Sample, ...]
    damage: str | None = None


def scan_tar(path: Path) -> TarPlan:
    """Read a tar's headers, whoever wrote it. Raises `DataError` where it isn't an uncompressed tar at all."""
    samples: list[Sample] = []
    damage = None
    try:
        with tarfile.open(path, "r:") as archive:
            places: list[Place] = []
            last = None
            try:
                for info in archive:
                    match = _NAME.fullmatch(info.name)
                    if not info.isreg() or info.issparse() or not match or match[2].endswith("/"):
                        continue
                    if match[1] != last and places:
                        samples.append(Sample(str(last), tuple(places)))
                        places = []
                    last = match[1]
                    places.append(Place(info.name, info.offset_data, info.size))
            except (tarfile.TarError, OSError, ValueError) as error:
                damage = f"broken behind byte {archive.offset} ({error})"
            if places:
                samples.append(Sample(str(last), tuple(places)))
            end = archive.offset
    except tarfile.TarError:
        raise DataError(f"{path}: not an uncompressed tar file") from None
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    # tarfile takes a header that it can't read for the end.
    return TarPlan(tuple(samples), damage or _damage_at(path, end))


def _damage_at(path: Path, end: int) -> str | None:
    """Why a tar whose readable headers end at `end` isn't whole; None where it is."""
    with path.open("rb") as file:
        file.seek(end)
        block = file.read(tarfile.BLOCKSIZE)
    if block and not any(block):
        return None
    return f"broken behind byte {end} ({'not the header of a member' if block else 'it has no end mark'})"


def sidecar_of(tar: Path) -> Path:
    """The path of a tar's side-car."""
    return tar.with_suffix(".parquet")


def describe(tar: Path) -> Iterator[dict[str, Any]]:
    """The rows of a tar's side-car, from its content. Raises `DataError` for a tar that is broken."""
    plan = scan_tar(tar)
    if plan.damage:
        raise DataError(f"{tar}: {plan.damage}")
    with tar.open("rb") as file:
        for sample in plan.samples:
            contents = []
            for place in sample.places:
                file.seek(place.offset)
                contents.append(file.read(place.length))
            yield _row(tar, sample, contents)


def _row(tar: Path, sample: Sample, contents: list[bytes]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    sizes: list[tuple[int, int]] = []
    hashes: list[int] = []
    for place, data in zip(sample.places, contents, strict=True):
        extension = place.name.rpartition(".")[2].lower()
        try:
            if extension == "json":
                found = parse_record(data, place.name)
                record = found if isinstance(found, dict) else {}
            elif extension in PICTURES:
                picture = decode_image(data)
                sizes.append(picture.size)
                hashes.append(frequency_hash(picture.convert("L")))
        except DataError:  # a sample of another tool's tar; reading it names the reason
            continue
    tags = record.get("tags")
    return {
        "key": sample.key,
        "names": [place.name for place in sample.places],
        "offsets": [place.offset for place in sample.places],
        "lengths": [place.length for place in sample.places],
        "sha256": [sha256(data).hexdigest() for data in contents],
        "xxh3": [fast_hash(data) for data in contents],
        "widths": [width for width, _ in sizes],
        "heights": [height for _, height in sizes],
        "phashes": hashes,
        "visual_tokens": sum(-(-width // PATCH) * -(-height // PATCH) for width, height in sizes),
        "text_bytes": _text_bytes(record),
        "kind": _text(record.get("kind")),
        "difficulty": _number(record.get("difficulty")),
        "licence": _text(record.get("licence", record.get("license"))),
        "source": _text(record.get("source")),
        "tags": None if tags is None else json.dumps(tags, ensure_ascii=False, sort_keys=True),
    }


def _text_bytes(record: dict[str, Any]) -> int:
    """The bytes of UTF-8 that are said in a record of any form, or in its caption."""
    turns = record.get("messages", record.get("conversations"))
    if not isinstance(turns, list):
        return len(str(record.get("caption", record.get("text", ""))).encode("utf-8", "surrogatepass"))
    total = 0
    for turn in turns:
        content = turn.get("content", turn.get("value")) if isinstance(turn, dict) else None
        parts = content if isinstance(content, list) else [content]
        texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
        total += sum(len(text.encode("utf-8", "surrogatepass")) for text in texts if isinstance(text, str))
    return total


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None if value is None else json.dumps(value, ensure_ascii=False)


def fast_hash(data: bytes) -> int:
    """XXH3 of 64 bits: a checksum against damage, not against forgery."""
    import xxhash

    return int(xxhash.xxh3_64_intdigest(data))


def load_pyarrow() -> tuple[ModuleType, ModuleType]:
    """The modules pyarrow and pyarrow.parquet. Raises `UsageError` with the command that installs them."""
    try:
        import pyarrow
        import pyarrow.parquet
        import xxhash  # noqa: F401
    except ImportError:
        raise UsageError(
            "shards keep their index in Parquet, which needs pyarrow and xxhash: pip install 'vergence[data]'"
        ) from None
    return pyarrow, pyarrow.parquet


def write_sidecar(tar: Path) -> None:
    """Write the side-car of a tar."""
    pa, parquet = load_pyarrow()
    numbers, texts = pa.list_(pa.int64()), pa.list_(pa.string())
    schema = pa.schema(
        {
            "key": pa.string(),
            "names": texts,
            "offsets": numbers,
            "lengths": numbers,
            "sha256": texts,
            "xxh3": pa.list_(pa.uint64()),
            "widths": pa.list_(pa.int32()),
            "heights": pa.list_(pa.int32()),
            "phashes": pa.list_(pa.uint64()),
            "visual_tokens": pa.int64(),
            "text_bytes": pa.int64(),
            "kind": pa.string(),
            "difficulty": pa.float64(),
            "licence": pa.string(),
            "source": pa.string(),
            "tags": pa.string(),
        },
        metadata={"vergence_shard": _VERSION, "bytes": str(tar.stat().st_size)},
    )
    table = pa.Table.from_pylist(list(describe(tar)), schema=schema)
    write_whole(sidecar_of(tar), lambda path: parquet.write_table(table, path, compression="zstd"))


def read_sidecar(tar: Path) -> Any:
    """The table of a tar's side-car. Raises `DataError` where that is broken or of another kind."""
    pa, parquet = load_pyarrow()
    path = sidecar_of(tar)
    try:
        table = parquet.read_table(path)
        version = (table.schema.metadata or {}).get(b"vergence_shard", b"").decode()
        if version not in _READABLE:
            raise DataError(f"{path}: not the index of a shard (version {version or 'none'}, expected {_VERSION})")
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: can't be read ({reason}); without this file the tar is read by its headers") from None
    return table


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """Where the members of S samples lie, as arrays over the M members of a tar, so that millions stay small.

    Sample s has the members `first[s]` up to `first[s + 1]`. `digests` are their SHA-256, where a side-car has them;
    otherwise `size`, the tar's bytes when it was opened, tells whether it changed. A tar that is broken somewhere
    has one more sample, which can't be read, so that its loss is seen and counted.
    """

    tar: Path
    size: int
    keys: tuple[str, ...]
    first: np.ndarray  # [S + 1]
    offsets: np.ndarray  # [M]
    lengths: np.ndarray  # [M]
    suffixes: tuple[str, ...]
    kinds: np.ndarray  # [M] which suffix follows the key in a member's name
    digests: np.ndarray | None  # [M, 32]
    fast: np.ndarray | None = None  # [M] XXH3 of 64 bits
    damage: str | None = None

    def __len__(self) -> int:
        return len(self.keys) + (self.damage is not None)

    def names(self, sample: int) -> list[str]:
        """The names of a sample's members."""
        return [
            self.keys[sample] + self.suffixes[kind] for kind in self.kinds[self.first[sample] : self.first[sample + 1]]
        ]

    def fingerprint(self) -> str:
        """Changes when the members do; without digests only when their names and places do."""
        digest = sha256("\0".join((*self.keys, *self.suffixes, self.damage or "")).encode("utf-8", "surrogateescape"))
        for array in (self.first, self.offsets, self.lengths, self.kinds, self.digests):
            digest.update(b"" if array is None else array.tobytes())
        return digest.hexdigest()


def open_index(tar: Path) -> ShardIndex:
    """The index of a tar: from its side-car where it has one, else from its headers."""
    try:
        size = tar.stat().st_size
    except OSError as error:
        raise DataError(f"{tar}: can't be read ({error.strerror})") from None
    if not sidecar_of(tar).is_file():
        plan = scan_tar(tar)
        places = [place for sample in plan.samples for place in sample.places]
        counts = [len(sample.places) for sample in plan.samples]
        names, offsets, lengths = zip(*places, strict=True) if places else ((), (), ())
        keys = [sample.key for sample in plan.samples]
        return _index(tar, size, keys, counts, names, np.array(offsets), np.array(lengths), None, plan.damage)
    table = read_sidecar(tar)
    names, offsets, lengths, digests = (_flat(table, name) for name in ("names", "offsets", "lengths", "sha256"))
    counts = [len(row) for row in table.column("names").to_pylist()]
    packed = np.frombuffer(bytes.fromhex("".join(digests)), dtype=np.uint8).reshape(-1, 32)
    if not len(names) == len(offsets) == len(lengths) == len(packed):
        raise DataError(f"{sidecar_of(tar)}: its columns don't agree; delete it to have the tar read by its headers")
    fast = _flat(table, "xxh3") if "xxh3" in table.column_names else None
    if fast is not None and len(fast) != len(names):
        raise DataError(f"{sidecar_of(tar)}: its columns don't agree; delete it to have the tar read by its headers")
    keys = table.column("key").to_pylist()
    return replace(_index(tar, size, keys, counts, names, offsets, lengths, packed, None), fast=fast)


def _flat(table: Any, name: str) -> Any:
    """The values of a column of lists end to end: numbers as an array, texts as a list."""
    values = table.column(name).combine_chunks().flatten()
    return values.to_pylist() if name in ("names", "sha256") else values.to_numpy()


def _index(
    tar: Path,
    size: int,
    keys: Sequence[str],
    counts: Sequence[int],
    names: Sequence[str],
    offsets: np.ndarray,
    lengths: np.ndarray,
    digests: np.ndarray | None,
    damage: str | None,
) -> ShardIndex:
    suffixes: dict[str, int] = {}
    owners = (key for key, count in zip(keys, counts, strict=True) for _ in range(count))
    kinds = [suffixes.setdefault(name[len(key) :], len(suffixes)) for key, name in zip(owners, names, strict=True)]
    return ShardIndex(
        tar,
        size,
        tuple(keys),
        np.cumsum([0, *counts], dtype=np.int64),
        offsets.astype(np.int64),
        lengths.astype(np.int64),
        tuple(suffixes),
        np.array(kinds, dtype=np.int32),
        digests,
        damage=damage,
    )
