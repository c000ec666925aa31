"""Furniture: the reader against trimesh's own, rays against triangles one by one, sizes, licences."""

from __future__ import annotations

import io
import random
import zipfile

import numpy as np
import pytest

from vergence.data.kinds import why_unavailable
from vergence.data.sources import furniture, wavefront
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.scenes import furnishing, furniture_room, mesh_rays, render
from vergence.data.synthesis.scenes.geometry import Camera, Stand, feet_apart, focal_of
from vergence.errors import DataError

trimesh = pytest.importorskip("trimesh")


@pytest.fixture(scope="module")
def models():
    if reason := why_unavailable("furniture-room"):
        pytest.skip(reason)
    return furniture.models()


def loadable(models, count, seed):
    found = []
    for model in random.Random(seed).sample(models, len(models)):
        try:
            furniture.load_mesh(model)
        except DataError:
            continue
        found.append(model)
        if len(found) == count:
            break
    return found


def by_trimesh(model):
    """The vertices and triangles of a model as trimesh reads them."""
    text = furniture.model_bytes(model).decode("latin-1")
    scene = trimesh.load(io.StringIO(text), file_type="obj", process=False, force="mesh")
    return np.asarray(scene.vertices) @ np.array(model.turn).reshape(3, 3).T, np.asarray(scene.faces)


def test_a_mesh_is_what_trimesh_reads_at_the_size_of_the_catalogue(models):
    for model in loadable(models, 12, 0):
        mesh = furniture.load_mesh(model)
        used = mesh.vertices[np.unique(mesh.faces)]
        assert np.ptp(used, axis=0) == pytest.approx(model.size, rel=0.02)
        assert used[:, 2].min() == pytest.approx(0, abs=0.02)
        vertices, faces = by_trimesh(model)
        bounds = np.ptp(vertices[np.unique(faces)], axis=0)[[0, 2, 1]]
        scale = np.array(model.size) / bounds
        # One scale for all sides: the OBJ file's own bounds, scaled, are the catalogue's size.
        assert scale.max() < 1.081 * scale.min()
        corners = vertices[faces][:, :, [0, 2, 1]] * scale
        theirs = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
        ours = mesh.vertices[mesh.faces]
        area = np.linalg.norm(np.cross(ours[:, 1] - ours[:, 0], ours[:, 2] - ours[:, 0]), axis=1).sum()
        assert area == pytest.approx(theirs, rel=1e-3)


def test_sizes_and_licences_are_the_catalogues(models):
    """Read once more from the archive, line by line."""
    folder = package_folder(furniture.PACKAGE) / "usr/share/sweethome3d/furniture"
    for archive, licence in furniture.ARCHIVES.items():
        lines = zipfile.ZipFile(folder / f"{archive}.sh3f").read("PluginFurnitureCatalog.properties")
        text = lines.decode("latin-1")
        values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
        said = values["license"]
        assert ("Public domain" in said) == licence.startswith("CC0")
        assert ("Attribution 3.0" in said) == licence.startswith("CC-BY-3.0")
        numbers = {value: key.partition("#")[2] for key, value in values.items() if key.startswith("id#")}
        for model in (model for model in models if model.archive == archive):
            number = numbers[model.identifier]
            size = [float(values[f"{side}#{number}"]) for side in ("width", "depth", "height")]
            assert model.size == pytest.approx([side / 100 for side in size])
            assert model.creator == values[f"creator#{number}"].encode("latin-1").decode("unicode_escape").strip()
            assert model.licence == licence


def brute_force(triangles, origin, ray):
    """The smallest multiple of a ray at which it meets a triangle (Moller and Trumbore 1997)."""
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    across = np.cross(ray, second)
    determinant = (first * across).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        arm = origin - triangles[:, 0]
        u = (arm * across).sum(axis=1) / determinant
        other = np.cross(arm, first)
        v = other @ ray / determinant
        t = (second * other).sum(axis=1) / determinant
    hit = (np.abs(determinant) > 1e-14) & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    return t[hit].min() if hit.any() else np.inf


