"""The byte-level BPE tokenizer of a GGUF file as a tokenizer.json.

A GGUF file holds tokens, merges and the kinds of the tokens, and only names how text is split before the merges. The
splits here are those of the models' own tokenizer.json and of llama.cpp (src/llama-vocab.cpp), which agree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vergence.errors import DataError

CONTROL, USER_DEFINED = 3, 4
SPECIAL_IDS = ("bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id")

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _byte_level(use_regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def _sequence(*steps: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(steps)}


def _split(pattern: str) -> dict[str, Any]:
    step = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return _sequence(step, _byte_level(False))


_GPT2 = _byte_level(True)
_SMOLLM = _sequence({"type": "Digits", "individual_digits": True}, _byte_level(True))
_QWEN2 = _split(_WORDS % "")
_LLAMA3 = _split(_WORDS % "{1,3}")
PRE_TOKENIZERS: Mapping[str, Mapping[str, Any]] = {
    "default": _GPT2,  # what transformers takes where a file doesn't say
    "gpt-2": _GPT2,
    "smollm": _SMOLLM,
    "qwen2": _QWEN2,
    "deepseek-r1-qwen": _QWEN2,
    "llama-bpe": _LLAMA3,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
}


def tokenizer_json(metadata: Mapping[str, Any], path: Path) -> str:
    """The content of the tokenizer.json that a GGUF file's metadata describe.

    Control tokens become special tokens, user-defined ones added tokens that aren't special. Raises `DataError` where
    the tokenizer isn't byte-level BPE, its way to split text is unknown, or its parts don't fit each other.
    """
    kind = metadata.get("tokenizer.ggml.model")
    if kind != "gpt2":
        raise DataError(f"{path}: tokenizer.ggml.model {kind!r:.40} is not supported ('gpt2', byte-level BPE, is)")
    pre = metadata.get("tokenizer.ggml.pre", "default")
    if not isinstance(pre, str) or pre not in PRE_TOKENIZERS:
        known = ", ".join(PRE_TOKENIZERS)
        raise DataError(f"{path}: tokenizer.ggml.pre {pre!r:.40} is not supported ({known} are)")
    tokens = token_list(metadata, path)
    ids = {token: index for index, token in enumerate(tokens)}
    if len(ids) < len(tokens):
        twice = next(token for index, token in enumerate(tokens) if ids[token] != index)
        raise DataError(f"{path}: tokenizer.ggml.tokens has {twice!r:.40} twice")
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(metadata, tokens, path),
        "normalizer": {"type": "NFC"} if PRE_TOKENIZERS[pre] is _QWEN2 else None,
        "pre_tokenizer": PRE_TOKENIZERS[pre],
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": PRE_TOKENIZERS[pre] is _LLAMA3,
            "vocab": ids,
            "merges": _merges(metadata, ids, path),
        },
    }
    return json.dumps(document, ensure_ascii=False)


def token_list(metadata: Mapping[str, Any], path: Path) -> list[str]:
    """The tokens in the order of their ids. Raises `DataError` where there are none."""
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens:
        raise DataError(f"{path}: tokenizer.ggml.tokens is missing or not a list of tokens")
    return tokens


def special_token(metadata: Mapping[str, Any], name: str, path: Path) -> str | None:
    """The text of a special token such as `eos_token_id`; None where the file has none. Raises `DataError`."""
    index = metadata.get(f"tokenizer.ggml.{name}")
    if index is None:
        return None
    tokens = token_list(metadata, path)
    if type(index) is not int or not 0 <= index < len(tokens):
        raise DataError(f"{path}: tokenizer.ggml.{name} {index!r:.40} is not one of {len(tokens)} token ids")
    return tokens[index]


def _added_tokens(metadata: Mapping[str, Any], tokens: Sequence[str], path: Path) -> list[dict[str, Any]]:
    kinds = metadata.get("tokenizer.ggml.token_type")
    kinds = [0] * len(tokens) if kinds is None else [int(kind) for kind in kinds]
    if len(kinds) != len(tokens):
        raise DataError(f"{path}: {len(kinds)} tokenizer.ggml.token_type for {len(tokens)} tokens")
    special = {special_token(metadata, name, path) for name in SPECIAL_IDS}
    special |= {token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": index, "content": token, **flags, "special": token in special}
        for index, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if token and (token in special or kind == USER_DEFINED)
    ]


def _merges(metadata: Mapping[str, Any], ids: Mapping[str, int], path: Path) -> list[list[str]]:
    """The merges as pairs. A merge without its tokens would make the tokenizer unreadable."""
    merges = metadata.get("tokenizer.ggml.merges")
    if not isinstance(merges, list):
        raise DataError(f"{path}: tokenizer.ggml.merges is missing or not a list of merges")
    pairs = [merge.split(" ") for merge in merges]
    for merge, pair in zip(merges, pairs, strict=True):
        if len(pair) != 2 or any(part not in ids for part in (*pair, "".join(pair))):
            raise DataError(f"{path}: tokenizer.ggml.merges has {merge!r:.40}, whose tokens are not all there")
    return pairs
