"""What a filter says of each sample: how often it is taken, why, and the score behind it. Filters never write pictures.

A decisions file is Parquet with the columns `number` and `key` of the sample, `repeat` (0: left out; more than 1: taken
several times an epoch), `reason`, `score` and `of` (the number of the sample that it repeats), and names the filter
and the source's fingerprint. Scores stay, so that another threshold needs no second look at the pictures. The design
is DataComp's: filters give lists of ids, and only the last step copies anything (Gadre et al. 2023, arXiv
2304.14108).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vergence.data.shards.index import load_pyarrow
from vergence.data.shards.writer import write_whole
from vergence.errors import DataError

KEPT = "kept"
_VERSION = "1"


class Decision(NamedTuple):
    """What becomes of sample `number` of a source: taken `repeat` times, for `reason`.

    `score` is there where something was measured, `of` where it is a copy of another sample.
    """

    number: int
    key: str
    repeat: int
    reason: str = KEPT
    score: float | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions of one filter on one source, one for each of its samples, in their order."""

    filter: str
    fingerprint: str
    settings: Mapping[str, Any]
    rows: tuple[Decision, ...]

    def counts(self) -> dict[str, int]:
        """How many samples each reason has, the most frequent first."""
        found = Counter(row.reason for row in self.rows)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def repeats(self) -> np.ndarray:
        """How often each sample is taken, [S]."""
        return np.array([row.repeat for row in self.rows], np.int64)


def write_decisions(decisions: Decisions, path: Path) -> None:
    """Write a decisions file, whole or not at all."""
    pa, parquet = load_pyarrow()
    columns = list(zip(*decisions.rows, strict=True)) or [()] * 6
    schema = pa.schema(
        {
            "number": pa.int64(),
            "key": pa.string(),
            "repeat": pa.int32(),
            "reason": pa.string(),
            "score": pa.float64(),
            "of": pa.int64(),
        },
        metadata={
            "vergence_decisions": _VERSION,
            "filter": decisions.filter,
            "fingerprint": decisions.fingerprint,
            "settings": json.dumps(dict(decisions.settings), ensure_ascii=False, sort_keys=True),
        },
    )
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: parquet.write_table(table, partial, compression="zstd"))


def read_decisions(path: Path) -> Decisions:
    """Read a decisions file. Raises `DataError` for anything else."""
    columns, metadata = _read(path, Decision._fields)
    rows = tuple(map(Decision._make, zip(*(column.to_pylist() for column in columns), strict=True)))
    return Decisions(metadata["filter"], metadata["fingerprint"], json.loads(metadata["settings"]), rows)


def _read(path: Path, names: Sequence[str]) -> tuple[list[Any], dict[str, str]]:
    """These columns of a decisions file, and what it says of itself."""
    pa, parquet = load_pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            metadata = {
                key.decode(): value.decode("utf-8", "replace")
                for key, value in (file.schema_arrow.metadata or {}).items()
            }
            if metadata.get("vergence_decisions") != _VERSION:
                raise DataError(f"{path}: not a file of decisions, as `vergence data clean` and its like write")
            lacking = [name for name in names if name not in file.schema_arrow.names]
            if lacking:
                raise DataError(f"{path}: has no column {', '.join(lacking)}")
            table = file.read(list(names))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: can't be read ({' '.join(str(error).split())[:200]})") from None
    return [table.column(name) for name in names], metadata


def combine(files: Sequence[Path], *, fingerprint: str, size: int, where: str) -> np.ndarray:
    """How often each of the `size` samples of a source is taken by all of these files together: the product, [S].

    Raises `DataError` where a file is about another source, or about this one before it changed.
    """
    total = np.ones(size, np.int64)
    for path in files:
        (numbers, repeats), metadata = _read(path, ("number", "repeat"))
        if metadata["fingerprint"] != fingerprint or len(numbers) != size:
            raise DataError(f"{path}: was decided on other data than {where}; run the filter again")
        taken = repeats.fill_null(-1).to_numpy()
        if not np.array_equal(numbers.fill_null(-1).to_numpy(), np.arange(size)) or (taken < 0).any():
            raise DataError(f"{path}: its rows must be in the order of `number`, with a `repeat` of 0 or more")
        total *= taken
    return total


def summary(decisions: Decisions) -> str:
    """The counts of a filter in lines."""
    total = len(decisions.rows) or 1
    taken = int(decisions.repeats().sum())
    lines = [f"{decisions.filter}: {len(decisions.rows):,} samples in, {taken:,} out"]
    lines += [f"  {reason}: {count:,} ({count / total:.1%})" for reason, count in decisions.counts().items()]
    return "\n".join(lines)


def all_of(rows: Iterable[Decision], *, name: str, fingerprint: str, settings: Mapping[str, Any]) -> Decisions:
    """Decisions from rows in any order, put into the order of their samples."""
    return Decisions(name, fingerprint, settings, tuple(sorted(rows, key=lambda row: row.number)))
