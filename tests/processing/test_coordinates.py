"""Coordinates 0..999: exact text, bounded round trips, strict and unafraid parsing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vergence.processing.coordinates import (
    Box,
    Point,
    denormalise,
    format_box,
    format_point,
    iou,
    normalise,
    parse_boxes,
    parse_points,
)

EXTENT = st.integers(1, 30_000)
FRACTION = st.floats(0, 1)
NUMBER = st.integers(0, 999)


@settings(max_examples=1000, deadline=None)
@given(FRACTION, EXTENT)
def test_round_trip_error_is_at_most_a_thousandth(fraction: float, extent: int) -> None:
    value = fraction * extent
    number = normalise(value, extent)
    assert 0 <= number <= 999
    assert abs(denormalise(number, extent) - value) <= extent / 1000 * (1 + 1e-9)
    if value <= 0.999 * extent:
        assert abs(denormalise(number, extent) - value) <= extent / 2000 * (1 + 1e-9)


@given(NUMBER, EXTENT)
def test_a_number_survives_the_way_to_pixels_and_back(number: int, extent: int) -> None:
    assert normalise(denormalise(number, extent), extent) == number


@given(FRACTION, FRACTION, EXTENT)
def test_order_is_kept(a: float, b: float, extent: int) -> None:
    low, high = sorted((a * extent, b * extent))
    assert normalise(low, extent) <= normalise(high, extent)


def test_edges_and_outside_are_clamped() -> None:
    assert [normalise(v, 100) for v in (-5, 0, 50, 99.9, 100, 500)] == [0, 0, 500, 999, 999, 999]
    assert normalise(0.5, 1000) == 1


@pytest.mark.parametrize(("value", "extent"), [(math.nan, 10), (math.inf, 10), (1, 0)])
def test_what_has_no_place_is_refused(value: float, extent: int) -> None:
    with pytest.raises(ValueError, match="can't express"):
        normalise(value, extent)


def test_format() -> None:
    assert format_box((10, 20, 100, 50), 200, 100) == "<bbox>50 200 500 500</bbox>"
    assert format_box((0, 0, 200, 100), 200, 100) == "<bbox>0 0 999 999</bbox>"
    assert format_point((100, 50), 200, 100) == "<point>500 500</point>"


@given(NUMBER, NUMBER, NUMBER, NUMBER, EXTENT, EXTENT)
def test_parsing_reads_what_formatting_wrote(a: int, b: int, c: int, d: int, width: int, height: int) -> None:
    text = f"a <bbox>{a} {b} {c} {d}</bbox> and <point>{a} {b}</point>"
    [box], [point] = parse_boxes(text, width, height), parse_points(text, width, height)
    assert box == (a * width / 1000, b * height / 1000, c * width / 1000, d * height / 1000)
    assert f"a {format_box(box, width, height)} and {format_point(point, width, height)}" == text


def test_spaces_are_tolerated_and_order_is_kept() -> None:
    text = "<bbox> 900\t0\n  100 007 </bbox><bbox>0 0 999 999</bbox>"
    assert parse_boxes(text, 1000, 1000) == [Box(900, 0, 100, 7), Box(0, 0, 999, 999)]
    assert parse_points(" <point>1  2 </point>", 1000, 1000) == [Point(1, 2)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<bbox></bbox>",
        "<bbox>1 2 3</bbox>",
        "<bbox>1 2 3 4 5</bbox>",
        "<bbox>1 2 3 1000</bbox>",
        "<bbox>-1 2 3 4</bbox>",
        "<bbox>1.0 2 3 4</bbox>",
        "<bbox>1,2,3,4</bbox>",
        "<bbox>1 2 3 4",
        "<bbox>1 2 3 ٤</bbox>",
        "<bbox>1 2 <b>3</b> 4</bbox>",
        "bbox 1 2 3 4",
    ],
)
def test_malformed_boxes_are_skipped(text: str) -> None:
    assert parse_boxes(text, 100, 100) == []
    assert parse_boxes(text + "<bbox>1 2 3 4</bbox>", 1000, 1000)[-1:] == [Box(1, 2, 3, 4)]
    assert parse_points(text.replace("bbox", "point"), 100, 100) == []


@given(st.text(alphabet="<>/bbox point0123456789 \n", max_size=200))
def test_no_text_raises(text: str) -> None:
    parse_boxes(text, 10, 10)
    parse_points(text, 10, 10)


def test_iou() -> None:
    assert iou((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert iou((0, 0, 1, 1), (1, 1, 2, 2)) == 0
    assert iou((0, 0, 2, 2), (2, 2, 0, 0)) == 0
    assert iou((1, 1, 1, 1), (1, 1, 1, 1)) == 0


@given(*[st.tuples(*[st.integers(0, 20)] * 4)] * 2)
def test_iou_is_symmetric_and_bounded(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1
