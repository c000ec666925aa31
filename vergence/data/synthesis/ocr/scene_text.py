"""Coloured signs on a wall or a wallpaper, seen at an angle, flat or curved: what they say, where, and in which colour.

The truth has each word's outline in the picture: four corners, or points along an arc. Held out are font
families and words.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageFilter
from pydantic import Field

from vergence.data.formats import short_turn, thought_turn
from vergence.data.generator import OURS, Draft, GeneratorConfig, Region, SourceItem, Turn, dialogue
from vergence.data.pictures import Box
from vergence.data.synthesis.ocr import effects
from vergence.data.synthesis.ocr.backgrounds import WALLPAPER_LICENCE, wall, wallpaper_part
from vergence.data.synthesis.ocr.effects import Points
from vergence.data.synthesis.ocr.fonts import Typeface, families, font_item
from vergence.data.synthesis.ocr.scripts import SCRIPTS, ScriptName, Writer
from vergence.data.synthesis.ocr.shaping import Style
from vergence.data.synthesis.ocr.signs import PLATES, Sign, make_sign
from vergence.data.synthesis.ocr.turns import untold
from vergence.processing.coordinates import format_box

VERSION = 2
PACKAGES: tuple[str, ...] = ()


class Config(GeneratorConfig):
    """What scenes show and in which languages they are asked about."""

    scripts: tuple[ScriptName, ...] = Field(("latin",), description="scripts; one is drawn for each sign")
    language: Literal["en", "zh", "mix"] = Field("mix", description="language of questions and answers")
    signs: int = Field(4, ge=1, le=9, description="most signs in a picture")
    background: Literal["made", "wallpapers"] = Field("made", description="made walls, or wallpapers, once fetched")
    min_side: int = Field(448, ge=224, description="least side of a picture in pixels")
    max_side: int = Field(896, le=4096, description="largest side of a picture in pixels")
    turns: int = Field(3, ge=1, description="questions about one picture")


@dataclass(slots=True)
class Hung:
    """A sign in a picture: the box around its plate, its words' outlines and the typeface."""

    sign: Sign
    box: Box
    words: list[tuple[str, Points]]
    typeface: Typeface

    @property
    def text_box(self) -> Box:
        """The box around all words."""
        return effects.box_around([point for _, outline in self.words for point in outline])


def generate(rng: random.Random, config: Config) -> Draft:
    """Hang, light and question signs. Raises `UsageError` where fonts of a script aren't fetched."""
    size = (rng.randint(config.min_side, config.max_side), rng.randint(config.min_side, config.max_side))
    picture, grounds = _ground(size, config, rng)
    count = rng.choices(range(1, config.signs + 1), [1.0 if n < 4 else 0.6 for n in range(config.signs)])[0]
    colours = rng.sample(list(PLATES), count)
    hung = []
    for cell, colour in zip(cells(size, count, rng), colours, strict=True):
        script = SCRIPTS[rng.choice(config.scripts)]
        typeface = rng.choice(rng.choice(families(script.name, "print", config.split)))
        writer = Writer(script, config.split, "words", (typeface,), rng)
        sign = make_sign(colour, Style(typeface, 64, script), writer, rng)
        hung.append(hang(picture, sign, cell, typeface, rng))
    picture = _finish(picture, rng)
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    messages, checks = dialogue(
        (effects.jpeg(picture, rng.randint(70, 92)),), questions(hung, size, language, config, rng)
    )
    smallest = min(item.text_box[3] - item.text_box[1] for item in hung)
    return Draft(
        messages,
        checks,
        truth={"signs": [_truth(item) for item in hung]},
        capability="ocr/scene text",
        domain="signs",
        difficulty=min(1.0, 0.2 + 0.1 * len(hung) + 6 / max(smallest, 12)),
        language=language,
        licence=WALLPAPER_LICENCE if grounds else OURS,
        sources=(*dict.fromkeys(font_item(item.typeface) for item in hung), *grounds),
        regions=_regions(hung),
        tags={"scripts": sorted({item.sign.lines[0].script.name for item in hung})},
    )


def _ground(size: tuple[int, int], config: Config, rng: random.Random) -> tuple[Image.Image, tuple[SourceItem, ...]]:
    if config.background == "made":
        return wall(size, rng), ()
    picture, item = wallpaper_part(size, config.split, rng)
    return picture, (item,)


def _truth(item: Hung) -> dict[str, Any]:
    return {
        "colour": item.sign.colour,
        "text": item.sign.text,
        "lines": [line.text for line in item.sign.lines],
        "box": [round(value, 1) for value in item.box],
        "words": [[text, *([round(x, 1), round(y, 1)] for x, y in outline)] for text, outline in item.words],
    }


def _regions(hung: list[Hung]) -> tuple[Region, ...]:
    signs = [Region(f"{item.sign.colour} sign", item.box) for item in hung]
    words = [Region(text, points=tuple(outline)) for item in hung for text, outline in item.words]
    return (*signs, *words)


