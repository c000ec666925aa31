"""Linear layers that are also fast for a single row, which is what decoding one request is made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x` `[T, in]`, `weight` `[out, in]` -> `[T, out]`, as `torch.nn.functional.linear`.

    For one bfloat16 row on a CPU, torch's matrix product reads weights at little more than half the memory's speed, and
    its matrix-vector product at nearly all of it (docs/experiments.md).
    """
    if x.shape[0] == 1 and x.dtype == torch.bfloat16 and x.device.type == "cpu" and not torch.is_grad_enabled():
        y = torch.mv(weight, x[0])[None]
        return y if bias is None else y + bias
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """`torch.nn.Linear` on `[T, in]`, through `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """`[T, in]` -> `[T, out]`."""
        return linear(x, self.weight, self.bias)
