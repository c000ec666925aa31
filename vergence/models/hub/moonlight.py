"""Moonlight and other DeepSeek-V3-style language models: their `config.json` and the names of their tensors.

Latent attention without a low rank for queries, and a mixture of experts without groups; both as Moonlight-16B-A3B has
them (arXiv 2502.16982). What DeepSeek-V3 has beyond that is refused by its key. The rotary pairs of these checkpoints
are neighbours, as ours are, so no row changes its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from vergence.errors import DataError
from vergence.model_config import ExpertsConfig, LanguageConfig, ModelConfig, ProcessingConfig
from vergence.models.hub.entries import Entry, experts, rows, same
from vergence.models.hub.public import Config, Keys, PublicCheckpoint, Target, section, template_of

LAYOUTS = ("hf",)
_HEAD = "lm_head.weight"

# What is fixed here: the supported value, and what a missing key means in transformers' DeepseekV3Config.
_FIXED: Mapping[str, tuple[Any, Any]] = {
    "q_lora_rank": (None, None),
    "n_group": (1, 8),
    "topk_group": (1, 4),
    "scoring_func": ("sigmoid", "sigmoid"),
    "topk_method": ("noaux_tc", "noaux_tc"),
    "moe_layer_freq": (1, 1),
    "hidden_act": ("silu", "silu"),
    "attention_bias": (False, False),
    "rope_interleave": (True, True),
    "rope_scaling": (None, None),
    "quantization_config": (None, None),
}
# These keys of an original config.json are left out of an export: its Python files aren't copied, its types are ours.
_DROPPED = ("auto_map", "torch_dtype", "dtype", "transformers_version", "num_mtp_layers")


def matches(config: Mapping[str, Any], keys: Set[str]) -> bool:
    """Whether these are the config and the tensors' names of such a language model alone."""
    return "kv_lora_rank" in config and "model.layers.0.self_attn.kv_a_proj_with_mqa.weight" in keys


def find_layout(keys: Set[str]) -> str:
    """The one layout there is."""
    return LAYOUTS[0]


def read_config(checkpoint: PublicCheckpoint) -> ModelConfig:
    """The language model alone. Raises `DataError` that names the key of whatever is not supported."""
    language = read_language(Keys(checkpoint.config), checkpoint.keys.keys())
    processing = ProcessingConfig(tokenizer="tokenizer.json", template=template_of(checkpoint, "kimi"))
    return ModelConfig(language=language, processing=processing)


def read_language(keys: Keys, names: Set[str], prefix: str = "") -> LanguageConfig:
    """The language model of a config.json, or of its text_config; its tensors have `prefix` before their `names`.

    A checkpoint without a head of its own is tied where its config says so. Raises `DataError` by key.
    """
    _refuse(keys)
    depth, heads = keys.get("num_hidden_layers"), keys.get("num_attention_heads")
    if depth > len(names):
        raise DataError(f"{keys.where}: num_hidden_layers is {depth}, but the checkpoint has {len(names)} tensors")
    if keys.get("num_key_value_heads", heads) != heads:
        raise DataError(f"{keys.where}: num_key_value_heads must be num_attention_heads ({heads}), attention is latent")
    values = {
        "vocab_size": keys.get("vocab_size"),
        "width": keys.get("hidden_size"),
        "depth": depth,
        "heads": heads,
        "kv_heads": heads,
        "mlp_width": keys.get("intermediate_size"),
        "rope_theta": _rope_theta(keys),
        "norm_eps": keys.get("rms_norm_eps", 1e-6),
        "tied": keys.get("tie_word_embeddings", False) and prefix + _HEAD not in names,
        "context": keys.get("max_position_embeddings", 4096),
        "latent": {
            "kv_rank": keys.get("kv_lora_rank"),
            "nope_size": keys.get("qk_nope_head_dim"),
            "rope_size": keys.get("qk_rope_head_dim"),
            "value_size": keys.get("v_head_dim"),
        },
    }
    if keys.data.get("n_routed_experts") is not None:
        values["experts"] = _read_experts(keys, len(names))
    return section(LanguageConfig, values, keys.where)


def _read_experts(keys: Keys, names: int) -> dict[str, Any]:
    count = keys.get("n_routed_experts")
    if count > names:
        raise DataError(f"{keys.where}: n_routed_experts is {count}, but the checkpoint has {names} tensors")
    return {
        "count": count,
        "active": keys.get("num_experts_per_tok"),
        "shared": keys.get("n_shared_experts", 0),
        "width": keys.get("moe_intermediate_size"),
        "dense_layers": keys.get("first_k_dense_replace", 3),
        "normalise": keys.get("norm_topk_prob", True),
        "scale": keys.get("routed_scaling_factor", 2.5),
        "balance_loss": keys.get("aux_loss_alpha", 1e-3),
    }


def _refuse(keys: Keys) -> None:
    for key, (supported, default) in _FIXED.items():
        value = keys.data.get(key, default)
        if value != supported or isinstance(value, bool) != isinstance(supported, bool):
            missing = "" if key in keys.data else " (which is what its absence means)"
            fine = "null" if supported is None else repr(supported)
            raise DataError(f"{keys.where}: {key} {value!r:.60}{missing} is not supported ({fine} is)")


def _rope_theta(keys: Keys) -> float:
    """The rotary base in the spelling of transformers 4 (rope_theta) or 5 (rope_parameters)."""
    rope = keys.section("rope_parameters") if keys.data.get("rope_parameters") else keys
    rope.refuse("rope_type", "default")
    return rope.get("rope_theta", 10_000.0)


