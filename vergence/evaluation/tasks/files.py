"""Rows of a task's data: JSON, JSON Lines, TSV, CSV and Parquet files, folders of these, and datasets of a hub.

```
folder + patterns ─▶ find_files ─▶ read_rows ─┐
hub id ───────────────────────▶ read_hub ─────┴▶ (row, where), (row, where), ...
```

A row is a dict of cells as its format gives them (all text in TSV and CSV, where an empty cell is None); `where` names
its place for messages ("test.jsonl:12"). A broken row is noted in `Problems` and left out; a file that can't be read at
all is an error. Pictures are in `vergence.evaluation.tasks.media_cells`.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vergence.errors import DataError, UsageError
from vergence.evaluation.tasks.cells import Row
from vergence.evaluation.tasks.problems import Problems

SUFFIXES = (".json", ".jsonl", ".ndjson", ".tsv", ".csv", ".parquet")
CONFIG = "_config"
"""The column that holds a dataset's configuration: what `{config}` stands for in a pattern, or the hub's name of it."""
KEY = "_key"
"""The column that holds a row's key where a JSON file is a mapping of keys to rows."""


class DataNotFoundError(DataError):
    """A task's data isn't where it was looked for, or can't be fetched: the task is not evaluated, others are."""


def find_files(root: Path, patterns: Sequence[str], configs: Sequence[str] = ()) -> list[tuple[Path, str]]:
    """The files of the first pattern that any file below `root` matches, sorted, each with its configuration.

    A pattern is a glob relative to `root`; `{config}` in it stands for a name without "/", one of `configs` where there
    are any. Nothing is found outside `root`.
    """
    for pattern in patterns:
        if ".." in Path(pattern).parts or Path(pattern).is_absolute():
            raise UsageError(f"data.files: the pattern {pattern!r} leads out of the data folder")
        named = re.compile(_as_regex(pattern))
        found = []
        for path in sorted(root.glob(pattern.replace("{config}", "*"))):
            match = named.fullmatch(path.relative_to(root).as_posix())
            config = match.groupdict().get("config", "") if match else ""
            if path.is_file() and match and (not configs or not config or config in configs):
                found.append((path, config))
        if found:
            return found
    return []


def _as_regex(pattern: str) -> str:
    """A glob with one `{config}` as a regular expression, in which both `*` and the name stop at a slash."""
    words = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]", "{config}": "(?P<config>[^/]+)"}
    pieces = re.split(r"(\*\*/|\*|\?|\{config\})", pattern)
    return "".join(words.get(piece, re.escape(piece)) for piece in pieces)


