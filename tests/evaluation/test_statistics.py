"""Intervals and comparisons, beside scipy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import binomtest, norm

from vergence.evaluation.statistics import (
    Z95,
    bootstrap,
    clustered_stderr,
    mean_interval,
    mean_stderr,
    proportion_interval,
    score_interval,
    wilson,
)


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


SCORES = st.lists(st.floats(-100, 100), min_size=2, max_size=60)


def double_sum(scores, clusters):
    """Equation 4 of Miller 2024 written out pair by pair."""
    n, mean = len(scores), math.fsum(scores) / len(scores)
    total = math.fsum((s - mean) ** 2 for s in scores) / (n - 1) / n
    for i in range(n):
        for j in range(n):
            if i != j and clusters[i] == clusters[j]:
                total += (scores[i] - mean) * (scores[j] - mean) / n**2
    return math.sqrt(max(0.0, total))


@given(SCORES)
def test_the_standard_error_of_a_mean_equals_scipy(scores):
    assert mean_stderr(scores) == pytest.approx(stats.sem(scores), rel=1e-9, abs=1e-12)
    assert clustered_stderr(scores, range(len(scores))) == pytest.approx(stats.sem(scores), rel=1e-9, abs=1e-12)


@given(SCORES, st.data())
def test_the_clustered_standard_error_is_the_papers_double_sum(scores, data):
    clusters = data.draw(st.lists(st.integers(0, 9), min_size=len(scores), max_size=len(scores)))
    found = clustered_stderr(scores, clusters)
    if len(set(clusters)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(double_sum(scores, clusters), rel=1e-6, abs=1e-6)


def test_copies_of_a_question_add_no_knowledge():
    rng = np.random.default_rng(0)
    once = rng.random(400)
    # Ten copies of each score, their cluster known: the standard error of the 400, but for the term in 1 / n.
    copies, labels = np.repeat(once, 10), np.repeat(np.arange(400), 10)
    assert clustered_stderr(copies, labels) == pytest.approx(mean_stderr(once), rel=2e-3)
    assert mean_stderr(copies) == pytest.approx(mean_stderr(once) / math.sqrt(10), rel=2e-3)
    low, high = mean_interval(once)[2:]
    assert mean_interval(copies, labels.tolist())[2:] == pytest.approx((low, high), abs=1e-12)


def test_too_little_to_know():
    assert mean_stderr([]) is None
    assert mean_stderr([1.0]) is None
    assert clustered_stderr([], []) is None
    assert clustered_stderr([1, 0, 1, 1], "aaaa") is None
    assert mean_interval([0.25, 0.75], "aa") == (0.5, None, -math.inf, math.inf)
    assert proportion_interval([1, 1, 1, 1], "aaaa") == (1.0, None, *wilson(1, 1))
    three = wilson(3, 3, stats.t.ppf(0.975, 2))
    assert proportion_interval([1, 1, 1, 1, 1, 1], "aabbcc")[2:] == pytest.approx(three, rel=1e-9)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_of_a_mean_equals_scipy(scores, level):
    found = mean_interval(scores, level=level)
    half = stats.t.ppf((1 + level) / 2, len(scores) - 1) * stats.sem(scores)
    assert found.low == pytest.approx(np.mean(scores) - half, abs=1e-9)
    assert found.high == pytest.approx(np.mean(scores) + half, abs=1e-9)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=60), st.data())
def test_a_share_stays_a_share_and_without_clusters_is_wilsons(answers, data):
    assert proportion_interval(answers)[2:] == pytest.approx(wilson(sum(answers), len(answers)), abs=1e-12)
    clusters = data.draw(st.lists(st.integers(0, 5), min_size=len(answers), max_size=len(answers)))
    mean, _, low, high = proportion_interval(answers, clusters)
    assert 0 <= low <= mean <= high <= 1
    assert score_interval(answers, clusters) == proportion_interval(answers, clusters)
    assert high - low >= wilson(sum(answers), len(answers))[1] - wilson(sum(answers), len(answers))[0] - 1e-12


def test_other_scores_are_no_shares():
    assert score_interval([0.5, 1, 0]) == mean_interval([0.5, 1, 0])
    with pytest.raises(ValueError, match="0 and 1"):
        proportion_interval([0.5])
    for function in (mean_interval, proportion_interval, bootstrap):
        with pytest.raises(ValueError, match="not known"):
            function([])
    with pytest.raises(ValueError, match="as many cluster labels"):
        clustered_stderr([1, 2, 3], "ab")
    with pytest.raises(ValueError, match="finite"):
        mean_stderr([1, math.nan])


def beta_answers(rng, pictures, each, share, likeness):
    """Right and wrong answers about pictures that differ in difficulty; `likeness` is the correlation inside one."""
    concentration = 1 / likeness - 1
    difficulty = rng.beta(share * concentration, (1 - share) * concentration, pictures)
    return (rng.random((pictures, each)) < difficulty[:, None]).astype(float)


@pytest.mark.parametrize(
    ("pictures", "each", "share", "likeness"), [(100, 3, 0.7, 0.3), (30, 5, 0.6, 0.4), (12, 8, 0.5, 0.2)]
)
def test_clustered_intervals_cover_the_truth_and_plain_ones_do_not(pictures, each, share, likeness):
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(pictures), each).tolist()
    rounds = 600
    covered = {"mean": 0, "share": 0, "plain": 0}
    for _ in range(rounds):
        answers = beta_answers(rng, pictures, each, share, likeness).ravel()
        for name, (_, _, low, high) in (
            ("mean", mean_interval(answers, clusters)),
            ("share", proportion_interval(answers, clusters)),
            ("plain", proportion_interval(answers)),
        ):
            covered[name] += low <= share <= high
    # 95% of 600 rounds has a standard deviation of 0.9%.
    assert covered["mean"] / rounds > 0.92
    assert 0.93 < covered["share"] / rounds < 0.99
    assert covered["plain"] / rounds < 0.88


def test_the_bootstrap_covers_the_truth_by_clusters_only():
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(60), 4).tolist()
    covered = plain = 0
    for round_ in range(300):
        answers = beta_answers(rng, 60, 4, 0.6, 0.4).ravel()
        low, high = bootstrap(answers, clusters, resamples=500, seed=round_)
        covered += low <= 0.6 <= high
        low, high = bootstrap(answers, resamples=500, seed=round_)
        plain += low <= 0.6 <= high
    assert 0.90 < covered / 300 < 0.985
    assert plain / 300 < 0.88


def test_the_bootstrap_of_a_mean_approaches_its_closed_form_and_scipys():
    scores = np.random.default_rng(3).gamma(2, size=200)
    low, high = bootstrap(scores, resamples=40_000)
    # The bootstrap's own standard deviation of a mean is sqrt(sum of squared deviations) / n.
    half = Z95 * scores.std() / math.sqrt(200)
    assert (high - low) / 2 == pytest.approx(half, rel=0.02)
    other = stats.bootstrap((scores,), np.mean, method="percentile", n_resamples=40_000, rng=np.random.default_rng(4))
    assert (low, high) == pytest.approx(tuple(other.confidence_interval), abs=0.05 * half)


def test_the_bootstrap_takes_any_statistic_and_is_repeatable():
    rng = np.random.default_rng(5)
    scores, clusters = rng.random(90), (np.arange(90) // 3).tolist()
    mean = bootstrap(scores, clusters, resamples=4000, seed=1)
    assert mean == bootstrap(scores, clusters, resamples=4000, seed=1)
    assert mean != bootstrap(scores, clusters, resamples=4000, seed=2)
    spelled = bootstrap(scores, clusters, statistic=lambda a: float(a.mean()), resamples=4000, seed=1)
    assert spelled == pytest.approx(mean, abs=1e-12)  # the same draws, so the same means

    rows = np.stack([scores, np.ones(90)], 1)  # a ratio of sums of rows
    ratio = bootstrap(rows, clusters, statistic=lambda a: float(a[:, 0].sum() / a[:, 1].sum()), resamples=4000, seed=1)
    assert ratio == pytest.approx(mean, abs=1e-12)
    with pytest.raises(ValueError, match="a statistic for rows"):
        bootstrap(rows, clusters)
