"""Keys and values of several requests of different lengths, without padded tokens.

Shapes: `T` tokens of a step's packed row, `R` requests, `H` query heads, `K` key/value heads, `D` head size, `L` the
longest of some requests.

A request lives in a row of the shelf whose capacity is the power of two that holds it, and moves to the next shelf when
it outgrows that. So one attention call serves all requests of a shelf on a contiguous view, the part that is masked is
less than half, and growing copies each key only a few times.

```
step:  [ one token per live request, in the cache's order | prompt | prompt | ... ]   one packed row [T]
                     |                                        |
        per shelf: masked attention to what it stores    packed causal attention, then stored
```
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vergence.inputs import Segments
from vergence.model_config import LanguageConfig

SMALLEST_SHELF = 32


class _Shelf:
    """The requests of one capacity: `keys` and `values` `[depth, rows, K, capacity, D]`, live rows in front.

    Latent attention has no `values`: a key's first numbers are its value.
    """

    def __init__(self, config: LanguageConfig, capacity: int, dtype: torch.dtype, device: torch.device) -> None:
        self.capacity = capacity
        self.requests: list[int] = []
        self.lengths: list[int] = []
        self.mask: Tensor | None = None
        heads, size = config.kv_heads, config.query_size
        if config.latent:
            heads, size = 1, config.latent.kv_rank + config.latent.rope_size
        # Zeros, not empty memory: a masked value is multiplied by zero, and zero times NaN is NaN.
        self.keys = torch.zeros(config.depth, 1, heads, capacity, size, dtype=dtype, device=device)
        self.values = None if config.latent else torch.zeros_like(self.keys)

    @property
    def stored(self) -> list[Tensor]:
        """What is stored: keys, and values where they are apart."""
        return [self.keys] if self.values is None else [self.keys, self.values]

    def add(self, request: int, length: int) -> int:
        """A cleared row for a request that will hold `length` tokens."""
        row = len(self.requests)
        if row == self.keys.shape[1]:
            self.keys = torch.cat([self.keys, torch.zeros_like(self.keys)], dim=1)
            if self.values is not None:
                self.values = torch.cat([self.values, torch.zeros_like(self.values)], dim=1)
        else:
            for stored in self.stored:
                stored[:, row] = 0
        self.requests.append(request)
        self.lengths.append(length)
        return row

    def remove(self, row: int) -> None:
        """Free a row; the last one takes its place."""
        last = len(self.requests) - 1
        if row != last:
            for stored in self.stored:
                stored[:, row] = stored[:, last]
            self.requests[row], self.lengths[row] = self.requests[last], self.lengths[last]
        self.requests.pop()
        self.lengths.pop()

    def prepare(self) -> None:
        """Make room for one more token in each row, and the mask `[R, 1, 1, L]` of what each row may attend to."""
        self.places = list(enumerate(self.lengths))
        self.lengths = [length + 1 for length in self.lengths]
        self.longest = max(self.lengths)
        self.mask = None
        if min(self.lengths) < self.longest:
            lengths = torch.tensor(self.lengths, device=self.keys.device)
            self.mask = (torch.arange(self.longest, device=self.keys.device) < lengths[:, None])[:, None, None]

    def open_views(self) -> None:
        """Make what the layers write to and read from, for all layers at once, after the step's prompts have joined.

        (Then the shelf grows no more.) While weights stream through the processor's caches, each operation in a layer
        costs several times what it does in a loop of its own.
        """
        self.slots = [[stored[:, row, :, place].unbind(0) for row, place in self.places] for stored in self.stored]
        self.seen = [stored[:, : len(self.places), :, : self.longest].unbind(0) for stored in self.stored]

    def extend(self, layer: int, query: Tensor, key: Tensor, value: Tensor | None, scale: float) -> Tensor:
        """One new token per row: `query` `[R, H, D]`, `key`, `value` `[R, K, D]` -> `[R, H, D]`."""
        for slots, new in zip(self.slots, (key, value), strict=False):
            if new is not None:
                for slot, row in zip(slots, new.unbind(0), strict=True):
                    slot[layer].copy_(row)
        keys, values = self.seen[0][layer], self.seen[-1][layer]
        if keys.dtype != query.dtype:
            keys, values = keys.to(query.dtype), values.to(query.dtype)
        # The query heads that share a key head become queries of one head: no key is repeated.
        grouped = query.view(query.shape[0], keys.shape[1], -1, query.shape[2])
        return _attend(grouped, keys, values, self.mask, scale).reshape(query.shape)


def _attend(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """`[R, K, G, D]`, `[R, K, L, D]` x 2 -> `[R, K, G, D]`; `mask` `[R, 1, 1, L]` is true where a key is seen."""
    return F.scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=scale)


class KeyValueCache:
    """The cache of all live requests. Requests are named by numbers of the caller's choice.

    Each step: `begin` says which prompts join and tells the order of the others, then one forward pass of the model
    runs over that row. `release` drops a request.
    """

    def __init__(self, config: LanguageConfig, *, dtype: torch.dtype, device: torch.device) -> None:
        self.config, self.dtype, self.device = config, dtype, device
        self._shelves: dict[int, _Shelf] = {}
        self._decoding: list[_Shelf] = []
        self._counts: list[int] = []
        self._prompts: list[tuple[_Shelf, int]] = []
        self._segments: Segments | None = None

    @property
    def live(self) -> list[int]:
        """The stored requests, in the order in which a step's row must hold their tokens (until the next `begin`)."""
        return [request for shelf in self._shelves.values() for request in shelf.requests]

    def length(self, request: int) -> int:
        """How many tokens of a request are stored."""
        shelf, row = self._find(request)
        return shelf.lengths[row]

    @property
    def bytes(self) -> int:
        """Memory that the keys and values take."""
        return sum(x.numel() * x.element_size() for shelf in self._shelves.values() for x in shelf.stored)

    @property
    def decoding(self) -> int:
        """How many tokens at the front of the step's row continue a stored request."""
        return sum(self._counts)

    @property
    def prompts(self) -> Segments | None:
        """The borders of the prompts that join in this step."""
        return self._segments

    def begin(self, prompts: Sequence[tuple[int, int]] = ()) -> list[int]:
        """Prepare a step: `prompts` (request, length) join. Returns the order of the requests that were live before.

        The step's row holds one token of each of these, in this order, then the prompts in theirs.
        """
        for capacity, shelf in list(self._shelves.items()):
            for row in reversed(range(len(shelf.requests))):
                if shelf.lengths[row] == capacity:
                    self._move_up(shelf, row)
        order = self.live
        if known := {request for request, _ in prompts} & set(order):
            raise ValueError(f"requests {sorted(known)} are in the cache already")
        self._decoding = [shelf for shelf in self._shelves.values() if shelf.requests]
        for shelf in self._decoding:
            shelf.prepare()
        self._counts = [len(shelf.requests) for shelf in self._decoding]
        self._segments = Segments.from_lengths([length for _, length in prompts]) if prompts else None
        self._lengths = [length for _, length in prompts]
        self._prompts = []
        for request, length in prompts:
            shelf = self._shelf(length)
            self._prompts.append((shelf, shelf.add(request, length)))
        for shelf in self._decoding:
            shelf.open_views()
        return order

    def extend(self, layer: int, query: Tensor, key: Tensor, value: Tensor | None, *, scale: float) -> Tensor:
        """Store one key and value `[R, K, D]` per live request, attend `query` `[R, H, D]`, each to its own past.

        Without `value`, the keys are the values as well (latent attention; what follows the latent part is of no use).
        """
        if len(self._decoding) == 1:
            return self._decoding[0].extend(layer, query, key, value, scale)
        outputs, start = [], 0
        for shelf, count in zip(self._decoding, self._counts, strict=True):
            part = slice(start, start + count)
            outputs.append(shelf.extend(layer, query[part], key[part], None if value is None else value[part], scale))
            start += count
        return torch.cat(outputs)

    def store(self, layer: int, key: Tensor, value: Tensor | None) -> None:
        """Store the keys and values `[T, K, D]` of the prompts that join."""
        start = 0
        for (shelf, row), length in zip(self._prompts, self._lengths, strict=True):
            part = slice(start, start + length)
            shelf.keys[layer, row, :, :length] = key[part].transpose(0, 1)
            if shelf.values is not None and value is not None:
                shelf.values[layer, row, :, :length] = value[part].transpose(0, 1)
            start += length

    def release(self, request: int) -> None:
        """Forget a request. Its row is used again; a shelf without requests gives its memory back."""
        shelf, row = self._find(request)
        shelf.remove(row)
        if not shelf.requests:
            del self._shelves[shelf.capacity]

    def _find(self, request: int) -> tuple[_Shelf, int]:
        for shelf in self._shelves.values():
            if request in shelf.requests:
                return shelf, shelf.requests.index(request)
        raise KeyError(f"request {request} is not in the cache")

    def _shelf(self, length: int) -> _Shelf:
        """The shelf for a request of this many tokens: it has room for all of them."""
        capacity = max(SMALLEST_SHELF, 1 << (length - 1).bit_length())
        if capacity not in self._shelves:
            self._shelves[capacity] = _Shelf(self.config, capacity, self.dtype, self.device)
        return self._shelves[capacity]

    def _move_up(self, shelf: _Shelf, row: int) -> None:
        request, length = shelf.requests[row], shelf.lengths[row]
        target = self._shelf(length + 1)
        new = target.add(request, length)
        for to, stored in zip(target.stored, shelf.stored, strict=True):
            to[:, new, :, :length] = stored[:, row, :, :length]
        shelf.remove(row)
        if not shelf.requests:
            del self._shelves[shelf.capacity]
