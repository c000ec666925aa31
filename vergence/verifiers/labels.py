"""Letters of options in running text: a letter that stands alone, as a label.

Never the article "A" nor the pronoun "I" before a word, never a part of "rabbit", "U.S.", "D-day" or "C++". The
patterns are strings to be put into longer ones; `index_of` tells which letter a match of them has found.
"""

from __future__ import annotations

import re

_W = r"A-Za-z0-9_\u00c0-\u024f"  # letters of words written with spaces: a label may stand right behind 是
_BEFORE = rf"(?<![{_W}'’\-&/.\\])"
_AFTER = rf"(?![{_W}'’+#&\\]|[-./][{_W}])"
# What may follow "A" where it is a label and no article.
VERB = r"is|was|are|because|since|as|would|should|seems|appears|looks|fits|matches|for|due|and|or|than|that|which"
_NO_ARTICLE = rf"(?=\s*(?:$|[^\w\s\"“'‘(]|[\u4e00-\u9fff])|\s*\n|\s+(?:{VERB})\b)"
_CLOSED = r"(?=\s*(?:$|[^\w\s\"“'‘(]|[\u4e00-\u9fff])|\s*\n)"
BRACKETED = r"[(\[{]\s*([A-Za-z])\s*[)\]}]"
UPPER = rf"{_BEFORE}([B-HJ-Z]){_AFTER}|{_BEFORE}(A){_AFTER}{_NO_ARTICLE}|{_BEFORE}(I){_AFTER}{_CLOSED}"
LOWER = rf"{_BEFORE}([a-z]){_AFTER}{_CLOSED}"
LABEL = rf"(?:{BRACKETED}|{UPPER})"
NAMED = r"(?:(?:the\s+)?(?:option|choice|answer|letter|选项)\s*[:：]?\s*)?"
QUOTE = r"[\"“'‘`]*"
TARGET = rf"{NAMED}{QUOTE}(?:{BRACKETED}|{UPPER}|{LOWER}){QUOTE}"
_MORE = re.compile(rf"{QUOTE}[).\]:]*\s*(?:,|/|&|\+|、|和|或|,?\s*\b(?:and|or)\b)\s*{NAMED}{LABEL}")


def index_of(match: re.Match[str]) -> int:
    """The index of the letter that a pattern with `BRACKETED`, `UPPER` or `LOWER` in it has found."""
    return ord(next(group for group in match.groups() if group is not None).upper()) - ord("A")


def listed(text: str, match: re.Match[str]) -> list[int]:
    """The letter, and those that are listed behind it: "A and C", "(A), (B)"."""
    found, end = [index_of(match)], match.end()
    while more := _MORE.match(text, end):
        found.append(index_of(more))
        end = more.end()
    return found
