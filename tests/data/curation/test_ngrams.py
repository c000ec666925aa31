"""Words of a text, and n-grams found in texts that pass by."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.data.curation.ngrams import NGramIndex, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What's in the PICTURE, (A) or (B)?", ["what", "s", "in", "the", "picture", "a", "or", "b"]),
        ("Straße ﬁnd ２０２４", ["strasse", "find", "2024"]),
        ("  tabs\tand\nlines  ", ["tabs", "and", "lines"]),
        ("这只猫在哪里？Where is it", [*"这只猫在哪里", "where", "is", "it"]),
        ("人々はネコが好き", [*"人々はネコが好き"]),
        ("고양이 는", [*"고양이는"]),
        ("ｶﾞｷﾞ", ["ガ", "ギ"]),
        ("naïve café №5", ["naïve", "café", "no5"]),
        ("snake_case a-b", ["snake", "case", "a", "b"]),
        ("…!?", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def slow(texts, text, n, shortest, whole):
    """Which texts share an n-gram with `text`, and how many, by comparing everything with everything."""
    found = {}
    for position, known in enumerate(texts):
        length = len(known) if position in whole or len(known) < n else n
        if length < (1 if position in whole else shortest):
            continue
        grams = {tuple(known[i : i + length]) for i in range(len(known) - length + 1)}
        others = {tuple(text[i : i + length]) for i in range(len(text) - length + 1)}
        if grams & others:
            found[position] = len(grams & others)
    return found


WORDS = st.lists(st.sampled_from("ab"), max_size=12)


@given(st.lists(WORDS, max_size=6), WORDS, st.sets(st.integers(0, 5)))
def test_the_index_finds_what_comparing_everything_finds(texts, text, whole):
    index = NGramIndex(texts, n=4, shortest=3, whole=frozenset(whole))
    counts: dict[int, int] = {}
    for number in index.found([*text, "unknown", *text[:5]]):
        for position in index.owners[number]:
            counts[position] = counts.get(position, 0) + 1
    assert counts == slow(texts, [*text, "unknown", *text[:5]], 4, 3, whole)
    for position, count in counts.items():
        assert 0 < count <= index.sizes[position]


def test_thirteen_words_and_eight():
    rng = random.Random(0)
    vocabulary = [f"w{i}" for i in range(500)]
    long, short, tiny = ([rng.choice(vocabulary) for _ in range(n)] for n in (30, 9, 7))
    index = NGramIndex([long, short, tiny])
    assert index.sizes == [18, 1, 0]
    assert {index.owners[i][0] for i in index.found(["x", *long[4:17], "x"])} == {0}
    assert index.found([*long[4:16], "x", *long[16:28]]) == set()  # twelve in a row are not thirteen
    assert {index.owners[i][0] for i in index.found([*short, *tiny])} == {1}
    assert index.found(short[:8]) == set()
    assert index.found([]) == set()
    assert NGramIndex([]).found(long) == set()


def test_equal_sums_are_not_enough(monkeypatch):
    from vergence.data.curation import ngrams

    # With a base of 0 only the last word of a stretch counts: nearly everything collides, and nothing is made up.
    monkeypatch.setattr(ngrams, "_BASE", ngrams.np.uint64(0))
    text = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "runs", "away"]
    index = NGramIndex([text], n=8)
    assert len(index.found(text)) == index.sizes[0] == 5
    assert index.found(text[::-1]) == set()
