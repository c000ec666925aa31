"""The row of a step: tokens that continue something, then whole prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from vergence.inputs import IGNORE, ModelInputs, PackedBatch, Segments, pack


def packed_row(
    tokens: Sequence[int], positions: Sequence[int], prompts: Sequence[ModelInputs], patch_values: int
) -> PackedBatch:
    """One packed row: `tokens` at their `positions`, each a segment of its own, then the `prompts`, perhaps none.

    `patch_values` is how many numbers a patch of the model has.
    """
    empty = torch.empty(0, dtype=torch.long)
    batch = (
        pack(prompts)
        if prompts
        else PackedBatch(
            empty,
            empty,
            empty,
            Segments.from_lengths([]),
            torch.empty(0, patch_values, dtype=torch.uint8),
            torch.empty(0, 2, dtype=torch.long),
            Segments.from_lengths([]),
            empty,
        )
    )
    count = len(tokens)
    return replace(
        batch,
        input_ids=torch.cat([torch.tensor(tokens, dtype=torch.long), batch.input_ids]),
        labels=torch.cat([torch.full((count,), IGNORE), batch.labels]),
        position_ids=torch.cat([torch.tensor(positions, dtype=torch.long), batch.position_ids]),
        segments=Segments.from_lengths([1] * count + [len(inputs) for inputs in prompts]),
        visual_positions=batch.visual_positions + count,
    )
