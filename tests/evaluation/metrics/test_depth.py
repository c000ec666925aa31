"""Errors of depths, orders, and DA-2K asked both ways."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.errors import DataError
from vergence.evaluation.metrics.depth import (
    da2k,
    da2k_questions,
    depth_errors,
    order_score,
    read_depth,
    read_nearer,
)


def by_name(measures):
    return {measure.metric: measure.value for measure in measures if not measure.group}


@given(st.lists(st.tuples(st.floats(0.1, 20), st.floats(0.1, 20)), min_size=1, max_size=30))
def test_depth_errors_are_eigens(pairs):
    d, true = np.array(pairs).T
    d, true = d[true <= 10], true[true <= 10]
    found = by_name(depth_errors([p for p, _ in pairs], [t for _, t in pairs]))
    if not len(d):
        assert found["abs_rel"] is None
        return
    ratio = np.maximum(d / true, true / d)
    assert found["abs_rel"] == pytest.approx(np.mean(np.abs(d - true) / true))
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((d - true) ** 2)))
    assert found["log10"] == pytest.approx(np.mean(np.abs(np.log10(d) - np.log10(true))))
    for k in (1, 2, 3):
        assert found[f"delta_{k}"] == pytest.approx(np.mean(ratio < 1.25**k))


def test_a_threshold_is_not_within_itself():
    assert by_name(depth_errors([1.25], [1.0]))["delta_1"] == 0.0
    assert by_name(depth_errors([1.2499], [1.0]))["delta_1"] == 1.0


def test_unreadable_depths_are_misses_and_no_errors():
    found = by_name(depth_errors([2.0, None, math.nan, -1.0], [2.0, 2.0, 2.0, 2.0]))
    assert (found["abs_rel"], found["rmse"], found["delta_1"], found["invalid_ratio"]) == (0.0, 0.0, 0.25, 0.75)


def test_true_depths_that_are_not_evaluated():
    found = depth_errors([1.0, 1.0, 1.0, 1.0], [0.0, math.nan, 10.1, 1.0])
    assert [measure.n for measure in found] == [1] * len(found)
    assert by_name(depth_errors([20.0], [20.0], cap=None))["abs_rel"] == 0.0


@pytest.mark.parametrize(
    ("answer", "metres"),
    [
        ("2.5", 2.5),
        ("About 2.5 meters away.", 2.5),
        ("250 cm", 2.5),
        ("0 m", None),
        ("-1", None),
        ("far", None),
        ("2-3 m", None),
    ],
)
def test_reading_a_depth(answer, metres):
    assert read_depth(answer) == metres


def test_orders():
    depths = [3.0, 1.0, 2.0]
    assert order_score([1, 2, 0], depths) == 1.0
    assert order_score([0, 2, 1], depths) == 0.0
    assert order_score([1, 0, 2], depths) == pytest.approx(2 / 3)
    assert order_score([0, 1], [1.0, 1.0]) is None
    assert order_score([0, 0, 1], depths) is None
    assert order_score([1, 0, 2], [1.0, 1.0, 2.0]) == 1.0


@pytest.mark.parametrize(
    ("answer", "side"),
    [("point1", 1), ("Point 2.", 2), ("A", 1), ("(b)", 2), ("The first point", 1), ("2", 2), ("point B is nearer", 2),
     ("Point A is closer than point B", 1), ("Point B is not closer, point A is closer.", 1), ("", None), ("both",
     None),
     ("Point 1 and point 2 are equally far", None), ("Point A is farther", None), ("point B isn't", None),
     ("Answer: 1", 1), ("The answer is **2**.", 2),
     ("Looking at both points.\n\n\\boxed{2}", 2), ("There are 2", None)],
)  # fmt: skip
def test_reading_the_nearer_point(answer, side):
    assert read_nearer(answer) == side


ANNOTATIONS = {
    "indoor/a.jpg": [{"point1": [10, 20], "point2": [30, 40], "closer_point": "point1"}] * 2,
    "outdoor/b.jpg": [{"point1": [1, 2], "point2": [3, 4], "closer_point": "point1"}],
}


def test_da2k_is_asked_both_ways():
    questions = list(da2k_questions(ANNOTATIONS))
    assert len(questions) == 6
    assert (questions[0].first, questions[0].second, questions[0].nearer) == ((20, 10), (40, 30), 1)
    assert (questions[1].first, questions[1].second, questions[1].nearer) == ((40, 30), (20, 10), 2)
    assert questions[0].pair == questions[1].pair != questions[2].pair


def test_always_saying_the_first_point_is_worth_a_half():
    questions = list(da2k_questions(ANNOTATIONS))
    truth, pairs = [question.nearer for question in questions], [question.pair for question in questions]
    found = by_name(da2k([1] * 6, truth, pairs))
    assert (found["accuracy"], found["pair_accuracy"], found["first_ratio"]) == (0.5, 0.0, 1.0)
    found = by_name(da2k(truth, truth, pairs))
    assert (found["accuracy"], found["pair_accuracy"], found["first_ratio"]) == (1.0, 1.0, 0.5)
    found = by_name(da2k([None, *truth[1:]], truth, pairs))
    assert found["accuracy"] == pytest.approx(5 / 6)
    assert found["pair_accuracy"] == pytest.approx(2 / 3)
    assert found["invalid_ratio"] == pytest.approx(1 / 6)
    scenes = [question.image.split("/")[0] for question in questions]
    groups = {measure.group: measure.value for measure in da2k(truth, truth, pairs, scenes)}
    assert groups["scene=indoor"] == groups["scene=outdoor"] == 1.0


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ({"point1": [1, 2], "point2": [3, 4], "closer_point": "A"}, "closer_point is 'A'"),
        ({"point1": [1, 2], "closer_point": "point1"}, r"a point is None, expected \[vertical, horizontal\]"),
        ({"point1": [1, 2, 3], "point2": [3, 4], "closer_point": "point1"}, "a point is"),
    ],
)
def test_annotations_of_another_form(pair, problem):
    with pytest.raises(DataError, match=f"a.jpg, pair 0: {problem}"):
        list(da2k_questions({"a.jpg": [pair]}))
