"""What `vergence eval`, `compare` and `contamination` do: open what is named, run it, print what came out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vergence.data.catalogue import TASKS
from vergence.errors import DataError, UsageError, VergenceError
from vergence.evaluation.examples import write_text
from vergence.evaluation.records import read_lines
from vergence.evaluation.results import NOT_EVALUATED, identity, json_text, read_results, results_table
from vergence.evaluation.runner import Processes, RunSettings, file_name, run_tasks
from vergence.evaluation.task import Model, Sample, Task, TaskOptions
from vergence.evaluation.tasks.catalogue import available, open_task, suite, suites, takes_data
from vergence.progress import Progress
from vergence.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Variants:
    """Other ways of asking the same questions: all rotations or a shuffle of the options, and grey pictures.

    `blind` None means: where the task is one of the project's own held-out ones.
    """

    circular: bool = False
    shuffle: int | None = None
    blind: bool | None = None


def list_tasks() -> str:
    """The tasks with their suites and what they need, and the suites, as text."""
    tasks = available()
    width = max(len(task.name) for task in tasks)
    lines = [f"{task.name:<{width}}  {task.summary}" for task in tasks]
    named = [f"{name:<{width}}  {', '.join(suite(name))}" for name in suites()]
    return "\n".join([*lines, "", "suites:", *named])


def evaluate_model(
    model: str | None,
    *,
    tasks: Sequence[str],
    suite: str | None,
    options: TaskOptions,
    settings: RunSettings,
    variants: Variants,
    device: str = "cpu",
    dtype: str = "auto",
    batch: int | None = None,
    judge: str | None = None,
    output: Path | None = None,
    json_output: str | None = None,
) -> int:
    """Run tasks on the model that `model` names; print the table, or JSON. Returns the exit code.

    Raises `UsageError` for an unknown model, task or suite, before anything is asked, and `DataError` where no task
    could be evaluated.
    """
    if model is None:
        hint = "" if json_output in (None, "-") else f" ({json_output} was taken as the FILE of --json)"
        raise UsageError(f"name a model: a checkpoint folder, transformers:..., http://..., or recorded:FILE{hint}")
    names = chosen_tasks(tasks, suite)
    if json_output not in (None, "-") and Path(json_output).is_dir():
        raise UsageError(f"--json {json_output}: is a folder, expected a file")
    if (options.lengths or options.depths or options.tokenizer) and not any(map(is_needle, names)):
        raise UsageError(f"--lengths, --depths and --tokenizer are for needle tasks, not for {', '.join(names[:3])}")
    if model.startswith("recorded:") and (options.data is None or options.data.is_file()) and is_seed_bench(names):
        if output is not None or settings.limit is not None:
            raise UsageError(
                "a file of SEED-Bench predictions is scored whole; --output and --limit need --data FOLDER"
            )
        return score_recorded_predictions(Path(model.removeprefix("recorded:")), names, options.data, json_output)
    check_data(names, options.data)
    if judge is not None:
        from vergence.evaluation.models.open_model import open_endpoint

        open_endpoint(judge)  # an address that can't be one is told whether or not a task needs a judge
    opened = [
        variant
        for name in names
        for variant in varied(open_task(name, options, judge=judge, limit=settings.limit), variants)
    ]
    from vergence.evaluation.models.open_model import open_model

    subject = open_model(model, device=local_device(device), dtype=dtype, batch=batch)
    processes = Processes.from_environment()
    progress = Progress(None if processes.rank == 0 else open_nothing())
    folder = output or default_folder(subject)
    results = run_tasks(subject, opened, folder, settings, processes=processes, progress=progress)
    if processes.rank == 0:
        progress.line(f"answers and results: {folder}")
        show(results, [task.name for task in opened], json_output)
    wanted = {task.name for task in opened}
    found = [task for name, task in results["tasks"].items() if name in wanted]
    if not any(task["n"] for task in found):
        problems = [problem.removeprefix(f"{NOT_EVALUATED}: ") for task in found for problem in task["problems"]]
        raise DataError(f"no task could be evaluated; {problems[0] if problems else 'there are no samples'}")
    return 0


def chosen_tasks(tasks: Sequence[str], named_suite: str | None) -> list[str]:
    """The names of what is to be asked: tasks, those of a suite, or the held-out suite where nothing is named."""
    names = list(tasks)
    if named_suite is not None or not names:
        names += suite(named_suite or "heldout")
    return list(dict.fromkeys(names))


def check_data(names: Sequence[str], data: Path | None) -> None:
    """Raise `UsageError` where data are named for tasks none of which takes any."""
    if data is not None and not any(map(takes_data, names)):
        makes = "makes its" if len(names) == 1 else "make their"
        raise UsageError(f"--data {data}: {', '.join(names[:3])} {makes} own questions")


def varied(task: Task, variants: Variants) -> list[Task]:
    """The task as it is to be asked. Raises `UsageError` where a variant doesn't fit it."""
    from vergence.evaluation.tasks.orders import Circular, Shuffled
    from vergence.evaluation.tasks.pictures import Blind

    blind = task.name in TASKS if variants.blind is None else variants.blind
    if variants.shuffle is not None:
        task = Shuffled(task, variants.shuffle)
    if variants.circular:
        task = Circular(task)
    return [task, Blind(task)] if blind else [task]


def is_needle(name: str) -> bool:
    """Whether a task hides something in a haystack, whose length can be chosen."""
    return name.startswith("needle-")


def is_seed_bench(names: Sequence[str]) -> bool:
    """Whether SEED-Bench alone is asked for, whose published prediction files hold the right answers themselves."""
    return bool(names) and all(name.startswith("seed-bench") for name in names)


