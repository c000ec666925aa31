"""Reads from shards, random beside `datasets` and in order beside `webdataset`, and memory while streaming.

Prints a line of JSON for each measurement.

    python benchmarks/data.py
    python benchmarks/data.py --records 600 --reads 200

Both sides hold the same records and give the same: the messages, parsed, and the encoded picture, not decoded. What is
compared, and why it is fair, is written in benchmarks/README.md. Everything runs offline.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

# First of all: it keeps the hub's libraries quiet and offline.
from families import compare

# isort: split

import datasets
import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from vergence.conversation import Conversation, assistant, to_json, user
from vergence.data.shards.pack import pack
from vergence.data.shards.reader import open_shards
from vergence.data.shards.rows import Row

SIDE = 231  # pixels of a square of noise, which JPEG can't make small: 51 KB
QUALITY = 90


@dataclass(frozen=True)
class Settings:
    """What the command line says."""

    records: int
    reads: int
    rounds: int
    stream_gigabytes: float


class NoiseRows:
    """Records with a picture of their own each, drawn from their number."""

    fingerprint = "noise"

    def __init__(self, count: int) -> None:
        self.count = count

    def rows(self, start: int) -> Iterator[Row]:
        """The records from number `start` on."""
        for number in range(start, self.count):
            yield Row(f"record {number}", partial(self.conversation, number))

    def conversation(self, number: int) -> Conversation:
        """A question about a picture, with an answer."""
        pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
        return Conversation((user(file.getvalue(), f"What is picture {number}?"), assistant("Noise.")))


def write_parquet(source: NoiseRows, path: Path) -> int:
    """The same records as Parquet in row groups of 100; returns the bytes of all pictures."""
    schema = pa.schema({"messages": pa.string(), "image": pa.binary()})
    size = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, source.count, 100):
            rows = []
            for number in range(start, min(start + 100, source.count)):
                conversation = source.conversation(number)
                [picture] = conversation.images
                size += len(picture)
                rows.append({"messages": json.dumps(to_json(conversation, ["0"])), "image": picture})
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    return size


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def scan_tar(paths: list[Path]) -> None:
    """Every member from front to back, as a reader that streams tars sees them."""
    for path in paths:
        with tarfile.open(path, "r|") as archive:
            for member in archive:
                content = archive.extractfile(member)
                assert content
                content.read()


def shards_random_reads(settings: Settings) -> None:
    """Single records in a random order."""
    source = NoiseRows(settings.records)
    order = [random.Random(0).randrange(settings.records) for _ in range(settings.reads)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packing = seconds(lambda: pack(source, folder / "shards", form="noise"))
        size = write_parquet(source, folder / "data.parquet")
        opening = seconds(lambda: open_shards(folder / "shards"))
        shards = open_shards(folder / "shards")
        start = time.perf_counter()
        peer = datasets.load_dataset(
            "parquet", data_files=str(folder / "data.parquet"), split="train", cache_dir=str(folder / "cache")
        )
        peer_opening = time.perf_counter() - start
        for number in order[:20]:
            row = peer[number]
            [picture] = shards[number].images
            if picture != row["image"] or shards[number].messages[0].text not in row["messages"]:
                sys.exit(f"record {number}: both sides differ")

        def ours() -> float:
            for number in order:
                record, picture = shards.members(number).values()
                assert json.loads(record)
                assert picture
            return len(order)

        def theirs(check: bool = False) -> float:
            for number in order:
                row = peer[number]
                assert json.loads(row["messages"])
                assert row["image"]
                if check:
                    assert sha256(row["image"]).digest()
            return len(order)

        file = parquet.ParquetFile(folder / "data.parquet")
        few = order[:50]
        direct = seconds(lambda: [file.read_row_group(n // 100).slice(n % 100, 1).to_pylist() for n in few])
        conversations = seconds(lambda: [shards[number] and None for number in order])
        checked = seconds(lambda: theirs(check=True))
        scan = seconds(lambda: scan_tar(sorted((folder / "shards").glob("*.tar"))))
        compare(
            "shards_random_reads",
            ours,
            theirs,
            "records/s",
            settings.rounds,
            records=settings.records,
            reads=settings.reads,
            picture_bytes=round(size / settings.records),
            open_seconds=round(opening, 3),
            peer_open_seconds=round(peer_opening, 3),
            peer_checked_records_per_second=round(len(order) / checked),
            parquet_records_per_second=round(len(few) / direct),
            conversations_per_second=round(len(order) / conversations),
            tar_scan_records_per_second=round(settings.records / scan),
            pack_records_per_second=round(settings.records / packing),
        )


def shards_in_order(settings: Settings) -> None:
    """All records of a folder from front to back; webdataset reads the same tars."""
    import webdataset

    source = NoiseRows(settings.records)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "shards"
        pack(source, folder, form="noise", shard_bytes=64 * 1024**2)
        tars = [str(path) for path in sorted(folder.glob("*.tar"))]

        def ours() -> float:
            shards = open_shards(folder)
            for number in range(len(shards)):
                record, picture = shards.members(number).values()
                assert json.loads(record)
                assert picture
            return len(shards)

        def theirs() -> float:
            count = 0
            for sample in webdataset.WebDataset(tars, shardshuffle=False, empty_check=False):
                assert json.loads(sample["json"])
                assert sample["0.jpg"]
                count += 1
            return count

        if ours() != theirs():
            sys.exit("both sides hold different numbers of records")
        compare("shards_in_order", ours, theirs, "records/s", settings.rounds, records=settings.records)


def stream_memory(settings: Settings) -> None:
    """Resident memory while `--stream-gigabytes` are read in a random order.

    The shards are many names of a few files, so that a small disk is enough; every byte of each is read and checked.
    """
    import resource

    source = NoiseRows(settings.records)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pack(source, folder / "few", form="noise", shard_bytes=128 * 1024**2)
        size = sum(path.stat().st_size for path in (folder / "few").glob("*.tar"))
        (folder / "many").mkdir()
        copies = -(-int(settings.stream_gigabytes * 1e9) // size)
        for copy in range(copies):
            for path in (folder / "few").glob("shard-*.[tp]a*"):
                (folder / "many" / f"{copy:05d}-{path.name}").hardlink_to(path)
        shards = open_shards(folder / "many")
        order = np.random.default_rng(0).permutation(len(shards))
        peaks, read = [], 0
        for place, number in enumerate(order):
            read += sum(map(len, shards.members(int(number)).values()))
            if place in (len(order) // 10, len(order) - 1):
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        line = {"name": "stream_memory", "gigabytes": round(read / 1e9, 2), "records": len(order)}
        print(json.dumps({**line, "peak_mib_at_a_tenth": peaks[0], "peak_mib_at_the_end": peaks[1]}), flush=True)


MEASUREMENTS = {
    "shards_random_reads": shards_random_reads,
    "shards_in_order": shards_in_order,
    "stream_memory": stream_memory,
}


def main() -> None:
    """Run the measurements one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(MEASUREMENTS), choices=list(MEASUREMENTS))
    parser.add_argument("--records", type=int, default=6000)
    parser.add_argument("--reads", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stream-gigabytes", type=float, default=10.0)
    arguments = parser.parse_args()
    datasets.disable_progress_bars()
    for name in arguments.only:
        MEASUREMENTS[name](Settings(arguments.records, arguments.reads, arguments.rounds, arguments.stream_gigabytes))


if __name__ == "__main__":
    main()
