"""Where a run is: everything that a checkpoint holds besides tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vergence.data.loader import LoadedRow, LoaderState
from vergence.recipe import StageConfig

SKIP_REASONS = 50  # reasons for skipping samples that are counted one by one; further ones together


@dataclass
class Position:
    """Stage, steps, tokens and seconds so far, the place in the data, and what of it was skipped in this stage."""

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

    def next_stage(self) -> None:
        """Move to the beginning of the next stage, which draws and skips samples of its own."""
        self.stage += 1
        self.step = 0
        self.loader = LoaderState()
        self.skipped = Counter()

    def advance(self, rows: Sequence[LoadedRow], seconds: float) -> list[str]:
        """Move past an optimizer step on these rows; returns the reasons for skipping that are new in this stage."""
        new = []
        for row in rows:
            self.loader.after(row)
            self.tokens += row.batch.input_ids.numel()
            for reason in row.skipped:
                known = reason in self.skipped or len(self.skipped) < SKIP_REASONS
                counted = reason if known else "other reasons"
                if not self.skipped[counted]:  # each epoch meets it again: the first time is told, all are counted
                    new.append(reason)
                self.skipped[counted] += 1
        self.step += 1
        self.global_step += 1
        self.seconds += seconds
        return new

    def of(self, stage: StageConfig) -> dict[str, Any]:
        """What every record of the metrics says of its place."""
        return {"stage": stage.name, "step": self.step, "global_step": self.global_step, "tokens": self.tokens}
