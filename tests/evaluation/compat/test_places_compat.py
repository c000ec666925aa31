"""Where the other harnesses are wrong about boxes, counts and clicks, their rules say so and ours are right."""

from __future__ import annotations

import pytest

from vergence.evaluation.compat import places, screens
from vergence.evaluation.metrics.depth import da2k, da2k_questions
from vergence.evaluation.metrics.screens import click_hit, corners
from vergence.processing.coordinates import iou
from vergence.verifiers.boxes import PIXELS, THOUSAND, UNIT
from vergence.verifiers.counting import exact_count
from vergence.verifiers.places import first_overlap

SIZE, BOX = (640, 480), (100.0, 100.0, 200.0, 200.0)


def ours(answer, system=PIXELS, box=BOX, size=SIZE):
    overlap = first_overlap(answer, box, system, size)
    return None if overlap is None else overlap >= 0.5


def test_boxes_all_over_the_image_hit_only_where_the_truth_may_choose():
    shotgun = str([[x, y, x + 100, y + 100] for x in range(0, 600, 100) for y in range(0, 400, 100)])
    assert places.refcoco_grounding_lmms(shotgun, BOX, size=SIZE) == 1.0
    assert ours(shotgun) is False


def test_a_box_hits_only_in_the_systems_that_the_truth_may_choose():
    # The same numbers are pixels for one image and thousandths for the other.
    answer, in_thousandths = "[100, 100, 200, 200]", (64.0, 48.0, 128.0, 96.0)
    for box in (BOX, in_thousandths):
        assert places.refcoco_grounding_lmms(answer, box, size=SIZE) == 1.0
    assert (ours(answer), ours(answer, box=in_thousandths)) == (True, False)
    assert (ours(answer, THOUSAND), ours(answer, THOUSAND, in_thousandths)) == (False, True)


def test_pixels_of_a_small_image_are_taken_for_thousandths():
    answer = "[100, 100, 200, 200]"
    assert places.refcoco_box_vlmevalkit(answer, SIZE) == [64.0, 48.0, 128.0, 96.0]
    assert places.refcoco_vlmevalkit(answer, BOX, size=SIZE) == 0.0
    assert ours(answer) is True
    large = (2000, 1500)
    assert places.refcoco_box_vlmevalkit("[1100, 100, 1200, 200]", large) == [1100.0, 100.0, 1200.0, 200.0]


def test_a_tiny_box_in_pixels_is_taken_for_shares():
    assert places.refcoco_box_vlmevalkit("[0, 0, 1, 1]", SIZE) == [0, 0, 640, 480]
    assert ours("[0, 0, 1, 1]", box=(0, 0, 1, 1)) is True


def test_two_empty_boxes():
    empty = (5.0, 5.0, 5.0, 5.0)
    assert places.unguarded_iou(empty, empty) is None
    assert places.guarded_iou(empty, empty) == iou(empty, empty) == 0.0
    assert places.refcoco_lmms("no box", (5, 5, 5, 5), size=SIZE) is None
    assert places.unguarded_iou([0, 0, 1, 1], [0.5, 0, 1.5, 1]) == pytest.approx(1 / 3)


def test_without_a_box_there_is_no_answer_rather_than_a_box_of_zeros():
    assert places.first_unit_box("the dog") == [0, 0, 0, 0]
    assert ours("the dog", UNIT) is None


@pytest.mark.parametrize(
    ("answer", "countbench", "countbenchqa", "pixmo", "kit", "right"),
    [
        ("3", 1, 1, 1, 1, True),
        ("three", 1, 0, 0, 0, True),
        ("There are 3", 0, 0, 1, 1, True),
        ("There are three dogs.", 0, 0, 0, 0, True),
        ("13", 0, 0, 0, 1, False),
        ("3 or 4", 0, 0, 1, 1, None),
        ("2 and 1, so 3", 0, 0, 0, 1, True),
        ("", 0, 0, 0, 0, None),
    ],
)
def test_four_rules_for_one_count(answer, countbench, countbenchqa, pixmo, kit, right):
    assert places.countbench_lmms(answer, 3) == countbench
    assert places.countbenchqa_lmms(answer, 3) == countbenchqa
    assert places.pixmo_count_lmms(answer, 3) == pixmo
    assert places.countbenchqa_vlmevalkit(answer, 3) == kit
    assert exact_count(answer, 3) is right


