"""Which entries of a lexicon a text names: all of them in one pass, as whole words.

The automaton is Aho and Corasick's (1975), from the package pyahocorasick where that is installed; without it each run
of words of the text is looked up, which finds the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from vergence.data.curation.ngrams import words
from vergence.errors import DataError


def normalised(text: str) -> str:
    """The words of a text with a blank between and around them, as entries and texts are compared."""
    return f" {' '.join(words(unicodedata.normalize('NFKC', text)))} "


class Lexicon:
    """Entries, numbered in their order; entries that are equal once normalised are one."""

    def __init__(self, entries: Iterable[str]) -> None:
        self.entries: list[str] = []
        self._numbers: dict[str, int] = {}
        for entry in entries:
            plain = normalised(entry)
            if plain.strip() and plain not in self._numbers:
                self._numbers[plain] = len(self.entries)
                self.entries.append(entry.strip())
        self._longest = max((plain.count(" ") - 1 for plain in self._numbers), default=0)
        self._automaton = self._build()

    def __len__(self) -> int:
        return len(self.entries)

    def _build(self) -> object | None:
        try:
            import ahocorasick
        except ImportError:
            return None
        automaton = ahocorasick.Automaton()
        for plain, number in self._numbers.items():
            automaton.add_word(plain, number)
        if self._numbers:
            automaton.make_automaton()
        return automaton if self._numbers else None

    def matches(self, text: str) -> list[int]:
        """The numbers of the entries that a text names, ascending, each once."""
        plain = normalised(text)
        if self._automaton is not None:
            return sorted({number for _, number in self._automaton.iter(plain)})  # type: ignore[attr-defined]
        return self._by_runs(plain)

    def _by_runs(self, plain: str) -> list[int]:
        found: set[int] = set()
        tokens: Sequence[str] = plain.split()
        for start in range(len(tokens)):
            for end in range(start + 1, min(len(tokens), start + self._longest) + 1):
                number = self._numbers.get(f" {' '.join(tokens[start:end])} ")
                if number is not None:
                    found.add(number)
        return sorted(found)


def read_lexicon(path: Path) -> Lexicon:
    """A lexicon from a text file, an entry a line. Raises `DataError` for one that can't be read or has none."""
    try:
        lexicon = Lexicon(path.read_text(encoding="utf-8-sig").splitlines())
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text (byte {error.start + 1})") from None
    if not len(lexicon):
        raise DataError(f"{path}: has no entries; expected one a line")
    return lexicon
