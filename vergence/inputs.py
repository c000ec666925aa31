"""The tensors that processing hands to a model: one sample, and several samples packed end to end.

Shapes: `T` tokens of a row, `S` samples in it, `P` patches, `N` views, `V` visual tokens. A view is what the encoder
sees as one picture: an image, a tile of one, or a frame of a video. There is no padding: a `PackedBatch` is one row,
and `cu_seqlens` (cumulative lengths, first 0, last `T`) marks the borders that attention never crosses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor

IGNORE = -100  # the label of a token that carries no loss


@dataclass(frozen=True, slots=True)
class Layout:
    """How the tokens of neighbouring views become tokens of the sequence (LLaVA-OneVision's AnyRes and video frames).

    `count` times over, `rows` x `columns` views of `side` x `side` tokens are laid side by side into one map; of it,
    the window `crop` (top, left, height, width) is kept and resized (bilinear) to `size` (height, width). The newline
    embedding is put after each row of each map ("rows"), once after all maps ("end"), or not at all.
    """

    side: int
    rows: int = 1
    columns: int = 1
    count: int = 1
    crop: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None
    newline: Literal["none", "rows", "end"] = "none"

    @property
    def views(self) -> int:
        """How many views it takes."""
        return self.count * self.rows * self.columns

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of each finished map in tokens, without newlines."""
        whole = (self.rows * self.side, self.columns * self.side)
        return self.size or (self.crop[2:] if self.crop else whole)

    @property
    def tokens(self) -> int:
        """How many tokens it gives, newlines included."""
        height, width = self.shape
        return self.count * height * (width + (self.newline == "rows")) + (self.newline == "end")


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """One processed sample.

    `input_ids` `[T]` int64; `labels` `[T]` int64, equal to `input_ids` where the token is learned and `IGNORE`
    elsewhere; `patches` `[P, patch*patch*3]` uint8, view after view; `grids` `[N, 2]` int64, rows and columns of
    patches of each view; `visual_positions` `[V]` int64, where each visual token stands in `input_ids`. With `layouts`,
    which cover the views in order, the visual tokens are those that the layouts give; without, those of the views.
    """

    input_ids: Tensor
    labels: Tensor
    patches: Tensor
    grids: Tensor
    visual_positions: Tensor
    layouts: tuple[Layout, ...] = ()

    def __len__(self) -> int:
        return int(self.input_ids.numel())


@dataclass(frozen=True, slots=True)
class Bucket:
    """Neighbouring segments of similar length that one attention call serves: `count` of them, the longest `length`.

    `tokens` is how many tokens they hold together. Where their lengths differ, `gather` `[count * length]` picks the
    bucket's tokens into equal slots (a slot past a segment's end repeats that segment's last token), `scatter`
    `[tokens]` picks the answers out again, and `beyond` `[count, length]` marks the slots past the end.
    """

    count: int
    length: int
    tokens: int
    gather: Tensor | None = None
    scatter: Tensor | None = None
    beyond: Tensor | None = None

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Bucket:
        """The bucket of segments with these lengths."""
        longest, total = max(lengths), sum(lengths)
        if min(lengths) == longest:
            return cls(len(lengths), longest, total)
        sizes = torch.tensor(lengths)
        starts = sizes.cumsum(0) - sizes
        place = torch.arange(longest)
        beyond = place >= sizes[:, None]
        gather = (starts[:, None] + torch.minimum(place, sizes[:, None] - 1)).flatten()
        return cls(len(lengths), longest, total, gather, (~beyond).flatten().nonzero().squeeze(1), beyond)

    def to(self, device: torch.device | str) -> Bucket:
        """The same bucket with its tensors on `device`."""
        if self.gather is None or self.scatter is None or self.beyond is None:
            return self
        moved = (x.to(device) for x in (self.gather, self.scatter, self.beyond))
        return Bucket(self.count, self.length, self.tokens, *moved)


SIMILAR = 1.3  # the longest segment of a bucket is at most so many times its shortest


@dataclass(frozen=True, slots=True)
class Segments:
    """The borders inside a packed row: `cu_seqlens` `[S + 1]` int64, and ready-made plans for what works by segment.

    A run `(start, count, length)` says that from token `start` on stand `count` segments of exactly `length` tokens.
    `buckets` group neighbours of similar length for attention. Both cover the row exactly, in order.
    """

    cu_seqlens: Tensor
    runs: tuple[tuple[int, int, int], ...]
    buckets: tuple[Bucket, ...]

    @classmethod
    def from_lengths(cls, lengths: Sequence[int]) -> Segments:
        """Segments of these lengths, in this order; neighbours of equal length share a run. Lengths are positive."""
        if any(length <= 0 for length in lengths):
            raise ValueError(f"segment lengths must be positive, got {list(lengths)}")
        runs: list[tuple[int, int, int]] = []
        start = 0
        for length in lengths:
            if runs and runs[-1][2] == length:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1, length)
            else:
                runs.append((start, 1, length))
            start += length
        groups: list[list[int]] = []
        for length in lengths:
            if groups and max(*groups[-1], length) <= SIMILAR * min(*groups[-1], length):
                groups[-1].append(length)
            else:
                groups.append([length])
        return cls(torch.tensor([0, *lengths]).cumsum(0), tuple(runs), tuple(Bucket.of(group) for group in groups))

    @property
    def total(self) -> int:
        """Tokens in the row."""
        return int(self.cu_seqlens[-1])

    def to(self, device: torch.device | str) -> Segments:
        """The same segments with their tensor on `device`."""
        return Segments(self.cu_seqlens.to(device), self.runs, tuple(bucket.to(device) for bucket in self.buckets))


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Several samples end to end in one row.

    `input_ids`, `labels`, `position_ids` `[T]` int64 (positions restart at each sample; `labels[t]` is the target *of*
    position `t`, that is the next token of the same sample, or `IGNORE`); `segments` over the `T` tokens; `patches`
    `[P, patch*patch*3]` uint8; `grids` `[N, 2]`; `image_segments` over the `P` patches; `visual_positions` `[V]`: token
    index of each visual token, in the order in which the encoder, or the `layouts` after it, return them.
    """

    input_ids: Tensor
    labels: Tensor
    position_ids: Tensor
    segments: Segments
    patches: Tensor
    grids: Tensor
    image_segments: Segments
    visual_positions: Tensor
    layouts: tuple[Layout, ...] = ()

    def to(self, device: torch.device | str) -> PackedBatch:
        """The same batch on `device`."""
        moved = {f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name != "layouts"}
        return replace(self, **moved)

    @property
    def targets(self) -> int:
        """How many positions carry loss."""
        return int((self.labels != IGNORE).sum())


def pack(samples: Sequence[ModelInputs]) -> PackedBatch:
    """Lay samples end to end, in the order given, into one row.

    Views are sorted by size, so that equal and similar ones are neighbours (one attention call serves them all); which
    token each visual token belongs to is kept in `visual_positions`. Views with layouts are all of one size and stay in
    their order. Raises `ValueError` for an empty list.
    """
    if not samples:
        raise ValueError("pack needs at least one sample")
    lengths = [len(sample) for sample in samples]
    labels, positions = [], []
    for sample in samples:
        shifted = torch.full_like(sample.labels, IGNORE)
        shifted[:-1] = sample.labels[1:]
        labels.append(shifted)
        positions.append(torch.arange(len(sample)))
    patches, grids, image_lengths, visual_positions = _group_images(samples, lengths)
    return PackedBatch(
        input_ids=torch.cat([sample.input_ids for sample in samples]),
        labels=torch.cat(labels),
        position_ids=torch.cat(positions),
        segments=Segments.from_lengths(lengths),
        patches=patches,
        grids=grids,
        image_segments=Segments.from_lengths(image_lengths),
        visual_positions=visual_positions,
        layouts=tuple(layout for sample in samples for layout in sample.layouts),
    )


def _group_images(samples: Sequence[ModelInputs], lengths: Sequence[int]) -> tuple[Tensor, Tensor, list[int], Tensor]:
    """A row's views, by size: patches `[P, D]`, grids `[N, 2]`, patches per view, the token of each visual token."""
    images: list[tuple[tuple[int, int], Tensor, Tensor]] = []
    offset = 0
    for sample, length in zip(samples, lengths, strict=True):
        counts = sample.grids.prod(dim=1).tolist()
        total = sum(counts)
        if sample.patches.shape[0] != total:
            raise ValueError(f"a sample has {sample.patches.shape[0]} patches, but its grids hold {total}")
        patches = sample.patches.split(counts)
        tokens = (sample.visual_positions + offset).split(_tokens_of_views(sample, counts))
        grids = [(int(h), int(w)) for h, w in sample.grids.tolist()]
        images.extend(zip(grids, patches, tokens, strict=True))
        offset += length
    if any(sample.layouts for sample in samples):
        if len({grid for grid, _, _ in images}) > 1:
            raise ValueError("views that layouts arrange must all be of one size")
    else:
        images.sort(key=lambda image: (image[0][0] * image[0][1], image[0]))
    if not images:
        width = samples[0].patches.shape[1]
        return torch.empty(0, width, dtype=torch.uint8), torch.empty(0, 2, dtype=torch.long), [], torch.empty(0).long()
    return (
        torch.cat([patches for _, patches, _ in images]),
        torch.tensor([grid for grid, _, _ in images]),
        [patches.shape[0] for _, patches, _ in images],
        torch.cat([tokens for _, _, tokens in images]),
    )


def _tokens_of_views(sample: ModelInputs, counts: Sequence[int]) -> list[int]:
    """How many of the sample's visual tokens count as each view's; with layouts, all of them as the first view's."""
    visual, total = sample.visual_positions.numel(), sum(counts)
    if sample.layouts:
        if sum(layout.views for layout in sample.layouts) != len(counts):
            raise ValueError(f"a sample's layouts take {sum(x.views for x in sample.layouts)} views of {len(counts)}")
        if sum(layout.tokens for layout in sample.layouts) != visual:
            raise ValueError(
                f"a sample's layouts give {sum(x.tokens for x in sample.layouts)} tokens for {visual} places"
            )
        return [visual, *[0] * (len(counts) - 1)]
    if total and (not visual or total % visual):
        raise ValueError(f"a sample has {visual} visual tokens for {total} patches")
    per_token = total // visual if visual else 1
    return [count // per_token for count in counts]
