"""Lexicons and balancing: the matches by a plain search, the probabilities by MetaCLIP's formula and by counting."""

from __future__ import annotations

import builtins
import math
import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.data.curation.lexicon import Lexicon, read_lexicon
from vergence.data.curation.rebalance import (
    BalanceRules,
    balance,
    balance_report,
    distribution,
    entry_counts,
    nearest_concepts,
)
from vergence.errors import DataError

ENTRIES = ["dog", "hot dog", "New York", "cat", "red car", "Dog", "car"]


@pytest.fixture(params=[True, False], ids=["automaton", "runs"])
def automaton(request, monkeypatch):
    """With pyahocorasick and without it."""
    if not request.param:
        real = builtins.__import__

        def refuse(name, *given, **named):
            if name == "ahocorasick":
                raise ImportError(name)
            return real(name, *given, **named)

        monkeypatch.setattr(builtins, "__import__", refuse)
    else:
        pytest.importorskip("ahocorasick")


@pytest.mark.usefixtures("automaton")
def test_entries_are_found_as_whole_words():
    lexicon = Lexicon(ENTRIES)
    assert lexicon.entries == ["dog", "hot dog", "New York", "cat", "red car", "car"], "Dog is dog"
    named = lambda text: [lexicon.entries[number] for number in lexicon.matches(text)]  # noqa: E731
    assert named("A hot dog in NEW YORK!") == ["dog", "hot dog", "New York"]
    assert named("dogs and cats, a concatenation") == []
    assert named("a red, car") == ["red car", "car"], "marks between words don't count"
    assert named("") == []


@pytest.mark.usefixtures("automaton")
@given(
    st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12), st.lists(st.sampled_from(["a", "b c", "c d a", "d"]))
)
def test_matches_are_those_of_a_plain_search(tokens, entries):
    lexicon = Lexicon(entries)
    text = " ".join(tokens)
    expected = [n for n, entry in enumerate(lexicon.entries) if re.search(rf"(^| ){entry}( |$)", text)]
    assert lexicon.matches(text) == expected


def test_a_lexicon_that_cannot_be_used_is_refused(tmp_path):
    path = tmp_path / "lexicon.txt"
    with pytest.raises(DataError, match="can't be read"):
        read_lexicon(path)
    path.write_text("\n \n")
    with pytest.raises(DataError, match="has no entries"):
        read_lexicon(path)
    path.write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"not UTF-8 text \(byte 4\)"):
        read_lexicon(path)
    path.write_text("﻿red car\ndog\n")
    assert read_lexicon(path).entries == ["red car", "dog"]


def zipf(samples: int, entries: int, seed: int) -> list[list[int]]:
    """Samples with one or two entries, entry k about in proportion to 1 / k."""
    rng = random.Random(seed)
    weights = [1 / (k + 1) for k in range(entries)]
    return [sorted(set(rng.choices(range(entries), weights, k=rng.randint(1, 2)))) for _ in range(samples)]


def test_common_entries_are_capped_and_rare_ones_kept():
    matches = zipf(20_000, 50, 0)
    counts = entry_counts(matches, 50)
    rules = BalanceRules(cap=200)
    decided = balance(matches, 50, rules)
    kept = [repeat for repeat, _, _ in decided]
    # MetaCLIP: a sample stays if any of its entries draws it, each with min(1, t / count).
    expected = [1 - math.prod(1 - min(1, 200 / counts[entry]) for entry in found) for found in matches]
    assert [score for _, _, score in decided] == pytest.approx(expected)
    spread = sum(p * (1 - p) for p in expected) ** 0.5
    assert abs(sum(kept) - sum(expected)) < 4 * spread
    assert all(kept[n] for n, found in enumerate(matches) if any(counts[entry] <= 200 for entry in found))
    report = balance_report(matches, 50, kept, 20)
    assert report["after"]["entropy"] > report["before"]["entropy"] + 0.3
    assert report["after"]["head_share"] < report["before"]["head_share"]
    assert report["after"]["samples"] == sum(kept)


def test_the_draw_of_a_sample_does_not_depend_on_the_others_order():
    matches = zipf(500, 5, 1)
    rules = BalanceRules(cap=20, seed=3)
    assert balance(matches, 5, rules) == balance(matches, 5, rules)
    assert balance(matches, 5, rules) != balance(matches, 5, BalanceRules(cap=20, seed=4))


def test_rare_entries_are_repeated():
    matches = [[0]] * 100 + [[1]] * 4 + [[]]
    decided = balance(matches, 2, BalanceRules(boost=3, rare=20))
    assert {repeat for repeat, _, _ in decided[:100]} == {1}
    assert decided[100] == (3, "boosted", 1.0)
    assert decided[-1] == (0, "no entry", 0.0)
    assert balance(matches, 2, BalanceRules(unmatched=True))[-1][0] == 1


def test_the_figures_of_a_distribution_by_hand():
    found = distribution(np.array([8, 0, 4, 4]), 10, rare=5)
    assert (found.entries, found.tail_entries) == (3, 2)
    assert found.head_share == 0.5
    assert found.entropy == pytest.approx(1.5)
    empty = distribution(np.zeros(3, np.int64), 0)
    assert (empty.entries, empty.head_share, empty.entropy) == (0, 0.0, 0.0)


def test_nearest_concepts_are_those_of_sorting_all():
    rng = np.random.Generator(np.random.PCG64(0))
    pictures, concepts = rng.normal(size=(50, 8)).astype(np.float32), rng.normal(size=(20, 8)).astype(np.float32)
    found = nearest_concepts(pictures * 7, concepts, 3, block=16)
    for row, picture in zip(found, pictures, strict=True):
        cosines = concepts @ picture / np.linalg.norm(concepts, axis=1) / np.linalg.norm(picture)
        assert row.tolist() == np.argsort(-cosines)[:3].tolist()
    with pytest.raises(ValueError, match=r"1\.\.20"):
        nearest_concepts(pictures, concepts, 21)
