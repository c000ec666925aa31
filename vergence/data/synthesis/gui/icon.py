"""Real icons, alone or in tool bars and grids: what one stands for, and which one does a thing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageFilter
from pydantic import Field

from vergence.data.formats import ask, choice_turn, short_turn, thought_turn
from vergence.data.generator import Draft, GeneratorConfig, Region, Turn, dialogue
from vergence.data.pictures import Split, wording
from vergence.data.synthesis.gui.icon_sets import SETS, Icon, alike, drawn, icons, mask, meaning_icons
from vergence.data.synthesis.gui.meanings import BY_NAME
from vergence.processing.coordinates import format_box, format_point
from vergence.verifiers.actions import click

VERSION = 2
PACKAGES = ("resvg-py",)

LICENCES = ("Apache-2.0", "MIT", "ISC")
"""The strictest first."""

Colour = tuple[int, int, int]

PAPERS: Sequence[tuple[Colour, Sequence[Colour]]] = (
    ((255, 255, 255), ((33, 37, 41), (30, 90, 200), (190, 40, 60))),
    ((244, 246, 248), ((52, 58, 64), (0, 110, 110), (120, 60, 160))),
    ((30, 32, 38), ((235, 235, 240), (120, 190, 255), (255, 190, 90))),
    ((22, 60, 96), ((255, 255, 255), (255, 214, 102), (150, 220, 255))),
    ((250, 243, 224), ((80, 50, 30), (160, 60, 20), (40, 90, 60))),
)
"""Paper, and colours that are read on it."""

WHICH = {
    "en": (
        "Which icon would you click to {does}?",
        "Find the icon that lets you {does}.",
        "Where is the icon to {does}?",
    ),
    "zh": ("要{does}，应该点击哪个图标？", "请找到用于“{does}”的图标。", "哪个图标可以{does}？"),
}
NAMED = ("Where is the icon that shows “{name}”?", "Find the “{name}” icon.", "Locate the icon for “{name}”.")
BOX = {"en": " Give its bounding box.", "zh": "请给出它的边界框。"}
POINT = {"en": " Answer with a point.", "zh": "请用点坐标回答。"}
ACTION = {
    "en": " Answer with an action in the form Action: click(point='<point>x y</point>').",
    "zh": "请以 Action: click(point='<point>x y</point>') 的形式给出操作。",
}


class Config(GeneratorConfig):
    """Icons and language."""

    language: Literal["en", "zh", "mix"] = Field("mix", description="of questions and answers; mix: a third in Chinese")
    icons: int = Field(12, ge=1, le=15, description="most icons in a picture")
    distortion: float = Field(0.6, ge=0, le=1, description="share of pictures with turned, blurred or covered icons")


@dataclass(frozen=True, slots=True)
class Placed:
    """An icon in the picture; `ink` is how much of each pixel of its `box`'s square it covers, 0..255."""

    icon: Icon
    ink: Image.Image
    corner: tuple[int, int]
    colour: Colour
    tile: Colour | None
    badge: bool
    pitch: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The box of the ink in pixels of the picture."""
        found = self.ink.point(lambda value: 255 if value >= 64 else 0).getbbox()
        assert found is not None
        x, y = self.corner
        return (x + found[0], y + found[1], x + found[2], y + found[3])


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is drawn."""

    size: tuple[int, int]
    paper: Colour
    placed: tuple[Placed, ...]
    blur: float
    layout: str


def generate(rng: random.Random, config: Config) -> Draft:
    """Place icons of one set, draw them and ask about them."""
    language = config.language if config.language != "mix" else rng.choice(("en", "en", "zh"))
    known = language == "zh" or rng.random() < 0.5
    chosen = _choose(rng, config.split, known, rng.choice((1, 4, 6, 8, 10, config.icons)), config.icons)
    scene = arrange(rng, chosen, rng.random() < config.distortion)
    turns = (
        _alone(rng, scene, known, language, config.split)
        if len(chosen) == 1
        else _among(rng, scene, known, language, config.split)
    )
    messages, checks = dialogue((draw(scene),), turns)
    licences = {SETS[icon.package] for icon in chosen}
    return Draft(
        messages,
        checks,
        truth={
            "layout": scene.layout,
            "icons": [
                {
                    "set": p.icon.package,
                    "name": p.icon.name,
                    "title": p.icon.title,
                    "tags": list(p.icon.tags),
                    "box": list(p.box),
                    "badge": p.badge,
                }
                for p in scene.placed
            ],
        },
        capability="gui/icons",
        domain="interface",
        difficulty=min(1.0, 0.15 + 0.04 * len(chosen) + 0.1 * scene.blur + (0.0 if known else 0.15)),
        language=language,
        licence=next(licence for licence in LICENCES if licence in licences),
        source=f"{chosen[0].package} ({SETS[chosen[0].package]})",
        sources=tuple(icon.source() for icon in chosen),
        regions=tuple(Region(p.icon.title, p.box) for p in scene.placed),
    )


