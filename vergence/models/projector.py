"""The adapter that turns encoder features into visual tokens of the language model's width."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vergence.model_config import ProjectorConfig, VisionConfig


class Projector(nn.Module):
    """The patches of one visual token become one vector, then a two-layer MLP with an exact GELU.

    Patches come in merge order (the patches of one visual token are neighbours), so pooling is a reshape:

        features [P, D] (-> norm) -> [V, merge*merge, D] -> mean or concatenation -> linear, GELU, linear -> [V, width]

    Average pooling: Seed1.5-VL report, section 2.1.1; with merge_size 1, where nothing is pooled, it is LLaVA's
    `mlp2x_gelu` (LLaVA-NeXT, llava/model/multimodal_projector/builder.py). Concatenation after a norm is Kimi-VL's
    pixel shuffle (arXiv 2504.07491, section 2.1; vLLM, vllm/model_executor/models/kimi_vl.py).

    With `newline`, it also holds the vector that ends rows of tiles (`vergence.models.layouts`). With
    `position_frequencies`, sines and cosines of the token's place in its image stand beside its features. 2D RoPE
    tells the encoder only how patches lie to one another; a large model learns places from its data, a tiny one that
    trains for minutes doesn't (docs/experiments.md). No report has this; only `seed-tiny` uses it.
    """

    def __init__(self, config: ProjectorConfig, vision: VisionConfig, width: int) -> None:
        """`width` is the language model's."""
        super().__init__()
        self.block = vision.merge_size**2
        self.pooling = config.pooling
        self.frequencies = config.position_frequencies
        self.pre_norm = nn.LayerNorm(vision.width, eps=config.norm_eps) if config.pre_norm else None
        inputs = vision.width * (self.block if config.pooling == "concatenate" else 1)
        self.up = nn.Linear(inputs + 4 * self.frequencies, config.hidden)
        self.down = nn.Linear(config.hidden, width)
        self.newline = nn.Parameter(torch.zeros(width)) if config.newline else None

    def forward(self, features: Tensor, coordinates: Tensor, grids: Tensor) -> Tensor:
        """`features` `[P, vision width]`, (row, column) of patches `[P, 2]`, `grids` `[N, 2]` -> `[V, width]`.

        `V = P / merge^2`.
        """
        if self.pre_norm is not None:
            features = self.pre_norm(features)
        blocks = features.unflatten(0, (-1, self.block))
        pooled = blocks.mean(dim=1) if self.pooling == "average" else blocks.flatten(1)
        if self.frequencies:
            places = image_places(coordinates, grids)[:: self.block]
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
