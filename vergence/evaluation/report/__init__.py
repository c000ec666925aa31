"""Reports: HTML files that ask the network nothing, of a training run and of one or several evaluation runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vergence.evaluation.history import read_metrics
from vergence.evaluation.parts import FOLDER as PARTS
from vergence.evaluation.report.evaluation import build_evaluation_report
from vergence.evaluation.report.training import build_report, write_report
from vergence.evaluation.results import FILE as RESULTS

__all__ = ["build_any_report", "build_evaluation_report", "build_report", "read_metrics", "write_report"]


def build_any_report(runs: Sequence[Path], output: Path | None = None) -> Path:
    """The report of one training run, or of one or several evaluation runs; returns the file.

    It is `output`, by default `report.html` in the first folder. A folder with a recipe is a training run's. Raises
    `DataError` for a folder of neither kind, and for files that can't be used.
    """
    alone = runs[0] if len(runs) == 1 else None
    evaluated = alone and ((alone / RESULTS).is_file() or (alone / PARTS).is_dir())
    if alone and ((alone / "recipe.yaml").is_file() or not evaluated):
        return build_report(alone, output=output) if output else build_report(alone)
    return build_evaluation_report(runs, output or runs[0] / "report.html")
