"""Dense language models: Qwen2 and Qwen2.5, Qwen3, Llama and SmolLM2, between config.json and `LanguageConfig`.

The three architectures differ in two choices: Qwen2 has biases on queries, keys and values, Qwen3 has a norm on each
head's query and key, Llama has neither. Sources: transformers' configuration_qwen2.py, configuration_qwen3.py and
configuration_llama.py, whose defaults stand in for keys that a config.json leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import torch

from vergence.errors import DataError
from vergence.model_config import LanguageConfig, ModelConfig, RopeScaling
from vergence.models.hub.entries import Entry, rotary_rows, rotary_vector, rows, same
from vergence.models.hub.public import Config, Keys, PublicCheckpoint, Target, section, template_of

LAYOUTS = ("hf",)
ARCHITECTURES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}
HEAD = "lm_head.weight"
BODY = "model."

# What transformers takes where config.json says nothing; a head size of 0 is hidden_size / num_attention_heads.
_COMMON = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "rms_norm_eps": 1e-6}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "qwen2": {
        **_COMMON,
        "vocab_size": 151_936,
        "intermediate_size": 22_016,
        "num_key_value_heads": 32,
        "max_position_embeddings": 32_768,
        "head_dim": 0,
    },
    "qwen3": {
        **_COMMON,
        "vocab_size": 151_936,
        "intermediate_size": 22_016,
        "num_key_value_heads": 32,
        "max_position_embeddings": 32_768,
        "head_dim": 128,
    },
    "llama": {
        **_COMMON,
        "vocab_size": 32_000,
        "intermediate_size": 11_008,
        "num_key_value_heads": 0,
        "max_position_embeddings": 2048,
        "head_dim": 0,
    },
}


def matches(config: Mapping[str, Any], keys: Set[str]) -> bool:
    """A language model alone whose layers have these names, and one of the known architectures."""
    layer = {f"{BODY}layers.0.{name}.weight" for name in ("self_attn.q_proj", "mlp.gate_proj", "input_layernorm")}
    return layer <= keys and f"{BODY}embed_tokens.weight" in keys and _architecture(config) is not None


def _architecture(config: Mapping[str, Any]) -> str | None:
    if config.get("model_type") in ARCHITECTURES:
        return str(config["model_type"])
    named = config.get("architectures")
    known = {name: model_type for model_type, name in ARCHITECTURES.items()}
    return next((known[name] for name in named if name in known), None) if isinstance(named, list) else None


def find_layout(keys: Set[str]) -> str:
    """There is one."""
    return "hf"


def read_config(checkpoint: PublicCheckpoint) -> ModelConfig:
    """Our configuration. Raises `DataError` for a choice that our decoder doesn't have, by its key."""
    keys = Keys(checkpoint.config)
    architecture = _architecture(checkpoint.config) or ""
    tied = is_tied(checkpoint, f"{BODY}embed_tokens.weight", HEAD, keys.get("tie_word_embeddings", False))
    language = read_language(keys, architecture, tensors=len(checkpoint.keys), tied=tied)
    processing = {"tokenizer": "tokenizer.json", "template": template_of(checkpoint, "chatml")}
    return section(ModelConfig, {"language": language, "processing": processing}, keys.where)


def is_tied(checkpoint: PublicCheckpoint, embedding: str, head: str, configured: bool) -> bool:
    """Whether head and embedding are one matrix: what the configuration says, and a stored head decides by its values.

    Published checkpoints hold a tied head or leave it out, whatever their configuration says.
    """
    if head not in checkpoint.keys or embedding not in checkpoint.keys:
        return configured
    if tuple(checkpoint.keys[head].shape) != tuple(checkpoint.keys[embedding].shape):
        return False
    return torch.equal(checkpoint.tensor(embedding), checkpoint.tensor(head))


def read_language(
    keys: Keys, architecture: str, *, tensors: int, tied: bool, vocab_size: int | None = None
) -> LanguageConfig:
    """The decoder of a config.json, or of its text_config, in a checkpoint of so many tensors.

    `vocab_size` is given where the tensors decide it.

    Raises `DataError` for a key that is missing, of the wrong type, or asks for what our decoder doesn't have.
    """
    default = DEFAULTS[architecture]

    def size(key: str) -> int:
        return keys.get(key, int(default[key]))

    keys.refuse("hidden_act", "silu")
    keys.refuse("attention_bias", False)
    keys.refuse("mlp_bias", False)
    keys.refuse("use_sliding_window", False)
    keys.refuse("pretraining_tp", 1)
    kinds = keys.data.get("layer_types")
    if isinstance(kinds, list) and any(kind != "full_attention" for kind in kinds):
        raise DataError(f"{keys.where}: layer_types other than 'full_attention' are not supported")
    width, heads = size("hidden_size"), size("num_attention_heads")
    head_size, depth = size("head_dim"), size("num_hidden_layers")
    if depth > tensors:
        raise DataError(f"{keys.where}: num_hidden_layers is {depth}, but the checkpoint has {tensors} tensors")
    theta, scaling = read_rope(keys)
    return section(
        LanguageConfig,
        {
            "vocab_size": vocab_size or size("vocab_size"),
            "width": width,
            "depth": depth,
            "heads": heads,
            "kv_heads": size("num_key_value_heads") or heads,
            "head_size": None if head_size * heads in (0, width) else head_size,
            "mlp_width": size("intermediate_size"),
            "qkv_bias": architecture == "qwen2",
            "qk_norm": architecture == "qwen3",
            "rope_theta": theta,
            "rope_scaling": scaling,
            "norm_eps": keys.get("rms_norm_eps", float(default["rms_norm_eps"])),
            "tied": tied,
            "context": size("max_position_embeddings"),
        },
        keys.where,
    )


