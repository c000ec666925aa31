"""From what rays hit to a picture: light from above with soft shadows, and four rays a pixel.

```
directions ─▶ hits: depth, whose, point, normal, colour ─▶ lit by the sky and a lamp ─▶ mean of 2x2 ─▶ picture
                                                             └ 16 places of the lamp, one a sample, smoothed over 4x4
```

The lamp is a disc. Each sample of a block of 4x4 asks whether it sees another of 16 places on the disc, and the mean
over the block gives each the share of the disc that it sees ("interleaved sampling", Keller and Heidrich 2001). Only
samples of one and the same thing are averaged.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vergence.data.synthesis.scenes.geometry import SAMPLES, Array, Camera, projected_box
from vergence.data.synthesis.scenes.primitives import Primitive
from vergence.data.synthesis.scenes.surfaces import Colour, Surface
from vergence.verifiers.boxes_3d import Vector

SKY, FLOOR, WALL = 0, -1, -2
"""Numbers in a map of what samples show; things count from 1, further walls down from -3."""

PLACES = 16
_BLOCK = 4
_ORDER = np.array([[0, 10, 3, 13], [6, 12, 5, 9], [15, 1, 8, 2], [11, 7, 14, 4]])
LIFT = 1e-4
"""Metres by which rays start above a surface."""


@dataclass(frozen=True, slots=True)
class Material:
    """A paint in linear light; a metal mirrors the sky, and what shines has a highlight."""

    colour: Colour
    metal: bool = False
    shine: float = 0.0


@dataclass(frozen=True, slots=True)
class Lamp:
    """A round lamp that hangs level at `position`, metres."""

    position: Vector
    radius: float
    strength: float = 1.0

    def places(self) -> Array:
        """16 places on the disc, (3, 16), evenly spread on a spiral."""
        number = np.arange(PLACES) + 0.5
        arm, angle = np.sqrt(number / PLACES) * self.radius, number * math.pi * (3 - math.sqrt(5))
        x, y, z = self.position
        return np.stack([x + arm * np.cos(angle), y + arm * np.sin(angle), np.full(PLACES, z)])


@dataclass(slots=True)
class Hits:
    """What the rays of a camera hit: depth in metres along its axis (infinite in the sky), whose it is, (height,
    width) of samples each; points, unit normals towards the camera and colours, (3, height, width)."""

    depth: Array
    ids: NDArray[np.int16]
    points: Array
    normals: Array
    colours: Array
    directions: Array


def blank(camera: Camera) -> Hits:
    """Nothing hit yet."""
    directions = camera.directions()
    shape = directions.shape[1:]
    return Hits(
        np.full(shape, np.inf), np.zeros(shape, np.int16), np.zeros((3, *shape)), np.zeros((3, *shape)),
        np.zeros((3, *shape)), directions,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane across the world's `axis` at `offset`, painted on both sides, with its number in the map."""

    axis: int
    offset: float
    number: int
    surface: Surface


def add_planes(hits: Hits, camera: Camera, planes: Sequence[Plane]) -> None:
    """Planes, where nothing nearer is."""
    flat = hits.directions.reshape(3, -1)
    whose = np.full(flat.shape[1], -1)
    depths = hits.depth.reshape(-1)
    for number, plane in enumerate(planes):
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = (plane.offset - camera.position[plane.axis]) / flat[plane.axis]
        seen = (depth > 0) & (depth < depths)
        np.copyto(depths, depth, where=seen)
        whose[seen] = number
    for number, plane in enumerate(planes):
        seen = np.flatnonzero(whose == number)
        directions = flat[:, seen]
        points = np.array(camera.position)[:, None] + directions * depths[seen]
        first, second = [points[other] for other in range(3) if other != plane.axis]
        hits.ids.reshape(-1)[seen] = plane.number
        hits.points.reshape(3, -1)[:, seen] = points
        hits.normals.reshape(3, -1)[plane.axis, seen] = -np.sign(directions[plane.axis])
        hits.colours.reshape(3, -1)[:, seen] = plane.surface.colours(first, second)


