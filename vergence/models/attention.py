"""The one attention interface: queries, keys and values of a packed row, plus its segments.

Shapes: `T` tokens of the row, `H` query heads, `K` key/value heads (`H` a multiple of `K`), `D` head size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vergence.inputs import Segments


def packed_attention(query: Tensor, key: Tensor, value: Tensor, segments: Segments, *, causal: bool) -> Tensor:
    """Scaled dot-product attention inside each segment of a packed row, never across.

    `query` `[T, H, D]`, `key` and `value` `[T, K, D]` -> `[T, H, D]`. Neighbours of similar length share one call.
    """
    sizes = [bucket.tokens for bucket in segments.buckets]
    outputs = []
    # `split`, not slices: the gradient of a split is one concatenation, that of each slice a row-long tensor of zeros.
    parts = zip(segments.buckets, query.split(sizes), key.split(sizes), value.split(sizes), strict=True)
    for bucket, *qkv in parts:
        if bucket.gather is not None:
            qkv = [x.index_select(0, bucket.gather) for x in qkv]
        q, k, v = (x.unflatten(0, (bucket.count, bucket.length)) for x in qkv)
        # Slots past a segment's end come last, so causal attention never looks at them.
        mixed = _attend(q, k, v, causal=causal, hidden=None if causal else bucket.beyond).flatten(0, 1)
        outputs.append(mixed if bucket.scatter is None else mixed.index_select(0, bucket.scatter))
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def _attend(query: Tensor, key: Tensor, value: Tensor, *, causal: bool, hidden: Tensor | None) -> Tensor:
    """`[S, L, H, D]`, `[S, L, K, D]` x 2 -> `[S, L, H, D]` by torch's own kernel; keys `hidden` `[S, L]` are unseen."""
    q, k, v = (x.transpose(1, 2) for x in (query, key, value))
    mask = None if hidden is None else ~hidden[:, None, None, :]
    grouped = q.shape[1] != k.shape[1]
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=grouped)
    return mixed.transpose(1, 2)
