"""Is one run better than another: paired comparison on the same questions, and how many questions that would need.

    comparison = paired_comparison({"q1": 1, "q2": 0}, {"q1": 1, "q2": 1}, {"q1": "picture 1", "q2": "picture 1"})

Two models answer the same questions, so their scores rise and fall together; the difference question by question has
far less spread than the two scores have (Miller 2024, arXiv 2411.00640, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from vergence.errors import DataError
from vergence.evaluation.distributions import normal_cdf, normal_quantile, sign_test, student_quantile, student_tails
from vergence.evaluation.statistics import Interval, mean_interval

POWER = 0.8
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Run B against run A on the `n` questions that both have scored.

    `difference` is mean B - mean A, so above 0 B is better; `stderr`, `low`, `high` (95%) and `p_value` are of the
    paired difference, by clusters where any hold several questions. `wins` are questions that B scores higher on.
    `mcnemar` is the exact p-value of wins against losses where all scores are 0 or 1, and None otherwise; it knows no
    clusters. `detectable` is the smallest true difference that so many questions show with a power of 80% at 5%;
    `needed` is how many questions would show the difference that was seen. What can't be known is None: with one
    cluster there is no standard error, and with differences all alike and not 0 no p-value of a mean.
    """

    n: int
    clusters: int
    only_a: int
    only_b: int
    mean_a: float
    mean_b: float
    difference: float
    stderr: float | None
    low: float | None
    high: float | None
    p_value: float | None
    correlation: float | None
    wins: int
    losses: int
    mcnemar: float | None
    detectable: float | None
    needed: int | None


def paired_comparison(
    a: Mapping[str, float], b: Mapping[str, float], clusters: Mapping[str, Hashable] | None = None
) -> Comparison:
    """Compare two runs by their scores (question id -> score); what only one run has is counted and left out.

    `clusters` maps ids to what questions share; an id that it lacks stands alone. Raises `DataError` where no question
    is in both runs, and for a score that is no finite number.
    """
    shared = [key for key in a if key in b]
    if not shared:
        raise DataError(f"the runs share no scored question: {len(a)} and {len(b)} were given")
    for name, run in (("A", a), ("B", b)):
        for key in shared:
            if not math.isfinite(run[key]):
                raise DataError(f"run {name}, {key}: the score {run[key]!r} is not a finite number")
    first, second = np.array([a[key] for key in shared]), np.array([b[key] for key in shared])
    # A question that stands alone gets a label that no cluster of the mapping can have.
    groups: list[Hashable] = [("alone", k) if k not in (clusters or {}) else ("in", clusters[k]) for k in shared]  # type: ignore[index]
    count, n = len(set(groups)), len(shared)
    differences = (second - first).tolist()
    interval = mean_interval(differences, groups if count < n else None)
    wins, losses = int((second > first).sum()), int((second < first).sum())
    binary = bool(np.isin(np.concatenate([first, second]), (0, 1)).all())
    return Comparison(
        n=n,
        clusters=count,
        only_a=len(a) - n,
        only_b=len(b) - n,
        mean_a=float(first.mean()),
        mean_b=float(second.mean()),
        difference=interval.mean,
        stderr=interval.stderr,
        low=interval.low if interval.stderr is not None else None,
        high=interval.high if interval.stderr is not None else None,
        p_value=_p_value(interval, count),
        correlation=_correlation(first, second),
        wins=wins,
        losses=losses,
        mcnemar=sign_test(wins, losses) if binary else None,
        detectable=detectable_difference(n, interval.stderr * math.sqrt(n)) if interval.stderr else None,
        needed=_needed(interval, n),
    )


def _p_value(interval: Interval, count: int) -> float | None:
    """Student's p-value of a mean difference of 0, from the spread that its interval is made of."""
    if interval.stderr is None:
        return None
    if interval.stderr == 0:
        return 1.0 if interval.mean == 0 else None
    spread = (interval.high - interval.mean) / student_quantile(0.95, count - 1)
    return student_tails(interval.mean / spread, count - 1)


def _needed(interval: Interval, n: int) -> int | None:
    """As many questions of this kind as would show the difference seen; `stderr` sqrt(n) holds the design effect."""
    if not interval.stderr or interval.mean == 0:
        return None
    return sample_size(interval.mean, interval.stderr * math.sqrt(n))


