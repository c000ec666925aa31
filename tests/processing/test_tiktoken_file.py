"""Rank files of tiktoken: the same ids as tiktoken itself for every text, and bad files refused in one line."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.errors import DataError
from vergence.processing.tiktoken_file import (
    KIMI_PATTERN,
    KIMI_RESERVED,
    convert_tiktoken,
    load_kimi_tokenizer,
    read_ranks,
)
from vergence.processing.tokenizer import Tokenizer, train_tokenizer

tiktoken = pytest.importorskip("tiktoken")
bytes_to_unicode = pytest.importorskip("transformers.convert_slow_tokenizer").bytes_to_unicode

# The pattern of cl100k_base, which has what Oniguruma reads otherwise: possessive counts and the end of the text.
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"
    r"|\s*[\r\n]|\s+(?!\S)|\s"
)
MIXED = (
    "the The THE image shows a red circle and two blue squares; how many are there? don't DON'T we'll They've I'm it'd "
    "图像 显示 一个 红色 的 圆圈 和 两个 蓝色 的 正方形 多少 中文English混合 東京タワー ひらがな カタカナ 한국어 "
    "汉字abc été naïve Straße ΑΒΓ αβγ Привет мир שלום مرحبا हिन्दी ไทย 3 14 159 2653 3.14 1,000,000 <bbox>12</bbox> "
    "x=y+z; https://example.org/a?b=c 🙂 👩‍👩‍👧 🇨🇭 ½ ² ① e\u0301 \u3000 \u00a0 ﬁ ǅ ʰ ſ 'ſ '\u017f々 〇 ㊗ ⺀ 𠀀"
)
WORDS = MIXED.split(" ")
SPACES = [" ", " ", " ", "  ", "\n", "\n\n", "\t", " \n ", "\r\n", "     ", ""]


def sentence(rng: random.Random) -> str:
    return "".join(rng.choice(WORDS) + rng.choice(SPACES) for _ in range(rng.randint(0, 12)))


def any_text(rng: random.Random) -> str:
    """Half words, half characters from everywhere in Unicode."""
    blocks = [(0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x4E00, 0x4F00), (0x2000, 0x2070)]
    blocks += [(0x1F300, 0x1F600), (0x9, 0xE), (0, 0xD800), (0xE000, 0x110000), (0x3000, 0x3100)]
    parts = []
    for _ in range(rng.randint(0, 12)):
        if rng.random() < 0.5:
            parts.append(rng.choice(WORDS))
        parts.append("".join(chr(rng.randrange(*rng.choice(blocks))) for _ in range(rng.randint(0, 4))))
    return "".join(parts)


def write_ranks(path: Path, ranks: dict[bytes, int]) -> Path:
    lines = [base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items()]
    path.write_bytes(b"".join(lines))
    return path


def learn_ranks(size: int) -> dict[bytes, int]:
    """Ranks of byte-pair encoding on mixed text, by our own trainer."""
    rng = random.Random(0)
    backend = train_tokenizer([sentence(rng) for _ in range(400)], vocab_size=size, special_tokens=[]).backend
    letters = {letter: byte for byte, letter in bytes_to_unicode().items()}
    spelled = sorted(backend.get_vocab().items(), key=lambda item: item[1])
    learned = [bytes(letters[c] for c in text) for text, _ in spelled]
    order = [token for token in learned if len(token) == 1] + [token for token in learned if len(token) > 1]
    return {token: rank for rank, token in enumerate(order)}


@pytest.fixture(scope="module")
def ranks() -> dict[bytes, int]:
    return learn_ranks(900)


@pytest.fixture(scope="module")
def rank_file(ranks, tmp_path_factory) -> Path:
    return write_ranks(tmp_path_factory.mktemp("ranks") / "tiktoken.model", ranks)


SPECIAL = ["[BOS]", "[EOS]", "<|im_end|>", "<|media_pad|>"]


def both(path: Path, ranks: dict[bytes, int], pattern: str) -> tuple[Tokenizer, Any]:
    special = {name: len(ranks) + i for i, name in enumerate(SPECIAL)}
    ours = convert_tiktoken(path, pattern, special)
    return ours, tiktoken.Encoding("theirs", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)


@pytest.mark.parametrize("pattern", [KIMI_PATTERN, CL100K], ids=["kimi", "cl100k"])
@pytest.mark.parametrize("make", [sentence, any_text])
def test_the_ids_are_those_of_tiktoken(rank_file, ranks, pattern: str, make: Callable[[random.Random], str]):
    ours, theirs = both(rank_file, ranks, pattern)
    rng = random.Random(1)
    merged = 0
    for _ in range(5000):
        text = make(rng)
        ids = ours.encode(text)
        assert ids == theirs.encode_ordinary(text), text
        assert ours.decode(ids) == text
        merged += len(text.encode()) - len(ids)
    assert merged > 10_000, "the ranks must be put to use"


def test_special_tokens_have_their_ids_and_are_never_encoded(rank_file, ranks):
    ours, theirs = both(rank_file, ranks, KIMI_PATTERN)
    for i, name in enumerate(SPECIAL):
        assert ours.special(name) == len(ranks) + i
        assert ours.encode(f"a {name}b") == theirs.encode_ordinary(f"a {name}b")
    assert ours.size == theirs.n_vocab


def test_a_saved_tokenizer_is_the_same(rank_file, ranks, tmp_path):
    ours, theirs = both(rank_file, ranks, KIMI_PATTERN)
    ours.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(str(tmp_path / "tokenizer.json"))
    rng = random.Random(2)
    for text in [any_text(rng) for _ in range(200)]:
        assert again.encode(text) == theirs.encode_ordinary(text)
    assert again.special_tokens == ours.special_tokens


@given(st.data())
def test_any_table_of_ranks_merges_as_tiktoken_does(tmp_path_factory, data):
    """Also tables that no training would give: shuffled, with tokens that merging can't reach."""
    tokens = data.draw(st.lists(st.text("ab", min_size=2, max_size=6), unique=True, min_size=1, max_size=25))
    singles = [bytes([b]) for b in range(256)]
    order = data.draw(st.permutations([*(t.encode() for t in tokens), b"a", b"b"]))
    ranks = {token: rank for rank, token in enumerate([*order, *(s for s in singles if s not in (b"a", b"b"))])}
    path = write_ranks(tmp_path_factory.mktemp("any") / "r.model", ranks)
    ours, theirs = both(path, ranks, r"[ab]+|[^ab]+")
    for text in data.draw(st.lists(st.text("ab", min_size=1, max_size=30), min_size=5, max_size=20)):
        assert ours.encode(text) == theirs.encode_ordinary(text)


