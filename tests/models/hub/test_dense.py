"""Qwen2, Qwen3 and Llama: equal to transformers, in and out, whatever spelling their config.json has."""

from __future__ import annotations

import json

import pytest
import torch
import transformers
from public_models import edit, imported, logits, randomise, round_trip, sample, save
from safetensors.torch import load_file, save_file

from vergence.errors import DataError
from vergence.models.hub import dense
from vergence.models.hub.convert import import_checkpoint

torch.set_num_threads(1)

SIZES = {
    "vocab_size": 320,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
MODELS = {
    "qwen2-tied": ("Qwen2", {"tie_word_embeddings": True}),
    "qwen2-untied": ("Qwen2", {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}),
    "qwen3": ("Qwen3", {"head_dim": 20, "tie_word_embeddings": True}),
    "qwen3-untied": ("Qwen3", {"head_dim": 12}),
    "llama": ("Llama", {"tie_word_embeddings": True}),
    "llama-head-size": ("Llama", {"head_dim": 32}),
    "llama3": ("Llama", {"rope_parameters": LLAMA3}),
}


def build(name: str, seed: int = 0):
    family, changes = MODELS[name]
    config = getattr(transformers, f"{family}Config")(**{**SIZES, **changes})
    return randomise(getattr(transformers, f"{family}ForCausalLM")(config), seed)


@pytest.fixture(scope="module")
def ids():
    return torch.randint(0, SIZES["vocab_size"], (150,), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", MODELS)
def test_logits_equal_those_of_transformers_in_and_out(name, ids, tmp_path):
    theirs = build(name)
    ours = imported(save(theirs, tmp_path / "hub"), tmp_path / "ours")
    with torch.no_grad():
        expected = theirs(ids[None]).logits[0]
    torch.testing.assert_close(logits(ours, sample(ids)), expected, atol=1e-4, rtol=1e-4)
    assert ours.config.language.tied == bool(theirs.config.tie_word_embeddings)
    folder = round_trip(tmp_path / "ours", tmp_path / "out")
    again, info = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    assert type(again) is type(theirs)
    with torch.no_grad():
        assert torch.equal(again(ids[None]).logits[0], expected)


@pytest.mark.parametrize("kind", ["Qwen2", "Qwen3", "Llama"])
def test_keys_that_are_left_out_mean_what_they_mean_in_transformers(kind):
    config = getattr(transformers, f"{kind}Config")()
    for key, value in dense.DEFAULTS[kind.lower()].items():
        expected = getattr(config, key, None)
        if key == "head_dim" and value == 0:
            assert expected in (None, config.hidden_size // config.num_attention_heads)
        elif key == "num_key_value_heads" and value == 0:
            assert expected == config.num_attention_heads
        else:
            assert value == expected, key


@pytest.mark.parametrize("name", ["qwen2-untied", "llama3"])
def test_the_spelling_of_transformers_4_means_the_same(name, ids, tmp_path):
    folder = save(build(name), tmp_path / "hub")
    first = imported(folder, tmp_path / "first")
    rope = json.loads((folder / "config.json").read_text())["rope_parameters"]
    theta = rope.pop("rope_theta")
    scaling = {("type" if key == "rope_type" else key): value for key, value in rope.items()}
    edit(folder, "config.json", rope_parameters=None, rope_theta=theta, rope_scaling=scaling)
    assert imported(folder, tmp_path / "second").config == first.config
    assert first.config.language.rope_theta == theta


def test_a_stored_tied_head_is_tied_and_written_again(tmp_path):
    folder = save(build("qwen2-tied"), tmp_path / "hub")
    weights = load_file(folder / "model.safetensors")
    assert "lm_head.weight" not in weights
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    edit(folder, "config.json", tie_word_embeddings=False)
    ours = imported(folder, tmp_path / "ours")
    assert ours.config.language.tied
    assert ours.language.head is None
    written = load_file(round_trip(tmp_path / "ours", tmp_path / "out") / "model.safetensors")
    assert written.keys() == weights.keys()
    assert all(torch.equal(written[name], weight) for name, weight in weights.items())


def test_a_stored_head_of_its_own_is_untied_whatever_the_configuration_says(tmp_path):
    folder = save(build("qwen2-untied"), tmp_path / "hub")
    edit(folder, "config.json", tie_word_embeddings=True)
    assert not imported(folder, tmp_path / "ours").config.language.tied


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_type 'yarn' is not supported"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 4.0}}, "rope_type 'linear'"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}, "rope_type 'dynamic'"),
        ({"rope_scaling": [4.0]}, "rope_scaling must be a mapping"),
        ({"use_sliding_window": True}, "use_sliding_window True is not supported"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
        ({"attention_bias": True}, "attention_bias True is not supported"),
        ({"mlp_bias": True}, "mlp_bias True is not supported"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu' is not supported"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor 0.5 is not supported"),
        ({"quantization_config": {"quant_method": "awq"}}, "quantised .'awq'"),
        ({"hidden_size": "48"}, "hidden_size must be a whole number, found '48'"),
        ({"hidden_size": True}, "hidden_size must be a whole number, found True"),
        ({"rms_norm_eps": "tiny"}, "rms_norm_eps must be a number"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000, but the checkpoint has 21 tensors"),
        ({"num_hidden_layers": -1}, "depth"),
        ({"num_attention_heads": 0}, "heads"),
        ({"num_attention_heads": 7}, "heads"),
        ({"vocab_size": -5}, "vocab_size"),
        ({"intermediate_size": 10**15}, "of another shape"),
        ({"intermediate_size": 10**18}, "larger than any can be"),
        ({"vocab_size": 10**30}, "larger than any can be"),
        ({"model_type": "mistral", "architectures": ["MistralForCausalLM"]}, "no supported family .* 'mistral'"),
    ],
)
def test_what_our_decoder_does_not_have_is_refused_by_name(changes, message, tmp_path):
    folder = save(build("llama3"), tmp_path / "hub")
    edit(folder, "config.json", **{"rope_parameters": None, **changes})
    with pytest.raises(DataError, match=message) as caught:
        import_checkpoint(str(folder), tmp_path / "ours")
    assert str(caught.value).startswith(str(folder))
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


def test_an_edited_model_type_is_seen_through_by_the_architecture(tmp_path):
    folder = save(build("qwen3"), tmp_path / "hub")
    edit(folder, "config.json", model_type="my-finetune")
    assert imported(folder, tmp_path / "ours").config.language.qk_norm


def test_the_type_of_the_weights_is_kept_or_converted(tmp_path):
    folder = save(build("qwen3").to(torch.bfloat16), tmp_path / "hub")
    kept = imported(folder, tmp_path / "kept")
    assert {weight.dtype for weight in kept.parameters()} == {torch.bfloat16}
    wide = imported(folder, tmp_path / "wide", dtype="float32")
    for name, weight in wide.state_dict().items():
        assert torch.equal(weight, kept.state_dict()[name].float()), name
    out = round_trip(tmp_path / "kept", tmp_path / "out")
    assert json.loads((out / "config.json").read_text())["torch_dtype"] == "bfloat16"
    assert {weight.dtype for weight in load_file(out / "model.safetensors").values()} == {torch.bfloat16}
