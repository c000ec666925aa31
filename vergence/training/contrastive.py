"""Encoder pre-training on image-caption pairs: SigLIP and SuperClass losses together (Seed1.5-VL, section 2.1.2).

Shapes: `N` images (one per sample), `P` patches, `D` the encoder's width, `C` vocabulary.

The report's text tower starts from EVA-02-CLIP; here it is a small decoder, trained along and dropped afterwards, as
the attention pool and the classifier are. The report doesn't state the weights of the two losses: they are added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vergence.errors import DataError, UsageError
from vergence.inputs import IGNORE, PackedBatch, Segments
from vergence.model_config import LanguageConfig, ModelConfig
from vergence.models.language.decoder import Decoder
from vergence.models.vlm import VLM


class AttentionPool(nn.Module):
    """One learned query per head reads all patches of an image: `[P, D]` -> `[N, D]` (report, section 2.1.2)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Parameter(torch.zeros(heads, width // heads))
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, features: Tensor, segments: Segments) -> Tensor:
        """`features` `[P, D]` and the images' borders -> one vector per image, in the order of the segments."""
        key, value = self.key_value(features).unflatten(-1, (2, self.heads, -1)).unbind(1)
        pooled = []
        for start, count, length in segments.runs:
            k, v = (
                x.narrow(0, start, count * length).unflatten(0, (count, length)).transpose(1, 2) for x in (key, value)
            )
            query = self.query[None, :, None].expand(count, -1, -1, -1)
            pooled.append(F.scaled_dot_product_attention(query, k, v).flatten(1))
        return self.out(torch.cat(pooled))


class ContrastiveHeads(nn.Module):
    """What the encoder needs only while it is pre-trained: the pool, and what each of the two losses reads it with."""

    def __init__(self, config: ModelConfig, losses: Sequence[str]) -> None:
        """`losses`: `siglip`, `superclass` or both. Raises `UsageError` unless an image is one view of an encoder."""
        super().__init__()
        if config.vision is None or config.processing.rule == "anyres":
            raise UsageError(
                "a contrastive stage needs a vision encoder that sees each image as one view, which one with "
                "processing.rule anyres doesn't; let its objective be text or answers"
            )
        width = config.vision.width
        self.pool = AttentionPool(width, config.vision.heads)
        self.siglip = SigLIPHead(config.language, width) if "siglip" in losses else None
        self.superclass = nn.Linear(width, config.language.vocab_size) if "superclass" in losses else None

    def initialise(self, seed: int) -> None:
        """Matrices normal with deviation 1/sqrt(inputs), embeddings 0.02."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.ndim >= 2:
                std = 0.02 if name.endswith("embed.weight") else parameter.shape[-1] ** -0.5
                nn.init.normal_(parameter, std=std, generator=generator)
        if self.superclass is not None:
            nn.init.zeros_(self.superclass.bias)

    def loss(self, model: VLM, batch: PackedBatch) -> Tensor:
        """Sum over the row's pairs of the chosen losses; the caller divides by their number.

        Every sample of the row must hold one image and a caption that carries loss; raises `DataError` otherwise.
        """
        captions, lengths = caption_ids(batch)
        order = image_of_sample(batch)
        images = self.pool(model.patch_features(batch), batch.image_segments)[order]
        total = images.new_zeros(())
        if self.siglip is not None:
            total = total + self.siglip(images, captions, lengths)
        if self.superclass is not None:
            bags = caption_bags(captions, lengths, self.superclass.out_features)
            total = total + superclass_loss(self.superclass(images), bags)
        return total


class SigLIPHead(nn.Module):
    """The text tower, temperature and bias of SigLIP; scale 10 and bias -10 at first, as there."""

    def __init__(self, language: LanguageConfig, vision_width: int) -> None:
        super().__init__()
        self.text = Decoder(language.model_copy(update={"depth": min(2, language.depth), "experts": None}))
        self.projection = nn.Linear(language.width, vision_width, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.tensor(-10.0))

    def forward(self, images: Tensor, captions: Tensor, lengths: list[int]) -> Tensor:
        """Images `[N, D]`, their captions' ids end to end -> the summed loss; a caption's last token stands for it."""
        segments = Segments.from_lengths(lengths).to(captions.device)
        positions = torch.cat([torch.arange(length, device=captions.device) for length in lengths])
        hidden = self.text(self.text.embed(captions), positions, segments)
        texts = self.projection(hidden[segments.cu_seqlens[1:] - 1])
        return siglip_loss(images, texts, self.log_scale.exp(), self.bias, same_caption(captions, lengths))


def caption_ids(batch: PackedBatch) -> tuple[Tensor, list[int]]:
    """The learned tokens of every sample, end to end, and how many each sample has."""
    learned = batch.labels != IGNORE
    sample = torch.bucketize(learned.nonzero().squeeze(1), batch.segments.cu_seqlens[1:], right=True)
    lengths = torch.bincount(sample, minlength=batch.segments.cu_seqlens.numel() - 1).tolist()
    if min(lengths) == 0:
        raise DataError("a contrastive stage needs a caption in every sample")
    return batch.labels[learned], lengths


def image_of_sample(batch: PackedBatch) -> Tensor:
    """For each sample the index of its image among the row's images `[N]`; raises `DataError` unless it has one."""
    per_image = torch.tensor(
        [length for _, count, length in batch.image_segments.runs for _ in range(count)], dtype=torch.long
    )
    visual_starts = (per_image.cumsum(0) - per_image) * batch.visual_positions.numel() // max(int(per_image.sum()), 1)
    first_tokens = batch.visual_positions[visual_starts.to(batch.visual_positions.device)]
    samples = torch.bucketize(first_tokens, batch.segments.cu_seqlens[1:], right=True)
    order = samples.argsort()
    count = batch.segments.cu_seqlens.numel() - 1
    if samples.numel() != count or not torch.equal(samples[order], torch.arange(count, device=samples.device)):
        raise DataError("a contrastive stage needs exactly one image in every sample")
    return order


def same_caption(captions: Tensor, lengths: list[int]) -> Tensor:
    """`[N, N]` booleans: do two samples have the same caption? Such pairs are not told apart by the loss."""
    texts = [tuple(ids.tolist()) for ids in captions.split(lengths)]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    index = torch.tensor([numbers[text] for text in texts], device=captions.device)
    return index[:, None] == index[None, :]


def caption_bags(captions: Tensor, lengths: list[int], vocab_size: int) -> Tensor:
    """`[N, C]` booleans: which tokens occur in which caption."""
    sample = torch.repeat_interleave(torch.tensor(lengths, device=captions.device))
    bags = torch.zeros(len(lengths), vocab_size, dtype=torch.bool, device=captions.device)
    bags[sample, captions] = True
    return bags


def siglip_loss(images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, same: Tensor) -> Tensor:
    """Pairwise sigmoid loss, summed over pairs and divided by nothing but the batch's own size per image.

    `images`, `texts` `[N, D]`; `same` `[N, N]` marks the positives. Source: Zhai et al. 2023, arXiv 2303.15343, Alg. 1
    (there only the diagonal is positive; equal captions are positives here, since they say the same).
    """
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T + bias
    return -F.logsigmoid(torch.where(same, logits, -logits)).sum()


def superclass_loss(logits: Tensor, bags: Tensor) -> Tensor:
    """Softmax cross-entropy of `logits` `[N, C]` against the captions' tokens, weighted by rarity; summed over N.

    Targets are the tokens of a caption, weighted by their inverse document frequency in the batch and normalised to
    one. Source: Huang et al. 2024, "Classification Done Right" (SuperClass), arXiv 2411.03313, equations 2-4.
    """
    count = bags.shape[0]
    weight = torch.log(count / (bags.sum(dim=0) + 1.0)).clamp(min=0.0) + 1e-3
    targets = bags * weight
    targets = targets / targets.sum(dim=1, keepdim=True)
    return -(targets * F.log_softmax(logits.float(), dim=-1)).sum()
