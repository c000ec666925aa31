"""Our copies of the other harnesses' scores of choices against these harnesses themselves."""

from __future__ import annotations

import pytest
from choice_cases import BENCHMARKS, KIT_NAMES, LMMS_NAMES, cases, lmms, vlmevalkit

from vergence.evaluation.compat.choices import COMPAT


def compared(rule, pairs):
    """Ours and theirs where theirs didn't guess, after checking that ours is 0 where it did and that scores vary."""
    found = [(rule(case[0], case[1], choices=case[2]), theirs) for case, theirs in pairs]
    assert {ours for ours, theirs in found if theirs == "guess"} <= {0.0}
    certain = [(ours, theirs) for ours, theirs in found if theirs != "guess"]
    assert len(certain) >= 1000
    assert min(sum(theirs == value for _, theirs in certain) for value in (0.0, 1.0)) > 50
    return certain


@pytest.mark.parametrize("benchmark", LMMS_NAMES)
def test_lmms_eval(benchmark):
    for ours, theirs in compared(COMPAT[benchmark]["lmms-eval"], lmms(benchmark)):
        assert ours == theirs


@pytest.mark.parametrize("benchmark", KIT_NAMES)
def test_vlmevalkit(benchmark):
    for ours, theirs in compared(COMPAT[benchmark]["vlmevalkit"], vlmevalkit(benchmark)):
        assert ours == theirs


def test_the_official_rule_of_mvbench():
    for ours, theirs in compared(COMPAT["mvbench"]["official"], vlmevalkit("mvbench official")):
        assert ours == theirs


def test_every_rule_of_a_harness_is_compared():
    assert {name for name, rules in COMPAT.items() if "lmms-eval" in rules} == set(LMMS_NAMES)
    assert {name for name, rules in COMPAT.items() if "vlmevalkit" in rules} == set(KIT_NAMES)


def test_only_mmmu_egoschema_and_longvideobench_guess():
    guessing = {name for name in LMMS_NAMES if any(theirs == "guess" for _, theirs in lmms(name))}
    assert guessing == {"mmmu", "mmmu_pro", "egoschema", "longvideobench"}
    assert any(theirs is None for _, theirs in lmms("mvbench"))


def test_cases_are_the_same_every_time():
    assert set(BENCHMARKS) == set(COMPAT)
    first = cases("mmmu")[:3]
    cases.cache_clear()
    assert cases("mmmu")[:3] == first
