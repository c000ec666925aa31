"""What rays hit, against closed forms and against trimesh's rays on finely cut solids; light against direct sums."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from vergence.data.synthesis.scenes import render
from vergence.data.synthesis.scenes.geometry import Camera, focal_of
from vergence.data.synthesis.scenes.primitives import Primitive
from vergence.data.synthesis.scenes.surfaces import Surface, floor

trimesh = pytest.importorskip("trimesh")
PAINT = Surface("paint", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 1.0, np.zeros((64, 64)))


def a_camera(width=96, height=72, tilt=0.4):
    return Camera(width, height, focal_of(width, 55), (0.3, -4.0, 1.9), 0.07, tilt)


def some_solids(seed, count=5):
    rng = random.Random(seed)
    shapes = ("sphere", "cube", "cylinder", "cone")
    solids = []
    for number in range(count):
        width = rng.uniform(0.3, 0.8)
        height = width * (1 if shapes[number % 4] in ("sphere", "cube") else rng.uniform(0.7, 1.6))
        solids.append(
            Primitive(
                shapes[number % 4], rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 2), width, height, rng.uniform(-3, 3)
            )
        )
    return solids


def as_mesh(solid):
    """A solid as trimesh makes it, cut into many triangles."""
    create = trimesh.creation
    if solid.shape == "sphere":
        mesh = create.icosphere(5, solid.width / 2)
        mesh.apply_translation((0, 0, solid.width / 2))
    elif solid.shape == "cube":
        mesh = create.box((solid.width, solid.width, solid.height))
        mesh.apply_translation((0, 0, solid.height / 2))
        mesh.apply_transform(trimesh.transformations.rotation_matrix(solid.yaw, (0, 0, 1)))
    elif solid.shape == "cylinder":
        mesh = create.cylinder(solid.width / 2, solid.height, sections=512)
        mesh.apply_translation((0, 0, solid.height / 2))
    else:
        mesh = create.cone(solid.width / 2, solid.height, sections=512)
    mesh.apply_translation((solid.x, solid.y, 0))
    return mesh


def by_trimesh(meshes, camera, samples=2):
    """Whose and how deep: the first triangle that each sample's ray meets; 0 and infinite for none."""
    rays = camera.directions(samples)
    flat = rays.reshape(3, -1).T
    origins = np.broadcast_to(camera.position, flat.shape)
    owner = np.concatenate([np.full(len(mesh.faces), number) for number, mesh in enumerate(meshes, 1)])
    together = trimesh.util.concatenate(meshes)
    places, which, triangles = together.ray.intersects_location(origins, flat, multiple_hits=False)
    ids, depth = np.zeros(len(flat), int), np.full(len(flat), np.inf)
    ids[which] = owner[triangles]
    depth[which] = (places - camera.position) @ camera.rotation[2]
    return ids.reshape(rays.shape[1:]), depth.reshape(rays.shape[1:])


def drawn(solids, camera):
    hits = render.blank(camera)
    render.add_primitives(hits, camera, solids, [render.Material((0.5, 0.5, 0.5))] * len(solids))
    return hits


@pytest.mark.parametrize("seed", range(6))
def test_ids_and_depths_are_those_of_trimesh(seed):
    solids, camera = some_solids(seed), a_camera()
    hits = drawn(solids, camera)
    ids, depth = by_trimesh([as_mesh(solid) for solid in solids], camera)
    assert (ids != hits.ids).mean() < 2e-3, "but for outlines, where the cut solids are a little smaller"
    both = (ids == hits.ids) & (ids > 0)
    assert both.sum() > 1000
    gap = np.abs(depth[both] - hits.depth[both])
    # At grazing rays a facet lies further behind the curved side.
    assert np.quantile(gap, 0.99) < 1e-3
    assert np.isinf(hits.depth[hits.ids == 0]).all()


@pytest.mark.parametrize("seed", range(3))
def test_normals_are_those_of_the_triangles(seed):
    solids, camera = some_solids(seed, 8), a_camera()
    hits = drawn(solids, camera)
    for number, solid in enumerate(solids, 1):
        mine = hits.ids == number
        points = hits.points[:, mine].T
        if not len(points):
            continue
        normals = hits.normals[:, mine].T
        assert np.linalg.norm(normals, axis=1) == pytest.approx(1)
        _, _, triangles = trimesh.proximity.closest_point_naive(as_mesh(solid), points[:40])
        agreement = (as_mesh(solid).face_normals[triangles] * normals[:40]).sum(axis=1)
        assert np.median(agreement) > 0.999
        assert (agreement > 0.99).mean() > 0.9


