"""A GGUF language model, read with the names and the config.json of the same model on the Hugging Face hub.

Supported are the dense architectures llama (also SmolLM2), qwen2 and qwen3. Quantised tensors become float32, one at a
time; tensors stored as float32, float16 or bfloat16 stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vergence.errors import DataError
from vergence.models.hub import gguf_tokenizer
from vergence.models.hub.entries import to_halves
from vergence.models.hub.gguf_header import StoredTensor, load_gguf, read_header

ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
ROPE_FACTORS = "rope_freqs.weight"
HEAD = "output.weight"
PLAIN = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
NOT_WEIGHTS = ("I8", "I16", "I32", "I64")
CHUNK = 2**20  # numbers that are dequantised at once: the package needs several times their memory

_OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_INSIDE = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_LAYER = re.compile(r"blk\.(\d{1,5})\.(\w+)\.(weight|bias)", re.ASCII)
_ROTARY = re.compile(r"model\.layers\.\d+\.self_attn\.[qk]_proj\.(weight|bias)")


@dataclass(frozen=True, slots=True)
class GGUFTensor:
    """A tensor as `GGUFModel.tensor` returns it, and where it is stored."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    stored: StoredTensor


@dataclass(frozen=True, slots=True)
class GGUFModel:
    """An opened GGUF file: its config.json and tensors under Hugging Face names."""

    path: Path
    metadata: Mapping[str, Any]
    config: Mapping[str, Any]
    keys: Mapping[str, GGUFTensor]

    def tensor(self, name: str) -> Tensor:
        """One tensor, on the CPU. Raises `DataError` where there is none or the file has changed."""
        if name not in self.keys:
            raise DataError(f"{self.path}: no tensor {name!r:.80}")
        found = _read(self.path, self.keys[name])
        if self.config["model_type"] == "llama" and _ROTARY.fullmatch(name):
            # llama.cpp's converter puts the rotary pairs of Llama beside each other, and of no other architecture.
            return to_halves(found, self.config["head_dim"])
        return found

    @property
    def tokenizer_json(self) -> str:
        """The content of its tokenizer.json. Raises `DataError` where the tokenizer isn't supported."""
        return gguf_tokenizer.tokenizer_json(self.metadata, self.path)

    @property
    def chat_template(self) -> str | None:
        """The Jinja text of its chat template."""
        found = self.metadata.get("tokenizer.chat_template")
        return found if isinstance(found, str) and found else None

    @property
    def bos(self) -> str | None:
        """The token that a text begins with, if the model has one; `add_bos_token` says whether it is put there."""
        return gguf_tokenizer.special_token(self.metadata, "bos_token_id", self.path)

    @property
    def ends(self) -> tuple[str, ...]:
        """The tokens that end an answer, the model's end of sequence first."""
        names = ("eos_token_id", "eot_token_id", "eom_token_id")
        found = [gguf_tokenizer.special_token(self.metadata, name, self.path) for name in names]
        return tuple(dict.fromkeys(token for token in found if token is not None))

    def document(self, name: str) -> dict[str, Any]:
        """The JSON file of that name that such a model has on the hub, as far as the metadata tell; else empty."""
        if name == "config.json":
            return dict(self.config)
        if name == "tokenizer_config.json":
            add = self.metadata.get("tokenizer.ggml.add_bos_token")
            found = {"bos_token": self.bos, "eos_token": next(iter(self.ends), None), "add_bos_token": add}
            return {key: value for key, value in found.items() if value is not None}
        return {}


def read_gguf(path: Path) -> GGUFModel:
    """Open a GGUF file. Its header is read and checked; tensors are read when they are asked for.

    Raises `UsageError` where the gguf package is missing, and `DataError` that names what is damaged or not supported.
    """
    header = read_header(path)
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise DataError(f"{path}: architecture {architecture!r:.40} is not supported ({known} are)")
    keys: dict[str, GGUFTensor] = {}
    for name, stored in header.tensors.items():
        if name == ROPE_FACTORS:
            continue
        if stored.kind in NOT_WEIGHTS:
            raise DataError(f"{path}: tensor {name!r:.80} is {stored.kind}, which no weight is")
        dtype = PLAIN.get(stored.kind, torch.float32)
        keys[_hub_name(name, architecture, path)] = GGUFTensor(dtype, stored.shape, stored)
    config = _config(header.metadata, architecture, header.tensors, path)
    _check_rotary(config, keys, path)
    return GGUFModel(path, header.metadata, config, keys)


def _hub_name(name: str, architecture: str, path: Path) -> str:
    """The tensor's name on the Hugging Face hub. Raises `DataError` for one that a dense model doesn't have."""
    match = _LAYER.fullmatch(name)
    if match and match[2] in _INSIDE:
        return f"model.layers.{int(match[1])}.{_INSIDE[match[2]]}.{match[3]}"
    stem, _, kind = name.rpartition(".")
    if stem in _OUTSIDE and kind == "weight":
        return f"{_OUTSIDE[stem]}.weight"
    raise DataError(f"{path}: tensor {name!r:.80} is not part of a dense {architecture} model")


