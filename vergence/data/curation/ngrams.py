"""Texts that share long runs of words: which of many known texts are in a text that passes by.

GPT-3's contamination study (Brown et al. 2020, arXiv 2005.14165, appendix C) calls an example dirty when 13 words in a
row of it are in the training data, fewer for data sets of short examples but at least 8.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

N = 13
SHORTEST = 8

_WORDS = re.compile(
    # One character of Chinese, Japanese or Korean, or a run of other letters, marks and digits.
    "[\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
    "|[^\\W_\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_BASE = np.uint64(0x9E3779B97F4A7C15)


def words(text: str) -> list[str]:
    """The words of a text: NFKC, case folded, without punctuation; of Chinese, Japanese and Korean each character."""
    return _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())


class NGramIndex:
    """The n-grams of known texts.

    `texts` are lists of words; a text of `n` words or more gives all its n-grams, one from `shortest` on the single
    n-gram of all its words. Shorter ones give none, unless they are in `whole`, the positions of texts that are taken
    as one n-gram whatever their length. `sizes` says how many different n-grams each text has.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[str]],
        *,
        n: int = N,
        shortest: int = SHORTEST,
        whole: frozenset[int] = frozenset(),
    ) -> None:
        self._vocabulary: dict[str, int] = {}
        self._numbers: dict[tuple[int, ...], int] = {}
        self.owners: list[list[int]] = []
        self.sizes = [0] * len(texts)
        for position, text in enumerate(texts):
            length = len(text) if position in whole or len(text) < n else n
            if length < (1 if position in whole else shortest):
                continue
            ids = [self._vocabulary.setdefault(word, len(self._vocabulary) + 1) for word in text]
            grams = {tuple(ids[i : i + length]) for i in range(len(ids) - length + 1)}
            self.sizes[position] = len(grams)
            for gram in sorted(grams):
                number = self._numbers.setdefault(gram, len(self._numbers))
                if number == len(self.owners):
                    self.owners.append([])
                self.owners[number].append(position)
        by_length: dict[int, list[tuple[int, ...]]] = {}
        for gram in self._numbers:
            by_length.setdefault(len(gram), []).append(gram)
        self._sums = {
            length: np.unique(_rolling(np.array(grams, np.uint64).reshape(-1), length)[::length])
            for length, grams in by_length.items()
        }

    def found(self, text: Sequence[str]) -> set[int]:
        """The numbers of the n-grams that are in a text (a list of words); `owners[number]` are their texts."""
        numbers: set[int] = set()
        for run in self._known_runs(text):
            ids = np.array(run, np.uint64)
            for length, sums in self._sums.items():
                if len(run) < length:
                    continue
                rolling = _rolling(ids, length)
                places = np.minimum(np.searchsorted(sums, rolling), len(sums) - 1)
                for start in np.flatnonzero(sums[places] == rolling).tolist():
                    # Equal sums are a hint; equal words are a finding.
                    number = self._numbers.get(tuple(run[start : start + length]))
                    if number is not None:
                        numbers.add(number)
        return numbers

    def _known_runs(self, text: Sequence[str]) -> list[list[int]]:
        """The longest stretches of words that all occur in some known text: an unknown word ends every n-gram."""
        runs: list[list[int]] = [[]]
        for word in text:
            number = self._vocabulary.get(word)
            if number is not None:
                runs[-1].append(number)
            elif runs[-1]:
                runs.append([])
        return [run for run in runs if run]


def _rolling(ids: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """A 64-bit polynomial of every stretch of `length` ids (modulo 2^64)."""
    total = np.zeros(len(ids) - length + 1, np.uint64)
    with np.errstate(over="ignore"):
        for offset in range(length):
            total = total * _BASE + ids[offset : offset + len(total)]
    return total