def _pool(package: str, split: Split, known: bool) -> list[Icon]:
    return [found.icon for found in meaning_icons(package, split)] if known else list(icons(package, split))


def _choose(rng: random.Random, split: Split, known: bool, count: int, most: int) -> list[Icon]:
    """Icons of one set no two of which could be meant by one word."""
    pool = _pool(rng.choice(list(SETS)), split, known)
    rng.shuffle(pool)
    chosen: list[Icon] = []
    for icon in pool:
        if len(chosen) == min(count, most):
            break
        if not alike(icon, chosen) and drawn(icon):
            chosen.append(icon)
    return chosen


def arrange(rng: random.Random, chosen: Sequence[Icon], distorted: bool) -> Scene:
    """Lay icons out: alone, in a bar, a column or a grid."""
    count = len(chosen)
    layout = "alone" if count == 1 else rng.choice(("bar", "column", "grid", "grid"))
    columns = {"alone": 1, "bar": count, "column": 1}.get(layout) or rng.choice((3, 4, 5))
    rows = -(-count // columns)
    pitch = rng.randint(140, 260) if count == 1 else rng.randint(44, 84) if layout != "grid" else rng.randint(72, 120)
    margin_x, margin_y = (rng.randint(8, 40) for _ in range(2))
    # A bar stands at the top of an otherwise empty window, a column at its side.
    room_x = rng.randint(80, 240) if layout == "column" else 0
    room_y = rng.randint(60, 180) if layout == "bar" else 0
    size = (2 * margin_x + columns * pitch + room_x, 2 * margin_y + rows * pitch + room_y)
    paper, colours = rng.choice(PAPERS)
    tiles, colour = rng.random() < 0.35, rng.choice(colours)
    several = rng.random() < 0.3
    turned = 15 if distorted and rng.random() < 0.5 else 0
    placed = []
    for number, icon in enumerate(chosen):
        side = int(pitch * rng.uniform(0.5, 0.72))
        ink = mask(icon, side)
        if turned:
            ink = ink.rotate(rng.uniform(-turned, turned), Image.Resampling.BICUBIC, expand=True)
        if distorted:
            stretch = rng.uniform(0.85, 1.15)
            ink = ink.resize((min(pitch - 4, max(8, int(ink.width * stretch))), min(pitch - 4, ink.height)))
        left = margin_x + number % columns * pitch + (pitch - ink.width) // 2
        top = margin_y + number // columns * pitch + (pitch - ink.height) // 2
        own = rng.choice(colours) if several else colour
        tile = own if tiles else None
        badge = distorted and rng.random() < 0.15
        placed.append(Placed(icon, ink, (left, top), paper if tiles else own, tile, badge, pitch))
    blur = rng.uniform(0.4, 1.0) if distorted and rng.random() < 0.4 else 0.0
    return Scene(size, paper, tuple(placed), blur, layout)


def draw(scene: Scene) -> Image.Image:
    """The picture of a scene."""
    image = Image.new("RGB", scene.size, scene.paper)
    pen = ImageDraw.Draw(image)
    for placed in scene.placed:
        x, y = placed.corner
        middle = (x + placed.ink.width // 2, y + placed.ink.height // 2)
        half = placed.pitch * 0.46
        if placed.tile is not None:
            corners = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
            pen.rounded_rectangle(corners, radius=placed.pitch // 6, fill=placed.tile)
        image.paste(placed.colour, placed.corner, placed.ink)
        if placed.badge:
            # A badge covers the upper right corner of the icon, at most a twelfth of its square.
            radius = max(3, placed.ink.width // 8)
            centre = (x + placed.ink.width - radius, y + radius)
            pen.ellipse(
                (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius),
                fill=(220, 38, 38),
                outline=(255, 255, 255),
            )
    return image.filter(ImageFilter.GaussianBlur(scene.blur)) if scene.blur else image


def _title(icon: Icon, language: str) -> str:
    return BY_NAME[icon.concept].name_zh if language == "zh" else icon.title


def _others(rng: random.Random, icon: Icon, split: Split, known: bool, language: str, count: int = 3) -> list[str]:
    """Names that an icon can't be meant by."""
    chosen: list[Icon] = []
    pool = _pool(icon.package, split, known)
    for other in rng.sample(pool, len(pool)):
        if not alike(other, [icon, *chosen]):
            chosen.append(other)
        if len(chosen) == count:
            break
    return [_title(other, language) for other in chosen]


def _what(rng: random.Random, which: str, which_zh: str, known: bool, language: str) -> str:
    """The question what an icon is; a drawing without a function shows a thing, it doesn't stand for one."""
    if language == "zh":
        return rng.choice((f"{which_zh}代表什么？", f"{which_zh}表示哪种功能？"))
    return rng.choice((f"What does {which} stand for?" if known else f"What does {which} show?",
                       f"Which name fits {which} best?"))  # fmt: skip


def _alone(rng: random.Random, scene: Scene, known: bool, language: str, split: Split) -> list[Turn]:
    (placed,) = scene.placed
    icon = placed.icon
    title = _title(icon, language)
    # One of these alone: each would give the others' answers away.
    form = rng.choice(("what", *(("does",) if known else ()), *(("name",) if language == "en" else ())))
    turns = []
    if form == "what":
        asked = _what(rng, "this icon", "这个图标", known, language)
        turns.append(choice_turn(asked, title, _others(rng, icon, split, known, language), rng, language))
    if form == "does":
        question = {"en": "What would a button with this icon do?", "zh": "带有这个图标的按钮有什么作用？"}[language]
        meaning = BY_NAME[icon.concept]
        pool = [found.meaning for found in meaning_icons(icon.package, split) if not alike(found.icon, [icon])]
        others = [(m.does_zh if language == "zh" else m.does) for m in rng.sample(pool, 3)]
        turns.append(
            choice_turn(question, meaning.does_zh if language == "zh" else meaning.does, others, rng, language)
        )
    if form == "name":
        check = {"verifier": "exact", "target": title, "accepted": list(dict.fromkeys((icon.name, *icon.tags)))}
        turns.append(short_turn("Name this icon.", title, check))
    box = {"verifier": "box", "target": list(placed.box), "size": list(scene.size)}
    turns.append(
        Turn(
            {"en": "Give the bounding box of the icon.", "zh": "请给出图标的边界框。"}[language],
            format_box(placed.box, *scene.size),
            box,
        )
    )
    rng.shuffle(turns)
    return turns


def _among(rng: random.Random, scene: Scene, known: bool, language: str, split: Split) -> list[Turn]:
    targets = rng.sample(scene.placed, min(4, len(scene.placed)))
    forms = ["point", "box", "action", "what", "thought"] + (["order"] if scene.layout in ("bar", "column") else [])
    # What lists all the icons comes last, or it would answer the questions before.
    chosen = sorted(rng.sample(forms, min(3, len(targets))), key=("thought", "order").__contains__)
    if chosen[-2:] in (["thought", "order"], ["order", "thought"]):
        chosen.pop()
    turns = [
        _asked(rng, form, placed, scene, known, language, split) for form, placed in zip(chosen, targets, strict=False)
    ]
    if rng.random() < 0.3:
        count = len(scene.placed)
        question = {"en": "How many icons are there?", "zh": "图中有多少个图标？"}[language]
        turns.insert(0, short_turn(question, str(count), {"verifier": "count", "target": count}, language))
    return turns


def _asked(
    rng: random.Random, form: str, placed: Placed, scene: Scene, known: bool, language: str, split: Split
) -> Turn:
    box, size, icon = placed.box, scene.size, placed.icon
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    if known:
        meaning = BY_NAME[icon.concept]
        which = wording(rng, WHICH[language], does=meaning.does_zh if language == "zh" else meaning.does)
    else:
        which = wording(rng, NAMED, name=icon.title)
    place: dict[str, Any] = {"targets": [list(box)], "size": list(size)}
    if form == "point":
        return Turn(which + POINT[language], format_point(middle, *size), {"verifier": "point", **place})
    if form == "box":
        check = {"verifier": "box", "target": list(box), "size": list(size)}
        return Turn(which + BOX[language], format_box(box, *size), check)
    if form == "action":
        check = {"verifier": "action", "action": "click", **place}
        return Turn(which + ACTION[language], f"Action: {click(middle, size)}", check)
    if form == "what":
        where = format_box(box, *size)
        question = _what(rng, f"the icon at {where}", f"{where} 处的图标", known, language)
        return choice_turn(question, _title(icon, language), _others(rng, icon, split, known, language), rng, language)
    titles = [_title(p.icon, language) for p in scene.placed]
    if form == "order":
        across = scene.layout == "bar"
        names = rng.sample(titles, len(titles))
        question = {
            "en": f"The icons are called {', '.join(names)}. "
            f"List them from {'left to right' if across else 'top to bottom'}, separated by commas.",
            "zh": f"这些图标分别叫{'、'.join(names)}。请{'从左到右' if across else '从上到下'}依次列出，用逗号分隔。",
        }[language]
        answer = ("，" if language == "zh" else ", ").join(titles)
        return Turn(ask(question, "plain", language), answer, {"verifier": "sequence", "target": titles})
    seen = {
        "en": f"The icons show, in reading order: {', '.join(titles)}.",
        "zh": f"按阅读顺序，图标分别是：{'、'.join(titles)}。",
    }[language]
    fits = {
        "en": f"The one asked for is “{_title(icon, language)}”, number {scene.placed.index(placed) + 1}.",
        "zh": f"所问的是“{_title(icon, language)}”，即第 {scene.placed.index(placed) + 1} 个。",
    }[language]
    check = {"verifier": "point", **place}
    return thought_turn(which + POINT[language], [seen, fits], format_point(middle, *size), check, language)
