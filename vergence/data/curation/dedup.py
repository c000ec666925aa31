"""Samples that repeat others. What counts as a repetition is the user's choice, since it depends on the data.

Of pictures with captions, two alike pictures are one sample, whatever is said of them (`picture`). In instruction data
many questions about one picture are wanted, and only the same again is not (`both`). Of documents, the text decides
(`text`). A video counts as a picture that only its very file is like, and what shows nothing is compared by its text.
"""

from __future__ import annotations

import hashlib
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field

from vergence.config import Section
from vergence.data.curation.decisions import Decision, Decisions, all_of
from vergence.data.curation.duplicates import alike_pictures, first_of_groups, jaccard, near_texts, shingles
from vergence.data.curation.ngrams import words
from vergence.data.curation.perceptual_hash import Fingerprint, fingerprint
from vergence.data.curation.source import Folder, Show, caption_of, pictures_of, samples, silent, videos_of
from vergence.errors import DataError
from vergence.processing.media import encoded_file


class DuplicateRules(Section):
    """What counts as a copy."""

    by: Literal["picture", "text", "both"] = "picture"
    radius: int = Field(10, ge=0, le=16, description="bits in which one of two hashes of pictures may differ")
    similarity: float = Field(0.9, ge=-1, le=1, description="least correlation of the thumbnails")
    jaccard: float = Field(0.8, gt=0, le=1, description="least share of common runs of three words of two texts")
    min_words: int = Field(
        8, ge=1, description="by text: shorter ones aren't compared; of Chinese and the like each character is a word"
    )


@dataclass(slots=True)
class _Seen:
    """What is kept of each sample: its place, the numbers of its pictures and, below zero, of its videos, its text."""

    numbers: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    pictures: list[list[int]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    prints: list[Fingerprint] = field(default_factory=list)
    videos: dict[bytes, int] = field(default_factory=dict)
    unreadable: list[Decision] = field(default_factory=list)
    runs: dict[int, frozenset[int]] = field(default_factory=dict)

    def shingles(self, place: int) -> frozenset[int]:
        """The shingles of a text, which may be compared with many."""
        if place not in self.runs:
            self.runs[place] = shingles(self.texts[place])
        return self.runs[place]


def deduplicate(folder: Folder, rules: DuplicateRules, show: Show = silent) -> Decisions:
    """Keep the first of every group of copies.

    A sample of several pictures is a copy only of one that shows all of them: a page isn't one because its logo is.
    """
    seen = _read(folder, rules, show)
    show(f"comparing {len(seen.numbers):,} samples")
    copies = _text_copies(seen, rules) if rules.by == "text" else _picture_copies(seen, rules)
    rows = list(seen.unreadable)
    for place, (number, key) in enumerate(zip(seen.numbers, seen.keys, strict=True)):
        if place in copies:
            first, reason, score = copies[place]
            rows.append(Decision(number, key, 0, reason, score, seen.numbers[first]))
        else:
            rows.append(Decision(number, key, 1))
    return all_of(rows, name="dedup", fingerprint=folder.fingerprint, settings=rules.model_dump(mode="json"))


def _read(folder: Folder, rules: DuplicateRules, show: Show) -> _Seen:
    seen = _Seen()
    for number, key, found in samples(folder, show):
        try:
            if isinstance(found, DataError):
                raise found
            taken = [] if rules.by == "text" else [fingerprint(source) for source in pictures_of(found)]
            videos = [] if rules.by == "text" else [_digest(source) for source in videos_of(found)]
        except DataError:
            seen.unreadable.append(Decision(number, key, 0, "unreadable"))
            continue
        seen.numbers.append(number)
        seen.keys.append(key)
        films = [seen.videos.setdefault(digest, -1 - len(seen.videos)) for digest in videos]
        seen.pictures.append([*range(len(seen.prints), len(seen.prints) + len(taken)), *films])
        seen.prints += taken
        # Two questions about a picture may have one answer, so with pictures all that is said counts.
        said = caption_of(found) if rules.by == "text" else "\n".join(message.text for message in found.messages)
        seen.texts.append(said if rules.by != "picture" else "")
    return seen


def _digest(source: Path | bytes) -> bytes:
    """The hash of a video's file. Raises `DataError` where it can't be read."""
    with encoded_file(source, str(source) if isinstance(source, Path) else "video bytes", sys.maxsize, "video") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
        return digest.digest()


Copies = dict[int, tuple[int, str, float]]
"""Place of a copy -> (place of the first, reason, score)."""


def _text_copies(seen: _Seen, rules: DuplicateRules) -> Copies:
    return _copies_among([n for n, text in enumerate(seen.texts) if len(words(text)) >= rules.min_words], seen, rules)


def _copies_among(places: Sequence[int], seen: _Seen, rules: DuplicateRules) -> Copies:
    """Of the samples at these places those whose text nearly is that of one before them."""
    pairs = near_texts([seen.texts[place] for place in places], threshold=rules.jaccard, spanning=True)
    overlaps: dict[int, float] = {}
    for first, second, overlap in pairs:
        for item in (first, second):  # a text that joins two groups is the second of both its pairs
            overlaps[item] = max(overlap, overlaps.get(item, 0.0))
    groups = first_of_groups(len(places), ((first, second) for first, second, _ in pairs))
    return {places[item]: (places[first], "text copy", overlaps[item]) for item, first in groups.items()}


def _picture_copies(seen: _Seen, rules: DuplicateRules) -> Copies:
    """Samples that show what one before them shows; with `by=both` also those that show nothing and say the same."""
    pairs = alike_pictures(seen.prints, radius=rules.radius, least=rules.similarity, spanning=True)
    first_of = first_of_groups(len(seen.prints), ((pair.first, pair.second) for pair in pairs))
    overlaps: dict[int, float] = {}
    for pair in pairs:
        for picture in (pair.first, pair.second):  # a picture that joins two groups is the second of both its pairs
            overlaps[picture] = max(pair.overlap, overlaps.get(picture, -1.0))
    copies: Copies = {}
    if rules.by == "both":
        bare = [n for n, shown in enumerate(seen.pictures) if not shown and words(seen.texts[n])]
        copies = _copies_among(bare, seen, rules)
    kept: dict[int, list[int]] = defaultdict(list)  # the first of a group of pictures -> places that show one of them
    shown: list[frozenset[int]] = []
    for place, pictures in enumerate(seen.pictures):
        groups = frozenset(first_of.get(picture, picture) for picture in pictures)
        shown.append(groups)
        candidates = kept[min(groups)] if groups else []
        original = next((c for c in candidates if groups <= shown[c] and _same_text(seen, c, place, rules)), None)
        if original is not None:
            score = min((overlaps.get(picture, 1.0) for picture in pictures), default=1.0)
            copies[place] = original, "picture copy" if rules.by == "picture" else "copy", score
            continue
        for group in groups:
            kept[group].append(place)
    return copies


def _same_text(seen: _Seen, first: int, second: int, rules: DuplicateRules) -> bool:
    if rules.by == "picture":
        return True
    return jaccard(seen.shingles(first), seen.shingles(second)) >= rules.jaccard
