"""`vergence eval`: load a checkpoint, put tasks to it, print the table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vergence.data.catalogue import TASKS
from vergence.errors import UsageError
from vergence.evaluation.runner import evaluate
from vergence.evaluation.scores import Score, table, write_scores
from vergence.inference.engine import Engine

SEED = 1_000_003


def evaluate_checkpoint(
    checkpoint: Path,
    *,
    tasks: Sequence[str],
    samples: int,
    device: str = "cpu",
    dtype: str = "auto",
    output: Path | None = None,
) -> list[Score]:
    """Score a checkpoint on held-out samples of `tasks` (all tasks where empty), beside its blind score.

    The questions are those of the trainer's own evaluation. Raises `UsageError` for an unknown task or no samples.
    """
    unknown = [task for task in tasks if task not in TASKS]
    if unknown:
        raise UsageError(f"unknown task {', '.join(unknown)}; there are: {', '.join(TASKS)}")
    if samples < 1:
        raise UsageError(f"--samples {samples}: must be at least 1")
    engine = Engine.load(checkpoint, device=device, dtype=dtype)
    evaluation = evaluate(
        engine,
        tasks or tuple(TASKS),
        samples=samples,
        seed=SEED,
        progress=lambda score: print(f"{score.task}: {score.accuracy:.1%}", file=sys.stderr),
    )
    print(table(evaluation.scores))
    if output:
        write_scores(output, [score.to_json("eval") for score in evaluation.scores])
    return evaluation.scores
