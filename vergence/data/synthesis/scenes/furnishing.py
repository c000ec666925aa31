"""Where furniture stands in a room: at walls, free, or on tables; all of it seen, none of it through another."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np

from vergence.data.pictures import Split, split_of
from vergence.data.sources.furniture import TABLE_NOUNS, WALL_NOUNS, Model, load_mesh, models
from vergence.data.synthesis.scenes.geometry import SAMPLES, Camera, Stand, feet_apart, projected_box
from vergence.data.synthesis.scenes.mesh_rays import Placed, Triangles
from vergence.errors import DataError

MIN_PIXELS = 200
_MIN_SHARE = 0.45
_SMALL = 6
_GAP = 0.08
_ANYTHING = 0.2
ROOMS: tuple[frozenset[str], ...] = tuple(
    frozenset(nouns.split(";"))
    for nouns in (
        "sofa;corner sofa;armchair;coffee table;TV stand;bookcase;shelf unit;plant;piano bench;"
        "electric guitar;dog;cat;screen;round table;table;chair;chest of drawers",
        "bed;bunk bed;crib;bedside table;wardrobe;chest of drawers;dressing table;chair;armchair;rocking horse;"
        "backpack;suitcase;clothes rack;plant;cat;stool;desk;bookcase",
        "desk;chair;bookcase;filing cabinet;safe;water cooler;white board;rubbish bin;plant;cardboard box;"
        "shelf unit;table;backpack;armchair",
        "table;round table;chair;high chair;bar stool;stool;bar table;fridge;washing machine;rubbish bin;bench;"
        "dog;cat;folding chair;step ladder;plant",
        "bathtub;toilet;washing machine;stool;chest of drawers;rubbish bin;plant;shelf unit;clothes rack;chair;crate",
        "treadmill;exercise bike;bench;basketball;barrel;crate;cardboard box;step ladder;suitcase;"
        "folding chair;safe;table;stool;rocking horse;washing machine",
    )
)
"""What stands together: living room, bedroom, study, kitchen, bathroom, store room."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room with a corner at the origin: width along X, length along Y, height, metres."""

    width: float
    length: float
    height: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A model and where it stands."""

    model: Model
    stand: Stand


@cache
def split_models(split: Split) -> tuple[tuple[str, tuple[Model, ...]], ...]:
    """English noun -> the models of a split that are called so, in the catalogue's order."""
    found: dict[str, list[Model]] = {}
    for model in models():
        if split_of(model.identifier) == split:
            found.setdefault(model.noun.english, []).append(model)
    return tuple((noun, tuple(group)) for noun, group in found.items())


def furnish(rng: random.Random, room: Room, camera: Camera, split: Split, counts: tuple[int, int]) -> list[Piece]:
    """Furniture, each piece whole in the picture and not hidden too far.

    How many is chosen between the two `counts`; it can be fewer where no place is found.
    """
    number = rng.randint(counts[0], max(counts))
    nouns = rng.choice(ROOMS) if rng.random() >= _ANYTHING else None
    pieces: list[Piece] = []
    for _ in range(8 * number):
        if len(pieces) >= number:
            break
        tables = any(piece.model.noun.english in TABLE_NOUNS for piece in pieces)
        model = _choose(rng, split, nouns, on_table=tables and rng.random() < 0.4)
        if model is None:
            continue
        # What stands there twice has no name of its own to be asked by.
        if any(piece.model.noun == model.noun for piece in pieces) and rng.random() < 0.85:
            continue
        copies = rng.randint(2, 3) if model.noun.english in ("chair", "stool") and rng.random() < 0.4 else 1
        for _ in range(min(copies, number - len(pieces))):
            piece = _stand(rng, room, camera, pieces, model)
            if piece is not None:
                pieces.append(piece)
    return _well_seen(pieces, camera)


