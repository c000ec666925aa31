"""The whole model: parameter counts, packed equals unpacked, and an independent language model as an oracle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vergence.inputs import IGNORE, ModelInputs, Segments, pack
from vergence.model_config import LanguageConfig, ModelConfig, ProcessingConfig, ProjectorConfig, VisionConfig
from vergence.models.language.decoder import Decoder
from vergence.models.vision.vit import VisionTransformer
from vergence.models.vlm import VLM, patch_coordinates
from vergence.presets import PRESETS
from vergence.processing import image

VOCAB = 97
CONFIG = ModelConfig(
    vision=VisionConfig(width=48, depth=2, heads=3, mlp_width=64),
    projector=ProjectorConfig(hidden=40, position_frequencies=2),
    language=LanguageConfig(vocab_size=VOCAB, width=64, depth=2, heads=4, kv_heads=2, mlp_width=80),
    processing=ProcessingConfig(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)),
)


def make_model(config: ModelConfig = CONFIG, seed: int = 0) -> VLM:
    model = VLM(config)
    model.initialise(seed)
    return model


@pytest.fixture(scope="module")
def model() -> VLM:
    return make_model()


def make_sample(seed: int, grids: Sequence[tuple[int, int]], text: int) -> ModelInputs:
    """Random pixels and ids: `text` tokens before each image and at the end; half of the text carries loss."""
    generator = torch.Generator().manual_seed(seed)
    visual: list[int] = []
    length = text
    for rows, columns in grids:
        visual += range(length, length + rows * columns // 4)
        length = visual[-1] + 1 + text
    ids = torch.randint(0, VOCAB, (length,), generator=generator)
    learned = torch.rand(length, generator=generator) < 0.5
    learned[visual] = False
    learned[-1] = True
    size = (sum(rows * columns for rows, columns in grids), 588)
    return ModelInputs(
        input_ids=ids,
        labels=torch.where(learned, ids, IGNORE),
        patches=torch.randint(0, 256, size, generator=generator, dtype=torch.uint8),
        grids=torch.tensor(grids, dtype=torch.long).reshape(-1, 2),
        visual_positions=torch.tensor(visual, dtype=torch.long),
    )


@pytest.fixture(scope="module")
def samples() -> list[ModelInputs]:
    """Images of many sizes, several in a sample, equal grids in different samples, and text alone."""
    shapes = [
        ([(4, 6)], 5),
        ([], 9),
        ([(2, 2), (8, 4), (2, 2)], 2),
        ([(4, 6)], 5),
        ([(2, 12)], 1),
        ([], 1),
        ([(18, 16)], 3),
    ]
    return [make_sample(seed, grids, text) for seed, (grids, text) in enumerate(shapes)]


def outputs(model: VLM, samples: Sequence[ModelInputs]) -> list[Tensor]:
    """The logits of every sample, from one packed row."""
    with torch.no_grad():
        logits = model.language.logits(model(pack(samples)))
    return list(logits.split([len(sample) for sample in samples]))


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_seed_vit_has_the_532_million_parameters_of_the_report():
    with torch.device("meta"):
        vision = VisionTransformer(PRESETS["seed1.5-vl"].vision)
    assert count(vision) == 27 * 12 * 1280**2 + 588 * 1280 == 531_594_240
    assert f"{count(vision) / 1e6:.1f} M" == "531.6 M"


def test_the_tiny_preset_is_tiny():
    preset = PRESETS["seed-tiny"]
    with torch.device("meta"):
        model = VLM(preset)
    vision, language, hidden = preset.vision, preset.language, preset.projector.hidden
    assert count(model.vision) == vision.depth * (4 * vision.width**2 + 2 * vision.width * vision.mlp_width) + 588 * (
        vision.width
    )
    places = 4 * preset.projector.position_frequencies
    assert count(model.projector) == (vision.width + places + 1) * hidden + (hidden + 1) * language.width
    heads = language.heads + 2 * language.kv_heads
    layer = (
        language.width**2 * (heads / language.heads + 1) + 3 * language.width * language.mlp_width + 2 * language.width
    )
    assert count(model.language) == language.vocab_size * language.width + language.depth * layer + language.width
    assert count(model) < 5_000_000


def test_packed_equals_unpacked(model, samples):
    for sample, packed in zip(samples, outputs(model, samples), strict=True):
        torch.testing.assert_close(packed, outputs(model, [sample])[0], atol=1e-5, rtol=1e-5)


def test_packed_gradients_are_the_sum_of_unpacked_ones(samples):
    together, apart = make_model(), make_model()
    loss = together.loss(pack(samples))
    loss.backward()
    total = torch.zeros(())
    for sample in samples:
        if pack([sample]).targets:
            single = apart.loss(pack([sample]))
            single.backward()
            total += single.detach()
    torch.testing.assert_close(loss.detach(), total, atol=1e-5, rtol=1e-5)
    for (name, own), other in zip(together.named_parameters(), apart.parameters(), strict=True):
        assert own.grad is not None, f"{name} has no gradient"
        scale = other.grad.abs().max()
        torch.testing.assert_close(own.grad / scale, other.grad / scale, atol=1e-5, rtol=1e-5, msg=name)


def test_changing_one_sample_changes_no_other_at_all(model, samples):
    before = outputs(model, samples)
    for changed, sample in enumerate(samples):
        other = replace(sample, input_ids=(sample.input_ids + 1) % VOCAB, patches=255 - sample.patches)
        after = outputs(model, [*samples[:changed], other, *samples[changed + 1 :]])
        assert not torch.equal(after[changed], before[changed])
        assert all(torch.equal(a, b) for i, (a, b) in enumerate(zip(after, before, strict=True)) if i != changed)


def test_no_gradient_flows_from_one_sample_into_another(samples):
    model = make_model()
    batch = pack(samples)
    pixels = batch.patches.float().requires_grad_()
    embedded = model.embed(replace(batch, patches=pixels))
    embedded.retain_grad()
    hidden = model.language(embedded, batch.position_ids, batch.segments)
    start, end = batch.segments.cu_seqlens[2:4].tolist()
    hidden[start:end].square().sum().backward()
    touched = embedded.grad.abs().sum(dim=1) > 0
    assert touched[start:end].all()
    assert not touched[:start].any()
    assert not touched[end:].any()
    images = pixels.grad.abs().sum(dim=1).split(batch.image_segments.cu_seqlens.diff().tolist())
    own = [grid.tolist() in [[2, 2], [8, 4]] for grid in batch.grids]
    assert [bool((image > 0).all()) for image in images] == own == [bool((image > 0).any()) for image in images]


def test_the_order_of_samples_does_not_matter(model, samples):
    order = [4, 0, 6, 2, 5, 1, 3]
    straight, shuffled = outputs(model, samples), outputs(model, [samples[i] for i in order])
    for place, i in enumerate(order):
        torch.testing.assert_close(shuffled[place], straight[i], atol=1e-5, rtol=1e-5)


def test_a_row_of_text_alone(model, samples):
    texts = [sample for sample in samples if not sample.grids.numel()]
    assert len(texts) == 2
    together = outputs(model, texts)
    for sample, packed in zip(texts, together, strict=True):
        torch.testing.assert_close(packed, outputs(model, [sample])[0], atol=1e-5, rtol=1e-5)


def test_an_image_is_seen_by_what_follows_it_only(model):
    sample = make_sample(8, [(4, 6)], 5)
    before = outputs(model, [sample])[0]
    after = outputs(model, [replace(sample, patches=255 - sample.patches)])[0]
    assert torch.equal(after[:5], before[:5])
    assert ((after - before).abs().amax(dim=1)[5:] > 0).all()


def test_a_wrong_number_of_visual_tokens_is_named(model):
    batch = pack([make_sample(0, [(4, 6)], 5)])
    wrong = replace(batch, visual_positions=batch.visual_positions[:4])
    with pytest.raises(ValueError, match="the images give 6 visual tokens, the text has places for 4"):
        model(wrong)


def test_the_loss_is_the_cross_entropy_of_every_sample(model, samples):
    expected = torch.zeros(())
    for sample in samples:
        logits = outputs(model, [sample])[0]
        expected += F.cross_entropy(logits[:-1], sample.labels[1:], ignore_index=IGNORE, reduction="sum")
    torch.testing.assert_close(model.loss(pack(samples)).detach(), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("frequencies", [0, 3])
def test_visual_tokens_are_the_average_of_two_by_two_patches_and_their_place(frequencies):
    projector = CONFIG.projector.model_copy(update={"position_frequencies": frequencies})
    model = make_model(CONFIG.model_copy(update={"projector": projector}))
    batch = pack([make_sample(3, [(6, 4)], 2)])
    with torch.no_grad():
        features, tokens = model.patch_features(batch), model.encode_images(batch)
        row, column = patch_coordinates(batch.grids, 2).unbind(1)
        picture = torch.empty(6, 4, features.shape[1])
        picture[row, column] = features
        pooled = F.avg_pool2d(picture.permute(2, 0, 1), 2).flatten(1).T
        projector = model.projector
        if frequencies:
            places = torch.tensor([[r / 6, c / 4] for r in (0, 2, 4) for c in (0, 2)])
            angles = [f * math.pi * places[:, axis] for axis in (0, 1) for f in (1, 2, 4)]
            pooled = torch.cat([pooled, *(torch.stack([f(a) for a in angles], 1) for f in (torch.sin, torch.cos))], 1)
        expected = projector.down(F.gelu(projector.up(pooled)))
    assert tokens.shape == (6, CONFIG.language.width)
    torch.testing.assert_close(tokens, expected, atol=1e-5, rtol=1e-5)


def test_pixels_are_normalised_by_channel(model):
    batch = pack([make_sample(3, [(2, 2)], 2)])
    seen = []
    handle = model.vision.embed.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model.patch_features(batch)
    handle.remove()
    mean, std = (torch.tensor(getattr(CONFIG.processing, name)) for name in ("mean", "std"))
    expected = (batch.patches.unflatten(1, (-1, 3)) / 255 - mean) / std
    torch.testing.assert_close(seen[0], expected.flatten(1), atol=1e-5, rtol=1e-5)


def test_initialise_is_seeded_and_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one, two, other = VLM(CONFIG), VLM(CONFIG), VLM(CONFIG)
    torch.set_rng_state(state)
    for model, seed in ((one, 5), (two, 5), (other, 6)):
        model.initialise(seed)
    assert torch.equal(torch.get_rng_state(), state)
    for (name, a), b, c in zip(one.named_parameters(), two.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b), name
        if a.ndim < 2:
            assert torch.equal(a, torch.full_like(a, 1.0 if "norm" in name else 0.0)), name
        else:
            assert not torch.equal(a, c), name
    weight = one.vision.blocks[0].qkv.weight
    assert weight.std().item() == pytest.approx(CONFIG.vision.width**-0.5, rel=0.05)
    assert one.vision.blocks[0].out.weight.std().item() == pytest.approx((48 * 2 * 2) ** -0.5, rel=0.05)
    assert one.language.embed.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert one.projector.down.weight.std().item() == pytest.approx(40**-0.5, rel=0.05)


@pytest.mark.parametrize("merge", [1, 2, 3])
def test_coordinates_are_those_of_the_patches_that_processing_cuts(merge):
    grids = [(2 * merge, 3 * merge), (merge, merge), (5 * merge, merge)]
    found = patch_coordinates(torch.tensor(grids), merge)
    expected = np.concatenate([image.patch_coordinates(grid, merge) for grid in grids])
    assert np.array_equal(found.numpy(), expected)
    assert patch_coordinates(torch.empty(0, 2, dtype=torch.long), merge).shape == (0, 2)


def to_half_split(weight: Tensor, head_size: int) -> Tensor:
    """Rows of a query or key projection from neighbouring rotary pairs (ours) to the halves of a head (theirs)."""
    return weight.unflatten(0, (-1, head_size // 2, 2)).transpose(1, 2).flatten(0, 2)


def to_transformers(decoder: Decoder) -> dict[str, Tensor]:
    """Our weights under the names of transformers' Llama and Qwen2."""
    config = decoder.config
    size = config.width // config.heads
    weights = {"model.embed_tokens.weight": decoder.embed.weight, "model.norm.weight": decoder.norm.weight}
    weights["lm_head.weight"] = decoder.embed.weight if decoder.head is None else decoder.head.weight
    for index, layer in enumerate(decoder.layers):
        query, key, value = layer.attention.qkv.weight.split(
            [size * n for n in (config.heads, config.kv_heads, config.kv_heads)]
        )
        gate, up = layer.mlp.gate_up.weight.chunk(2)
        named = {
            "self_attn.q_proj": to_half_split(query, size),
            "self_attn.k_proj": to_half_split(key, size),
            "self_attn.v_proj": value,
            "self_attn.o_proj": layer.attention.out.weight,
            "mlp.gate_proj": gate,
            "mlp.up_proj": up,
            "mlp.down_proj": layer.mlp.down.weight,
            "input_layernorm": layer.attention_norm.weight,
            "post_attention_layernorm": layer.mlp_norm.weight,
        }
        weights |= {f"model.layers.{index}.{name}.weight": weight for name, weight in named.items()}
    return {name: weight.detach().clone() for name, weight in weights.items()}


