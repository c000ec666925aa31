"""Whole samples of both kinds: everything told of a scene is found again by trimesh from the truth alone, and every
question is answered once more by reading its words."""

from __future__ import annotations

import io
import json
import math
import os
import random
import re
import subprocess
import sys
from functools import cache
from hashlib import sha256
from types import SimpleNamespace

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.shards.samples import members_of
from vergence.data.sources import furniture
from vergence.data.synthesis.scenes import furniture_room
from vergence.processing.coordinates import parse_boxes, parse_points
from vergence.processing.media import decode_image
from vergence.verifiers.boxes_3d import box_of_numbers, iou_3d, parse_boxes_3d
from vergence.verifiers.ground_truth import answer_part, verify

trimesh = pytest.importorskip("trimesh")
KINDS = ("scene-3d", "furniture-room")
COUNT = {"scene-3d": 14, "furniture-room": 10}


@cache
def samples(kind):
    if reason := why_unavailable(kind):
        pytest.skip(reason)
    generator = load_generator(kind)
    config = generator.Config(width=224, height=168, turns=12, marks=0.5)
    return [make_sample(kind, generator, config, 77, index) for index in range(COUNT[kind])]


@pytest.fixture(params=KINDS)
def made(request):
    return samples(request.param)


def meshes(truth):
    """The things of a scene for trimesh, in the world's frame, from what the truth says."""
    if "solids" in truth:
        from test_scenes_render import as_mesh

        from vergence.data.synthesis.scenes.primitives import Primitive

        keys = ("shape", "x", "y", "width", "height", "yaw")
        return [as_mesh(Primitive(**{key: solid[key] for key in keys})) for solid in truth["solids"]]
    return [furniture_mesh(entry) for entry in truth["models"]]