def add_primitives(hits: Hits, camera: Camera, solids: Sequence[Primitive], materials: Sequence[Material]) -> None:
    """Solids, numbered from 1, where nothing nearer is."""
    origin = np.array(camera.position)[:, None]
    for number, (solid, material) in enumerate(zip(solids, materials, strict=True), 1):
        rows, columns = sample_window(solid, camera)
        directions = hits.directions[:, rows, columns].reshape(3, -1)
        depth = solid.intersect(origin, directions).reshape(hits.depth[rows, columns].shape)
        seen = depth < hits.depth[rows, columns]
        points = origin + hits.directions[:, rows, columns][:, seen] * depth[seen]
        hits.depth[rows, columns][seen] = depth[seen]
        hits.ids[rows, columns][seen] = number
        for target, value in ((hits.points, points), (hits.normals, solid.normals(points))):
            target[:, rows, columns][:, seen] = value
        hits.colours[:, rows, columns][:, seen] = np.array(material.colour)[:, None]


def sample_window(solid: Primitive, camera: Camera) -> tuple[slice, slice]:
    """The rows and columns of samples that can show a solid; all where it reaches behind the camera."""
    box = projected_box(solid.stand.box(camera), camera)
    if box is None:
        return slice(0, camera.height * SAMPLES), slice(0, camera.width * SAMPLES)
    left, top, right, bottom = (value * SAMPLES for value in box)
    return (
        slice(max(0, math.floor(top) - 1), max(0, math.ceil(bottom) + 1)),
        slice(max(0, math.floor(left) - 1), max(0, math.ceil(right) + 1)),
    )


