"""How many charts, tables, formulas, flow charts and PDF pages a core makes in a second of processor time.

    python benchmarks/data_charts.py
    python benchmarks/data_charts.py --only plot table-page --samples 40 --rounds 1

Each line of JSON is one kind: samples made and encoded as `vergence data make KIND` does but for writing shards, with
questions, boxes and checks. What is loaded once, fonts and renderers, is outside of the measured time.

`plot` has a peer, side by side: the same charts drawn by the plain loop that people write, `plt.subplots ... savefig`,
by running the program that each sample gives as its answer. Both give the same pixels as PNG, which is checked; ours
also makes the questions and the boxes. No tool that makes questions is compared: CoSyn's pipelines call paid language
models for each sample. Kinds whose packages are missing are left out, by name.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from vergence.conversation import Conversation
from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.shards.samples import members_of
from vergence.processing.media import decode_image

KINDS = ("plot", "vega-chart", "table-page", "formula", "flow-chart", "pdf-page")


def made(kind: str, samples: int, seed: int) -> list[tuple[Conversation, dict[str, bytes]]]:
    """Samples of a kind with their members."""
    generator = load_generator(kind)
    config = generator.Config()
    found = []
    for index in range(samples):
        sample = make_sample(kind, generator, config, seed, index)
        found.append((sample, members_of(sample, "0", where="benchmark", max_bytes=2**28)))
    return found


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time that a piece of work takes, and what it gives."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def plain_loop(programs: list[str]) -> tuple[float, list[bytes]]:
    """Run programs that draw with pyplot and save a PNG; the processor time that they take, and the pictures.

    The time doesn't count the return to matplotlib's default settings before each.
    """
    import matplotlib
    from matplotlib import pyplot

    taken, pictures = 0.0, []
    matplotlib.use("Agg")
    for program in programs:
        pyplot.rcdefaults()
        file = io.BytesIO()
        start = time.process_time()
        exec(program.replace('fig.savefig("chart.png")', 'fig.savefig(file, format="png")'), {"file": file})
        pyplot.close("all")
        taken += time.process_time() - start
        pictures.append(file.getvalue())
    return taken, pictures


def measure(kind: str, samples: int, rounds: int) -> dict[str, Any]:
    """The median rate of `rounds` rounds of other samples each."""
    made(kind, 3, 99)
    rates, peers, sizes, turns = [], [], [], 0
    for number in range(rounds):
        taken, results = seconds(lambda number=number: made(kind, samples, number))  # type: ignore[misc]
        rates.append(samples / taken)
        for sample, members in results:
            sizes.append(sum(map(len, members.values())))
            turns += len(sample.metadata["checks"])
        if kind == "plot":
            programs = [sample.metadata["truth"]["code"] for sample, _ in results]
            plain_loop(programs[:3])
            taken, pictures = plain_loop(programs)
            peers.append(samples / taken)
            for (sample, _), picture in zip(results, pictures, strict=True):
                ours = sample.images[0].convert("RGB").tobytes()  # type: ignore[union-attr]
                if ours != decode_image(picture).convert("RGB").tobytes():
                    raise SystemExit(f"{sample.metadata['id']}: both sides drew other pixels")
    line: dict[str, Any] = {
        "name": kind,
        "ours": round(statistics.median(rates), 2),
        "unit": "samples per second of processor time",
        "samples": samples * rounds,
        "turns_per_sample": round(turns / (samples * rounds), 2),
        "bytes_per_sample": round(statistics.mean(sizes)),
        "rounds": [round(rate, 2) for rate in rates],
    }
    if peers:
        line["peer"] = round(statistics.median(peers), 2)
        line["ratio"] = round(line["ours"] / line["peer"], 3)
    return line


def main() -> None:
    """Measure the kinds one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for kind in arguments.only:
        reason = why_unavailable(kind)
        result = {"name": kind, "left_out": reason} if reason else measure(kind, arguments.samples, arguments.rounds)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
