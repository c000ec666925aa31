"""Two runs on the same questions: differences, tests and the number of questions that a difference needs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vergence.errors import DataError
from vergence.evaluation.comparison import (
    achieved_power,
    comparison_table,
    detectable_difference,
    paired_comparison,
    paired_spread,
    sample_size,
    unpaired_difference,
)
from vergence.evaluation.statistics import Interval, clustered_stderr, mean_interval, proportion_interval


def keyed(values):
    return {f"q{i}": float(value) for i, value in enumerate(values)}


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=40))
def test_without_clusters_it_is_scipys_paired_test(pairs):
    a, b = np.array(pairs).T
    found = paired_comparison(keyed(a), keyed(b))
    assert found.difference == pytest.approx(b.mean() - a.mean(), abs=1e-12)
    if np.ptp(b - a) > 1e-6:
        expected = stats.ttest_rel(b, a)
        low, high = expected.confidence_interval(0.95)
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    if np.ptp(a) > 1e-6 and np.ptp(b) > 1e-6:
        assert found.correlation == pytest.approx(stats.pearsonr(a, b).statistic, abs=1e-6)
    swapped = paired_comparison(keyed(b), keyed(a))
    assert swapped.difference == -found.difference
    assert (swapped.wins, swapped.losses) == (found.losses, found.wins)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=80))
def test_mcnemar_is_the_binomial_test_of_the_discordant_questions(pairs):
    a, b = np.array(pairs).T
    found = paired_comparison(keyed(a), keyed(b))
    wins, losses = int((b > a).sum()), int((b < a).sum())
    assert (found.wins, found.losses) == (wins, losses)
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1
    assert found.mcnemar == pytest.approx(expected, rel=1e-9)
    assert paired_comparison(keyed(a * 0.5), keyed(b)).mcnemar == (found.mcnemar if not a.any() else None)


def test_clusters_enter_the_error_of_the_difference():
    rng = np.random.default_rng(0)
    picture = np.repeat(np.arange(40), 5)
    shift = np.repeat(rng.normal(0.05, 0.3, 40), 5)
    a = rng.random(200)
    b = a + shift + rng.normal(0, 0.05, 200)
    clusters = {f"q{i}": int(p) for i, p in enumerate(picture)}
    plain, found = paired_comparison(keyed(a), keyed(b)), paired_comparison(keyed(a), keyed(b), clusters)
    assert (plain.clusters, found.clusters) == (200, 40)
    assert found.difference == plain.difference
    assert found.stderr == pytest.approx(clustered_stderr(b - a, picture.tolist()))
    assert found.stderr > 1.8 * plain.stderr
    assert found.p_value > plain.p_value
    # All that these clusters know is their mean: nearly the test of the 40 means.
    means = (b - a).reshape(40, 5).mean(1)
    assert found.p_value == pytest.approx(stats.ttest_1samp(means, 0).pvalue, rel=1e-6)
    # A question that the mapping lacks stands alone, whatever its neighbours' labels are.
    del clusters["q0"]
    assert paired_comparison(keyed(a), keyed(b), clusters).clusters == 41


def test_the_rate_of_false_alarms_is_what_was_promised():
    rng = np.random.default_rng(1)
    picture = np.repeat(np.arange(40), 4)
    clusters = {f"q{i}": int(p) for i, p in enumerate(picture)}
    alarms = {"clustered": 0, "plain": 0}
    for _ in range(500):
        difference = np.repeat(rng.normal(0, 0.3, 40), 4) + rng.normal(0, 0.3, 160)
        a, b = keyed(np.zeros(160)), keyed(difference)
        alarms["clustered"] += paired_comparison(a, b, clusters).p_value < 0.05
        alarms["plain"] += paired_comparison(a, b).p_value < 0.05
    assert 0.025 < alarms["clustered"] / 500 < 0.08  # the standard deviation is 1%
    assert alarms["plain"] / 500 > 0.12


def test_questions_of_one_run_are_left_out_and_counted():
    found = paired_comparison({"a": 1, "b": 0, "c": 1}, {"b": 1, "c": 1, "d": 0, "e": 1})
    assert (found.n, found.only_a, found.only_b) == (2, 1, 2)
    assert (found.mean_a, found.mean_b, found.difference) == (0.5, 1.0, 0.5)
    table = comparison_table({"text": found}, "old", "new").splitlines()
    figures = "text 2 - 0.5000 1.0000 +0.5000 -5.8531 to +6.8531 0.5 1 1/0 1.4008 16"
    assert " ".join(table[1].split()) == figures
    assert table[2] == "text: 1 questions only in old and 2 only in new are left out"


def test_what_cannot_be_known_is_none():
    one = paired_comparison({"a": 0.0}, {"a": 1.0})
    assert (one.stderr, one.low, one.high, one.p_value, one.detectable, one.needed) == (None,) * 6
    assert one.mcnemar == 1
    alike = paired_comparison(keyed([0] * 9), keyed([1] * 9))  # a difference without any spread
    assert (alike.p_value, alike.mcnemar) == (None, 2 / 2**9)
    same = paired_comparison(keyed([0, 1, 1]), keyed([0, 1, 1]))
    assert (same.p_value, same.difference, same.needed) == (1.0, 0.0, None)
    assert comparison_table({"one": one}).splitlines()[1].split()[6:] == ["-", "-", "1", "1/0", "-", "-"]
    with pytest.raises(DataError, match="share no scored question: 1 and 2"):
        paired_comparison({"a": 1}, {"b": 1, "c": 2})
    with pytest.raises(DataError, match="run B, a: the score nan"):
        paired_comparison({"a": 1}, {"a": math.nan})


def test_the_number_of_questions_by_hand():
    # (1.959964 + 0.841621)^2 / 9 / 0.03^2 = 968.98
    assert sample_size(0.03, 1 / 3) == 969
    assert sample_size(0.03, paired_spread(0.5, 0.5, 0.5)) == 2181
    assert sample_size(-0.03, 1 / 3) == sample_size(0.03, 1 / 3)
    assert sample_size(0.03, 1 / 3, design_effect=2) == pytest.approx(2 * 969, abs=2)
    assert sample_size(5, 0.1) == 2
    with pytest.raises(ValueError, match="a difference of 0"):
        sample_size(0, 1)


@given(st.floats(0.005, 0.5), st.floats(0.05, 1), st.floats(0.5, 0.99), st.floats(0.001, 0.2), st.floats(1, 4))
def test_size_difference_and_power_are_inverses(difference, spread, power, alpha, design):
    n = sample_size(difference, spread, power=power, alpha=alpha, design_effect=design)
    assert detectable_difference(n, spread, power=power, alpha=alpha, design_effect=design) <= difference * (1 + 1e-9)
    assert achieved_power(difference, spread, n, alpha=alpha, design_effect=design) >= power - 1e-9
    if n > 2:
        fewer = detectable_difference(n - 1, spread, power=power, alpha=alpha, design_effect=design)
        assert fewer >= difference * (1 - 1e-9)
    assert achieved_power(0, spread, n, alpha=alpha) == pytest.approx(alpha)


def test_the_power_is_what_a_simulation_finds():
    n = sample_size(0.1, 0.5)
    rng = np.random.default_rng(2)
    found = [
        paired_comparison(dict.fromkeys(range(n), 0.0), dict(enumerate(rng.normal(0.1, 0.5, n).tolist())))
        for _ in range(400)
    ]
    assert sum(c.p_value < 0.05 for c in found) / 400 == pytest.approx(0.8, abs=0.06)
    assert np.median([c.detectable for c in found]) == pytest.approx(0.1, rel=0.05)
    # At the very edge of what is seen, the questions asked are the questions needed.
    edge = [c for c in found if abs(c.difference - 0.1) < 0.002]
    assert edge
    assert all(c.needed == pytest.approx(n, rel=0.3) for c in edge)


def test_two_sets_of_questions_differ_as_newcombe_publishes():
    # Newcombe 1998, Statistics in Medicine 17, 873-890, table II, method 10: 56/70 - 48/80 and 9/10 - 3/10.
    def share(successes, n):
        return proportion_interval([1] * successes + [0] * (n - successes))

    first = unpaired_difference(share(48, 80), share(56, 70))
    assert (first.low, first.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    second = unpaired_difference(share(3, 10), share(9, 10))
    assert (second.low, second.high) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert second.mean == pytest.approx(0.6)


def test_the_difference_of_two_means_adds_variances():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, 5000), rng.normal(0.2, 2, 4000)
    found = unpaired_difference(mean_interval(a), mean_interval(b))
    low, high = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-2)
    assert found.stderr == pytest.approx(math.sqrt(1 / 5000 + 4 / 4000), rel=0.03)
    assert unpaired_difference(Interval(1, None, -math.inf, math.inf), mean_interval(a)).stderr is None
