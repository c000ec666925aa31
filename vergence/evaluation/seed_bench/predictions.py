"""The scores of recorded predictions of any model; `prediction_file` says what such a file is.

Two readings of a file stand side by side. *As published* counts every record, also where a question has two, and
compares texts exactly, as the official eval.py does (`pred == gt` over its list of records): only so do the published
GPT-4V predictions for version 2 give the published figures, 69.87 and 69.94 of single pictures and 61.77 and 61.39 of
videos. They hold 8 ids twice, 3 of them with two different predictions, and 19 right answers with a blank beside the
letter ("B "), which no prediction equals; 11 of these are right. *Corrected* counts each question once and reads
letters without blanks (69.91 and 70.02, 61.86 and 61.47).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vergence.errors import DataError
from vergence.evaluation.seed_bench.dimensions import AVERAGES, DIMENSIONS, Edition, edition_of
from vergence.evaluation.seed_bench.prediction_file import Prediction, letter_of, read_predictions
from vergence.evaluation.seed_bench.problems import Problem, Problems
from vergence.evaluation.seed_bench.questions import QuestionFile, load_questions
from vergence.evaluation.seed_bench.scores import IMAGE, VIDEO, Count, Key, Tally, summary
from vergence.evaluation.task import LETTERS

Duplicates = Literal["first", "last"]

_WITH_DIMENSION = re.compile(r"(\d{1,2})_\d+")
_V1_IMAGE, _V1_VIDEO = re.compile(r"\d+"), re.compile(r"v\d+")


@dataclass(frozen=True, slots=True)
class _Scored:
    """A record with all that is needed to count it: right by exact comparison, and right by its letter."""

    question_id: str
    key: Key
    letter: str | None
    exact: bool
    correct: bool


def score_recorded(
    path: Path,
    *,
    version: str,
    questions: Path | None = None,
    duplicates: Duplicates = "first",
    zero: bool = False,
    model: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Score a file of predictions for `version` ("seed-bench-2" or "2"); the result is JSON, as published.

    "corrected" in it holds the other reading, with the first or last of `duplicates`. Without a question file the
    records' own `gt_answer` is used and the dimension is read from the id; ids of version 1 tell only pictures
    ("101669") from videos ("v1738"). `model` may hold name, type, language_model and evaluation_method for tables.
    Raises `DataError` for files that can't be read and where not one record can be scored.
    """
    edition = edition_of(version)
    file = read_predictions(path)
    known = load_questions(questions, edition) if questions is not None else None
    problems = Problems()
    for problem in file.problems:
        problems.copy(problem)
    scored = list(_scored(edition, file.records, known, problems))
    if not scored:
        found = "; ".join(str(problem) for problem in problems.list())
        raise DataError(f"{path}: not one prediction can be scored as seed-bench-{edition}: {found}")
    repeated = _repeated(scored)
    surplus = sum(map(len, repeated.values())) - len(repeated)
    contradicting = [name for name, letters in repeated.items() if len(set(letters)) > 1]
    problems.add_many("duplicate question_id", repeated, surplus)
    problems.add_many("duplicate question_id with different predictions", contradicting, len(contradicting))
    hidden = [record.question_id for record in scored if record.correct and not record.exact]
    problems.add_many("right letter that exact comparison counts as wrong", hidden, len(hidden))
    if known is not None:
        answered = {record.question_id for record in scored}
        missing = [sample.id for sample in known.samples if sample.id not in answered]
        problems.add_many("question without prediction", missing, len(missing))
    once = _once(scored, duplicates)
    return {
        "task": f"seed-bench-{edition}",
        "file": path.name,
        "sha256": file.sha256,
        "questions_sha256": None if known is None else known.sha256,
        "model": {"name": path.stem, **(model or {})},
        "records": len(scored),
        "questions": len(once),
        "invalid": sum(record.letter is None for record in scored),
        "duplicates": {"count": surplus, "ids": list(repeated), "contradicting": contradicting},
        **summary(edition, _counts(scored, exact=True), zero=zero),
        "corrected": {"duplicates": duplicates, **summary(edition, _counts(once, exact=False), zero=zero)},
        "problems": [problem.to_json() for problem in problems.list()],
    }


def _scored(
    edition: Edition, records: Sequence[Prediction], known: QuestionFile | None, problems: Problems
) -> Iterator[_Scored]:
    samples = None if known is None else {sample.id: sample for sample in known.samples}
    for record in records:
        key: Key | None
        if samples is not None:
            sample = samples.get(record.question_id)
            if sample is None:
                problems.add("unknown question_id (not scored)", record.question_id)
                continue
            key, right = sample.tags["dimension"], LETTERS[sample.reference]
            answer = sample.tags.get("written_answer", right)
            if record.answer is not None and letter_of(record.answer) != right:
                problems.add("gt_answer other than the question file's (the file's is used)", record.question_id)
        else:
            key = _key(edition, record)
            if key is None:
                problems.add(f"question_id that is none of seed-bench-{edition} (not scored)", record.question_id)
                continue
            if record.answer is None:
                problems.add("no gt_answer, and no question file is given (not scored)", record.question_id)
                continue
            answer, right = record.answer, letter_of(record.answer) or ""
        yield _Scored(record.question_id, key, record.letter, record.written == answer, record.letter == right)


