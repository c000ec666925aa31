"""A vision-language model: encoder, projector and language model on one packed row; or a language model alone.

Shapes: `T` tokens, `P` patches, `N` views, `V` visual tokens, `D` the language model's width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vergence.inputs import IGNORE, PackedBatch, Segments
from vergence.model_config import ModelConfig
from vergence.models.language.attention import Cache
from vergence.models.language.decoder import Decoder
from vergence.models.language.experts import RouterLog
from vergence.models.layouts import arrange
from vergence.models.projector import Projector
from vergence.models.vision.vit import VisionTransformer


class VLM(nn.Module):
    """Images and text in, scores for the next token out.

    patches [P, patch*patch*3] -> vision -> projector -> tokens of views -> layouts -> visual tokens [V, D] --+
    input_ids [T] -> language.embed -> [T, D], visual positions replaced by  <---------------------------------+
                                       -> language -> hidden [T, D]
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.vision: VisionTransformer | None = None
        self.projector: Projector | None = None
        if config.vision and config.projector:
            self.vision = VisionTransformer(config.vision)
            self.projector = Projector(config.projector, config.vision, config.language.width)
        self.language = Decoder(config.language)

    def initialise(self, seed: int) -> None:
        """Fill every weight from `seed`: matrices normal with deviation 1/sqrt(inputs), embeddings and tables 0.02.

        Outputs of residual branches are scaled down by sqrt(2 depth) (Radford et al. 2019, GPT-2, section 2.3); the
        newline vector has deviation 1/sqrt(width), as LLaVA-NeXT's. The first rule is LeCun et al. 1998, "Efficient
        BackProp", section 4.6: at the widths of tiny models the usual constant 0.02 is several times too small, and
        learning starts late (docs/experiments.md).
        """
        generator = torch.Generator(next(self.parameters()).device).manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2 and not name.endswith("newline"):
                nn.init.constant_(parameter, 1.0 if name.endswith("norm.weight") else 0.0)
                continue
            small = name.startswith("language.embed") or name == "vision.positions"
            std = 0.02 if small else parameter.shape[-1] ** -0.5
            if name.endswith(("out.weight", "down.weight", "experts.down")) and not name.startswith("projector."):
                in_vision = self.config.vision is not None and name.startswith("vision.")
                depth = self.config.vision.depth if in_vision and self.config.vision else self.config.language.depth
                std /= math.sqrt(2 * depth)
            nn.init.normal_(parameter, std=std, generator=generator)

    def patch_features(self, batch: PackedBatch) -> Tensor:
        """The encoder's features `[P, vision width]` of all patches. Raises `ValueError` without an encoder."""
        return self._see(batch.patches, batch.grids, batch.image_segments)[0]

    def _see(self, patches: Tensor, grids: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        if self.vision is None:
            raise ValueError("this model has no vision encoder")
        coordinates = patch_coordinates(grids, self.vision.config.merge_size)
        # Division, then mean and deviation: to the bit what image processors outside compute in fp32.
        rule, device = self.config.processing, patches.device
        mean, deviation = torch.tensor(rule.mean, device=device), torch.tensor(rule.std, device=device)
        pixels = ((patches.float() / 255).unflatten(1, (-1, 3)) - mean) / deviation
        pixels = pixels.flatten(1).to(self.vision.embed.weight.dtype)
        return self.vision(pixels, coordinates, grids, segments), coordinates

    def encode_views(self, patches: Tensor, grids: Tensor, segments: Segments) -> Tensor:
        """Tokens `[V, D]` of each view as it is, before layouts, from patches `[P, ...]` uint8 and grids `[N, 2]`."""
        features, coordinates = self._see(patches, grids, segments)
        assert self.projector is not None, "there is an encoder, so there is a projector"
        return self.projector(features, coordinates, grids)

    def arrange(self, tokens: Tensor, batch: PackedBatch) -> Tensor:
        """Tokens of the views -> visual tokens of the row, by its layouts, if it has any."""
        newline = self.projector.newline if self.projector is not None else None
        return arrange(tokens, batch.layouts, newline) if batch.layouts else tokens

    def encode_images(self, batch: PackedBatch) -> Tensor:
        """The visual tokens `[V, D]` of the row's views, in the order of `batch.visual_positions`."""
        return self.arrange(self.encode_views(batch.patches, batch.grids, batch.image_segments), batch)

    def embed(self, batch: PackedBatch, visual: Tensor | None = None) -> Tensor:
        """Token embeddings `[T, D]` with visual tokens (made here, or given as `visual` `[V, D]`) put in their places.

        Raises `ValueError` where the number of visual tokens differs from the number of places for them.
        """
        embedded = self.language.embed(batch.input_ids)
        if visual is None and not batch.patches.shape[0]:
            return embedded
        visual = self.encode_images(batch) if visual is None else visual
        if visual.shape[0] != batch.visual_positions.numel():
            raise ValueError(
                f"the images give {visual.shape[0]} visual tokens, the text has places for "
                f"{batch.visual_positions.numel()}"
            )
        return embedded.index_copy(0, batch.visual_positions, visual.to(embedded.dtype))

    def forward(
        self,
        batch: PackedBatch,
        cache: Cache | None = None,
        *,
        visual: Tensor | None = None,
        log: RouterLog | None = None,
    ) -> Tensor:
        """Normed hidden states `[T, D]` of a packed row; `self.language.logits` scores them."""
        return self.language(self.embed(batch, visual), batch.position_ids, batch.segments, cache, log)

    def loss(self, batch: PackedBatch, log: RouterLog | None = None) -> Tensor:
        """Summed cross-entropy over the positions that carry a label, in fp32; the caller divides by their number.

        With `log` (see `router_log`), the mixtures' balance losses are added and their loads kept in it.
        """
        learned = (batch.labels != IGNORE).nonzero().squeeze(1)
        logits = self.language.logits(self(batch, log=log)[learned])
        loss = nn.functional.cross_entropy(logits.float(), batch.labels[learned], reduction="sum")
        return loss + torch.stack(log.balance).sum() if log and log.balance else loss


def router_log(batch: PackedBatch) -> RouterLog:
    """An empty log for a forward pass over this row."""
    learned = (batch.labels != IGNORE).long().cumsum(0)
    ends = learned[batch.segments.cu_seqlens[1:] - 1]
    return RouterLog(ends.diff(prepend=ends.new_zeros(1)))


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
