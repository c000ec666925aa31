"""Highlights on solids and what metals mirror: one more ray from each sample of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vergence.data.synthesis.scenes.geometry import Array
from vergence.data.synthesis.scenes.primitives import Primitive
from vergence.data.synthesis.scenes.render import LIFT, Hits, Lamp, Material
from vergence.data.synthesis.scenes.surfaces import Colour, Surface


@dataclass(frozen=True)
class Scenery:
    """What a metal mirrors: solids with their materials, the floor and the sky."""

    solids: Sequence[Primitive]
    materials: Sequence[Material]
    ground: Surface
    sky: Colour


def add_shine(lit: Array, hits: Hits, lamp: Lamp, seen: Array, scenery: Scenery) -> None:
    """Highlights of the lamp on the solids, and in metals the image of what stands around, without its shadows."""
    for number, material in enumerate(scenery.materials, 1):
        where = np.flatnonzero(hits.ids.reshape(-1) == number)
        ray, normal, points = (array.reshape(3, -1)[:, where] for array in (hits.directions, hits.normals, hits.points))
        ray = ray / np.sqrt(ray[0] ** 2 + ray[1] ** 2 + ray[2] ** 2)
        facing = ray[0] * normal[0] + ray[1] * normal[1] + ray[2] * normal[2]
        mirrored = ray - 2 * facing * normal
        to_lamp = np.array(lamp.position)[:, None] - points
        to_lamp = to_lamp / np.sqrt(to_lamp[0] ** 2 + to_lamp[1] ** 2 + to_lamp[2] ** 2)
        cosine = np.maximum(0.0, mirrored[0] * to_lamp[0] + mirrored[1] * to_lamp[1] + mirrored[2] * to_lamp[2])
        sharp = cosine * cosine
        for _ in range(5 if material.metal else 3):  # cosine to the power of 64 or 16
            sharp = sharp * sharp
        highlight = material.shine * sharp * seen.reshape(-1)[where]
        edge = (1 - np.minimum(1.0, -facing)) ** 3
        image = _mirrored(points + normal * LIFT, mirrored, number, scenery) if material.metal else None
        for channel in range(3):
            light_here = lit[channel].reshape(-1)
            if image is not None:
                tint = material.colour[channel] * (1 - edge) + edge
                light_here[where] = light_here[where] * 0.45 + image[channel] * (0.06 + 0.94 * tint) * 0.75 + highlight
            else:
                light_here[where] += highlight + 0.06 * edge * scenery.sky[channel]


def _mirrored(points: Array, directions: Array, number: int, scenery: Scenery) -> Array:
    """The colours (3, N) that rays meet: another solid, or else the floor, which fades into the sky."""
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(directions[2] < 0, -points[2] / directions[2], np.inf)
    share = 1 / (1 + (np.minimum(far, 1e3) / 6.0) ** 2)
    reach = np.minimum(far, 30.0)
    floor = scenery.ground.colours(points[0] + directions[0] * reach, points[1] + directions[1] * reach)
    up = np.clip(directions[2], 0.0, 1.0)
    sky = np.stack([value * (0.75 + 0.35 * up) for value in scenery.sky])
    colours = floor * 0.8 * share + sky * (1 - share)
    for other, (solid, material) in enumerate(zip(scenery.solids, scenery.materials, strict=True), 1):
        if other == number:
            continue
        depth = solid.intersect(points, directions)
        near = np.flatnonzero(depth < far)
        far[near] = depth[near]
        shade = 0.55 + 0.3 * solid.normals(points[:, near] + directions[:, near] * depth[near])[2]
        colours[:, near] = np.array(material.colour)[:, None] * shade
    return colours