def _config(
    metadata: Mapping[str, Any], architecture: str, tensors: Mapping[str, StoredTensor], path: Path
) -> dict[str, Any]:
    """The model's config.json."""

    def number(key: str, default: float | None = None) -> float:
        value = metadata.get(f"{architecture}.{key}", default)
        if type(value) not in (int, float) or not 0 < value < 2**63:
            found = "missing" if value is None else f"{value!r:.40}, expected a number above 0"
            raise DataError(f"{path}: {architecture}.{key} is {found}")
        # Numbers were rounded to float32 when they were written: 1e-5 is there as 9.999999747378752e-06.
        return float(str(np.float32(value)))

    def size(key: str, default: int | None = None) -> int:
        value = metadata.get(f"{architecture}.{key}", default)
        if type(value) is not int or not 0 < value < 2**63:
            found = "missing" if value is None else f"{value!r:.40}, expected one whole number above 0"
            raise DataError(f"{path}: {architecture}.{key} is {found}")
        return value

    hidden, heads = size("embedding_length"), size("attention.head_count")
    head_dim = size("attention.key_length", size("rope.dimension_count", hidden // heads))
    if size("attention.value_length", head_dim) != head_dim or size("rope.dimension_count", head_dim) != head_dim:
        raise DataError(f"{path}: heads of {head_dim} whose values or rotated parts have another size aren't supported")
    tokens = metadata.get("tokenizer.ggml.tokens")
    config = {
        "architectures": [ARCHITECTURES[architecture]],
        "model_type": architecture,
        "vocab_size": size("vocab_size", len(tokens) if isinstance(tokens, list) else None),
        "hidden_size": hidden,
        "intermediate_size": size("feed_forward_length"),
        "num_hidden_layers": size("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": size("attention.head_count_kv", heads),
        "head_dim": head_dim,
        "hidden_act": "silu",
        "rms_norm_eps": number("attention.layer_norm_rms_epsilon"),
        "rope_theta": number("rope.freq_base", 10_000.0),
        "max_position_embeddings": size("context_length"),
        "tie_word_embeddings": HEAD not in tensors,
    }
    if metadata.get(f"{architecture}.attention.sliding_window"):
        config |= {"use_sliding_window": True, "sliding_window": size("attention.sliding_window")}
    scaling = metadata.get(f"{architecture}.rope.scaling.type", "none")
    if scaling != "none":
        config["rope_scaling"] = {"rope_type": scaling, "factor": number("rope.scaling.factor", 1.0)}
    if ROPE_FACTORS in tensors:
        config["rope_scaling"] = _llama3_scaling(config, tensors[ROPE_FACTORS], path)
    for name in ("bos_token_id", "eos_token_id"):
        if gguf_tokenizer.special_token(metadata, name, path) is not None:
            config[name] = metadata[f"tokenizer.ggml.{name}"]
    return config


def _check_rotary(config: Mapping[str, Any], keys: Mapping[str, GGUFTensor], path: Path) -> None:
    """Raise `DataError` where queries or keys can't be cut into heads, so that reading them can't fail later."""
    for name, info in keys.items():
        if _ROTARY.fullmatch(name) and (config["head_dim"] % 2 or info.shape[0] % config["head_dim"]):
            raise DataError(f"{path}: tensor {name!r} has {info.shape[0]} rows, no heads of {config['head_dim']}")


def _llama3_scaling(config: Mapping[str, Any], stored: StoredTensor, path: Path) -> dict[str, Any] | None:
    """Llama 3's rotary scaling, of which the file holds only each frequency's divisor, from the published ones.

    The largest divisor is the factor; the other parameters are the same in all Llama 3 models. Raises `DataError` where
    these parameters give other divisors. Formula: `_compute_llama3_parameters` of transformers' modeling_rope_utils.py.
    """
    if stored.kind != "F32" or stored.shape != (config["head_dim"] // 2,):
        raise DataError(f"{path}: {ROPE_FACTORS} must be {config['head_dim'] // 2} F32 numbers")
    divisors = _read(path, GGUFTensor(torch.float32, stored.shape, stored)).double()
    low, high, old_context = 1.0, 4.0, 8192
    factor = round(divisors.max().item(), 3)
    steps = torch.arange(0, config["head_dim"], 2, dtype=torch.float64) / config["head_dim"]
    turns = old_context / (2 * torch.pi * config["rope_theta"] ** steps)  # full turns within the old context
    smooth = ((turns - low) / (high - low)).clamp(0, 1)
    if not torch.allclose(divisors, 1 / ((1 - smooth) / factor + smooth), rtol=1e-4):
        raise DataError(f"{path}: {ROPE_FACTORS} hold a rotary scaling that isn't Llama 3's; it is not supported")
    return (
        None
        if factor == 1
        else {
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low,
            "high_freq_factor": high,
            "original_max_position_embeddings": old_context,
        }
    )


def _read(path: Path, info: GGUFTensor) -> Tensor:
    """A tensor as it is stored, or dequantised to float32 a few rows at a time."""
    gguf, stored = load_gguf(), info.stored
    kind = gguf.GGMLQuantizationType[stored.kind]
    out = torch.empty(info.shape, dtype=info.dtype)
    rows = stored.shape[0] if len(stored.shape) > 1 else 1
    content = out.view(torch.uint8).numpy() if stored.kind in PLAIN else None
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(stored.offset)
            if content is not None:
                _fill(file, content.reshape(-1), path, stored.name)
                return out
            per_row = stored.nbytes // max(rows, 1)
            chunk = max(1, CHUNK // max(1, out.numel() // max(rows, 1)))
            flat = out.view(rows, -1).numpy()
            for first in range(0, rows, chunk):
                block = np.empty((min(chunk, rows - first), per_row), np.uint8)
                _fill(file, block.reshape(-1), path, stored.name)
                flat[first : first + chunk] = gguf.dequantize(block, kind)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    except NotImplementedError:
        raise DataError(f"{path}: tensor {stored.name!r:.80} is {stored.kind}, which can't be dequantised") from None
    return out


def _fill(file: Any, content: np.ndarray, path: Path, name: str) -> None:
    """Fill an array of bytes from the file. Raises `DataError` where the file ends before."""
    view, done = content.data, 0
    while done < len(view):
        count = file.readinto(view[done:])
        if not count:
            raise DataError(f"{path}: truncated while it was read (tensor {name!r:.80} is incomplete)")
        done += count
