"""Packing samples into one row: what belongs together stays together, and nothing crosses a border."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vergence.inputs import IGNORE, SIMILAR, ModelInputs, PackedBatch, Segments, pack

MERGE = 4  # patches per visual token
BYTES = 3  # numbers per patch; the real width doesn't matter here


def make_sample(number: int, grids: list[tuple[int, int]], text: int) -> ModelInputs:
    """A sample in which every value tells where it came from: image `i` of sample `n` is filled with `16 n + i`.

    Before each image stand `text` tokens, the ids count up from `1000 n`, and every third token isn't learned.
    """
    visual: list[int] = []
    length = 0
    for rows, columns in grids:
        length += text
        visual += range(length, length + rows * columns // MERGE)
        length = visual[-1] + 1
    length += text
    ids = torch.arange(length) + 1000 * number
    labels = torch.where(torch.arange(length) % 3 == 2, IGNORE, ids)
    fills = [torch.full((rows * columns, BYTES), 16 * number + i) for i, (rows, columns) in enumerate(grids)]
    return ModelInputs(
        input_ids=ids,
        labels=labels,
        patches=torch.cat([torch.empty(0, BYTES), *fills]).to(torch.uint8),
        grids=torch.tensor(grids, dtype=torch.long).reshape(-1, 2),
        visual_positions=torch.tensor(visual, dtype=torch.long),
    )


GRIDS = st.tuples(st.sampled_from([2, 4, 6]), st.sampled_from([2, 4, 8]))
SAMPLES = st.lists(st.tuples(st.lists(GRIDS, max_size=3), st.integers(1, 5)), min_size=1, max_size=6).map(
    lambda drawn: [make_sample(number, grids, text) for number, (grids, text) in enumerate(drawn)]
)


@given(st.lists(st.integers(1, 40), max_size=30))
def test_runs_cover_the_row_exactly(lengths):
    segments = Segments.from_lengths(lengths)
    rebuilt, end = [], 0
    for start, count, length in segments.runs:
        assert start == end, "a run starts where the one before ended"
        end = start + count * length
        rebuilt += [length] * count
    assert rebuilt == lengths
    assert segments.total == end == sum(lengths)
    assert segments.cu_seqlens.tolist() == [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    neighbours = zip(segments.runs, segments.runs[1:], strict=False)
    assert all(one[2] != two[2] for one, two in neighbours), "equal neighbours share a run"


@given(st.lists(st.integers(1, 40), max_size=30))
def test_buckets_cover_the_row_exactly_and_repeat_only_their_own_tokens(lengths):
    segments = Segments.from_lengths(lengths)
    rest, start = list(lengths), 0
    for bucket in segments.buckets:
        own, rest = rest[: bucket.count], rest[bucket.count :]
        assert bucket.tokens == sum(own)
        assert bucket.length == max(own) <= SIMILAR * min(own)
        gather = torch.arange(bucket.tokens) if bucket.gather is None else bucket.gather
        scatter = torch.arange(bucket.tokens) if bucket.scatter is None else bucket.scatter
        assert torch.equal(gather[scatter], torch.arange(bucket.tokens)), "there and back again"
        owners = torch.repeat_interleave(torch.tensor(own))[gather].view(bucket.count, bucket.length)
        assert (owners == torch.arange(bucket.count)[:, None]).all(), "a slot never holds a neighbour's token"
        if bucket.beyond is not None:
            assert bucket.beyond.tolist() == [[slot >= length for slot in range(bucket.length)] for length in own]
        start += bucket.tokens
    assert rest == []
    assert start == segments.total


@pytest.mark.parametrize("lengths", [[0], [3, 0, 2], [-1]])
def test_a_segment_has_at_least_one_token(lengths):
    with pytest.raises(ValueError, match=r"must be positive, got \["):
        Segments.from_lengths(lengths)


@given(SAMPLES)
def test_labels_are_the_next_token_of_the_same_sample_and_positions_restart(samples):
    batch = pack(samples)
    borders = batch.segments.cu_seqlens.tolist()
    assert borders[-1] == batch.input_ids.numel()
    for sample, start, end in zip(samples, borders, borders[1:], strict=False):
        assert torch.equal(batch.input_ids[start:end], sample.input_ids)
        assert torch.equal(batch.labels[start : end - 1], sample.labels[1:])
        assert batch.labels[end - 1] == IGNORE, "nothing follows the last token of a sample"
        assert batch.position_ids[start:end].tolist() == list(range(len(sample)))
    assert batch.targets == sum(int((sample.labels[1:] != IGNORE).sum()) for sample in samples)


def owner(batch: PackedBatch, token: int) -> tuple[int, int]:
    """The sample of a token of the row, and the token's place in it."""
    sample = int(torch.bucketize(torch.tensor(token), batch.segments.cu_seqlens[1:], right=True))
    return sample, token - int(batch.segments.cu_seqlens[sample])


