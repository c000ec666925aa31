"""Tokenizers that are published as a tiktoken rank file, such as Moonlight's and Kimi-VL's `tiktoken.model`.

The result is the same tokenizer in the form of `tokenizer.json`: same ids for every text. A rank file lists the byte
strings of all tokens by rank. tiktoken merges the neighbours whose joint string has the lowest rank, leftmost first;
`tokenizers` merges listed pairs. A token is always made of the same two parts, because nothing outside of its own bytes
takes part in making it; so the pair is found by merging these bytes alone until two parts are left. A token that can't
be made so is used where it is a whole word, by both.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vergence.errors import DataError
from vergence.processing.tokenizer import Tokenizer

# Runs of Han characters; words in lower case, title case or capitals with what stands before them and contractions,
# without Han; up to three digits; punctuation; line breaks; spaces. As published with Moonlight and Kimi-VL.
_CAPITAL, _SMALL = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
_BEFORE, _CONTRACTION = r"[^\r\n\p{L}\p{N}]?", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
KIMI_PATTERN = "|".join(
    [
        r"[\p{Han}]+",
        f"{_BEFORE}{_CAPITAL}*{_SMALL}+{_CONTRACTION}",
        f"{_BEFORE}{_CAPITAL}+{_SMALL}*{_CONTRACTION}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
KIMI_RESERVED = 256  # ids for special tokens behind the ranks
# Names by place among them, for a checkpoint without tokenizer_config.json.
KIMI_SPECIAL_TOKENS = {
    0: "[BOS]",
    1: "[EOS]",
    2: "<|im_end|>",
    3: "<|im_user|>",
    4: "<|im_assistant|>",
    6: "<|start_header_id|>",
    7: "<|end_header_id|>",
    9: "[EOT]",
    10: "<|im_system|>",
    17: "<|im_middle|>",
    18: "<|media_start|>",
    19: "<|media_content|>",
    20: "<|media_end|>",
    21: "<|media_pad|>",
    254: "[UNK]",
    255: "[PAD]",
}


def load_kimi_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a checkpoint of Moonlight or Kimi-VL, from its `tiktoken.model`.

    The names of its special tokens are those of `tokenizer_config.json`, where that is there. Raises `DataError`.
    """
    path = folder / "tiktoken.model"
    ranks = read_ranks(path)
    names = {len(ranks) + place: name for place, name in KIMI_SPECIAL_TOKENS.items()}
    config = folder / "tokenizer_config.json"
    if config.is_file():
        names = _configured_names(config)
    special = {names.get(i, _reserved(i)): i for i in range(len(ranks), len(ranks) + KIMI_RESERVED)}
    return _convert(ranks, KIMI_PATTERN, special, str(path))


def convert_tiktoken(ranks: Path, pattern: str, special_tokens: Mapping[str, int]) -> Tokenizer:
    """The tokenizer of a rank file, with the `pattern` that cuts a text into words and special tokens by name.

    Ids between the ranks and the special tokens get reserved names. Raises `DataError` for a file that can't be used.
    """
    return _convert(read_ranks(ranks), pattern, special_tokens, str(ranks))


def read_ranks(path: Path) -> dict[bytes, int]:
    """The tokens of a rank file, whose lines are a byte string in base64 and its rank. Raises `DataError` by line."""
    ranks: dict[bytes, int] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or type(error).__name__}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.split()
        try:
            token, rank = base64.b64decode(fields[0], validate=True), int(fields[1])
        except (binascii.Error, ValueError, IndexError):
            raise DataError(f"{path}, line {number}: expected a token in base64 and its rank") from None
        if len(fields) != 2 or not token or token in ranks:
            raise DataError(f"{path}, line {number}: {'a token twice' if token in ranks else 'not a token and a rank'}")
        ranks[token] = rank
    _check_ranks(ranks, path)
    return ranks


