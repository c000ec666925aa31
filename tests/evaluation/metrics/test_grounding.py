"""RefCOCO over its splits and LVIS-MG over its boxes."""

from __future__ import annotations

import pytest

from vergence.evaluation.metrics.grounding import REFCOCO_SPLITS, lvis_mg, refcoco
from vergence.verifiers.places import match_boxes


def by_name(measures):
    return {(measure.metric, measure.group): measure.value for measure in measures}


def test_refcoco_is_the_mean_of_its_splits():
    overlaps = [0.5, 0.49, None, 1.0, 0.9, 0.8]
    splits = ["RefCOCO_val"] * 4 + ["RefCOCOg_test"] * 2
    measures = refcoco(overlaps, splits)
    found = by_name(measures)
    assert (measures[0].metric, measures[0].group) == ("accuracy", "")
    assert found["accuracy", "split=RefCOCO_val"] == 0.5
    assert found["accuracy", "split=RefCOCOg_test"] == 1.0
    assert found["accuracy", ""] == 0.75
    assert found["micro_accuracy", ""] == pytest.approx(4 / 6)
    assert found["mean_iou", ""] == pytest.approx((0.5 + 0.49 + 0 + 1 + 0.9 + 0.8) / 6)
    assert found["invalid_ratio", ""] == pytest.approx(1 / 6)
    assert by_name(refcoco(overlaps, splits, threshold=0.85))["accuracy", ""] == pytest.approx((0.25 + 0.5) / 2)


def test_splits_stand_in_their_usual_order():
    shuffled = [*reversed(REFCOCO_SPLITS), "mine"]
    measures = refcoco([1.0] * 9, shuffled)
    assert [measure.group for measure in measures[4:]] == [f"split={name}" for name in (*REFCOCO_SPLITS, "mine")]


def test_refcoco_without_samples_and_with_a_missing_split():
    assert refcoco([], [])[0].value is None
    with pytest.raises(ValueError, match="zip"):
        refcoco([1.0], [])


def test_lvis_mg_counts_boxes_over_pictures():
    one, two, far = (0, 0, 10, 10), (20, 20, 40, 40), (90, 90, 99, 99)
    matchings = [match_boxes([one, far, far], [one]), match_boxes([one, two], [two, one]), match_boxes([], [one])]
    found = by_name(lvis_mg(matchings))
    assert found["f1", ""] == pytest.approx(2 * 3 / (5 + 4))
    assert found["precision", ""] == pytest.approx(3 / 5)
    assert found["recall", ""] == pytest.approx(3 / 4)
    assert found["image_f1", ""] == pytest.approx((2 / 4 + 1 + 0) / 3)
    assert lvis_mg(matchings)[0].metric == "f1"


def test_lvis_mg_of_nothing():
    assert [measure.value for measure in lvis_mg([])] == [None, None, None, None]
    assert by_name(lvis_mg([match_boxes([], [])]))["f1", ""] == 1.0
