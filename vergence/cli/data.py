"""The subcommands of `vergence data` that are about shards."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from vergence.cli.arguments import count
from vergence.progress import Progress

if TYPE_CHECKING:
    from vergence.data.shards.pack import Packed

NAMED = 20  # rows left out that are printed
FORMATS = ("auto", "llava", "chatml", "folder", "webdataset", "parquet", "coco", "llava-yaml")
UNPACKED = ("llava", "chatml", "folder", "parquet", "coco")


def add_commands(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `pack`, `unpack` and `stats`."""
    pack = actions.add_parser("pack", help="write conversations and their media as tar shards; run again to go on")
    pack.add_argument("source", type=Path, help="a JSON, YAML or Parquet file, a data folder, a folder of tars")
    pack.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder of shards; new, or this pack's"
    )
    pack.add_argument("--format", choices=FORMATS, default="auto")
    pack.add_argument(
        "--images", type=Path, metavar="DIR", help="where a JSON file's pictures lie (default: beside it)"
    )
    pack.add_argument("--shard-bytes", type=count, default=256 * 1024**2, metavar="N", help="largest shard (256 MiB)")
    pack.set_defaults(run=_pack)
    unpack = actions.add_parser("unpack", help="write the conversations of shards in a form that others read")
    unpack.add_argument("shards", type=Path, help="a folder of tars, or one tar")
    unpack.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write; must not exist")
    unpack.add_argument("--format", choices=UNPACKED, required=True)
    unpack.set_defaults(run=_unpack)
    stats = actions.add_parser("stats", help="count what shards hold: samples, pictures, sizes, licences")
    stats.add_argument("shards", type=Path, help="a folder of tars, or one tar")
    stats.add_argument("--json", action="store_true", help="print JSON, for programs")
    stats.set_defaults(run=_stats)


def _pack(arguments: argparse.Namespace) -> int:
    from vergence.data.shards.open_rows import open_rows
    from vergence.data.shards.pack import pack

    rows, form = open_rows(arguments.source, form=arguments.format, images=arguments.images)
    progress = Progress()
    packed = pack(
        rows,
        arguments.out,
        form=form,
        shard_bytes=arguments.shard_bytes,
        show=lambda row, shards: None if row % 100 else progress.show(f"row {row:,}, {shards} shards done"),
    )
    tell(packed, f"{packed.samples} conversations in {packed.shards} shards in {arguments.out}")
    return 0


def _unpack(arguments: argparse.Namespace) -> int:
    from vergence.data.shards.unpack import unpack

    packed = unpack(arguments.shards, arguments.out, form=arguments.format)
    tell(packed, f"{packed.samples} conversations in {arguments.out}")
    return 0


def tell(packed: Packed, result: str) -> None:
    """Print what came out, and on the error stream what was left out and why."""
    for row in packed.left_out[:NAMED]:
        print(row.message, file=sys.stderr)
    if len(packed.left_out) > NAMED:
        print(f"and {len(packed.left_out) - NAMED} more", file=sys.stderr)
    print(result)
    reasons = Counter(row.reason for row in packed.left_out).most_common()
    if reasons:
        print("left out: " + ", ".join(f"{reason} {number}" for reason, number in reasons))


def _stats(arguments: argparse.Namespace) -> int:
    from vergence.data.shards.stats import format_stats, shard_stats

    stats = shard_stats(arguments.shards)
    if arguments.json:
        import json

        print(json.dumps(stats, indent=2, ensure_ascii=False))
    else:
        print(format_stats(stats))
    return 0
