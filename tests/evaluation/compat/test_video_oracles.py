"""Our copies of the other harnesses' rules for videos and VSI-Bench, against these harnesses."""

from __future__ import annotations

import pytest
from place_harnesses import answered, lmms, shares, vlmevalkit

from vergence.evaluation.compat import spatial, video
from vergence.evaluation.metrics.temporal import tiou


def test_lmms_charades():
    pairs = answered(lmms("charades"))
    for (said, span), theirs in pairs:
        assert 100 * video.charades_lmms(said, tuple(span)) == pytest.approx(theirs)
    assert sum(theirs > 0 for _, theirs in pairs) > 200


def test_lmms_charades_over_a_benchmark():
    for rows, theirs in answered(lmms("charades_table"), 250):
        scores = [video.charades_lmms(said, tuple(span)) for _, span, said in rows]
        found = video.charades_means_lmms([f"{key}>>>{span}" for key, span, _ in rows], scores)
        assert found == pytest.approx(theirs)


def test_the_hull_is_the_union_of_spans_that_meet():
    for (said, span), _ in lmms("charades"):
        found = video.charades_span(said)
        if found is not None and found[0] < found[1] and span[0] < span[1]:
            assert tiou(found, tuple(span)) == pytest.approx(video.hull_tiou(found, tuple(span)))


@pytest.mark.parametrize("harness", ["lmms-eval", "vlmevalkit"])
def test_vsi_answers(harness):
    ours = spatial.COMPAT["vsi_bench"][harness]
    pairs = answered((lmms if harness == "lmms-eval" else vlmevalkit)("vsi"))
    for (said, truth, kind), theirs in pairs:
        assert ours(said, truth, kind=kind) == pytest.approx(theirs), (said, truth, kind)
    assert sum(theirs > 0 for _, theirs in pairs) > 100


@pytest.mark.parametrize("asked", [lmms, vlmevalkit])
def test_the_thresholds_of_mra(asked):
    for (predicted, true), theirs in answered(asked("mra")):
        assert spatial.float_mra(abs(predicted - true) / true) == pytest.approx(theirs)


def test_vsi_means_of_lmms():
    pairs = answered(lmms("vsi_table"), 250)
    for rows, theirs in pairs:
        found = spatial.vsi_means_lmms(*zip(*rows, strict=True))
        assert found is None if "error" in theirs else found == pytest.approx(theirs)
    assert 50 < sum("error" in theirs for _, theirs in pairs) < 200


def test_vsi_means_of_vlmevalkit():
    for rows, theirs in answered(vlmevalkit("vsi_table"), 250):
        assert spatial.vsi_means_vlmevalkit(*zip(*rows, strict=True))["overall"] == pytest.approx(theirs)


@pytest.mark.parametrize("asked", [lmms, vlmevalkit])
def test_tempcompass(asked):
    pairs = answered(asked("tempcompass"))
    for (said, truth, kind, question), theirs in pairs:
        assert video.tempcompass_rule(said, truth, kind=kind, question=question) == theirs, (said, truth, kind)
    assert min(shares([theirs for _, theirs in pairs]).values()) > 50


def test_lmms_ovo_bench():
    pairs = answered(lmms("ovo"))
    assert [video.ovo_lmms(said, truth, task=task) for (said, truth, task), _ in pairs] == [t for _, t in pairs]


def test_dream_1k_of_vlmevalkit():
    for (recalls, precisions), theirs in answered(vlmevalkit("dream")):
        found = video.dream_vlmevalkit(recalls, precisions, ["any"] * len(recalls))
        assert {name.title(): value for name, value in found.items()} == pytest.approx(theirs, abs=5.1e-5)
