"""Our copies of the other harnesses' POPE, MME and HallusionBench, and our CHAIR, against these harnesses."""

from __future__ import annotations

import pytest
from answer_cases import cases, lmms, vlmevalkit

from vergence.evaluation.compat.yes_no import (
    COMPAT,
    hallusion_vlmevalkit,
    mme_lmms,
    mme_vlmevalkit,
    pope_lmms,
    pope_vlmevalkit,
)
from vergence.evaluation.metrics.yes_no import HallusionItem, chair, hallusion_bench


@pytest.mark.parametrize("harness", ["lmms-eval", "vlmevalkit"])
@pytest.mark.parametrize(("kind", "benchmark"), [("yes_no", "pope"), ("mme_answer", "mme")])
def test_single_answers(kind, benchmark, harness):
    pairs = (lmms if harness == "lmms-eval" else vlmevalkit)(kind)
    assert len(pairs) >= 1000
    found = [COMPAT[benchmark][harness](*case) for case, _ in pairs]
    assert found == [theirs for _, theirs in pairs]
    assert {0.0, 1.0} == set(found)


@pytest.mark.parametrize("kind", ["pope", "mme", "hallusion", "chair"])
def test_the_tables_hold_a_thousand_answers(kind):
    columns = kind in ("pope", "mme")  # of the tables; the others have rows
    assert sum(len(table[0] if columns else table) for table in cases(kind)) >= 1000


def test_pope_of_lmms_eval():
    for case, theirs in lmms("pope"):
        ours = pope_lmms(*case)
        ours["f1_score"] = ours.pop("f1")
        assert ours == pytest.approx(theirs)


def test_pope_of_vlmevalkit():
    names = {"Overall": "f1", "acc": "accuracy", "precision": "precision", "recall": "recall"}
    for case, theirs in vlmevalkit("pope"):
        ours = pope_vlmevalkit(*case)
        assert {theirs_name: 100 * ours[name] for theirs_name, name in names.items()} == pytest.approx(theirs)


def test_mme_of_lmms_eval():
    for case, theirs in lmms("mme"):
        ours = mme_lmms(*case)
        assert [ours["perception"], ours["cognition"]] == pytest.approx(theirs)


def test_mme_of_vlmevalkit():
    for case, theirs in vlmevalkit("mme"):
        ours = mme_vlmevalkit(*case)
        ours["reasoning"] = ours.pop("cognition")
        assert ours == pytest.approx(theirs)


def test_hallusion_bench_of_lmms_eval_is_ours():
    for case, theirs in lmms("hallusion"):
        found = {measure.metric: measure.value for measure in hallusion_bench([HallusionItem(*row) for row in case])}
        assert [found["aAcc"], found["fAcc"], found["qAcc"]] == pytest.approx(theirs)


def test_hallusion_bench_of_vlmevalkit():
    for case, theirs in vlmevalkit("hallusion"):
        ours = hallusion_vlmevalkit([HallusionItem(*row) for row in case])
        assert {name: 100 * value for name, value in ours.items()} == pytest.approx(theirs)


def test_chair_of_lmms_eval_is_ours():
    for case, theirs in lmms("chair"):
        found = chair([said for said, _ in case], [there for _, there in case])
        assert [100 * (measure.value or 0) for measure in found] == pytest.approx(theirs)
