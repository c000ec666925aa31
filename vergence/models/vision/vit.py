"""The vision transformer on packed patches: Seed-ViT, SigLIP and MoonViT by the choices of `VisionConfig`.

Shapes: `P` patches of all views of a row, `D` width, `N` views.

```
            positions                          biases, gains   norm eps   final norm     parameters
Seed-ViT    2D RoPE (half row, half column)    no              1e-6       applied        531.6M
SigLIP      table 27 x 27                      yes             1e-6       not applied    397.8M (26 layers, so400m)
MoonViT     table 64 x 64 resized + 2D RoPE    yes             1e-5       applied        416.9M
```

Seed-ViT: Seed1.5-VL report, section 2.1.1 and Table 1. What it leaves open, and what is chosen here: 2D RoPE has base
10,000; blocks are pre-norm with GELU (tanh) MLPs of two matrices; the stated 532M parameters are 4D^2 + 8D^2 per block
plus the patch embedding, which leaves no room for biases or norm gains; a final layer norm ends the encoder; there is
no class token and no learned position; pixels are scaled to [-1, 1].

SigLIP: Zhai et al. 2023, arXiv 2303.15343, google/siglip-so400m-patch14-384. LLaVA-OneVision reads the output of
layer 26 of 27 without the last norm (LLaVA-NeXT, llava/model/multimodal_encoder/siglip_encoder.py).

MoonViT: Kimi-VL report (arXiv 2504.07491), section 2.1. The table is resized as a whole to each view's grid, which
bends its aspect on purpose.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vergence.inputs import Segments
from vergence.model_config import VisionConfig
from vergence.models.attention import packed_attention
from vergence.models.rope import rotate, rotation_2d


class LayerNorm(nn.LayerNorm):
    """Layer norm with gain and bias, or with neither."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config.width, eps=config.norm_eps, elementwise_affine=config.bias)


class VisionBlock(nn.Module):
    """`x + attention(norm(x))`, then `x + mlp(norm(x))`; attention is bidirectional inside each view."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention_norm = LayerNorm(config)
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.bias)
        self.out = nn.Linear(config.width, config.width, bias=config.bias)
        self.mlp_norm = LayerNorm(config)
        self.up = nn.Linear(config.width, config.mlp_width, bias=config.bias)
        self.down = nn.Linear(config.mlp_width, config.width, bias=config.bias)

    def forward(self, x: Tensor, rotation: Tensor | None, segments: Segments) -> Tensor:
        """`x` `[P, D]` -> `[P, D]`."""
        qkv = self.qkv(self.attention_norm(x)).unflatten(-1, (3 * self.heads, -1))
        turned, value = qkv.split([2 * self.heads, self.heads], dim=1)
        if rotation is not None:
            turned = rotate(turned, rotation)
        query, key = turned.chunk(2, dim=1)
        x = x + self.out(packed_attention(query, key, value, segments, causal=False).flatten(1))
        return x + self.down(F.gelu(self.up(self.mlp_norm(x)), approximate="tanh"))


class VisionTransformer(nn.Module):
    """Patches of any number of views of any sizes -> one feature per patch.

    patches [P, 14*14*3] -> linear (+ positions) -> [P, D] -> depth x VisionBlock(per view) -> norm -> [P, D]
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(3 * config.patch_size**2, config.width, bias=config.bias)
        side = config.position_table
        self.positions = nn.Parameter(torch.zeros(side, side, config.width)) if side else None
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.depth))
        self.norm = LayerNorm(config) if config.final_norm != "none" else None

    def forward(self, patches: Tensor, coordinates: Tensor, grids: Tensor, segments: Segments) -> Tensor:
        """`patches` `[P, patch*patch*3]`, their (row, column) `[P, 2]`, `grids` `[N, 2]` of the views -> `[P, D]`.

        Patches are normalised, in merge order, view after view, with `segments` as the views' borders.
        """
        config = self.config
        rotation = None
        if config.rope != "none":
            rotation = rotation_2d(coordinates, config.width // config.heads, config.rope_theta, config.rope)
        x = self.embed(patches)
        if self.positions is not None:
            x = x + table_positions(self.positions, coordinates, grids)
        for block in self.blocks:
            x = block(x, rotation, segments)
        return self.norm(x) if self.norm is not None and config.final_norm == "applied" else x


def table_positions(table: Tensor, coordinates: Tensor, grids: Tensor) -> Tensor:
    """The table's `[S, S, D]` vector `[P, D]` for each patch: the table is resized (bicubic) to every view's grid.

    Each distinct grid is resized once. Source: MoonViT's `Learnable2DInterpPosEmb` (align_corners off, no antialias).
    """
    sizes = [(int(rows), int(columns)) for rows, columns in grids.tolist()]
    resized = {size: _resize_table(table, size).flatten(0, 1) for size in dict.fromkeys(sizes)}
    columns = torch.tensor([columns for _, columns in sizes], device=coordinates.device)
    counts = [rows * columns for rows, columns in sizes]
    index = coordinates[:, 0] * columns.repeat_interleave(grids.prod(dim=1)) + coordinates[:, 1]
    parts = [resized[size][part] for size, part in zip(sizes, index.split(counts), strict=True)]
    return torch.cat(parts) if parts else table.new_empty(0, table.shape[-1])


def _resize_table(table: Tensor, size: tuple[int, int]) -> Tensor:
    if table.shape[:2] == size:
        return table
    resized = F.interpolate(table.permute(2, 0, 1)[None], size=size, mode="bicubic", align_corners=False)
    return resized[0].permute(1, 2, 0)
