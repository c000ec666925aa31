"""The pictures of a task that pass by in other data: equal to the byte, or alike."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from vergence.conversation import Frames, ImagePart, MediaPart
from vergence.data.curation.perceptual_hash import Fingerprint, HashIndex, fingerprint, hamming, similarity
from vergence.errors import DataError
from vergence.evaluation.task import Sample

RADIUS = 10
"""Bits in which one of the two hashes of a copy may differ."""

SIMILARITY = 0.9
"""Correlation of the thumbnails, best aligned, from which on a picture is a copy."""

Kind = Literal["file", "picture", "text"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A training item that holds something of a sample.

    `kind` "file" is a picture or video of equal bytes, "picture" one that looks alike: `distance` is the smaller of its
    two Hamming distances, `overlap` the correlation of the thumbnails. Of "text", `overlap` is the share of the
    sample's n-grams that the item has.
    """

    sample: str
    kind: Kind
    item: str
    overlap: float
    distance: int | None = None


class PictureMatches:
    """The pictures of samples, indexed by content and by look.

    `owners` are the samples' ids, one for each picture that isn't flat; `counts` says what was "looked at" in the other
    data, and what in either was "flat", "unreadable" or one of the "videos" that are known by their bytes only.
    """

    def __init__(self, samples: Sequence[Sample], radius: int, least: float) -> None:
        self.radius, self.least = radius, least
        self.counts: Counter[str] = Counter()
        self.owners: list[str] = []
        self.fingerprints: list[Fingerprint] = []
        self.files: dict[bytes, list[str]] = defaultdict(list)
        for sample in samples:
            for source, print_ in self._read(sample.media):
                self.files[source].append(sample.id)
                if print_ is not None:
                    self.owners.append(sample.id)
                    self.fingerprints.append(print_)
        self.indexes = [
            HashIndex([p.difference for p in self.fingerprints]),
            HashIndex([p.frequency for p in self.fingerprints]),
        ]

    def findings(self, item: str, media: Sequence[MediaPart]) -> Iterator[Finding]:
        """What of the samples one training item shows."""
        for source, print_ in self._read(media):
            self.counts["looked at"] += 1
            equal = set(self.files.get(source, ()))
            yield from (Finding(sample, "file", item, 1.0, 0) for sample in sorted(equal))
            if print_ is None:
                continue
            near = {p for p, _ in self.indexes[0].near(print_.difference, self.radius)}
            near |= {p for p, _ in self.indexes[1].near(print_.frequency, self.radius)}
            for place in sorted(near):
                other = self.fingerprints[place]
                alike = similarity(print_, other)
                if alike >= self.least and self.owners[place] not in equal:
                    distance = min(
                        hamming(print_.difference, other.difference), hamming(print_.frequency, other.frequency)
                    )
                    yield Finding(self.owners[place], "picture", item, alike, distance)

    def _read(self, media: Sequence[MediaPart]) -> Iterator[tuple[bytes, Fingerprint | None]]:
        """The digest of each picture's content, and its fingerprint unless it is flat; broken media are counted."""
        for part in media:
            if isinstance(part, ImagePart):
                sources: Sequence[Path | bytes | Image.Image] = (part.image,)
            elif isinstance(part.video, Frames):
                sources = part.video.images
            else:
                self.counts["videos"] += 1
                try:
                    yield _digest(part.video), None
                except DataError:
                    self.counts["unreadable"] += 1
                continue
            for source in sources:
                try:
                    digest, print_ = _digest(source), fingerprint(source)
                except DataError:
                    self.counts["unreadable"] += 1
                    continue
                self.counts["flat"] += print_.flat
                yield digest, None if print_.flat else print_


def _digest(source: Path | bytes | Image.Image) -> bytes:
    """A digest of a file's bytes, or of a decoded picture's pixels; `DataError` for a file that can't be read."""
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                return hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            raise DataError(f"{source}: can't be read ({error.strerror})") from None
    if isinstance(source, bytes):
        return hashlib.sha256(source).digest()
    return hashlib.sha256(f"{source.mode} {source.size} ".encode() + source.tobytes()).digest()