def furniture_mesh(entry):
    model = next(model for model in furniture.models() if model.identifier == entry["item"])
    scene = trimesh.load(
        io.StringIO(furniture.model_bytes(model).decode("latin-1")), file_type="obj", process=False, force="mesh"
    )
    mesh = trimesh.Trimesh(np.asarray(scene.vertices), np.asarray(scene.faces), process=False)
    mesh.remove_unreferenced_vertices()
    turn = np.eye(4)
    turn[:3, :3] = np.array(model.turn).reshape(3, 3)
    mesh.apply_transform(turn)
    mesh.apply_transform([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    low, high = mesh.bounds
    mesh.apply_translation(-np.array([*(low + high)[:2] / 2, low[2]]))
    mesh.apply_transform(np.diag([*(np.array(entry["size"]) / (high - low)), 1]))
    mesh.apply_transform(trimesh.transformations.rotation_matrix(math.radians(entry["yaw_degrees"]), (0, 0, 1)))
    mesh.apply_translation(entry["foot"])
    return mesh


def seen_by_trimesh(truth):
    """Whose and how deep at each sample of a grid of 2x2 a pixel, from matrices of the truth alone."""
    camera = truth["camera"]
    matrix, pose = np.linalg.inv(camera["intrinsics"]), np.array(camera["extrinsics"])
    x, y = np.meshgrid((np.arange(448) + 0.5) / 2, (np.arange(336) + 0.5) / 2)
    rays = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1) @ matrix.T @ pose[:, :3]
    origin = -pose[:, :3].T @ pose[:, 3]
    parts = meshes(truth)
    together = trimesh.util.concatenate(parts)
    owner = np.concatenate([np.full(len(mesh.faces), number) for number, mesh in enumerate(parts, 1)])
    places, which, triangles = together.ray.intersects_location(
        np.broadcast_to(origin, rays.shape), rays, multiple_hits=False
    )
    ids, depth = np.zeros(x.size, int), np.full(x.size, np.inf)
    ids[which], depth[which] = owner[triangles], places @ pose[2, :3] + pose[2, 3]
    # The floor and, in a room, its walls: the nearest plane that the ray meets.
    room = truth.get("room")
    planes = [(2, 0.0)]
    if room:
        planes += [(0, 0.0), (0, room[0]), (1, 0.0), (1, room[1]), (2, room[2])]
    for axis, offset in planes:
        with np.errstate(divide="ignore", invalid="ignore"):
            far = (offset - origin[axis]) / rays[:, axis]
        nearer = (far > 0) & (far < depth)
        ids[nearer], depth[nearer] = 0, far[nearer]
    return ids.reshape(x.shape), depth.reshape(x.shape)


def test_boxes_depths_and_pixels_are_found_again_by_another_ray_caster(made):
    for sample in made[:7]:
        truth = sample.metadata["truth"]
        ids, depth = seen_by_trimesh(truth)
        for number, thing in enumerate(truth["things"], 1):
            mask = ids == number
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            around = (columns[0] / 2, rows[0] / 2, (columns[-1] + 1) / 2, (rows[-1] + 1) / 2)
            assert thing["box_2d"] == pytest.approx(around, abs=1.01)
            assert thing["pixels"] == pytest.approx(mask.sum() / 4, rel=0.03, abs=3)
            assert thing["nearest"] == pytest.approx(depth[mask].min(), rel=0.01)
            # Its box in space holds all of it that is seen, and is as wide as it where nothing hides it.
            camera = truth["camera"]
            inverse = np.linalg.inv(camera["intrinsics"])
            row, column = np.nonzero(mask)
            points = np.stack([(column + 0.5) / 2, (row + 0.5) / 2, np.ones(len(row))], axis=1) @ inverse.T
            box = box_of_numbers(thing["box_3d"])
            own = (points * depth[mask][:, None] - box.centre) @ box.rotation()
            assert (np.abs(own) <= np.array(box.size) / 2 + 0.01).all()
            assert thing["depth"] == pytest.approx(box.centre[2], abs=1e-4)
        for point in truth["points"]:
            x, y = point["point"]
            assert point["depth"] == pytest.approx(depth[int(y * 2), int(x * 2)], rel=0.005)
        seen = np.sort(depth[np.isfinite(depth)])
        assert truth["depth"]["quantiles"]["0.5"] == pytest.approx(seen[round(0.5 * (seen.size - 1))], rel=0.01)


def test_the_boxes_in_space_are_the_meshes_bounds(made):
    """Every vertex lies in the box, and each side of the box is touched."""
    for sample in made[:7]:
        truth = sample.metadata["truth"]
        pose = np.array(truth["camera"]["extrinsics"])
        for thing, mesh in zip(truth["things"], meshes(truth), strict=True):
            box = box_of_numbers(thing["box_3d"])
            own = (mesh.vertices @ pose[:, :3].T + pose[:, 3] - box.centre) @ box.rotation()
            assert own.max(axis=0) == pytest.approx(np.array(box.size) / 2, abs=0.012)
            assert own.min(axis=0) == pytest.approx(-np.array(box.size) / 2, abs=0.012)


def named(text, truth):
    """The things that a text names, in its order; a longer name goes before one that it ends with."""
    names = {thing["name"]: thing for thing in truth["things"] if thing["name"]}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return [names[found] for found in re.findall(pattern, text)]


def options(question):
    return dict(re.findall(r"^([A-Z])\. (.+)$", question, re.MULTILINE))


def expected(form, question, truth):
    """The answer to a question, from its words and the truth; a text, or a number."""
    asked = question.split("\n")
    things = named(question, truth)
    marks = {point["letter"]: point for point in truth["points"]}
    if form == "nearer":
        return min(things, key=lambda thing: thing["distance"])["name"]
    if form == "nearest":
        things = {letter: named(text, truth)[0] for letter, text in options(question).items()}
        far = re.search("farthest|distant|最远", asked[0])
        return (max if far else min)(things, key=lambda letter: things[letter]["distance"])
    if form == "order":
        return [thing["name"] for thing in sorted(named(asked[0], truth), key=lambda thing: thing["nearest"])]
    if form == "taller":
        return max(things, key=lambda thing: thing["box_3d"][4])["name"]
    if form == "height":
        return things[0]["box_3d"][4] * 100
    if form == "thing_depth":
        return things[0]["box_3d"][2]
    if form == "distance":
        return math.dist(things[0]["box_3d"][:3], things[1]["box_3d"][:3])
    if form == "side":
        a, b = things if not asked[0].startswith("On which") else things[::-1]
        left = sum(a["box_2d"][::2]) < sum(b["box_2d"][::2])
        return ("左边" if left else "右边") if re.search("左边还是", question) else ("left" if left else "right")
    if form == "front":
        near = things[0]["nearest"] < things[1]["nearest"]
        return ("前面" if near else "后面") if "前面" in question else ("in front" if near else "behind")
    if form == "relation":
        a, b = named(asked[0], truth)
        near = ("in front", "前") if a["nearest"] < b["nearest"] else ("behind", "后")
        left = ("left", "左") if sum(a["box_2d"][::2]) < sum(b["box_2d"][::2]) else ("right", "右")
        return next(
            letter
            for letter, text in options(question).items()
            if any(depth in text and side in text for depth, side in zip(near, left, strict=True))
        )
    if form == "marked":
        order = [point["letter"] for point in sorted(marks.values(), key=lambda point: point["depth"])]
        if re.search("Sort|Order|排序|排列", question):
            return order
        if re.search("nearest|smallest|最近|最小", question):
            return order[0]
        return marks[re.search(r"(?:point |点)([A-E])", question)[1]]["depth"]
    if form == "point_depth":
        camera = truth["camera"]
        [place] = parse_points(question, camera["width"], camera["height"])
        return min(truth["points"], key=lambda point: math.dist(point["point"], place))["depth"]
    return None


def test_every_answer_is_what_the_words_of_its_question_ask_for(made):
    forms = set()
    for sample in made:
        metadata = sample.metadata
        truth, texts = metadata["truth"], [message.text for message in sample.messages]
        for form, question, answer, check in zip(
            truth["forms"], texts[::2], texts[1::2], metadata["checks"], strict=True
        ):
            forms.add(form)
            assert verify(check, answer) == 1
            last, wanted = answer_part(answer), expected(form, question, truth)
            if form == "box":
                [box] = parse_boxes(last, 224, 168)
                assert box == pytest.approx(named(question, truth)[0]["box_2d"], abs=0.3)
            elif form == "box_3d":
                [box] = parse_boxes_3d(last)
                target = box_of_numbers(named(question.split("\n")[-1], truth)[0]["box_3d"])
                assert iou_3d(box, target) > 0.85
            elif form == "count":
                assert int(last) == counted(question, truth)
            elif isinstance(wanted, float):
                assert float(last) == pytest.approx(wanted, rel=0.02, abs=0.51 if form == "height" else 0.011)
            elif isinstance(wanted, list):
                assert re.split("[,，] *", last) == wanted
            else:
                assert last == wanted, (question, answer)
    assert len(forms) >= 14, forms


def counted(question, truth):
    """How many things a question counts."""
    if "models" in truth:
        nouns = [furniture.NOUNS[entry["catalogue_name"]] for entry in truth["models"]]
        english = re.search(r"How many (.+) are in the room", question)
        if english:
            single = {"chests of drawers": "chest of drawers"}.get(english[1], re.sub("(?<=ch)es$|s$", "", english[1]))
            return sum(noun.english == single for noun in nouns)
        return sum(noun.chinese == re.search("多少[个张把条只台盆盏辆根块扇](.+)？", question)[1] for noun in nouns)
    from vergence.data.synthesis.scenes.scene_3d import CHINESE

    def says(word):
        if re.search(r"\b" + word + r"s?\b", question):
            return True
        return CHINESE[word] in question and not (word in ("small", "large") and f"{CHINESE[word]}物体" not in question)

    return sum(
        all(says(solid[key]) or not any(says(word) for word in words) for key, words in WORDS.items())
        for solid in truth["solids"]
    )


WORDS = {
    "shape": ("sphere", "cube", "cylinder", "cone"),
    "colour": ("red", "green", "blue", "yellow", "purple", "cyan", "orange", "grey", "brown", "pink"),
    "size": ("small", "large"),
    "material": ("metal", "matte"),
}


def test_what_is_compared_isnt_close(made):
    for sample in made:
        truth = sample.metadata["truth"]
        for form, message in zip(truth["forms"], sample.messages[::2], strict=True):
            if form in ("nearer", "front"):
                first, second = sorted(named(message.text, truth), key=lambda thing: thing["depth"])
                assert second["depth"] >= 1.099 * first["depth"]
                assert second["nearest"] > first["nearest"]


def test_things_are_whole_in_the_picture_and_well_seen(made):
    for sample in made:
        truth = sample.metadata["truth"]
        [picture] = sample.images
        assert decode_image(picture).size == (224, 168)
        assert len(picture) < 40_000
        for thing in truth["things"]:
            left, top, right, bottom = thing["box_2d"]
            assert left > 0
            assert top > 0
            assert right < 224
            assert bottom < 168
            assert thing["pixels"] >= 100


def test_marks_are_drawn_where_they_are_said_to_be():
    found = 0
    for sample in samples("scene-3d"):
        picture = np.asarray(decode_image(sample.images[0])).astype(int)
        for point in sample.metadata["truth"]["points"]:
            if point["letter"]:
                found += 1
                x, y = point["point"]
                red, green, blue = picture[int(y), int(x)]
                assert red > 150
                assert green < 110
                assert blue < 110
    assert found > 10


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_equal_in_another_process_with_other_threads(kind):
    sample = samples(kind)[3]
    code = f"""
import sys
from hashlib import sha256
from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator
from vergence.data.shards.samples import members_of
generator = load_generator({kind!r})
config = generator.Config(width=224, height=168, turns=12, marks=0.5)
sample = make_sample({kind!r}, generator, config, 77, 3)
print(sha256(b"".join(members_of(sample, "0", where="here", max_bytes=2**28).values())).hexdigest())
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "PYTHONHASHSEED": "5"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    here = members_of(sample, "0", where="here", max_bytes=2**28)
    assert done.stdout.strip() == sha256(b"".join(here.values())).hexdigest()
    assert json.loads(json.dumps(sample.metadata)) == sample.metadata


def test_the_camera_is_described_once_and_no_answer_tells_another(made):
    for sample in made:
        questions = [message.text for message in sample.messages if message.role == "user"]
        lead = re.compile(r"^The camera has a focal length|^图像宽")
        assert sum(bool(lead.search(question)) for question in questions) <= 1
        metric = [bool(re.search("in metres|metres in front|多少米", question)) for question in questions]
        if any(metric):
            before = questions[: metric.index(True) + 1]
            assert any(lead.search(question) or "f_x" in question for question in before), "said before it is needed"
        forms = set(sample.metadata["truth"]["forms"])
        assert len(forms & {"nearer", "nearest", "order", "front", "relation"}) <= 1
        assert len(forms & {"thing_depth", "box_3d"}) <= 1
        assert len(forms & {"marked", "point_depth"}) <= 1


def room_of(*nouns):
    """Pieces with nothing but their nouns."""
    known = {noun.english: noun for noun in furniture.NOUNS.values()}
    return [SimpleNamespace(model=SimpleNamespace(noun=known[noun])) for noun in nouns]


@pytest.mark.parametrize(
    ("broad", "special"),
    [("table", "desk"), ("table", "coffee table"), ("chair", "armchair"), ("stool", "bar stool"), ("bed", "bunk bed")],
)
def test_a_noun_that_is_right_for_another_thing_too_is_neither_counted_nor_a_name(broad, special):
    """A desk is a table, an armchair is a chair."""
    pieces = room_of(broad, special, "dog")
    assert furniture_room._names(pieces, "en") == ["", special, "dog"]
    assert furniture_room._names(pieces, "zh")[0] == ""
    asked = [q for seed in range(20) for q, _ in furniture_room._counts(random.Random(seed), pieces, "en")]
    assert not any(f"How many {noun}s are" in question for noun in (broad, special) for question in asked)
    assert furniture_room._names(room_of(broad, "dog"), "en") == [broad, "dog"]


def test_numbers_asked_for_are_not_always_one():
    found = [
        number
        for seed in range(20)
        for _, number in furniture_room._counts(random.Random(seed), room_of("dog", "table", "fridge"), "zh")
    ]
    assert set(found) == {0, 1}
    [(question, number)] = furniture_room._counts(random.Random(1), room_of("chair", "chair", "dog"), "zh")
    assert (question, number) == ("图中有多少把椅子？", 2)
