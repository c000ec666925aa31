"""Scoring rules and the Wilson interval, beside scipy's."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from vergence.evaluation.metrics import Z95, box_hit, exact, point_hit, wilson
from vergence.processing.coordinates import format_box, format_point, iou, parse_boxes

SIZES = st.tuples(st.integers(8, 400), st.integers(8, 400))


@pytest.mark.parametrize(
    ("answer", "expected", "same"),
    [
        ("red", "red", True),
        ("  Red\n", "red", True),
        ("bottom \t left", "bottom left", True),
        ("STRASSE", "straße", True),  # case folding, not lower case
        ("red.", "red", False),
        ("the red one", "red", False),
        ("bottomleft", "bottom left", False),
        ("", "red", False),
        ("07", "7", False),
    ],
)
def test_exact(answer, expected, same):
    assert exact(answer, expected) is same


@given(st.text(max_size=20))
def test_exact_forgives_case_and_white_space_only(text):
    assert exact(text, text)
    assert exact(f"  {text}\n", text)
    assert not exact(text + "x", text)


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


@given(
    st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.9, 0.95, 0.99])
)
def test_wilson_equals_scipy(counts, level):
    successes, n = counts
    expected = binomtest(successes, n).proportion_ci(confidence_level=level, method="wilson")
    low, high = wilson(successes, n, norm.ppf((1 + level) / 2))
    assert low == pytest.approx(expected.low, abs=1e-12)
    assert high == pytest.approx(expected.high, abs=1e-12)
    assert 0 <= low <= successes / n <= high <= 1


def test_wilson_at_the_ends():
    assert pytest.approx(norm.ppf(0.975), abs=1e-15) == Z95
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 300)[0] == 0.0
    assert wilson(300, 300)[1] == 1.0
    # At 0 of n the upper end has the closed form z^2 / (n + z^2).
    assert wilson(0, 300)[1] == pytest.approx(Z95**2 / (300 + Z95**2), abs=1e-15)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_symmetric_and_shrinks_with_more_samples(counts):
    successes, n = counts
    low, high = wilson(successes, n)
    assert (1 - high, 1 - low) == pytest.approx(wilson(n - successes, n), abs=1e-12)
    wider = wilson(4 * successes, 4 * n)
    assert wider[1] - wider[0] < high - low


@pytest.mark.parametrize("counts", [(-1, 3), (4, 3), (1, 0)])
def test_wilson_refuses_what_is_no_proportion(counts):
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(*counts)


def test_wilson_solves_its_own_equation():
    low, high = wilson(37, 120)
    for p in (low, high):
        assert abs(p - 37 / 120) == pytest.approx(Z95 * math.sqrt(p * (1 - p) / 120), abs=1e-12)
