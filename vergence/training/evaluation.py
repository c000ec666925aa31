"""What is measured of a model in training: the loss on held-out rows, and the tasks after a stage."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import torch

from vergence.data import catalogue
from vergence.data.loader import RowSettings, load_rows
from vergence.data.mixture import Mixture
from vergence.evaluation.heldout import Evaluation, evaluate
from vergence.evaluation.tasks.pictures import SEED
from vergence.inference.engine import Engine
from vergence.inputs import PackedBatch
from vergence.models.vlm import VLM
from vergence.processing.processor import Processor
from vergence.progress import Progress
from vergence.recipe import EvaluationConfig, StageConfig
from vergence.training.objective import Objective, learn_of

EXAMPLES = 8  # answered questions of each task that the report shows


def heldout_rows(stage: StageConfig, processor: Processor, count: int) -> list[PackedBatch]:
    """`count` rows of held-out pictures of the stage's own mixture; stages that read folders alone have none."""
    entries = [entry for entry in stage.mixture if entry.path is None]
    if not entries or not count:
        return []
    mixture = Mixture(entries, split="heldout", seed=SEED)
    rows = load_rows(mixture, processor, RowSettings(stage.row_tokens, learn=learn_of(stage)))
    return [next(rows).batch for _ in range(count)]


def heldout_loss(objective: Objective, rows: Sequence[PackedBatch], executor: Executor) -> float:
    """The mean loss over the rows' targets or pairs, without what a mixture of experts adds to the training loss."""

    def one(batch: PackedBatch) -> float:
        with torch.no_grad():
            return float(objective.loss(batch))

    return sum(executor.map(one, rows)) / sum(objective.units(batch) for batch in rows)


def evaluate_stage(
    model: VLM, processor: Processor, settings: EvaluationConfig, progress: Progress, stage: str, *, last: bool
) -> Evaluation | None:
    """Put the tasks to the model as it is after a stage; the last one gets more samples, and examples are kept of it.

    None where the recipe asks for no samples. The model is in evaluation mode afterwards.
    """
    samples = settings.samples if last else settings.stage_samples
    if not samples:
        return None
    tasks = settings.tasks or tuple(catalogue.TASKS)
    progress.line(f"evaluating {len(tasks)} tasks after stage {stage}")
    return evaluate(
        Engine(model, processor, max_batch=settings.batch),
        tasks,
        samples=samples,
        seed=SEED,
        examples=EXAMPLES if last else 0,
        progress=lambda score: progress.show(f"  {score.task}: {score.accuracy:.0%}"),
    )
