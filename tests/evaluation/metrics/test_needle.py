"""The grid of lengths and depths."""

from __future__ import annotations

import pytest

from vergence.evaluation.metrics.needle import needle, needle_grid

SCORES = [1.0, 0.0, 1.0, 1.0, 0.0]
LENGTHS = [1000, 1000, 1000, 2000, 2000]
DEPTHS = [0.0, 0.0, 0.5, 0.0, 0.5]


def test_the_grid():
    grid = needle_grid(SCORES, LENGTHS, DEPTHS)
    assert (grid.lengths, grid.depths) == ((1000, 2000), (0.0, 0.5))
    assert grid.values == ((0.5, 1.0), (1.0, 0.0))
    assert grid.counts == ((2, 1), (1, 1))


def test_a_cell_that_was_not_asked_is_not_zero():
    grid = needle_grid([1.0, 0.0], [1000, 2000], [0.0, 0.5])
    assert grid.values == ((1.0, None), (None, 0.0))


def test_cells_weigh_the_same_and_the_worst_is_shown():
    measures = needle(SCORES, LENGTHS, DEPTHS)
    found = {(measure.metric, measure.group): measure.value for measure in measures}
    assert measures[0].metric == "accuracy"
    assert found["accuracy", ""] == pytest.approx((0.5 + 1 + 1 + 0) / 4)
    assert found["min_accuracy", ""] == 0.0
    assert found["accuracy", "length=1000"] == 0.75
    assert found["accuracy", "depth=0.5"] == 0.5
    assert found["accuracy", "cell=2000@0.5"] == 0.0
    assert measures[0].n == 5


def test_all_tries_of_a_question_must_be_right():
    measures = needle([1.0, 1.0, 1.0, 0.0], [10] * 4, [0.0] * 4, ["a", "a", "b", "b"])
    assert (measures[0].value, measures[0].n) == (0.5, 2)
    with pytest.raises(ValueError, match=r"question 'a' is asked at \(10, 0.0\) and at \(20, 0.0\)"):
        needle([1.0, 1.0], [10, 20], [0.0, 0.0], ["a", "a"])


def test_nothing_asked():
    assert [measure.value for measure in needle([], [], [])] == [None, None]
    assert needle_grid([], [], []).values == ()
