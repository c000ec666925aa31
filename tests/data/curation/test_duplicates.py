"""Copies: of pictures by brute force over all pairs, of texts by the exact Jaccard index, groups by graph search."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vergence.data.curation import duplicates, perceptual_hash
from vergence.data.curation.duplicates import (
    Groups,
    MinHash,
    alike_pictures,
    band_rows,
    first_of_groups,
    jaccard,
    near_hashes,
    near_texts,
    shingles,
)
from vergence.data.curation.perceptual_hash import Fingerprint, fingerprint, hamming, similarity
from vergence.data.synthesis.text import words


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(0, 12), st.randoms(use_true_random=False))
def test_near_hashes_are_those_of_brute_force(hashes, radius, rng):
    hashes = hashes + [
        value ^ sum(1 << rng.randrange(64) for _ in range(rng.randint(0, 4))) % 2**64 for value in hashes
    ]
    expected = {
        (i, j, hamming(hashes[i], hashes[j]))
        for i, j in combinations(range(len(hashes)), 2)
        if hamming(hashes[i], hashes[j]) <= radius
    }
    assert set(near_hashes(hashes, radius)) == expected


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_near_hashes_of_many_are_found_by_the_index(seed):
    """More than are compared by brute force, so that the bands decide; each planted copy is found."""
    rng = random.Random(seed)
    hashes = [rng.getrandbits(64) for _ in range(2500)]
    for place in range(20):
        flipped = rng.sample(range(64), rng.randint(0, 10))
        hashes.append(hashes[place] ^ sum(1 << bit for bit in flipped))
    found = {(i, j) for i, j, _ in near_hashes(hashes, 10)}
    assert {(place, 2500 + place) for place in range(20)} <= found


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_groups_are_the_connected_parts_of_the_graph(pairs):
    edges: dict[int, set[int]] = {item: {item} for item in range(20)}
    for a, b in pairs:
        edges[a].add(b)
        edges[b].add(a)

    def reached(start: int) -> set[int]:
        seen, left = {start}, [start]
        while left:
            for other in edges[left.pop()] - seen:
                seen.add(other)
                left.append(other)
        return seen

    expected = {item: first for item in range(20) if (first := min(reached(item))) != item}
    assert first_of_groups(20, pairs) == expected
    groups = Groups(20)
    for a, b in pairs:
        groups.join(a, b)
    assert groups.representatives() == [min(reached(item)) for item in range(20)]


def test_copies_of_pictures_are_found_and_others_are_not(tmp_path):
    import io

    from PIL import Image

    from vergence.data.catalogue import draw

    pictures = [draw("emoji", "train", 3, index).image for index in range(25)]
    copies = []
    for picture in pictures:
        file = io.BytesIO()
        picture.resize((picture.width * 7 // 10, picture.height * 7 // 10), Image.Resampling.BICUBIC).save(
            file, "JPEG", quality=60
        )
        copies.append(file.getvalue())
    prints = [fingerprint(picture) for picture in [*pictures, *copies]]
    found = {(pair.first, pair.second) for pair in alike_pictures(prints)}
    planted = {(number, 25 + number) for number in range(25)}
    same_item = {
        (i, j)
        for i, j in combinations(range(50), 2)
        if draw("emoji", "train", 3, i % 25).items == draw("emoji", "train", 3, j % 25).items
    }
    assert len(found & planted) >= 20, "an emoji on a light ground has little contrast"
    assert len(found - planted - same_item) <= 6, "four of a thousand pairs may look alike"


def test_shingles_and_the_jaccard_index_by_hand():
    assert len(shingles("one two three four five")) == 3
    assert shingles("One, two THREE!") == shingles("one two three")
    assert shingles("two words") != shingles("words two")
    assert shingles("") == frozenset()
    assert jaccard(frozenset({1, 2, 3}), frozenset({2, 3, 4})) == 0.5
    assert jaccard(frozenset(), frozenset()) == 1.0


def test_equal_minima_estimate_the_jaccard_index():
    rng = random.Random(0)
    hasher = MinHash(1024)
    for share in (0.1, 0.5, 0.9):
        common = frozenset(rng.getrandbits(64) for _ in range(int(200 * share)))
        first = common | frozenset(rng.getrandbits(64) for _ in range(200 - len(common)))
        second = common | frozenset(rng.getrandbits(64) for _ in range(200 - len(common)))
        estimate = float((hasher.signature(first) == hasher.signature(second)).mean())
        exact = jaccard(first, second)
        assert abs(estimate - exact) < 4 * (exact * (1 - exact) / 1024) ** 0.5, "four standard errors"


def texts_with_copies(seed: int, number: int = 60) -> list[str]:
    """Random sentences and, behind each, one with a few words changed."""
    rng = random.Random(seed)
    known = words("train")
    texts = []
    for _ in range(number):
        sentence = [rng.choice(known) for _ in range(rng.randint(12, 40))]
        texts.append(" ".join(sentence))
        for _ in range(rng.randint(0, 3)):
            sentence[rng.randrange(len(sentence))] = rng.choice(known)
        texts.append(" ".join(sentence))
    return texts


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_near_texts_are_those_of_brute_force(threshold):
    texts = texts_with_copies(1)
    sets = [shingles(text) for text in texts]
    exact = {(i, j): jaccard(sets[i], sets[j]) for i, j in combinations(range(len(texts)), 2)}
    expected = {pair for pair, overlap in exact.items() if overlap >= threshold}
    found = {(i, j): overlap for i, j, overlap in near_texts(texts, threshold=threshold)}
    assert len(expected) > 15
    assert found.keys() <= expected, "what is found is exact"
    assert all(found[pair] == exact[pair] for pair in found)
    assert len(found) >= 0.95 * len(expected)


def test_near_texts_agree_with_datasketch():
    datasketch = pytest.importorskip("datasketch")
    texts = texts_with_copies(2)
    index = datasketch.MinHashLSH(threshold=0.7, num_perm=128)
    theirs = set()
    for number, text in enumerate(texts):
        hashed = datasketch.MinHash(num_perm=128)
        for item in sorted(shingles(text)):
            hashed.update(item.to_bytes(8, "big"))
        theirs |= {(other, number) for other in index.query(hashed)}
        index.insert(number, hashed)
    sets = [shingles(text) for text in texts]
    theirs = {(i, j) for i, j in theirs if jaccard(sets[i], sets[j]) >= 0.7}
    ours = {(i, j) for i, j, _ in near_texts(texts, threshold=0.7)}
    assert len(theirs) > 15
    assert len(ours & theirs) >= 0.95 * len(theirs)


def test_many_equal_texts_cost_no_pairs_of_pairs():
    found = near_texts(["the same eight words over and over again"] * 300 + ["something else that nobody said before"])
    assert found == [(0, number, 1.0) for number in range(1, 300)]
    assert near_texts([]) == []


@pytest.mark.parametrize(("permutations", "threshold"), [(128, 0.5), (128, 0.8), (64, 0.9), (16, 0.3)])
def test_the_rows_of_a_band_put_the_curve_below_the_threshold(permutations, threshold):
    rows = band_rows(permutations, threshold)
    bands = permutations // rows
    assert 1 - (1 - threshold**rows) ** bands > 0.8, "a pair at the threshold is likely to be compared"
    assert np.isclose((1 / (permutations / rows)) ** (1 / rows), (rows / permutations) ** (1 / rows))


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_spanning_pairs_join_the_groups_that_all_pairs_do(threshold):
    texts = texts_with_copies(3)
    every, few = (near_texts(texts, threshold=threshold, spanning=spanning) for spanning in (False, True))
    joined = [first_of_groups(len(texts), ((i, j) for i, j, _ in pairs)) for pairs in (every, few)]
    assert joined[0] == joined[1]
    assert len(few) == len(joined[1])
    assert set(few) <= set(every)


def test_a_template_and_a_picture_that_come_often_cost_no_pairs_of_pairs():
    texts = [f"a chart of the sales of all goods in the year {n} with its bars in many colours" for n in range(1500)]
    assert len(near_texts(texts, threshold=0.5, spanning=True)) == 1499
    rng = np.random.Generator(np.random.PCG64(1))
    print_ = fingerprint(Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((64, 64)))
    assert [(pair.first, pair.second) for pair in alike_pictures([print_] * 500)] == [(0, n) for n in range(1, 500)]


def frames(scenes: int, each: int) -> list[Fingerprint]:
    """Frames of still scenes with noise and a patch that moves, no two equal, the scenes one after the other."""
    prints = []
    for scene in range(scenes):
        rng = np.random.Generator(np.random.PCG64(scene))
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((64, 48), Image.Resampling.BICUBIC)
        for number in range(each):
            frame = np.asarray(coarse) + rng.integers(-12, 13, (48, 64, 3))
            frame[number * 3 % 36 :][:10, number * 7 % 50 :][:, :10] = (255, 0, 0)
            prints.append(fingerprint(Image.fromarray(frame.clip(0, 255).astype(np.uint8))))
    return prints


@pytest.mark.parametrize("least", [0.9, 0.93, 0.96])
def test_spanning_pairs_of_pictures_join_the_groups_that_all_pairs_do(least):
    prints = frames(4, 40)
    random.Random(1).shuffle(prints)
    every, few = (alike_pictures(prints, least=least, spanning=spanning) for spanning in (False, True))
    joined = [first_of_groups(len(prints), ((pair.first, pair.second) for pair in pairs)) for pairs in (every, few)]
    assert joined[0] == joined[1]
    assert len(few) == len(joined[1]) < len(every)
    assert set(few) <= set(every)
    assert 4 <= len(prints) - len(joined[0]) < len(prints)


def test_frames_of_a_few_scenes_are_compared_once_each(monkeypatch):
    """A thousand frames alike would be half a million pairs; each is compared with a few that are near it."""
    compared = []
    count = lambda a, b: (compared.append(1), similarity(a, b))[1]  # noqa: E731
    monkeypatch.setattr(duplicates, "similarity", count)
    for brute_force in (2048, 0):
        monkeypatch.setattr(perceptual_hash, "_BRUTE_FORCE", brute_force)
        compared.clear()
        prints = frames(3, 200)
        assert len(first_of_groups(600, ((p.first, p.second) for p in alike_pictures(prints, spanning=True)))) == 597
        assert len(compared) < 6 * len(prints)
