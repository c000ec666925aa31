"""A run's folder: the resolved recipe, the metrics, the checkpoints, and how a run that was stopped goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from vergence.config import dump_yaml
from vergence.errors import DataError, UsageError
from vergence.evaluation.examples import write_text
from vergence.evaluation.history import read_metrics
from vergence.models.checkpoint import Checkpoint, complete_checkpoints, open_checkpoint, remove_partial
from vergence.recipe import Recipe


class Run:
    """The files of one run. Everything in it is written whole or not at all, but for the last line of the metrics."""

    def __init__(self, path: Path, recipe: Recipe) -> None:
        """Open or create the folder.

        Raises `UsageError` where another recipe has trained in it. Where that one never came to a checkpoint, say for
        a mistake that is corrected now, the new recipe takes its place.
        """
        self.path = path
        self.metrics = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        text = dump_yaml(recipe)
        self.recipe_digest = sha256(text.encode()).hexdigest()
        stored = path / "recipe.yaml"
        old = stored.read_text(encoding="utf-8", errors="replace") if stored.is_file() else None
        if old not in (None, text) and ((path / "final").exists() or complete_checkpoints(self.checkpoints)):
            raise UsageError(
                f"{path}: this folder holds a run of another recipe (see {stored}); choose another --output, "
                "or delete the folder"
            )
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(f"{path}: can't hold a run, there is a file in its place") from None
        if old != text:
            write_text(stored, text)
        remove_partial(self.checkpoints)
        remove_partial(path)
        for unfinished in path.glob(".*.tmp"):  # of `write_text`
            unfinished.unlink(missing_ok=True)

    def newest(self) -> Checkpoint | None:
        """The checkpoint to go on from. Raises `DataError` by name where it is damaged: nothing is skipped silently."""
        complete = complete_checkpoints(self.checkpoints)
        if not complete:
            return None
        try:
            checkpoint = open_checkpoint(complete[-1])
            if checkpoint.json("data")["recipe"] != self.recipe_digest:
                raise DataError(f"{complete[-1]}: written by a run of another recipe")
            return checkpoint
        except DataError as error:
            raise DataError(f"{error}; delete {complete[-1]} to go on from the checkpoint before it") from None

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to the metrics."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def rewind(self, global_step: int) -> list[dict[str, Any]]:
        """Drop the metrics of steps after `global_step`, which are to be done again; returns what stays."""
        records = read_metrics(self.metrics) if self.metrics.is_file() else []
        kept = [record for record in records if record.get("global_step", 0) <= global_step]
        write_text(self.metrics, "".join(json.dumps(record) + "\n" for record in kept))
        return kept

    def prune(self, keep: int) -> None:
        """Delete all but the newest `keep` checkpoints and the last one of each stage."""
        complete = complete_checkpoints(self.checkpoints)
        last_of_stage = {path.name.partition("-")[2]: path for path in complete}
        for path in complete[:-keep]:
            if path not in last_of_stage.values():
                shutil.rmtree(path, ignore_errors=True)
