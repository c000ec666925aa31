"""Kind `furniture-room`: rooms of real furniture models, whose sizes in metres are those of real things.

What belongs at a wall stands there with its back to it, small things stand on tables. The camera is at the height of
the eyes of someone who sits or stands. Training and held-out rooms share no model.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image
from pydantic import Field

from vergence.data.generator import Draft, SourceItem, source_item
from vergence.data.sources.furniture import NOUNS, PACKAGE, model_bytes
from vergence.data.synthesis.scenes import render
from vergence.data.synthesis.scenes.drafts import SceneConfig, draft_of, see_things
from vergence.data.synthesis.scenes.furnishing import MIN_PIXELS, Piece, Room, furnish, placed
from vergence.data.synthesis.scenes.geometry import Camera, focal_of
from vergence.data.synthesis.scenes.mesh_rays import Triangles, add_meshes, mesh_openness, mesh_shadows
from vergence.data.synthesis.scenes.questions import FORMS
from vergence.data.synthesis.scenes.surfaces import floor, wall
from vergence.data.synthesis.scenes.views import View, choose_points
from vergence.data.synthesis.scenes.wordings import WORDS
from vergence.errors import DataError

VERSION = 2
PACKAGES: tuple[str, ...] = ("numpy", "embreex")

_WALLS = ((1, 1, render.WALL), (0, 0, render.WALL - 1), (0, 1, render.WALL - 2), (1, 0, render.WALL - 3))
_CEILING = render.WALL - 4
_WHITE = (0.85, 0.85, 0.84)

KIN: tuple[frozenset[str], ...] = tuple(
    frozenset(nouns.split(";"))
    for nouns in (
        "table;round table;coffee table;bar table;desk;dressing table;bedside table;TV stand",
        "chair;armchair;folding chair;high chair;stool;bar stool",
        "stool;bar stool;piano bench;bench;step ladder",
        "sofa;corner sofa;armchair",
        "bed;bunk bed;crib",
        "bookcase;shelf unit",
        "wardrobe;chest of drawers;filing cabinet;safe",
        "crate;cardboard box",
        "plant;bonsai;cactus;orchid;vase",
    )
)
"""Nouns of which one can be right for another's things: a desk is a table, too. Where a room has things of two of them,
neither is counted, and a thing is not called by a noun of `BROAD`."""

BROAD = frozenset({"table", "chair", "stool", "sofa", "bed", "plant", "bench", "bookcase", "shelf unit"})
"""Nouns that are right for kinds of things that have a noun of their own."""

_MEASURES = {
    "桌子": "张", "圆桌": "张", "茶几": "张", "书桌": "张", "吧台桌": "张", "床": "张", "双层床": "张", "婴儿床": "张",
    "沙发": "张", "转角沙发": "张", "椅子": "把", "扶手椅": "把", "折叠椅": "把", "儿童餐椅": "把", "凳子": "张",
    "吧台凳": "张", "长凳": "条", "琴凳": "张", "狗": "只", "猫": "只", "冰箱": "台", "洗衣机": "台", "跑步机": "台",
    "盆栽植物": "盆", "台灯": "盏", "电吉他": "把", "健身自行车": "辆", "饮水机": "台", "笔记本电脑": "台",
    "台扇": "台", "收音机": "台", "烤面包机": "台", "微波炉": "台", "茶壶": "把", "蜡烛": "根", "白板": "块",
    "屏风": "扇", "盆景": "盆", "兰花": "盆", "仙人掌": "盆", "泰迪熊": "只",
}  # fmt: skip
"""Chinese noun -> its measure word, where it isn't 个."""

_PLURALS = {
    "bench": "benches",
    "piano bench": "piano benches",
    "chest of drawers": "chests of drawers",
    "shelf unit": "shelf units",
}


class Config(SceneConfig):
    """Which rooms, and how they are asked about."""

    width: int = Field(480, ge=160, le=1280, description="pixels of the picture")
    height: int = Field(360, ge=120, le=960, description="pixels of the picture")
    fewest: int = Field(4, ge=2, le=10, description="fewest things in a room")
    most: int = Field(9, ge=2, le=12, description="most things in a room")


def generate(rng: random.Random, config: Config) -> Draft:
    """A room with questions. Raises `DataError` where no room with enough visible things came about."""
    language = config.choose_language(rng)
    for _ in range(12):
        room = Room(round(rng.uniform(3.4, 5.2), 2), round(rng.uniform(4.4, 6.2), 2), round(rng.uniform(2.4, 2.9), 2))
        camera = _camera(rng, room, config)
        pieces = furnish(rng, room, camera, config.split, (config.fewest, config.most))
        if len(pieces) < config.fewest:
            continue
        hits, picture = _draw(rng, room, camera, pieces)
        names = _names(pieces, language)
        things = see_things(hits, camera, [piece.stand.box(camera) for piece in pieces], names)
        if things is None or min(thing.pixels for thing in things) < MIN_PIXELS:
            continue
        the = WORDS[language]["the"]
        where = {number: the.format(name=thing.name) for number, thing in enumerate(things, 1) if thing.name}
        where[render.FLOOR] = WORDS[language]["floor"]
        where.update({number: WORDS[language]["wall"] for _, _, number in _WALLS})
        points = choose_points(hits.depth, hits.ids, where, rng, 5, config.width / 10)
        hint = WORDS[language]["camera_hint"].format(height=camera.position[2])
        view = View(
            camera, things, (), points, _counts(rng, pieces, language), language, hint, heights_known=True, rng=rng
        )
        return draft_of(
            view, picture, hits, config, list(FORMS), _truth(room, pieces),
            licence=_licence(pieces), source=_source(pieces), sources=_sources(pieces),
        )  # fmt: skip
    raise DataError("no room with enough visible things")


