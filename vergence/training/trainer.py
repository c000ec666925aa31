"""The training loop: stage after stage of a recipe, from wherever a run was stopped.

A run's whole state is the weights, the optimizer's moments and the position in the data; nothing in it is random after
the weights were filled. So a run that is killed and started again ends, to the bit, where an unbroken one does.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vergence.data import catalogue
from vergence.data.loader import LoadedRow, LoaderState, RowSettings, load_rows
from vergence.data.mixture import Mixture
from vergence.errors import DataError, VergenceError
from vergence.evaluation.command import SEED
from vergence.evaluation.examples import write_examples
from vergence.evaluation.history import scores_of
from vergence.evaluation.report import build_report
from vergence.evaluation.runner import evaluate
from vergence.evaluation.scores import Score, from_json, table, write_scores
from vergence.inference.engine import Engine, available_device
from vergence.inputs import PackedBatch
from vergence.models.checkpoint import Checkpoint, save_model, write_checkpoint
from vergence.models.language.experts import RouterLog
from vergence.models.vlm import VLM, router_log
from vergence.processing.processor import Learn, Processor
from vergence.processing.tokenizer import Tokenizer
from vergence.recipe import Recipe, StageConfig
from vergence.training.contrastive import ContrastiveHeads
from vergence.training.gradients import step_gradients
from vergence.training.optimizers import (
    adamw,
    describe,
    learning_rate,
    load_moments,
    moments,
    parameter_groups,
    set_learning_rate,
)
from vergence.training.progress import Progress, duration
from vergence.training.routing import balance, load_figures, step_loads
from vergence.training.run import Run

SKIP_REASONS = 50  # reasons for skipping samples that are counted one by one; further ones together


@dataclass
class Position:
    """Where a run is: everything a checkpoint holds besides tensors."""

    stage: int = 0
    step: int = 0
    global_step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loader: LoaderState = field(default_factory=LoaderState)
    skipped: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        plain = {k: getattr(self, k) for k in ("stage", "step", "global_step", "tokens", "seconds")}
        return {**plain, "loader": self.loader.to_json(), "skipped": dict(self.skipped)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Position:
        """The position that `to_json` wrote."""
        return cls(**{**data, "loader": LoaderState.from_json(data["loader"]), "skipped": Counter(data["skipped"])})


class Trainer:
    """Trains a recipe's model in a run folder."""

    def __init__(self, recipe: Recipe, folder: Path, *, device: str = "cpu") -> None:
        """Load the newest checkpoint of the folder, or start from the recipe's seed.

        Raises `UsageError` for a folder of another recipe or a stage that can't be trained, and `DataError` for a
        damaged checkpoint or missing data: before the first stage, also where it is the last one that has the mistake.
        """
        self.recipe = recipe
        self.device = available_device(device)
        self.run_folder = Run(folder, recipe)
        self.progress = Progress()
        self.tokenizer = Tokenizer.load(recipe.model.processing.tokenizer)
        self.processor = Processor(recipe.model, self.tokenizer)
        self.model = VLM(recipe.model)
        self.model.initialise(recipe.seed)
        self.model.to(self.device)
        self.threads = recipe.threads or available_cores()
        checkpoint = self.run_folder.newest()
        self.run_folder.prune(recipe.checkpoint.keep)  # what a run left that was killed after it saved
        self.position = Position.from_json(checkpoint.json("state")) if checkpoint else Position()
        self.restored: Checkpoint | None = checkpoint
        self.records = self.run_folder.rewind(self.position.global_step)
        if checkpoint:
            self.model.load_state_dict(checkpoint.tensors("model"))
            stage = recipe.stages[self.position.stage]
            finished = stage is recipe.stages[-1] and stage.name in scores_of(self.records, [])
            place = "this run is finished" if finished else f"going on at stage {stage.name}, step {self.position.step}"
            self.progress.line(f"{place} ({checkpoint.path})")
        self._check_stages()

    def _check_stages(self) -> None:
        """Raise what would stop a stage that is still to come, named by its stage."""
        for index, stage in enumerate(self.recipe.stages):
            if index < self.position.stage:
                continue
            try:
                Mixture(stage.mixture, split="train", seed=stage_seed(self.recipe, index))
                with torch.device("meta"):
                    heads = self._new_heads(stage)
                parameter_groups(named_parameters(self.model, heads), stage.parameters, stage.optimizer.weight_decay)
            except VergenceError as error:
                raise type(error)(f"stage {stage.name}: {error}") from None

    def run(self) -> list[Score]:
        """Train every remaining stage, evaluate, write `final/`, `scores.json` and the report; returns the last scores.

        A run that was finished before is not trained or evaluated again; what it ends with is written anew.
        """
        stages = self.recipe.stages
        while True:
            stage = stages[self.position.stage]
            if self.position.step < stage.steps:
                self._train_stage(stage)
            last = self.position.stage == len(stages) - 1
            scores = self._evaluate_stage(stage, last=last)
            if last:
                self._finish()
                return scores
            self.position.stage += 1
            self.position.step = 0
            self.position.loader = LoaderState()
            self.position.skipped = Counter()

    # One stage

    def _train_stage(self, stage: StageConfig) -> None:
        position = self.position
        mixture = Mixture(stage.mixture, split="train", seed=stage_seed(self.recipe, position.stage))
        fingerprint = sha256(f"{mixture.fingerprint()}|{self.tokenizer.backend.to_str()}".encode()).hexdigest()
        if self.restored and position.step and self.restored.json("data")["fingerprint"] != fingerprint:
            raise DataError(
                f"stage {stage.name}: the training data or the tokenizer changed since {self.restored.path} was written"
            )
        heads = self._heads(stage)
        named = named_parameters(self.model, heads)
        groups = parameter_groups(named, stage.parameters, stage.optimizer.weight_decay)
        optimizer = adamw(groups, stage.optimizer)
        if self.restored and (position.step or stage.keep_optimizer):
            load_moments(optimizer, self.restored.tensors("optimizer"))
        if position.step == 0:
            self.progress.line(f"stage {stage.name}: {stage.steps} steps, {stage.objective}")
            self.progress.line(describe(groups, sum(p.numel() for _, p in named)))
        heldout = self._heldout(stage) if position.step < stage.steps else []
        parameters = [p for group in groups for p in group.parameters]
        workers = min(self.threads, stage.rows) if self.device.type == "cpu" else 1
        torch.set_num_threads(1 if workers > 1 else self.threads)
        self.model.train()
        meter = Meter()
        with closing(self._rows(stage, mixture)) as rows, ThreadPoolExecutor(workers) as executor:
            while position.step < stage.steps:
                started = time.monotonic()
                rate = learning_rate(position.step, stage.steps, stage.optimizer)
                set_learning_rate(optimizer, rate)
                loaded = [next(rows) for _ in range(stage.rows)]
                batches = [row.batch.to(self.device) for row in loaded]
                units = sum(loss_units(heads, batch) for batch in batches)
                logs = [router_log(batch) for batch in batches]
                loss = self._gradients(heads, batches, logs, units, parameters, executor)
                norm = float(nn.utils.clip_grad_norm_(parameters, stage.optimizer.clip))
                if not (math.isfinite(norm) and math.isfinite(loss)):
                    raise VergenceError(
                        f"stage {stage.name}, step {position.step}: the loss is {loss}, the gradient's norm {norm}; "
                        f"lower stages.{stage.name}.optimizer.lr"
                    )
                optimizer.step()
                loads = step_loads(logs)
                balance(self.model.language, loads)
                seconds = time.monotonic() - started
                tokens = sum(batch.input_ids.numel() for batch in batches)
                self._advance(loaded, tokens, seconds)
                meter.add(loss, tokens / seconds)
                self._show(stage, meter, rate)
                self.run_folder.log(
                    {
                        "kind": "train",
                        **self._place(stage),
                        "loss": loss,
                        "lr": rate,
                        "grad_norm": norm,
                        "tokens_per_second": tokens / seconds,
                        "utilisation": tokens / (stage.rows * stage.row_tokens),
                        "seconds": position.seconds,
                        **load_figures(logs, loads, units),
                    }
                )
                done = position.step == stage.steps
                if heldout and (position.step % self.recipe.evaluation.every_steps == 0 or done):
                    self._log_heldout(stage, heads, heldout, executor)
                if done or position.step % self.recipe.checkpoint.every_steps == 0:
                    self._save(stage, heads, optimizer, fingerprint)
        if position.skipped:
            self.progress.line(f"stage {stage.name}: {position.skipped.total()} samples skipped")

    def _new_heads(self, stage: StageConfig) -> ContrastiveHeads | None:
        return ContrastiveHeads(self.recipe.model, stage.losses) if stage.objective == "contrastive" else None

    def _heads(self, stage: StageConfig) -> ContrastiveHeads | None:
        heads = self._new_heads(stage)
        if heads is None:
            return None
        heads.initialise(self.recipe.seed + 1)
        if self.restored and self.position.step:
            heads.load_state_dict(self.restored.tensors("heads"))
        return heads.to(self.device)

    def _rows(self, stage: StageConfig, mixture: Mixture) -> Generator[LoadedRow, None, None]:
        loader = self.recipe.loader
        settings = RowSettings(stage.row_tokens, loader.lanes, loader.open_rows, learn_of(stage))
        return load_rows(mixture, self.processor, settings, state=self.position.loader, workers=loader.workers)

    def _gradients(
        self,
        heads: ContrastiveHeads | None,
        batches: list[PackedBatch],
        logs: list[RouterLog],
        units: int,
        parameters: list[nn.Parameter],
        executor: ThreadPoolExecutor,
    ) -> float:
        """Gradients of the mean loss over the whole step: the sum over rows divided by the step's targets, `units`."""
        rows = list(zip(batches, logs, strict=True))
        return step_gradients(rows, lambda row: self._loss(heads, *row) / units, parameters, executor)

    def _loss(self, heads: ContrastiveHeads | None, batch: PackedBatch, log: RouterLog | None = None) -> Tensor:
        return self.model.loss(batch, log) if heads is None else heads.loss(self.model, batch)

    def _advance(self, loaded: list[LoadedRow], tokens: int, seconds: float) -> None:
        position = self.position
        for row in loaded:
            position.loader.after(row)
            for reason in row.skipped:
                known = reason in position.skipped or len(position.skipped) < SKIP_REASONS
                counted = reason if known else "other reasons"
                if not position.skipped[counted]:  # each epoch meets it again: the first time is told, all are counted
                    self.progress.line(f"skipped: {reason}")
                position.skipped[counted] += 1
        position.step += 1
        position.global_step += 1
        position.tokens += tokens
        position.seconds += seconds

    # What is written on the way

    def _show(self, stage: StageConfig, meter: Meter, rate: float) -> None:
        position = self.position
        left = sum(s.steps * s.row_tokens * s.rows for s in self.recipe.stages[position.stage + 1 :])
        left += (stage.steps - position.step) * stage.row_tokens * stage.rows
        self.progress.show(
            f"{stage.name} {position.step}/{stage.steps}  loss {meter.loss:.3f}  lr {rate:.2e}  "
            f"{meter.tokens_per_second:,.0f} tokens/s  {duration(left / max(meter.tokens_per_second, 1e-9))} left"
        )

    def _place(self, stage: StageConfig) -> dict[str, Any]:
        position = self.position
        return {
            "stage": stage.name,
            "step": position.step,
            "global_step": position.global_step,
            "tokens": position.tokens,
        }

    def _heldout(self, stage: StageConfig) -> list[PackedBatch]:
        """A few rows of held-out pictures of the stage's own mixture; stages that read folders alone have none."""
        entries = [entry for entry in stage.mixture if entry.path is None]
        count = self.recipe.evaluation.loss_rows
        if not entries or not count:
            return []
        mixture = Mixture(entries, split="heldout", seed=SEED)
        rows = load_rows(mixture, self.processor, RowSettings(stage.row_tokens, learn=learn_of(stage)))
        return [next(rows).batch.to(self.device) for _ in range(count)]

    def _log_heldout(
        self,
        stage: StageConfig,
        heads: ContrastiveHeads | None,
        heldout: list[PackedBatch],
        executor: ThreadPoolExecutor,
    ) -> None:
        def one(batch: PackedBatch) -> float:
            with torch.no_grad():
                return float(self._loss(heads, batch))

        total = sum(executor.map(one, heldout))
        loss = total / sum(loss_units(heads, batch) for batch in heldout)
        self.run_folder.log({"kind": "heldout", **self._place(stage), "loss": loss})

    def _save(
        self, stage: StageConfig, heads: ContrastiveHeads | None, optimizer: torch.optim.AdamW, fingerprint: str
    ) -> None:
        position = self.position
        for reason, count in position.skipped.items():
            self.run_folder.log(
                {"kind": "skipped", "stage": stage.name, "global_step": position.global_step}
                | {"reason": reason, "count": count}
            )
        path = self.run_folder.checkpoints / f"{position.global_step:08d}-{stage.name}"
        self.restored = write_checkpoint(
            path,
            tensors={
                "model": self.model.state_dict(),
                "heads": heads.state_dict() if heads else {},
                "optimizer": moments(optimizer),
            },
            documents={
                "model": self.recipe.model.model_dump(mode="json"),
                "state": position.to_json(),
                "data": {"recipe": self.run_folder.recipe_digest, "fingerprint": fingerprint},
            },
            texts={"tokenizer.json": self.tokenizer.backend.to_str()},
        )
        self.run_folder.prune(self.recipe.checkpoint.keep)

    # Evaluation

    def _evaluate_stage(self, stage: StageConfig, *, last: bool) -> list[Score]:
        settings = self.recipe.evaluation
        tasks = settings.tasks or tuple(catalogue.TASKS)
        samples = settings.samples if last else settings.stage_samples
        before = scores_of(self.records, [])
        if stage.name in before:
            return [from_json(row) for row in before[stage.name]]
        if not samples:
            return []
        torch.set_num_threads(self.threads)
        self.progress.line(f"evaluating {len(tasks)} tasks after stage {stage.name}")
        engine = Engine(self.model, self.processor, max_batch=settings.batch)
        started = time.monotonic()
        evaluation = evaluate(
            engine,
            tasks,
            samples=samples,
            seed=SEED,
            examples=8 if last else 0,
            progress=lambda score: self.progress.show(f"  {score.task}: {score.accuracy:.0%}"),
        )
        self.position.seconds += time.monotonic() - started
        self.model.train()
        if last:
            write_examples(self.run_folder.path, evaluation.examples)
        # The record comes last: a stage that has one isn't evaluated again.
        rows = [score.to_json(stage.name) for score in evaluation.scores]
        record = {"kind": "scores", **self._place(stage), "scores": rows}
        self.run_folder.log(record)
        self.records.append(record)
        self.progress.line(table(evaluation.scores))
        return evaluation.scores

    def _finish(self) -> None:
        folder = self.run_folder.path
        save_model(folder / "final", self.model, tokenizer=self.tokenizer.backend.to_str())
        by_stage = scores_of(self.records, [])
        write_scores(folder / "scores.json", [row for rows in by_stage.values() for row in rows])
        self.progress.line(f"report: {build_report(folder)}")


