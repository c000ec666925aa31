"""The pinhole camera and the boxes of things, in two frames.

The world's frame: X and Y lie in the floor, Z points up, metres. The camera's frame is Seed1.5-VL's: X to the right, Y
down, Z forward. A pixel (column, row) of a picture covers [column, column + 1) x [row, row + 1); the camera's axis
passes through the middle (width / 2, height / 2). Large arrays of vectors have the shape (3, ...), few vectors (N, 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vergence.verifiers.boxes_3d import Box3D, Vector, angles_of

Array = NDArray[np.float64]
Box2D = tuple[float, float, float, float]

SAMPLES = 2
"""Rays along each side of a pixel: four rays are a pixel."""


@dataclass(frozen=True)
class Camera:
    """A camera that is held level: its X axis lies in the plane of the floor.

    `focal` is in pixels and the same along both sides; `heading` is the direction of view on the floor, counted from
    the world's Y to the left; `tilt` is how far it looks down. Both in radians.
    """

    width: int
    height: int
    focal: float
    position: Vector
    heading: float
    tilt: float

    @cached_property
    def rotation(self) -> Array:
        """World to camera, (3, 3): its rows are the camera's right, down and forward in the world."""
        c, s = math.cos(self.heading), math.sin(self.heading)
        e, f = math.cos(self.tilt), math.sin(self.tilt)
        forward = (-s * e, c * e, -f)
        down = (s * f, -c * f, -e)
        return np.array([(c, s, 0.0), down, forward])

    def to_camera(self, points: Array) -> Array:
        """Points (N, 3) of the world in the camera's frame."""
        return np.asarray((points - np.array(self.position)) @ self.rotation.T, dtype=float)

    def project(self, points: Array) -> Array:
        """Where points (N, 3) of the camera's frame are seen, in pixels (N, 2); they lie before the camera."""
        seen = points[:, :2] / points[:, 2:] * self.focal
        return np.asarray(seen + np.array([self.width / 2, self.height / 2]), dtype=float)

    def directions(self, samples: int = SAMPLES) -> Array:
        """A ray for each sample, (3, height x samples, width x samples), in the world.

        A direction has the length 1 along the camera's axis, so that a position on the ray is its depth.
        """
        columns = ((np.arange(self.width * samples) + 0.5) / samples - self.width / 2) / self.focal
        rows = ((np.arange(self.height * samples) + 0.5) / samples - self.height / 2) / self.focal
        right, down, forward = self.rotation
        across = right[:, None, None] * columns[None, None, :]
        return np.asarray(across + down[:, None, None] * rows[None, :, None] + forward[:, None, None], dtype=float)

    def as_truth(self) -> dict[str, Any]:
        """Intrinsics (3x3, pixels) and extrinsics (3x4, world to camera, metres)."""
        shift = self.rotation @ -np.array(self.position)
        return {
            "width": self.width,
            "height": self.height,
            "intrinsics": [[self.focal, 0.0, self.width / 2], [0.0, self.focal, self.height / 2], [0.0, 0.0, 1.0]],
            "extrinsics": [
                [*(float(value) for value in row), float(moved)]
                for row, moved in zip(self.rotation, shift, strict=True)
            ],
            "position": list(self.position),
            "tilt_degrees": math.degrees(self.tilt),
        }


def focal_of(width: int, field_of_view: float) -> float:
    """The focal length in pixels of a picture that shows `field_of_view` degrees from left to right."""
    return width / 2 / math.tan(math.radians(field_of_view) / 2)


@dataclass(frozen=True, slots=True)
class Stand:
    """A thing that stands upright: the middle of its foot, (width, depth, height), and its turn in radians.

    Width lies along the world's X and depth along Y before the thing is turned to the left by `yaw`. A `round` thing
    looks the same from all sides.
    """

    foot: Vector
    size: Vector
    yaw: float = 0.0
    round: bool = False

    @property
    def centre(self) -> Vector:
        """The middle of its box."""
        x, y, z = self.foot
        return x, y, z + self.size[2] / 2

    @property
    def reach(self) -> float:
        """The radius of the circle round its foot."""
        return math.hypot(self.size[0], self.size[1]) / 2

    def box(self, camera: Camera) -> Box3D:
        """Its box in the camera's frame.

        A box is the same after a quarter turn with width and depth exchanged: the turn of at most 45 degrees from the
        camera's heading is told, and none for a round thing.
        """
        width, depth, height = self.size
        turn = self.yaw - camera.heading
        quarters = math.floor(turn / (math.pi / 2) + 0.5)
        turn = 0.0 if self.round else turn - quarters * math.pi / 2
        if quarters % 2:
            width, depth = depth, width
        angle = turn + camera.heading
        c, s = math.cos(angle), math.sin(angle)
        axes = np.array([(c, s, 0.0), (0.0, 0.0, -1.0), (-s, c, 0.0)])
        x, y, z = camera.to_camera(np.array([self.centre]))[0].tolist()
        return Box3D((x, y, z), (width, height, depth), angles_of(camera.rotation @ axes.T))


def box_around(mask: NDArray[np.bool_], samples: int = SAMPLES) -> Box2D | None:
    """The box in pixels around the true samples of a mask; None where there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    corners = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    left, top, right, bottom = (float(value) / samples for value in corners)
    return left, top, right, bottom


def projected_box(box: Box3D, camera: Camera) -> Box2D | None:
    """The box in pixels around the corners of a box in space; None where a corner isn't before the camera."""
    corners = box.corners()
    if corners[:, 2].min() <= 0.05:
        return None
    seen = camera.project(corners)
    (left, top), (right, bottom) = seen.min(axis=0).tolist(), seen.max(axis=0).tolist()
    return left, top, right, bottom


def feet_apart(first: Stand, second: Stand, gap: float) -> bool:
    """Whether the rectangles under two things are `gap` metres apart along a side of one of them."""
    for here, there in ((first, second), (second, first)):
        c, s = math.cos(here.yaw), math.sin(here.yaw)
        for (x, y), reach in (((c, s), here.size[0] / 2), ((-s, c), here.size[1] / 2)):
            between = abs((there.foot[0] - here.foot[0]) * x + (there.foot[1] - here.foot[1]) * y)
            e, f = math.cos(there.yaw), math.sin(there.yaw)
            other = abs(e * x + f * y) * there.size[0] / 2 + abs(e * y - f * x) * there.size[1] / 2
            if between >= reach + other + gap:
                return True
    return False


def apart(stands: Sequence[Stand], other: Stand, gap: float) -> bool:
    """Whether the circle round the foot of `other` stays `gap` metres away from those of `stands`."""
    return all(math.dist(stand.foot[:2], other.foot[:2]) >= stand.reach + other.reach + gap for stand in stands)
