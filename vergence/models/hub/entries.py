"""How one of our tensors is made of public ones, and the public ones of ours: a list of entries per part of a model.

An `Entry` reads and writes, so what is exported is, to the bit, what was imported. Shapes of the public tensors follow
from ours by splitting a tensor on the meta device; nothing is said twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Join = Callable[[Sequence[Tensor]], Tensor]
Split = Callable[[Tensor], Sequence[Tensor]]


def _same(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0]


def _alone(tensor: Tensor) -> Sequence[Tensor]:
    return [tensor]


@dataclass(frozen=True, slots=True)
class Entry:
    """Our tensor `ours`, the public tensors `theirs` that it is `join`ed from, and `split` into again.

    An `optional` one may be missing in a checkpoint; ours is then `default` throughout. A `copy` repeats another
    entry's tensor under one more public name (a stored tied head): it is never read for its values, and written only
    where the original had it. `keep_dtype` keeps a tensor's type where all others are converted.
    """

    ours: str
    theirs: tuple[str, ...]
    join: Join = _same
    split: Split = _alone
    optional: bool = False
    default: float = 0.0
    copy: bool = False
    keep_dtype: bool = False

    def renamed(self, rename: Callable[[str], str]) -> Entry:
        """The same entry with other public names."""
        return replace(self, theirs=tuple(rename(name) for name in self.theirs))


def same(ours: str, theirs: str) -> Entry:
    """A tensor that only has another name."""
    return Entry(ours, (theirs,))


def rows(ours: str, theirs: Sequence[str], sizes: Sequence[int]) -> Entry:
    """Our matrix is theirs stacked by rows, `sizes` rows each (one fused product instead of several)."""
    return Entry(ours, tuple(theirs), lambda parts: torch.cat(list(parts)), lambda whole: whole.split(list(sizes)))


def experts(ours: str, theirs: Sequence[str], groups: int) -> Entry:
    """Our `[E, ...]` holds all experts; `theirs` name, by expert, the `groups` matrices whose rows are stacked."""

    def join(parts: Sequence[Tensor]) -> Tensor:
        return torch.stack([torch.cat(list(parts[i : i + groups])) for i in range(0, len(parts), groups)])

    def split(whole: Tensor) -> Sequence[Tensor]:
        return [part for matrix in whole.unbind(0) for part in matrix.chunk(groups)]

    return Entry(ours, tuple(theirs), join, split)


def patch_convolution(ours: str, theirs: str, patch_size: int) -> Entry:
    """Their convolution `[D, 3, p, p]` is our linear layer `[D, p*p*3]`: patches are (row, column, channel) there."""

    def join(parts: Sequence[Tensor]) -> Tensor:
        return parts[0].permute(0, 2, 3, 1).flatten(1)

    def split(whole: Tensor) -> Sequence[Tensor]:
        return [whole.unflatten(1, (patch_size, patch_size, 3)).permute(0, 3, 1, 2)]

    return Entry(ours, (theirs,), join, split)


def reshaped(ours: str, theirs: str, our_shape: Sequence[int], their_shape: Sequence[int]) -> Entry:
    """The same numbers in the same order under another shape."""
    return Entry(ours, (theirs,), lambda parts: parts[0].reshape(*our_shape), lambda x: [x.reshape(*their_shape)])


def rotary_rows(ours: str, theirs: Sequence[str], heads: Sequence[int], size: int) -> Entry:
    """Queries, keys and values stacked by rows; the rotary pairs of the first two go from halves to neighbours.

    `heads` are the numbers of query, key and value heads of `size` numbers; weights `[rows, D]` or biases `[rows]`.
    """
    turned = [True, True, False]

    def join(parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(
            [to_neighbours(part, size) if turn else part for part, turn in zip(parts, turned, strict=True)]
        )

    def split(whole: Tensor) -> Sequence[Tensor]:
        parts = whole.split([count * size for count in heads])
        return [to_halves(part, size) if turn else part for part, turn in zip(parts, turned, strict=True)]

    return Entry(ours, tuple(theirs), join, split)


def rotary_vector(ours: str, theirs: str) -> Entry:
    """A vector over one head's numbers (Qwen3's query and key norms), reordered as the rotary pairs are."""

    def join(parts: Sequence[Tensor]) -> Tensor:
        return to_neighbours(parts[0], parts[0].shape[0])

    return Entry(ours, (theirs,), join, lambda x: [to_halves(x, x.shape[0])])


def to_neighbours(x: Tensor, size: int) -> Tensor:
    """Rows in heads of `size`, from half-split rotary pairs `(i, i + size/2)` to neighbouring ones `(2i, 2i + 1)`."""
    return x.unflatten(0, (-1, 2, size // 2)).transpose(1, 2).flatten(0, 2)


def to_halves(x: Tensor, size: int) -> Tensor:
    """The inverse of `to_neighbours`."""
    return x.unflatten(0, (-1, size // 2, 2)).transpose(1, 2).flatten(0, 2)
