"""How many clips a core makes in a second of processor time. Prints a line of JSON for each kind.

    python benchmarks/data_video.py
    python benchmarks/data_video.py --only physics-video --samples 40 --rounds 1

A sample is what `vergence data make KIND` makes, but for writing shards: the world is simulated, frames are drawn and
encoded, questions, answers and checks are made. Fonts are loaded outside of the measured time. There is no peer: public
tools that make such turns ask a model for them. Kinds whose packages are missing are left out, by name.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.shards.samples import members_of

KINDS = ("physics-video", "grid-world-video", "screen-video", "streaming-video")


def measure(kind: str, samples: int, rounds: int) -> dict[str, object]:
    """The median rate of `rounds` rounds of other samples each, with what is in them."""
    generator = load_generator(kind)
    config = generator.Config()
    for index in range(4):
        make_sample(kind, generator, config, 99, index)
    rates, frames, media, length, turns = [], 0, 0, 0.0, 0
    for seed in range(rounds):
        start = time.process_time()
        made = [make_sample(kind, generator, config, seed, index) for index in range(samples)]
        members = [members_of(sample, "0", where="benchmark", max_bytes=2**28) for sample in made]
        rates.append(samples / (time.process_time() - start))
        for sample, files in zip(made, members, strict=True):
            truth = sample.metadata["truth"]
            frames += truth["frames"]
            length += truth["frames"] / truth["fps"]
            turns += len(sample.metadata["checks"])
            media += sum(len(data) for name, data in files.items() if not name.endswith(".json"))
    count, rate = samples * rounds, statistics.median(rates)
    return {
        "name": kind,
        "clips_per_core_second": round(rate, 1),
        "frames_per_core_second": round(rate * frames / count),
        "seconds_of_video": round(length / count, 1),
        "turns": round(turns / count, 1),
        "media_bytes": round(media / count),
        "samples": count,
    }


def main() -> None:
    """Measure the kinds one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for kind in arguments.only:
        reason = why_unavailable(kind)
        record = {"name": kind, "left_out": reason} if reason else measure(kind, arguments.samples, arguments.rounds)
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
