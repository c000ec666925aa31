"""Maps of KGeography: where a region lies, which lies there, and which border on it, by the map's own colours."""

from __future__ import annotations

import random
import re
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from vergence.data.formats import choice_turn, short_turn
from vergence.data.generator import Draft, GeneratorConfig, Region, Turn, dialogue, source_item
from vergence.data.pictures import Split, split_of
from vergence.data.sources.kgeography import Map, maps, translated
from vergence.data.synthesis.grounding.scene import Box, box_of, inner_point
from vergence.errors import DataError
from vergence.processing.coordinates import format_box, format_point

VERSION = 2
PACKAGES = ("numpy",)
LICENCE = "GPL-2.0-or-later"
LEAST = 150
"""Pixels of the smallest region that is asked about."""
MISTRANSLATED = frozenset({("Zaire", "萨格勒布")})
"""Regions with names that belong to other places: this one is Zagreb."""
LEAST_FILLED = 0.15
"""Share of its box that a region covers at least where its box is asked for."""
REACH = 3
"""Regions border where one, grown by so many pixels, meets the other: borders are drawn one to four pixels wide."""
FAR = 15
"""Regions are far from bordering where the one, grown by so many pixels, doesn't meet the other."""


class Config(GeneratorConfig):
    """How a map is talked about."""

    language: Literal["en", "zh", "mix"] = Field("mix", description="of questions and of the regions' names")
    turns: int = Field(4, ge=1, description="most questions in one dialogue")


class Place(NamedTuple):
    """A region of a map: its name and the pixels that it covers."""

    name: str
    mask: np.ndarray
    box: Box
    point: tuple[int, int]


Known = list[tuple[Place, str]]


@lru_cache(maxsize=8)
def places(shown: Map) -> tuple[Place, ...]:
    """The regions of a map that have a colour and a name of their own, and enough pixels."""
    pixels = shown.pixels().astype(np.int32)
    codes = (pixels[:, :, 0] << 16) | (pixels[:, :, 1] << 8) | pixels[:, :, 2]
    colours = [region.colour for region in shown.regions]
    names = [region.name for region in shown.regions]
    found = []
    for region in shown.regions:
        red, green, blue = region.colour
        if region.ignored or colours.count(region.colour) > 1 or names.count(region.name) > 1:
            continue
        mask = codes == (red << 16 | green << 8 | blue)
        if int(mask.sum()) >= LEAST:
            found.append(Place(region.name, mask, box_of(mask), inner_point(mask)))
    return tuple(found)


def runs(mask: np.ndarray, step: int = 5) -> list[list[float]]:
    """Boxes that lie wholly in a mask [H, W]: bands of `step` rows, each where all of its rows are true."""
    found: list[list[float]] = []
    for top in range(0, mask.shape[0] - step + 1, step):
        full = np.concatenate([[False], mask[top : top + step].all(axis=0), [False]])
        edges = np.flatnonzero(full[1:] != full[:-1])
        found += [[float(a), float(top), float(b), float(top + step)] for a, b in edges.reshape(-1, 2) if b - a >= 3]
    return found


def grown(mask: np.ndarray, by: int) -> np.ndarray:
    """A mask grown by so many pixels along both axes and diagonals."""
    after = mask.copy()
    for _ in range(by):
        padded = np.pad(after, 1)
        wide = padded[:, :-2] | padded[:, 1:-1] | padded[:, 2:]
        after = wide[:-2] | wide[1:-1] | wide[2:]
    return after


@lru_cache(maxsize=4)
def _maps(split: Split) -> tuple[Map, ...]:
    return tuple(shown for shown in maps() if split_of(f"map:{shown.file}") == split)


def generate(rng: random.Random, config: Config) -> Draft:
    """A map and a dialogue. Raises `DataError` where no map has enough regions, `UsageError` where none is fetched."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    shown, title, known = _choose(rng, config.split, language)
    data = shown.read()
    turns = _turns(rng, known, title, language)[: config.turns]
    messages, checks = dialogue((data,), turns)
    return Draft(
        messages,
        checks,
        truth={"map": shown.name, "regions": [{"name": p.name, "box": list(p.box)} for p, _ in known]},
        capability="grounding/regions",
        domain="geography",
        difficulty=min(1.0, 0.3 + len(known) / 60),
        language=language,
        licence=LICENCE,
        source="kgeography",
        sources=(source_item("kgeography", shown.file, data, LICENCE),),
        regions=tuple(Region(name, box=place.box, points=(place.point,)) for place, name in known),
    )


def name_of(shown: Map, name: str, language: str) -> str | None:
    """A region's name in a language; None where the package has none, or a wrong one."""
    found = translated(shown, name, language)
    return None if found is None or (name, found) in MISTRANSLATED else found.strip()


