"""Solids that stand on a floor, each cut by rays in closed form: sphere, cube, cylinder, cone.

All arithmetic is 64-bit and element by element, so that the order of sums, and with it every bit, is fixed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vergence.data.synthesis.scenes.geometry import Array, Stand

Shape = Literal["sphere", "cube", "cylinder", "cone"]


@dataclass(frozen=True, slots=True)
class Primitive:
    """A solid at (x, y) on the floor; `width` is a diameter or an edge, `yaw` turns it (radians)."""

    shape: Shape
    x: float
    y: float
    width: float
    height: float
    yaw: float = 0.0

    @property
    def stand(self) -> Stand:
        """Where it stands and how large it is."""
        size = (self.width, self.width, self.height)
        return Stand((self.x, self.y, 0.0), size, self.yaw, round=self.shape != "cube")

    @property
    def radius(self) -> float:
        """The radius of the sphere around its middle that holds it."""
        if self.shape == "sphere":
            return self.width / 2
        across = self.width * (math.sqrt(0.5) if self.shape == "cube" else 0.5)
        return math.hypot(across, self.height / 2)

    def intersect(self, origins: Array, directions: Array) -> Array:
        """Where rays (3, N) enter it, as multiples of their directions; infinite for those that don't.

        Origins lie outside; one origin (3, 1) may serve all rays.
        """
        x, y, z = origins[0] - self.x, origins[1] - self.y, origins[2]
        u, v, w = directions
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.shape == "sphere":
                near = _sphere(x, y, z - self.height / 2, u, v, w, self.width / 2)
            elif self.shape == "cube":
                c, s = math.cos(self.yaw), math.sin(self.yaw)
                near = _cube(c * x + s * y, c * y - s * x, z, c * u + s * v, c * v - s * u, w, self.width, self.height)
            elif self.shape == "cylinder":
                near = _cylinder(x, y, z, u, v, w, self.width / 2, self.height)
            else:
                near = _cone(x, y, z, u, v, w, self.width / 2, self.height)
        return near

    def normals(self, points: Array) -> Array:
        """The outward unit normals (3, N) at points of its surface."""
        x, y, z = points[0] - self.x, points[1] - self.y, points[2]
        if self.shape == "sphere":
            return np.stack([x, y, z - self.height / 2]) / (self.width / 2)
        if self.shape == "cube":
            return self._cube_normals(x, y, z)
        across = np.maximum(np.sqrt(x * x + y * y), 1e-12)
        if self.shape == "cylinder":
            top = z >= self.height * (1 - 1e-9)
            return np.stack([np.where(top, 0.0, x / across), np.where(top, 0.0, y / across), np.where(top, 1.0, 0.0)])
        slant = math.hypot(self.height, self.width / 2)
        out, up = self.height / slant, self.width / 2 / slant
        return np.stack([x / across * out, y / across * out, np.full_like(x, up)])

    def _cube_normals(self, x: Array, y: Array, z: Array) -> Array:
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        a, b = (c * x + s * y) / self.width, (c * y - s * x) / self.width
        e = z / self.height - 0.5
        side_a = (np.abs(a) >= np.abs(b)) & (np.abs(a) >= np.abs(e))
        side_b = ~side_a & (np.abs(b) >= np.abs(e))
        first = np.where(side_a, np.sign(a), 0.0)
        second = np.where(side_b, np.sign(b), 0.0)
        third = np.where(side_a | side_b, 0.0, np.sign(e))
        return np.stack([c * first - s * second, s * first + c * second, third])


def _sphere(x: Array, y: Array, z: Array, u: Array, v: Array, w: Array, radius: float) -> Array:
    """|o + t d|^2 = r^2, its smaller root."""
    a = u * u + v * v + w * w
    b = x * u + y * v + z * w
    root = b * b - a * (x * x + y * y + z * z - radius * radius)
    near = (-b - np.sqrt(root)) / a
    return np.where((root >= 0) & (near > 0), near, np.inf)


def _slab(x: Array, u: Array, low: float, high: float) -> tuple[Array, Array]:
    """Between which multiples a ray lies in low <= x <= high; a ray that runs along it: everywhere or nowhere."""
    first, second = (low - x) / u, (high - x) / u
    near, far = np.minimum(first, second), np.maximum(first, second)
    along = u == 0
    if along.any():
        inside = (x >= low) & (x <= high)
        near = np.where(along, np.where(inside, -np.inf, np.inf), near)
        far = np.where(along, np.where(inside, np.inf, -np.inf), far)
    return near, far


def _cube(x: Array, y: Array, z: Array, u: Array, v: Array, w: Array, width: float, height: float) -> Array:
    """The overlap of three slabs."""
    first = _slab(x, u, -width / 2, width / 2)
    second = _slab(y, v, -width / 2, width / 2)
    third = _slab(z, w, 0.0, height)
    near = np.maximum(np.maximum(first[0], second[0]), third[0])
    far = np.minimum(np.minimum(first[1], second[1]), third[1])
    return np.where((near <= far) & (near > 0), near, np.inf)


def _cylinder(x: Array, y: Array, z: Array, u: Array, v: Array, w: Array, radius: float, height: float) -> Array:
    """The overlap of an endless cylinder and a slab."""
    a = u * u + v * v
    b = x * u + y * v
    root = b * b - a * (x * x + y * y - radius * radius)
    half = np.sqrt(np.maximum(root, 0.0))
    low, high = _slab(z, w, 0.0, height)
    near, far = np.maximum((-b - half) / a, low), np.minimum((-b + half) / a, high)
    return np.where((root >= 0) & (near <= far) & (near > 0), near, np.inf)


def _cone(x: Array, y: Array, z: Array, u: Array, v: Array, w: Array, radius: float, height: float) -> Array:
    """x^2 + y^2 = (k (h - z))^2 for 0 <= z <= h with k = r / h, and the disc of its foot; the nearest of them all."""
    k = (radius / height) ** 2
    depth = height - z
    a = u * u + v * v - k * w * w
    b = x * u + y * v + k * depth * w
    root = np.sqrt(b * b - a * (x * x + y * y - k * depth * depth))
    near = np.full(np.broadcast(x, u).shape, np.inf)
    for found in ((-b - root) / a, (-b + root) / a):
        up = z + found * w
        near = np.where((found > 0) & (up >= 0) & (up <= height) & (found < near), found, near)
    foot = -z / w
    across, along = x + foot * u, y + foot * v
    below = (foot > 0) & (across * across + along * along <= radius * radius) & (foot < near)
    return np.where(below, foot, near)
