"""Moonlight in and out: scores and chosen experts of transformers' DeepseekV3ForCausalLM, names and refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vergence.errors import DataError
from vergence.inputs import Segments
from vergence.models.checkpoint import load_model, open_checkpoint
from vergence.models.hub import moonlight
from vergence.models.hub.convert import export_checkpoint, import_checkpoint
from vergence.models.hub.entries import Entry
from vergence.models.hub.public import Target
from vergence.models.language.decoder import Decoder
from vergence.presets import PRESETS
from vergence.processing.tokenizer import train_tokenizer

SIZES: Mapping[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 48,
    "intermediate_size": 80,
    "moe_intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "n_shared_experts": 2,
    "n_routed_experts": 8,
    "routed_scaling_factor": 2.446,
    "kv_lora_rank": 16,
    "q_lora_rank": None,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 12,
    "v_head_dim": 10,
    "n_group": 1,
    "topk_group": 1,
    "num_experts_per_tok": 3,
    "first_k_dense_replace": 1,
    "norm_topk_prob": True,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 256,
    "num_nextn_predict_layers": 0,
}
# A config.json as Moonshot publishes them: transformers 4 spelling, with keys that transformers 5 no longer knows.
PUBLISHED: Mapping[str, Any] = {
    **SIZES,
    "architectures": ["DeepseekV3ForCausalLM"],
    "model_type": "deepseek_v3",
    "auto_map": {"AutoModelForCausalLM": "modeling_deepseek.DeepseekV3ForCausalLM"},
    "rope_theta": 50_000.0,
    "rope_scaling": None,
    "hidden_act": "silu",
    "attention_bias": False,
    "tie_word_embeddings": False,
    "scoring_func": "sigmoid",
    "topk_method": "noaux_tc",
    "moe_layer_freq": 1,
    "aux_loss_alpha": 0.001,
    "seq_aux": True,
    "ep_size": 1,
    "bos_token_id": 90,
    "eos_token_id": 91,
}


@dataclass
class Public:
    """A public checkpoint in memory."""

    config: Mapping[str, Any]
    keys: Mapping[str, Tensor]
    documents: Mapping[str, Any] = field(default_factory=dict)
    chat_template: str | None = None

    def tensor(self, name: str) -> Tensor:
        return self.keys[name]

    def document(self, name: str) -> dict[str, Any]:
        return dict(self.documents.get(name, {}))


def join(entries: list[Entry], public: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {entry.ours: entry.join([public[name] for name in entry.theirs]) for entry in entries}


def split(entries: list[Entry], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor.contiguous()
        for entry in entries
        for name, tensor in zip(entry.theirs, entry.split(ours[entry.ours]), strict=True)
    }


@pytest.fixture(scope="module")
def oracle():
    import transformers

    torch.manual_seed(3)
    config = transformers.DeepseekV3Config(**SIZES, rope_parameters={"rope_type": "default", "rope_theta": 50_000.0})
    model = transformers.DeepseekV3ForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(std=0.25).add_(1.0 if "norm" in name else 0.0)
        for name, buffer in model.named_buffers():
            if name.endswith("e_score_correction_bias"):
                buffer.normal_(std=0.1)
    return model


@pytest.fixture(scope="module")
def published(oracle, tmp_path_factory) -> Public:
    """What transformers writes, whose tensors have the names of the hub."""
    folder = tmp_path_factory.mktemp("moonlight")
    oracle.save_pretrained(folder)
    return Public(json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors"))


def imported(public: Public) -> Decoder:
    config = moonlight.read_config(public).language
    decoder = Decoder(config)
    weights = join(moonlight.entries(moonlight.read_config(public), "hf"), public.keys)
    decoder.load_state_dict({name.removeprefix("language."): weight for name, weight in weights.items()}, assign=True)
    return decoder


def run(decoder: Decoder, ids: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Scores `[B, L, vocab]` and every mixture's chosen experts `[B * L, A]`, from one packed row of `[B, L]` ids."""
    chosen: list[Tensor] = []
    for mixture in decoder.mixtures:
        mixture.register_forward_pre_hook(lambda module, inputs: chosen.append(module.route(inputs[0])[1]))
    positions = torch.arange(ids.shape[1]).repeat(ids.shape[0])
    with torch.no_grad():
        hidden = decoder(decoder.embed(ids.flatten()), positions, Segments.from_lengths([ids.shape[1]] * len(ids)))
        return decoder.logits(hidden).view(*ids.shape, -1), chosen


