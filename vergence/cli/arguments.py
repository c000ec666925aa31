"""Options that several subcommands share."""

from __future__ import annotations

import argparse


def engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Where and in which type a model computes."""
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.add_argument(
        "--dtype",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="type to compute in (default: bfloat16 if the weights have 16 bits and the device computes in it)",
    )


def counts(text: str) -> tuple[int, ...]:
    """Whole numbers of at least 1, as in "1024,8192". Raises what argparse reports."""
    return tuple(map(count, text.split(",")))


def shares(text: str) -> tuple[float, ...]:
    """Numbers from 0 to 1, as in "0,0.5,1". Raises what argparse reports."""
    try:
        found = tuple(map(float, text.split(",")))
    except ValueError:
        found = (-1.0,)
    if not all(0 <= share <= 1 for share in found):
        raise argparse.ArgumentTypeError(f"expected numbers from 0 to 1 with commas between them, found {text!r}")
    return found


def count(text: str) -> int:
    """A whole number of at least 1. Raises what argparse reports."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return int(text)


def count_or_none(text: str) -> int:
    """A whole number of at least 0. Raises what argparse reports."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, found {text!r}")
    return int(text)
