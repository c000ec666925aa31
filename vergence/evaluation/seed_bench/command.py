"""What `vergence seed-bench` does: submissions written and checked, the leaderboard's tables, a page of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vergence.errors import DataError, UsageError
from vergence.evaluation.examples import write_text
from vergence.evaluation.records import read_lines
from vergence.evaluation.results import FILE
from vergence.evaluation.seed_bench import tables
from vergence.evaluation.seed_bench.dimensions import DIMENSIONS, EDITIONS
from vergence.evaluation.seed_bench.leaderboard import leaderboard_page
from vergence.evaluation.seed_bench.questions import edition_of_questions, load_questions
from vergence.evaluation.seed_bench.runs import results_of, seed_bench_tasks
from vergence.evaluation.seed_bench.submission import NOT_SUBMITTED, validate_submission, write_submission
from vergence.evaluation.task import Sample


def write_run_submission(run_folder: Path, output: Path) -> str:
    """Write the leaderboard's file from an evaluation; returns what was written and what is missing in it, as text.

    `run_folder` may also be the file of samples of one task, where a folder holds several of SEED-Bench. Answers of
    further repeats, those that failed and those without a letter are left out. Raises `DataError` for a folder without
    a task of SEED-Bench or without its samples, `UsageError` for one with several.
    """
    path = _samples_file(run_folder)
    samples: list[Sample] = []
    letters: dict[str, str] = {}
    for line in read_lines(path) if path.is_file() else ():
        try:
            if line["repeat"]:
                continue
            samples.append(Sample(line["id"], line["question"], (), None, tuple(line["choices"]), line["tags"]))
            dimension = line["tags"]["dimension"]
            if line["error"] is None and line["extracted"] is not None:
                letters[line["id"]] = line["extracted"]
        except (KeyError, TypeError):
            raise DataError(f"{path}: {line['id']!r} is not an answer to a question of SEED-Bench") from None
        if not isinstance(dimension, int):
            raise DataError(f"{path}: {line['id']!r} tells no dimension of SEED-Bench")
    if not letters:
        raise DataError(f"{path}: no predictions to submit ({len(samples)} samples)")
    problems = write_submission(output, letters, samples)
    lines = [f"{output}: {len(letters)} predictions for {len(samples)} questions{_of_published(path.stem)}"]
    return "\n".join([*lines, *map(str, problems)])


def _of_published(task: str) -> str:
    """How many questions the edition has, where all its dimensions tell."""
    edition = next((edition for edition in EDITIONS if task == f"seed-bench-{edition}"), None)
    counts = [dimension.count for dimension in DIMENSIONS[edition].values()] if edition else [None]
    return "" if None in counts else f" (of {sum(filter(None, counts))} published)"


def _samples_file(run: Path) -> Path:
    """The file of samples that a folder's only task of SEED-Bench names; a file stands for itself."""
    if run.is_file() and run.name != FILE:
        return run
    folder = run.parent if run.is_file() else run
    _, tasks = seed_bench_tasks(folder)
    files = [folder / str(task.get("samples")) for task in tasks.values()]
    if len(files) > 1:
        named = " or ".join(map(str, files))
        raise UsageError(f"{run}: holds {len(files)} tasks of SEED-Bench, and a submission is of one; name {named}")
    if not files[0].is_file():
        raise DataError(f"{files[0]}: no such file; {folder / FILE} names it as the task's samples")
    return files[0]


def validate_file(file: Path, questions: Path) -> str:
    """Check a submission against the published questions; returns that it is valid, and which dimensions it leaves out.

    Raises `DataError` with one line, all faults with their counts, for a file that isn't valid.
    """
    edition = edition_of_questions(questions)
    known = load_questions(questions, edition)
    problems = validate_submission(file, known.samples)
    faults = [str(problem) for problem in problems if problem.kind != NOT_SUBMITTED]
    if not faults and file.stat().st_size == 0:
        faults = ["it has no answers"]
    unusable = [f"{questions}: {problem}" for problem in known.problems]
    if faults:
        raise DataError(f"{file}: not a valid submission for seed-bench-{edition}: {'; '.join([*faults, *unusable])}")
    notes = [str(problem) for problem in problems]
    return "\n".join([f"{file}: a valid submission for seed-bench-{edition}", *notes, *unusable])


def write_tables(runs: Sequence[Path], output_dir: Path) -> list[Path]:
    """Write the leaderboard's CSV files of SEED-Bench-1 and -2 over all runs; returns their paths.

    Raises `DataError` for a run that can't be read (see `runs.results_of`), and where all are of other editions.
    """
    results = results_of(runs)
    written = tables.write_tables(output_dir, results)
    if not written:
        editions = ", ".join(sorted({result["task"] for result in results}))
        raise DataError(f"the leaderboard has tables for seed-bench-1 and seed-bench-2; the runs are of {editions}")
    return written


def write_leaderboard(runs: Sequence[Path], output: Path) -> Path:
    """Write a page over all runs; returns its path. Raises `DataError` as `runs.results_of` does."""
    write_text(output, leaderboard_page(results_of(runs)))
    return output