class Meter:
    """Smoothed loss and speed for the progress line."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.tokens_per_second = 0.0
        self._steps = 0

    def add(self, loss: float, tokens_per_second: float) -> None:
        """Take in one step."""
        self._steps += 1
        weight = max(0.05, 1 / self._steps)
        self.loss += weight * (loss - self.loss)
        self.tokens_per_second += weight * (tokens_per_second - self.tokens_per_second)


def stage_seed(recipe: Recipe, index: int) -> int:
    """The seed of a stage's data: every stage draws pictures of its own."""
    return recipe.seed * 1000 + index


def learn_of(stage: StageConfig) -> Learn:
    """Which tokens carry labels: all text in a `text` stage, else the answers (a caption is an answer)."""
    return "text" if stage.objective == "text" else "answers"


def loss_units(heads: ContrastiveHeads | None, batch: PackedBatch) -> int:
    """What a row's summed loss is divided by: its targets, or its image-caption pairs."""
    return batch.targets if heads is None else batch.segments.cu_seqlens.numel() - 1


def named_parameters(model: VLM, heads: ContrastiveHeads | None) -> list[tuple[str, nn.Parameter]]:
    """All parameters that the rules of a stage speak of: the model's, and the heads' as `heads.*`."""
    extra = heads.named_parameters() if heads else ()
    return [*model.named_parameters(), *((f"heads.{name}", parameter) for name, parameter in extra)]


def available_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
