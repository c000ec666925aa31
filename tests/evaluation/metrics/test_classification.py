"""Zero-shot classification: prompt ensembles, ranks, subsets and mapped classes."""

from __future__ import annotations

import importlib.util
import json
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vergence.errors import DataError, UsageError
from vergence.evaluation.metrics.classification import (
    class_logits,
    class_weights,
    label_ranks,
    mapped_ranks,
    open_clip_prompts,
    prompts,
    read_lines,
    zero_shot,
)


def unit(vector):
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("convert", [lambda a: a, torch.tensor, lambda a: [torch.tensor(c) for c in a]])
def test_class_weights_are_norms_of_means_of_norms(convert):
    embeddings = np.random.default_rng(0).normal(size=(4, 7, 16)) * np.array([1, 10, 100, 1, 1, 1, 1])[:, None]
    expected = [unit(np.mean([unit(text) for text in texts], axis=0)) for texts in embeddings]
    np.testing.assert_allclose(class_weights(convert(embeddings)), expected, atol=1e-6)


def test_classes_may_have_different_templates():
    weights = class_weights([np.ones((2, 3)), np.eye(3)[:1]])
    np.testing.assert_allclose(weights[1], [1, 0, 0])
    for wrong in ([np.ones(3)], [np.ones((0, 3))]):
        with pytest.raises(ValueError, match=r"class 0: text embeddings of shape .*expected \(templates, D\)"):
            class_weights(wrong)


def test_logits_are_cosines():
    rng = np.random.default_rng(1)
    images, weights = rng.normal(size=(5, 8)), class_weights(rng.normal(size=(3, 2, 8)))
    expected = [[unit(image) @ unit(weight) for weight in weights.numpy()] for image in images]
    np.testing.assert_allclose(class_logits(images, weights), expected, atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 8), st.booleans())
def test_ranks_are_places_in_a_stable_order(seed, images, classes, subset):
    rng = np.random.default_rng(seed)
    logits = rng.integers(0, 4, (images, classes)).astype(float)  # many ties
    allowed = (
        sorted(rng.choice(classes, rng.integers(1, classes + 1), replace=False).tolist()) if subset else range(classes)
    )
    labels = rng.choice(list(allowed), images).tolist()
    expected = []
    for row, label in zip(logits, labels, strict=True):
        expected.append(sorted(allowed, key=lambda c: (-row[c], c)).index(label))
    assert label_ranks(logits, labels, list(allowed) if subset else None) == expected


def test_a_subset_leaves_the_other_classes_out():
    logits = [[0.9, 0.1, 0.5, 0.2]]
    assert label_ranks(logits, [2]) == [1]
    assert label_ranks(logits, [2], [1, 2, 3]) == [0]
    with pytest.raises(ValueError, match="label 0 isn't one of the 3 classes"):
        label_ranks(logits, [0], [1, 2, 3])
    with pytest.raises(ValueError, match="2 labels"):
        label_ranks(logits, [2, 3])
    with pytest.raises(ValueError, match="finite"):
        label_ranks([[np.nan, 1.0]], [0])


def test_mapped_classes_stand_for_one_label():
    # Classes 0 and 1 are both label 10, class 3 is label 11, class 2 has none.
    mapping = {0: 10, 1: 10, 3: 11}
    logits = [[0.1, 0.8, 0.99, 0.7], [0.6, 0.8, 0.1, 0.7]]
    assert mapped_ranks(logits, [10, 11], mapping) == [0, 1]
    assert mapped_ranks(logits, [11, 10], mapping) == [1, 0]
    with pytest.raises(ValueError, match="label 12 has no class"):
        mapped_ranks(logits, [12, 12], mapping)


def test_top_k():
    found = {measure.metric: measure.value for measure in zero_shot([0, 1, 4, 5, 9])}
    assert found == {"top1": 0.2, "top5": 0.6}
    assert zero_shot([], (1,))[0].value is None


def test_templates_and_names_from_files(tmp_path):
    lines = tmp_path / "names.txt"
    lines.write_text("tench\n\n goldfish \n", encoding="utf-8")
    assert read_lines(lines) == ["tench", "goldfish"]
    templates = tmp_path / "templates.json"
    templates.write_text(json.dumps(["a photo of a {}.", "art of the {}."]), encoding="utf-8")
    assert prompts(read_lines(templates, templates=True), "tench") == ["a photo of a tench.", "art of the tench."]
    assert prompts(["a {}"], "{}") == ["a {}"]


@pytest.mark.parametrize(
    ("content", "templates", "problem"),
    [
        ("", False, "empty, expected a list of class names"),
        ("[1, 2]", False, "entry 1 is 1, expected a text"),
        ("[broken", False, "not a JSON list"),
        ("a photo", True, r"template 1 \('a photo'\) has 0 times \{\}, expected once"),
        ("a {} of {}", True, "has 2 times"),
    ],
)
def test_files_of_another_form(tmp_path, content, templates, problem):
    path = tmp_path / "list"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=problem):
        read_lines(path, templates=templates)
    with pytest.raises(DataError, match="can't be read"):
        read_lines(tmp_path / "missing")


def test_prompts_without_open_clip(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UsageError, match="open_clip: pip install open_clip_torch"):
        open_clip_prompts()


@pytest.mark.skipif(importlib.util.find_spec("open_clip") is None, reason="the oracle open_clip is not installed")
def test_weights_are_open_clips():
    from open_clip import build_zero_shot_classifier

    class Model:
        def encode_text(self, tokens, normalize=False):
            generator = torch.Generator().manual_seed(0)
            features = tokens.float() @ torch.randn(tokens.shape[1], 16, generator=generator)
            return torch.nn.functional.normalize(features, dim=-1) if normalize else features

    templates, names = open_clip_prompts(short=True)
    names = names[:5]

    def tokens(texts):
        return torch.tensor([[ord(c) for c in text.ljust(80)[:80]] for text in texts])

    theirs = build_zero_shot_classifier(Model(), tokens, names, [lambda c, t=t: t.format(c) for t in templates])
    ours = class_weights([Model().encode_text(tokens(prompts(templates, name))) for name in names])
    torch.testing.assert_close(ours, theirs.T)
