"""Every kind of data made for real: 200 samples each into shards, in one process. Prints a line of JSON for each kind.

    python benchmarks/data_kinds.py [--count 200] [--kinds document plot] [--processes 2]

`ours` are samples per second of CPU time, encoding, hashing and writing included. Peers of single kinds are in the
benchmarks of their families. With `--processes` the whole is also made by several, and the bytes are compared.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from vergence.data.kinds import KINDS, why_unavailable
from vergence.data.make import Plan, begin, finish, make_shard, plan
from vergence.data.make_processes import make_here
from vergence.data.shards.stats import shard_stats


def measure(kind: str, count: int, processes: int) -> dict[str, Any]:
    planned = plan(kind, count=count, shard_samples=-(-count // 4))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "one"
        begin(planned, folder)
        wall, cpu = time.perf_counter(), time.process_time()
        for shard in range(planned.shards):
            make_shard(planned, folder, shard)
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
        left_out = sum(len(marker.left_out) for marker in finish(planned, folder))
        stats = shard_stats(folder)
        line = {
            "name": kind,
            "ours": round(count / cpu_seconds, 2),
            "peer": None,
            "unit": "samples/core-second",
            "ratio": None,
            "cpu_ratio": None,
            "per_second": round(count / seconds, 2),
            "samples": stats["samples"],
            "left_out": left_out,
            "kilobytes_a_sample": round(stats["bytes"] / max(stats["samples"], 1) / 1000, 1),
        }
        if processes > 1:
            line["same_bytes"] = same_bytes(planned, folder, Path(name) / "several", processes)
        return line


def same_bytes(planned: Plan, one: Path, several: Path, processes: int) -> bool:
    begin(planned, several)
    make_here(planned, several, list(range(planned.shards)), jobs=processes, show=lambda _: None)
    finish(planned, several)
    return all((several / path.name).read_bytes() == path.read_bytes() for path in one.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        reason = why_unavailable(kind)
        if reason:
            print(json.dumps({"name": kind, "skipped": reason}), flush=True)
        else:
            print(json.dumps(measure(kind, arguments.count, arguments.processes)), flush=True)


if __name__ == "__main__":
    main()