def test_errors_of_the_originals_are_none():
    huge = "9" * 400
    assert places.fsc147_lmms(huge, 3) is None
    assert places.fsc147_error_lmms(huge, 3) is None
    assert places.refcoco_grounding_lmms(f"[{huge}, 0, 0, 0]", BOX, size=SIZE) is None


def test_always_point1_is_right_only_where_it_is_always_asked_first():
    annotations = {"a.jpg": [{"point1": [1, 2], "point2": [3, 4], "closer_point": "point1"}] * 5}
    assert places.da2k_vlmevalkit("point1", annotations["a.jpg"][0]["closer_point"]) == 1.0
    questions = list(da2k_questions(annotations))
    found = da2k([1] * 10, [question.nearer for question in questions], [question.pair for question in questions])
    assert found[0].value == 0.5


def test_the_mean_of_splits():
    found = places.refcoco_means_vlmevalkit([1, 0, 1, 1], ["RefCOCO_val", "RefCOCO_val", "RefCOCOg_val", "other"])
    assert found["Average"] == 0.75
    assert places.refcoco_means_vlmevalkit([1, 0], ["a", "a"])["Average"] == 0.5


XYWH = (100.0, 100.0, 100.0, 100.0)


@pytest.mark.parametrize(
    ("answer", "system", "lmms", "kit", "right"),
    [
        ("[0.2, 0.3]", UNIT, 1, 0, True),
        ("pyautogui.click(x=150, y=150)", PIXELS, 1, 1, True),
        ("pyautogui.click(x=150,y=150)", PIXELS, 1, 0, True),  # one blank less
        ("[234, 312]", THOUSAND, 0, 0, True),  # thousandths are taken for pixels
        ("<point>234 312</point>", THOUSAND, 0, 0, True),
        ("pyautogui.click(x=200, y=200)", PIXELS, 1, 0, True),  # the border
        ("step 1 of 150: 150", PIXELS, 0, 0, None),
        ("I click 0.2 of 0.3", UNIT, 1, 0, None),  # any two numbers
        ("the button", UNIT, 0, 0, None),
    ],
)
def test_clicks(answer, system, lmms, kit, right):
    assert screens.screenspot_v2_lmms(answer, XYWH, size=SIZE) == lmms
    assert screens.screenspot_v2_vlmevalkit(answer, XYWH, size=SIZE) == kit
    assert click_hit(answer, corners(XYWH), system, SIZE) is right


def test_an_unreadable_click_is_in_the_corner():
    corner = (0.0, 0.0, 10.0, 10.0)
    assert screens.screenspot_pro_vlmevalkit("I can't see it", corner, size=SIZE) == 1.0
    assert click_hit("I can't see it", corner, UNIT, SIZE) is None


def test_wide_elements_far_to_the_left_are_taken_for_two_corners():
    # (x, y, width, height) with width > x and height > y.
    wide = (10.0, 10.0, 100.0, 50.0)
    assert screens.screenspot_v2_lmms("[0.165, 0.02]", wide, size=SIZE) == 0.0
    assert click_hit("[0.165, 0.1]", corners(wide), UNIT, SIZE) is True


def test_every_rule_takes_the_same_arguments():
    for benchmark, rules in places.COMPAT.items():
        reference = BOX if benchmark.startswith("refcoco") else "point1" if benchmark == "da2k" else 3
        context = {"size": SIZE} if benchmark.startswith("refcoco") else {}
        for rule in rules.values():
            assert isinstance(rule("3", reference, **context), float)
    for rules in screens.COMPAT.values():
        for rule in rules.values():
            assert rule("(1, 1)", BOX, size=SIZE) == 0.0
