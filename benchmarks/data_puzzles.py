"""How fast puzzles are made: each kind by itself, and a mixture of all. Prints a line of JSON for each measurement.

    python benchmarks/data_puzzles.py
    python benchmarks/data_puzzles.py --only puzzles_mixed --mixed 20000

Rates are whole samples, with their encoded pictures, per second of processor time of one process; what starts only once
(fonts, icons, trays) counts in. Kinds whose sources aren't here are left out and named.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

from vergence.data.generator import make_sample
from vergence.data.kinds import KINDS, load_generator, why_unavailable
from vergence.errors import DataError

FAMILY = "vergence.data.synthesis.puzzles."


def available() -> list[str]:
    """The kinds of puzzles that can be made here."""
    return [name for name, kind in KINDS.items() if kind.module.startswith(FAMILY) and not why_unavailable(name)]


def report(name: str, **figures: object) -> None:
    """A measurement as a line."""
    print(json.dumps({"name": name, **figures}), flush=True)


def make(kind: str, first: int, count: int) -> tuple[float, int, int]:
    """Samples `first` to `first + count`: seconds of processor time, bytes of pictures, samples that weren't made."""
    generator = load_generator(kind)
    config = generator.Config()
    start, size, failed = time.process_time(), 0, 0
    for index in range(first, first + count):
        try:
            sample = make_sample(kind, generator, config, 1, index)
        except DataError:
            failed += 1
            continue
        size += sum(len(picture) for picture in sample.images if isinstance(picture, bytes))
    return time.process_time() - start, size, failed


def puzzles_by_kind(count: int, mixed: int) -> None:
    """Puzzles of each kind per core-second."""
    for kind in available():
        seconds, size, failed = make(kind, 0, count)
        report(
            "puzzles_by_kind",
            kind=kind,
            samples=count,
            left_out=failed,
            per_core_second=round(count / seconds, 1),
            picture_bytes=round(size / (count - failed)),
        )


def puzzles_mixed(count: int, mixed: int) -> None:
    """The time for `mixed` puzzles, as many of each kind."""
    kinds = available()
    seconds, failed = 0.0, 0
    for number, kind in enumerate(kinds):
        share = mixed // len(kinds) + (number < mixed % len(kinds))
        taken, _, lost = make(kind, 100_000, share)
        seconds, failed = seconds + taken, failed + lost
    report(
        "puzzles_mixed",
        kinds=len(kinds),
        samples=mixed,
        left_out=failed,
        core_seconds=round(seconds, 1),
        per_core_second=round(mixed / seconds, 1),
    )


MEASUREMENTS: dict[str, Callable[[int, int], None]] = {
    "puzzles_by_kind": puzzles_by_kind,
    "puzzles_mixed": puzzles_mixed,
}


def main() -> None:
    """Run the measurements one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(MEASUREMENTS), choices=list(MEASUREMENTS))
    parser.add_argument("--samples", type=int, default=300, help="of each kind (300)")
    parser.add_argument("--mixed", type=int, default=20_000, help="in the mixture (20,000)")
    arguments = parser.parse_args()
    lacking = [name for name, kind in KINDS.items() if kind.module.startswith(FAMILY) and why_unavailable(name)]
    if lacking:
        report("puzzles_left_out", kinds=lacking)
    for name in arguments.only:
        MEASUREMENTS[name](arguments.samples, arguments.mixed)


if __name__ == "__main__":
    main()
