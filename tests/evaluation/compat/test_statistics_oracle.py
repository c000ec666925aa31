"""Standard errors, paired tests and power beside lmms-eval's, and where lmms-eval is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from oracle import ask

from vergence.evaluation.comparison import (
    achieved_power,
    detectable_difference,
    paired_comparison,
    paired_spread,
    sample_size,
)
from vergence.evaluation.statistics import clustered_stderr

CODE = """
from lmms_eval.api.metrics import clustered_stderr, paired_ttest, power_analysis
FUNCTIONS = {"clustered": clustered_stderr, "paired": paired_ttest, "power": power_analysis}
def answer(case):
    return FUNCTIONS[case[0]](**case[1])
"""
CASES = 1000
SPECIAL = [
    ("clustered", {"scores": [1, 1, 0, 0], "cluster_ids": list("aabb")}),
    ("clustered", {"scores": [1, 0] * 50, "cluster_ids": ["one picture"] * 100}),
    ("paired", {"current_scores": [1, 1], "baseline_scores": [0, 0]}),
    ("power", {"effect_size": -0.03, "current_n": 2181}),
    ("power", {"effect_size": 0.03}),
]


def generated():
    rng = np.random.default_rng(0)
    cases = []
    for number in range(CASES):
        n = int(rng.integers(2, 80))
        scores = rng.integers(0, 2, n) if number % 2 else rng.random(n).round(3)
        clusters = rng.integers(0, max(2, n // int(rng.integers(1, 8))), n)
        clusters[:2] = 0, 1
        cases.append(("clustered", {"scores": scores.tolist(), "cluster_ids": clusters.tolist()}))
    for _ in range(CASES):
        n = int(rng.integers(3, 80))
        a = rng.random(n).round(3)
        b = (a + rng.normal(rng.normal(0, 0.2), 0.3, n)).round(3)
        cases.append(("paired", {"current_scores": b.tolist(), "baseline_scores": a.tolist()}))
    for _ in range(CASES):
        asked = {
            "effect_size": float(rng.uniform(0.01, 0.3)),
            "std_a": float(rng.uniform(0.1, 0.5)),
            "std_b": float(rng.uniform(0.1, 0.5)),
            "alpha": float(rng.choice([0.01, 0.05, 0.1])),
            "power": float(rng.uniform(0.5, 0.95)),
            "correlation": float(rng.uniform(-0.2, 0.9)),
            "current_n": int(rng.integers(10, 3000)),
        }
        cases.append(("power", asked))
    return cases


@pytest.fixture(scope="module")
def told():
    cases = generated() + SPECIAL
    return list(zip(cases, ask("lmms_eval", CODE, cases), strict=True))


def of(told, kind, special=False):
    rows = told[3 * CASES :] if special else told[: 3 * CASES]
    found = [(case, result) for (name, case), result in rows if name == kind]
    assert len(found) == sum(name == kind for name, _ in SPECIAL) if special else len(found) == CASES
    return found


def test_clustered_standard_errors_agree(told):
    for case, expected in of(told, "clustered"):
        assert clustered_stderr(case["scores"], case["cluster_ids"]) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_paired_tests_agree(told):
    for case, expected in of(told, "paired"):
        found = paired_comparison(dict(enumerate(case["baseline_scores"])), dict(enumerate(case["current_scores"])))
        assert found.difference == pytest.approx(expected["mean_diff"], abs=1e-12)
        assert found.stderr == pytest.approx(expected["se_diff"], rel=1e-9)
        assert (found.low, found.high) == pytest.approx((expected["ci_lower"], expected["ci_upper"]), abs=1e-9)
        # 1 - cdf leaves them an absolute precision only.
        assert found.p_value == pytest.approx(expected["p_value"], abs=1e-12)


def test_power_analyses_agree(told):
    for case, expected in of(told, "power"):
        spread = paired_spread(case["std_a"], case["std_b"], case["correlation"])
        settings = {"alpha": case["alpha"], "power": case["power"]}
        assert sample_size(case["effect_size"], spread, **settings) == max(2, expected["min_n"])
        found = detectable_difference(case["current_n"], spread, **settings)
        assert found == pytest.approx(expected["min_detectable_effect"], abs=6e-5)  # they round to four digits
        # They leave out the far tail, which matters where the power is hardly more than alpha.
        power = achieved_power(case["effect_size"], spread, case["current_n"], alpha=case["alpha"])
        far = achieved_power(0, spread, case["current_n"], alpha=case["alpha"]) / 2
        assert expected["current_power"] - 6e-5 <= power <= expected["current_power"] + far
        if power > 0.6:
            assert power == pytest.approx(expected["current_power"], abs=1e-3)


def test_where_the_oracle_is_wrong(told):
    (_, small), (_, one_picture) = of(told, "clustered", special=True)
    assert small == pytest.approx(0.3819, abs=1e-4)
    # A hundred questions about one picture: they claim half a percent, nothing is known.
    assert one_picture == pytest.approx(0.005, abs=1e-3)
    assert clustered_stderr([1, 0] * 50, ["one picture"] * 100) is None

    # Two of two: they claim p = 0; the exact test says that it is a coin thrown twice.
    ((_, two),) = of(told, "paired", special=True)
    assert two["p_value"] == 0
    found = paired_comparison({"a": 0, "b": 0}, {"a": 1, "b": 1})
    assert (found.p_value, found.mcnemar) == (None, 0.5)

    # A loss of 3% is as easily seen as a gain of 3%.
    (_, loss), (_, gain) = of(told, "power", special=True)
    assert gain["min_n"] == loss["min_n"] == sample_size(0.03, paired_spread(0.5, 0.5)) == 2181
    assert loss["current_power"] == 0
    assert achieved_power(-0.03, 0.5, 2181) == pytest.approx(0.8, abs=1e-3)
    assert not math.isnan(found.difference)
