"""The presets' sizes against published ones, counted without allocating a weight."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vergence.models.vision.vit import VisionTransformer
from vergence.models.vlm import VLM
from vergence.presets import PRESETS


def on_meta(name: str) -> VLM:
    with torch.device("meta"):
        return VLM(PRESETS[name])


def count(module: nn.Module | None) -> int:
    assert module is not None
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "whole", "vision", "projector", "language"),
    [
        # transformers' LlavaOnevisionForConditionalGeneration: 0.8937B, 8.031B, 73.18B; a tied head counts once.
        ("llava-onevision-0.5b", 893_675_552, 397_747_744, 1_837_696, 494_090_112),
        ("llava-onevision-7b", 8_030_807_584, 397_747_744, 16_984_576, 7_616_075_264),
        ("llava-onevision-72b", 73_181_570_592, 397_747_744, 76_570_624, 72_707_252_224),
        # Kimi-VL-A3B: 16.4B; Moonlight: 15.96B (arXiv 2502.16982, table 3, rounds to 16B); MoonViT: 400M (417M).
        ("kimi-vl-a3b", 16_407_654_384, 416_866_032, 30_679_808, 15_960_108_544),
        # Seed1.5-VL, Table 1: a vision encoder of 532M.
        ("seed1.5-vl", 8_164_650_496, 531_594_240, 17_439_744, 7_615_616_512),
    ],
)
def test_sizes_are_the_published_ones(name, whole, vision, projector, language):
    model = on_meta(name)
    assert (count(model.vision), count(model.language)) == (vision, language)
    assert count(model.projector) == projector
    assert count(model) == whole == vision + projector + language


def test_llava_onevision_has_the_parameters_of_transformers():
    import transformers

    preset = PRESETS["llava-onevision-0.5b"]
    language = preset.language
    config = transformers.LlavaOnevisionConfig(
        vision_config=transformers.SiglipVisionConfig(
            hidden_size=1152,
            intermediate_size=4304,
            num_hidden_layers=26,
            num_attention_heads=16,
            image_size=384,
            patch_size=14,
            vision_use_head=False,
        ),
        text_config=transformers.Qwen2Config(
            vocab_size=language.vocab_size,
            hidden_size=language.width,
            intermediate_size=language.mlp_width,
            num_hidden_layers=language.depth,
            num_attention_heads=language.heads,
            num_key_value_heads=language.kv_heads,
            tie_word_embeddings=True,
        ),
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        oracle = transformers.LlavaOnevisionForConditionalGeneration(config)
    assert sum({id(weight): weight.numel() for weight in oracle.parameters()}.values()) == count(
        on_meta("llava-onevision-0.5b")
    )


def test_kimi_vl_has_the_parameters_of_transformers():
    import transformers

    language = PRESETS["kimi-vl-a3b"].language
    experts, latent = language.experts, language.latent
    config = transformers.DeepseekV3Config(
        vocab_size=language.vocab_size,
        hidden_size=language.width,
        intermediate_size=language.mlp_width,
        moe_intermediate_size=experts.width,
        num_hidden_layers=language.depth,
        num_attention_heads=language.heads,
        num_key_value_heads=language.kv_heads,
        n_shared_experts=experts.shared,
        n_routed_experts=experts.count,
        num_experts_per_tok=experts.active,
        first_k_dense_replace=experts.dense_layers,
        kv_lora_rank=latent.kv_rank,
        q_lora_rank=None,
        qk_rope_head_dim=latent.rope_size,
        qk_nope_head_dim=latent.nope_size,
        v_head_dim=latent.value_size,
        n_group=1,
        topk_group=1,
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        oracle = transformers.DeepseekV3ForCausalLM(config)
    assert count(oracle) == count(on_meta("kimi-vl-a3b").language)


def test_moonlight_activates_2_24_billion_parameters_a_token():
    """Without embeddings and head (Moonlight, arXiv 2502.16982, table 3: 2.24B activated); 2.915B with both."""
    config = PRESETS["kimi-vl-a3b"].language
    language = on_meta("kimi-vl-a3b").language
    idle = 0
    for mixture in language.mixtures:
        routed = count(mixture.experts)
        idle += routed - routed // config.experts.count * config.experts.active
    active = count(language) - idle
    assert f"{active / 1e9:.3f}" == "2.915"
    assert f"{(active - 2 * count(language.embed)) / 1e9:.3f}" == "2.244"


def test_a_mixture_starts_after_the_first_layer():
    language = on_meta("kimi-vl-a3b").language
    assert len(language.mixtures) == 26
    assert count(language.layers[0].mlp) == 3 * 2048 * 11_264
    assert count(language.layers[1].mlp.shared) == 3 * 2048 * 2816


def test_encoders_alone_have_the_published_sizes():
    """MoonViT: 27 layers of SigLIP's and a table of 64 x 64; SigLIP: 26 layers and the norm that isn't applied."""
    sizes = {"kimi-vl-a3b": "416.87", "llava-onevision-7b": "397.75", "seed1.5-vl": "531.59"}
    for name, size in sizes.items():
        with torch.device("meta"):
            encoder = VisionTransformer(PRESETS[name].vision)
        assert f"{count(encoder) / 1e6:.2f}" == size


@pytest.mark.parametrize("name", [name for name in PRESETS if name.endswith("tiny")])
def test_tiny_presets_are_tiny_and_name_themselves(name):
    assert PRESETS[name].preset == name
    assert count(on_meta(name)) < 2_000_000


def test_every_preset_is_one_of_the_names_that_a_recipe_may_give():
    from typing import get_args

    from vergence.presets import PresetName

    assert set(PRESETS) == set(get_args(PresetName))
