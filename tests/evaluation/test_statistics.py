"""Intervals and comparisons, beside scipy's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from vergence.evaluation.statistics import Z95, wilson


@given(
    st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.9, 0.95, 0.99])
)
def test_wilson_equals_scipy(counts, level):
    successes, n = counts
    expected = binomtest(successes, n).proportion_ci(confidence_level=level, method="wilson")
    low, high = wilson(successes, n, norm.ppf((1 + level) / 2))
    assert low == pytest.approx(expected.low, abs=1e-12)
    assert high == pytest.approx(expected.high, abs=1e-12)
    assert 0 <= low <= successes / n <= high <= 1


def test_wilson_at_the_ends():
    assert pytest.approx(norm.ppf(0.975), abs=1e-15) == Z95
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 300)[0] == 0.0
    assert wilson(300, 300)[1] == 1.0
    # At 0 of n the upper end has the closed form z^2 / (n + z^2).
    assert wilson(0, 300)[1] == pytest.approx(Z95**2 / (300 + Z95**2), abs=1e-15)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_symmetric_and_shrinks_with_more_samples(counts):
    successes, n = counts
    low, high = wilson(successes, n)
    assert (1 - high, 1 - low) == pytest.approx(wilson(n - successes, n), abs=1e-12)
    wider = wilson(4 * successes, 4 * n)
    assert wider[1] - wider[0] < high - low


@pytest.mark.parametrize("counts", [(-1, 3), (4, 3), (1, 0)])
def test_wilson_refuses_what_is_no_proportion(counts):
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(*counts)


def test_wilson_solves_its_own_equation():
    low, high = wilson(37, 120)
    for p in (low, high):
        assert abs(p - 37 / 120) == pytest.approx(Z95 * math.sqrt(p * (1 - p) / 120), abs=1e-12)