def title_of(shown: Map, language: str) -> str | None:
    """What a map shows, without a remark on its parts in brackets; None where it isn't translated."""
    found = translated(shown, shown.name, language)
    return found and re.sub(r"\s*[(（].*[)）]\s*$", "", found).strip()


def _choose(rng: random.Random, split: Split, language: str) -> tuple[Map, str, Known]:
    """A map, its title, and its regions with a name of their own in a language, of which it has at least four."""
    for _ in range(40):
        shown = rng.choice(_maps(split))
        named = [(place, name_of(shown, place.name, language)) for place in places(shown)]
        known = [(place, name) for place, name in named if name]
        title = title_of(shown, language)
        if title and len(known) >= 4 and len({name for _, name in known}) == len(known):
            return shown, title, known
    raise DataError(f"40 maps had too few regions with a name of their own in {language}")


def _turns(rng: random.Random, known: Known, title: str, language: str) -> list[Turn]:
    """Turns about different regions, for the place of one in an answer would name it in a later question."""
    asked = rng.sample(known, 4)
    boxed = next((number for number, (place, _) in enumerate(asked) if compact(place)), None)
    turns = [] if boxed is None else [_box(*asked.pop(boxed), title, language)]
    turns += [_point(*asked[0], title, language), _which(*asked[1], title, language)]
    turns += [_options(rng, asked[2], known, language), *_neighbour(rng, known, language)]
    rng.shuffle(turns)
    return turns


def compact(place: Place) -> bool:
    """Whether a region fills enough of its box for the box to be seen: scattered islands don't."""
    left, top, right, bottom = place.box
    return int(place.mask.sum()) >= LEAST_FILLED * (right - left) * (bottom - top)


def _size(place: Place) -> tuple[int, int]:
    return place.mask.shape[1], place.mask.shape[0]


def _box(place: Place, name: str, title: str, language: str) -> Turn:
    english = f"This is a map: {title}. Give the bounding box of the region {name}."
    question = english if language == "en" else f"这是一幅地图：{title}。请给出“{name}”的边界框。"
    check = {"verifier": "box", "target": list(place.box), "size": list(_size(place))}
    return Turn(question, format_box(place.box, *_size(place)), check)


def _point(place: Place, name: str, title: str, language: str) -> Turn:
    question = (
        f"Point to {name} on this map ({title})." if language == "en" else f"请在这幅地图（{title}）上指出“{name}”。"
    )
    x, y = place.point
    inside = [*runs(place.mask), [x - 1.0, y - 1.0, x + 2.0, y + 2.0]]
    check = {"verifier": "point", "targets": inside, "size": list(_size(place))}
    return Turn(question, format_point((x + 0.5, y + 0.5), *_size(place)), check)


def _spot(place: Place) -> str:
    return format_point((place.point[0] + 0.5, place.point[1] + 0.5), *_size(place))


def _which(place: Place, name: str, title: str, language: str) -> Turn:
    english = f"The map shows: {title}. Which region is at {_spot(place)}?"
    question = english if language == "en" else f"地图显示的是：{title}。{_spot(place)} 处是哪个区域？"
    return short_turn(question, name, {"verifier": "exact", "target": name}, language)


def _options(rng: random.Random, asked: tuple[Place, str], known: Known, language: str) -> Turn:
    place, name = asked
    others = rng.sample([other for _, other in known if other != name], 3)
    question = f"Which region is at {_spot(place)}?" if language == "en" else f"{_spot(place)} 处是哪个区域？"
    return choice_turn(question, name, others, rng, language)


def _neighbour(rng: random.Random, known: Known, language: str) -> list[Turn]:
    """Which of four regions borders on one: the one that does by far, three that are far away."""
    place, name = rng.choice(known)
    near, wide = grown(place.mask, REACH), grown(place.mask, FAR)
    bordering = [other for p, other in known if p is not place and int((near & p.mask).sum()) >= 24]
    distant = [other for p, other in known if not (wide & p.mask).any()]
    if not bordering or len(distant) < 3:
        return []
    question = f"Which of these regions borders on {name}?" if language == "en" else f"下列哪个区域与“{name}”接壤？"
    return [choice_turn(question, rng.choice(bordering), rng.sample(distant, 3), rng, language)]
