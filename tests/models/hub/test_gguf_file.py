"""GGUF: the same tensors, configuration and tokens as other readers find, and a damaged file is named in one line."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from gguf_models import HEAD_DIM, HEADS, HIDDEN, refused, smollm2, write
from hypothesis import given
from hypothesis import strategies as st

from vergence.errors import DataError, UsageError
from vergence.models.hub.gguf_file import read_gguf

gguf = pytest.importorskip("gguf")


@pytest.mark.parametrize(
    ("architecture", "kind", "tied"),
    [
        ("llama", "F32", False),
        ("llama", "Q8_0", True),
        ("llama", "Q4_1", False),
        ("qwen2", "Q5_0", True),
        ("qwen3", "Q4_0", False),
    ],
)
def test_tensors_and_config_are_those_of_transformers(tmp_path, architecture, kind, tied):
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    keys = {"attention.key_length": HEAD_DIM, "attention.value_length": HEAD_DIM}
    path = write(tmp_path / "m.gguf", architecture, kind=kind, tied=tied, keys=keys if architecture == "qwen3" else {})
    model = read_gguf(path)
    config = AutoConfig.from_pretrained(tmp_path, gguf_file="m.gguf")
    config.head_dim = HEAD_DIM  # transformers doesn't read qwen3's
    with torch.device("meta"):
        oracle = AutoModelForCausalLM.from_config(config)
    expected = load_gguf_checkpoint(path, return_tensors=True, model_to_load=oracle)["tensors"]
    assert model.keys.keys() == expected.keys()
    for name, tensor in expected.items():
        found = model.tensor(name)
        assert found.dtype == model.keys[name].dtype == torch.float32
        assert tuple(found.shape) == model.keys[name].shape
        assert torch.equal(found, tensor), name
    for name, value in model.config.items():
        if name == "rope_theta":
            assert config.rope_parameters["rope_theta"] == value == 50_000.0
        elif name == "rms_norm_eps":  # the file holds 1e-5 as float32, which we read as it was meant
            assert (value, np.float32(value)) == (1e-5, np.float32(config.rms_norm_eps))
        elif name != "architectures":
            assert getattr(config, name) == value, name
    assert model.config["tie_word_embeddings"] is tied
    assert model.config["architectures"] == [type(oracle).__name__]


@pytest.mark.parametrize(("kind", "dtype"), [("F16", torch.float16), ("BF16", torch.bfloat16)])
def test_half_precision_is_kept(tmp_path, kind, dtype):
    model = read_gguf(write(tmp_path / "m.gguf", "qwen2", kind=kind))
    reader = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    found = model.tensor("model.layers.1.mlp.up_proj.weight")
    plain = reader["blk.1.ffn_up.weight"]
    assert found.dtype == model.keys["model.layers.1.mlp.up_proj.weight"].dtype == dtype
    assert torch.equal(found.float(), torch.tensor(gguf.dequantize(plain.data, plain.tensor_type)))
    assert model.tensor("model.norm.weight").dtype == torch.float32


def test_a_large_tensor_is_dequantised_in_parts(tmp_path, monkeypatch):
    whole = read_gguf(write(tmp_path / "m.gguf", kind="Q8_0")).tensor("model.embed_tokens.weight")
    monkeypatch.setattr("vergence.models.hub.gguf_file.CHUNK", 5 * HIDDEN)
    assert torch.equal(read_gguf(tmp_path / "m.gguf").tensor("model.embed_tokens.weight"), whole)


def test_special_tokens_and_template(tmp_path):
    model = read_gguf(write(tmp_path / "m.gguf"))
    assert (model.bos, model.ends, model.chat_template) == ("<|start|>", ("<|end|>",), "{{ messages }}")
    assert (model.config["bos_token_id"], model.config["eos_token_id"]) == (1, 0)
    assert model.document("config.json") == model.config
    assert model.document("tokenizer_config.json") == {"bos_token": "<|start|>", "eos_token": "<|end|>"}
    assert model.document("preprocessor_config.json") == {}
    with pytest.raises(DataError, match=r"no tensor 'lm_head.bias'"):
        model.tensor("lm_head.bias")


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_llama3_scaling_is_recognised(tmp_path, factor):
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    published = {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    sizes = {"hidden_size": HIDDEN, "num_attention_heads": HEADS, "head_dim": HEAD_DIM}
    scaled = LlamaConfig(**sizes, rope_parameters={**published, "rope_theta": 500_000.0})
    frequencies, _ = ROPE_INIT_FUNCTIONS["llama3"](scaled, torch.device("cpu"))
    plain = 500_000.0 ** -(torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    divisors = (plain / frequencies).numpy().astype(np.float32)
    keys = {"rope.freq_base": 500_000.0}
    model = read_gguf(write(tmp_path / "m.gguf", keys=keys, extra={"rope_freqs.weight": divisors}))
    assert model.config["rope_scaling"] == published
    assert "rope_freqs" not in " ".join(model.keys)
    divisors[3] *= 1.5
    refused(write(tmp_path / "n.gguf", keys=keys, extra={"rope_freqs.weight": divisors}), "isn't Llama 3's")
    refused(write(tmp_path / "o.gguf", keys=keys, extra={"rope_freqs.weight": divisors[1:]}), "must be 8 F32 numbers")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "gemma"}, r"architecture 'gemma' is not supported \(llama, qwen2, qwen3 are\)"),
        ({"without": "embedding_length"}, r"llama\.embedding_length is missing"),
        ({"without": "attention.layer_norm_rms_epsilon"}, r"attention\.layer_norm_rms_epsilon is missing"),
        ({"keys": {"embedding_length": 0}}, r"embedding_length is 0, expected one whole number"),
        ({"keys": {"embedding_length": 64.0}}, r"embedding_length is 64\.0, expected one whole number"),
        ({"keys": {"block_count": "two"}}, r"block_count is 'two', expected one whole number"),
        ({"keys": {"rope.freq_base": float("nan")}}, r"rope\.freq_base is nan, expected a number above 0"),
        ({"keys": {"attention.key_length": 32}}, "heads of 32 whose values or rotated parts have another size"),
        ({"keys": {"attention.key_length": 24, "rope.dimension_count": 24}}, "no heads of 24"),
        ({"extra": {"blk.0.ffn_gate_exps.weight": np.zeros((2, 32), np.float32)}}, "not part of a dense llama model"),
        ({"extra": {"output.bias": np.zeros(32, np.float32)}}, "'output.bias' is not part of a dense llama model"),
        ({"extra": {"blk.0.attn_q.bias": np.zeros(32, np.int32)}}, "is I32, which no weight is"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path, change, message):
    if change.get("keys", {}).get("attention.key_length") == 24:
        change["keys"]["attention.value_length"] = 24
    refused(write(tmp_path / "m.gguf", **change), message)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    return write(tmp_path_factory.mktemp("whole") / "m.gguf", kind="Q8_0").read_bytes()


@given(st.data())
def test_any_damage_is_a_data_error_or_harmless(tmp_path_factory, whole, data):
    path = tmp_path_factory.mktemp("damage") / "m.gguf"
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):  # mostly in the header
        content[data.draw(st.integers(0, 1000) | st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.just(len(whole)) | st.integers(0, len(whole)))])
    try:
        model = read_gguf(path)
        for name in list(model.keys)[:3]:
            model.tensor(name)
        _ = model.tokenizer_json, model.ends
    except DataError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message


def test_a_file_that_shrinks_while_it_is_read_is_named(tmp_path):
    path = write(tmp_path / "m.gguf")
    model = read_gguf(path)
    path.write_bytes(path.read_bytes()[:-HIDDEN])
    with pytest.raises(DataError, match=r"truncated while it was read \(tensor 'output.weight' is incomplete\)"):
        model.tensor("lm_head.weight")


def test_without_the_package_the_command_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "m.gguf")
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(UsageError, match=r"pip install 'vergence\[gguf\]'"):
        read_gguf(path)


def test_a_real_model():
    path = smollm2()
    model = read_gguf(path)
    assert model.config == {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 49_152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "head_dim": 64,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 100_000.0,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    assert (model.bos, model.ends) == ("<|im_start|>", ("<|im_end|>",))
    assert len(model.keys) == 272
    # llama.cpp's converter swaps the two sizes of each head's rows: [heads, 2, rows] became [heads, rows, 2].
    key = "model.layers.7.self_attn.k_proj.weight"
    plain = model.keys[key].stored
    assert (plain.name, plain.kind, plain.shape) == ("blk.7.attn_k.weight", "Q4_1", (192, 576))
    content = np.fromfile(path, np.uint8, plain.nbytes, offset=plain.offset).reshape(192, -1)
    rows = gguf.dequantize(content, gguf.GGMLQuantizationType.Q4_1).reshape(3, 32, 2, 576).swapaxes(1, 2)
    assert np.array_equal(model.tensor(key).numpy(), rows.reshape(192, 576))
