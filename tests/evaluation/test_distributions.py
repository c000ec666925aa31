"""Student's t and the sign test, beside scipy's and at closed forms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vergence.evaluation.distributions import (
    normal_cdf,
    normal_quantile,
    sign_test,
    student_quantile,
    student_tails,
)


@given(st.floats(0, 200), st.one_of(st.integers(1, 100_000), st.floats(0.5, 50)))
def test_student_tails_equal_scipy_far_into_the_tail(t, df):
    expected = 2 * stats.t.sf(t, df)
    assert student_tails(t, df) == student_tails(-t, df)
    assert student_tails(t, df) == pytest.approx(expected, rel=1e-8, abs=1e-290)


@given(st.floats(0.001, 0.9999), st.integers(1, 100_000))
def test_student_quantile_equals_scipy(level, df):
    assert student_quantile(level, df) == pytest.approx(stats.t.ppf((1 + level) / 2, df), rel=1e-8)


def test_student_at_closed_forms():
    # One degree of freedom is Cauchy's distribution, two have t = p sqrt(2 / (1 - p^2)), infinitely many the normal's.
    assert student_quantile(0.95, 1) == pytest.approx(math.tan(math.pi * 0.475), rel=1e-12)
    assert student_quantile(0.95, 2) == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)), rel=1e-12)
    assert student_quantile(0.95, math.inf) == pytest.approx(normal_quantile(0.975), rel=1e-12)
    assert student_tails(1, 1) == pytest.approx(0.5, rel=1e-12)
    assert student_tails(0, 7) == 1
    assert student_tails(math.inf, 3) == 0
    assert student_tails(2, math.inf) == pytest.approx(2 * stats.norm.sf(2), rel=1e-12)
    assert normal_cdf(-12) == pytest.approx(stats.norm.cdf(-12), rel=1e-12)


@given(st.integers(0, 600), st.integers(0, 600))
def test_the_sign_test_equals_scipy(wins, losses):
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1
    assert sign_test(wins, losses) == pytest.approx(expected, rel=1e-9)
    assert sign_test(wins, losses) == sign_test(losses, wins)


def test_the_sign_test_of_many_and_of_none():
    assert sign_test(0, 0) == 1
    assert sign_test(0, 10) == 2 / 2**10
    assert sign_test(0, 3000) == 0  # 2^-2999 is below what a float holds, and no error
    assert sign_test(5000, 5000) == 1


def test_what_has_no_meaning_is_refused():
    with pytest.raises(ValueError, match="degrees of freedom"):
        student_tails(1, 0)
    with pytest.raises(ValueError, match="level"):
        student_quantile(1, 5)
    with pytest.raises(ValueError, match="no counts"):
        sign_test(-1, 2)
