"""SEED-Bench's results in what a user has: folders of evaluations, saved results, and files of predictions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.results import FILE, read_results
from vergence.evaluation.seed_bench.dimensions import EDITIONS, Edition
from vergence.evaluation.seed_bench.predictions import edition_of_predictions, score_recorded
from vergence.evaluation.seed_bench.problems import Problem
from vergence.evaluation.seed_bench.scores import Count, Key, counts_of, summary


def results_of(runs: Sequence[Path]) -> list[dict[str, Any]]:
    """The results of all runs in the form of `score_recorded`; models of the same name are told apart by their run.

    A run is an evaluation's folder or its results.json, a result that `vergence eval --json` saved, or a file of
    predictions with their right answers. Raises `DataError` for anything else.
    """
    found = [(run, result) for run in runs for result in _results(run)]
    names = Counter((result["edition"], result["model"]["name"]) for _, result in found)
    for run, result in found:
        name = result["model"]["name"]
        if names[result["edition"], name] > 1:
            result["model"]["name"] = f"{name} ({_short(run, runs)})"
    return [result for _, result in found]


def _short(run: Path, runs: Sequence[Path]) -> str:
    """A run's name, or its path where another run has the same name. The official eval.py calls its file so, too."""
    names = [path.parent.name if path.name == FILE else path.name for path in runs]
    name = run.parent.name if run.name == FILE else run.name
    return name if names.count(name) == 1 else str(run)


def _results(path: Path) -> list[dict[str, Any]]:
    if path.is_dir():
        return _from_folder(path)
    try:
        whole = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        whole = None  # predictions as JSON lines
    if isinstance(whole, dict) and whole.get("edition") in EDITIONS:
        return [_saved(whole, path)]
    if isinstance(whole, dict) and "tasks" in whole and path.name == FILE:
        return _from_folder(path.parent)
    return [score_recorded(path, version=edition_of_predictions(path))]


def seed_bench_tasks(folder: Path) -> tuple[dict[str, Any], dict[Edition, dict[str, Any]]]:
    """What results.json of a folder holds, and its tasks of SEED-Bench by edition. Raises `DataError` without any."""
    whole = read_results(folder)
    tasks: dict[Edition, dict[str, Any]] = {
        edition: whole["tasks"][name] for edition in EDITIONS if (name := f"seed-bench-{edition}") in whole["tasks"]
    }
    if not tasks:
        others = ", ".join(whole["tasks"]) or "none at all"
        raise DataError(f"{folder}: no task of SEED-Bench was evaluated there (its tasks: {others})")
    return whole, tasks


def _from_folder(folder: Path) -> list[dict[str, Any]]:
    whole, tasks = seed_bench_tasks(folder)
    return [_from_run(folder, whole["model"], edition, task) for edition, task in tasks.items()]


def _from_run(folder: Path, model: Mapping[str, Any], edition: Edition, task: Mapping[str, Any]) -> dict[str, Any]:
    """A result from the measures of a run's task."""
    counts: dict[Key, Count] = {}
    try:
        for measure in task["measures"]:
            kind, _, number = measure["group"].partition("=")
            if measure["metric"] == "accuracy" and kind == "dimension" and measure["n"]:
                counts[int(number)] = Count(measure["n"], round(measure["value"] * measure["n"]))
        faults = {
            "answer without a letter (counted as wrong)": task["invalid"],
            "question without an answer (not counted)": task["errors"],
        }
        problems = [Problem(kind, count).to_json() for kind, count in faults.items() if count]
        problems += [{"kind": str(line), "count": None, "examples": []} for line in task["problems"]]
        definition = task.get("definition") or {}
        described = {"evaluation_method": _method(definition), **model, "name": str(model["name"])}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise DataError(f"{folder / FILE}: seed-bench-{edition} is not as an evaluation writes it") from None
    return {
        "task": f"seed-bench-{edition}",
        "model": described,
        "definition": definition,
        **summary(edition, counts),
        "problems": problems,
    }


def _method(definition: Mapping[str, Any]) -> str:
    """What the leaderboard calls a way of asking."""
    letters = (definition.get("interface") or {}).get("candidate") == "letter"
    ranking = "PPL for A/B/C/D" if letters else "PPL"
    return {"generate": "Generate", "likelihood": ranking}.get(str(definition.get("method")), "NG")


def _saved(whole: dict[str, Any], path: Path) -> dict[str, Any]:
    """A result that was saved as JSON; its figures are made anew of its counts."""
    try:
        model = {"name": path.stem, **whole["model"]}
        figures = summary(whole["edition"], counts_of(whole))
        problems = [{key: problem[key] for key in ("kind", "count", "examples")} for problem in whole["problems"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise DataError(f"{path}: not a result of SEED-Bench as `vergence eval --json` writes it") from None
    return {**whole, "model": model, **figures, "problems": problems}