def _check_ranks(ranks: Mapping[bytes, int], path: Path) -> None:
    hole = next((rank for rank, found in enumerate(sorted(ranks.values())) if rank != found), None)
    if hole is not None:
        twice = [rank for rank, count in Counter(ranks.values()).items() if count > 1]
        problem = f"rank {twice[0]} twice" if twice else f"no token of rank {hole}"
        raise DataError(f"{path}: {problem}; ranks must be 0 to {len(ranks) - 1}, each once")
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise DataError(f"{path}: no token for {len(missing)} of the 256 bytes, the first is {missing[0]:#04x}")


def _convert(ranks: Mapping[bytes, int], pattern: str, special: Mapping[str, int], source: str) -> Tokenizer:
    from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as Backend

    names = _special_names(special, len(ranks), source)
    letters = _byte_letters()
    spelled = {token: "".join(letters[byte] for byte in token) for token in ranks}
    merges = [(spelled[a], spelled[b]) for a, b in _merges(ranks)]
    vocabulary = {spelled[token]: rank for token, rank in ranks.items()}
    backend = Backend(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    try:
        split = pre_tokenizers.Split(Regex(_oniguruma(pattern)), behavior="isolated")
    except Exception as error:  # the backend raises a bare Exception
        raise DataError(f"{source}: the pattern isn't a regular expression ({error})") from None
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    tokenizer = Tokenizer(backend)
    wrong = [name for i, name in enumerate(names, start=len(ranks)) if tokenizer.special(name) != i]
    if wrong:
        raise DataError(f"{source}: special token {wrong[0]!r} is also an ordinary token")
    return tokenizer


def _merges(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The pair that each token is made of, by rank."""
    pairs = []
    none = len(ranks)
    for token in sorted((token for token in ranks if len(token) > 1), key=ranks.__getitem__):
        # Borders of the parts, and the rank of each two neighbours' joint string.
        borders = list(range(len(token) + 1))
        joint = [ranks.get(token[i : i + 2], none) for i in range(len(token) - 1)]
        while len(joint) > 1 and (lowest := min(joint)) < none:
            i = joint.index(lowest)
            del borders[i + 1], joint[i]
            if i:
                joint[i - 1] = ranks.get(token[borders[i - 1] : borders[i + 1]], none)
            if i < len(joint):
                joint[i] = ranks.get(token[borders[i] : borders[i + 2]], none)
        if len(joint) == 1:
            pairs.append((token[: borders[1]], token[borders[1] :]))
    return pairs


def _special_names(special: Mapping[str, int], first: int, source: str) -> list[str]:
    """The names of all ids from `first` to the largest, in order."""
    by_id = {index: name for name, index in special.items()}
    if len(by_id) < len(special):
        raise DataError(f"{source}: two special tokens with the same id")
    below = [name for name, index in special.items() if index < first]
    if below:
        raise DataError(f"{source}: special token {below[0]!r} has id {special[below[0]]} of an ordinary token")
    return [by_id.get(i, _reserved(i)) for i in range(first, max(by_id, default=first - 1) + 1)]


def _reserved(index: int) -> str:
    return f"<|reserved_token_{index}|>"


def _configured_names(path: Path) -> dict[int, str]:
    """Special tokens by id, as `added_tokens_decoder` of a `tokenizer_config.json` names them."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found: dict[str, Any] = data["added_tokens_decoder"]
        return {int(index): str(token["content"]) for index, token in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: no special tokens in added_tokens_decoder ({type(error).__name__})") from None


def _byte_letters() -> list[str]:
    """The printable letter for each byte in `tokenizer.json`: itself, or one from U+0100 on. Source: GPT-2."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def _oniguruma(pattern: str) -> str:
    """A pattern of tiktoken's regex engine in the syntax of Oniguruma, which `tokenizers` uses.

    There `{1,3}+` isn't possessive, and `$` and `^` also stand for the ends of lines.
    """
    pattern = re.sub(r"(\\p\{\w+\}|\[(?:\\.|[^\]\\])*\]|\\.|[^\\(){}\[\]|])(\{\d+(?:,\d*)?\})\+", r"(?>\1\2)", pattern)
    pieces = re.split(r"(\\.|\[(?:\\.|\[[^\]]*\]|[^\]\\])*\])", pattern)
    return "".join(p if i % 2 else p.replace("$", r"\z").replace("^", r"\A") for i, p in enumerate(pieces))
