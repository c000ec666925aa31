"""The training loop: stage after stage of a recipe, from wherever a run was stopped.

A run's whole state is the weights, the optimizer's moments and the position in the data; nothing in it is random after
the weights were filled. So a run that is killed and started again ends, to the bit, where an unbroken one does.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Generator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from torch import nn

from vergence.data.loader import LoadedRow, RowSettings, load_rows
from vergence.data.mixture import Mixture
from vergence.errors import DataError, VergenceError
from vergence.evaluation.examples import write_examples
from vergence.evaluation.history import scores_of
from vergence.evaluation.report import build_report
from vergence.evaluation.scores import Score, from_json, table, write_scores
from vergence.inference.engine import available_device
from vergence.models.checkpoint import CHAT_TEMPLATE, Checkpoint, write_checkpoint
from vergence.models.vlm import router_log
from vergence.processing.processor import Processor
from vergence.processing.tokenizer import Tokenizer
from vergence.progress import Meter, Progress, duration
from vergence.recipe import Recipe, StageConfig
from vergence.training.evaluation import evaluate_stage, heldout_loss, heldout_rows
from vergence.training.gradients import step_gradients
from vergence.training.objective import Objective, learn_of, new_objective, stage_seed
from vergence.training.optimizers import (
    adamw,
    describe,
    learning_rate,
    load_moments,
    moments,
    parameter_groups,
    set_learning_rate,
)
from vergence.training.position import Position
from vergence.training.routing import balance, load_figures, step_loads
from vergence.training.run import Run
from vergence.training.weights import own_files, trained_model


@dataclass(frozen=True, slots=True)
class _Stage:
    """What the steps of a stage share."""

    config: StageConfig
    objective: Objective
    optimizer: torch.optim.AdamW
    parameters: list[nn.Parameter]
    fingerprint: str
    executor: Executor
    meter: Meter


class Trainer:
    """Trains a recipe's model in a run folder."""

    def __init__(self, recipe: Recipe, folder: Path, *, device: str = "cpu") -> None:
        """Load the newest checkpoint of the folder, or begin from the recipe's `start`, or from its seed.

        Raises `UsageError` for a folder of another recipe or a stage that can't be trained, and `DataError` for a
        damaged checkpoint or missing data: before the first stage, also where it is the last one that has the mistake.
        """
        self.recipe = recipe
        self.device = available_device(device)
        self.run_folder = Run(folder, recipe)
        self.progress = Progress()
        self.tokenizer = Tokenizer.load(recipe.model.processing.tokenizer)
        self.processor = Processor(recipe.model, self.tokenizer)
        self.own = own_files(recipe, self.tokenizer)
        self.threads = recipe.threads or available_cores()
        self.restored: Checkpoint | None = self.run_folder.newest()
        self.model = trained_model(recipe, self.own.config, self.restored, self.device)
        self.run_folder.prune(recipe.checkpoint.keep)  # what a run left that was killed after it saved
        self.position = Position.from_json(self.restored.json("state")) if self.restored else Position()
        self.records = self.run_folder.rewind(self.position.global_step)
        if self.restored:
            self.progress.line(f"{self._whereabouts()} ({self.restored.path})")
        elif recipe.start:
            self.progress.line(f"starting from {recipe.start}")
        self._check_stages()

    def _whereabouts(self) -> str:
        stage = self.recipe.stages[self.position.stage]
        scored = stage.name in scores_of(self.records, []) or not self._evaluated
        finished = stage is self.recipe.stages[-1] and self.position.step == stage.steps and scored
        return "this run is finished" if finished else f"going on at stage {stage.name}, step {self.position.step}"

    @property
    def _evaluated(self) -> bool:
        """Whether the tasks are put to the model: all of them are about pictures."""
        return self.recipe.model.vision is not None

    def _check_stages(self) -> None:
        """Raise what would stop a stage that is still to come, named by its stage."""
        for index, stage in enumerate(self.recipe.stages):
            if index < self.position.stage:
                continue
            try:
                Mixture(stage.mixture, split="train", seed=stage_seed(self.recipe, index))
                with torch.device("meta"):
                    named = new_objective(self.model, stage).named_parameters()
                parameter_groups(named, stage.parameters, stage.optimizer.weight_decay)
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
            self.position.next_stage()

    # One stage

    def _train_stage(self, stage: StageConfig) -> None:
        position = self.position
        mixture = Mixture(stage.mixture, split="train", seed=stage_seed(self.recipe, position.stage))
        fingerprint = self._fingerprint(stage, mixture)
        objective = self._objective(stage)
        named = objective.named_parameters()
        groups = parameter_groups(named, stage.parameters, stage.optimizer.weight_decay)
        optimizer = adamw(groups, stage.optimizer)
        if self.restored and (position.step or stage.keep_optimizer):
            load_moments(optimizer, self.restored.tensors("optimizer"))
        if position.step == 0:
            self.progress.line(f"stage {stage.name}: {stage.steps} steps, {stage.objective}")
            self.progress.line(describe(groups, sum(p.numel() for _, p in named)))
        count = self.recipe.evaluation.loss_rows
        heldout = [batch.to(self.device) for batch in heldout_rows(stage, self.processor, count)]
        parameters = [p for group in groups for p in group.parameters]
        workers = min(self.threads, stage.rows) if self.device.type == "cpu" else 1
        torch.set_num_threads(1 if workers > 1 else self.threads)
        self.model.train()
        with closing(self._rows(stage, mixture)) as rows, ThreadPoolExecutor(workers) as executor:
            work = _Stage(stage, objective, optimizer, parameters, fingerprint, executor, Meter())
            while position.step < stage.steps:
                self._step(work, rows)
                done = position.step == stage.steps
                if heldout and (position.step % self.recipe.evaluation.every_steps == 0 or done):
                    loss = heldout_loss(objective, heldout, executor)
                    self.run_folder.log({"kind": "heldout", **position.of(stage), "loss": loss})
                if done:
                    self._tell_account(stage, mixture)
                if done or position.step % self.recipe.checkpoint.every_steps == 0:
                    self._save(work)
        if position.skipped:
            self.progress.line(f"stage {stage.name}: {position.skipped.total()} samples skipped")

    def _tell_account(self, stage: StageConfig, mixture: Mixture) -> None:
        """Say how many samples and tokens each entry of the mixture gave to the stage."""
        account = self.position.loader.account
        total = sum(given.tokens for given in account.values()) or 1
        named = [(mixture.label(entry), given) for entry, given in sorted(account.items())]
        rows = [{"source": name, "samples": given.samples, "tokens": given.tokens} for name, given in named]
        self.run_folder.log({"kind": "sources", **self.position.of(stage), "sources": rows})
        shares = ", ".join(f"{name} {given.tokens / total:.1%}" for name, given in named)
        self.progress.line(f"stage {stage.name}: tokens by source: {shares}")

    def _step(self, work: _Stage, rows: Generator[LoadedRow, None, None]) -> None:
        """One optimizer step: the gradient of the mean loss over its rows, the sum divided by the step's targets."""
        stage, objective, position = work.config, work.objective, self.position
        started = time.monotonic()
        rate = learning_rate(position.step, stage.steps, stage.optimizer)
        set_learning_rate(work.optimizer, rate)
        loaded = [next(rows) for _ in range(stage.rows)]
        batches = [row.batch.to(self.device) for row in loaded]
        units = sum(objective.units(batch) for batch in batches)
        logs = [router_log(batch) for batch in batches]
        pairs = list(zip(batches, logs, strict=True))
        loss = step_gradients(pairs, lambda pair: objective.loss(*pair) / units, work.parameters, work.executor)
        norm = float(nn.utils.clip_grad_norm_(work.parameters, stage.optimizer.clip))
        if not (math.isfinite(norm) and math.isfinite(loss)):
            raise VergenceError(
                f"stage {stage.name}, step {position.step}: the loss is {loss}, the gradient's norm {norm}; "
                f"lower stages.{stage.name}.optimizer.lr"
            )
        work.optimizer.step()
        loads = step_loads(logs)
        balance(self.model.language, loads)
        seconds = time.monotonic() - started
        tokens = sum(batch.input_ids.numel() for batch in batches)
        for reason in position.advance(loaded, seconds):
            self.progress.line(f"skipped: {reason}")
        work.meter.add(loss, tokens / seconds)
        self._show(stage, work.meter, rate)
        self.run_folder.log(
            {
                "kind": "train",
                **position.of(stage),
                "loss": loss,
                "lr": rate,
                "grad_norm": norm,
                "tokens_per_second": tokens / seconds,
                "utilisation": tokens / (stage.rows * stage.row_tokens),
                "seconds": position.seconds,
                **load_figures(logs, loads, units),
            }
        )

    def _fingerprint(self, stage: StageConfig, mixture: Mixture) -> str:
        """Of all that a position in the data depends on. Raises `DataError` where it isn't that of the checkpoint."""
        parts = [mixture.fingerprint(), self.tokenizer.backend.to_str(), self.own.texts.get(CHAT_TEMPLATE, "")]
        fingerprint = sha256("|".join(filter(None, parts)).encode()).hexdigest()
        if self.restored and self.position.step and self.restored.json("data")["fingerprint"] != fingerprint:
            raise DataError(
                f"stage {stage.name}: the training data or the tokenizer changed since {self.restored.path} was written"
            )
        return fingerprint

    def _objective(self, stage: StageConfig) -> Objective:
        objective = new_objective(self.model, stage)
        if objective.heads is not None:
            objective.heads.initialise(self.recipe.seed + 1)
            if self.restored and self.position.step:
                objective.heads.load_state_dict(self.restored.tensors("heads"))
            objective.heads.to(self.device)
        return objective

    def _rows(self, stage: StageConfig, mixture: Mixture) -> Generator[LoadedRow, None, None]:
        loader = self.recipe.loader
        settings = RowSettings(stage.row_tokens, loader.lanes, loader.open_rows, learn_of(stage))
        return load_rows(mixture, self.processor, settings, state=self.position.loader, workers=loader.workers)

    # What is written on the way

    def _show(self, stage: StageConfig, meter: Meter, rate: float) -> None:
        position = self.position
        left = sum(s.steps * s.row_tokens * s.rows for s in self.recipe.stages[position.stage + 1 :])
        left += (stage.steps - position.step) * stage.row_tokens * stage.rows
        self.progress.show(
            f"{stage.name} {position.step}/{stage.steps}  loss {meter.loss:.3f}  lr {rate:.2e}  "
            f"{meter.tokens_per_second:,.0f} tokens/s  {duration(left / max(meter.tokens_per_second, 1e-9))} left"
        )

    def _save(self, work: _Stage) -> None:
        position, stage, heads = self.position, work.config, work.objective.heads
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
                "optimizer": moments(work.optimizer),
            },
            documents={
                "model": self.own.config.model_dump(mode="json"),
                "state": position.to_json(),
                "data": {"recipe": self.run_folder.recipe_digest, "fingerprint": work.fingerprint},
            },
            texts=self.own.texts,
        )
        self.run_folder.prune(self.recipe.checkpoint.keep)

    def _evaluate_stage(self, stage: StageConfig, *, last: bool) -> list[Score]:
        before = scores_of(self.records, [])
        if stage.name in before:
            return [from_json(row) for row in before[stage.name]]
        if not self._evaluated:
            self.progress.line(f"no evaluation after stage {stage.name}: the model reads text only")
            return []
        torch.set_num_threads(self.threads)
        started = time.monotonic()
        evaluation = evaluate_stage(
            self.model, self.processor, self.recipe.evaluation, self.progress, stage.name, last=last
        )
        if evaluation is None:
            return []
        self.position.seconds += time.monotonic() - started
        if last:
            write_examples(self.run_folder.path, evaluation.examples)
        # The record comes last: a stage that has one isn't evaluated again.
        rows = [score.to_json(stage.name) for score in evaluation.scores]
        record = {"kind": "scores", **self.position.of(stage), "scores": rows}
        self.run_folder.log(record)
        self.records.append(record)
        self.progress.line(table(evaluation.scores))
        return evaluation.scores

    def _finish(self) -> None:
        folder = self.run_folder.path
        write_checkpoint(
            folder / "final",
            tensors={"model": self.model.state_dict()},
            documents={"model": self.own.config.model_dump(mode="json")},
            texts=self.own.texts,
        )
        by_stage = scores_of(self.records, [])
        write_scores(folder / "scores.json", [row for rows in by_stage.values() for row in rows])
        self.progress.line(f"report: {build_report(folder)}")


def available_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
