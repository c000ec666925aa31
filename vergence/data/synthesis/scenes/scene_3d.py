"""Kind `scene-3d`: spheres, cubes, cylinders and cones on a floor, with metres, depths and boxes known exactly.

A scene in the manner of CLEVR (Johnson et al. 2017, arXiv 1612.06890, appendix A): random places that keep a gap, every
thing in the picture and seen with at least 100 pixels. What could be learnt by heart is a pair of colour and shape:
training and held-out scenes share none.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from vergence.data.generator import Draft, GeneratorConfig
from vergence.data.pictures import split_of
from vergence.data.synthesis.scenes import render
from vergence.data.synthesis.scenes.drafts import SceneConfig, draft_of, see_things
from vergence.data.synthesis.scenes.geometry import Camera, apart, focal_of, projected_box
from vergence.data.synthesis.scenes.primitives import Primitive, Shape
from vergence.data.synthesis.scenes.questions import FORMS
from vergence.data.synthesis.scenes.shine import Scenery, add_shine
from vergence.data.synthesis.scenes.surfaces import Colour, Surface, floor
from vergence.data.synthesis.scenes.views import View, choose_points
from vergence.data.synthesis.scenes.wordings import WORDS
from vergence.errors import DataError

VERSION = 2
PACKAGES: tuple[str, ...] = ("numpy",)

SHAPES: tuple[Shape, ...] = ("sphere", "cube", "cylinder", "cone")
COLOURS: Mapping[str, Colour] = {
    "red": (0.62, 0.04, 0.04), "green": (0.06, 0.40, 0.10), "blue": (0.04, 0.12, 0.62), "yellow": (0.86, 0.66, 0.04),
    "purple": (0.28, 0.05, 0.48), "cyan": (0.05, 0.55, 0.60), "orange": (0.85, 0.28, 0.02), "grey": (0.20, 0.20, 0.20),
    "brown": (0.20, 0.08, 0.03), "pink": (0.86, 0.35, 0.50),
}  # fmt: skip
WIDTHS: Mapping[str, float] = {"small": 0.3, "large": 0.6}
CHINESE: Mapping[str, str] = {
    "red": "红色", "green": "绿色", "blue": "蓝色", "yellow": "黄色", "purple": "紫色", "cyan": "青色",
    "orange": "橙色", "grey": "灰色", "brown": "棕色", "pink": "粉色", "small": "小", "large": "大",
    "metal": "金属", "matte": "哑光", "sphere": "球体", "cube": "立方体", "cylinder": "圆柱体", "cone": "圆锥体",
}  # fmt: skip
MIN_PIXELS = 100
_MIN_SHARE = 0.35
_SMALL = 6


class Config(SceneConfig):
    """Which scenes, and how they are asked about."""

    fewest: int = Field(3, ge=2, le=10, description="fewest things in a scene")
    most: int = Field(8, ge=2, le=10, description="most things in a scene")


@dataclass(frozen=True, slots=True)
class Solid:
    """A thing and what it is called by."""

    primitive: Primitive
    colour: str
    size: str
    material: Literal["metal", "matte"]

    def words(self, use: Sequence[str], language: str) -> str:
        """Its name from some of its attributes: "small red metal cube", 红色金属小立方体."""
        values = {"size": self.size, "colour": self.colour, "material": self.material, "shape": self.primitive.shape}
        if language == "zh":
            return "".join(CHINESE[values[key]] for key in ("colour", "material", "size", "shape") if key in use)
        return " ".join(values[key] for key in ("size", "colour", "material", "shape") if key in use)


def generate(rng: random.Random, config: Config) -> Draft:
    """A scene with questions. Raises `DataError` where no place for the things was found."""
    language = config.choose_language(rng)
    for _ in range(20):
        ground = floor(rng)
        camera = _camera(rng, config)
        solids = _solids(rng, config)
        placed = _place(rng, camera, solids)
        if placed is None:
            continue
        hits, picture = _draw(rng, camera, placed, ground)
        boxes = [solid.primitive.stand.box(camera) for solid in placed]
        things = see_things(hits, camera, boxes, _names(rng, placed, language))
        if things is None or min(thing.pixels for thing in things) < MIN_PIXELS:
            continue
        names = {number: thing.name for number, thing in enumerate(things, 1) if thing.name}
        where = {number: WORDS[language]["the"].format(name=name) for number, name in names.items()}
        where[render.FLOOR] = WORDS[language]["floor"]
        points = choose_points(np.minimum(hits.depth, 15.0), hits.ids, where, rng, 5, config.width / 10)
        view = View(
            camera, things, (), [point for point in points if point.depth < 12], _counts(rng, placed, language),
            language, _hint(ground, camera, language), heights_known=False, rng=rng,
        )  # fmt: skip
        return draft_of(view, picture, hits, config, list(FORMS), _truth(placed, ground, config))
    raise DataError("no room for the things of this scene")


def _camera(rng: random.Random, config: Config) -> Camera:
    """A camera 1.2 to 2.6 m above the floor that looks at a place some metres before it."""
    away, height = rng.uniform(2.8, 5.0), rng.uniform(1.2, 2.6)
    heading = rng.uniform(-math.pi, math.pi)
    focal = round(focal_of(config.width, rng.uniform(45, 62)), 1)
    tilt = math.atan2(height - 0.2, away)
    position = (round(away * math.sin(heading), 3), round(-away * math.cos(heading), 3), round(height, 2))
    return Camera(config.width, config.height, focal, position, heading, tilt)


def _solids(rng: random.Random, config: Config) -> list[Solid]:
    """Things without a place yet; pairs of colour and shape belong to the split."""
    pairs = [(colour, shape) for colour in COLOURS for shape in SHAPES if split_of(f"{colour} {shape}") == config.split]
    found = []
    for _ in range(rng.randint(config.fewest, max(config.fewest, config.most))):
        colour, shape = rng.choice(pairs)
        size = rng.choice(tuple(WIDTHS))
        width = round(WIDTHS[size] * rng.uniform(0.92, 1.08), 3)
        slender = {"sphere": 1.0, "cube": 1.0, "cylinder": rng.uniform(0.7, 1.5), "cone": rng.uniform(1.0, 1.6)}
        solid = Primitive(shape, 0.0, 0.0, width, round(width * slender[shape], 3), rng.uniform(-math.pi, math.pi))
        found.append(Solid(solid, colour, size, rng.choice(("metal", "matte"))))
    return found


def _place(rng: random.Random, camera: Camera, solids: Sequence[Solid]) -> list[Solid] | None:
    """The things at random places, all in the picture and none hidden too far; None where that didn't come about."""
    spread = 0.9 + 0.22 * len(solids)
    placed: list[Solid] = []
    for solid in solids:
        for _ in range(30):
            arm, angle = spread * math.sqrt(rng.random()), rng.uniform(-math.pi, math.pi)
            here = replace(solid.primitive, x=round(arm * math.cos(angle), 3), y=round(arm * math.sin(angle), 3))
            if apart([other.primitive.stand for other in placed], here.stand, 0.12) and _in_picture(here, camera):
                placed.append(replace(solid, primitive=here))
                break
        else:
            return None
    return placed if min(visible_shares([solid.primitive for solid in placed], camera)) >= _MIN_SHARE else None


