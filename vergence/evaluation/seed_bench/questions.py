"""The published question files of SEED-Bench -> `Sample`s; what is wrong in a file is counted and named, the rest kept.

Fields: DATASET.md of github.com/AILab-CVC/SEED-Bench for versions 1 and 2; SEED-Bench-2-plus-text-rich.json is a plain
list with `choice_A` to `choice_D` and `question_image_type`; SEED-Bench-H.json has both spellings of the choices.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vergence.conversation import Frames, ImagePart, MediaPart, VideoPart
from vergence.errors import DataError
from vergence.evaluation.seed_bench.dimensions import DIMENSIONS, PLUS_TYPES, VIDEO, Dimension, Edition
from vergence.evaluation.seed_bench.fields import UnusableError, choices_of, cluster_of, kind_of, names_of, text_field
from vergence.evaluation.seed_bench.frames import in_frames
from vergence.evaluation.seed_bench.layout import QUESTION_FILES, Layout, inside
from vergence.evaluation.seed_bench.problems import Problem, Problems
from vergence.evaluation.task import LETTERS, Sample

MARKS = ("<img>", "[img]")
"""What stands for a picture inside a question: the first in the published file, the second in official interfaces."""

_ALWAYS = ("question_id", "question", "answer", "data_id")
_REQUIRED: dict[Edition, tuple[str, ...]] = {
    "1": (*_ALWAYS, "question_type_id", "data_type"),
    "2": (*_ALWAYS, "question_type_id", "data_type", "data_source"),
    "2-plus": (*_ALWAYS, "question_image_type"),
    "h": (*_ALWAYS, "question_type_id", "data_type", "data_source"),
}
_OPTIONAL = ("segment", "level", "subpart", "version", "data_source", "data_type", "question_image_subtype")
_CHOICES = {f"choice_{letter}" for letter in "abcdefghABCDEFGH"}


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """A question file: its questions in order, its faults, its SHA-256, the source of each video dimension's frames."""

    edition: Edition
    path: Path
    sha256: str
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...]
    frames: Mapping[int, str]


def load_questions(path: Path, edition: Edition, layout: Layout | None = None) -> QuestionFile:
    """Read a question file; media are looked up below `layout` (by default the file's folder) but not opened.

    Tags of a sample: dimension (number), name, level, part, data_type, version, cluster (the picture or video), and,
    where they apply, segment, options (the pictures to choose from) and subtype. Raises `DataError` for a file that
    can't be read as JSON or without a single usable question.
    """
    content = _content(path)
    entries, names = _entries(content, path)
    reader = _Reader(edition, layout or Layout(path.parent))
    reader.check_names(names)
    samples: dict[str, Sample] = {}
    for position, entry in enumerate(entries):
        name = entry.get("question_id", f"entry {position}") if isinstance(entry, dict) else f"entry {position}"
        try:
            sample = reader.sample(entry)
        except UnusableError as reason:
            reader.problems.add(str(reason), name)
            continue
        if sample.id in samples:
            reader.problems.add("duplicate question_id (the first one is used)", sample.id)
        else:
            samples[sample.id] = sample
    if not samples:
        found = "; ".join(str(problem) for problem in reader.problems.list())
        raise DataError(f"{path}: no usable question of seed-bench-{edition}{f': {found}' if found else ''}")
    reader.check_swap(samples.values())
    digest = hashlib.sha256(content).hexdigest()
    return QuestionFile(edition, path, digest, tuple(samples.values()), reader.problems.list(), reader.frames())


def edition_of_questions(path: Path) -> Edition:
    """The SEED-Bench of a question file, by its published name, otherwise by the fields of its questions.

    Raises `DataError` for a file that can't be read.
    """
    for edition, names in QUESTION_FILES.items():
        if path.name in names:
            return edition
    entries = [entry for entry in _entries(_content(path), path)[0] if isinstance(entry, dict)]
    if any("question_image_type" in entry for entry in entries):
        return "2-plus"
    if not any("data_source" in entry for entry in entries):
        return "1"
    numbers = {number for entry in entries if isinstance(number := entry.get("question_type_id"), int)}
    return "h" if numbers & (DIMENSIONS["h"].keys() - DIMENSIONS["2"].keys()) else "2"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None


