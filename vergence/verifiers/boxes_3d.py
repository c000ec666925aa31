"""Seed1.5-VL's text format for boxes in space, and how far two such boxes overlap.

A box is `<3dbbox>x_center y_center z_center x_size y_size z_size pitch yaw roll</3dbbox>` (the API's documentation of
3-D detection): metres in the camera's frame, X to the right, Y down, Z forward, the origin at the camera; sizes along
X, Y and Z while no angle turns the box; angles about X, Y and Z divided by 180 degrees, so that they lie in (-1, 1).
The box is turned about X first, then Y, then Z, all axes fixed: R = Rz(roll) Ry(yaw) Rx(pitch).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Array = NDArray[np.float64]

BOX_IOU_3D = 0.25
"""The overlap from which on a box in space counts as found: the looser of the two customary ones, 0.25 and 0.5."""

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+))"
_BOX = re.compile(r"<3dbbox>\s*" + r"[\s,]+".join([_NUMBER] * 9) + r"\s*</3dbbox>")
_SIGNS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
"""The corners of each side in order around it; corners count as the rows of `_SIGNS`."""


@dataclass(frozen=True, slots=True)
class Box3D:
    """A box in the camera's frame: centre and sizes in metres, (pitch, yaw, roll) in degrees."""

    centre: Vector
    size: Vector
    angles: Vector = (0.0, 0.0, 0.0)

    def rotation(self) -> Array:
        """The matrix (3, 3) that turns the box's own axes into the camera's."""
        pitch, yaw, roll = (math.radians(angle) for angle in self.angles)
        a, b = math.cos(pitch), math.sin(pitch)
        c, d = math.cos(yaw), math.sin(yaw)
        e, f = math.cos(roll), math.sin(roll)
        about_x = np.array([[1, 0, 0], [0, a, -b], [0, b, a]])
        about_y = np.array([[c, 0, d], [0, 1, 0], [-d, 0, c]])
        about_z = np.array([[e, -f, 0], [f, e, 0], [0, 0, 1]])
        return np.asarray(about_z @ about_y @ about_x, dtype=float)

    def corners(self) -> Array:
        """The eight corners (8, 3) in metres."""
        return np.asarray((_SIGNS * self.size) @ self.rotation().T + self.centre, dtype=float)

    @property
    def volume(self) -> float:
        """Cubic metres; 0 for a box without extent."""
        return math.prod(max(0.0, side) for side in self.size)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The nine numbers of the text format, angles divided by 180."""
        return (*self.centre, *self.size, *(angle / 180 for angle in self.angles))


def box_of_numbers(numbers: Sequence[float]) -> Box3D:
    """The box that nine numbers of the text format describe. Raises `ValueError` for another count."""
    if len(numbers) != 9:
        raise ValueError(f"a box in space has 9 numbers, not {len(numbers)}")
    x, y, z, width, height, depth, pitch, yaw, roll = (float(number) for number in numbers)
    return Box3D((x, y, z), (width, height, depth), (pitch * 180, yaw * 180, roll * 180))


def angles_of(rotation: Array) -> Vector:
    """(pitch, yaw, roll) in degrees of a rotation matrix (3, 3); yaw lies in [-90, 90].

    Where yaw is a right angle, pitch and roll turn about one axis and only their sum counts: roll is 0 then.
    """
    sine = min(1.0, max(-1.0, -float(rotation[2, 0])))
    if abs(sine) > 1 - 1e-9:
        return math.degrees(math.atan2(-rotation[1, 2], rotation[1, 1])), math.degrees(math.asin(sine)), 0.0
    pitch = math.atan2(rotation[2, 1], rotation[2, 2])
    roll = math.atan2(rotation[1, 0], rotation[0, 0])
    return math.degrees(pitch), math.degrees(math.asin(sine)), math.degrees(roll)


def format_box_3d(box: Box3D) -> str:
    """`<3dbbox>...</3dbbox>` with centimetres and thousandths of a half turn."""
    lengths = [f"{value + 0.0:.2f}" for value in (*box.centre, *box.size)]
    angles = [f"{min(0.999, max(-0.999, angle / 180)) + 0.0:.3f}" for angle in box.angles]
    return f"<3dbbox>{' '.join(_unsigned(text) for text in (*lengths, *angles))}</3dbbox>"


def _unsigned(text: str) -> str:
    """A zero has no sign."""
    return text.removeprefix("-") if float(text) == 0 else text


def parse_boxes_3d(text: str) -> list[Box3D]:
    """Every well-formed `<3dbbox>` of the text, in its order: nine plain numbers and no side below 0."""
    boxes = [box_of_numbers([float(number) for number in found.groups()]) for found in _BOX.finditer(text)]
    return [box for box in boxes if min(box.size) >= 0]


def iou_3d(first: Box3D, second: Box3D) -> float:
    """Intersection over union of two boxes however they are turned, in 0..1; 0 where one has no volume.

    The intersection of two convex bodies: the first is cut by the planes of the six sides of the second.
    """
    if not first.volume or not second.volume:
        return 0.0
    reach = (math.hypot(*first.size) + math.hypot(*second.size)) / 2
    if math.dist(first.centre, second.centre) >= reach:
        return 0.0
    shared = _shared_volume(first, second)
    return min(1.0, shared / (first.volume + second.volume - shared))


def _shared_volume(first: Box3D, second: Box3D) -> float:
    corners = first.corners()
    faces = [corners[list(face)] for face in _FACES]
    small = 1e-9 * max(*first.size, *second.size)
    axes = second.rotation().T
    for axis, side in zip(axes, second.size, strict=True):
        for normal in (axis, -axis):
            faces = _cut(faces, normal, float(normal @ second.centre) + side / 2, small)
            if not faces:
                return 0.0
    inside = np.mean([point for face in faces for point in face], axis=0)
    return sum(_pyramid(face, inside) for face in faces)


def _cut(faces: list[Array], normal: Array, offset: float, small: float) -> list[Array]:
    """The part of a convex body, given by its sides, where normal . point <= offset; the cut is closed by a new side.

    Nothing is cut where the body lies on one side of the plane but for `small`: then a side in the plane isn't doubled.
    """
    heights = [face @ normal - offset for face in faces]
    if max(float(height.max()) for height in heights) <= small:
        return faces
    if min(float(height.min()) for height in heights) >= -small:
        return []
    kept: list[Array] = []
    rim: list[Array] = []
    for face, height in zip(faces, heights, strict=True):
        points: list[Array] = []
        for here, there, above, beyond in zip(
            face, np.roll(face, -1, axis=0), height, np.roll(height, -1), strict=True
        ):
            if above <= small:
                points.append(here)
                if above >= -small:
                    rim.append(here)
            if (above < -small and beyond > small) or (above > small and beyond < -small):
                crossing = here + (there - here) * (above / (above - beyond))
                points.append(crossing)
                rim.append(crossing)
        if len(points) >= 3:
            kept.append(np.array(points))
    return [*kept, _around(np.array(rim), normal)]


def _around(points: Array, normal: Array) -> Array:
    """Points of a convex polygon in a plane, sorted by their angle about its middle."""
    across = np.cross(normal, np.eye(3)[int(np.argmin(np.abs(normal)))])
    along = np.cross(normal, across)
    arms = points - points.mean(axis=0)
    return np.asarray(points[np.argsort(np.arctan2(arms @ along, arms @ across), kind="stable")], dtype=float)


def _pyramid(face: Array, tip: Array) -> float:
    """The volume between a convex polygon and a point: a third of base area x height, in triangles."""
    arms = face - tip
    total = sum(float(arms[0] @ np.cross(arms[k], arms[k + 1])) for k in range(1, len(arms) - 1))
    return abs(total) / 6
