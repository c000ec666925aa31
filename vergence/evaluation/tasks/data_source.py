"""Where a task's rows come from: files below the folder that `--data` names, a file of one's own, or the hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.tasks.cells import Row
from vergence.evaluation.tasks.declaration import DataSection
from vergence.evaluation.tasks.files import (
    CONFIG,
    DataNotFoundError,
    find_files,
    hub_rows,
    read_hub,
    read_rows,
    readable_files,
    sha256,
)
from vergence.evaluation.tasks.problems import Problems

HUB = Path("hub")
"""`--data hub` fetches a task's public dataset; without it nothing is downloaded."""


@dataclass(frozen=True, slots=True)
class Source:
    """Files (each with its configuration) or datasets of the hub. `folder` is what media paths are relative to."""

    section: DataSection
    folder: Path | None
    files: Sequence[tuple[Path, str]] = ()
    datasets: Mapping[str, tuple[Any, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        """What messages call it."""
        if self.datasets:
            return str(self.section.hub)
        first = str(self.files[0][0])
        return first if len(self.files) == 1 else f"{first} and {len(self.files) - 1} more files"

    def rows(self, problems: Problems) -> Iterator[tuple[Row, str]]:
        """Each row with its place and, where the data have parts, the part's name in the column `_config`."""
        only = self.section.configs[0] if len(self.section.configs) == 1 else ""
        for path, named in self.files:
            config = named or only
            for row, where in read_rows(path, problems, records=self.section.records):
                yield (row | {CONFIG: config} if config else row), where
        for config, (dataset, _) in self.datasets.items():
            name = "/".join(filter(None, [self.section.hub, config]))
            for row, where in hub_rows(dataset, name):
                yield (row | {CONFIG: config} if config else row), where

    def identity(self) -> dict[str, Any]:
        """What the data are, whatever folder they lie in: the hash of each file with rows, or the hub's fingerprint.

        Media in files of their own aren't hashed, only their names in the rows are.
        """
        if self.datasets:
            return {
                "hub": self.section.hub,
                "split": self.section.split,
                "fingerprints": {config: mark for config, (_, mark) in self.datasets.items()},
            }
        try:
            return {"files": {f"{config}/{path.name}": sha256(path) for path, config in self.files}}
        except OSError as error:
            raise DataError(f"{error.filename}: can't be read: {error.strerror or error}") from None


def locate(section: DataSection, task: str, data: Path | None, own_folder: Path | None) -> Source:
    """The data of a task: what `data` (the option) names, or what the declaration names itself.

    In a folder, `FOLDER/TASK` is looked at before `FOLDER`; the first of the declared patterns that matches is read,
    otherwise every readable file of `FOLDER/TASK` (of `FOLDER`, where nothing is declared). Raises `DataNotFoundError`
    that says what was expected.
    """
    if data is None or (data == HUB and not data.exists()):
        return _declared(section, task, data is not None, own_folder)
    if data.is_file():
        return Source(section, _media_folder(section, data.parent), [(data, "")])
    if not data.is_dir():
        raise DataNotFoundError(f"task {task}: data not found at {data}")
    patterns = [*section.files, *([section.path.as_posix()] if section.path else [])]
    for folder in (data / task, data):
        if found := find_files(folder, patterns, section.configs):
            return Source(section, _media_folder(section, folder), found)
    for folder in [data / task, *([] if patterns else [data])]:
        if folder.is_dir() and (files := readable_files(folder)):
            return Source(section, _media_folder(section, folder), [(path, "") for path in files])
    raise DataNotFoundError(f"task {task}: data not found at {data / task} ({expected(section)})")


def expected(section: DataSection) -> str:
    """What data a declaration asks for, in words."""
    files = [f"expected {' or '.join(section.files)}"] if section.files else []
    hub = [f"public dataset {section.hub}"] if section.hub else []
    return ", ".join([*files, *hub]) or "expected JSON, JSON Lines, TSV, CSV or Parquet files"


def _declared(section: DataSection, task: str, asked_for_hub: bool, own_folder: Path | None) -> Source:
    if section.path is not None and own_folder is not None and not asked_for_hub:
        path = own_folder / section.path
        if path.is_dir():
            files = find_files(path, section.files, section.configs) or [(file, "") for file in readable_files(path)]
            if not files:
                raise DataNotFoundError(f"task {task}: data not found at {path} ({expected(section)})")
            return Source(section, _media_folder(section, path), files)
        if not path.is_file():
            raise DataNotFoundError(f"task {task}: data not found at {path}")
        return Source(section, _media_folder(section, path.parent), [(path, "")])
    if section.hub is not None and (asked_for_hub or own_folder is not None):
        configs = section.configs or [""]
        found = {
            config: read_hub(section.hub, config=config or None, split=section.split, revision=section.revision)
            for config in configs
        }
        return Source(section, None, datasets=found)
    fetch = "; --data hub fetches it" if section.hub else ""
    raise DataNotFoundError(f"task {task}: needs data, give --data DIR ({expected(section)}{fetch})")


def _media_folder(section: DataSection, folder: Path) -> Path:
    return (folder / section.media).absolute()