def read_rope(keys: Keys) -> tuple[float, RopeScaling | None]:
    """Base and scaling of the rotary positions, in the spelling of transformers 5 (rope_parameters) or 4.

    Raises `DataError` for scalings other than Llama 3's, by name.
    """
    parameters = keys.section("rope_parameters")
    theta = parameters.get("rope_theta", keys.get("rope_theta", 10_000.0))
    if not parameters.data:
        parameters = keys.section("rope_scaling")
    keys.refuse("partial_rotary_factor", 1, 1.0)
    parameters.refuse("partial_rotary_factor", 1, 1.0)
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    if kind == "default":
        return theta, None
    if kind != "llama3":
        raise DataError(f"{parameters.where}: rope_type {kind!r:.60} is not supported ('default' and 'llama3' are)")
    values = {
        "factor": parameters.get("factor", 8.0),
        "low": parameters.get("low_freq_factor", 1.0),
        "high": parameters.get("high_freq_factor", 4.0),
        "old_context": parameters.get("original_max_position_embeddings", 8192),
    }
    return theta, section(RopeScaling, values, parameters.where)


def entries(config: Config, layout: str) -> list[Entry]:
    """All tensors of a language model alone."""
    assert isinstance(config, ModelConfig), "a family of language models"
    return language_entries(config.language, BODY, HEAD)


def language_entries(config: LanguageConfig, body: str, head: str) -> list[Entry]:
    """The decoder's tensors, where the names of theirs begin with `body`, and `head` is the head's."""
    found = [same("language.embed.weight", f"{body}embed_tokens.weight")]
    heads, size = (config.heads, config.kv_heads, config.kv_heads), config.query_size
    for index in range(config.depth):
        ours, theirs = f"language.layers.{index}.", f"{body}layers.{index}."
        attention = f"{theirs}self_attn."
        projections = [f"{attention}{letter}_proj." for letter in "qkv"]
        found.append(same(f"{ours}attention_norm.weight", f"{theirs}input_layernorm.weight"))
        for kind in ("weight", "bias") if config.qkv_bias else ("weight",):
            found.append(rotary_rows(f"{ours}attention.qkv.{kind}", [p + kind for p in projections], heads, size))
        if config.qk_norm:
            found += [rotary_vector(f"{ours}attention.{x}.weight", f"{attention}{x}.weight") for x in NORMS]
        found += [
            same(f"{ours}attention.out.weight", f"{attention}o_proj.weight"),
            same(f"{ours}mlp_norm.weight", f"{theirs}post_attention_layernorm.weight"),
            rows(
                f"{ours}mlp.gate_up.weight",
                [f"{theirs}mlp.gate_proj.weight", f"{theirs}mlp.up_proj.weight"],
                [config.mlp_width] * 2,
            ),
            same(f"{ours}mlp.down.weight", f"{theirs}mlp.down_proj.weight"),
        ]
    found.append(same("language.norm.weight", f"{body}norm.weight"))
    if config.tied:
        found.append(Entry("language.embed.weight", (head,), optional=True, copy=True))
    else:
        found.append(same("language.head.weight", head))
    return found


NORMS = ("q_norm", "k_norm")


def exports(config: Config) -> bool:
    """Whether it is a language model alone of one of the three architectures."""
    return isinstance(config, ModelConfig) and config.vision is None and is_dense(config.language)


def is_dense(config: LanguageConfig) -> bool:
    """Whether one of the three architectures has all of the decoder's choices."""
    return not (config.latent or config.experts or (config.qkv_bias and config.qk_norm))


def architecture_of(config: LanguageConfig) -> str:
    """Which of the three architectures has the decoder's choices."""
    return "qwen2" if config.qkv_bias else "qwen3" if config.qk_norm else "llama"


def write_documents(config: Config, target: Target) -> dict[str, Any]:
    """config.json: the original's, where there is one, with what we know laid over it."""
    assert isinstance(config, ModelConfig), "a family of language models"
    original = target.original.get("config.json", {})
    return {"config.json": {**without_rope(original), **write_language(config.language, target.dtype)}}


def without_rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config.json without what `write_language` spells in its own way, and without names of code to run."""
    dropped = ("rope_parameters", "rope_scaling", "layer_types", "dtype", "torch_dtype", "auto_map")
    return {key: value for key, value in config.items() if key not in dropped}


def write_language(config: LanguageConfig, dtype: torch.dtype) -> dict[str, Any]:
    """The decoder as config.json or text_config, in the spelling that transformers 4 and 5 both read."""
    architecture, scaling = architecture_of(config), config.rope_scaling
    values: dict[str, Any] = {
        "architectures": [ARCHITECTURES[architecture]],
        "model_type": architecture,
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "intermediate_size": config.mlp_width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.query_size,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_scaling": None,
        "max_position_embeddings": config.context,
        "tie_word_embeddings": config.tied,
        "torch_dtype": str(dtype).removeprefix("torch."),
    }
    if architecture == "qwen2":
        values["use_sliding_window"] = False
    else:
        values["attention_bias"] = False
    if scaling:
        values["rope_scaling"] = {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low,
            "high_freq_factor": scaling.high,
            "original_max_position_embeddings": scaling.old_context,
        }
    return values
