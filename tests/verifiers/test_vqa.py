"""The normalisation of short answers of VQA accuracy, step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.verifiers.vqa import CONTRACTIONS, evalai_normalise, fold_words, strip_punctuation, vqa_normalise


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("red-blue", "red blue"),  # inside of a word: a space
        ("red, blue", "red blue"),  # beside a space: nothing
        ("1,000 red-blue", "1000 redblue"),  # a comma between digits: nothing anywhere
        ("3.5", "3.5"),
        ("5.", "5"),
        ("U.S.A.", "USA"),
        ("a.1", "a.1"),
        ("." * 40, ""),
        ("what's", "what's"),
    ],
)
def test_punctuation(text, plain):
    assert strip_punctuation(text) == plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Two  dogs", "2 dogs"),
        ("none", "0"),
        ("eleven", "eleven"),
        ("dont couldnt've couldn'tve", "don't couldn't've couldn't've"),
        ("an apple a day", "apple day"),
        ("lets shes", "lets shes"),
        ("somebody'd", "somebodyd"),
    ],
)
def test_words(text, words):
    assert fold_words(text) == words


def test_evalai_adds_a_step():
    assert evalai_normalise("The dog's, 1,000?") == "dog 's 1000"
    assert vqa_normalise("The dog's, 1,000?") == "dog's 1000"
    assert evalai_normalise(" Two\nlines\tHere ") == "2 lines here"


def test_contractions_lose_one_apostrophe():
    for written, meant in CONTRACTIONS.items():
        if written != "somebody'd":
            assert meant.replace("'", "") == written.replace("'", "")
            assert written.count("'") == meant.count("'") - 1


@given(st.text(max_size=30))
def test_words_are_folded_once_and_for_all(text):
    once = fold_words(text)
    assert once == " ".join(once.split())
    assert not {"a", "an", "the"} & set(once.split(" "))
