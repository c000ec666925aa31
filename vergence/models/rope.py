"""Rotary position embedding, in one dimension for text and in two for patches.

Shapes: `T` tokens or patches, `H` heads, `D` head size. A pair is two neighbouring numbers `(x[2i], x[2i + 1])`, read
as one complex number and multiplied by `e^(i angle)`; on a CPU that takes less than half the time of the half-split
layout. Source: Su et al. 2021, RoFormer, arXiv 2104.09864, section 3.2.2.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rotation_1d(positions: Tensor, head_size: int, theta: float) -> Tensor:
    """Complex factors `[T, 1, D/2]` for integer positions `[T]`; pair `i` turns by `position * theta^(-2i/D)`."""
    return _rotation(positions.float()[:, None] * _frequencies(head_size // 2, theta, positions.device))


def rotation_2d(coordinates: Tensor, head_size: int, theta: float) -> Tensor:
    """Complex factors `[T, 1, D/2]` for (row, column) pairs `[T, 2]`.

    The first half of the pairs turns with the row, the second with the column, each with frequencies
    `theta^(-4i/D)`. The Seed1.5-VL report (2.1.1) names 2D RoPE but neither base nor layout: these are our choices.
    """
    frequencies = _frequencies(head_size // 4, theta, coordinates.device)
    return _rotation((coordinates.float()[:, :, None] * frequencies).flatten(1))


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Rotate `x` `[T, H, D]`, computed in fp32; position zero leaves it as it is."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * rotation).flatten(-2).to(x.dtype)


def _frequencies(count: int, theta: float, device: torch.device) -> Tensor:
    return theta ** (-torch.arange(count, device=device, dtype=torch.float32) / count)


def _rotation(angles: Tensor) -> Tensor:
    return torch.polar(torch.ones_like(angles), angles)[:, None]
