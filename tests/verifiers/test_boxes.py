"""Boxes and points as models write them, in a declared coordinate system."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.verifiers.boxes import PIXELS, THOUSAND, UNIT, CoordinateSystem, read_boxes, read_points

SIZE = (200, 100)
SYSTEMS = [
    THOUSAND,
    UNIT,
    PIXELS,
    CoordinateSystem("percent"),
    CoordinateSystem("pixels", resized=(50, 80)),
    CoordinateSystem("thousand", order="yx"),
]
BOX_FORMS = [
    "[{}, {}, {}, {}]",
    "({},{},{},{})",
    "[{} {} {} {}]",
    "({},{}),({},{})",
    "({}, {}) ({}, {})",
    "[[{},{}],[{},{}]]",
    "<box>[[{}, {}, {}, {}]]</box>",
    "<box>({},{}),({},{})</box>",
    "<|object_ref_start|>dog<|object_ref_end|><|box_start|>({},{}),({},{})<|box_end|>",
    '```json\n[{{"bbox_2d": [{}, {}, {}, {}], "label": "dog"}}]\n```',
    '{{"box": [{}, {}, {}, {}]}}',
    "x1={}, y1={}, x2={}, y2={}",
    '{{"x1": {}, "y1": {}, "x2": {}, "y2": {}}}',
    "The dog is at [{}, {}, {}, {}].",
]
POINT_FORMS = [
    "({}, {})",
    "[{}, {}]",
    "({} {})",
    '{{"point_2d": [{}, {}], "label": "dog"}}',
    "pyautogui.click(x={}, y={})",
    "click(start_box='({},{})')",
    "<|box_start|>({},{})<|box_end|>",
    '{{"x": {}, "y": {}}}',
    '<point x="{}" y="{}" alt="dog">dog</point>',
    "coordinate: [{}, {}]",
]


def written(system: CoordinateSystem, places: list[float]) -> list[float]:
    """Pixels of SIZE as numbers of a system, in its order."""
    numbers = []
    for index, place in enumerate(places):
        side = SIZE[index % 2]
        if system.unit == "pixels":
            numbers.append(place * system.resized[index % 2] / side if system.resized else place)
        else:
            numbers.append(place / side * {"unit": 1, "percent": 100, "thousand": 1000}[system.unit])
    return numbers if system.order == "xy" else [numbers[index ^ 1] for index in range(len(numbers))]


inside = st.tuples(st.floats(0, 200), st.floats(0, 100), st.floats(0, 200), st.floats(0, 100))


@given(inside, st.sampled_from(SYSTEMS), st.sampled_from(BOX_FORMS))
def test_a_box_is_read_in_every_form_and_system(box, system, form):
    text = form.format(*(f"{number:.6f}" for number in written(system, list(box))))
    (found,) = read_boxes(text, system, SIZE)
    assert found == pytest.approx(box, abs=1e-3)
    if form not in BOX_FORMS[3:6]:  # pairs without marks are points to who asks for points
        (centre,) = read_points(text, system, SIZE, centres=True)
        assert centre == pytest.approx(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), abs=1e-3)
        assert read_points(text, system, SIZE) == []


@given(inside, st.sampled_from(SYSTEMS), st.sampled_from(POINT_FORMS))
def test_a_point_is_read_in_every_form_and_system(box, system, form):
    text = form.format(*(f"{number:.6f}" for number in written(system, list(box[:2]))))
    (found,) = read_points(text, system, SIZE)
    assert found == pytest.approx(box[:2], abs=1e-3)
    assert read_boxes(text, system, SIZE) == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_seed_marks_are_thousandths_and_nothing_else(system):
    expected = [(20, 20, 100, 60)] if system == THOUSAND else []
    assert read_boxes("<bbox>100 200 500 600</bbox>", system, SIZE) == expected
    assert read_points("<point>100 200</point>", system, SIZE) == ([(20, 20)] if system == THOUSAND else [])


def test_numbers_beyond_the_system_are_no_place():
    for text in ("[1001, 1, 2, 3]", "[-1, 1, 2, 3]", '{"bbox_2d": [1, 2, 3, 4000]}'):
        assert read_boxes(text, THOUSAND, SIZE) == []
        assert read_points(text, THOUSAND, SIZE, centres=True) == []
    assert read_boxes("[0.1, 0.2, 0.3, 1.01]", UNIT, SIZE) == []
    assert read_boxes("[1e999, 0, 1, 1]", PIXELS, SIZE) == []
    # A box in pixels may reach beyond the image; small numbers stay pixels.
    assert read_boxes("[-5, 0, 300, 90]", PIXELS, SIZE) == [(-5, 0, 300, 90)]
    assert read_boxes("[0.5, 0.5, 1, 1]", PIXELS, SIZE) == [(0.5, 0.5, 1, 1)]


def test_only_the_most_explicit_form_is_read():
    text = 'The image is [1, 1, 2, 2]. {"bbox_2d": [100, 100, 500, 500]}'
    assert read_boxes(text, THOUSAND, SIZE) == [(20, 10, 100, 50)]
    text = "From (1, 1) on: <point>500 500</point>"
    assert read_points(text, THOUSAND, SIZE) == [(100, 50)]


def test_several_places_keep_their_order():
    text = "[100, 100, 200, 200] and (300, 300), (400, 400) and [500, 500, 600, 600]"
    assert [box.x1 for box in read_boxes(text, THOUSAND, SIZE)] == [20, 60, 100]
    assert [point.x for point in read_points("(1, 2), (3, 4) or (5, 6)", PIXELS, SIZE)] == [1, 3, 5]


def test_the_order_of_corners_is_kept():
    assert read_boxes("[500, 500, 100, 100]", THOUSAND, SIZE) == [(100, 50, 20, 10)]


@pytest.mark.parametrize(
    "text", ["", "dog", "[1, 2, 3]", "[1, 2, 3, 4, 5]", "1, 2, 3, 4", "(1; 2)", "[a, b, c, d]", "R[1,2", "[50%, 20%]"]
)
def test_what_is_no_place(text):
    assert read_boxes(text, THOUSAND, SIZE) == []
    assert read_points(text, THOUSAND, SIZE) == []


@pytest.mark.parametrize(
    "problem", [{"unit": "metres"}, {"unit": "unit", "resized": (1, 1)}, {"unit": "pixels", "resized": (0, 5)}]
)
def test_a_system_that_cannot_be(problem):
    with pytest.raises(ValueError, match=r"unit|resized"):
        CoordinateSystem(**problem)


@pytest.mark.parametrize(
    "text", ["[" + "1 " * 20_000, "(1,1)," * 10_000, "x1=1, " * 10_000, "1" * 50_000, "[1" + " " * 20_000]
)
def test_repetitions_take_no_time(text):
    started = time.process_time()
    read_boxes(text, THOUSAND, SIZE)
    read_points(text, THOUSAND, SIZE)
    assert time.process_time() - started < 2
