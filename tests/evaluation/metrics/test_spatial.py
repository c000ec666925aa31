"""VSI-Bench: relative accuracy with exact thresholds and the mean of eight tasks."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.evaluation.metrics.spatial import (
    VSI_DIRECTIONS,
    VSI_NUMBERS,
    VSI_TASKS,
    mean_relative_accuracy,
    vsi_bench,
)


@given(st.integers(0, 5000), st.integers(1, 1000), st.booleans())
def test_mra_counts_thresholds(predicted, true, strict):
    error = Fraction(abs(predicted - true), true)
    bounds = [1 - Fraction(t, 100) for t in range(50, 100, 5)]
    share = sum(error < bound if strict else error <= bound for bound in bounds) / 10
    assert mean_relative_accuracy(predicted, true, strict=strict) == share
    assert mean_relative_accuracy(predicted / 10, true / 10, strict=strict) == share
    assert mean_relative_accuracy(Fraction(predicted, 7), Fraction(true, 7), strict=strict) == share


@pytest.mark.parametrize(
    ("predicted", "true", "inclusive", "strict"),
    [
        (10, 10, 1.0, 1.0),
        (12, 10, 0.7, 0.6),
        (11, 10, 0.9, 0.8),
        (13, 10, 0.5, 0.4),
        (1.1, 1.0, 0.9, 0.8),
        (15, 10, 0.1, 0.0),
        (15.01, 10, 0.0, 0.0),
        (5, 10, 0.1, 0.0),
        (9.5, 10, 1.0, 0.9),
        (0, 10, 0.0, 0.0),
        (math.inf, 10, 0.0, 0.0),
    ],
)
def test_errors_at_a_threshold(predicted, true, inclusive, strict):
    assert mean_relative_accuracy(predicted, true) == inclusive
    assert mean_relative_accuracy(predicted, true, strict=True) == strict


def test_thresholds_do_not_depend_on_the_size_of_numbers():
    for power in range(-8, 9):
        scale = Decimal(10) ** power
        assert mean_relative_accuracy(float(11 * scale), float(10 * scale)) == 0.9


@pytest.mark.parametrize("true", [0, -1, math.nan, math.inf])
def test_a_true_number_without_a_relative_error(true):
    with pytest.raises(ValueError, match="positive"):
        mean_relative_accuracy(1, true)


def test_the_score_is_the_mean_of_eight_tasks():
    types = [
        *VSI_NUMBERS,
        *VSI_DIRECTIONS,
        "object_rel_distance",
        "route_planning",
        "obj_appearance_order",
        "route_planning",
    ]
    scores = [0.8, 0.6, 0.4, 0.2, 1.0, 0.5, 0.0, 1.0, 0.0, 1.0, None]
    measures = vsi_bench(scores, types)
    found = {measure.group: measure.value for measure in measures if measure.metric == "score"}
    assert found["task=object_rel_direction"] == 0.5
    assert found["task=route_planning"] == 0.0
    assert found[""] == pytest.approx((0.8 + 0.6 + 0.4 + 0.2 + 0.5 + 1.0 + 0.0 + 1.0) / 8)
    assert measures[0].group == ""
    assert [m.group for m in measures[2:10]] == [f"task={task}" for task in VSI_TASKS]
    assert next(m.value for m in measures if m.metric == "invalid_ratio") == pytest.approx(1 / 11)


def test_a_task_that_was_not_asked_is_not_zero():
    found = {
        m.group: m.value for m in vsi_bench([1.0, 0.5], ["route_planning", VSI_DIRECTIONS[0]]) if m.metric == "score"
    }
    assert found["task=object_counting"] is None
    assert found[""] == 0.75
    with pytest.raises(ValueError, match="unknown question type 'object_rel_direction'"):
        vsi_bench([1.0], ["object_rel_direction"])