def _in_picture(solid: Primitive, camera: Camera) -> bool:
    box = projected_box(solid.stand.box(camera), camera)
    if box is None:
        return False
    margin = 0.015 * camera.width
    return (
        box[0] >= margin and box[1] >= margin and box[2] <= camera.width - margin and box[3] <= camera.height - margin
    )


def visible_shares(solids: Sequence[Primitive], camera: Camera) -> list[float]:
    """Which share of each solid's outline is seen, from a picture of a sixth of the size."""
    small = replace(camera, width=camera.width // _SMALL, height=camera.height // _SMALL, focal=camera.focal / _SMALL)
    origin, directions = np.array(camera.position)[:, None], small.directions().reshape(3, -1)
    depths = np.stack([solid.intersect(origin, directions) for solid in solids])
    whose = depths.argmin(axis=0)
    whole = np.isfinite(depths)
    return [
        float((whole[number] & (whose == number)).sum()) / max(1.0, float(whole[number].sum()))
        for number in range(len(solids))
    ]


def _draw(rng: random.Random, camera: Camera, solids: Sequence[Solid], ground: Surface) -> tuple[render.Hits, Any]:
    """What the rays hit, and the picture."""
    primitives = [solid.primitive for solid in solids]
    materials = [
        render.Material(COLOURS[solid.colour], solid.material == "metal", 0.9 if solid.material == "metal" else 0.03)
        for solid in solids
    ]
    lamp = render.hang_lamp(rng, (0.0, 0.0), (3.5, 5.5), 2.5)
    sky = rng.choice(((0.80, 0.82, 0.85), (0.70, 0.76, 0.82), (0.78, 0.76, 0.74), (0.62, 0.64, 0.66)))
    hits = render.blank(camera)
    render.add_primitives(hits, camera, primitives, materials)
    render.add_planes(hits, camera, [render.Plane(2, 0.0, render.FLOOR, ground)])
    seen = render.primitive_shadows(hits, primitives, lamp, render.lamp_places(hits, lamp))
    seen = render.smooth(seen, hits.ids)
    lit = render.light(hits, lamp, seen, render.contact_shade(hits, primitives), sky)
    add_shine(lit, hits, lamp, seen, Scenery(primitives, materials, ground, sky))
    render.fade(lit, hits, 8.0, 20.0, sky)
    return hits, render.develop(lit)


def _names(rng: random.Random, solids: Sequence[Solid], language: str) -> list[str]:
    """For each thing the shortest name that no other one bears; now and then with an attribute more; else nothing."""
    choices = [("shape",), ("colour", "shape"), ("size", "shape"), ("material", "shape"), ("size", "colour", "shape"),
               ("colour", "material", "shape"), ("size", "material", "shape"),
               ("size", "colour", "material", "shape")]  # fmt: skip
    names = []
    for solid in solids:
        able = [
            use for use in choices if sum(other.words(use, "en") == solid.words(use, "en") for other in solids) == 1
        ]
        colourful = [use for use in able if "colour" in use]
        use = (colourful[0] if colourful and rng.random() < 0.7 else able[0]) if able else ()
        names.append(solid.words(use, language) if use else "")
    return names


def _counts(rng: random.Random, solids: Sequence[Solid], language: str) -> list[tuple[str, int]]:
    """Questions for numbers, most of them with one that isn't 0."""
    plurals = {"sphere": "spheres", "cube": "cubes", "cylinder": "cylinders", "cone": "cones"}
    shape, colour = rng.choice(SHAPES), rng.choice(solids).colour
    size, material = rng.choice(solids).size, rng.choice(solids).material
    shapes = sum(solid.primitive.shape == shape for solid in solids)
    colours = sum(solid.colour == colour for solid in solids)
    both = sum((solid.size, solid.material) == (size, material) for solid in solids)
    if language == "zh":
        return [
            ("图中一共有多少个物体？", len(solids)),
            (f"图中有多少个{CHINESE[shape]}？", shapes),
            (f"图中有多少个{CHINESE[colour]}的物体？", colours),
            (f"图中有多少个{CHINESE[material]}材质的{CHINESE[size]}物体？", both),
        ]
    return [
        ("How many objects stand on the floor?", len(solids)),
        (f"How many {plurals[shape]} are there?", shapes),
        (f"How many {colour} objects are there?", colours),
        (f"How many {size} {material} objects are there?", both),
    ]


def _hint(ground: Surface, camera: Camera, language: str) -> str:
    """What gives the metres: the edge of the floor's squares where it has some, and the height of the camera."""
    key = "tiles_hint" if ground.pattern in ("tiles", "checker") else "camera_hint"
    return WORDS[language][key].format(edge=ground.edge, height=camera.position[2])


def _truth(solids: Sequence[Solid], ground: Surface, config: GeneratorConfig) -> dict[str, Any]:
    """What isn't said by the things as such."""
    return {
        "floor": ground.pattern,
        "items": [f"{solid.colour} {solid.primitive.shape}" for solid in solids],
        "solids": [
            {"colour": solid.colour, "size": solid.size, "material": solid.material, **asdict(solid.primitive)}
            for solid in solids
        ],
        "split": config.split,
    }
