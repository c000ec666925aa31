"""Boxes in space: what is written is read back, and the overlap is that of shapely, of random points and of scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from shapely import affinity
from shapely.geometry import box as rectangle

from vergence.verifiers.boxes_3d import Box3D, angles_of, box_of_numbers, format_box_3d, iou_3d, parse_boxes_3d
from vergence.verifiers.ground_truth import verify

places = st.tuples(*[st.floats(-1, 1)] * 3)
sizes = st.tuples(*[st.floats(0.1, 2)] * 3)
turns = st.tuples(st.floats(-179, 179), st.floats(-89, 89), st.floats(-179, 179))
boxes = st.builds(Box3D, places, sizes, turns)


def by_shapely(first, second):
    """IoU of boxes that turn about Y only: the polygons seen from above, times the shared height."""

    def seen_from_above(box):
        (x, _, z), (width, _, depth) = box.centre, box.size
        flat = rectangle(x - width / 2, z - depth / 2, x + width / 2, z + depth / 2)
        # In the plane (x, z) a turn about Y, which points out of (z, x), runs the other way.
        return affinity.rotate(flat, -box.angles[1], origin=(x, z))

    def heights(box):
        return box.centre[1] - box.size[1] / 2, box.centre[1] + box.size[1] / 2

    (low, high), (bottom, top) = heights(first), heights(second)
    area = seen_from_above(first).intersection(seen_from_above(second)).area
    shared = area * max(0.0, min(high, top) - max(low, bottom))
    return shared / (first.volume + second.volume - shared)


@settings(max_examples=150, deadline=None)
@given(places, sizes, st.floats(-89, 89), places, sizes, st.floats(-89, 89))
def test_the_overlap_of_upright_boxes_is_that_of_shapely(place, size, turn, other_place, other_size, other_turn):
    first, second = Box3D(place, size, (0, turn, 0)), Box3D(other_place, other_size, (0, other_turn, 0))
    assert iou_3d(first, second) == pytest.approx(by_shapely(first, second), abs=1e-7)


@settings(max_examples=100, deadline=None)
@given(boxes, boxes, turns, places)
def test_the_overlap_is_symmetric_and_no_motion_changes_it(first, second, turn, shift):
    overlap = iou_3d(first, second)
    assert overlap == pytest.approx(iou_3d(second, first), abs=1e-7)
    motion = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()

    def moved(box):
        centre = motion @ box.centre + shift
        return Box3D(tuple(centre), box.size, angles_of(motion @ box.rotation()))

    assert overlap == pytest.approx(iou_3d(moved(first), moved(second)), abs=1e-6)


def test_the_overlap_of_turned_boxes_is_the_share_of_random_points():
    rng = np.random.default_rng(0)
    for _ in range(8):
        first, second = (
            Box3D(tuple(rng.uniform(-0.3, 0.3, 3)), tuple(rng.uniform(0.5, 1.5, 3)), tuple(rng.uniform(-89, 89, 3)))
            for _ in range(2)
        )
        points = rng.uniform(-2, 2, (100_000, 3))
        inside = [
            (np.abs((points - box.centre) @ box.rotation()) <= np.array(box.size) / 2).all(1) for box in (first, second)
        ]
        share = (inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum()
        assert iou_3d(first, second) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    ("second", "overlap"),
    [
        (Box3D((0, 0, 0), (1, 1, 1)), 1),
        (Box3D((1, 0, 0), (1, 1, 1)), 0),  # side on side
        (Box3D((0.5, 0, 0), (1, 1, 1)), 1 / 3),
        (Box3D((0, 0, 0), (1, 1, 0.5)), 1 / 2),  # three sides in common planes
        (Box3D((0, 0, 0), (1, 1, 1), (90, 0, 0)), 1),
        (Box3D((0, 0, 0), (1, 1, 1), (0, 45, 0)), math.sqrt(0.5)),  # an octagon
        (Box3D((9, 9, 9), (1, 1, 1)), 0),
        (Box3D((0, 0, 0), (1, 0, 1)), 0),
    ],
)
def test_overlaps_known_in_closed_form(second, overlap):
    assert iou_3d(Box3D((0, 0, 0), (1, 1, 1)), second) == pytest.approx(overlap, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(boxes)
def test_the_matrix_is_that_of_scipy_and_its_angles_give_it_back(box):
    matrix = box.rotation()
    assert np.allclose(matrix, Rotation.from_euler("xyz", box.angles, degrees=True).as_matrix())
    assert np.allclose(Box3D(box.centre, box.size, angles_of(matrix)).rotation(), matrix, atol=1e-6)


def test_a_right_angle_of_yaw_is_read_back():
    for yaw in (-90, 90):
        matrix = Box3D((0, 0, 0), (1, 1, 1), (30, yaw, 50)).rotation()
        assert np.allclose(Box3D((0, 0, 0), (1, 1, 1), angles_of(matrix)).rotation(), matrix, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(boxes)
def test_what_is_written_is_read_back(box):
    [read] = parse_boxes_3d(format_box_3d(box))
    assert np.allclose(read.centre, box.centre, atol=0.0051)
    assert np.allclose(read.size, box.size, atol=0.0051)
    assert np.allclose(read.angles, box.angles, atol=0.19)
    assert "-0.00 " not in format_box_3d(box)


def test_what_is_no_box_is_skipped():
    assert (
        parse_boxes_3d("<3dbbox>1 2 3 4 5 6 7 8</3dbbox> <3dbbox>1 2 3 -4 5 6 0 0 0</3dbbox> <bbox>1 2 3 4</bbox>")
        == []
    )
    assert len(parse_boxes_3d("<3dbbox>1, 2, 3, 4, 5, 6, .1, -.2, 0</3dbbox>")) == 1
    with pytest.raises(ValueError, match="9 numbers, not 3"):
        box_of_numbers([1, 2, 3])


def test_the_rule_wants_overlap_and_if_asked_a_near_centre():
    target = Box3D((0, 0, 3), (1, 1, 1))
    check = {"verifier": "box3d", "target": list(target.numbers)}
    third = format_box_3d(Box3D((0.5, 0, 3), (1, 1, 1)))
    assert verify(check, f"It is here.\nAnswer: {third}") == 1
    assert verify({**check, "threshold": 0.5}, third) == 0
    assert verify({**check, "distance": 0.4}, third) == 0
    assert verify({**check, "distance": 0.6}, third) == 1
    assert verify(check, f"{format_box_3d(Box3D((5, 0, 3), (1, 1, 1)))} {third}") == 0, "only the first counts"
    assert verify(check, "no box") == 0
