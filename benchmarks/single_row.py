"""How fast torch reads weights when one row is multiplied by them: what `vergence/models/layers.py` is built on.

    python benchmarks/single_row.py --threads 2

Each line compares a choice that Vergence makes (`ours`) with torch's usual call (`peer`), in GB of weights per second;
`ratio` above 1 means that the choice is faster. The matrices of one line are many, so that no cache holds them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

SHAPES = {  # (outputs, inputs)
    "smollm2-135m qkv": (960, 576),
    "smollm2-135m gate and up": (3072, 576),
    "smollm2-135m head": (49_152, 576),
    "qwen2-0.5b gate and up": (9728, 896),
    "moonlight expert, gate and up": (2816, 2048),
}


def measure(ours: Callable[[], None], peer: Callable[[], None], rounds: int) -> list[tuple[float, float]]:
    """(wall, processor) seconds of the median round of each, taking turns."""
    times: list[list[tuple[float, float]]] = [[], []]
    for _ in range(rounds):
        for side, run in zip(times, (ours, peer), strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            side.append((time.perf_counter() - wall, time.process_time() - cpu))
    return [(statistics.median(w for w, _ in side), statistics.median(c for _, c in side)) for side in times]


def report(name: str, ours: Callable[[], None], peer: Callable[[], None], gigabytes: float, rounds: int) -> None:
    """Run both and print a line."""
    ours(), peer()
    (wall, cpu), (peer_wall, peer_cpu) = measure(ours, peer, rounds)
    figures = {"ours": round(gigabytes / wall, 2), "peer": round(gigabytes / peer_wall, 2), "unit": "GB/s"}
    ratios = {"ratio": round(peer_wall / wall, 3), "cpu_ratio": round(peer_cpu / cpu, 3)}
    print(json.dumps({"name": name, **figures, **ratios}), flush=True)


def main() -> None:
    """Measure every shape in fp32 (by columns) and bfloat16 (matrix-vector), and the absorbed product."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--megabytes", type=int, default=200, help="weights of one line")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    with torch.inference_mode():
        for name, (outputs, inputs) in SHAPES.items():
            count = max(1, arguments.megabytes * 1_000_000 // (4 * outputs * inputs))
            rows = [torch.randn(outputs, inputs) for _ in range(count)]
            columns = [weight.t().contiguous().t() for weight in rows]
            x = torch.randn(1, inputs)
            size = count * outputs * inputs / 1e9
            both = (partial(products, x, columns), partial(products, x, rows))
            report(f"fp32 by columns: {name}", *both, 4 * size, arguments.rounds)
            half, single = [weight.bfloat16() for weight in rows], x.bfloat16()
            both = (partial(vectors, single, half), partial(products, single, half))
            report(f"bf16 matrix-vector: {name}", *both, 2 * size, arguments.rounds)
        # As they lie in the layer: the half of each head's rows that makes values.
        weights = [torch.randn(16, 256, 512).bfloat16()[:, 128:] for _ in range(64)]
        mixed = torch.randn(1, 16, 512).bfloat16()
        both = (partial(matrix_first, mixed, weights), partial(matrix_last, mixed, weights))
        report("bf16 absorbed values", *both, 64 * weights[0].numel() * 2 / 1e9, arguments.rounds)


def products(x: Tensor, weights: list[Tensor]) -> None:
    """One row times each matrix, as a matrix product."""
    for weight in weights:
        F.linear(x, weight)


def vectors(x: Tensor, weights: list[Tensor]) -> None:
    """One row times each matrix, as a matrix-vector product."""
    for weight in weights:
        torch.mv(weight, x[0])


def matrix_first(mixed: Tensor, weights: list[Tensor]) -> None:
    """Each head's matrix times its vector."""
    for weight in weights:
        torch.bmm(weight, mixed.permute(1, 2, 0))


def matrix_last(mixed: Tensor, weights: list[Tensor]) -> None:
    """Each head's vector times its transposed matrix."""
    for weight in weights:
        torch.bmm(mixed.transpose(0, 1), weight.transpose(1, 2))


if __name__ == "__main__":
    main()