def readable_files(folder: Path) -> list[Path]:
    """The files directly in a folder whose format is known, sorted."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES)


def read_rows(path: Path, problems: Problems, *, records: str = "") -> Iterator[tuple[Row, str]]:
    """Each row of a file or of all files in a folder with its place.

    `records` is the dotted path to the rows in a JSON file whose top is something else. Raises `DataError` for a file
    that isn't what its suffix says, `DataNotFoundError` for one that isn't there, `UsageError` for an unknown suffix.
    """
    if path.is_dir():
        files = readable_files(path)
        if not files:
            raise DataNotFoundError(f"{path}: no file ending in {', '.join(SUFFIXES)}")
        for file in files:
            yield from read_rows(file, problems, records=records)
        return
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: expected a file ending in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise DataNotFoundError(f"{path}: no such file")
    try:
        if suffix in (".tsv", ".csv"):
            yield from _table(path, problems, "\t" if suffix == ".tsv" else ",")
        elif suffix == ".json":
            yield from _json(path, problems, records)
        elif suffix == ".parquet":
            yield from _parquet(path)
        else:
            yield from _json_lines(path, problems)
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text (byte {error.start})") from None


def _json(path: Path, problems: Problems, records: str = "") -> Iterator[tuple[Row, str]]:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise DataError(f"{path}: is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: is not valid JSON: {error.msg}") from None
    for key in filter(None, records.split(".")):
        if not isinstance(value, Mapping) or key not in value:
            raise DataError(f"{path}: no key {key!r} on the way to the rows ({records})")
        value = value[key]
    yield from _from_json(value, path, problems)


def _from_json(value: Any, path: Path, problems: Problems) -> Iterator[tuple[Row, str]]:
    """Rows of a list, or of a mapping of keys to a row or to a list of rows, which get their key as a column."""
    pairs: list[tuple[Any, str, dict[str, Any]]] = []
    if isinstance(value, list):
        pairs = [(item, f"{path.name}[{index}]", {}) for index, item in enumerate(value)]
    elif isinstance(value, Mapping):
        for key, item in value.items():
            several = isinstance(item, list)
            for index, one in enumerate(item if several else [item]):
                pairs.append((one, f"{path.name}[{key!r}]" + (f"[{index}]" if several else ""), {KEY: key}))
    else:
        raise DataError(f"{path}: expected a list of objects or a mapping of keys to objects")
    for item, where, key in pairs:
        if isinstance(item, Mapping):
            yield {**key, **item}, where
        else:
            problems.add("not a JSON object", where)


def _json_lines(path: Path, problems: Problems) -> Iterator[tuple[Row, str]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{path.name}:{number}"
            try:
                row = json.loads(line)
            except RecursionError:
                problems.add("nested too deeply", where)
            except json.JSONDecodeError as error:
                problems.add(f"not valid JSON: {error.msg}", where)
            else:
                if isinstance(row, dict):
                    yield row, where
                else:
                    problems.add("not a JSON object", where)


def _table(path: Path, problems: Problems, delimiter: str) -> Iterator[tuple[Row, str]]:
    """Rows of separated values with a heading, quoted as pandas does; VLMEvalKit's cells hold whole pictures."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            heading: list[str] | None = None
            while True:
                where = f"{path.name}:{reader.line_num + 1}"
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    problems.add(f"broken quoting: {error}", where)
                    continue
                if not cells:
                    continue
                if heading is None:
                    heading = _heading(cells, path)
                elif len(cells) == len(heading):
                    yield {name: cell or None for name, cell in zip(heading, cells, strict=True)}, where
                else:
                    problems.add(f"not {len(heading)} cells, as the heading has", where)
    finally:
        csv.field_size_limit(limit)


def _heading(cells: list[str], path: Path) -> list[str]:
    twice = sorted({cell for cell in cells if cells.count(cell) > 1})
    if twice:
        raise DataError(f"{path}:1: the heading names {', '.join(twice)} more than once")
    return cells


def _parquet(path: Path) -> Iterator[tuple[Row, str]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UsageError(f"{path}: reading Parquet needs pyarrow: pip install 'vergence[eval]'") from None
    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64):
                for row in batch.to_pylist():
                    number += 1
                    yield row, f"{path.name} row {number}"
    except ArrowException as error:
        raise DataError(f"{path}: broken Parquet file after row {number}: {' '.join(str(error).split())}") from None


def read_hub(name: str, *, config: str | None, split: str | None, revision: str | None) -> tuple[Any, str]:
    """A dataset of the hub (or of a folder in the hub's layout) and its fingerprint; nothing of it is decoded.

    Raises `UsageError` without the package, `DataNotFoundError` where it can't be fetched.
    """
    try:
        import datasets
    except ImportError:
        raise UsageError(f"dataset {name!r}: the hub needs datasets: pip install 'vergence[eval]'") from None
    try:
        found = datasets.load_dataset(name, config, split=split, revision=revision)
    except Exception as error:  # the package has no common base for what can go wrong on the way
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        what = "/".join(filter(None, [name, config]))
        raise DataNotFoundError(
            f"dataset {what!r} can't be fetched ({type(error).__name__}: {reason}); "
            "without a network, download it elsewhere and give its folder with --data DIR"
        ) from None
    if isinstance(found, Mapping):
        raise UsageError(f"dataset {name!r}: data.split is missing, there are: {', '.join(found)}")
    return found, str(found._fingerprint)


def hub_rows(dataset: Any, name: str) -> Iterator[tuple[Row, str]]:
    """The rows of a dataset as it stores them: a picture as its bytes and name."""
    number = 0
    for batch in dataset.with_format("arrow").iter(batch_size=64):
        for row in batch.to_pylist():
            number += 1
            yield row, f"{name} row {number}"


def sha256(path: Path) -> str:
    """The hash of a file's content, remembered for as long as its size and time of change stay the same."""
    status = path.stat()
    return _sha256(path.resolve(), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
