"""Find the difference: a scene of icons, a copy of it with some things changed, and the exact box of each change."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

from PIL import Image, ImageDraw
from pydantic import Field

from vergence.data.formats import choice_turn
from vergence.data.generator import Draft, Region, Turn, dialogue
from vergence.data.synthesis.palette import RGB, background
from vergence.data.synthesis.puzzles.difference_scene import CELL, Box, Scene, Thing, make_scene
from vergence.data.synthesis.puzzles.drawing import COLOURS, png
from vergence.data.synthesis.puzzles.icons import LICENCE, PACKAGE, icon_item
from vergence.data.synthesis.puzzles.puzzle import (
    Language,
    PuzzleConfig,
    graded,
    language_of,
    reply,
    some_turns,
)
from vergence.processing.coordinates import format_box, format_point

VERSION = 2

PACKAGES = ("resvg-py",)

FATES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "missing": "It is missing.",
        "replaced": "It was replaced by something else.",
        "colour": "It changed its colour.",
        "larger": "It became larger.",
        "smaller": "It became smaller.",
        "moved": "It moved.",
        "mirrored": "It was mirrored.",
        "same": "Nothing, it is the same.",
    },
    "zh": {
        "missing": "不见了",
        "replaced": "换成了别的东西",
        "colour": "颜色变了",
        "larger": "变大了",
        "smaller": "变小了",
        "moved": "位置变了",
        "mirrored": "左右翻转了",
        "same": "没有变化",
    },
}


class Config(PuzzleConfig):
    """How pictures are shown."""

    layout: Literal["two", "one", "mix"] = Field("mix", description="two pictures, or one with both side by side")
    differences: int = Field(6, ge=1, le=12, description="most differences")


def draw(things: Sequence[Thing], paper: Image.Image) -> Image.Image:
    """The things on a paper, each in its colour."""
    image = paper.copy()
    for thing in things:
        image.paste(COLOURS[thing.colour], (thing.x, thing.y), thing.mask())
    return image


def draw_paper(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """A plain paper, a ground below a sky, or stripes; all light, so that every colour is seen."""
    first, second = background(rng), background(rng)
    paper = Image.new("RGB", size, first)
    pen, kind = ImageDraw.Draw(paper), rng.randrange(3)
    if kind == 1:
        sky, ground = rng.choice(
            (((222, 240, 252), (226, 240, 214)), ((253, 240, 222), (240, 230, 214)), (first, second))
        )
        paper.paste(sky, (0, 0, *size))
        line = round(size[1] * rng.uniform(0.45, 0.7))
        pen.rectangle((0, line, *size), ground)
    elif kind == 2:
        width = rng.choice((19, 38))
        tint: RGB = tuple(max(0, value - 7) for value in first)  # type: ignore[assignment]
        for x in range(0, size[0], 2 * width):
            pen.rectangle((x, 0, x + width - 1, size[1]), tint)
    return paper


def generate(rng: random.Random, config: Config) -> Draft:
    """Two pictures, asked for the number of differences, their boxes or points, and what has changed."""
    scene = graded(rng, config, partial(make_scene, config.split, config.differences))
    language = language_of(rng, config)
    size = (scene.columns * CELL, scene.rows * CELL)
    paper = draw_paper(rng, size)
    pair = [draw(things, paper) for things in (scene.things, scene.second)]
    layout = rng.choice(("two", "one")) if config.layout == "mix" else config.layout
    offset = 0
    if layout == "one":
        gap = 16
        offset, whole = size[0] + gap, Image.new("RGB", (2 * size[0] + gap, size[1]), (70, 74, 82))
        whole.paste(pair[0], (0, 0))
        whole.paste(pair[1], (offset, 0))
        pair = [whole]
    boxes = [_shifted(difference.box, offset) for difference in scene.differences]
    turns = _turns(rng, config, language, scene, layout, boxes, pair[-1].size)
    messages, checks = dialogue([png(image) for image in pair], turns)
    used = [*(thing.icon for thing in scene.things), *(d.new.icon for d in scene.differences if d.new)]
    return Draft(
        messages,
        checks,
        truth={
            "layout": layout,
            "offset": offset,
            "things": [_facts(thing) for thing in scene.things],
            "differences": [
                {"change": d.change, "box": list(box), "old": _facts(d.old), "new": _facts(d.new)}
                for d, box in zip(scene.differences, boxes, strict=True)
            ],
        },
        capability="reasoning/puzzles/find-the-difference",
        domain="puzzle",
        difficulty=scene.difficulty,
        language=language,
        licence=LICENCE,
        source=f"icons of {PACKAGE}, arranged",
        sources=tuple(icon_item(icon) for icon in dict.fromkeys(used)),
        regions=tuple(
            Region(d.change, box, image=len(pair) - 1) for d, box in zip(scene.differences, boxes, strict=True)
        ),
    )


def _shifted(box: Box, offset: int) -> Box:
    return box[0] + offset, box[1], box[2] + offset, box[3]


def _facts(thing: Thing | None) -> dict[str, Any] | None:
    if thing is None:
        return None
    return {
        "name": thing.icon.english,
        "colour": thing.colour,
        "size": thing.size,
        "mirrored": thing.flipped,
        "box": list(thing.box),
    }


def _turns(
    rng: random.Random,
    config: Config,
    language: Language,
    scene: Scene,
    layout: str,
    boxes: Sequence[Box],
    size: tuple[int, int],
) -> list[Turn]:
    zh, count, gap = language == "zh", len(boxes), "" if language == "zh" else " "
    first, second = {
        ("two", True): ("第一张图", "第二张图"),
        ("one", True): ("左图", "右图"),
        ("two", False): ("the first picture", "the second picture"),
        ("one", False): ("the left picture", "the right picture"),
    }[layout, zh]
    told = [difference.told(language) for difference in scene.differences]
    listed = [
        f"{number}. {clause[0].upper()}{clause[1:]}{'。' if zh else '.'}" for number, clause in enumerate(told, 1)
    ]
    opening = f"与{first}相比，{second}有这些不同：" if zh else f"Compared with {first}, in {second}:"
    written = [format_box(box, *size) for box in boxes]
    check = {"verifier": "boxes", "targets": [list(map(float, box)) for box in boxes], "size": list(size)}
    where = (
        f"在{second}中用 <bbox>x1 y1 x2 y2</bbox> 框出所有不同之处；如果物体消失或移动了，框要包含它原来的位置。"
        if zh
        else f"Mark every difference in {second} with <bbox>x1 y1 x2 y2</bbox>; where something is missing or moved, "
        f"the box covers its old place too."
    )
    points = (
        f"在{second}中用 <point>x y</point> 指出每一处不同。"
        if zh
        else f"Point to each difference in {second} with <point>x y</point>."
    )
    centres = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in boxes]
    how_many = (
        f"{first}和{second}有几处不同？" if zh else f"How many differences are there between {first} and {second}?"
    )
    describe = (
        f"找出{first}和{second}的所有不同之处，逐条说明，并用 <bbox>x1 y1 x2 y2</bbox> 给出它在{second}中的位置。"
        if zh
        else f"Find all differences between {first} and {second}. Describe each and give its place in {second} as "
        f"<bbox>x1 y1 x2 y2</bbox>."
    )
    ones = [lambda: _fate_turn(rng, language, scene, second)]
    overall = [
        lambda: reply(
            rng, config, language, how_many, str(count), {"verifier": "count", "target": count}, [opening, *listed]
        ),
        lambda: reply(rng, config, language, where, gap.join(written), check, [opening, *listed], "plain"),
        lambda: Turn(
            describe, "\n".join(f"{line}{gap}{box}" for line, box in zip(listed, written, strict=True)), check
        ),
        lambda: Turn(
            points,
            gap.join(format_point(centre, *size) for centre in centres),
            {"verifier": "points", "targets": check["targets"], "size": list(size)},
        ),
    ]
    lost = [d.old for d in scene.differences if d.change == "missing" and d.old]
    if len(lost) == 1:
        name = lost[0].icon.name(language)
        question = f"{first}里有、{second}里没有的是什么？" if zh else f"What is in {first} but not at all in {second}?"
        if not any(d.change == "replaced" for d in scene.differences):
            gone = next(clause for clause, d in zip(told, scene.differences, strict=True) if d.change == "missing")
            ones.append(
                lambda: reply(
                    rng,
                    config,
                    language,
                    question,
                    name,
                    {"verifier": "exact", "target": name, "accepted": _accepted(lost[0], language)},
                    [f"{opening}{gap}{gone}{'。' if zh else '.'}"],
                )
            )
    return some_turns(rng, config, [ones, overall])


def _accepted(thing: Thing, language: Language) -> list[str]:
    if language == "zh":
        return [thing.name(language), f"一个{thing.icon.chinese}", thing.name(language).replace("色的", "色")]
    return [
        f"{article}{name}"
        for name in (thing.icon.english, thing.name(language))
        for article in ("", "a ", "an ", "the ")
    ]


def _fate_turn(rng: random.Random, language: Language, scene: Scene, second: str) -> Turn:
    """What happened to one thing of the first picture, changed or not."""
    changed = {d.old: d.change for d in scene.differences if d.old}
    thing = rng.choice([*changed]) if changed and rng.random() < 0.7 else rng.choice(scene.things)
    fate = changed.get(thing, "same")
    # What was replaced is missing too.
    wrong = [name for name in FATES[language] if name != fate and {name, fate} != {"replaced", "missing"}]
    others = [FATES[language][name] for name in rng.sample(wrong, 3)]
    name = thing.name(language)
    question = f"{name}在{second}中有什么变化？" if language == "zh" else f"What happened to the {name} in {second}?"
    return choice_turn(question, FATES[language][fate], others, rng, language)
