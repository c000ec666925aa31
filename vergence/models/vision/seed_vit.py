"""Seed-ViT: a native-resolution vision transformer on packed patches (Seed1.5-VL report, section 2.1.1 and Table 1).

Shapes: `P` patches of all images of a row, `D` width, `N` images.

What the report leaves open, and what is chosen here:

- 2D RoPE has base 10,000; half of each head's pairs turn with the row, half with the column.
- Blocks are pre-norm with GELU (tanh) MLPs of two matrices. The stated 532M parameters are 4D^2 + 8D^2 per block plus
  the patch embedding (531.6M), which leaves no room for biases or norm gains: linear layers have no bias, and layer
  norms no learned gain.
- A final layer norm ends the encoder. There is no class token and no learned position embedding.
- Pixels are scaled to [-1, 1] (mean and standard deviation 0.5).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from vergence.inputs import Segments
from vergence.models.attention import packed_attention
from vergence.models.rope import rotate, rotation_2d
from vergence.presets import VisionConfig


class VisionBlock(nn.Module):
    """`x + attention(norm(x))`, then `x + mlp(norm(x))`; attention is bidirectional inside each image."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm_eps = config.norm_eps
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.up = nn.Linear(config.width, config.mlp_width, bias=False)
        self.down = nn.Linear(config.mlp_width, config.width, bias=False)

    def forward(self, x: Tensor, rotation: Tensor, segments: Segments) -> Tensor:
        """`x` `[P, D]` -> `[P, D]`."""
        normed = F.layer_norm(x, x.shape[-1:], eps=self.norm_eps)
        turned, value = self.qkv(normed).unflatten(-1, (3 * self.heads, -1)).split([2 * self.heads, self.heads], dim=1)
        query, key = rotate(turned, rotation).chunk(2, dim=1)
        mixed = packed_attention(query, key, value, segments, causal=False)
        x = x + self.out(mixed.flatten(1))
        normed = F.layer_norm(x, x.shape[-1:], eps=self.norm_eps)
        return x + self.down(F.gelu(self.up(normed), approximate="tanh"))


class SeedViT(nn.Module):
    """Patches of any number of images of any sizes -> one feature per patch.

    patches [P, 14*14*3] -> linear -> [P, D] -> depth x VisionBlock(2D RoPE, per image) -> norm -> [P, D]
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(3 * config.patch_size**2, config.width, bias=False)
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.depth))

    def forward(self, patches: Tensor, coordinates: Tensor, segments: Segments) -> Tensor:
        """Normalised `patches` `[P, patch*patch*3]`, their (row, column) `[P, 2]`, image borders -> `[P, D]`."""
        config = self.config
        rotation = rotation_2d(coordinates, config.width // config.heads, config.rope_theta)
        x = self.embed(patches)
        for block in self.blocks:
            x = block(x, rotation, segments)
        return F.layer_norm(x, x.shape[-1:], eps=config.norm_eps)