def test_a_sphere_and_the_floor_in_closed_form():
    camera = Camera(40, 30, 40.0, (0.0, -5.0, 1.0), 0.0, 0.0)
    ball = Primitive("sphere", 0.0, 0.0, 2.0, 2.0)
    hits = drawn([ball], camera)
    rays = hits.directions
    # |(0, -5, 0) + t (u, 1, w)| = 1
    u, w = rays[0], rays[2]
    a = u * u + 1 + w * w
    root = 25 - a * 24
    expected = np.where(root >= 0, (5 - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    assert np.allclose(hits.depth, expected)
    render.add_planes(hits, camera, [render.Plane(2, 0.0, render.FLOOR, PAINT)])
    below = hits.ids == render.FLOOR
    rows = (np.arange(60) + 0.5) / 2 - 15
    assert below[(rows > 0) & (rows > 29), :].all()
    assert np.allclose(
        hits.depth[below], np.broadcast_to((40 / np.where(rows > 0, rows, 1))[:, None], below.shape)[below]
    )


def test_of_several_planes_the_nearest_is_seen():
    camera = a_camera()
    planes = [render.Plane(0, -2.0, -3, PAINT), render.Plane(1, 3.0, -2, PAINT), render.Plane(2, 0.0, -1, PAINT)]
    hits = render.blank(camera)
    render.add_planes(hits, camera, planes)
    for row, column in ((0, 0), (143, 191), (70, 5), (20, 120)):
        ray, best = hits.directions[:, row, column], (math.inf, 0)
        for plane in planes:
            depth = (plane.offset - camera.position[plane.axis]) / ray[plane.axis]
            if depth > 0:
                best = min(best, (depth, plane.number))
        assert (hits.depth[row, column], hits.ids[row, column]) == pytest.approx(best)
        assert hits.normals[:, row, column] @ ray < 0


@pytest.mark.parametrize("seed", range(3))
def test_shadows_are_those_of_rays_to_the_lamp(seed):
    """Without the shortcut: every sample against every other solid, by trimesh."""
    solids, camera = some_solids(seed, 8), a_camera(48, 36)
    hits = drawn(solids, camera)
    render.add_planes(hits, camera, [render.Plane(2, 0.0, render.FLOOR, PAINT)])
    lamp = render.Lamp((1.5, -1.0, 4.0), 0.5)
    places = render.lamp_places(hits, lamp)
    seen = render.primitive_shadows(hits, solids, lamp, places)
    wrong = shaded = on_solids = 0
    for whose in (render.FLOOR, *range(1, len(solids) + 1)):
        mine = np.flatnonzero(hits.ids.reshape(-1) == whose)
        origins = (hits.points + hits.normals * 1e-4).reshape(3, -1)[:, mine].T
        others = [as_mesh(solid) for number, solid in enumerate(solids, 1) if number != whose]
        away = places.reshape(3, -1)[:, mine].T - origins
        blocked = trimesh.util.concatenate(others).ray.intersects_any(origins, away)
        wrong += ((seen.reshape(-1)[mine] == 0) != blocked).sum()
        shaded += blocked.sum()
        on_solids += blocked.sum() if whose > 0 else 0
    assert shaded > 40
    assert wrong < 0.06 * shaded
    assert seed or on_solids > 20


def test_a_block_of_samples_asks_about_every_place_of_the_lamp():
    order = render.turns(render.blank(a_camera()))
    for row, column in ((0, 0), (1, 2), (5, 7)):
        assert sorted(order[row : row + 4, column : column + 4].ravel()) == list(range(16))
    places = render.Lamp((1.0, 2.0, 3.0), 0.5).places()
    assert np.hypot(places[0] - 1, places[1] - 2).max() <= 0.5
    assert (places[2] == 3).all()


def test_smoothing_keeps_to_one_thing():
    values = np.zeros((12, 12))
    ids = np.zeros((12, 12), np.int16)
    ids[:, 6:] = 1
    values[:, 6:] = 1.0
    assert (render.smooth(values, ids) == values).all()
    ids[:] = 0
    row = render.smooth(values, ids)[5]
    assert row == pytest.approx([0, 0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1])


def test_a_pixel_is_the_mean_of_its_four_samples():
    lit = np.zeros((3, 4, 4))
    lit[:, :2, :2] = [[0.2, 0.6], [0.4, 0.8]]
    lit[:, 2:, 2:] = 5.0
    picture = np.asarray(render.develop(lit))
    assert picture.shape == (2, 2, 3)
    assert picture[0, 0].tolist() == [round(0.5 ** (1 / 2.2) * 255)] * 3
    assert picture[1, 1].tolist() == [255] * 3
    assert picture[0, 1].tolist() == [0] * 3


def test_squares_of_a_floor_have_their_edge():
    for seed in range(20):
        surface = floor(random.Random(seed), ("checker",))
        x = np.linspace(0.001, 5, 4000)
        shown = surface.colours(x, np.full_like(x, 0.1))[0]
        changes = x[1:][np.abs(np.diff(shown)) > 0.5 * np.ptp(shown)]
        assert np.diff(changes) == pytest.approx(surface.edge, abs=0.003)
