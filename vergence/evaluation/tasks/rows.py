"""From a row to a sample: the columns of a declaration read, checked, and put into the types of an evaluation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vergence.conversation import MediaPart
from vergence.evaluation.metrics.metric import Metric
from vergence.evaluation.task import LETTERS, Sample
from vergence.evaluation.tasks.cells import Row, as_list, as_text, shorten
from vergence.evaluation.tasks.choice_cells import choice_list, right_choice, split_choices, without_letters
from vergence.evaluation.tasks.declaration import PLACEHOLDER, Declaration, MediaSection
from vergence.evaluation.tasks.media_cells import MediaStore, identity, parts

_REFERS = 64  # a picture's cell of at most this many characters may name another row (VLMEvalKit)


@dataclass(frozen=True, slots=True)
class Question:
    """A sample and what its wording needs besides: the placeholders' values and the seconds that cut its videos."""

    sample: Sample
    placeholders: Mapping[str, str] = field(default_factory=dict)
    cuts: tuple[tuple[float | None, float | None], ...] = ()


class RowReader:
    """Reads rows of one declaration. `folder` is where media paths lead from, None for a dataset of the hub.

    `pictures` are the cells of all rows by their id, for tables in which a picture's cell may name another row.
    """

    def __init__(self, declaration: Declaration, metric: Metric, parameters: Any, folder: Path | None) -> None:
        self.declaration, self.metric, self.parameters, self.folder = declaration, metric, parameters, folder
        self.store = MediaStore()
        self.pictures: dict[str, Any] = {}
        self.tags_seen: set[str] = set()

    def note_picture(self, row: Row) -> None:
        """Remember a row's picture, so that later rows can name it."""
        fields = self.declaration.fields
        if "{" in fields.id or not fields.id or len(fields.media) != 1:
            return
        key, cell = _optional(row, fields.id), _optional(row, fields.media[0].column)
        if key is not None and isinstance(cell, str) and len(cell) > _REFERS:
            self.pictures[as_text(key)] = cell

    def names_a_row(self, row: Row) -> bool:
        """Whether the row's picture is that of another row."""
        media = self.declaration.fields.media
        return len(media) == 1 and as_text(_optional(row, media[0].column)) in self.pictures

    def read(self, row: Row, number: int) -> Question:
        """The question that a row asks. Raises `ValueError` that says what is wrong with it."""
        fields = self.declaration.fields
        media, cuts = self._media(row)
        question = as_text(pick(row, fields.question)) if fields.question else ""
        choices, positions = self._choices(row)
        if fields.choices_in_question and not choices:
            question, choices = split_choices(question)
            positions = {place: place for place in range(len(choices))}
        tags = self._tags(row)
        cluster = self._cluster(row, media)
        if cluster is not None:
            tags["cluster"] = cluster
        placeholders = {name: as_text(_optional(row, column)) for name, column in fields.placeholders.items()}
        sample = Sample(self._id(row, number), question, tuple(media), None, choices, tags)
        reference = self._reference(row, sample, positions)
        sample = Sample(sample.id, question, sample.media, reference, choices, tags)
        return Question(sample, placeholders, tuple(cuts))

    def _tags(self, row: Row) -> dict[str, Any]:
        """The tags whose columns the row has; a metric that needs one says so."""
        found: dict[str, Any] = {}
        for name, column in self.declaration.fields.tags.items():
            value = _optional(row, column)
            if value is not None:
                self.tags_seen.add(name)
                found[name] = _plain(value)
        return found

    def _id(self, row: Row, number: int) -> str:
        template = self.declaration.fields.id
        if not template:
            return f"{number:06d}"
        if "{" not in template:
            return as_text(_needed(row, template))
        return PLACEHOLDER.sub(lambda found: as_text(_needed(row, found[1])), template)

    def _media(self, row: Row) -> tuple[list[MediaPart], list[tuple[float | None, float | None]]]:
        media: list[MediaPart] = []
        cuts: list[tuple[float | None, float | None]] = []
        for section in self.declaration.fields.media:
            cell = _optional(row, section.column) if section.optional else pick(row, section.column)
            if isinstance(cell, str | int) and as_text(cell) in self.pictures:
                cell = self.pictures[as_text(cell)]
            found = parts(cell, section.kind, self.folder, self.store, paths=section.path, row=row, fps=section.fps)
            if not found and not section.optional:
                raise ValueError(f"no {section.kind} in column {section.column!r}")
            media += found
            cuts += [_cut(row, section)] * len(found)
        return media, cuts

    def _choices(self, row: Row) -> tuple[tuple[str, ...], dict[int, int]]:
        """The texts of the choices, and which place each column or entry of the row has among them."""
        fields = self.declaration.fields
        if fields.fixed_choices:
            cells: list[Any] = list(fields.fixed_choices)
        elif isinstance(fields.choices, str):
            cells = choice_list(_optional(row, fields.choices))
        else:
            cells = [_optional(row, column) for column in fields.choices]
            if cells and isinstance(cells[0], list | tuple):  # the first column may hold all of them
                cells = list(cells[0])
        nothing = {"", *fields.not_choices}
        kept = [index for index, cell in enumerate(cells) if as_text(cell).strip() not in nothing]
        if len(kept) > len(LETTERS):
            raise ValueError(f"{len(kept)} choices, more than there are letters")
        texts = [as_text(cells[index]).strip() for index in kept]
        return without_letters(texts), {index: place for place, index in enumerate(kept)}

    def _reference(self, row: Row, sample: Sample, positions: Mapping[int, int]) -> Any:
        fields = self.declaration.fields
        if isinstance(fields.answer, dict):
            values = {name: _optional(row, column) for name, column in fields.answer.items()}
            if all(value is None for value in values.values()):
                raise ValueError("no answer")
            return self.metric.reference(values, sample, self.parameters)
        cell = pick(row, fields.answer)
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            raise ValueError("no answer")
        if sample.choices and fields.answer_as != "value":
            cell = right_choice(cell, fields.answer_as, sample.choices, positions)
        elif not sample.choices and not self.metric.open:
            raise ValueError(f"no choices, which the metric {self.metric.name!r} needs")
        return self.metric.reference(cell, sample, self.parameters)

    def _cluster(self, row: Row, media: Sequence[MediaPart]) -> str | None:
        rule = self.declaration.fields.cluster
        if rule == "none" or (rule == "media" and not media):
            return None
        if rule != "media":
            return as_text(_needed(row, rule))
        name = identity(media[0])
        folder = "" if self.folder is None else f"{Path(os.path.abspath(self.folder)).as_posix().rstrip('/')}/"
        return name.removeprefix(folder)