def _camera(rng: random.Random, room: Room, config: Config) -> Camera:
    """Near the middle of the front wall, looking about at the middle of the room."""
    x = room.width * rng.uniform(0.3, 0.7)
    height = round(rng.uniform(1.25, 1.75), 2)
    aim_x, aim_y = room.width / 2 + rng.uniform(-0.4, 0.4), room.length * rng.uniform(0.6, 0.7)
    position = (round(x, 3), 0.15, height)
    heading = math.atan2(position[0] - aim_x, aim_y - position[1])
    focal = round(focal_of(config.width, rng.uniform(62, 76)), 1)
    tilt = math.radians(rng.uniform(9, 17))
    return Camera(config.width, config.height, focal, position, heading, tilt)


def _draw(rng: random.Random, room: Room, camera: Camera, pieces: Sequence[Piece]) -> tuple[render.Hits, Image.Image]:
    """What the rays hit, and the picture."""
    triangles = Triangles([placed(piece) for piece in pieces])
    hits = render.blank(camera)
    add_meshes(hits, camera, triangles)
    ground = floor(rng, ("planks", "planks", "tiles", "checker", "plain"))
    paint = wall(rng)
    planes = [render.Plane(axis, (room.width, room.length)[axis] * far, number, paint) for axis, far, number in _WALLS]
    planes.append(render.Plane(2, 0.0, render.FLOOR, ground))
    planes.append(render.Plane(2, room.height, _CEILING, replace(paint, pattern="paint", first=_WHITE)))
    render.add_planes(hits, camera, planes)
    skirting = (hits.ids <= render.WALL) & (hits.ids > _CEILING) & (hits.points[2] < 0.08)
    hits.colours[:, skirting] = 0.80
    lamp = render.Lamp(
        (room.width * rng.uniform(0.3, 0.7), room.length * rng.uniform(0.3, 0.7), room.height - 0.05),
        rng.uniform(0.3, 0.5), 0.92,
    )  # fmt: skip
    seen = render.smooth(mesh_shadows(hits, triangles, render.lamp_places(hits, lamp)), hits.ids)
    open_sky = render.smooth(mesh_openness(hits, triangles, render.turns(hits)), hits.ids)
    lit = render.light(hits, lamp, seen, open_sky, _WHITE, around=(0.47, -0.05))
    return hits, render.develop(lit)


def _names(pieces: Sequence[Piece], language: str) -> list[str]:
    """What each piece is called; nothing where another one in the room is, or could be, called the same."""
    english = [piece.model.noun.english for piece in pieces]
    shown = [piece.model.noun.chinese for piece in pieces] if language == "zh" else english
    return [
        name if english.count(noun) == 1 and not vague(noun, english) else ""
        for noun, name in zip(english, shown, strict=True)
    ]


def vague(noun: str, nouns: Sequence[str]) -> bool:
    """Whether a plain noun ("table", "chair") is right for a thing of another noun ("desk", "armchair") there, too."""
    return any(noun in group and noun in BROAD and group & {*nouns} - {noun} for group in KIN)


def countable(noun: str, nouns: Sequence[str]) -> bool:
    """Whether nobody would count things of other nouns there with those of this one."""
    return not any(noun in group and group & {*nouns} - {noun} for group in KIN)


def _counts(rng: random.Random, pieces: Sequence[Piece], language: str) -> list[tuple[str, int]]:
    """Questions for the number of what stands there more than once; else of one noun, whose thing is there or isn't."""
    nouns = [piece.model.noun for piece in pieces]
    english = [noun.english for noun in nouns]
    clear = [noun for noun in dict.fromkeys(nouns) if countable(noun.english, english)]
    absent = [noun for noun in dict.fromkeys(NOUNS.values()) if countable(noun.english, [noun.english, *english])]
    absent = [noun for noun in absent if noun not in nouns]
    several = [noun for noun in clear if nouns.count(noun) > 1] or [*clear[:1], rng.choice(absent)]
    if language == "zh":
        return [
            (f"图中有多少{_MEASURES.get(noun.chinese, '个')}{noun.chinese}？", nouns.count(noun)) for noun in several
        ]
    return [
        (f"How many {_PLURALS.get(noun.english, noun.english + 's')} are in the room?", nouns.count(noun))
        for noun in several
    ]


def _licence(pieces: Sequence[Piece]) -> str:
    """The strictest of the models' licences: one with attribution, if any has it."""
    licences = {piece.model.licence for piece in pieces}
    return next((one for one in ("CC-BY-3.0", "CC-BY-3.0-US") if one in licences), "CC0-1.0")


def _source(pieces: Sequence[Piece]) -> str:
    """Attribution: the makers of the models."""
    makers = ", ".join(dict.fromkeys(piece.model.creator or piece.model.archive for piece in pieces))
    return f"vergence, rendered; 3-D models of Sweet Home 3D by {makers}"


def _sources(pieces: Sequence[Piece]) -> tuple[SourceItem, ...]:
    chosen = dict.fromkeys(piece.model for piece in pieces)
    return tuple(source_item(PACKAGE, model.identifier, model_bytes(model), model.licence) for model in chosen)


def _truth(room: Room, pieces: Sequence[Piece]) -> dict[str, Any]:
    """The room, and what each thing is."""
    return {
        "room": [room.width, room.length, room.height],
        "models": [
            {
                "item": piece.model.identifier,
                "catalogue_name": piece.model.name,
                "category": piece.model.category,
                "creator": piece.model.creator,
                "licence": piece.model.licence,
                "size": list(piece.model.size),
                "foot": list(piece.stand.foot),
                "yaw_degrees": round(math.degrees(piece.stand.yaw), 3),
            }
            for piece in pieces
        ],
    }
