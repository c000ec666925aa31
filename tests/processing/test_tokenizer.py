"""The tokenizer: nothing is lost, nothing typed becomes special, and training is the same every time."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vergence.errors import DataError, UsageError
from vergence.processing.template import load_template
from vergence.processing.tokenizer import AddedToken, Tokenizer, train_tokenizer

SPECIAL = load_template("seed").special_tokens
WORDS = ["the", "red", "circle", "how", "many", "are", "left", "<bbox>", "</bbox>", "12 345", "ünïcödé", "図形", "🙂"]
TEXTS = [" ".join(random.Random(i).choices(WORDS, k=9)) for i in range(80)]


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    return train_tokenizer(TEXTS, vocab_size=330, special_tokens=SPECIAL)


@pytest.fixture(scope="module", params=["trained", "shipped"])
def tokenizer(request, trained) -> Tokenizer:
    return trained if request.param == "trained" else Tokenizer.load("tiny")


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@example(text="")
@example(text=" \t\r\n  x \u00a0\u2003")
@example(text="\x00\x7f\ufeff\U0010ffff")
@example(text="e\u0301 \u00e9 \u212b")
@example(text="<bbox>1 22 333 999</bbox> <<>> </> < a")
@example(text="<|end|><|image|>" * 3)
def test_any_text_survives_the_round_trip(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert all(0 <= i < tokenizer.size for i in ids)
    assert len(ids) <= len(text.encode())


@given(
    text=st.lists(
        st.one_of(st.sampled_from(SPECIAL), st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
    ).map("".join)
)
def test_special_tokens_that_are_typed_stay_plain_text(tokenizer, text):
    special = {tokenizer.special(token) for token in SPECIAL}
    ids = tokenizer.encode(text)
    assert not special & set(ids)
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("token", SPECIAL)
def test_a_special_token_has_an_id_that_decodes_to_nothing(tokenizer, token):
    index = tokenizer.special(token)
    assert tokenizer.decode([index]) == ""
    assert tokenizer.decode([*tokenizer.encode("a"), index, *tokenizer.encode("b")]) == "ab"


@given(st.integers(0, 10**12), st.sampled_from(["{}", "x{}", "{}%", " {} ", "<bbox>{} 7</bbox>"]))
def test_digits_are_encoded_one_by_one(tokenizer, number, form):
    pieces = [tokenizer.decode([i]) for i in tokenizer.encode(form.format(number))]
    digits = [piece for piece in pieces if any(c.isdigit() for c in piece)]
    assert all(len(digit) == 1 for digit in digits), pieces
    assert "".join(digits).startswith(str(number))


def test_frequent_words_and_tags_become_single_tokens(trained):
    assert [trained.decode([i]) for i in trained.encode("the <bbox>")] == ["the", " ", "<bbox>"]
    assert len(trained.encode(" circle")) == 1


def test_encode_returns_a_list_of_its_own(trained):
    first = trained.encode("red circle")
    first.append(0)
    assert trained.encode("red circle") == first[:-1]


def test_training_is_deterministic_and_learns_from_the_texts(tmp_path, trained):
    again = train_tokenizer(iter(TEXTS), vocab_size=330, special_tokens=SPECIAL)
    assert again.backend.to_str() == trained.backend.to_str()
    assert 256 + len(SPECIAL) < trained.size <= 330, "what there is to merge, and no more than asked for"
    other = train_tokenizer(["zzz yyy xxx"] * 9, vocab_size=330, special_tokens=SPECIAL)
    assert len(other.encode("red circle")) > len(trained.encode("red circle"))


def test_save_and_load_give_the_same_tokenizer(tmp_path, trained):
    path = tmp_path / "tokenizer.json"
    trained.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["tokenizer.json"]
    loaded = Tokenizer.load(str(path))
    for text in [*TEXTS[:5], "<|end|> typed", "ünïcödé 図"]:
        assert loaded.encode(text) == trained.encode(text)
    assert loaded.special("<|end|>") == trained.special("<|end|>")
    json.loads(path.read_text(encoding="utf-8"))


def test_a_missing_special_token_is_named(trained):
    with pytest.raises(DataError, match=r"no special token '<\|video\|>'"):
        trained.special("<|video|>")


def test_a_vocabulary_that_is_too_small_is_refused():
    with pytest.raises(UsageError, match=f"vocab_size 256 is too small: .* take {256 + len(SPECIAL)}"):
        train_tokenizer(TEXTS, vocab_size=256, special_tokens=SPECIAL)
    smallest = train_tokenizer(TEXTS, vocab_size=256 + len(SPECIAL), special_tokens=SPECIAL)
    assert smallest.decode(smallest.encode("図 é")) == "図 é"


def test_unusable_tokenizer_files_are_refused_by_name(tmp_path):
    bad = tmp_path / "tokenizer.json"
    for content in (b"", b"{}", b"\xff\xfe", b'{"model": {"type": "BPE"}}'):
        bad.write_bytes(content)
        with pytest.raises(DataError, match=r"not a tokenizer\.json"):
            Tokenizer.load(str(bad))
    with pytest.raises(UsageError, match="no tokenizer 'nowhere'"):
        Tokenizer.load("nowhere")


def test_half_a_surrogate_pair_is_refused(trained):
    with pytest.raises(DataError, match=r"lone surrogate can't be encoded: 'a\\ud800b'"):
        trained.encode(json.loads('"a\\ud800b"'))
    assert trained.decode(trained.encode(json.loads('"\\ud83d\\ude42"'))) == "🙂"


def test_added_tokens_are_listed_with_their_flags(trained):
    from tokenizers import AddedToken as Backend
    from tokenizers import Tokenizer as BackendTokenizer

    backend = BackendTokenizer.from_str(trained.backend.to_str())
    backend.add_tokens([Backend("<think>", normalized=False), Backend("<pad>", lstrip=True, special=True)])
    tokenizer = Tokenizer(backend)
    assert tokenizer.special_tokens == {t: trained.special(t) for t in SPECIAL} | {"<pad>": trained.size + 1}
    assert tokenizer.added_tokens[-2:] == (
        AddedToken("<think>", trained.size, special=False),
        AddedToken("<pad>", trained.size + 1, lstrip=True),
    )
    assert tokenizer.size == trained.size + 2
    assert tokenizer.encode("a<think>") == [*trained.encode("a"), trained.size], "not special: a word like any other"


def test_reserved_tokens_are_no_longer_encoded(trained):
    from tokenizers import AddedToken as Backend
    from tokenizers import Tokenizer as BackendTokenizer

    backend = BackendTokenizer.from_str(trained.backend.to_str())
    backend.add_tokens([Backend("<image>", rstrip=True, normalized=False)])
    tokenizer = Tokenizer(backend)
    index = tokenizer.special("<image>")
    assert index in tokenizer.encode("a <image> b")
    tokenizer.reserve(["<image>", "<video>", "<|end|>"])
    assert tokenizer.special("<image>") == index
    assert tokenizer.added_tokens[-1] == AddedToken("<image>", index, rstrip=True)
    assert index not in tokenizer.encode("a <image> b")
    assert tokenizer.decode(tokenizer.encode("a <image> b")) == "a <image> b"
    assert "<video>" not in tokenizer.special_tokens, "what a vocabulary lacks isn't added"


def test_a_special_token_whose_spelling_is_also_a_word_is_not_encoded():
    """Some vocabularies hold the spellings of their special tokens, and look words up before they merge."""
    from tokenizers import Tokenizer as BackendTokenizer
    from tokenizers import models

    letters = {letter: i for i, letter in enumerate("<end>ab")}
    backend = BackendTokenizer(models.BPE(vocab={**letters, "<end>": 7}, merges=[], ignore_merges=True))
    backend.add_special_tokens(["<end>"])
    backend.encode_special_tokens = True
    assert backend.encode("<end>").ids == [7]
    tokenizer = Tokenizer(backend)
    assert tokenizer.encode("<end>") == [letters[letter] for letter in "<end>"]
    assert tokenizer.encode("ab") == [letters["a"], letters["b"]]


def test_long_texts_are_not_kept(trained):
    before = trained._cached.cache_info().currsize
    assert trained.decode(trained.encode("red circle " * 10_000)) == "red circle " * 10_000
    assert trained._cached.cache_info().currsize == before