def cells(size: tuple[int, int], count: int, rng: random.Random) -> list[Box]:
    """Places for signs that don't touch each other: cells of a grid, in random order."""
    columns = {1: 1, 2: rng.choice((1, 2)), 3: rng.choice((1, 2)), 4: 2}.get(count, 3 if count > 6 else 2)
    rows = -(-count // columns)
    width, height = size[0] / columns, size[1] / rows
    found = [(x * width, y * height, (x + 1) * width, (y + 1) * height) for y in range(rows) for x in range(columns)]
    return rng.sample(found, count)


def hang(picture: Image.Image, sign: Sign, cell: Box, typeface: Typeface, rng: random.Random) -> Hung:
    """Paste a sign into its cell, seen at an angle: each corner moves by up to 9 % of a side, all turns a little."""
    x1, y1, x2, y2 = cell
    room_x, room_y = (x2 - x1) * 0.9, (y2 - y1) * 0.86
    width, height = sign.picture.size
    scale = min(room_x / width, room_y / height, rng.uniform(0.5, 1.1))
    wide, high = width * scale, height * scale
    turn = rng.uniform(-0.12, 0.12)
    # What turning and moving of corners add must still fit the cell.
    fit = min(1.0, room_x / (wide + abs(turn) * high), room_y / (high + abs(turn) * wide))
    wide, high = wide * fit, high * fit
    corners = []
    for x, y in effects.corners_of((-wide / 2, -high / 2, wide / 2, high / 2)):
        x, y = x * (1 - rng.uniform(0, 0.09)), y * (1 - rng.uniform(0, 0.18))
        corners.append((x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)))
    around = effects.box_around(corners)
    left = rng.uniform(x1 + 2 - around[0], max(x1 + 2 - around[0], x2 - 2 - around[2]))
    top = rng.uniform(y1 + 2 - around[1], max(y1 + 2 - around[1], y2 - 2 - around[3]))
    target = [(float(x + left), float(y + top)) for x, y in corners]
    # Drawn into its own box, not the whole picture, for speed.
    box = effects.box_around(target)
    origin = (int(box[0]), int(box[1]))
    local = [(x - origin[0], y - origin[1]) for x, y in target]
    extent = (int(box[2]) - origin[0] + 2, int(box[3]) - origin[1] + 2)
    matrix = effects.homography(effects.corners_of((0, 0, width, height)), local)
    pasted = warped(sign.picture, matrix, extent)
    mask = warped(sign.mask, matrix, extent)
    shadow = mask.filter(ImageFilter.GaussianBlur(3)).point([value // 3 for value in range(256)])
    picture.paste((0, 0, 0), (origin[0] + 3, origin[1] + 4), shadow)
    picture.paste(pasted, origin, mask)
    words: list[tuple[str, Points]] = []
    for line, number, outline in sign.outlines:
        points = [(x + origin[0], y + origin[1]) for x, y in effects.project(matrix, outline)]
        words.append((line.words[number].text, tuple(points)))
    return Hung(sign, box, words, typeface)


def warped(picture: Image.Image, matrix: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """A picture as a homography shows it, made smaller first where that halves it, so that nothing is left out."""
    corners = effects.project(matrix, effects.corners_of((0, 0, *picture.size)))
    width, height = corners[1][0] - corners[0][0], corners[3][1] - corners[0][1]
    factor = max(1, int(min(picture.width / max(width, 1), picture.height / max(height, 1))))
    if factor > 1:
        matrix = matrix @ np.diag((factor, factor, 1.0))
        picture = picture.reduce(factor)
    inverse = np.linalg.inv(matrix)
    coefficients = tuple(float(value) for value in (inverse / inverse[2, 2]).ravel()[:8])
    return picture.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)


def _finish(picture: Image.Image, rng: random.Random) -> Image.Image:
    if rng.random() < 0.6:
        picture = effects.lit(picture, rng, 195)
    if rng.random() < 0.25:
        picture = effects.blurred(picture, rng.uniform(0.4, 1.0))
    return effects.noisy(picture, rng.randint(2, 6), rng)


def questions(hung: list[Hung], size: tuple[int, int], language: str, config: Config, rng: random.Random) -> list[Turn]:
    """Different questions, each kind once and none that an earlier one gives away; those of all signs come last."""
    makers = [_by_colour, _by_box, _locate, _count, _outermost, _all, _which_colour]
    rng.shuffle(makers)
    chosen = [(make, turn) for make in makers if (turn := make(hung, size, language, rng)) is not None]
    turns = [turn for make, turn in chosen[: config.turns] if make not in (_count, _all)]
    turns += [turn for make, turn in chosen[: config.turns] if make in (_count, _all)]
    return untold([*turns, *(turn for _, turn in chosen[config.turns :])], config.turns)


def _by_colour(hung: list[Hung], size: tuple[int, int], language: str, rng: random.Random) -> Turn:
    item = rng.choice(hung)
    name = PLATES[item.sign.colour][1] if language == "zh" else item.sign.colour
    wordings = {
        "en": (f"What does the {name} sign say?", f"Read the text on the {name} sign."),
        "zh": (f"{name}的牌子上写着什么？", f"请读出{name}牌子上的文字。"),
    }
    return Turn(rng.choice(wordings[language]), item.sign.text, {"verifier": "text", "target": item.sign.text})


def _by_box(hung: list[Hung], size: tuple[int, int], language: str, rng: random.Random) -> Turn:
    item = rng.choice(hung)
    box = format_box(item.box, *size)
    question = f"{box} 中的牌子上写着什么？" if language == "zh" else f"What is written on the sign in {box}?"
    return Turn(question, item.sign.text, {"verifier": "text", "target": item.sign.text})


def _locate(hung: list[Hung], size: tuple[int, int], language: str, rng: random.Random) -> Turn | None:
    words = [word for item in hung for word in item.words]
    single = [w for w in words if len(w[0]) > 1 and sum(w[0].lower() in other.lower() for other, _ in words) == 1]
    if not single:
        return None
    text, outline = rng.choice(single)
    box = effects.box_around(outline)
    wordings = {
        "en": (f"Where is the word “{text}”? Give its box.", f"Give the bounding box of the text “{text}”."),
        "zh": (f"请框出文字“{text}”。", f"“{text}”在图中的什么位置？请给出边界框。"),
    }
    check = {"verifier": "box", "target": list(box), "size": list(size)}
    return Turn(rng.choice(wordings[language]), format_box(box, *size), check)


def _count(hung: list[Hung], size: tuple[int, int], language: str, rng: random.Random) -> Turn:
    zh = language == "zh"
    ordered = sorted(hung, key=lambda item: (item.box[1] + item.box[3], item.box[0]))
    steps = [
        f"{PLATES[item.sign.colour][1]}：{item.sign.text}" if zh else f"{item.sign.colour}: {item.sign.text}"
        for item in ordered
    ]
    question = "图中有多少块牌子？" if zh else "How many signs are in the picture?"
    return thought_turn(question, steps, str(len(hung)), {"verifier": "count", "target": len(hung)}, language)


def _outermost(hung: list[Hung], size: tuple[int, int], language: str, rng: random.Random) -> Turn | None:
    """The sign furthest to one side, where the next one is clearly less far."""
    side, english, chinese = rng.choice(((0, "left", "左"), (1, "top", "上"), (2, "right", "右"), (3, "bottom", "下")))
    sign = 1 if side < 2 else -1
    ordered = sorted(hung, key=lambda item: sign * (item.box[side % 2] + item.box[side % 2 + 2]))
    if len(hung) < 2:
        return None
    gap = abs(sum(ordered[0].box[side % 2 :: 2]) - sum(ordered[1].box[side % 2 :: 2])) / 2
    # "Nearest" may be meant of a sign's middle or of its rim: it must be the same sign by either.
    rims = sorted(sign * item.box[side] for item in hung)
    first = sign * ordered[0].box[side]
    if gap < size[side % 2] * 0.12 or first > rims[0] or rims[1] - first < size[side % 2] * 0.03:
        return None
    question = (
        f"最靠{chinese}的牌子上写着什么？"
        if language == "zh"
        else f"What does the sign nearest to the {english} edge say?"
    )
    text = ordered[0].sign.text
    return Turn(question, text, {"verifier": "text", "target": text})


def _all(hung: list[Hung], size: tuple[int, int], language: str, rng: random.Random) -> Turn | None:
    texts = [item.sign.text for item in hung]
    if len(set(texts)) < 2 or len(set(texts)) != len(texts) or any(set(text) & set(",;，、；") for text in texts):
        return None
    question = (
        "请读出所有牌子上的文字，用逗号分隔各块牌子。"
        if language == "zh"
        else "Read every sign; separate the signs by commas."
    )
    joint = "，" if language == "zh" else ", "
    return Turn(question, joint.join(texts), {"verifier": "set", "target": texts})


def _which_colour(hung: list[Hung], size: tuple[int, int], language: str, rng: random.Random) -> Turn | None:
    item = rng.choice(hung)
    if sum(item.sign.text in other.sign.text for other in hung) > 1:
        return None
    english, chinese = item.sign.colour, PLATES[item.sign.colour][1]
    zh = language == "zh"
    question = (
        f"写着“{item.sign.text}”的牌子是什么颜色的？"
        if zh
        else f"What colour is the sign that says “{item.sign.text}”?"
    )
    accepted = [chinese.removesuffix("色")] if zh else []
    check = {"verifier": "exact", "target": chinese if zh else english, "accepted": accepted}
    return short_turn(question, chinese if zh else english, check, language)
