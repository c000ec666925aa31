"""Whether a box or a point is in the right place."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vergence.errors import UsageError
from vergence.processing.coordinates import format_box, format_point, iou, parse_boxes
from vergence.verifiers.boxes import PIXELS, UNIT
from vergence.verifiers.places import (
    box_hit,
    first_box,
    first_overlap,
    first_point,
    match_boxes,
    point_hit,
    point_in_box,
    point_in_mask,
)

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


def test_the_first_place_in_a_declared_system():
    answer, box = "[0.1, 0.1, 0.5, 0.5] or [0.5, 0.5, 1, 1]", (10, 10, 50, 50)
    assert first_box(answer, UNIT, (100, 100)) == box
    assert first_overlap(answer, box, UNIT, (100, 100)) == 1.0
    assert first_overlap(answer, box, PIXELS, (100, 100)) == 0.0
    assert first_overlap("no box", box, UNIT, (100, 100)) is None
    assert first_point("(0.5, 0.25)", UNIT, (100, 100)) == (50, 25)
    assert first_point(answer, UNIT, (100, 100)) is None
    assert first_point(answer, UNIT, (100, 100), centres=True) == (30, 30)


@given(st.lists(boxes().map(lambda case: case[1]), max_size=5), st.lists(boxes().map(lambda case: case[1]), max_size=4))
def test_a_matching_has_as_many_pairs_as_any(predicted, expected):
    matching = match_boxes(predicted, expected, 0.2)
    small, large = sorted((predicted, expected), key=len)
    best = max(
        (
            (len(pairs := [iou(a, b) for a, b in zip(small, order, strict=False) if iou(a, b) >= 0.2]), sum(pairs))
            for order in itertools.permutations(large)
        ),
        default=(0, 0.0),
    )
    assert len(matching.pairs) == best[0]
    assert sum(overlap for _, _, overlap in matching.pairs) == pytest.approx(best[1])
    assert len({a for a, _, _ in matching.pairs}) == len({b for _, b, _ in matching.pairs}) == len(matching.pairs)
    for a, b, overlap in matching.pairs:
        assert overlap == iou(predicted[a], expected[b]) >= 0.2
    if predicted or expected:
        assert matching.f1 == 2 * len(matching.pairs) / (len(predicted) + len(expected))


def test_more_pairs_go_before_a_greater_overlap():
    # The first prediction fits both, the second only the first box: a greedy match of the best pair would lose one.
    expected = [(0, 0, 10, 10), (0, 0, 10, 7)]
    predicted = [(0, 0, 10, 10), (0, 0, 20, 10)]
    matching = match_boxes(predicted, expected)
    assert {(a, b) for a, b, _ in matching.pairs} == {(0, 1), (1, 0)}


def test_naming_boxes_everywhere_costs_precision():
    expected = [(0, 0, 10, 10)]
    shotgun = [(x, y, x + 10, y + 10) for x in range(0, 100, 10) for y in range(0, 100, 10)]
    matching = match_boxes(shotgun, expected)
    assert (matching.recall, matching.precision, matching.f1) == (1.0, 0.01, 2 / 101)
    twice = match_boxes(expected * 2, expected)
    assert (twice.recall, twice.precision) == (1.0, 0.5)


def test_nothing_to_match():
    both, none, missed = match_boxes([], []), match_boxes([(0, 0, 1, 1)], []), match_boxes([], [(0, 0, 1, 1)])
    assert (both.precision, both.recall, both.f1) == (1.0, 1.0, 1.0)
    assert (none.precision, none.recall, none.f1) == (0.0, 0.0, 0.0)
    assert (missed.precision, missed.recall, missed.f1) == (0.0, 0.0, 0.0)
    assert match_boxes([(5, 5, 5, 5)], [(5, 5, 5, 5)]).pairs == ()
    with pytest.raises(ValueError, match="threshold"):
        match_boxes([], [], 0.0)


def test_matching_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(UsageError, match=r"scipy: pip install 'vergence\[eval\]'"):
        match_boxes([(0, 0, 1, 1)], [(0, 0, 1, 1)])


def test_points_and_borders():
    assert point_in_box((10, 10), (10, 10, 50, 50))
    assert point_in_box((50, 50), (10, 10, 50, 50))
    assert not point_in_box((50.01, 50), (10, 10, 50, 50))


def test_a_point_on_a_mask():
    mask = np.zeros((2, 3), bool)
    mask[1, 2] = True
    assert point_in_mask((2, 1), mask)
    assert point_in_mask((2.99, 1.99), mask)
    assert point_in_mask((3, 2), mask)
    assert not point_in_mask((1.99, 1), mask)
    assert not point_in_mask((2, 0.99), mask)
    assert not point_in_mask((3.01, 1), mask)
    assert not point_in_mask((-0.01, 1), np.ones((2, 3)))
    assert not point_in_mask((0, 0), np.ones((0, 3)))
    with pytest.raises(ValueError, match="two dimensions"):
        point_in_mask((0, 0), np.ones((2, 3, 1)))
