"""The leaderboard's four CSV files: one row a model, in the official order of columns.

`result.csv` and `result_v2.csv` hold the All averages of version 1 and 2, `result_task.csv` and `result_v2_task.csv`
the Task averages; dimensions are the same in both (space AILab-CVC/SEED-Bench_Leaderboard, constants.py).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from vergence.errors import UsageError
from vergence.evaluation.examples import write_text
from vergence.evaluation.seed_bench.dimensions import AVERAGES, DIMENSIONS, Edition
from vergence.evaluation.seed_bench.scores import counts_of, summary

Kind = Literal["all", "task"]

FILES: dict[str, tuple[Edition, Kind]] = {
    "result.csv": ("1", "all"),
    "result_task.csv": ("1", "task"),
    "result_v2.csv": ("2", "all"),
    "result_v2_task.csv": ("2", "task"),
}
MODEL_COLUMNS: dict[Edition, tuple[str, ...]] = {
    "1": ("Model Type", "Model", "Language Model", "Evaluation Method"),
    "2": ("Model", "Language Model", "Evaluation Method"),
    "2-plus": ("Model", "Language Model", "Evaluation Method"),
    "h": ("Model", "Language Model", "Evaluation Method"),
}
METHODS = ("PPL", "PPL for A/B/C/D", "Generate", "NG")
"""What stands under Evaluation Method; NG is "not given"."""


def columns(edition: Edition) -> list[str]:
    """All headings in the official order."""
    averages = AVERAGES[edition]
    return [*MODEL_COLUMNS[edition], *averages, *(found.column for found in DIMENSIONS[edition].values())]


def scores_row(result: Mapping[str, Any], kind: Kind, *, zero: bool = False) -> dict[str, float | None]:
    """The figures of a result by column: the averages, then the dimensions.

    What was not evaluated is None; with `zero` it is 0 and counts as such in the Task averages.
    """
    edition: Edition = result["edition"]
    whole = summary(edition, counts_of(result), zero=zero)
    row = {name: whole["averages"][name][f"leaderboard_{kind}"] for name in AVERAGES[edition]}
    row |= {DIMENSIONS[edition][found["id"]].column: found["leaderboard"] for found in whole["dimensions"]}
    return {name: 0.0 if zero and value is None else value for name, value in row.items()}


def method_of(result: Mapping[str, Any]) -> str:
    """What the leaderboard calls a result's way of asking."""
    model = result.get("model") or {}
    if isinstance(model.get("evaluation_method"), str):
        return str(model["evaluation_method"])
    return "NG"


def csv_text(results: Sequence[Mapping[str, Any]], kind: Kind = "all", *, zero: bool = False) -> str:
    """The results of one edition as CSV, a row each, in their order. Not evaluated is an empty cell, or 0 with `zero`.

    Raises `UsageError` without results and for those of several editions.
    """
    editions = {result["edition"] for result in results}
    if len(editions) != 1:
        raise UsageError(f"a table holds the results of one SEED-Bench, not of {', '.join(sorted(editions)) or 'none'}")
    edition: Edition = editions.pop()
    target = io.StringIO()
    writer = csv.DictWriter(target, columns(edition), lineterminator="\n")
    writer.writeheader()
    for result in results:
        row: dict[str, Any] = {**_model(result, edition), **scores_row(result, kind, zero=zero)}
        writer.writerow({name: "" if value is None else value for name, value in row.items()})
    return target.getvalue()


def _model(result: Mapping[str, Any], edition: Edition) -> dict[str, str]:
    model = result.get("model") or {}
    told = {
        "Model Type": model.get("type", ""),
        "Model": model.get("name", ""),
        "Language Model": model.get("language_model", ""),
        "Evaluation Method": method_of(result),
    }
    return {name: str(told[name]) for name in MODEL_COLUMNS[edition]}


def write_tables(folder: Path, results: Sequence[Mapping[str, Any]], *, zero: bool = False) -> list[Path]:
    """Write the official files of version 1 and 2 that there are results for; returns their paths."""
    written = []
    for name, (edition, kind) in FILES.items():
        of_edition = [result for result in results if result["edition"] == edition]
        if of_edition:
            write_text(folder / name, csv_text(of_edition, kind, zero=zero))
            written.append(folder / name)
    return written