def pick(row: Row, column: str) -> Any:
    """The cell of the first of the columns `a | b` that the row has. Raises `ValueError` where it has none of them."""
    for name in column.split("|"):
        found = _cell(row, name.strip())
        if found is not _NOTHING:
            return found
    raise ValueError(f"no column {column!r}, there are {', '.join(map(str, row))}")


_NOTHING = object()


def _cell(row: Mapping[str, Any], name: str) -> Any:
    """The cell of a column; `outer.inner` is a key of a mapping in a cell."""
    if name in row:
        return row[name]
    outer, dot, inner = name.partition(".")
    inside = row.get(outer) if dot else None
    return _cell(inside, inner) if isinstance(inside, Mapping) else _NOTHING


def _optional(row: Row, column: str) -> Any:
    found = (_cell(row, name.strip()) for name in column.split("|"))
    return next((cell for cell in found if cell is not _NOTHING), None)


def _needed(row: Row, column: str) -> Any:
    value = pick(row, column)
    if value is None or as_text(value) == "":
        raise ValueError(f"column {column!r} is empty")
    return value


def _plain(cell: Any) -> Any:
    """A tag's value as JSON; a list written as text is a list."""
    if isinstance(cell, str) and cell.startswith("["):
        try:
            cell = as_list(cell)
        except ValueError:
            return cell
    if isinstance(cell, list | tuple):
        return [as_text(item) for item in cell]
    return cell if cell is None or isinstance(cell, str | int | bool) else as_text(cell)


def _cut(row: Row, section: MediaSection) -> tuple[float | None, float | None]:
    return _seconds(row, section.start), _seconds(row, section.end)


def _seconds(row: Row, column: str | None) -> float | None:
    """A time in seconds, written as a number or as [hours:]minutes:seconds."""
    cell = None if column is None else _optional(row, column)
    if cell is None or cell == "":
        return None
    try:
        total = 0.0
        for piece in as_text(cell).split(":"):
            total = total * 60 + float(piece)
    except ValueError:
        raise ValueError(f"column {column!r}: {shorten(cell)} is not a time in seconds") from None
    if not 0 <= total < float("inf"):
        raise ValueError(f"column {column!r}: {shorten(cell)} is not a time from 0 on")
    return total
