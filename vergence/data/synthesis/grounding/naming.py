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
from vergence.data.sources.items import cutout
from vergence.data.synthesis.grounding import scene
from vergence.data.synthesis.grounding.backgrounds import background
from vergence.data.synthesis.grounding.cutouts import Thing, article, things
from vergence.errors import DataError, UsageError

VERSION = 2
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
_DESCRIBING = (
    "black blue brown colorful green grey large little orange pink purple red silver sitting sleeping small white "
    "yellow big huge happy open closed empty modern old sliced folded round"
)
DESCRIBING = frozenset(_DESCRIBING.split())
"""First words of names that only describe what is shown."""


class Config(GeneratorConfig):
    """Which pictures, and in which languages they are named."""

    language: Literal["en", "zh", "mix"] = Field("mix", description="of the questions")
    further: float = Field(0.3, ge=0, le=1, description="share that also asks for the name in a third language")
    sources: tuple[str, ...] = Field(
        ("fluent-emoji-3d", "tuxpaint-stamps"), description="of: openmoji, fluent-emoji-3d, tuxpaint-stamps"
    )


Group = tuple[tuple[Thing, str], ...]
"""The things of a category with their names in the language of the questions."""


@lru_cache(maxsize=16)
def _shelf(sources: tuple[str, ...], split: Split, language: str) -> Mapping[str, Group]:
    """Category -> things with their names, each name once; what splits is the English name."""
    found: dict[str, dict[str, Thing]] = {}
    for thing in things(sources, split, language):
        item = thing.item
        group = found.setdefault(f"{item.package}/{item.category}", {})
        group.setdefault(thing.name(language), thing)
    return {
        key: tuple((thing, name) for name, thing in group.items()) for key, group in found.items() if len(group) > 3
    }


def generate(rng: random.Random, config: Config) -> Draft:
    """One picture and a dialogue about what it is. Raises `DataError`, and `UsageError` where a source isn't here."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    shelf = _shelf(config.sources, config.split, language)
    if not shelf:
        raise UsageError(f"{', '.join(config.sources)} have no group of four names in {language!r}")
    groups = list(shelf.values())
    thing, name, group, drawing = _choose(rng, groups)
    item = thing.item
    side = rng.randint(320, 384)
    picture, _ = background(rng, (side, side), config.split, "made")
    place = (rng.randint(8, side - drawing.width - 8), rng.randint(8, side - drawing.height - 8))
    picture.paste(drawing, place, drawing)
    turns = _turns(rng, thing, name, group, language, config.further)
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


def unlike(shown: Thing, name: str, group: Group) -> list[str]:
    """The names of a category that can't be right too: neither holds the other, and nobody confuses the things."""
    return [
        other for thing, other in group if name not in other and other not in name and not thing.words & shown.words
    ]


def _choose(rng: random.Random, groups: list[Group]) -> tuple[Thing, str, Group, Image.Image]:
    """A thing that can be drawn, with its name, its category and its cut-out."""
    for _ in range(20):
        group = rng.choices(groups, [len(entries) for entries in groups])[0]
        thing, name = rng.choice(group)
        try:
            drawing = cutout(thing.item.read, 288, thing.item.name)
        except DataError:
            continue
        if len(unlike(thing, name, group)) >= 3:
            return thing, name, group, drawing
    raise DataError("none of 20 pictures could be drawn and told from three others")


def shorter(name: str, language: str) -> list[str]:
    """What a name is also right without: what stands before the noun ("brown potato": "potato")."""
    if language == "en":
        return [name.split()[-1]] if name.split()[0] in DESCRIBING else []
    return [name.rpartition("的")[2]] if "的" in name[1:-1] else []


def _turns(rng: random.Random, thing: Thing, name: str, group: Group, language: str, further: float) -> list[Turn]:
    english, item = language == "en", thing.item
    turns = []
    if rng.random() < 0.5:
        question = "Which of these does the picture show?" if english else "图中是下列哪一种？"
        turns.append(choice_turn(question, name, rng.sample(unlike(thing, name, group), 3), rng, language))
    else:
        names = [name, *shorter(name, language)]
        accepted = [form for n in names for form in ((n, article(n), f"the {n}") if english else (n,))]
        check = {"verifier": "exact", "target": name, "accepted": accepted}
        question = rng.choice(
            ("What is this?", "What does the picture show?") if english else ("这是什么？", "图中是什么？")
        )
        turns.append(short_turn(question, name, check, language))
    caption = item.captions.get(language)
    if caption:
        question = "Describe the picture in a few words." if english else "请用几个字描述这张图片。"
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
