"""How fast pictures for grounding are made. Prints a line of JSON for each measurement.

    python benchmarks/data_composites.py
    python benchmarks/data_composites.py --only composite --samples 500

Rates are whole samples, with their encoded pictures, per second of processor time of one process. `first` includes
drawing each cut-out and reading the maps once; `later` is the rate after that. Kinds whose sources aren't here are left
out.
"""

from __future__ import annotations

import argparse
import json
import time

from vergence.data.generator import make_sample
from vergence.data.kinds import KINDS, load_generator, why_unavailable
from vergence.errors import DataError

FAMILY = "vergence.data.synthesis.grounding."


def available() -> list[str]:
    """The kinds of the family that can be made here."""
    return [name for name, kind in KINDS.items() if kind.module.startswith(FAMILY) and not why_unavailable(name)]


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


def main() -> None:
    """Measure every kind that is here, or one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=available(), help="one kind")
    parser.add_argument("--samples", type=int, default=300, help="samples of each kind, measured twice (300)")
    arguments = parser.parse_args()
    count = arguments.samples
    for kind in [arguments.only] if arguments.only else available():
        cold, _, _ = make(kind, 0, count)
        warm, size, failed = make(kind, count, count)
        made = count - failed
        rates = {"first": round(count / cold, 1), "later": round(made / warm, 1)}
        print(json.dumps({"kind": kind, "samples": count, "left_out": failed, **rates, "bytes": size // max(1, made)}))


if __name__ == "__main__":
    main()
