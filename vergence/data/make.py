"""A kind of data made into shards: a plan of independent tasks, one for each shard, run here, on Ray or by slurm.

```
plan (pack.json) ─▶ shard 0, 1, 2, ... by any process, in any order ─▶ .tar ─▶ .parquet ─▶ .json (it is done)
                                                        all done ─▶ pack.json says so, and the folder can be read
```

A shard follows from the plan and its number, so a run that is killed and started again makes only what is missing, and
its bytes don't depend on how many processes there were. The design is datatrove's (shard = task, completion marker).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vergence.config import apply_overrides, dump_yaml, parse
from vergence.data.generator import Generator, GeneratorConfig, make_sample, package_versions
from vergence.data.kinds import import_generator, load_generator
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
from vergence.data.shards.samples import members_of
from vergence.data.shards.writer import ShardWriter
from vergence.errors import DataError, UsageError

MAX_MEDIA_BYTES = 256 * 1024 * 1024

Tell = Callable[[int], None]
"""Told after each sample how many of the shard's are done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is made: `count` samples of a kind with a seed and settings, `shard_samples` to a shard.

    `version` is the generator's and `packages` are those it draws with: a folder that was begun with others is refused,
    since its shards would not fit together.
    """

    kind: str
    version: int
    count: int
    seed: int
    shard_samples: int
    config: Mapping[str, Any]
    packages: Mapping[str, str]

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return -(-self.count // self.shard_samples)


def plan(kind: str, *, count: int, seed: int = 0, shard_samples: int = 1000, overrides: tuple[str, ...] = ()) -> Plan:
    """A checked plan. Raises `UsageError` for a kind that is unknown or lacks something, `ConfigError` for settings."""
    generator = load_generator(kind)
    config = parse(generator.Config, apply_overrides({}, overrides), source=f"settings of {kind}")
    packages = dict(package_versions(tuple(generator.PACKAGES)))
    return Plan(kind, generator.VERSION, count, seed, shard_samples, config.model_dump(mode="json"), packages)


def begin(planned: Plan, output: Path) -> None:
    """Write the plan into a new folder, or see that the folder is that of the same plan.

    Raises `UsageError` that names what differs, or for a folder with something else in it.
    """
    load_pyarrow()
    if output.exists() and (
        not output.is_dir()
        or not ((output / SETTINGS).is_file() or all(p.suffix == ".partial" for p in output.iterdir()))
    ):
        raise UsageError(f"{output}: exists already and holds no data made by a plan; name a new folder")
    output.mkdir(parents=True, exist_ok=True)
    settings = _settings(planned)
    found = read_settings(output)
    if found is None:
        write_json(output / SETTINGS, settings)
        return
    for key, value in settings.items():
        if found.get(key) != value:
            raise UsageError(f"{output}: was begun with {key} {found.get(key)}, not {value}; name a new folder")


def _settings(planned: Plan) -> dict[str, Any]:
    return {"format": "made", **asdict(planned)}


def is_done(output: Path, shard: int) -> bool:
    """Whether a shard, its side-car and its marker are there and fit."""
    tar = shard_path(output, shard)
    marker = read_marker(tar)
    return marker is not None and tar.is_file() and tar.stat().st_size == marker.bytes and sidecar_of(tar).is_file()


def missing_shards(planned: Plan, output: Path) -> list[int]:
    """The shards that are still to be made."""
    return [shard for shard in range(planned.shards) if not is_done(output, shard)]


def make_shard(planned: Plan, output: Path, shard: int, tell: Tell = lambda _: None) -> Marker:
    """Make one shard, whole or not at all; samples that can't be made are left out and counted.

    Raises `DataError` where not one of its samples can be made.
    """
    generator = load_generator(planned.kind)
    config = generator.Config.model_validate(planned.config)
    tar = shard_path(output, shard)
    start, end = shard * planned.shard_samples, min(planned.count, (shard + 1) * planned.shard_samples)
    left_out: list[LeftOut] = []
    samples = 0
    with ShardWriter(tar) as writer:
        for index in range(start, end):
            try:
                writer.add(_members(planned, generator, config, index))
                samples += 1
            except DataError as error:
                reason = error.reason if isinstance(error, RowError) else "unusable sample"
                left_out.append(LeftOut(reason, f"{planned.kind} {index}: {error}"))
            tell(index + 1 - start)
        if not samples:
            raise DataError(f"{tar}: none of {end - start} samples can be made; the last: {left_out[-1].message}")
    marker = Marker(start, end, end == planned.count, samples, writer.size, writer.sha256, tuple(left_out))
    write_sidecar(tar)
    write_marker(tar, marker)
    return marker


def _members(planned: Plan, generator: Generator, config: GeneratorConfig, index: int) -> dict[str, bytes]:
    conversation = make_sample(planned.kind, generator, config, planned.seed, index)
    return members_of(conversation, f"{index:09d}", where=f"{planned.kind} {index}", max_bytes=MAX_MEDIA_BYTES)


def finish(planned: Plan, output: Path) -> list[Marker]:
    """Say that the folder is complete, and give the markers of its shards.

    Whoever sees the last shard done may call it, several processes at once too: the files written are the same.
    """
    found = [read_marker(shard_path(output, shard)) for shard in range(planned.shards)]
    done = [marker for marker in found if marker is not None]
    if len(done) != planned.shards:
        raise UsageError(f"{output}: {planned.shards - len(done)} of {planned.shards} shards are missing")
    samples = sum(marker.samples for marker in done)
    write_json(output / SETTINGS, {**_settings(planned), "samples": samples, "shards": planned.shards})
    for partial in output.glob("*.partial"):
        partial.unlink(missing_ok=True)
    return done


def shards_of_task(shards: list[int], environment: Mapping[str, str] = os.environ) -> list[int]:
    """Those of the shards that this task of a slurm array makes: number i of n takes every n-th.

    Raises `UsageError` outside of an array.
    """
    try:
        number = int(environment["SLURM_ARRAY_TASK_ID"]) - int(environment.get("SLURM_ARRAY_TASK_MIN", "0"))
        tasks = int(environment["SLURM_ARRAY_TASK_COUNT"])
    except (KeyError, ValueError):
        raise UsageError(
            "--on slurm runs in a job array: sbatch --array=0-7 --wrap 'vergence data make ... --on slurm'"
        ) from None
    if not 0 <= number < tasks:
        raise UsageError(f"task {number} of {tasks}: the array's indexes must follow one another, as in --array=0-7")
    return [shard for shard in shards if shard % tasks == number]


def settings_text(kind: str) -> str:
    """A kind's settings with their defaults, as YAML."""
    return dump_yaml(import_generator(kind).Config())
