"""Linear layers and norms that are also fast for a single row, which is what decoding one request is made of.

A single row reads every weight once and computes next to nothing, so what counts is how fast weights are read, and how
few operations there are. The figures behind each choice are in docs/experiments.md.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x` `[T, in]`, `weight` `[out, in]` -> `[T, out]`, as `torch.nn.functional.linear`.

    For one bfloat16 row on a CPU, torch's matrix product reads weights at little more than half the memory's speed, and
    its matrix-vector product at nearly all of it.
    """
    if x.dtype == torch.bfloat16 and _one_row_on_cpu(x):
        y = torch.mv(weight, x[0])[None]
        return y if bias is None else y + bias
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """`torch.nn.Linear` on `[T, in]`, through `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """`[T, in]` -> `[T, out]`."""
        return linear(x, self.weight, self.bias)


class RMSNorm(nn.RMSNorm):
    """`x / sqrt(mean(x^2) + eps) * weight` over the last dimension (Zhang and Sennrich 2019, arXiv 1910.07467)."""

    def forward(self, x: Tensor) -> Tensor:
        """`[T, D]` -> `[T, D]`; one fp32 row on a CPU takes four operations instead of seven."""
        if x.dtype == torch.float32 and x.ndim == 2 and _one_row_on_cpu(x):
            norm = torch.linalg.vector_norm(x).item()
            return (x * self.weight).mul_((norm * norm / x.shape[-1] + (self.eps or 0.0)) ** -0.5)
        return super().forward(x)


def lay_out_for_decoding(model: nn.Module) -> None:
    """Lay out in memory, by columns, every fp32 matrix that has more rows than columns, for decoding on a CPU.

    The product with one row then runs along the longer side, which is about a third faster; products with many rows
    don't mind. Values, shapes and names stay. Weights that are to be trained on should stay as they are.
    """
    for parameter in model.parameters():
        if parameter.ndim == 2 and parameter.shape[0] > parameter.shape[1] and parameter.dtype == torch.float32:
            parameter.data = parameter.data.t().contiguous().t()


def _one_row_on_cpu(x: Tensor) -> bool:
    return x.shape[0] == 1 and x.device.type == "cpu" and not torch.is_grad_enabled()