def test_scores_and_chosen_experts_are_those_of_transformers(oracle, published):
    ids = torch.randint(0, 97, (3, 40))
    theirs: list[Tensor] = []
    handles = [
        layer.mlp.gate.register_forward_hook(lambda module, inputs, outputs: theirs.append(outputs[2]))
        for layer in oracle.model.layers[1:]
    ]
    with torch.no_grad():
        expected = oracle(ids).logits
    for handle in handles:
        handle.remove()
    found, chosen = run(imported(published), ids)
    assert expected.std() > 0.1, "an oracle that says nothing proves nothing"
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert len(chosen) == len(theirs) == 2
    for own, other in zip(chosen, theirs, strict=True):
        assert torch.equal(own.sort(dim=1).values, other.sort(dim=1).values)
        assert own.unique().numel() > 3, "the routers choose among the experts"


def test_a_published_config_says_the_same_as_that_of_transformers(published):
    config = moonlight.read_config(Public(PUBLISHED, published.keys)).language
    ours = moonlight.read_config(published).language
    assert config == ours
    assert (config.rope_theta, config.latent.value_size, config.experts.active) == (50_000.0, 10, 3)
    assert (config.experts.shared, config.experts.scale, config.tied) == (2, 2.446, False)


def test_every_tensor_is_written_as_it_was_read(published):
    entries = moonlight.entries(moonlight.read_config(published), "hf")
    ours = join(entries, published.keys)
    assert ours.keys() == {f"language.{name}" for name in imported(published).state_dict()}
    again = split(entries, ours)
    assert again.keys() == published.keys.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in published.keys.items())


@pytest.mark.parametrize("change", [{}, {"shared": 1}, {"dense_layers": 3}], ids=str)
def test_what_is_written_loads_in_transformers(tmp_path, change):
    import transformers

    config = PRESETS["kimi-vl-tiny"].model_copy(update={"vision": None, "projector": None})
    experts = config.language.experts.model_copy(update=change)
    config = config.model_copy(update={"language": config.language.model_copy(update={"experts": experts})})
    assert moonlight.exports(config)
    plain = config.language.model_copy(update={"experts": experts.model_copy(update={"shared": 0})})
    assert not moonlight.exports(config.model_copy(update={"language": plain})), "transformers always has shared ones"
    decoder = Decoder(config.language)
    with torch.no_grad():
        for name, weight in decoder.state_dict().items():
            weight.normal_(std=0.2).add_(1.0 if "norm" in name else 0.0)
    ours = {f"language.{name}": weight for name, weight in decoder.state_dict().items()}
    save_file(split(moonlight.entries(config, "hf"), ours), tmp_path / "model.safetensors", {"format": "pt"})
    documents = moonlight.write_documents(config, Target("hf", torch.float32))
    for name, document in documents.items():
        (tmp_path / name).write_text(json.dumps(document))
    model, info = transformers.DeepseekV3ForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    ids = torch.randint(0, 400, (2, 30))
    with torch.no_grad():
        torch.testing.assert_close(run(decoder, ids)[0], model(ids).logits, atol=1e-4, rtol=1e-4)
    again = moonlight.read_config(Public(documents["config.json"], load_file(tmp_path / "model.safetensors")))
    assert again.language == config.language


