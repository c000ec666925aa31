"""Rotary position embedding, in one dimension for text and in two for patches.

Shapes: `T` tokens or patches, `H` heads, `D` head size. A pair is two neighbouring numbers `(x[2i], x[2i + 1])`, read
as one complex number and multiplied by `e^(i angle)`; on a CPU that takes less than half the time of the half-split
layout, in which a pair is `(x[i], x[i + D/2])`. Weights made for that layout have their query and key rows reordered
when they are read (`vergence.models.hub.entries`). Source: Su et al. 2021, RoFormer, arXiv 2104.09864, 3.2.2.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from vergence.model_config import RopeScaling


def rotation_1d(positions: Tensor, head_size: int, theta: float, scaling: RopeScaling | None = None) -> Tensor:
    """Complex factors `[T, 1, D/2]` for integer positions `[T]`; pair `i` turns by `position * theta^(-2i/D)`."""
    frequencies = _frequencies(head_size // 2, theta, positions.device)
    if scaling:
        frequencies = stretch(frequencies, scaling)
    return _rotation(positions.float()[:, None] * frequencies)


def rotation_2d(
    coordinates: Tensor, head_size: int, theta: float, layout: Literal["halves", "interleaved"] = "halves"
) -> Tensor:
    """Complex factors `[T, 1, D/2]` for (row, column) pairs `[T, 2]`, frequencies `theta^(-4i/D)`.

    "halves": the first half of the pairs turns with the row, the second with the column (Seed1.5-VL's report, 2.1.1,
    names 2D RoPE but neither base nor layout: these are our choices). "interleaved": pair `2i` turns with the column,
    pair `2i + 1` with the row, as the code of MoonViT does (its docstring says height first, the code width first).
    """
    frequencies = _frequencies(head_size // 4, theta, coordinates.device)
    if layout == "halves":
        angles = coordinates.float()[:, :, None] * frequencies
    else:
        angles = coordinates.float().flip(1)[:, None, :] * frequencies[:, None]
    return _rotation(angles.flatten(1))


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Rotate `x` `[T, H, D]`, computed in fp32; position zero leaves it as it is."""
    wide = x if x.dtype == torch.float32 else x.float()
    pairs = torch.view_as_complex(wide.view(*x.shape[:-1], -1, 2))
    turned = torch.view_as_real(pairs * rotation).flatten(-2)
    return turned if turned.dtype == x.dtype else turned.to(x.dtype)


def stretch(frequencies: Tensor, scaling: RopeScaling) -> Tensor:
    """Llama 3.1's rule: low frequencies are divided by the factor, high ones stay, those between are blended.

    Source: Llama 3.1's `apply_scaling` (meta-llama/llama-models, models/llama3/reference_impl/model.py).
    """
    turns = scaling.old_context * frequencies / (2 * math.pi)
    blend = ((turns - scaling.low) / (scaling.high - scaling.low)).clamp(0, 1)
    return (1 - blend) * frequencies / scaling.factor + blend * frequencies


def _frequencies(count: int, theta: float, device: torch.device) -> Tensor:
    # Written as the reference implementations do: at position 8,000 a last bit of a frequency is 1e-3 of an angle.
    return 1.0 / (theta ** (torch.arange(0, 2 * count, 2, device=device, dtype=torch.float32) / (2 * count)))


def _rotation(angles: Tensor) -> Tensor:
    return torch.polar(torch.ones_like(angles), angles)[:, None]