def score_recorded_predictions(
    path: Path, names: Sequence[str], questions: Path | None, json_output: str | None
) -> int:
    """Score a file of predictions by the right answers in it, or in the published questions; print every column."""
    from vergence.evaluation.seed_bench.predictions import score_recorded, table_text

    if len(names) != 1:
        raise UsageError(f"a file of predictions is one of {', '.join(names)}: name one --task")
    result = score_recorded(path, version=names[0].removeprefix("seed-bench-"), questions=questions)
    if json_output == "-":
        print(json_text(result))
    else:
        print(table_text(result))
        if json_output:
            write_json(Path(json_output), result)
    return 0


def show(results: dict[str, Any], names: Sequence[str], json_output: str | None) -> None:
    """Print the table of the tasks that were asked for and what went wrong; or JSON, here or into a file."""
    if json_output == "-":
        print(json_text(results))
        return
    print(results_table(results, names))
    for name in names:
        for problem in results["tasks"].get(name, {}).get("problems", []):
            if not problem.startswith(NOT_EVALUATED):  # the run has said so
                print(f"{name}: {problem}", file=sys.stderr)
    if json_output:
        write_json(Path(json_output), results)


def write_json(path: Path, whole: Any) -> None:
    """Write a file. Raises `VergenceError` by its name where that isn't possible."""
    try:
        write_text(path, json_text(whole) + "\n")
    except OSError as error:
        raise VergenceError(f"{path}: can't be written: {error.strerror or error}") from None


def default_folder(model: Model) -> Path:
    """`runs/eval/NAME-xxxxxxxx`: a folder for each model, told apart by what identifies it."""
    import hashlib

    known = json.dumps(identity(model.description()), sort_keys=True, default=str)
    return Path("runs") / "eval" / f"{file_name(model.name)}-{hashlib.sha256(known.encode()).hexdigest()[:8]}"


def local_device(device: str) -> str:
    """`cuda` becomes this process's own accelerator, where torchrun has started several processes."""
    import os

    local = os.environ.get("LOCAL_RANK")
    return f"{device}:{local}" if local is not None and device in ("cuda", "xpu") else device


def open_nothing() -> Any:
    """A stream that shows nothing: of several processes the first one reports."""
    import io

    return io.StringIO()


def compare_runs(first: Path, second: Path, *, tasks: Sequence[str], metric: str | None, as_json: bool) -> str:
    """The paired comparison of two runs on the questions that both answered, as text or JSON.

    Raises `DataError` where they share no task or ask different versions of it.
    """
    from vergence.evaluation.comparison import comparison_table, paired_comparison

    both = [read_results(first)["tasks"], read_results(second)["tasks"]]
    named = [name for name in both[0] if name in both[1] and (not tasks or name in tasks)]
    shared = [name for name in named if all("samples" in results[name] for results in both)]
    if not shared:
        what = "that was evaluated in both" if named else f"of {', '.join(tasks)}" if tasks else ""
        raise DataError(f"{first} and {second} share no task {what}".rstrip())
    rows = {}
    for name in shared:
        prints = [results[name].get("fingerprint") for results in both]
        if prints[0] != prints[1]:
            raise DataError(f"{name}: the runs asked different versions of it ({prints[0]} and {prints[1]})")
        values = [
            scores_of(folder, results[name], metric) for folder, results in zip((first, second), both, strict=True)
        ]
        rows[name] = paired_comparison(values[0][0], values[1][0], {**values[1][1], **values[0][1]})
    if as_json:
        from dataclasses import asdict

        return json.dumps({name: asdict(row) for name, row in rows.items()}, indent=1)
    return comparison_table(rows)


def scores_of(folder: Path, task: dict[str, Any], metric: str | None) -> tuple[dict[str, float], dict[str, str]]:
    """Each sample's score (the mean over its repeats), and what it is clustered by."""
    found: dict[str, list[float]] = {}
    clusters: dict[str, str] = {}
    known: dict[str, None] = {}
    path = folder / task["samples"]
    try:
        for line in read_lines(path):
            scores = line["scores"]
            if line["error"] is not None or not scores:
                continue
            known |= dict.fromkeys(scores)
            name = metric or next(iter(scores))
            if name in scores:  # a task may have several kinds of questions
                found.setdefault(line["id"], []).append(float(scores[name]))
                clusters[line["id"]] = str(line["tags"].get("cluster", line["id"]))
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not as an evaluation writes it ({type(error).__name__}: {error})") from None
    if metric and known and not found:
        raise DataError(f"{path}: has no metric {metric!r}; there are: {', '.join(known)}")
    return {key: sum(values) / len(values) for key, values in found.items()}, clusters


def check_contamination(
    recipe: Recipe, tasks: Sequence[str], options: TaskOptions, *, conversations: int, limit: int | None, as_json: bool
) -> str:
    """Which samples of tasks a recipe's training data holds, as text or JSON."""
    from vergence.evaluation.contamination import contamination_text, find_contamination
    from vergence.evaluation.training_data import training_conversations

    check_data(tasks, options.data)
    samples: list[Sample] = []
    for name in tasks:
        task = open_task(name, options, limit=limit)
        samples += [replace(sample, id=f"{task.name}/{sample.id}") for sample in list(task.samples())[:limit]]
    report = find_contamination(training_conversations(recipe, conversations), samples)
    if as_json:
        from dataclasses import asdict

        return json.dumps(asdict(report), indent=1, ensure_ascii=False)
    return contamination_text(report)