def test_ids_between_ranks_and_special_tokens_are_reserved(rank_file, ranks):
    first = len(ranks)
    tokenizer = convert_tiktoken(rank_file, KIMI_PATTERN, {"<|end|>": first + 3})
    assert tokenizer.special_tokens == {
        **{f"<|reserved_token_{first + i}|>": first + i for i in range(3)},
        "<|end|>": first + 3,
    }


def test_kimis_special_tokens_have_their_places(rank_file, ranks, tmp_path):
    tokenizer = load_kimi_tokenizer(rank_file.parent)
    first = len(ranks)
    assert tokenizer.size == first + KIMI_RESERVED
    # The published ids, whose first is 163584.
    published = {"[BOS]": 163584, "<|im_end|>": 163586, "<|im_middle|>": 163601, "<|media_pad|>": 163605}
    assert {name: tokenizer.special(name) - first + 163584 for name in published} == published

    (tmp_path / "tiktoken.model").write_bytes(rank_file.read_bytes())
    names = {str(first + 18): {"content": "<|media_begin|>", "special": True}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": names}))
    renamed = load_kimi_tokenizer(tmp_path)
    assert renamed.special("<|media_begin|>") == first + 18
    assert renamed.special(f"<|reserved_token_{first}|>") == first
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(DataError, match=r"tokenizer_config\.json: no special tokens in added_tokens_decoder"):
        load_kimi_tokenizer(tmp_path)


BYTES = b"".join(base64.b64encode(bytes([b])) + b" %d\n" % b for b in range(256))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no token for 256 of the 256 bytes, the first is 0x00"),
        (BYTES[:-9], "no token for 1 of the 256 bytes, the first is 0xff"),
        (BYTES + b"!!!! 256\n", "line 257: expected a token in base64 and its rank"),
        (BYTES + b"YWI= many\n", "line 257: expected a token in base64 and its rank"),
        (BYTES + b"YWI=\n", "line 257: expected a token in base64 and its rank"),
        (BYTES + b"YWI= 256 x\n", "line 257: not a token and a rank"),
        (BYTES + b"YQ== 256\n", "line 257: a token twice"),
        (BYTES + b"YWI= 255\n", "rank 255 twice; ranks must be 0 to 256"),
        (BYTES + b"YWI= 257\n", "no token of rank 256; ranks must be 0 to 256"),
        (BYTES + b"YWI= -1\n", "ranks must be 0 to 256"),
        (b"\x80\x04\x95 pickle", "line 1: expected a token in base64"),
    ],
)
def test_bad_rank_files_are_refused_in_one_line(tmp_path, content: bytes, message: str):
    path = tmp_path / "x.model"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.model") as caught:
        read_ranks(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_unusable_arguments_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.model: No such file"):
        read_ranks(tmp_path / "none.model")
    path = tmp_path / "x.model"
    path.write_bytes(BYTES + b"YWI= 256\n")
    with pytest.raises(DataError, match="special token '<a>' has id 9 of an ordinary token"):
        convert_tiktoken(path, KIMI_PATTERN, {"<a>": 9})
    with pytest.raises(DataError, match="two special tokens with the same id"):
        convert_tiktoken(path, KIMI_PATTERN, {"<a>": 257, "<b>": 257})
    with pytest.raises(DataError, match="special token 'ab' is also an ordinary token"):
        convert_tiktoken(path, KIMI_PATTERN, {"ab": 257})
    with pytest.raises(DataError, match="isn't a regular expression"):
        convert_tiktoken(path, "(", {})