@pytest.mark.parametrize("family", ["Llama", "Qwen2"])
@pytest.mark.parametrize(
    ("kv_heads", "tied", "theta"), [(2, True, 10_000.0), (1, False, 1_000_000.0), (4, True, 500.0)]
)
def test_the_decoder_equals_that_of_transformers(family, kv_heads, tied, theta):
    import transformers

    config = LanguageConfig(
        vocab_size=VOCAB, width=64, depth=3, heads=4, kv_heads=kv_heads, mlp_width=96, rope_theta=theta, tied=tied
    )
    decoder = Decoder(config)
    generator = torch.Generator().manual_seed(kv_heads)
    with torch.no_grad():
        for parameter in decoder.parameters():  # norms too: gains of one would hide a missing gain
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator) + (parameter.ndim == 1))
    theirs = getattr(transformers, f"{family}Config")(
        vocab_size=VOCAB,
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        intermediate_size=96,
        rms_norm_eps=config.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
        tie_word_embeddings=tied,
        attn_implementation="eager",
    )
    oracle = getattr(transformers, f"{family}ForCausalLM")(theirs).eval()
    missing, unexpected = oracle.load_state_dict(to_transformers(decoder), strict=False)
    assert not unexpected
    assert all(name.endswith("_proj.bias") for name in missing), missing
    with torch.no_grad():
        for name in missing:  # Qwen2's biases of query, key and value, which ours doesn't have
            oracle.get_parameter(name).zero_()
        ids = torch.randint(0, VOCAB, (2, 40), generator=generator)
        expected = oracle(ids).logits
        lengths = [40, 40]
        positions = torch.arange(40).repeat(2)
        hidden = decoder(decoder.embed(ids.flatten()), positions, Segments.from_lengths(lengths))
        found = decoder.logits(hidden).view(2, 40, VOCAB)
    assert expected.std() > 0.1, "an oracle that says nothing proves nothing"
    torch.testing.assert_close(found, expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-5)
