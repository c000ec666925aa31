"""A vision-language model: encoder, projector and language model on one packed row.

Shapes: `T` tokens, `P` patches, `V` visual tokens, `D` the language model's width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vergence.inputs import IGNORE, PackedBatch
from vergence.models.language.decoder import Cache, Decoder
from vergence.models.projector import AveragePoolProjector
from vergence.models.vision.seed_vit import SeedViT
from vergence.presets import ModelConfig


class VLM(nn.Module):
    """Images and text in, scores for the next token out.

    patches [P, patch*patch*3] -> vision -> projector -> visual tokens [V, D] --+
    input_ids [T] -> language.embed -> [T, D], visual positions replaced by  <--+ -> language -> hidden [T, D]
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.vision = SeedViT(config.vision)
        self.projector = AveragePoolProjector(config)
        self.language = Decoder(config.language)
        processing = config.processing
        repeat = config.vision.patch_size**2
        self.register_buffer("pixel_mean", torch.tensor(processing.mean).repeat(repeat) * 255, persistent=False)
        self.register_buffer("pixel_std", torch.tensor(processing.std).repeat(repeat) * 255, persistent=False)

    def initialise(self, seed: int) -> None:
        """Fill every weight from `seed`: matrices normal with deviation 1/sqrt(inputs), embeddings 0.02.

        Outputs of residual branches are scaled down by sqrt(2 depth) (Radford et al. 2019, GPT-2, section 2.3). The
        first rule is LeCun et al. 1998, "Efficient BackProp", section 4.6: at the widths of tiny models the usual
        constant 0.02 is several times too small, and learning starts late (docs/experiments.md).
        """
        generator = torch.Generator(self.pixel_mean.device).manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                nn.init.constant_(parameter, 1.0 if "norm" in name else 0.0)
                continue
            std = 0.02 if name.startswith("language.embed") else parameter.shape[1] ** -0.5
            if name.endswith(("out.weight", "down.weight")) and not name.startswith("projector."):
                depth = self.config.vision.depth if name.startswith("vision.") else self.config.language.depth
                std /= math.sqrt(2 * depth)
            nn.init.normal_(parameter, std=std, generator=generator)

    def patch_features(self, batch: PackedBatch) -> Tensor:
        """The encoder's features `[P, vision width]` of every patch of the row's images."""
        return self._patch_features(batch, patch_coordinates(batch.grids, self.config.vision.merge_size))

    def _patch_features(self, batch: PackedBatch, coordinates: Tensor) -> Tensor:
        pixels = (batch.patches.to(self.pixel_mean.dtype) - self.pixel_mean) / self.pixel_std
        return self.vision(pixels, coordinates, batch.image_segments)

    def encode_images(self, batch: PackedBatch) -> Tensor:
        """The visual tokens `[V, D]` of the row's images, in the order of `batch.visual_positions`."""
        coordinates = patch_coordinates(batch.grids, self.config.vision.merge_size)
        return self.projector(self._patch_features(batch, coordinates), coordinates, batch.grids)

    def embed(self, batch: PackedBatch) -> Tensor:
        """Token embeddings `[T, D]` with visual tokens put in their places.

        Raises `ValueError` where the number of visual tokens differs from the number of places for them.
        """
        embedded = self.language.embed(batch.input_ids)
        if not batch.patches.shape[0]:
            return embedded
        visual = self.encode_images(batch)
        if visual.shape[0] != batch.visual_positions.numel():
            raise ValueError(
                f"the images give {visual.shape[0]} visual tokens, the text has places for "
                f"{batch.visual_positions.numel()}"
            )
        return embedded.index_copy(0, batch.visual_positions, visual.to(embedded.dtype))

    def forward(self, batch: PackedBatch, cache: Cache | None = None) -> Tensor:
        """Normed hidden states `[T, D]` of a packed row; `self.language.logits` scores them."""
        return self.language(self.embed(batch), batch.position_ids, batch.segments, cache)

    def loss(self, batch: PackedBatch) -> Tensor:
        """Summed cross-entropy over the positions that carry a label, in fp32; the caller divides by their number."""
        learned = (batch.labels != IGNORE).nonzero().squeeze(1)
        logits = self.language.logits(self(batch)[learned])
        return nn.functional.cross_entropy(logits.float(), batch.labels[learned], reduction="sum")


def patch_coordinates(grids: Tensor, merge_size: int) -> Tensor:
    """(row, column) `[P, 2]` of every patch of images with `grids` `[N, 2]`, in merge order.

    Merge order: cells of `merge_size` x `merge_size` patches row by row, inside a cell its patches row by row.
    """
    coordinates = []
    for rows, columns in grids.tolist():
        row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        both = torch.stack([row, column], dim=-1)
        cells = both.view(rows // merge_size, merge_size, columns // merge_size, merge_size, 2).transpose(1, 2)
        coordinates.append(cells.reshape(-1, 2))
    return torch.cat(coordinates).to(grids.device) if coordinates else grids.new_empty(0, 2)
