"""Visual tokens of views that were seen before: an image that comes again, in a dialogue or a batch, is encoded once.

A view's name is a hash of its pixels after preprocessing together with its grid: other content or another way of
preprocessing gives other pixels, so neither can be mistaken for the other. What was encoded by other weights, in
another type or on another device, is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

import torch
from torch import Tensor

from vergence.inputs import PackedBatch, Segments
from vergence.models.vlm import VLM

MAX_BYTES = 512 * 1024 * 1024


class EncoderCache:
    """Keeps the tokens of the views that were used last, `max_bytes` of them at most. One belongs to one model.

    `hits` and `misses` count views. Weights that were replaced, moved, converted or changed in place are noticed, but
    not changes that bypass torch's version counter, as those of fused optimizers do: `clear` after these.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.hits = 0
        self.misses = 0
        self._tokens: OrderedDict[bytes, Tensor] = OrderedDict()
        self._bytes = 0
        self._weights: object = None

    @property
    def used_bytes(self) -> int:
        """Memory that the kept tokens take."""
        return self._bytes

    def visual_tokens(self, model: VLM, batch: PackedBatch) -> Tensor:
        """What `model.encode_images(batch)` gives, `[V, D]`; views that are known, or come twice, cost nothing."""
        if self._weights != (weights := _weights(model)):
            self.clear()
            self._weights = weights
        counts = batch.grids.prod(dim=1).tolist()
        views = batch.patches.split(counts)
        pixels = batch.patches.cpu().split(counts)
        names = [_name(patches, grid) for patches, grid in zip(pixels, batch.grids.tolist(), strict=True)]
        known = {name: self._tokens[name] for name in names if name in self._tokens}
        first = {name: index for index, name in reversed(list(enumerate(names)))}
        new = sorted(index for name, index in first.items() if name not in known)
        self.misses += len(new)
        self.hits += len(names) - len(new)
        if new:
            segments = Segments.from_lengths([counts[index] for index in new]).to(batch.patches.device)
            tokens = model.encode_views(torch.cat([views[index] for index in new]), batch.grids[new], segments)
            per_token = sum(counts[index] for index in new) // tokens.shape[0]
            parts = tokens.split([counts[index] // per_token for index in new])
            known.update({names[index]: part for index, part in zip(new, parts, strict=True)})
        for name in names:
            self._keep(name, known[name])
        return model.arrange(torch.cat([known[name] for name in names]), batch)

    def clear(self) -> None:
        """Forget everything: the model's weights have changed."""
        self._tokens.clear()
        self._bytes = 0

    def _keep(self, name: bytes, tokens: Tensor) -> None:
        if name in self._tokens:
            self._tokens.move_to_end(name)
            return
        size = tokens.numel() * tokens.element_size()
        if size > self.max_bytes:
            return
        self._tokens[name] = tokens.clone()  # a part of a larger tensor would keep all of that alive
        self._bytes += size
        while self._bytes > self.max_bytes:
            _, oldest = self._tokens.popitem(last=False)
            self._bytes -= oldest.numel() * oldest.element_size()


def _name(patches: Tensor, grid: list[int]) -> bytes:
    digest = blake2b(repr(grid).encode(), digest_size=16)
    digest.update(patches.numpy().data)
    return digest.digest()


def _weights(model: VLM) -> list[tuple[object, ...]]:
    """What changes with the encoder's and the projector's weights, without reading them."""
    parts = [part for part in (model.vision, model.projector) if part is not None]
    return [
        (id(p), p.data_ptr(), 0 if p.is_inference() else p._version, p.dtype, p.device)
        for part in parts
        for p in part.parameters()
    ]