def _well_seen(pieces: list[Piece], camera: Camera) -> list[Piece]:
    """The pieces without those that others hide, the worst hidden first, and without what stood on them.

    How much of a thing's outline is seen is counted in a picture of a sixth of the size.
    """
    small = replace(camera, width=camera.width // _SMALL, height=camera.height // _SMALL, focal=camera.focal / _SMALL)
    directions = small.directions().reshape(3, -1).T
    origins = np.broadcast_to(np.array(camera.position), directions.shape)
    outlines = {piece: int((_alone(piece).first(origins, directions)["geomID"] >= 0).sum()) for piece in pieces}
    least = MIN_PIXELS * SAMPLES**2 / _SMALL**2
    while pieces:
        whose = Triangles([placed(piece) for piece in pieces]).first(origins, directions)["geomID"]
        shares = [int((whose == number).sum()) / max(outlines[piece], least) for number, piece in enumerate(pieces)]
        hidden = min(range(len(pieces)), key=lambda one: shares[one])
        if shares[hidden] >= _MIN_SHARE:
            break
        gone = pieces[hidden]
        pieces = [
            piece
            for piece in pieces
            if piece is not gone and not (piece.stand.foot[2] > 0 and _over(piece.stand, gone.stand))
        ]
    return pieces


def _choose(rng: random.Random, split: Split, nouns: frozenset[str] | None, on_table: bool) -> Model | None:
    """A model: first what it is, then which; nouns that many models bear come a little more often."""
    groups = [
        (noun, group)
        for noun, group in split_models(split)
        if group[0].noun.on_table == on_table and (on_table or nouns is None or noun in nouns)
    ]
    if not groups:
        return None
    return rng.choice(rng.choices(groups, [math.sqrt(len(group)) for _, group in groups])[0][1])


def placed(piece: Piece) -> Placed:
    """A piece with its triangles."""
    return Placed(load_mesh(piece.model), piece.stand)


@lru_cache(maxsize=16)
def _alone(piece: Piece) -> Triangles:
    return Triangles([placed(piece)])


def _stand(rng: random.Random, room: Room, camera: Camera, pieces: Sequence[Piece], model: Model) -> Piece | None:
    """A place for a model; None where none was found or its file can't be used."""
    try:
        load_mesh(model)
    except DataError:
        return None
    if any(_confusing(piece.model, model) for piece in pieces):
        return None
    for _ in range(25):
        if model.noun.on_table:
            stand = _on_table(rng, pieces, model)
        elif model.noun.english in WALL_NOUNS:
            stand = _at_wall(rng, room, model)
        else:
            margin = math.hypot(*model.size[:2]) / 2 + 0.05
            x, y = rng.uniform(margin, room.width - margin), rng.uniform(1.2 + margin, room.length - margin)
            turn = rng.uniform(-math.pi, math.pi) if rng.random() < 0.6 else rng.choice((0.0, 0.5, 1.0, -0.5)) * math.pi
            stand = Stand((round(x, 3), round(y, 3), 0.0), model.size, turn)
        if stand is not None and _fits(stand, pieces, camera, room):
            return Piece(model, stand)
    return None


def _confusing(first: Model, second: Model) -> bool:
    """Whether a name would fit both: two models of one noun, or a chair and a folding chair."""
    if first == second:
        return False
    a, b = first.noun.english, second.noun.english
    return a.endswith(b) or b.endswith(a)


def _at_wall(rng: random.Random, room: Room, model: Model) -> Stand | None:
    """With its back to the far wall or one of the side walls."""
    width, depth, _ = model.size
    wall_side = rng.choice(("back", "back", "left", "right"))
    reach = (room.width if wall_side == "back" else room.length - 1.0) - width
    if reach <= 0.1:
        return None
    along, off = width / 2 + 0.05 + rng.random() * (reach - 0.1), depth / 2 + 0.03
    if wall_side == "back":
        return Stand((round(along, 3), round(room.length - off, 3), 0.0), model.size, 0.0)
    y = round(room.length - along, 3)
    if wall_side == "left":
        return Stand((round(off, 3), y, 0.0), model.size, math.pi / 2)
    return Stand((round(room.width - off, 3), y, 0.0), model.size, -math.pi / 2)


def _on_table(rng: random.Random, pieces: Sequence[Piece], model: Model) -> Stand | None:
    """On a table that is level under all of it; rays from above find where that is."""
    tables = [piece for piece in pieces if piece.model.noun.english in TABLE_NOUNS]
    if not tables:
        return None
    table = rng.choice(tables)
    yaw = table.stand.yaw + rng.uniform(-0.5, 0.5)
    c, s = math.cos(table.stand.yaw), math.sin(table.stand.yaw)
    u, v = (rng.uniform(-0.35, 0.35) * side for side in table.model.size[:2])
    x, y = table.stand.foot[0] + c * u - s * v, table.stand.foot[1] + s * u + c * v
    reach = math.hypot(*model.size[:2]) / 2
    grid = [(x + a * reach, y + b * reach) for a in (-1, -0.5, 0, 0.5, 1) for b in (-1, -0.5, 0, 0.5, 1)]
    above = [(a, b, 5.0) for a, b in grid]
    found = _alone(table).first(np.array(above), np.array([(0.0, 0.0, -1.0)] * len(above)))
    heights = 5.0 - found["tfar"].astype(float)
    if (found["geomID"] < 0).any() or np.ptp(heights) > 0.004 or heights.min() < 0.25:
        return None
    return Stand((round(x, 3), round(y, 3), round(float(heights.max()), 3)), model.size, yaw)


def _over(upper: Stand, lower: Stand) -> bool:
    return not feet_apart(replace(upper, size=(0.01, 0.01, 0.01)), lower, 0.0)


def _fits(stand: Stand, pieces: Sequence[Piece], camera: Camera, room: Room) -> bool:
    """Whole in the picture, below the ceiling, and clear of what stands on the same level."""
    box = projected_box(stand.box(camera), camera)
    if box is None or stand.foot[2] + stand.size[2] > room.height - 0.05:
        return False
    margin = 0.012 * camera.width
    inside = (
        box[0] >= margin and box[1] >= margin and box[2] <= camera.width - margin and box[3] <= camera.height - margin
    )
    level = [piece.stand for piece in pieces if (piece.stand.foot[2] > 0) == (stand.foot[2] > 0)]
    return inside and all(feet_apart(stand, other, _GAP if stand.foot[2] == 0 else 0.02) for other in level)
