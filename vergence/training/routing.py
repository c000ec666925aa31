"""What a step's routers did: the loads that move the balancing biases, and the figures that are logged of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vergence.models.language.decoder import Decoder
from vergence.models.language.experts import RouterLog


def step_loads(logs: Sequence[RouterLog]) -> list[Tensor]:
    """Tokens per expert `[E]` of each mixture, summed over the step's rows; empty for a dense model."""
    return [torch.stack(layer).sum(dim=0) for layer in zip(*(log.counts for log in logs), strict=True)]


def balance(language: Decoder, loads: Sequence[Tensor]) -> None:
    """Move the balancing biases by a step's loads, layer by layer; those of a router that is frozen stay.

    A contrastive stage doesn't run the language model: it has no loads, and nothing moves.
    """
    for mixture, load in zip(language.mixtures if loads else [], loads, strict=True):
        if mixture.router.weight.requires_grad:
            mixture.update_bias(load)


def load_figures(logs: Sequence[RouterLog], loads: Sequence[Tensor], units: int) -> dict[str, Any]:
    """What is logged of a step: nothing for a dense model.

    `expert_load_max`: the busiest expert's tokens over the mean of its layer, in the worst layer (1 is even; the
    MaxVio of Wang et al. 2024, arXiv 2408.15664, is this less 1). `experts_unused`: experts without a token, over all
    layers. `balance_loss`: the sequence-wise loss per target.
    """
    if not loads:
        return {}
    stacked = torch.stack(list(loads)).float()
    total = sum(float(torch.stack(log.balance).detach().sum()) for log in logs if log.balance)
    return {
        "expert_load_max": float((stacked.amax(dim=1) / stacked.mean(dim=1)).max()),
        "experts_unused": int((stacked == 0).sum()),
        "balance_loss": total / units,
    }
