"""How sure is a score: intervals and standard errors of one run; `comparison` sets two runs side by side.

Questions about one picture or video are no independent draws. Wherever `clusters` can be given (one label a score, the
tag "cluster" of a sample), the questions of a label are taken as one draw, as Miller 2024, "Adding Error Bars to
Evals" (arXiv 2411.00640) sets out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vergence.evaluation.distributions import student_quantile

Z95 = student_quantile(0.95, math.inf)
"""The 0.975 quantile of the standard normal: two-sided intervals of 95%."""

RESAMPLES = 10_000
_CELLS_AT_ONCE = 4_000_000  # of the bootstrap's matrix of draws, so that it stays below 32 MB

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A mean, its standard error (None where it can't be known) and its interval."""

    mean: float
    stderr: float | None
    low: float
    high: float


def wilson(successes: float, n: float, z: float = Z95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927, "Probable inference", J. Am. Stat. Assoc. 22, 209-212).

    The shares p with |p - successes/n| <= z sqrt(p (1 - p) / n), so it stays inside [0, 1] and doesn't shrink to a
    point at 0% and 100%. Without samples nothing is known: (0, 1). An effective number of samples needn't be whole.
    Raises `ValueError` unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} is not a proportion")
    if n == 0:
        return 0.0, 1.0
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    # Exact at the ends, where rounding would otherwise leave a trace.
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def mean_stderr(scores: Sequence[float]) -> float | None:
    """The standard error of a mean of independent scores, sqrt(sum (s - mean)^2 / (n - 1) / n); None below two."""
    values = _scores(scores)
    if len(values) < 2:
        return None
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def clustered_stderr(scores: Sequence[float], clusters: Sequence[Hashable]) -> float | None:
    """The standard error of a mean whose scores are independent between clusters only.

    Miller 2024, equation 4: SE^2 = SE_CLT^2 + sum over clusters, i != j of (s_i - mean)(s_j - mean) / n^2, where
    SE_CLT is `mean_stderr`. Written as (sum of squared cluster sums + sum of squares / (n - 1)) / n^2, which is the
    same and can't become negative by rounding. None below two clusters: one picture tells nothing of the spread
    between pictures, where the formula itself would give a small number.
    """
    values = _scores(scores)
    sums, sizes = _cluster_sums(values - values.mean() if len(values) else values, clusters)
    n = len(values)
    if len(sizes) < 2:
        return None
    squares = float(((values - values.mean()) ** 2).sum())
    return math.sqrt(float((sums**2).sum()) + squares / (n - 1)) / n


def mean_interval(
    scores: Sequence[float], clusters: Sequence[Hashable] | None = None, *, level: float = 0.95
) -> Interval:
    """The mean of scores of any range with its standard error and Student's interval. Raises `ValueError` for none.

    The standard error is `clustered_stderr` (without clusters `mean_stderr`). The interval is made for few clusters
    too: G / (G - 1) times the variance between G clusters, and t with G - 1 degrees of freedom (Cameron and Miller
    2015, "A Practitioner's Guide to Cluster-Robust Inference", J. Human Resources 50, section VI). Unbounded with one.
    """
    values = _scores(scores)
    if not len(values):
        raise ValueError("the mean of no scores is not known")
    mean = float(values.mean())
    spread, count = _cluster_spread(values, clusters)
    if spread is None:
        return Interval(mean, None, -math.inf, math.inf)
    half = student_quantile(level, count - 1) * spread
    stderr = mean_stderr(scores) if clusters is None else clustered_stderr(scores, clusters)
    return Interval(mean, stderr, mean - half, mean + half)


