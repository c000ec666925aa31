"""The adapter that turns encoder features into visual tokens of the language model's width."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vergence.presets import ModelConfig


class AveragePoolProjector(nn.Module):
    """2x2 average pooling, then a two-layer MLP (Seed1.5-VL report, section 2.1.1).

    Patches come in merge order (the patches of one visual token are neighbours), so pooling is a reshape and a mean:

        features [P, D] -> [V, merge*merge, D] -> mean -> [V, D] -> linear, GELU, linear -> [V, language width]

    With `position_frequencies`, sines and cosines of the token's place in its image stand beside its features. 2D RoPE
    tells the encoder only how patches lie to one another; a large model learns places from its data, a tiny one that
    trains for minutes doesn't (docs/experiments.md). The report doesn't have this; its preset leaves it out.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.merge_size = config.vision.merge_size
        self.frequencies = config.projector.position_frequencies
        self.up = nn.Linear(config.vision.width + 4 * self.frequencies, config.projector.hidden)
        self.down = nn.Linear(config.projector.hidden, config.language.width)

    def forward(self, features: Tensor, coordinates: Tensor, grids: Tensor) -> Tensor:
        """`features` `[P, vision width]`, (row, column) of patches `[P, 2]`, `grids` `[N, 2]` -> `[V, language width]`.

        `V = P / merge^2`.
        """
        block = self.merge_size**2
        pooled = features.unflatten(0, (-1, block)).mean(dim=1)
        if self.frequencies:
            places = image_places(coordinates, grids)[::block]
            pooled = torch.cat([pooled, place_features(places, self.frequencies).to(pooled.dtype)], dim=1)
        return self.down(F.gelu(self.up(pooled)))


def image_places(coordinates: Tensor, grids: Tensor) -> Tensor:
    """Where patches `[P, 2]` of images with `grids` `[N, 2]` lie in their image: `[P, 2]`, from 0 up to 1."""
    return coordinates / grids.repeat_interleave(grids.prod(dim=1), dim=0)


def place_features(places: Tensor, frequencies: int) -> Tensor:
    """Sines and cosines of `2^k pi` times `[V, 2]` places, k below `frequencies`: `[V, 4 frequencies]`.

    Source: Mildenhall et al. 2020 (NeRF), arXiv 2003.08934, equation 4.
    """
    scale = math.pi * 2.0 ** torch.arange(frequencies, device=places.device)
    angles = (places[:, :, None] * scale).flatten(1)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