def _correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Pearson's correlation of the scores, None where one run's are all alike."""
    a, b = first - first.mean(), second - second.mean()
    size = math.sqrt(float((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else None


def paired_spread(a: float, b: float, correlation: float = 0.5) -> float:
    """The standard deviation of a difference of two scores with standard deviations a and b.

    sqrt(a^2 + b^2 - 2 correlation a b). 0/1 scores with mean p have sqrt(p (1 - p)), at most 0.5.
    """
    return math.sqrt(max(0.0, a * a + b * b - 2 * correlation * a * b))


def sample_size(
    difference: float, spread: float, *, power: float = POWER, alpha: float = ALPHA, design_effect: float = 1.0
) -> int:
    """The number of questions with which a true difference is found significant with that power, two-sided.

    n = design_effect ((z_alpha/2 + z_power) spread / difference)^2, rounded up (Miller 2024, equation 9, for one answer
    a question); `spread` is the standard deviation of the differences, question by question, `design_effect` the
    clustered variance over the independent one. Raises `ValueError` for a difference of 0, which no number shows.
    """
    if difference == 0:
        raise ValueError("no number of questions shows a difference of 0")
    factor = normal_quantile(1 - alpha / 2) + normal_quantile(power)
    return max(2, math.ceil(design_effect * (factor * spread / difference) ** 2))


def detectable_difference(
    n: int, spread: float, *, power: float = POWER, alpha: float = ALPHA, design_effect: float = 1.0
) -> float:
    """The smallest true difference that `n` questions show with that power; the inverse of `sample_size`."""
    factor = normal_quantile(1 - alpha / 2) + normal_quantile(power)
    return factor * spread * math.sqrt(design_effect / n)


def achieved_power(
    difference: float, spread: float, n: int, *, alpha: float = ALPHA, design_effect: float = 1.0
) -> float:
    """The chance that `n` questions find a true difference significant, in either direction; alpha where it is 0."""
    if spread == 0:
        return 1.0 if difference else alpha
    shift = abs(difference) / (spread * math.sqrt(design_effect / n))
    z = normal_quantile(1 - alpha / 2)
    return normal_cdf(shift - z) + normal_cdf(-shift - z)


def unpaired_difference(a: Interval, b: Interval) -> Interval:
    """Mean b - mean a of two independent sets of questions with its interval, from the interval of each.

    The squared distances of the limits from the means add up (Newcombe 1998, "Interval estimation for the difference
    between independent proportions", Statistics in Medicine 17, 873-890, method 10, where both are Wilson's).
    """
    difference = b.mean - a.mean
    low = difference - math.hypot(b.mean - b.low, a.high - a.mean)
    high = difference + math.hypot(b.high - b.mean, a.mean - a.low)
    stderr = None if a.stderr is None or b.stderr is None else math.hypot(a.stderr, b.stderr)
    return Interval(difference, stderr, low, high)


def comparison_table(rows: Mapping[str, Comparison], a: str = "A", b: str = "B") -> str:
    """Comparisons by name (of their task) as a plain table with a line of explanation."""
    head = ["", "n", "clusters", a, b, f"{b} - {a}", "95%", "p", "McNemar p", "better/worse", "detectable", "needed"]
    lines = [head]
    for name, row in rows.items():
        lines.append(
            [
                name,
                f"{row.n:,}",
                f"{row.clusters:,}" if row.clusters < row.n else "-",
                f"{row.mean_a:.4f}",
                f"{row.mean_b:.4f}",
                f"{row.difference:+.4f}",
                _limits(row),
                _figure(row.p_value),
                _figure(row.mcnemar),
                f"{row.wins:,}/{row.losses:,}",
                "-" if row.detectable is None else f"{row.detectable:.4f}",
                "-" if row.needed is None else f"{row.needed:,}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    left_out = [
        f"{name}: {row.only_a:,} questions only in {a} and {row.only_b:,} only in {b} are left out"
        for name, row in rows.items()
        if row.only_a or row.only_b
    ]
    explained = (
        f"p: paired t-test of {b} - {a}, by clusters where questions share one; detectable: the smallest true "
        "difference that so many questions show (power 80%, 5%); needed: questions that would show what was seen"
    )
    return "\n".join([*(line.rstrip() for line in text), *left_out, explained])


def _limits(result: Comparison) -> str:
    return "-" if result.low is None or result.high is None else f"{result.low:+.4f} to {result.high:+.4f}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
