"""Encoder pre-training: both losses against their definitions, and images paired with their own captions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vergence.errors import DataError
from vergence.inputs import IGNORE, ModelInputs, Segments, pack
from vergence.model_config import LanguageConfig, ModelConfig, ProjectorConfig, VisionConfig
from vergence.models.vlm import VLM
from vergence.training.contrastive import (
    AttentionPool,
    ContrastiveHeads,
    caption_bags,
    caption_ids,
    image_of_sample,
    same_caption,
    siglip_loss,
    superclass_loss,
)

VOCAB = 50
LOSSES = ["siglip", "superclass"]
CONFIG = ModelConfig(
    vision=VisionConfig(width=32, depth=1, heads=2, mlp_width=32),
    projector=ProjectorConfig(hidden=16),
    language=LanguageConfig(vocab_size=VOCAB, width=32, depth=3, heads=2, kv_heads=1, mlp_width=32),
)


def make_sample(caption: list[int], grid: tuple[int, int] | None, fill: int = 0, images: int = 1) -> ModelInputs:
    """An introduction of two tokens, the image, and the caption, which alone is learned; pixels are `fill`."""
    grids = [grid] * images if grid else []
    patches = sum(rows * columns for rows, columns in grids)
    visual = patches // 4
    ids = torch.tensor([1, 2, *[3] * visual, *caption])
    labels = torch.full_like(ids, IGNORE)
    labels[2 + visual :] = ids[2 + visual :]
    return ModelInputs(
        input_ids=ids,
        labels=labels,
        patches=torch.full((patches, 588), fill, dtype=torch.uint8),
        grids=torch.tensor(grids, dtype=torch.long).reshape(-1, 2),
        visual_positions=torch.arange(2, 2 + visual),
    )


CAPTIONS = [[10, 11, 12], [20, 21], [10, 11, 12], [30], [21, 20]]
GRIDS = [(4, 6), (2, 2), (2, 2), (8, 4), (2, 4)]  # not in the order in which a row sorts them


def make_row() -> list[ModelInputs]:
    return [make_sample(c, g, 40 * i) for i, (c, g) in enumerate(zip(CAPTIONS, GRIDS, strict=True))]


def vectors(count: int, width: int = 8) -> tuple[Tensor, Tensor]:
    return torch.randn(count, width), torch.randn(count, width)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_siglip_is_the_loss_of_transformers(count):
    """`transformers.SiglipModel.forward` with `return_loss`: labels are 2 * eye - 1, the mean over texts is taken."""
    images, texts = vectors(count)
    scale, bias = torch.tensor(7.0), torch.tensor(-3.0)
    image, text = (x / x.norm(dim=-1, keepdim=True) for x in (images, texts))
    logits_per_text = text @ image.t() * scale + bias
    signs = -torch.ones(count, count) + 2 * torch.eye(count)
    expected = -F.logsigmoid(signs * logits_per_text).sum(dim=-1).mean()
    found = siglip_loss(images, texts, scale, bias, torch.eye(count, dtype=torch.bool))
    torch.testing.assert_close(found / count, expected)


def test_siglip_has_its_closed_form_for_identical_pairs():
    images = torch.eye(4)
    found = siglip_loss(images, images, torch.tensor(2.0), torch.tensor(-1.0), torch.eye(4, dtype=torch.bool))
    expected = 4 * math.log(1 + math.exp(-1.0)) + 12 * math.log(1 + math.exp(-1.0))
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_equal_captions_are_positives_of_each_other():
    images, texts = vectors(3)
    same = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 0, 1]], dtype=torch.bool)
    logits = 5 * F.cosine_similarity(images[:, None], texts[None], dim=-1) - 2
    expected = sum(-F.logsigmoid(logits[i, j] if same[i, j] else -logits[i, j]) for i in range(3) for j in range(3))
    torch.testing.assert_close(siglip_loss(images, texts, torch.tensor(5.0), torch.tensor(-2.0), same), expected)


def test_superclass_equals_a_slow_loop():
    captions = [[1, 2, 2, 5], [2, 3], [2], [4, 1]]
    logits = torch.randn(4, 8)
    bags = torch.zeros(4, 8, dtype=torch.bool)
    for row, caption in enumerate(captions):
        bags[row, caption] = True
    expected = 0.0
    for row, caption in enumerate(captions):
        weights = {}
        for token in set(caption):
            documents = sum(token in other for other in captions)
            weights[token] = max(math.log(len(captions) / (1 + documents)), 0) + 1e-3
        for token, weight in weights.items():
            probability = math.exp(logits[row, token]) / sum(math.exp(x) for x in logits[row])
            expected -= weight / sum(weights.values()) * math.log(probability)
    assert superclass_loss(logits, bags).item() == pytest.approx(expected, rel=1e-5)


def test_superclass_is_least_where_the_scores_are_the_targets():
    bags = torch.tensor([[True, False, False], [False, True, False]])
    right, wrong = torch.tensor([[9.0, 0, 0], [0, 9.0, 0]]), torch.tensor([[0, 9.0, 0], [9.0, 0, 0]])
    assert superclass_loss(right, bags) < 0.01 < 10 < superclass_loss(wrong, bags)


def test_captions_are_the_learned_tokens_of_each_sample():
    ids, lengths = caption_ids(pack(make_row()))
    assert [part.tolist() for part in ids.split(lengths)] == CAPTIONS


def test_same_caption_compares_whole_captions():
    ids, lengths = caption_ids(pack(make_row()))
    expected = [[a == b for b in CAPTIONS] for a in CAPTIONS]
    assert same_caption(ids, lengths).tolist() == expected
    assert same_caption(torch.tensor([1, 2, 1, 2]), [2, 1, 1]).tolist() == torch.eye(3, dtype=torch.bool).tolist()


def test_caption_bags_hold_each_token_once():
    ids, lengths = caption_ids(pack(make_row()))
    bags = caption_bags(ids, lengths, VOCAB)
    assert [set(row.nonzero().flatten().tolist()) for row in bags] == [set(caption) for caption in CAPTIONS]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 0, 4, 1, 2], [4, 3, 2, 1, 0]])
def test_every_sample_finds_its_own_image_whatever_the_row_is_sorted_by(order):
    samples = [make_row()[i] for i in order]
    batch = pack(samples)
    fills = [patches[0, 0].item() for patches in batch.patches.split(batch.image_segments.cu_seqlens.diff().tolist())]
    assert [fills[i] // 40 for i in image_of_sample(batch)] == order


@pytest.mark.parametrize(
    "samples",
    [
        [make_sample([5], (2, 2)), make_sample([6], None)],
        [make_sample([5], (2, 2), images=2), make_sample([6], (2, 2))],
        [make_sample([5], (2, 2), images=2), make_sample([6], None)],
        [make_sample([5], None)],
    ],
    ids=["none", "two", "two and none", "no image in the row"],
)
def test_a_sample_without_exactly_one_image_is_refused(samples):
    with pytest.raises(DataError, match="exactly one image in every sample"):
        image_of_sample(pack(samples))


def test_a_sample_without_a_caption_is_refused():
    good, silent = make_sample([5], (2, 2)), make_sample([6], (2, 2))
    silent = replace(silent, labels=torch.full_like(silent.labels, IGNORE))
    for samples in ([good, silent], [silent, good]):
        with pytest.raises(DataError, match="a caption in every sample"):
            caption_ids(pack(samples))


def test_the_pool_reads_each_image_alone():
    pool = AttentionPool(16, 2)
    nn.init.normal_(pool.query)
    lengths = [3, 3, 5, 1]
    features = torch.randn(sum(lengths), 16)
    found = pool(features, Segments.from_lengths(lengths))
    key, value = pool.key_value(features).view(-1, 2, 2, 8).unbind(1)
    start, expected = 0, []
    for length in lengths:
        k, v = key[start : start + length], value[start : start + length]
        weights = (torch.einsum("hd,phd->hp", pool.query, k) / 8**0.5).softmax(-1)
        expected.append(torch.einsum("hp,phd->hd", weights, v).flatten())
        start += length
    torch.testing.assert_close(found, pool.out(torch.stack(expected)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("losses", [["siglip"], ["superclass"], LOSSES], ids=str)
def test_the_row_loss_is_that_of_pairs_computed_one_by_one(losses):
    model, heads = VLM(CONFIG), ContrastiveHeads(CONFIG, losses)
    model.initialise(0)
    heads.initialise(1)
    samples = make_row()
    with torch.no_grad():
        found = heads.loss(model, pack(samples))
        images, texts = [], []
        for sample, caption in zip(samples, CAPTIONS, strict=True):
            batch = pack([sample])
            images.append(heads.pool(model.patch_features(batch), batch.image_segments)[0])
            ids, segments = torch.tensor(caption), Segments.from_lengths([len(caption)])
            if tower := heads.siglip:
                hidden = tower.text(tower.text.embed(ids), torch.arange(len(ids)), segments)
                texts.append(tower.projection(hidden[-1]))
        bags = torch.tensor([[token in caption for token in range(VOCAB)] for caption in CAPTIONS])
        same = torch.tensor([[a == b for b in CAPTIONS] for a in CAPTIONS])
        expected = torch.zeros(())
        if tower := heads.siglip:
            expected += siglip_loss(torch.stack(images), torch.stack(texts), tower.log_scale.exp(), tower.bias, same)
        if heads.superclass:
            expected += superclass_loss(heads.superclass(torch.stack(images)), bags)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)


def test_heads_start_where_siglip_starts_and_train_the_encoder():
    model, heads, again = VLM(CONFIG), ContrastiveHeads(CONFIG, LOSSES), ContrastiveHeads(CONFIG, LOSSES)
    model.initialise(0)
    heads.initialise(1)
    again.initialise(1)
    assert heads.siglip
    assert heads.siglip.log_scale.exp().item() == pytest.approx(10.0)
    assert heads.siglip.bias.item() == -10.0
    assert len(heads.siglip.text.layers) == 2
    assert all(torch.equal(a, b) for a, b in zip(heads.parameters(), again.parameters(), strict=True))
    heads.loss(model, pack(make_row())).backward()
    for name, parameter in [*model.vision.named_parameters(), *heads.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert all(parameter.grad is None for parameter in [*model.language.parameters(), *model.projector.parameters()])
