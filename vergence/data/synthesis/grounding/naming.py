"""Real pictures with the names and sentences that their authors gave them, in many languages."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from PIL import Image
from pydantic import Field

from vergence.data.formats import choice_turn, short_turn
from vergence.data.generator import Draft, GeneratorConfig, Turn, dialogue
from vergence.data.pictures import Split
from vergence.data.sources.items import Item, cutout
from vergence.data.synthesis.grounding import scene
from vergence.data.synthesis.grounding.backgrounds import background
from vergence.data.synthesis.grounding.cutouts import article, things
from vergence.errors import DataError, UsageError

VERSION = 1
PACKAGES = ("resvg-py", "numpy")
NAMES: Mapping[str, tuple[str, str]] = {
    "en": ("English", "英语"),
    "zh": ("Chinese", "中文"),
    "de": ("German", "德语"),
    "fr": ("French", "法语"),
    "es": ("Spanish", "西班牙语"),
    "it": ("Italian", "意大利语"),
    "pt": ("Portuguese", "葡萄牙语"),
    "ru": ("Russian", "俄语"),
    "ja": ("Japanese", "日语"),
    "ko": ("Korean", "韩语"),
    "uk": ("Ukrainian", "乌克兰语"),
    "vi": ("Vietnamese", "越南语"),
}
"""Language -> what it is called in English and in Chinese."""


class Config(GeneratorConfig):
    """Which pictures, and in which languages they are named."""

    language: Literal["en", "zh", "mix"] = Field("mix", description="of the questions")
    further: float = Field(0.3, ge=0, le=1, description="share that also asks for the name in a third language")
    sources: tuple[str, ...] = Field(
        ("fluent-emoji-3d", "tuxpaint-stamps"), description="of: openmoji, fluent-emoji-3d, tuxpaint-stamps"
    )


@lru_cache(maxsize=16)
def _shelf(sources: tuple[str, ...], split: Split, language: str) -> Mapping[str, tuple[tuple[Item, str], ...]]:
    """Category -> items with their names, each name once; what splits is the English name."""
    found: dict[str, dict[str, Item]] = {}
    for thing in things(sources, split, language):
        item = thing.item
        group = found.setdefault(f"{item.package}/{item.category}", {})
        group.setdefault(thing.name(language), item)
    return {key: tuple((item, name) for name, item in group.items()) for key, group in found.items() if len(group) > 3}


def generate(rng: random.Random, config: Config) -> Draft:
    """One picture and a dialogue about what it is. Raises `DataError`, and `UsageError` where a source isn't here."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    shelf = _shelf(config.sources, config.split, language)
    if not shelf:
        raise UsageError(f"{', '.join(config.sources)} have no group of four names in {language!r}")
    groups = list(shelf.values())
    item, name, group, drawing = _choose(rng, groups)
    side = rng.randint(320, 384)
    picture, _ = background(rng, (side, side), config.split, "made")
    place = (rng.randint(8, side - drawing.width - 8), rng.randint(8, side - drawing.height - 8))
    picture.paste(drawing, place, drawing)
    turns = _turns(rng, item, name, group, language, config.further)
    messages, checks = dialogue((scene.jpeg(picture),), turns)
    box = (*place, place[0] + drawing.width, place[1] + drawing.height)
    return Draft(
        messages,
        checks,
        truth={"name": name, "names": dict(item.names), "captions": dict(item.captions), "category": item.category},
        capability="knowledge/naming",
        domain=item.category.split("/")[0],
        difficulty=min(1.0, 0.2 + 0.02 * len(name) + 0.15 * (len(turns) > 2)),
        language=language,
        licence=item.licence,
        source=item.package,
        sources=(item.record,),
        regions=(scene.Region(name, box=box),),
    )


Group = tuple[tuple[Item, str], ...]


def unlike(name: str, group: Group) -> list[str]:
    """The names of a category of which neither holds the other."""
    return [other for _, other in group if name not in other and other not in name]


def _choose(rng: random.Random, groups: list[Group]) -> tuple[Item, str, Group, Image.Image]:
    """An item that can be drawn, with its name, its category and its cut-out."""
    for _ in range(20):
        group = rng.choices(groups, [len(entries) for entries in groups])[0]
        item, name = rng.choice(group)
        try:
            drawing = cutout(item.read, 288, item.name)
        except DataError:
            continue
        if len(unlike(name, group)) >= 3:
            return item, name, group, drawing
    raise DataError("none of 20 pictures could be drawn and told from three others")


def _turns(rng: random.Random, item: Item, name: str, group: Group, language: str, further: float) -> list[Turn]:
    english = language == "en"
    turns = []
    if rng.random() < 0.5:
        question = "Which of these does the picture show?" if english else "图中是下列哪一种？"
        turns.append(choice_turn(question, name, rng.sample(unlike(name, group), 3), rng, language))
    else:
        accepted = [article(name), f"the {name}"] if english else []
        check = {"verifier": "exact", "target": name, "accepted": accepted}
        question = rng.choice(
            ("What is this?", "What does the picture show?") if english else ("这是什么？", "图中是什么？")
        )
        turns.append(short_turn(question, name, check, language))
    caption = item.captions.get(language)
    if caption:
        question = "Describe the picture in a sentence." if english else "请用一句话描述这张图片。"
        turns.append(Turn(question, caption, {"verifier": "open", "target": caption}))
    known = [tag for tag in NAMES if tag != language and (tag in item.names or tag in item.captions)]
    if known and rng.random() < further:
        tag = rng.choice(known)
        answer = item.names.get(tag) or item.captions[tag]
        whole = tag not in item.names
        if english:
            question = f"{'Describe it' if whole else 'What is it called'} in {NAMES[tag][0]}{'.' if whole else '?'}"
        else:
            question = f"请用{NAMES[tag][1]}描述它。" if whole else f"它用{NAMES[tag][1]}怎么说？"
        turns.append(Turn(question, answer, {"verifier": "open" if whole else "exact", "target": answer}))
    return turns
