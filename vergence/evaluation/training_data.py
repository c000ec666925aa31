"""What a recipe trains on, conversation by conversation, for whoever wants to look at it rather than learn from it."""

from __future__ import annotations

from collections.abc import Iterator

from vergence.conversation import Conversation
from vergence.data.mixture import Mixture
from vergence.errors import DataError
from vergence.recipe import Recipe


def training_conversations(recipe: Recipe, count: int) -> Iterator[tuple[str, Conversation | None]]:
    """The first `count` conversations of each stage with their names, as training draws them; see `mixture_items`."""
    for index, stage in enumerate(recipe.stages):
        # The seed that the trainer gives the stage (vergence.training.objective.stage_seed, which lies above this).
        mixture = Mixture(stage.mixture, split="train", seed=recipe.seed * 1000 + index)
        yield from mixture_items(mixture, count, f"{stage.name}: ")


def mixture_items(mixture: Mixture, count: int, label: str = "") -> Iterator[tuple[str, Conversation | None]]:
    """The first `count` items of a mixture: (name, conversation), None for one that can't be used.

    The name of a drawn picture is `label`, its kind and its position, so it is unique in a mixture; that of a folder's
    item is its file and line, the same in every epoch and stage.
    """
    for position in range(count):
        entry, _ = mixture.place(position)
        name = mixture.name(position)
        if not mixture.entries[entry].path:
            name = f"{label}{name} {position}"
        try:
            yield name, mixture.conversation(position)
        except DataError:
            yield name, None
