"""Random reads from shards, beside Parquet through `datasets`. Prints a line of JSON for each measurement.

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


MEASUREMENTS = {"shards_random_reads": shards_random_reads}


def main() -> None:
    """Run the measurements one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(MEASUREMENTS), choices=list(MEASUREMENTS))
    parser.add_argument("--records", type=int, default=6000)
    parser.add_argument("--reads", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    datasets.disable_progress_bars()
    for name in arguments.only:
        MEASUREMENTS[name](Settings(arguments.records, arguments.reads, arguments.rounds))


if __name__ == "__main__":
    main()
