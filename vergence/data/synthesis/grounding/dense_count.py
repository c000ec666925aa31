"""Many small objects that don't overlap: counting by name, comparing counts, pointing to all of a name."""

from __future__ import annotations

import random
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import Field

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Draft, GeneratorConfig, Turn, dialogue
from vergence.data.synthesis.grounding import scene
from vergence.data.synthesis.grounding.backgrounds import Backgrounds, background
from vergence.data.synthesis.grounding.cutouts import Thing, countable_things, mirrorable, plural
from vergence.data.synthesis.grounding.scene import Placed
from vergence.errors import DataError
from vergence.processing.coordinates import format_point

VERSION = 2
PACKAGES = ("resvg-py", "numpy")
SIZES = ((768, 576), (640, 640), (576, 768))


class Config(GeneratorConfig):
    """What is counted and how many of it."""

    language: Literal["en", "zh", "mix"] = Field("en", description="zh and mix need emojibase for emoji")
    sources: tuple[str, ...] = Field(
        ("openmoji",), description="where cut-outs come from: openmoji, fluent-emoji-3d, tuxpaint-stamps"
    )
    backgrounds: Backgrounds = Field("made", description="made, or mostly real wallpapers")
    objects: tuple[int, int] = Field((12, 60), description="fewest and most objects, within 4..120")
    turns: int = Field(3, ge=1, description="most questions in one dialogue")