def proportion_interval(
    scores: Sequence[float], clusters: Sequence[Hashable] | None = None, *, level: float = 0.95
) -> Interval:
    """The share of right answers (scores 0 and 1) with its standard error and Wilson's interval. `ValueError` for none.

    With clusters of more than one score, Wilson's interval of n / d answers, where the design effect d >= 1 is the
    variance by clusters over that of independent answers, and with Student's t for G - 1 degrees of freedom in the
    place of the normal's z (Korn and Graubard 1998, Survey Methodology 24, 193-201, with Wilson's interval in the place
    of Clopper's and Pearson's). Where all answers are alike d can't be seen, and each cluster counts as one answer.
    """
    values = _scores(scores)
    if not len(values):
        raise ValueError("the share of no scores is not known")
    if not np.isin(values, (0, 1)).all():
        raise ValueError("a share is made of scores 0 and 1")
    n, mean = len(values), float(values.mean())
    # A trace of rounding in the mean must not lift the count of successes over n.
    if clusters is None or len(set(clusters)) == n:
        z = student_quantile(level, math.inf)
        return Interval(mean, mean_stderr(scores), *wilson(int(values.sum()), n, z))
    spread, count = _cluster_spread(values, clusters)
    if spread is None:  # one cluster is one answer
        return Interval(mean, None, *wilson(mean, 1, student_quantile(level, math.inf)))
    independent = mean_stderr(scores)
    assert independent is not None
    design = max(1.0, (spread / independent) ** 2) if independent > 0 else n / count
    low, high = wilson(mean * n / design, n / design, student_quantile(level, count - 1))
    return Interval(mean, clustered_stderr(scores, clusters), low, high)


def score_interval(
    scores: Sequence[float], clusters: Sequence[Hashable] | None = None, *, level: float = 0.95
) -> Interval:
    """`proportion_interval` where all scores are 0 or 1, else `mean_interval`."""
    binary = all(score in (0, 1) for score in scores)
    return (proportion_interval if binary else mean_interval)(scores, clusters, level=level)


def bootstrap(
    values: Sequence[float] | Floats,
    clusters: Sequence[Hashable] | None = None,
    *,
    statistic: Callable[[Floats], float] | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile interval of a statistic under resampling (Efron and Tibshirani 1993, chapter 13).

    `values` are [n] scores or [n, k] rows, one a question; whole clusters are drawn with replacement. `statistic` maps
    such an array to a number, by default the mean of [n] scores, which is computed from cluster sums and so takes
    milliseconds. Equal seeds give equal intervals. Raises `ValueError` for no values.
    """
    data = np.asarray(values, np.float64)
    if not len(data):
        raise ValueError("the bootstrap of no values is not known")
    rng = np.random.default_rng(seed)
    if statistic is None:
        if data.ndim != 1:
            raise ValueError("the mean is taken of one score a question; give a statistic for rows")
        found = _bootstrap_means(*_cluster_sums(data, clusters), resamples, rng)
    else:
        codes = _codes(clusters, len(data))
        # The positions of each cluster: sorted by cluster, cut where the cluster changes.
        members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
        count = len(members)
        draws = (rng.integers(0, count, count) for _ in range(resamples))
        found = np.array([statistic(data[np.concatenate([members[i] for i in draw])]) for draw in draws])
    low, high = np.quantile(found, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def _bootstrap_means(sums: Floats, sizes: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """The means of `resamples` draws of as many clusters as there are."""
    count = len(sums)
    step = max(1, _CELLS_AT_ONCE // count)
    means = []
    for start in range(0, resamples, step):
        drawn = rng.integers(0, count, (min(step, resamples - start), count))
        means.append(sums[drawn].sum(1) / sizes[drawn].sum(1))
    return np.concatenate(means)


def _scores(scores: Sequence[float]) -> Floats:
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("scores are one finite number a question")
    return values


def _codes(clusters: Sequence[Hashable] | None, n: int) -> NDArray[np.int64]:
    """The number of each value's cluster, in the order of first appearance; without clusters each is its own."""
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise ValueError(f"{n} scores need as many cluster labels, got {len(clusters)}")
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in clusters], np.int64)


def _cluster_sums(values: Floats, clusters: Sequence[Hashable] | None) -> tuple[Floats, Floats]:
    """The sum and the size of each cluster."""
    codes = _codes(clusters, len(values))
    return np.bincount(codes, values).astype(np.float64), np.bincount(codes).astype(np.float64)


def _cluster_spread(values: Floats, clusters: Sequence[Hashable] | None) -> tuple[float | None, int]:
    """The standard error for intervals, sqrt(G / (G - 1) sum of squared cluster sums) / n, and G, the clusters."""
    sums, sizes = _cluster_sums(values - values.mean(), clusters)
    count = len(sizes)
    if count < 2:
        return None, count
    return math.sqrt(count / (count - 1) * float((sums**2).sum())) / len(values), count
