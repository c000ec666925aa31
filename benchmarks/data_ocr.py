"""How many documents a core draws in a second, beside the rate that SynthDoG's authors print.

    python benchmarks/data_ocr.py
    python benchmarks/data_ocr.py --pages 20 --rounds 1

One process draws pages with the `document` generator: set, drawn, photographed, stored as JPEG, with questions and the
boxes of all words, as `vergence data make document` does but for writing shards. The first page, which loads fonts, is
outside of the measured time. Each line of JSON has the pages drawn per second of CPU time (`ours`) and of wall time.

`peer` is a published rate, not one measured here: the README of SynthDoG (github.com/clovaai/donut, folder synthdog)
shows a run of 50 pages by 4 workers in 46.32 seconds, 0.27 pages per worker and second, on a machine that it doesn't
name, starting of the workers included. `synthdog_like` has that run's sizes of pages (config_en.yaml: short side 720 to
1,024 pixels) and puts a camera before every page, as it does; `defaults` has ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator
from vergence.data.shards.samples import members_of
from vergence.processing.media import decode_image

PUBLISHED = {"pages": 50, "seconds": 46.32, "workers": 4, "source": "clovaai/donut, synthdog/README.md"}
SETTINGS: dict[str, dict[str, Any]] = {
    "synthdog_like": {"camera": 1.0, "min_width": 720, "max_width": 1024},
    "defaults": {},
    "twelve_scripts": {
        "scripts": (
            *("latin", "cyrillic", "greek", "han", "japanese", "korean"),
            *("arabic", "hebrew", "devanagari", "thai", "bengali", "tamil"),
        )
    },
}


def measure(name: str, pages: int, rounds: int) -> dict[str, Any]:
    """Draw `pages` pages `rounds` times, each round other ones; the median round counts."""
    generator = load_generator("document")
    config = generator.Config(**SETTINGS[name])
    make_sample("document", generator, config, 0, 0)
    cpu_rates, wall_rates, words, pixels, size = [], [], 0, 0, 0
    for number in range(rounds):
        made = []
        cpu, wall = time.process_time(), time.perf_counter()
        for index in range(pages):
            sample = make_sample("document", generator, config, number + 1, index)
            made.append((sample, members_of(sample, "0", where="benchmark", max_bytes=2**28)))
        cpu_rates.append(pages / (time.process_time() - cpu))
        wall_rates.append(pages / (time.perf_counter() - wall))
        for sample, members in made:
            lines = [line for block in sample.metadata["truth"]["blocks"] for line in block["lines"]]
            words += sum(len(line["words"]) for line in lines)
            picture = decode_image(sample.images[0])
            pixels += picture.width * picture.height
            size += sum(map(len, members.values()))
    total = pages * rounds
    peer = PUBLISHED["pages"] / PUBLISHED["seconds"] / PUBLISHED["workers"]  # type: ignore[operator]
    ours = statistics.median(cpu_rates)
    return {
        "name": f"documents_{name}",
        "ours": round(ours, 2),
        "peer": round(peer, 3),
        "unit": "documents per core-second",
        "ratio": round(ours / peer, 1),
        "peer_is": "published, on a machine that isn't named, not measured here",
        "peer_source": PUBLISHED["source"],
        "per_wall_second": round(statistics.median(wall_rates), 2),
        "rounds": [round(rate, 2) for rate in cpu_rates],
        "words_per_page": round(words / total),
        "megapixels_per_page": round(pixels / total / 1e6, 2),
        "kilobytes_per_page": round(size / total / 1000),
    }


def main() -> None:
    """Print a line for each setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["synthdog_like", "defaults"], choices=list(SETTINGS))
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for name in arguments.only:
        print(json.dumps(measure(name, arguments.pages, arguments.rounds)), flush=True)


if __name__ == "__main__":
    main()