def generate(rng: random.Random, config: Config) -> Draft:
    """A picture full of things and a dialogue about their numbers. Raises `DataError`, `UsageError`."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    low, high = config.objects
    if not 4 <= low <= high <= 120:
        raise DataError(f"objects must be two numbers within 4..120, not {low} and {high}")
    size = rng.choice(SIZES)
    ground, real = background(rng, size, config.split, config.backgrounds)
    kinds = scene.choose(rng, countable_things(config.sources, config.split, language), rng.randint(2, 4), language)
    picture, placed = _place(rng, ground, kinds, rng.randint(low, high))
    turns = _turns(rng, placed, size, language, config.turns)
    messages, checks = dialogue((scene.jpeg(picture),), turns)
    records = scene.sources(placed, real)
    return Draft(
        messages,
        checks,
        truth={"objects": scene.truth(placed), "size": list(size)},
        capability="grounding/counting",
        domain="composite",
        difficulty=min(1.0, 0.1 + len(placed) / 80),
        language=language,
        licence=scene.licence(records),
        source=", ".join(dict.fromkeys(item.package for item in records)),
        sources=records,
        regions=scene.regions(placed, language),
    )


def _place(
    rng: random.Random, ground: Image.Image, kinds: list[Thing], wanted: int
) -> tuple[Image.Image, tuple[Placed, ...]]:
    """Objects in the cells of a grid, each somewhere in its own cell, so that none touches another."""
    width, height = ground.size
    cell = max(36, int((width * height / (wanted * 1.25)) ** 0.5))
    while (width // cell) * (height // cell) < wanted and cell > 36:
        cell -= 1
    columns, rows = width // cell, height // cell
    right, down = rng.randint(0, width - columns * cell), rng.randint(0, height - rows * cell)
    cells = [(column, row) for row in range(rows) for column in range(columns)]
    rng.shuffle(cells)
    weights = [rng.uniform(0.4, 1.6) for _ in kinds]
    ids = np.full((height, width), -1, np.int16)
    objects: list[scene.Pasted] = []
    for column, row in cells[:wanted]:
        thing = rng.choices(kinds, weights)[0]
        side = min(110, int(rng.uniform(0.62, 0.92) * (cell - 4)))
        mirror = rng.random() < 0.5 and mirrorable(thing)
        cutout = scene.sized(thing, side, mirror=mirror)
        left = right + column * cell + 2 + rng.randint(0, cell - 4 - cutout.width)
        top = down + row * cell + 2 + rng.randint(0, cell - 4 - cutout.height)
        mask = scene.solid(cutout)
        if int(mask.sum()) >= scene.FEWEST_PIXELS:
            ids = scene.paste(ids, mask, left, top, len(objects))
            objects.append(scene.Pasted(thing, left, top, cutout, mirror))
    if len(objects) < 2:
        raise DataError("fewer than two objects fit into the picture")
    return scene.finish(ground, objects, ids)


def _turns(
    rng: random.Random, placed: tuple[Placed, ...], size: tuple[int, int], language: str, most: int
) -> list[Turn]:
    """Up to `most` turns in an order in which no answer says what a later one asks: first which name is the most
    frequent, then the number of one name, the places of another, and what adds up numbers."""
    groups: dict[str, list[Placed]] = {}
    for o in placed:
        groups.setdefault(o.thing.name(language), []).append(o)
    names = rng.sample(list(groups), len(groups))
    compared = len(names) > 2 or (len(names) == 2 and rng.random() < 0.5)
    pointed = len(names) > 2 or not compared
    turns: list[Turn | None] = [
        _most(rng, groups, language),
        _count(names[0], groups, language),
        _points(names[-1], groups, size, language) if pointed else None,
        _difference(rng, groups, language) if compared else None,
        _total(groups, language),
    ]
    found = [turn for turn in turns if turn is not None]
    return [found[place] for place in sorted(rng.sample(range(len(found)), min(most, len(found))))]


Groups = dict[str, list[Placed]]


def _count(name: str, groups: Groups, language: str) -> Turn:
    english, chinese = f"How many {plural(name)} are there?", f"图中有多少个“{name}”？"
    number = len(groups[name])
    check = {"verifier": "count", "target": number}
    return short_turn(english if language == "en" else chinese, str(number), check, language)


def _total(groups: Groups, language: str) -> Turn:
    steps = [
        f"{name}: {len(group)}" if language == "en" else f"“{name}”：{len(group)}个" for name, group in groups.items()
    ]
    total = sum(map(len, groups.values()))
    steps.append(" + ".join(str(len(group)) for group in groups.values()) + f" = {total}")
    question = "How many things are there in all?" if language == "en" else "图中一共有多少个物体？"
    return thought_turn(question, steps, str(total), {"verifier": "count", "target": total}, language)


def _points(name: str, groups: Groups, size: tuple[int, int], language: str) -> Turn:
    group = sorted(groups[name], key=lambda o: (o.point[1], o.point[0]))
    english = f"Point to all the {plural(name)}, then say how many there are."
    places = [(o.point[0] + 0.5, o.point[1] + 0.5) for o in group]
    lines = [format_point(place, *size) for place in places]
    lines.append(f"There are {len(group)}." if language == "en" else f"共{len(group)}个。")
    check = {
        "verifier": "points",
        "targets": [list(place) for place in places],
        "radius": scene.radius([o.point for o in group], [o.box for o in group]),
        "size": list(size),
    }
    return Turn(english if language == "en" else f"请指出所有的“{name}”，并说出一共有多少个。", "\n".join(lines), check)


def _difference(rng: random.Random, groups: Groups, language: str) -> Turn:
    first, second = rng.sample(list(groups), 2)
    if len(groups[first]) < len(groups[second]):
        first, second = second, first
    a, b = len(groups[first]), len(groups[second])
    if language == "en":
        question = f"By how many do the numbers of {plural(first)} and {plural(second)} differ?"
        steps = [f"{first}: {a}", f"{second}: {b}", f"{a} - {b} = {a - b}"]
    else:
        question = f"“{first}”和“{second}”的数量相差多少？"
        steps = [f"“{first}”：{a}个", f"“{second}”：{b}个", f"{a} - {b} = {a - b}"]
    return thought_turn(question, steps, str(a - b), {"verifier": "count", "target": a - b}, language)


def _most(rng: random.Random, groups: Groups, language: str) -> Turn | None:
    """Which is there most often, where one is."""
    if len(groups) < 2:
        return None
    row = sorted(groups, key=lambda name: -len(groups[name]))
    if len(groups[row[0]]) == len(groups[row[1]]):
        return None
    question = "Which of these appears most often?" if language == "en" else "下列哪一种物体最多？"
    return choice_turn(question, row[0], row[1:], rng, language)