def test_rays_meet_the_nearest_triangle(models):
    chosen = loadable(models, 3, 4)
    placed = [
        mesh_rays.Placed(furniture.load_mesh(model), Stand((x, 2.0 + x / 3, 0.0), model.size, 0.7 * x))
        for x, model in zip((-1.0, 0.3, 1.5), chosen, strict=True)
    ]
    camera = Camera(48, 36, focal_of(48, 70), (0.0, -1.0, 1.5), 0.0, 0.2)
    hits = render.blank(camera)
    mesh_rays.add_meshes(hits, camera, mesh_rays.Triangles(placed))
    corners = [thing.vertices()[thing.mesh.faces] for thing in placed]
    order = np.random.default_rng(0).permutation(hits.depth.size)
    filled = [place for place in order if hits.ids.reshape(-1)[place]][:40]
    for place in [*filled, *order[:20]]:
        row, column = divmod(int(place), hits.depth.shape[1])
        ray = hits.directions[:, row, column]
        depths = [brute_force(triangles, np.array(camera.position), ray) for triangles in corners]
        assert hits.depth[row, column] == pytest.approx(min(depths), rel=1e-4)
        if np.isfinite(min(depths)):
            assert hits.normals[:, row, column] @ ray <= 1e-6
    assert len(filled) == 40


def test_small_things_stand_on_what_is_level_and_no_two_feet_share_a_place(models):
    found = 0
    config = furniture_room.Config()
    for seed in range(7):
        rng = random.Random(seed)
        room = furnishing.Room(4.5, 5.5, 2.6)
        camera = furniture_room._camera(rng, room, config)
        pieces = furnishing.furnish(rng, room, camera, "train", (4, 9))
        low = [piece for piece in pieces if piece.stand.foot[2] == 0]
        for piece in pieces:
            if piece.stand.foot[2] > 0:
                found += 1
                under = [other for other in low if not feet_apart(piece.stand, other.stand, 0)]
                assert len(under) == 1
                top = mesh_rays.Placed(furniture.load_mesh(under[0].model), under[0].stand).vertices()[:, 2]
                assert np.abs(top - piece.stand.foot[2]).min() < 0.005
                assert piece.model.noun.on_table
        assert all(feet_apart(a.stand, b.stand, 0.05) for a in low for b in low if a is not b)
        for piece in low:
            x, y, _ = piece.stand.foot
            assert 0 < x < room.width
            assert 0 < y < room.length
    assert found >= 2


OBJ = """mtllib a.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vn 0 0 1
usemtl red
f 1 2 3 4
usemtl blue
f 1/1 2/1 3/1
f 1//1 2//1 3//1
f 1/1/1 2/1/1 3/1/1
"""


def test_an_obj_file_is_read_whichever_way_corners_are_written():
    found = wavefront.read_obj(OBJ)
    assert found.materials == ("red", "blue")
    assert found.libraries == ("a.mtl",)
    assert found.corners[:, :, 0].tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    assert found.corners[:, 0, 1].tolist() == [-1, -1, 0, -1, 0]
    assert found.corners[:, 0, 2].tolist() == [-1, -1, -1, 0, 0]
    assert found.paint.tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("v 0 0 0\n", "no triangle"),
        (OBJ + "f 1 2 9\n", "corners that it doesn't have"),
        (OBJ + "f -1 -2 -3\n", "from the end"),
        (OBJ + "v 1 2\n", "unlike lengths"),
        (OBJ + "v 1 2 x\n", "words"),
        (OBJ + "f 1 2 x\n", "one, two or three numbers"),
    ],
)
def test_a_bad_obj_file_is_refused_in_a_line(text, problem):
    with pytest.raises(DataError, match=problem):
        wavefront.read_obj(text)


def test_properties_of_java():
    text = "# name#1=no\nname#1=Stuhl\\u00e9 \nwidth#1 = 3\nname#2=\\u6905\\u5b50\n"
    assert furniture.read_properties(text) == {1: {"name": "Stuhlé", "width": "3"}, 2: {"name": "椅子"}}


def test_names_that_fit_two_things_dont_stand_together(models):
    nouns = {model.noun.english: model for model in models}
    assert furnishing._confusing(nouns["chair"], nouns["folding chair"])
    assert not furnishing._confusing(nouns["chair"], nouns["chair"])
    assert not furnishing._confusing(nouns["desk"], nouns["desk lamp"])
