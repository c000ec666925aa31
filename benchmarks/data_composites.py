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

from data_puzzles import make

from vergence.data.kinds import KINDS, why_unavailable

FAMILY = "vergence.data.synthesis.grounding."


def available() -> list[str]:
    """The kinds of the family that can be made here."""
    return [name for name, kind in KINDS.items() if kind.module.startswith(FAMILY) and not why_unavailable(name)]


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