def _key(edition: Edition, record: Prediction) -> Key | None:
    """What the record itself says about its dimension."""
    dimensions = DIMENSIONS[edition]
    if record.dimension in dimensions:
        return record.dimension
    found = _WITH_DIMENSION.fullmatch(record.question_id)
    if edition in ("2", "h") and found and int(found[1]) in dimensions:
        return int(found[1])
    if edition == "1" and _V1_IMAGE.fullmatch(record.question_id):
        return IMAGE
    if edition == "1" and _V1_VIDEO.fullmatch(record.question_id):
        return VIDEO
    return None


def edition_of_predictions(path: Path) -> Edition:
    """The SEED-Bench that a file of predictions is about, by the form that most of its ids have.

    "5_0" is of version 2, or of H where a dimension above 27 is among them, "101669" and "v1738" are of version 1.
    Raises `DataError` for a file that can't be read or whose ids have another form.
    """
    names = [record.question_id for record in read_predictions(path).records]
    later = [int(found[1]) for name in names if (found := _WITH_DIMENSION.fullmatch(name))]
    first = sum(bool(_V1_IMAGE.fullmatch(name) or _V1_VIDEO.fullmatch(name)) for name in names)
    if not later and not first:
        raise DataError(f"{path}: ids such as {names[0][:40]!r} don't tell of which SEED-Bench they are (5_0, 101669)")
    if first >= len(later):
        return "1"
    return "h" if any(number in DIMENSIONS["h"] and number not in DIMENSIONS["2"] for number in later) else "2"


def _repeated(scored: Sequence[_Scored]) -> dict[str, list[str | None]]:
    """The ids that several records have, with their letters."""
    letters: dict[str, list[str | None]] = {}
    for record in scored:
        letters.setdefault(record.question_id, []).append(record.letter)
    return {name: found for name, found in letters.items() if len(found) > 1}


def _once(scored: Sequence[_Scored], which: Duplicates) -> list[_Scored]:
    ordered = scored if which == "last" else list(reversed(scored))
    return list({record.question_id: record for record in ordered}.values())


def _counts(scored: Sequence[_Scored], *, exact: bool) -> dict[Key, Count]:
    tally = Tally()
    for record in scored:
        tally.add(record.key, correct=record.exact if exact else record.correct, valid=record.letter is not None)
    return tally.counts


def table_text(result: Mapping[str, Any]) -> str:
    """A result as text: the averages of both readings, then the dimensions, then what was wrong with the file."""
    lines = [f"{result['task']}: {result['model']['name']}"]
    if "records" in result:
        lines[0] += f", {result['records']} answers to {result['questions']} questions"
        lines += ["", "as published (every answer, exact comparison)"]
    lines += ["", *_aligned(_average_rows(result)), ""]
    if "corrected" in result and any(found["n"] for found in result["corrected"]["averages"].values()):
        lines += ["corrected (each question once, letters without blanks)"]
        lines += ["", *_aligned(_average_rows({**result, **result["corrected"]})), ""]
    dimensions = [found for found in result["dimensions"] if found["n"]]
    if dimensions:
        rows = [("", "dimension", "n", "correct", "accuracy", "95%"), *map(_dimension_row, dimensions)]
        lines += [*_aligned(rows, left=2), ""]
    absent = [str(found["id"]) for found in result["dimensions"] if not found["n"]]
    if absent and not result["kinds"]:
        lines.append(f"not evaluated: dimensions {', '.join(absent)}")
    lines += [str(Problem(found["kind"], found["count"], tuple(found["examples"]))) for found in result["problems"]]
    return "\n".join(line.rstrip() for line in lines).rstrip()


def _average_rows(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    edition: Edition = result["edition"]
    names = dict.fromkeys((*AVERAGES[edition], "Avg. All"))
    head = ("", "n", "correct", "micro", "95%", "macro", "All", "Task")
    return [head, *(_average_row(name, result["averages"][name]) for name in names)]


def _average_row(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    if not found["n"]:
        return name, "0", "0", "not evaluated", "", "", "", ""
    return (
        name,
        str(found["n"]),
        str(found["correct"]),
        f"{found['micro']:.2f}",
        f"{found['low']:.1f}-{found['high']:.1f}",
        *("-" if found[key] is None else f"{found[key]:.{digits}f}" for key, digits in _AVERAGE_COLUMNS),
    )


_AVERAGE_COLUMNS = (("macro", 2), ("leaderboard_all", 1), ("leaderboard_task", 1))


def _dimension_row(found: Mapping[str, Any]) -> tuple[str, ...]:
    interval = f"{found['low']:.1f}-{found['high']:.1f}"
    accuracy = f"{found['leaderboard']:.1f}"
    return str(found["id"]), found["name"], str(found["n"]), str(found["correct"]), accuracy, interval


def _aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
