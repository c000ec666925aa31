"""Whether a box or a point is in the right place."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vergence.processing.coordinates import format_box, format_point, iou, parse_boxes
from vergence.verifiers.places import box_hit, point_hit

SIZES = st.tuples(st.integers(8, 400), st.integers(8, 400))


@st.composite
def boxes(draw) -> tuple[tuple[int, int], tuple[float, float, float, float]]:
    width, height = draw(SIZES)
    x1, y1 = draw(st.integers(0, width - 4)), draw(st.integers(0, height - 4))
    return (width, height), (x1, y1, draw(st.integers(x1 + 4, width)), draw(st.integers(y1 + 4, height)))


@given(boxes())
def test_the_true_box_and_its_centre_are_hits(case):
    (width, height), box = case
    assert box_hit(format_box(box, width, height), box, (width, height))
    centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    assert point_hit(format_point(centre, width, height), box, (width, height))


@given(boxes(), st.tuples(*[st.integers(0, 999)] * 4))
def test_a_box_is_a_hit_from_half_overlap_on(case, numbers):
    size, box = case
    answer = f"<bbox>{' '.join(map(str, numbers))}</bbox>"
    assert box_hit(answer, box, size) is (iou(parse_boxes(answer, *size)[0], box) >= 0.5)


@given(boxes(), st.floats(0, 1), st.floats(0, 1))
def test_a_point_outside_is_no_hit(case, x, y):
    (width, height), (x1, y1, x2, y2) = case
    point = (x * width * 0.99, y * height * 0.99)
    far_x, far_y = max(x1 - point[0], point[0] - x2), max(y1 - point[1], point[1] - y2)
    assume(far_x > width / 1000 or far_y > height / 1000)
    assert not point_hit(format_point(point, width, height), (x1, y1, x2, y2), (width, height))


def test_an_overlap_of_exactly_half_counts():
    assert box_hit("<bbox>0 0 100 500</bbox>", (0, 0, 20, 50), (100, 100))
    assert not box_hit("<bbox>0 0 99 500</bbox>", (0, 0, 20, 50), (100, 100))


@pytest.mark.parametrize(
    "answer", ["", "red", "<bbox>1 2 3</bbox>", "<bbox>500 500 100 100</bbox>", "<point>5</point>"]
)
def test_no_place_is_no_hit(answer):
    assert not box_hit(answer, (10, 10, 50, 50), (100, 100))
    assert not point_hit(answer, (10, 10, 50, 50), (100, 100))


def test_only_the_first_place_counts():
    right, wrong = "<bbox>100 100 500 500</bbox>", "<bbox>600 600 900 900</bbox>"
    box, size = (10, 10, 50, 50), (100, 100)
    assert box_hit(right + wrong, box, size)
    assert not box_hit(wrong + right, box, size)
    assert not point_hit("<point>900 900</point><point>300 300</point>", box, size)
