"""Rays against triangles by Embree (through embreex): what is hit first, and whether anything is in the way.

Embree works in 32 bits: depths of triangles are exact to about a millionth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vergence.data.sources.furniture import Mesh
from vergence.data.synthesis.scenes.geometry import Array, Camera, Stand
from vergence.data.synthesis.scenes.render import PLACES, Hits

_MISS = 1e30
_STEP = 1e-3
_AMBIENT_REACH = 0.7


@dataclass(frozen=True)
class Placed:
    """A model's triangles and where they stand."""

    mesh: Mesh
    stand: Stand

    def vertices(self) -> Array:
        """The mesh in the world, (V, 3)."""
        c, s = math.cos(self.stand.yaw), math.sin(self.stand.yaw)
        x, y, z = self.mesh.vertices.T
        a, b, e = self.stand.foot
        return np.stack([c * x - s * y + a, s * x + c * y + b, z + e], axis=1)


class Triangles:
    """The triangles of things, numbered from 1 in the order given."""

    def __init__(self, placed: Sequence[Placed]) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self.placed = placed
        self._scene: Any = EmbreeScene()
        for thing in placed:
            TriangleMesh(self._scene, thing.vertices().astype(np.float32), thing.mesh.faces)

    def first(self, origins: Array, directions: Array) -> dict[str, Any]:
        """Embree's answer for rays (N, 3): `tfar`, `geomID` (-1: nothing), `primID`, `u`, `v`."""
        found: dict[str, Any] = self._scene.run(
            np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(directions, np.float32), output=True
        )
        return found

    def blocked(self, origins: Array, directions: Array) -> Any:
        """Whether something lies within the length of each ray (N, 3), a mask (N,)."""
        answer = self._scene.run(
            np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(directions, np.float32),
            dists=np.ones(len(origins), np.float32), query="OCCLUDED",
        )  # fmt: skip
        return answer >= 0


def add_meshes(hits: Hits, camera: Camera, triangles: Triangles) -> None:
    """Things, numbered from 1, where nothing nearer is, with the paint and textures of their materials."""
    shape = hits.depth.shape
    directions = hits.directions.reshape(3, -1)
    origins = np.broadcast_to(np.array(camera.position), (directions.shape[1], 3))
    answer = triangles.first(origins, directions.T)
    depth = answer["tfar"].astype(np.float64)
    seen = np.flatnonzero((answer["geomID"] >= 0) & (depth < np.minimum(hits.depth.reshape(-1), _MISS)))
    rays, depth = directions[:, seen], depth[seen]
    hits.depth.reshape(-1)[seen] = depth
    hits.ids.reshape(-1)[seen] = answer["geomID"][seen] + 1
    hits.points.reshape(3, -1)[:, seen] = np.array(camera.position)[:, None] + rays * depth
    for number, thing in enumerate(triangles.placed):
        mine = np.flatnonzero(answer["geomID"][seen] == number)
        which = seen[mine]
        u, v = answer["u"][which].astype(np.float64), answer["v"][which].astype(np.float64)
        weights = np.stack([1 - u - v, u, v])
        triangle = answer["primID"][which]
        hits.normals.reshape(3, -1)[:, which] = _normals(thing, triangle, weights, rays[:, mine])
        hits.colours.reshape(3, -1)[:, which] = _colours(thing.mesh, triangle, weights)
    assert hits.depth.shape == shape


def _mixed(corners: Any, weights: Array) -> Array:
    """Values of three corners (N, 3, K), weighted: (K, N)."""
    return np.asarray(sum(corners[:, corner].T * weights[corner] for corner in range(3)), dtype=float)


def _normals(thing: Placed, triangle: Any, weights: Array, rays: Array) -> Array:
    x, y, z = _mixed(thing.mesh.normals[triangle], weights)
    c, s = math.cos(thing.stand.yaw), math.sin(thing.stand.yaw)
    x, y = c * x - s * y, s * x + c * y
    length = np.maximum(np.sqrt(x * x + y * y + z * z), 1e-9)
    away = x * rays[0] + y * rays[1] + z * rays[2] > 0
    length = np.where(away, -length, length)
    return np.stack([x / length, y / length, z / length])


def _colours(mesh: Mesh, triangle: Any, weights: Array) -> Array:
    paint = mesh.paint[triangle]
    found = mesh.colours[paint].T.copy()
    for number, texture in enumerate(mesh.textures):
        if texture is None:
            continue
        mine = np.flatnonzero(paint == number)
        u, v = _mixed(mesh.places[triangle[mine]], weights[:, mine])
        height, width = texture.shape[:2]
        column = np.floor((u - np.floor(u)) * width).astype(np.int64) % width
        row = np.floor((1 - (v - np.floor(v))) * height).astype(np.int64) % height
        found[:, mine] = (texture[row, column].T / 255.0) ** 2.2
    return np.asarray(found)


def mesh_shadows(hits: Hits, triangles: Triangles, places: Array) -> Array:
    """The share of the lamp, 0 or 1, that each sample sees past the things."""
    origins = _lifted(hits)
    away = places.reshape(3, -1).T - origins
    return np.where(triangles.blocked(origins, away), 0.0, 1.0).reshape(hits.depth.shape)


def mesh_openness(hits: Hits, triangles: Triangles, order: Any) -> Array:
    """How open each sample is to its half space, 0 or 1, in one of 16 directions weighted by the cosine; what is
    further away than 0.7 m doesn't count. `order` (height, width) is the number of the direction."""
    number = np.arange(PLACES) + 0.5
    arm, angle = np.sqrt(number / PLACES), number * math.pi * (3 - math.sqrt(5))
    disc = np.stack([arm * np.cos(angle), arm * np.sin(angle), np.sqrt(1 - arm * arm)])
    a, b, c = disc[:, order.reshape(-1)]
    x, y, z = hits.normals.reshape(3, -1)
    # An orthonormal basis around the normal (Duff et al. 2017, "Building an Orthonormal Basis, Revisited").
    sign = np.where(z >= 0, 1.0, -1.0)
    d = -1.0 / (sign + z)
    e = x * y * d
    away = np.stack([
        a * (1 + sign * x * x * d) + b * e + c * x,
        a * sign * e + b * (sign + y * y * d) + c * y,
        -a * sign * x - b * y + c * z,
    ], axis=1)  # fmt: skip
    blocked = triangles.blocked(_lifted(hits), away * _AMBIENT_REACH)
    return np.where(blocked, 0.0, 1.0).reshape(hits.depth.shape)


def _lifted(hits: Hits) -> Array:
    """The points seen, a little above their surface, (N, 3)."""
    return np.asarray((hits.points + hits.normals * _STEP).reshape(3, -1).T, dtype=float)
