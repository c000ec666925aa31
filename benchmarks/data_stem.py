"""How fast figures of science and mathematics are made: samples for a second of one core. A line of JSON for each kind.

    python benchmarks/data_stem.py
    python benchmarks/data_stem.py --samples 500 --kinds geometry molecule

A sample is what `vergence data make` stores: the picture as PNG, questions, answers, checks, what is known. The time is
this process's own CPU time, after a few samples that load fonts and tables; `bytes` is the mean of a stored sample.
"""

from __future__ import annotations

import argparse
import json
import time

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.shards.samples import members_of

KINDS = ("geometry", "function-plot", "coordinates", "molecule", "circuit", "exercise")
WARM_UP = 5


def measure(kind: str, samples: int) -> dict[str, object]:
    """Samples for a second of CPU time, and what they weigh."""
    generator = load_generator(kind)
    config = generator.Config()
    size, start = 0, 0.0
    for index in range(-WARM_UP, samples):
        if index == 0:
            start = time.process_time()
        conversation = make_sample(kind, generator, config, 0, index + WARM_UP)
        stored = members_of(conversation, "0", where=kind, max_bytes=2**28)
        size += sum(map(len, stored.values())) if index >= 0 else 0
    spent = time.process_time() - start
    return {
        "name": f"make {kind}",
        "ours": round(samples / spent, 1),
        "unit": "samples per core-second",
        "bytes": round(size / samples),
        "samples": samples,
    }


def main() -> None:
    """Measure the kinds that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        reason = why_unavailable(kind)
        print(json.dumps({"name": f"make {kind}", "skipped": reason} if reason else measure(kind, arguments.samples)))


if __name__ == "__main__":
    main()
