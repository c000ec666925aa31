"""The tokenizer inside a GGUF file: the ids of transformers and of llama.cpp."""

from __future__ import annotations

import random

import numpy as np
import pytest
from gguf_models import smollm2, write
from tokenizers import Tokenizer, normalizers, pre_tokenizers

from vergence.errors import DataError
from vergence.models.hub.gguf_file import read_gguf


def random_texts(count: int) -> list[str]:
    source = random.Random(3)
    letters = "abcdefghij THE  \n\t.,;!?'\"<>()éñ漢字🎉ا٣0123456789²½"
    words = ["<|end|>", "<|start|>", "<tool>", " the ", " don't", "return x", "12 345", "  7", "I'LL"]

    def text() -> str:
        parts = (source.choice(words) if source.random() < 0.2 else source.choice(letters) for _ in range(40))
        return "".join(list(parts)[: source.randint(0, 40)])

    return [text() for _ in range(count)]


@pytest.mark.parametrize("pre", ["smollm", "qwen2", "llama-bpe", "default", None])
def test_the_tokenizer_gives_the_ids_of_transformers(tmp_path, pre):
    from transformers import AutoTokenizer

    own = Tokenizer.from_str(read_gguf(write(tmp_path / "m.gguf", pre=pre)).tokenizer_json)
    oracle = AutoTokenizer.from_pretrained(tmp_path, gguf_file="m.gguf").backend_tokenizer
    # Where transformers' reader leaves out what the models' own tokenizer.json has, the oracle gets it here.
    if pre == "smollm":
        plain = pre_tokenizers.ByteLevel(add_prefix_space=False)
        oracle.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), plain])
    elif pre == "qwen2":
        oracle.normalizer = normalizers.NFC()
    elif pre == "llama-bpe":
        oracle.model.ignore_merges = True
    texts = random_texts(300)
    for text in texts:
        assert own.encode(text, add_special_tokens=False).ids == oracle.encode(text, add_special_tokens=False).ids, text
    assert own.decode(own.encode("naïve 漢字 12").ids) == "naïve 漢字 12"
    # transformers' GPT-2 tokenizer adds its own special token to any vocabulary
    assert own.get_vocab() == {t: i for t, i in oracle.get_vocab().items() if t != "<|endoftext|>"}
    flags = {token.content: token.special for token in own.get_added_tokens_decoder().values()}
    assert flags == {"<|end|>": True, "<|start|>": True, "<tool>": False}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", "llama", "tokenizer.ggml.model 'llama' is not supported"),
        ("pre", "new-one", "tokenizer.ggml.pre 'new-one' is not supported .default, gpt-2, smollm"),
        ("tokens", None, "tokenizer.ggml.tokens is missing"),
        ("tokens", ["a", "b", "a"], "tokenizer.ggml.tokens has 'a' twice"),
        ("merges", None, "tokenizer.ggml.merges is missing"),
        ("merges", ["a"], "tokenizer.ggml.merges has 'a', whose tokens are not all there"),
        ("merges", ["Ġ zzz"], "has 'Ġ zzz', whose tokens are not all there"),
        ("token_type", np.array([1]), "1 tokenizer.ggml.token_type for"),
        ("eos_token_id", 10**6, r"eos_token_id 1000000 is not one of \d+ token ids"),
        ("eos_token_id", "x", "eos_token_id 'x' is not one of"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(tmp_path, key, value, message):
    model = read_gguf(write(tmp_path / "m.gguf"))
    changed = {k: v for k, v in model.metadata.items() if k != f"tokenizer.ggml.{key}"}
    if value is not None:
        changed[f"tokenizer.ggml.{key}"] = value
    broken = type(model)(model.path, changed, model.config, model.keys)
    with pytest.raises(DataError, match=message) as caught:
        _ = broken.tokenizer_json
    assert "\n" not in str(caught.value)


# What llama.cpp's tokenizer gives for these texts.
SMOLLM2_IDS: dict[str, list[int]] = {
    "What is 1234 + 56?": [1780, 314, 216, 33, 34, 35, 36, 1232, 216, 37, 38, 47],
    "  7 cats,  don't\n\n\tnaïve 漢字🎉 ½²": [
        *[256, 39, 7680, 28, 216, 1326, 982, 1116, 197, 3546, 46494, 17097, 137, 112, 36518, 10813, 232, 227],
        *[216, 16738, 19133],
    ],
    "<|im_start|>user\nHi<|im_end|>\n": [1, 4093, 198, 26843, 2, 198],
    "def f(x):\n    return x ** 2": [1604, 275, 24, 104, 727, 472, 1003, 1792, 1903, 216, 34],
}


def test_a_real_tokenizer_gives_the_ids_of_llama_cpp():
    tokenizer = Tokenizer.from_str(read_gguf(smollm2()).tokenizer_json)
    for text, ids in SMOLLM2_IDS.items():
        assert tokenizer.encode(text, add_special_tokens=False).ids == ids
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
