"""Web pages, icons, episodes and interleaved documents made per second. Prints a line of JSON for each kind.

    python benchmarks/data_gui.py
    python benchmarks/data_gui.py --only icon web-page --count 40

A core second is one of CPU time of this process and of the browser, which is ended so that its time is known; a second
is one of the clock. A first sample, which loads packages and starts the browser, isn't counted in the clock's time.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.shards.samples import members_of
from vergence.data.synthesis.gui.browser import close
from vergence.errors import DataError

KINDS = ("icon", "web-page", "gui-trajectory", "interleaved", "text-document")


def spent() -> float:
    """CPU seconds of this process and of those it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def measure(kind: str, count: int) -> dict[str, object]:
    """Make `count` samples of a kind; how many a second gives, and their bytes."""
    generator = load_generator(kind)
    config = generator.Config()
    before = spent()
    make_sample(kind, generator, config, 1, 0)
    start, volume, pictures, turns, left_out = time.perf_counter(), 0, 0, 0, 0
    for index in range(count):
        try:
            sample = make_sample(kind, generator, config, 0, index)
        except DataError:
            left_out += 1
            continue
        members = members_of(sample, "0", where=kind, max_bytes=2**28)
        volume += sum(len(data) for name, data in members.items() if not name.endswith(".json"))
        pictures += len(sample.images)
        turns += len(sample.metadata["checks"])
    seconds = time.perf_counter() - start
    close()
    cores = spent() - before
    return {
        "measurement": kind,
        "samples": count - left_out,
        "left_out": left_out,
        "samples_per_core_second": round((count - left_out) / cores, 2),
        "samples_per_second": round((count - left_out) / seconds, 2),
        "pictures_per_second": round(pictures / seconds, 2),
        "questions_per_second": round(turns / seconds, 2),
        "picture_bytes": round(volume / max(1, pictures)),
    }


def main() -> None:
    """Measure the kinds one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--count", type=int, default=60)
    arguments = parser.parse_args()
    for kind in arguments.only:
        if reason := why_unavailable(kind):
            print(json.dumps({"measurement": kind, "skipped": reason}))
            continue
        count = arguments.count * (10 if kind == "icon" else 1)
        print(json.dumps(measure(kind, count)), flush=True)


if __name__ == "__main__":
    main()
