"""Means over tasks and groups."""

from __future__ import annotations

import math

import pytest

from vergence.evaluation.metrics.groups import grouped, macro_mean, mean_measure, mean_measures
from vergence.evaluation.task import Measure


def test_a_mean_has_its_interval():
    share = mean_measure("accuracy", [1.0, 0.0, 1.0, 1.0], "a=b")
    assert (share.value, share.n, share.group) == (0.75, 4, "a=b")
    assert share.low is not None
    assert share.high is not None
    assert 0 < share.low < 0.75 < share.high < 1
    assert mean_measure("score", [0.4]) == Measure("score", 0.4, 1)  # one score tells nothing of the spread
    assert mean_measure("score", []) == Measure("score", None, 0)


def test_labels_may_be_several_or_none():
    assert grouped(["a", None, ("a", "b"), "b"]) == {"a": [0, 2], "b": [2, 3]}
    found = {m.group: (m.value, m.n) for m in mean_measures("m", [1.0, 0.0, 0.0], {"k": ["a", None, ("a", "b")]})}
    assert found == {"": (pytest.approx(1 / 3), 3), "k=a": (0.5, 2), "k=b": (0.0, 1)}


def test_labels_must_be_as_many_as_scores():
    with pytest.raises(ValueError, match="2 scores have 1 labels of k"):
        mean_measures("m", [1.0, 0.0], {"k": ["a"]})


def test_a_macro_mean_weighs_groups_the_same():
    groups = [Measure("m", 1.0, 10, stderr=0.3), Measure("m", 0.0, 1, stderr=0.4), Measure("m", None, 0)]
    assert macro_mean("all", groups) == Measure("all", 0.5, 11, stderr=pytest.approx(math.hypot(0.3, 0.4) / 2))
    assert macro_mean("all", [Measure("m", 1.0, 1)]).stderr is None
    assert macro_mean("all", []) == Measure("all", None, 0)
