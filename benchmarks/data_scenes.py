"""Scenes in space made per second of one core. Prints a line of JSON for each kind and size of picture.

    python benchmarks/data_scenes.py
    python benchmarks/data_scenes.py --only scene-3d --count 40

Only this process's CPU time counts, so that other work on the machine matters little. A first scene, which loads
packages, isn't counted; the furniture models are read as they come, as in a run.
"""

from __future__ import annotations

import argparse
import json
import time

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator

SIZES = {"scene-3d": ((320, 240), (448, 336)), "furniture-room": ((320, 240), (480, 360))}


def measure(kind: str, size: tuple[int, int], count: int) -> dict[str, object]:
    """Make `count` samples of a kind; how many a second of a core gives, and their bytes."""
    generator = load_generator(kind)
    config = generator.Config.model_validate({"width": size[0], "height": size[1]})
    make_sample(kind, generator, config, 1, 0)
    start, volume, turns = time.process_time(), 0, 0
    for index in range(count):
        sample = make_sample(kind, generator, config, 0, index)
        volume += len(sample.images[0])
        turns += len(sample.metadata["checks"])
    seconds = time.process_time() - start
    return {
        "measurement": f"{kind}_{size[0]}x{size[1]}",
        "samples": count,
        "samples_per_core_second": round(count / seconds, 2),
        "questions_per_core_second": round(turns / seconds, 2),
        "picture_bytes": round(volume / count),
    }


def main() -> None:
    """Measure the kinds one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--count", type=int, default=60)
    arguments = parser.parse_args()
    for kind in arguments.only:
        for size in SIZES[kind]:
            print(json.dumps(measure(kind, size, arguments.count)), flush=True)


if __name__ == "__main__":
    main()
