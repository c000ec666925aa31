"""LLaVA-OneVision's YAML files: a list of JSON files, and of each how much is taken.

```
datasets:
  - json_path: /data/ai2d.json
    sampling_strategy: all            # all, first:N, end:N, random:N; N a number or a percentage
```

Every listed file must be there: a recipe of which a part is missing is another recipe. Source: scripts/train/*.yaml and
llava/train/train.py of github.com/LLaVA-VL/LLaVA-NeXT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from vergence.config import ConfigError, read_yaml
from vergence.data.selection import select
from vergence.data.shards.rows import FileRows, Row
from vergence.errors import DataError


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the list, how many rows it has, and the numbers of those that are taken, ascending."""

    rows: FileRows
    taken: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MixtureRows:
    """The rows of all files one after the other."""

    parts: tuple[Part, ...]
    fingerprint: str

    def rows(self, start: int) -> Iterator[Row]:
        """The rows from number `start` on."""
        for part in self.parts:
            if start >= len(part.taken):
                start -= len(part.taken)
                continue
            wanted = part.taken[start:]
            rows = part.rows.rows(wanted[0])
            before = wanted[0]
            for number in wanted:
                yield next(islice(rows, number - before, None))
                before = number + 1
            start = 0


def open_mixture(path: Path, images: Path, seed: int = 0) -> MixtureRows:
    """Read the list and count the rows of its files. Paths are relative to the list's folder.

    Raises `ConfigError` for a list that isn't one, `DataError` that names every file that is missing.
    """
    listed = _entries(path)
    files = [(path.parent / entry["json_path"], entry["sampling_strategy"]) for entry in listed]
    missing = [str(file) for file, _ in files if not file.is_file()]
    if missing:
        raise DataError(f"{path}: {len(missing)} of {len(files)} files are missing: {', '.join(missing)[:1000]}")
    parts = []
    digest = sha256(str(seed).encode())
    for number, (file, strategy) in enumerate(files):
        rows = FileRows(file, images, None)
        size = sum(1 for _ in rows.rows(0))
        parts.append(Part(rows, tuple(select(size, strategy, seed + number).tolist())))
        digest.update(f"{rows.fingerprint} {strategy}\n".encode())
    return MixtureRows(tuple(parts), digest.hexdigest())


def _entries(path: Path) -> list[dict[str, Any]]:
    data = read_yaml(path)
    problems: list[str] = []
    datasets = data.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        raise ConfigError(str(path), ["datasets: expected a list of json_path and sampling_strategy"])
    found = []
    for number, entry in enumerate(datasets):
        where = f"datasets.{number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("json_path"), str):
            problems.append(f"{where}.json_path: expected the path of a JSON file")
            continue
        strategy = str(entry.get("sampling_strategy") or "all")
        try:
            select(1, strategy, 0)
        except ValueError as error:
            problems.append(f"{where}.sampling_strategy: {error}")
        found.append({"json_path": entry["json_path"], "sampling_strategy": strategy})
    if problems:
        raise ConfigError(str(path), problems)
    return found
