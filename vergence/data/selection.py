"""Which samples of a finite source are taken: LLaVA-OneVision's words, as its YAML files write them.

`all`, `first:N`, `end:N`, `random:N`, where N is a number of samples or a percentage such as `10%`, of which fractions
round up. Source: `sampling_strategy` of github.com/LLaVA-VL/LLaVA-NeXT, llava/train/train.py, where `random`
has no seed.
"""

from __future__ import annotations

import math
import re

import numpy as np

_WORDS = re.compile(r"all|(?P<which>first|end|random):(?P<number>[1-9][0-9]*)(?P<percent>%)?")


def select(size: int, strategy: str, seed: int) -> np.ndarray:
    """The indexes [K] of a source of `size` samples that a strategy takes, in the order of the source.

    More than there are is all. Raises `ValueError` with what would be right for a strategy that isn't one.
    """
    match = _WORDS.fullmatch(strategy)
    if match is None:
        raise ValueError(f"{strategy!r} is not all, first:N, end:N or random:N, with N a number or a percentage")
    if match["which"] is None:
        return np.arange(size)
    number = int(match["number"])
    number = min(size, math.ceil(number * size / 100) if match["percent"] else number)
    if match["which"] == "first":
        return np.arange(number)
    if match["which"] == "end":
        return np.arange(size - number, size)
    return np.sort(np.random.Generator(np.random.PCG64([seed, size])).permutation(size)[:number])
