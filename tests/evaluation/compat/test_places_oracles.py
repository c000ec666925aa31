"""Our copies of the other harnesses' rules for boxes, counts, depth and clicks, against these harnesses."""

from __future__ import annotations

import pytest
from place_cases import cases
from place_harnesses import answered, lmms, shares, vlmevalkit

from vergence.evaluation.compat import places, screens
from vergence.processing.coordinates import iou


def test_lmms_iou_with_and_without_its_guard():
    for case, (plain, guarded) in answered(lmms("iou")):
        assert places.unguarded_iou(*case) == plain
        assert places.guarded_iou(*case) == guarded
    assert sum(plain is None for _, (plain, _) in lmms("iou")) > 10


def test_vlmevalkit_iou():
    for case, theirs in answered(vlmevalkit("iou")):
        assert places.guarded_iou(*case) == pytest.approx(theirs, abs=1e-12)


def test_our_iou_agrees_where_both_boxes_have_an_area():
    for (a, b), (plain, _) in lmms("iou"):
        if all(box[0] < box[2] and box[1] < box[3] for box in (a, b)):
            assert iou(a, b) == pytest.approx(plain)
        else:
            assert iou(a, b) == 0.0


def test_lmms_refcoco():
    pairs = answered(lmms("refcoco"))
    for (said, box, size), (rec, grounding, boxes) in pairs:
        assert places.refcoco_lmms(said, box, size=size) == rec
        assert places.refcoco_grounding_lmms(said, box, size=size) == grounding
        assert places.grounding_boxes(said) == boxes
    for position in (0, 1):
        assert min(shares([theirs[position] for _, theirs in pairs]).values()) > 20


def test_vlmevalkit_refcoco():
    pairs = answered(vlmevalkit("refcoco"))
    for (said, box, size), (place, hit) in pairs:
        found = places.refcoco_box_vlmevalkit(said, size)
        assert (found is None) is (place is None)
        assert found is None or found == pytest.approx(place)
        assert places.refcoco_vlmevalkit(said, box, size=size) == hit
    assert min(shares([hit for _, (_, hit) in pairs]).values()) > 100


COUNTS = ["countbench", "countbenchqa", "pixmo_count", "fsc147", "fsc147_error"]


@pytest.mark.parametrize("position", range(len(COUNTS)))
def test_lmms_counting(position):
    ours = places.COMPAT[COUNTS[position]]["lmms-eval"]
    pairs = [(case, theirs[position]) for case, theirs in lmms("count")]
    assert [ours(*case) for case, _ in answered(pairs)] == [theirs for _, theirs in pairs]


def test_vlmevalkit_counting():
    pairs = answered(vlmevalkit("count"))
    assert [places.countbenchqa_vlmevalkit(*case) for case, _ in pairs] == [theirs for _, theirs in pairs]


def test_vlmevalkit_da2k():
    pairs = answered(vlmevalkit("da2k"))
    assert [places.da2k_vlmevalkit(*case) for case, _ in pairs] == [theirs for _, theirs in pairs]


@pytest.mark.parametrize("benchmark", ["screenspot_v2", "screenspot_pro"])
def test_lmms_clicks(benchmark):
    ours = screens.COMPAT[benchmark]["lmms-eval"]
    for (said, box, size), theirs in answered(lmms(benchmark)):
        assert ours(said, box, size=size) == theirs


@pytest.mark.parametrize("benchmark", ["screenspot_v2", "screenspot_pro"])
def test_vlmevalkit_clicks(benchmark):
    ours = screens.COMPAT[benchmark]["vlmevalkit"]
    pairs = answered(vlmevalkit(benchmark))
    for (said, box, size), theirs in pairs:
        assert ours(said, box, size=size) == (None if isinstance(theirs, dict) else theirs)
    assert [theirs for _, theirs in pairs].count(1.0) > 20


def test_cases_are_the_same_every_time():
    first = cases("refcoco")[:3]
    cases.cache_clear()
    assert cases("refcoco")[:3] == first
