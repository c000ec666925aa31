"""What a stage learns: the summed loss of a packed row, and what the sum is divided by."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from vergence.inputs import PackedBatch
from vergence.models.language.experts import RouterLog
from vergence.models.vlm import VLM
from vergence.processing.processor import Learn
from vergence.recipe import Recipe, StageConfig
from vergence.training.contrastive import ContrastiveHeads


@dataclass(frozen=True, slots=True)
class Objective:
    """A model and what a stage trains it by: its next-token loss, or the heads of a contrastive stage."""

    model: VLM
    heads: ContrastiveHeads | None = None

    def loss(self, batch: PackedBatch, log: RouterLog | None = None) -> Tensor:
        """The row's loss, summed over its `units`; what routers did is kept in `log`."""
        return self.model.loss(batch, log) if self.heads is None else self.heads.loss(self.model, batch)

    def units(self, batch: PackedBatch) -> int:
        """What a row's summed loss is divided by: its targets, or its image-caption pairs."""
        return batch.targets if self.heads is None else batch.segments.cu_seqlens.numel() - 1

    def named_parameters(self) -> list[tuple[str, nn.Parameter]]:
        """All parameters that the rules of a stage speak of: the model's, and the heads' as `heads.*`."""
        extra = self.heads.named_parameters() if self.heads else ()
        return [*self.model.named_parameters(), *((f"heads.{name}", parameter) for name, parameter in extra)]


def new_objective(model: VLM, stage: StageConfig) -> Objective:
    """The objective of a stage, heads unfilled. Raises `UsageError` for a model that the stage can't train."""
    return Objective(model, ContrastiveHeads(model.config, stage.losses) if stage.objective == "contrastive" else None)


def stage_seed(recipe: Recipe, index: int) -> int:
    """The seed of a stage's data: every stage draws pictures of its own."""
    return recipe.seed * 1000 + index


def learn_of(stage: StageConfig) -> Learn:
    """Which tokens carry labels: all text in a `text` stage, else the answers (a caption is an answer)."""
    return "text" if stage.objective == "text" else "answers"
