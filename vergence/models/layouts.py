"""From the tokens of views to the tokens of the sequence: tiles laid side by side, cut, shrunk and ended by newlines.

Shapes: `V` tokens of the views, `L` tokens of the sequence, `D` width. Source: LLaVA-NeXT `llava/model/llava_arch.py`
(`prepare_inputs_labels_for_multimodal`, spatial_unpad and anyres_max; `get_2dPool` for video), LLaVA-OneVision report
(arXiv 2408.03326), section 3.1 and figure 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vergence.inputs import Layout


def arrange(tokens: Tensor, layouts: Sequence[Layout], newline: Tensor | None) -> Tensor:
    """Tokens of the views `[V, D]` -> those of the sequence `[L, D]`; `newline` `[D]` is needed where a layout ends so.

    Raises `ValueError` where the views don't give as many tokens as the layouts take, or `newline` is missing.
    """
    sizes = [layout.views * layout.side**2 for layout in layouts]
    if sum(sizes) != tokens.shape[0]:
        raise ValueError(f"the views give {tokens.shape[0]} tokens, their layouts take {sum(sizes)}")
    if newline is None and any(layout.newline != "none" for layout in layouts):
        raise ValueError("the layouts ask for newlines, but the projector has none (projector.newline)")
    parts = [_arrange_one(part, layout, newline) for part, layout in zip(tokens.split(sizes), layouts, strict=True)]
    return torch.cat(parts) if parts else tokens


def _arrange_one(tokens: Tensor, layout: Layout, newline: Tensor | None) -> Tensor:
    count, rows, columns, side = layout.count, layout.rows, layout.columns, layout.side
    maps = (
        tokens.view(count, rows, columns, side, side, -1)
        .transpose(2, 3)
        .reshape(count, rows * side, columns * side, -1)
    )
    if layout.crop:
        top, left, height, width = layout.crop
        maps = maps[:, top : top + height, left : left + width]
    if layout.size:
        maps = resize_maps(maps, layout.size)
    if newline is not None and layout.newline == "rows":
        maps = torch.cat([maps, newline.to(maps.dtype).expand(*maps.shape[:2], 1, -1)], dim=2)
    flat = maps.flatten(0, 2)
    if newline is not None and layout.newline == "end":
        flat = torch.cat([flat, newline.to(flat.dtype)[None]])
    return flat


def resize_maps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize of `[N, H, W, D]` to `[N, h, w, D]` (align_corners off, no antialias)."""
    return F.interpolate(maps.permute(0, 3, 1, 2), size=size, mode="bilinear").permute(0, 2, 3, 1)
