"""Letters of options in running text: a letter that stands alone, as a label.

Never the article "A" nor the pronoun "I" before a word, never a part of "rabbit", "U.S.", "D-day" or "C++". The
patterns are strings to be put into longer ones; `index_of` tells which letter a match of them has found.
"""

from __future__ import annotations

import re

LATIN = r"A-Za-z0-9_\u00c0-\u024f"  # letters of words written with spaces: a label may stand right behind 是
_BEFORE = rf"(?<![{LATIN}'’\-&/.\\])"
_AFTER = rf"(?![{LATIN}'’+#&\\]|[-./][{LATIN}]|\.\s[A-Z]\.\s[A-Z][a-z])"  # "C. S. Lewis" has initials
# What may follow "A" where it is a label and no article; of these, the pronoun "I" is never followed by a third person.
_THIRD_PERSON = r"is|seems|appears|looks|fits|matches|has"
REASON = r"because|since|as|for|due|and|or|over|instead|rather"
VERB = rf"{_THIRD_PERSON}|{REASON}|was|are|would|should|than|that|which"
_END = r"\s*(?:$|[^\w\s\"“'‘(]|[\u4e00-\u9fff])|\s*\n"
_NO_ARTICLE = rf"(?={_END}|\s+(?:{VERB})\b)"
_NO_PRONOUN = rf"(?={_END}|\s+(?:{_THIRD_PERSON})\b)"
CLOSED = rf"(?={_END})"
QUOTE = r"[\"“'‘`]{0,3}"
BRACKETED = rf"(?:[(\[{{【]\s*([A-Za-z])\s*[)\]}}】]|(?<![{LATIN}])[\"“'‘`]([A-Z])[\"”'’`](?![{LATIN}]))"
UPPER = rf"{_BEFORE}([B-HJ-Z]){_AFTER}|{_BEFORE}(A){_AFTER}{_NO_ARTICLE}|{_BEFORE}(I){_AFTER}{_NO_PRONOUN}"
# "The answer is a" may have been cut off before its noun; "the answer is a." has not.
LOWER = rf"{_BEFORE}([b-z]){_AFTER}{CLOSED}|{_BEFORE}(a){_AFTER}(?=[.,;:!)\]])"
LABEL = rf"(?:{BRACKETED}|{UPPER})"
NAMED = r"(?i:(?:the\s+)?(?:option|choice|answer|letter|选项)\s*[:：]?\s*)?"
TARGET = rf"{NAMED}{QUOTE}(?:{BRACKETED}|{UPPER}|{LOWER}){QUOTE}"
MARKED = (
    rf"{NAMED}{QUOTE}(?:{BRACKETED}|([A-HJ-Z])(?=\s*(?:[.):：,—–]|-\s|\n|$))|([B-HJ-Z])(?=\s+\()"
    rf"|(I)(?=\s*(?:[.):：]|\n|$))){QUOTE}"
)
"""A letter with a mark behind it, as at the beginning of a line."""
_ALSO = r"(?:\s+(?:even|maybe|perhaps|possibly|also))?"
_MORE = re.compile(
    rf"{QUOTE}[).\]:]*\s*(?:\(?(?:/|&|\+|、|和|或|跟|与|,?\s*\b(?:and|or|nor)\b{_ALSO})\s*{NAMED}{LABEL}"
    rf"|,\s*{NAMED}{LABEL}(?!\s+(?:{_THIRD_PERSON}|was|can|does)\b))"
)
LISTED_BEFORE = re.compile(
    rf"(?<![{LATIN}])([A-Z])[).\]]?\s*(?:,|/|&|、|和|或|,?\s*\b(?:and|or|nor)\b)\s*{NAMED}[(\[]?$"
)


def index_of(match: re.Match[str]) -> int:
    """The index of the letter that a pattern with `BRACKETED`, `UPPER` or `LOWER` in it has found."""
    return ord(next(group for group in match.groups("") if re.fullmatch("[A-Za-z]", group)).upper()) - ord("A")


def listed(text: str, match: re.Match[str]) -> list[int]:
    """The letter, and those that are listed behind it: "A and C", "(A), (B)"."""
    found, end = [index_of(match)], match.end()
    while more := _MORE.match(text, end):
        found.append(index_of(more))
        end = more.end()
    return found