def entries(config: Config, layout: str) -> list[Entry]:
    """How each tensor is made of the checkpoint's."""
    assert isinstance(config, ModelConfig), "a language model is not an encoder alone"
    return language_entries(config.language)


def language_entries(config: LanguageConfig, prefix: str = "") -> list[Entry]:
    """The same, for the language model of a larger checkpoint, whose names have `prefix` before them."""
    found = [
        same("language.embed.weight", f"{prefix}model.embed_tokens.weight"),
        same("language.norm.weight", f"{prefix}model.norm.weight"),
    ]
    if not config.tied:
        found.append(same("language.head.weight", prefix + _HEAD))
    for index in range(config.depth):
        ours, theirs = f"language.layers.{index}", f"{prefix}model.layers.{index}"
        names = {
            "attention_norm": "input_layernorm",
            "attention.q": "self_attn.q_proj",
            "attention.kv_down": "self_attn.kv_a_proj_with_mqa",
            "attention.kv_norm": "self_attn.kv_a_layernorm",
            "attention.kv_up": "self_attn.kv_b_proj",
            "attention.out": "self_attn.o_proj",
            "mlp_norm": "post_attention_layernorm",
        }
        found += [same(f"{ours}.{own}.weight", f"{theirs}.{other}.weight") for own, other in names.items()]
        if config.experts and index >= config.experts.dense_layers:
            found += _mixture(config.experts, f"{ours}.mlp", f"{theirs}.mlp")
        else:
            found += _mlp(f"{ours}.mlp", f"{theirs}.mlp", config.mlp_width)
    return found


def _mlp(ours: str, theirs: str, width: int) -> list[Entry]:
    halves = [f"{theirs}.gate_proj.weight", f"{theirs}.up_proj.weight"]
    return [
        rows(f"{ours}.gate_up.weight", halves, [width, width]),
        same(f"{ours}.down.weight", f"{theirs}.down_proj.weight"),
    ]


def _mixture(config: ExpertsConfig, ours: str, theirs: str) -> list[Entry]:
    each = [f"{theirs}.experts.{expert}" for expert in range(config.count)]
    halves = [f"{expert}.{half}_proj.weight" for expert in each for half in ("gate", "up")]
    found = [
        same(f"{ours}.router.weight", f"{theirs}.gate.weight"),
        replace(same(f"{ours}.bias", f"{theirs}.gate.e_score_correction_bias"), keep_dtype=True),
        experts(f"{ours}.experts.gate_up", halves, 2),
        experts(f"{ours}.experts.down", [f"{expert}.down_proj.weight" for expert in each], 1),
    ]
    if config.shared:
        found += _mlp(f"{ours}.shared", f"{theirs}.shared_experts", config.shared * config.width)
    return found


def ignored(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Patterns for the tensors of the layers that predict further tokens ahead, which are left out."""
    ahead = Keys(config).get("num_nextn_predict_layers", 0)
    depth = Keys(config).get("num_hidden_layers")
    return tuple(rf"(language_model\.)?model\.layers\.{depth + index}\..*" for index in range(min(ahead, 16)))


def exports(config: Config) -> bool:
    """Whether a language model that was made here can be written in this form."""
    return isinstance(config, ModelConfig) and config.vision is None and writes(config.language)


def writes(config: LanguageConfig) -> bool:
    """Whether this form holds the language model: latent attention, and a mixture that has shared experts."""
    return config.latent is not None and config.experts is not None and config.experts.shared > 0


def write_documents(config: Config, target: Target) -> dict[str, Any]:
    """The JSON files of an export."""
    assert isinstance(config, ModelConfig), "a language model is not an encoder alone"
    written = write_language(config.language, target.original.get("config.json", {}))
    return {"config.json": written | {"torch_dtype": dtype_name(target)}}


def dtype_name(target: Target) -> str:
    """The type of the weights as config.json names it: bfloat16, not torch.bfloat16."""
    return str(target.dtype).removeprefix("torch.")


def write_language(config: LanguageConfig, original: Mapping[str, Any]) -> dict[str, Any]:
    """The config.json of this language model, or its part in a larger one; the `original`'s other keys are kept.

    `auto_map` is not: it names Python files, which no export holds. transformers reads these models by itself.
    """
    latent, mixture = config.latent, config.experts
    assert latent is not None, "ask `writes` first"
    assert mixture is not None, "ask `writes` first"
    kept = {key: value for key, value in original.items() if key not in _DROPPED}
    rope: dict[str, Any] = {"rope_theta": config.rope_theta}
    if "rope_parameters" in kept:
        rope = {"rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta}}
    return {
        **kept,
        **{
            key: supported
            for key, (supported, _) in _FIXED.items()
            if key not in ("rope_interleave", "quantization_config")
        },
        "architectures": ["DeepseekV3ForCausalLM"],
        "model_type": "deepseek_v3",
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "intermediate_size": config.mlp_width,
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tied,
        "max_position_embeddings": config.context,
        "kv_lora_rank": latent.kv_rank,
        "qk_nope_head_dim": latent.nope_size,
        "qk_rope_head_dim": latent.rope_size,
        "v_head_dim": latent.value_size,
        "num_nextn_predict_layers": 0,
        **rope,
        "n_routed_experts": mixture.count,
        "num_experts_per_tok": mixture.active,
        "n_shared_experts": mixture.shared,
        "moe_intermediate_size": mixture.width,
        "first_k_dense_replace": mixture.dense_layers,
        "norm_topk_prob": mixture.normalise,
        "routed_scaling_factor": mixture.scale,
        "aux_loss_alpha": mixture.balance_loss,
        "seq_aux": True,
    }
