"""All of a declared task's questions, in the order in which they are asked, and the rows that were left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vergence.evaluation.metrics.metric import Metric
from vergence.evaluation.tasks.cells import Row, as_text, explode
from vergence.evaluation.tasks.data_source import Source
from vergence.evaluation.tasks.declaration import Declaration
from vergence.evaluation.tasks.orders import in_all_orders, reordered, shuffled
from vergence.evaluation.tasks.problems import Problems
from vergence.evaluation.tasks.rows import Question, RowReader
from vergence.evaluation.tasks.transforms import TRANSFORMS


@dataclass(frozen=True, slots=True)
class Asked:
    """How the questions are asked: the order of their choices, its seed, and whether the choices are ranked."""

    order: str = "published"
    seed: int = 0
    ranked: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """Questions by their samples' ids, and the rows that were left out."""

    questions: Mapping[str, Question]
    problems: Problems


def load(declaration: Declaration, source: Source, metric: Metric, parameters: Any, asked: Asked) -> Loaded:
    """Read every row. Raises `DataError` for a file that can't be read; a row that can't be used becomes a problem."""
    problems = Problems()
    reader = RowReader(declaration, metric, parameters, source.folder)
    found: list[tuple[Question | str, str, Row]] = []
    for number, (row, where) in enumerate(_rows(declaration, source, reader, problems), start=1):
        question = _read(reader, row, number)
        found.append((question, where, row if isinstance(question, str) else {}))  # rows can be large
    questions: dict[str, Question] = {}
    for number, (question, where, row) in enumerate(found, start=1):
        if isinstance(question, str) and reader.names_a_row(row):  # one that stood below it
            question = _read(reader, row, number)
        if isinstance(question, str):
            problems.add(question, where)
        elif asked.ranked and len(question.sample.choices) < 2:
            problems.add("no choices to rank", where)
        elif question.sample.id in questions or f"{question.sample.id}#0" in questions:
            problems.add(f"the id {question.sample.id!r} was there before", where)
        else:
            questions.update((one.sample.id, one) for one in _in_orders(question, asked))
    for name, column in declaration.fields.tags.items():
        if questions and name not in reader.tags_seen:
            problems.remark(f"no row has the tag {name!r} (column {column!r}): no scores by it")
    return Loaded(questions, problems)


def _read(reader: RowReader, row: Row, number: int) -> Question | str:
    """The question, or what is wrong with the row."""
    try:
        return reader.read(row, number)
    except ValueError as error:
        return str(error)


def _rows(declaration: Declaration, source: Source, reader: RowReader, problems: Problems) -> Iterator[tuple[Row, str]]:
    """The rows that count, with list columns made into rows."""
    data = declaration.data
    for row, where in source.rows(problems):
        reader.note_picture(row)
        if not _wanted(row, data.keep, data.below):
            continue
        if not data.explode and data.transform is None:
            yield row, where
            continue
        try:
            several = explode(row, data.explode)
            if data.transform is not None:
                make = TRANSFORMS[data.transform]
                several = [made for one in several for made in make(one, source.folder)]
        except ValueError as error:
            problems.add(str(error), where)
            continue
        for index, one in enumerate(several):
            yield {**one, "_part": index}, f"{where}[{index}]"


def _wanted(row: Row, keep: Mapping[str, Sequence[str]], below: Mapping[str, float]) -> bool:
    for column, values in keep.items():
        if as_text(row.get(column)) not in values:
            return False
    for column, bound in below.items():
        try:
            if not float(as_text(row.get(column))) < bound:
                return False
        except ValueError:
            return False
    return True


def _in_orders(question: Question, asked: Asked) -> Iterator[Question]:
    """The question once for each order of its choices that is asked."""
    sample = question.sample
    count = len(sample.choices)
    if asked.order == "published" or count < 2 or not isinstance(sample.reference, int):
        yield question
    elif asked.order == "shuffled":
        yield replace(question, sample=reordered(sample, shuffled(count, asked.seed, sample.id)))
    else:
        for turned in in_all_orders(sample):
            yield replace(question, sample=turned)