def _entries(content: bytes, path: Path) -> tuple[list[Any], Any]:
    """The questions, and the file's own names of the dimensions."""
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {' '.join(str(error).split())}") from None
    if isinstance(whole, dict) and isinstance(whole.get("questions"), list):
        return whole["questions"], whole.get("question_type")
    if isinstance(whole, list):
        return whole, None
    raise DataError(f'{path}: expected a list of questions or an object with a list "questions"')


class _Reader:
    """Turns the entries of one file into samples."""

    def __init__(self, edition: Edition, layout: Layout) -> None:
        self.edition, self.layout = edition, layout
        self.problems = Problems()
        self.dimensions = DIMENSIONS[edition]
        self.from_videos = {
            number: layout.has_videos(dimension)
            for number, dimension in self.dimensions.items()
            if edition == "1" and dimension.frames
        }

    def frames(self) -> dict[int, str]:
        """Where each video dimension's frames come from."""
        return {
            number: dimension.frames if self.from_videos.get(number, True) else "published"
            for number, dimension in self.dimensions.items()
            if dimension.frames
        }

    def sample(self, entry: Any) -> Sample:
        """The sample of an entry. Raises `UnusableError`."""
        if not isinstance(entry, dict):
            raise UnusableError("entry that is not an object")
        for key in _REQUIRED[self.edition]:
            if key not in entry:
                raise UnusableError(f"missing field {key!r}")
        identifier = self._identifier(entry["question_id"])
        for key in entry:
            if key not in _CHOICES and key not in _REQUIRED[self.edition] and key not in _OPTIONAL:
                self.problems.add(f"unknown field {key!r} (not used)", identifier)
        question = text_field(entry, "question")
        dimension = self._dimension(entry)
        choices = choices_of(entry, fewest=2 if self.edition == "h" else 4)
        written = text_field(entry, "answer")
        answer = written.strip()
        if answer not in LETTERS[: len(choices)]:
            raise UnusableError(f"answer that is not a letter from A to {LETTERS[len(choices) - 1]}")
        names = names_of(entry["data_id"])
        segment = self._segment(entry, dimension)
        options, context = self._options(dimension, names, choices, identifier)
        tags = self._tags(entry, dimension, identifier)
        media = self._media(dimension, context, tags, identifier, str(entry.get("data_source", "")))
        marks = next((count for mark in MARKS if (count := question.count(mark))), 0)
        if marks and marks != len(media):
            raise UnusableError(f"<img> marks that don't fit the pictures ({marks} for {len(media)})")
        if written != answer:
            self.problems.add("answer with blanks beside its letter (read without them)", identifier)
            tags["written_answer"] = written
        if segment is not None:
            tags["segment"] = segment
        if options:
            tags["options"] = options
        tags["cluster"] = cluster_of(names, video=bool(media) and isinstance(media[0], VideoPart))
        return Sample(identifier, question, media, LETTERS.index(answer), choices, tags)

    def _identifier(self, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            self.problems.add("question_id that is a number (read as text)", value)
            return str(value)
        if not isinstance(value, str) or not value.strip():
            raise UnusableError(f"field 'question_id' of a wrong type ({kind_of(value)}, expected text)")
        return value

    def _dimension(self, entry: dict[str, Any]) -> Dimension:
        if self.edition == "2-plus":
            word = text_field(entry, "question_image_type")
            number: Any = PLUS_TYPES.get(word.strip().lower())
            if number is None:
                raise UnusableError(f"unknown question_image_type {word[:40]!r} ({', '.join(PLUS_TYPES)})")
        else:
            number = entry["question_type_id"]
            if not isinstance(number, int) or isinstance(number, bool):
                raise UnusableError(
                    f"field 'question_type_id' of a wrong type ({kind_of(number)}, expected a whole number)"
                )
        if number not in self.dimensions:
            raise UnusableError(f"unknown question_type_id {number} (1 to {max(self.dimensions)})")
        return self.dimensions[number]

    def _segment(self, entry: dict[str, Any], dimension: Dimension) -> list[int | float] | None:
        wanted = dimension.frames in ("decord-seconds", "pyav-15fps")
        segment = entry.get("segment")
        if not wanted:
            return None
        if segment is None:
            raise UnusableError("missing field 'segment'")
        numbers = isinstance(segment, list) and all(type(value) in (int, float) for value in segment)
        if not numbers or len(segment) != 2 or not 0 <= segment[0] < segment[1] < float("inf"):
            raise UnusableError("field 'segment' that is not [start, end] with start < end")
        if in_frames(segment) != (dimension.frames == "pyav-15fps"):
            unit = "frames" if in_frames(segment) else "seconds"
            self.problems.add(f"segment of dimension {dimension.id} in {unit} (read so)", entry["question_id"])
        return list(segment)

    def _options(
        self, dimension: Dimension, names: list[str], choices: tuple[str, ...], identifier: str
    ) -> tuple[list[str], list[str]]:
        """The pictures to choose from, in the order of the choices, and those that belong to the question."""
        if not dimension.answers_with_image:
            return [], names
        if len(names) < len(choices):
            raise UnusableError(f"fewer pictures than options ({len(names)} for {len(choices)})")
        options, context = names[-len(choices) :], names[: -len(choices)]
        if dimension.id != 27:  # its choices are texts, the others' are the names of the pictures
            by_choice = [[name for name in options if name == c or name.endswith(f"/{c}")] for c in choices]
            if all(len(found) == 1 for found in by_choice) and len({found[0] for found in by_choice}) == len(choices):
                return [found[0] for found in by_choice], context
            self.problems.add("choices that don't name their pictures (taken in the file's order)", identifier)
        return options, context

    def _tags(self, entry: dict[str, Any], dimension: Dimension, identifier: str) -> dict[str, Any]:
        level, part = entry.get("level"), entry.get("subpart")
        for found, table, key in ((level, dimension.level, "level"), (part, dimension.part, "subpart")):
            if found and table and found != table and self.edition != "2-plus":
                self.problems.add(f"{key} other than the dimension's (the dimension's is used)", identifier)
        tags = {
            "dimension": dimension.id,
            "name": dimension.name,
            "level": dimension.level or str(level or ""),
            "part": dimension.part or str(part or ""),
            "data_type": str(entry.get("data_type") or ("Video" if dimension.part == VIDEO else "Single Image")),
            "version": str(entry.get("version") or ("v1" if self.edition == "1" else "")),
        }
        if isinstance(entry.get("question_image_subtype"), str):
            tags["subtype"] = entry["question_image_subtype"]
        return tags

    def _media(
        self, dimension: Dimension, names: list[str], tags: dict[str, Any], identifier: str, source: str
    ) -> tuple[MediaPart, ...]:
        if self.edition == "1" and dimension.frames:
            if len(names) != 1:
                raise UnusableError("video of version 1 with several names")
            if self.from_videos[dimension.id]:
                return (VideoPart(self.layout.video(dimension, names[0])),)
            if not inside(identifier):
                raise UnusableError("question_id that is no folder name")
            return (_frames(self.layout.published_frames(dimension, identifier)),)
        if self.edition == "2" and source not in ("cc3m", "SEED-Bench v2"):
            raise UnusableError(f"unknown data_source {source[:40]!r} (cc3m, SEED-Bench v2)")
        paths = tuple(self.layout.image(self.edition, name, source) for name in names)
        if tags["data_type"].lower() == "video" or dimension.part == VIDEO:
            if len(paths) != 8:
                self.problems.add("video question without 8 frames (all that there are are used)", identifier)
            return (_frames(paths),)
        return tuple(ImagePart(path) for path in paths)

    def check_names(self, names: Any) -> None:
        """Compare the file's names of the dimensions with ours."""
        if not isinstance(names, dict):
            return
        for name, number in names.items():
            known = self.dimensions.get(number) if isinstance(number, int) else None
            if self.edition != "2-plus" and (known is None or known.name != name):
                self.problems.add("name in question_type other than the dimension's", f"{number} {name}")

    def check_swap(self, samples: Iterable[Sample]) -> None:
        """Notice a file from before May 2024, where the numbers 3 and 4 are exchanged (SEED-Bench issue 28)."""
        counts = {3: 0, 4: 0}
        for sample in samples:
            if sample.tags["dimension"] in counts:
                counts[sample.tags["dimension"]] += 1
        published = {number: self.dimensions[number].count for number in counts if number in self.dimensions}
        if self.edition in ("1", "2") and counts[3] == published[4] and counts[4] == published[3]:
            self.problems.add(
                "dimensions 3 and 4 exchanged, as in files from before May 2024", count=sum(counts.values())
            )


def _frames(paths: tuple[Path, ...]) -> VideoPart:
    """Published frames as a video. Their times aren't published: they stand a second apart."""
    return VideoPart(Frames(paths, tuple(float(i) for i in range(len(paths)))))