def turns(hits: Hits) -> NDArray[np.int64]:
    """Which of 16 places or directions each sample asks about, (height, width): a block of 4x4 has all of them."""
    height, width = hits.depth.shape
    return np.tile(_ORDER, (height // _BLOCK + 1, width // _BLOCK + 1))[:height, :width]


def lamp_places(hits: Hits, lamp: Lamp) -> Array:
    """For each sample the place on the lamp that it asks about, (3, height, width)."""
    return np.asarray(lamp.places()[:, turns(hits)], dtype=float)


def primitive_shadows(hits: Hits, solids: Sequence[Primitive], lamp: Lamp, places: Array) -> Array:
    """The share of the lamp, 0 or 1, that each sample sees past the solids."""
    seen = np.ones(hits.depth.shape)
    middle = np.array(lamp.position)[:, None]
    flat_points, flat_places, flat_seen = hits.points.reshape(3, -1), places.reshape(3, -1), seen.reshape(-1)
    lit = np.flatnonzero(np.isfinite(hits.depth.reshape(-1)))
    points = flat_points[:, lit]
    to_lamp = middle - points
    length = to_lamp[0] ** 2 + to_lamp[1] ** 2 + to_lamp[2] ** 2
    for number, solid in enumerate(solids, 1):
        # Only samples whose way to the lamp passes near the solid are asked; it never shades its own lit side.
        arm = np.array(solid.stand.centre)[:, None] - points
        along = arm[0] * to_lamp[0] + arm[1] * to_lamp[1] + arm[2] * to_lamp[2]
        beside = arm[0] ** 2 + arm[1] ** 2 + arm[2] ** 2 - along * along / length
        reach = solid.radius + lamp.radius
        near = lit[(beside < reach * reach) & (along > -reach * reach)]
        near = near[(hits.ids.reshape(-1)[near] != number) & (flat_seen[near] > 0)]
        origins = flat_points[:, near] + hits.normals.reshape(3, -1)[:, near] * LIFT
        found = solid.intersect(origins, flat_places[:, near] - origins)
        flat_seen[near[found < 1]] = 0.0
    return seen


def contact_shade(hits: Hits, solids: Sequence[Primitive]) -> Array:
    """How open each sample of the floor is to the sky, in 0..1, with the solids taken as spheres.

    A sphere of radius r at distance d hides r^2 / d^2 of the cosine-weighted sky, times the cosine of its height.
    """
    openness = np.ones(hits.depth.shape)
    floor = np.flatnonzero(hits.ids.reshape(-1) == FLOOR)
    x, y = hits.points[0].reshape(-1)[floor], hits.points[1].reshape(-1)[floor]
    shade = np.ones(floor.shape)
    for solid in solids:
        radius, height = min(solid.width, solid.height) / 2, solid.height / 2
        distance = (x - solid.x) ** 2 + (y - solid.y) ** 2 + height * height
        shade *= 1 - 0.9 * np.minimum(1.0, radius * radius * height / (distance * np.sqrt(distance)))
    openness.reshape(-1)[floor] = shade
    return openness


def smooth(values: Array, ids: NDArray[np.int16]) -> Array:
    """The mean over blocks of 4x4 samples, along rows and then columns, of samples that show the same thing."""
    for axis in (0, 1):
        total, count = values.copy(), np.ones(values.shape)
        for shift in (-2, -1, 1):
            into, out = _shifted(values.shape, axis, shift)
            same = ids[into] == ids[out]
            total[into] += np.where(same, values[out], 0.0)
            count[into] += same
        values = total / count
    return values


def _shifted(shape: tuple[int, ...], axis: int, shift: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where samples are and where those `shift` steps further along an axis are."""
    size = shape[axis]
    here = slice(max(0, -shift), size - max(0, shift))
    there = slice(max(0, shift), size - max(0, -shift))
    into, out = [slice(None)] * 2, [slice(None)] * 2
    into[axis], out[axis] = here, there
    return tuple(into), tuple(out)


def light(
    hits: Hits,
    lamp: Lamp,
    seen: Array,
    openness: Array,
    sky: Colour,
    around: tuple[float, float] = (0.36, 0.14),
) -> Array:
    """Linear light (3, height, width): the lamp where it is seen, and the light from all around. `around` is
    what of that falls on a thing's side, and how much more falls on its top."""
    x, y, z = (value - hits.points[axis] for axis, value in enumerate(lamp.position))
    distance = np.sqrt(x * x + y * y + z * z)
    nx, ny, nz = hits.normals
    falloff = np.minimum(1.0, (lamp.position[2] / distance) ** 2) * 0.5 + 0.5
    direct = np.maximum(0.0, (x * nx + y * ny + z * nz) / distance) * seen * falloff * lamp.strength
    ambient = (around[0] + around[1] * nz) * openness
    shade = 0.85 * direct + ambient
    lit = hits.colours * shade
    empty = hits.ids == SKY
    for channel in range(3):
        lit[channel][empty] = sky[channel]
    return lit


def fade(lit: Array, hits: Hits, near: float, far: float, sky: Colour) -> None:
    """Let the floor fade into the sky between two depths in metres."""
    floor = hits.ids == FLOOR
    share = np.clip((hits.depth[floor] - near) / (far - near), 0.0, 1.0)
    share = share * share * (3 - 2 * share)
    for channel in range(3):
        lit[channel, floor] = lit[channel, floor] * (1 - share) + sky[channel] * share


def develop(lit: Array) -> Image.Image:
    """A picture: each pixel is the mean of its samples, with the curve of sRGB, approximately a power of 1 / 2.2."""
    height, width = lit.shape[1] // SAMPLES, lit.shape[2] // SAMPLES
    mean = lit.reshape(3, height, SAMPLES, width, SAMPLES)
    pixels = (mean[:, :, 0, :, 0] + mean[:, :, 0, :, 1] + mean[:, :, 1, :, 0] + mean[:, :, 1, :, 1]) / 4
    shown = np.clip(pixels, 0.0, 1.0) ** (1 / 2.2) * 255 + 0.5
    return Image.fromarray(np.ascontiguousarray(shown.astype(np.uint8).transpose(1, 2, 0)))


def hang_lamp(rng: random.Random, middle: tuple[float, float], height: tuple[float, float], spread: float) -> Lamp:
    """A lamp at a height between two metres, up to `spread` metres beside a place on the floor."""
    x, y = (value + rng.uniform(-spread, spread) for value in middle)
    return Lamp((x, y, rng.uniform(*height)), rng.uniform(0.25, 0.6))
