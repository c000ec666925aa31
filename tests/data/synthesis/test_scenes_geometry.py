"""The camera and boxes against matrices, scipy's rotations and shapely's polygons."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from shapely import affinity
from shapely.geometry import box as rectangle

from vergence.data.synthesis.scenes.geometry import Camera, Stand, box_around, feet_apart, focal_of, projected_box

angles = st.floats(-math.pi, math.pi)
stands = st.builds(
    Stand,
    st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.just(0.0)),
    st.tuples(st.floats(0.1, 2), st.floats(0.1, 2), st.floats(0.1, 2)),
    angles,
)


def a_camera(seed):
    rng = random.Random(seed)
    place = (rng.uniform(-1, 1), rng.uniform(-6, -4), rng.uniform(1, 2))
    return Camera(64, 48, focal_of(64, rng.uniform(40, 80)), place, rng.uniform(-0.2, 0.2), rng.uniform(0, 0.5))


@pytest.mark.parametrize("seed", range(5))
def test_a_ray_of_a_sample_is_seen_at_that_sample_and_its_length_is_depth(seed):
    camera = a_camera(seed)
    truth = camera.as_truth()
    matrix, pose = np.array(truth["intrinsics"]), np.array(truth["extrinsics"])
    rays = camera.directions(2)
    for row, column in ((0, 0), (17, 100), (95, 127), (50, 3)):
        point = np.array(camera.position) + rays[:, row, column] * 3.7
        x, y, depth = matrix @ (pose @ [*point, 1])
        assert (x / depth, y / depth) == pytest.approx(((column + 0.5) / 2, (row + 0.5) / 2), abs=1e-9)
        assert depth == pytest.approx(3.7, abs=1e-9)
        assert camera.project(camera.to_camera(point[None]))[0] == pytest.approx((x / depth, y / depth))


@pytest.mark.parametrize("seed", range(5))
def test_the_camera_is_level_and_right_handed(seed):
    right, down, forward = a_camera(seed).rotation
    assert np.cross(right, down) == pytest.approx(forward)
    assert right[2] == 0
    assert down[2] < 0, "down is against the world's Z"
    assert math.asin(-forward[2]) == pytest.approx(a_camera(seed).tilt)


def test_the_field_of_view_is_what_both_borders_enclose():
    camera = Camera(200, 100, focal_of(200, 60), (0, 0, 1), 0.3, 0.2)
    left, right = (camera.rotation.T @ [x / camera.focal, 0, 1] for x in (-100, 100))
    cosine = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
    assert math.degrees(math.acos(cosine)) == pytest.approx(60)


@settings(max_examples=80, deadline=None)
@given(stands, st.integers(0, 50))
def test_a_box_has_the_corners_of_the_turned_thing_and_turns_by_45_degrees_at_most(stand, seed):
    camera = a_camera(seed)
    width, depth, height = stand.size
    turn = Rotation.from_euler("z", stand.yaw).as_matrix()
    own = [(x * width / 2, y * depth / 2, z) for x in (-1, 1) for y in (-1, 1) for z in (0, height)]
    world = np.array([turn @ corner + stand.foot for corner in own])
    box = stand.box(camera)
    expected = (world - camera.position) @ camera.rotation.T
    gaps = np.linalg.norm(box.corners()[:, None] - expected[None], axis=2)
    assert gaps.min(axis=1).max() < 1e-6
    assert gaps.min(axis=0).max() < 1e-6
    across = camera.rotation.T @ box.rotation()[:, 0]
    heading = math.atan2(across[1], across[0]) - camera.heading
    assert abs((heading + math.pi) % (2 * math.pi) - math.pi) <= math.pi / 4 + 1e-9


@settings(max_examples=150, deadline=None)
@given(stands, stands)
def test_feet_are_apart_where_shapely_finds_no_common_area(first, second):
    def polygon(stand):
        (x, y, _), (width, depth, _) = stand.foot, stand.size
        flat = rectangle(x - width / 2, y - depth / 2, x + width / 2, y + depth / 2)
        return affinity.rotate(flat, stand.yaw, origin=(x, y), use_radians=True)

    shared = polygon(first).intersection(polygon(second)).area
    if shared > 1e-9:
        assert not feet_apart(first, second, 0)
    elif polygon(first).distance(polygon(second)) > 1e-9:
        assert feet_apart(first, second, 0)
    if feet_apart(first, second, 0.2):
        assert polygon(first).distance(polygon(second)) > 0.2 - 1e-9


def test_boxes_of_masks_and_of_things_behind_the_camera():
    mask = np.zeros((8, 10), dtype=bool)
    assert box_around(mask) is None
    mask[2:5, 4:9] = True
    assert box_around(mask, 2) == (2.0, 1.0, 4.5, 2.5)
    assert projected_box(Stand((0, -9, 0), (1, 1, 1)).box(a_camera(0)), a_camera(0)) is None