def test_other_keys_of_the_original_config_are_kept_but_not_its_code(published):
    config = moonlight.read_config(published)
    written = moonlight.write_documents(config, Target("hf", torch.bfloat16, original={"config.json": PUBLISHED}))
    document = written["config.json"]
    assert {key: document[key] for key in PUBLISHED if key != "auto_map"} == {
        key: value for key, value in PUBLISHED.items() if key != "auto_map"
    }
    assert "auto_map" not in document
    assert document["torch_dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"q_lora_rank": 1536}, "q_lora_rank 1536 is not supported (null is)"),
        ({"n_group": 8}, "n_group 8 is not supported (1 is)"),
        ({"topk_group": 4}, "topk_group 4 is not supported (1 is)"),
        ({"n_group": "absent"}, "n_group 8 (which is what its absence means) is not supported (1 is)"),
        ({"scoring_func": "softmax"}, "scoring_func 'softmax' is not supported ('sigmoid' is)"),
        ({"topk_method": "greedy"}, "topk_method 'greedy' is not supported ('noaux_tc' is)"),
        ({"rope_scaling": {"type": "yarn", "factor": 40}}, "rope_scaling {'type': 'yarn', 'factor': 40} is not"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "rope_parameters: rope_type 'yarn' is not supported"),
        ({"moe_layer_freq": 2}, "moe_layer_freq 2 is not supported (1 is)"),
        ({"moe_layer_freq": True}, "moe_layer_freq True is not supported (1 is)"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu' is not supported ('silu' is)"),
        ({"attention_bias": True}, "attention_bias True is not supported (False is)"),
        ({"rope_interleave": False}, "rope_interleave False is not supported (True is)"),
        ({"quantization_config": {"quant_method": "fp8"}}, "quantization_config {'quant_method': 'fp8'} is not"),
        ({"num_key_value_heads": 2}, "num_key_value_heads must be num_attention_heads (4)"),
        ({"hidden_size": "absent"}, "hidden_size is missing"),
        ({"hidden_size": "48"}, "hidden_size must be a whole number, found '48'"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000, but the checkpoint has"),
        ({"n_routed_experts": 10**9}, "n_routed_experts is 1000000000, but the checkpoint has"),
        ({"num_experts_per_tok": 9}, "active 9 must not exceed count 8"),
        ({"first_k_dense_replace": 4}, "dense_layers 4 must not exceed depth 3"),
    ],
    ids=str,
)
def test_what_is_not_supported_is_refused_by_its_key(published, change, message):
    config = {key: value for key, value in {**PUBLISHED, **change}.items() if value != "absent"}
    with pytest.raises(DataError, match=re.escape(message)) as error:
        moonlight.read_config(Public(config, published.keys))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("config.json: ")


def test_layers_that_predict_ahead_are_left_out():
    patterns = moonlight.ignored({**PUBLISHED, "num_nextn_predict_layers": 1})
    names = {
        "model.layers.3.eh_proj.weight": True,
        "language_model.model.layers.3.self_attn.q_proj.weight": True,
        "model.layers.2.self_attn.q_proj.weight": False,
        "model.layers.30.self_attn.q_proj.weight": False,
        "model.layers.4.eh_proj.weight": False,
    }
    assert {name: any(re.fullmatch(pattern, name) for pattern in patterns) for name in names} == names
    assert moonlight.ignored(PUBLISHED) == ()


def test_a_head_that_is_there_is_used_and_a_tied_one_may_be_missing(published):
    tied = {**PUBLISHED, "tie_word_embeddings": True}
    assert not moonlight.read_config(Public(tied, published.keys)).language.tied
    without = {name: tensor for name, tensor in published.keys.items() if name != "lm_head.weight"}
    public = Public(tied, without)
    assert moonlight.read_config(public).language.tied
    assert "language.head.weight" not in join(moonlight.entries(moonlight.read_config(public), "hf"), without)
    assert not moonlight.read_config(Public(PUBLISHED, without)).language.tied, "a head is missing there, not tied"


def test_it_is_recognised_by_its_names(published):
    assert moonlight.matches(published.config, published.keys.keys())
    assert not moonlight.matches({"model_type": "deepseek_v3"}, {"model.layers.0.self_attn.q_proj.weight"})


def test_what_transformers_saves_is_imported_and_exported_to_the_bit(oracle, tmp_path):
    import transformers

    oracle.save_pretrained(tmp_path / "public")
    tokenizer = train_tokenizer(["a wall"], vocab_size=97 + 256, special_tokens=["<|im_end|>"])
    assert tokenizer.size > 97, "a tokenizer of so small a model can't hold all bytes"
    (tmp_path / "public" / "tokenizer.json").write_text(tokenizer.backend.to_str())
    import_checkpoint(str(tmp_path / "public"), tmp_path / "ours")
    model, config = load_model(open_checkpoint(tmp_path / "ours"))
    assert config.vision is None
    export_checkpoint(tmp_path / "ours", tmp_path / "again")
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("public", "again"))
    assert first.keys() == second.keys()
    assert all(torch.equal(second[name], tensor) for name, tensor in first.items())
    again = transformers.DeepseekV3ForCausalLM.from_pretrained(tmp_path / "again").eval()
    ids = torch.randint(0, 97, (1, 20))
    with torch.no_grad():
        assert torch.equal(again(ids).logits, oracle(ids).logits)
        torch.testing.assert_close(run(model.language, ids)[0], oracle(ids).logits, atol=1e-4, rtol=1e-4)