@given(SAMPLES)
def test_every_visual_token_finds_the_way_to_its_own_sample_and_place(samples):
    batch = pack(samples)
    assert batch.image_segments.total == batch.patches.shape[0]
    assert batch.grids.prod(dim=1).tolist() == batch.image_segments.cu_seqlens.diff().tolist()
    keys = [(rows * columns, rows) for rows, columns in batch.grids.tolist()]
    assert keys == sorted(keys), "equal grids are neighbours, and similar sizes too"
    found: list[list[tuple[int, int]]] = [[] for _ in samples]
    fills = batch.patches[::MERGE, 0].tolist()  # the patches of one visual token are neighbours
    for fill, token in zip(fills, batch.visual_positions.tolist(), strict=True):
        sample, place = owner(batch, token)
        assert sample == fill // 16
        found[sample].append((place, fill % 16))
    for sample, visual in zip(samples, found, strict=True):
        images = [i for i, grid in enumerate(sample.grids.tolist()) for _ in range(grid[0] * grid[1] // MERGE)]
        assert sorted(visual) == list(zip(sample.visual_positions.tolist(), images, strict=True))


@given(SAMPLES, st.integers(0, 1000))
def test_the_order_of_samples_changes_the_order_only(samples, seed):
    order = list(range(len(samples)))
    random.Random(seed).shuffle(order)
    one, two = pack(samples), pack([samples[i] for i in order])
    parts = one.input_ids.split(one.segments.cu_seqlens.diff().tolist())
    assert torch.equal(torch.cat([parts[i] for i in order]), two.input_ids)
    assert torch.equal(one.grids, two.grids)
    assert one.targets == two.targets


def test_a_row_without_images_is_whole():
    batch = pack([make_sample(0, [], 4), make_sample(1, [], 7)])
    assert batch.patches.shape == (0, BYTES)
    assert batch.patches.dtype == torch.uint8
    assert batch.grids.shape == (0, 2)
    assert batch.image_segments.runs == ()
    assert batch.visual_positions.numel() == 0


def test_to_moves_every_tensor():
    batch = pack([make_sample(0, [(2, 4)], 3)]).to("meta")
    assert batch.input_ids.device.type == batch.patches.device.type == "meta"
    assert batch.segments.cu_seqlens.device.type == batch.image_segments.cu_seqlens.device.type == "meta"


def test_errors_say_what_was_found():
    with pytest.raises(ValueError, match="at least one sample"):
        pack([])
    good = make_sample(0, [(2, 4)], 3)
    parts = {name: getattr(good, name) for name in ModelInputs.__slots__}
    with pytest.raises(ValueError, match="has 7 patches, but its grids hold 8"):
        pack([good, ModelInputs(**{**parts, "patches": good.patches[:7]})])
    with pytest.raises(ValueError, match="has 3 visual tokens for 8 patches"):
        pack([good, ModelInputs(**{**parts, "visual_positions": torch.tensor([3, 4, 5])})])
    with pytest.raises(ValueError, match="has 0 visual tokens for 8 patches"):
        pack([ModelInputs(**{**parts, "visual_positions": torch.tensor([], dtype=torch.long)})])
