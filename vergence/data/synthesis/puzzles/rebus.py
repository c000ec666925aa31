"""Rebuses of emoji: compounds and idioms whose parts are pictures, and words spelt by the letters of picture names.

rebus.txt lists the compounds and idioms with the emoji of each part; the parts of a rebus, joined, are its answer.
Training pictures are OpenMoji's drawings, held-out ones those of Fluent Emoji, and the answers differ too.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image
from pydantic import Field

from vergence.data.formats import choice_turn
from vergence.data.generator import Draft, Region, SourceItem, Turn, dialogue, source_item
from vergence.data.pictures import Split, split_of
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.palette import RGB
from vergence.data.synthesis.puzzles.drawing import Canvas, png
from vergence.data.synthesis.puzzles.puzzle import (
    Language,
    PuzzleConfig,
    between,
    graded,
    language_of,
    reply,
    share,
)
from vergence.data.synthesis.puzzles.words import common_words
from vergence.errors import DataError
from vergence.processing.coordinates import format_box
from vergence.processing.media import decode_image

VERSION = 2
PACKAGES = ("resvg-py",)

FACTS = Path(__file__).with_suffix(".txt")
SOURCES: dict[Split, tuple[str, str, str]] = {
    "train": ("openmoji", "package/color/svg", "CC-BY-SA-4.0"),
    "heldout": ("fluent-emoji-3d", "package/assets", "MIT"),
}
"""Side of the split -> source package, folder in it, licence."""

SIZE = 84
PAPERS: Sequence[RGB] = ((255, 255, 255), (253, 248, 236), (240, 247, 250), (245, 243, 250))

THINGS = (
    "apple=1F34E ant=1F41C anchor=2693 banana=1F34C bee=1F41D bell=1F514 bread=1F35E cat=1F431 cow=1F42E corn=1F33D "
    "dog=1F436 duck=1F986 door=1F6AA elephant=1F418 egg=1F95A ear=1F442 fish=1F41F fox=1F98A fire=1F525 grapes=1F347 "
    "ghost=1F47B horse=1F434 house=1F3E0 hammer=1F528 ice=1F9CA jeans=1F456 key=1F511 koala=1F428 kite=1FA81 "
    "lion=1F981 lemon=1F34B moon=1F319 mushroom=1F344 nose=1F443 octopus=1F419 owl=1F989 "
    "pig=1F437 pear=1F350 penguin=1F427 rabbit=1F430 rocket=1F680 robot=1F916 rose=1F339 snake=1F40D star=2B50 "
    "sun=2600 snail=1F40C tree=1F333 tiger=1F42F train=1F686 umbrella=2602 unicorn=1F984 violin=1F3BB whale=1F433 "
    "wolf=1F43A watch=231A zebra=1F993 guitar=1F3B8 pizza=1F355 clock=1F570 frog=1F438 spider=1F577"
)
"""Emoji that everybody names alike in English."""

Form = Literal["compound", "first", "last"]


class Part(NamedTuple):
    """What a picture stands for, and its emoji's code points in hexadecimal."""

    text: str
    code: str


@dataclass(frozen=True)
class Rebus:
    """An answer and its parts; `form` says whether their names are joined or which of their letters count."""

    form: Form
    answer: str
    parts: tuple[Part, ...]
    difficulty: float


class Config(PuzzleConfig):
    """Which sorts of rebus."""

    forms: tuple[Form, ...] = Field(
        ("compound", "compound", "first", "last"), min_length=1, description="sorts to draw from"
    )


@cache
def facts(language: Language, split: Split) -> tuple[tuple[str, tuple[Part, ...]], ...]:
    """The compounds and idioms of a language on one side of the split. Raises `DataError` for a line of no sense."""
    found = []
    for line in FACTS.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        tag, answer, *parts = line.split()
        read = tuple(Part(*part.split("=")) for part in parts)
        if "".join(part.text for part in read) != answer:
            raise DataError(f"{FACTS.name}: the parts of {answer} don't make it up")
        if tag == language and split_of(f"rebus:{answer}") == split:
            found.append((answer, read))
    return tuple(found)


@cache
def things() -> tuple[Part, ...]:
    """The pictures whose letters spell words."""
    return tuple(Part(*thing.split("=")) for thing in THINGS.split())


def emoji_file(code: str, split: Split) -> Path:
    """The file of an emoji; sets differ in whether they write the variation selector FE0F."""
    package, folder, _ = SOURCES[split]
    for name in (code, f"{code}-FE0F", code.replace("-FE0F", "")):
        path = package_folder(package) / folder / (f"{name}.svg" if split == "train" else f"{name.lower()}.webp")
        if path.is_file():
            return path
    raise DataError(f"{package} has no drawing of {code}")


@lru_cache(maxsize=1024)
def emoji_picture(path: Path, paper: RGB) -> Image.Image:
    """An emoji of 84 x 84 pixels on a paper; pictures with transparency are laid on white."""
    if path.suffix == ".svg":
        from resvg_py import svg_to_bytes

        colour = "#{:02x}{:02x}{:02x}".format(*paper)
        data = svg_to_bytes(svg_path=str(path), width=SIZE, height=SIZE, skip_system_fonts=True, background=colour)
        return decode_image(data)
    return decode_image(path).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


@cache
def emoji_item(path: Path, split: Split) -> SourceItem:
    """The record of an emoji."""
    package, _, licence = SOURCES[split]
    return source_item(package, path.stem, path.read_bytes(), licence)


def make_rebus(config: Config, language: Language, rng: random.Random, level: float) -> Rebus | None:
    """A rebus of one of the sorts; None where no picture has a letter that the word needs."""
    form = rng.choice(config.forms)
    if form == "compound":
        answer, parts = rng.choice(facts(language, config.split))
        length = share(len(answer), 2, 5) if language == "zh" else share(len(answer), 6, 11)
        difficulty = 0.1 + 0.4 * share(len(parts), 2, 4) + 0.2 * length
        return Rebus(form, answer, parts, difficulty)
    length = between(level, 3, 6)
    answer = rng.choice([word for word in common_words(config.split) if abs(len(word) - length) <= 1])
    place = 0 if form == "first" else -1
    spelt: list[Part] = []
    for letter in answer:
        fitting = [thing for thing in things() if thing.text[place] == letter and thing not in spelt]
        if not fitting:
            return None
        spelt.append(rng.choice(fitting))
    difficulty = 0.2 + 0.6 * share(len(answer), 3, 6) + (0.2 if form == "last" else 0.0)
    return Rebus(form, answer, tuple(spelt), difficulty)


def generate(rng: random.Random, config: Config) -> Draft:
    """A row of emoji, asked for the word they make, and for the picture of a part."""
    language = language_of(rng, config)
    rebus = graded(rng, config, partial(make_rebus, config, language))
    paper = rng.choice(PAPERS) if config.split == "train" else PAPERS[0]
    files = [emoji_file(part.code, config.split) for part in rebus.parts]
    gap = 46 if rebus.form == "compound" else 14
    width = len(files) * SIZE + (len(files) - 1) * gap + 36
    canvas = Canvas(width, SIZE + 56, paper)
    boxes = []
    for number in range(len(files)):
        x = 18 + number * (SIZE + gap)
        boxes.append((x, 14, x + SIZE, 14 + SIZE))
        canvas.text((x + SIZE / 2, SIZE + 34), str(number + 1), 17, (90, 96, 106))
        if number and rebus.form == "compound":
            canvas.text((x - gap / 2, 14 + SIZE / 2), "+", 32, (60, 66, 76))
    image = canvas.finish()
    for path, box in zip(files, boxes, strict=True):
        image.paste(emoji_picture(path, paper), box[:2])
    messages, checks = dialogue((png(image),), _turns(rng, config, language, rebus, boxes, image.size))
    package, _, licence = SOURCES[config.split]
    return Draft(
        messages,
        checks,
        truth={"form": rebus.form, "answer": rebus.answer, "parts": [list(part) for part in rebus.parts]},
        capability="reasoning/puzzles/rebus",
        domain="language",
        difficulty=rebus.difficulty,
        language=language,
        licence=licence,
        source=f"emoji of {package}, arranged",
        sources=tuple(dict.fromkeys(emoji_item(path, config.split) for path in files)),
        regions=tuple(
            Region(part.text, box, order=number)
            for number, (part, box) in enumerate(zip(rebus.parts, boxes, strict=True))
        ),
    )


def _turns(
    rng: random.Random,
    config: Config,
    language: Language,
    rebus: Rebus,
    boxes: Sequence[tuple[int, int, int, int]],
    size: tuple[int, int],
) -> list[Turn]:
    zh, answer, parts = language == "zh", rebus.answer, rebus.parts
    if rebus.form == "compound":
        idiom = zh and len(answer) == 4 and len(parts) > 2
        question = (
            f"看图猜{'成语' if idiom else '词语'}："
            f"把各图所表示的内容依次连起来，是什么{'成语' if idiom else '词语'}？（{len(answer)}个字）"
            if zh
            else "What word do these pictures make when their names are put together?"
        )
        steps = [
            f"第{number}张图表示“{part.text}”。" if zh else f'Picture {number} stands for "{part.text}".'
            for number, part in enumerate(parts, 1)
        ]
        steps.append(
            f"连起来是“{answer}”。" if zh else f"Together: {' + '.join(part.text for part in parts)} = {answer}."
        )
    else:
        first = rebus.form == "first"
        place = 0 if first else -1
        question = (
            f"说出每张图的英文名称，把各个单词的{'第一个' if first else '最后一个'}字母依次连起来，是哪个英文单词？"
            if zh
            else f"Name what each picture shows. Which word do the {rebus.form} letters of the names spell?"
        )
        steps = [
            f"第{number}张图是 {part.text}：{part.text[place]}。"
            if zh
            else f"Picture {number}: {part.text} gives {part.text[place]}."
            for number, part in enumerate(parts, 1)
        ]
    check = {"verifier": "exact", "target": answer, "accepted": _accepted(answer, parts)}
    number = rng.randrange(len(parts))
    named = parts[number].text
    twice = sum(part.text == named for part in parts) > 1
    others = _others(rng, config, language, rebus)
    box = list(map(float, boxes[number]))
    which = f"第几张图表示“{named}”？" if zh else f'Which picture, by its number, stands for "{named}"?'
    where = (
        f"用 <bbox>x1 y1 x2 y2</bbox> 框出表示“{named}”的图。"
        if zh
        else f'Mark the picture that stands for "{named}" with <bbox>x1 y1 x2 y2</bbox>.'
    )
    if rng.random() < 0.7:
        turns = [reply(rng, config, language, question, answer, check, steps)]
    else:
        turns = [choice_turn(question, answer, others, rng, language)]
    # What names a part gives the answer away, so it comes second.
    if config.turns > 1 and not twice and rng.random() < 0.5:
        if rng.random() < 0.5:
            turns.append(Turn(where, format_box(box, *size), {"verifier": "box", "target": box, "size": list(size)}))
        else:
            count = {"verifier": "count", "target": number + 1}
            turns.append(reply(rng, config, language, which, str(number + 1), count))
    return turns


def _accepted(answer: str, parts: Sequence[Part]) -> list[str]:
    texts = [part.text for part in parts]
    return ["".join(texts), " ".join(texts), "-".join(texts)] if "".join(texts) == answer else []


def _others(rng: random.Random, config: Config, language: Language, rebus: Rebus) -> list[str]:
    """Three wrong answers of about the same length; for compounds those that share a part come first."""
    if rebus.form != "compound":
        words = [w for w in common_words(config.split) if len(w) == len(rebus.answer) and w != rebus.answer]
        return rng.sample(words, 3)
    texts = {part.text for part in rebus.parts}
    known = [(answer, parts) for answer, parts in facts(language, config.split) if answer != rebus.answer]
    rng.shuffle(known)
    known.sort(key=lambda fact: (abs(len(fact[1]) - len(rebus.parts)), not any(part.text in texts for part in fact[1])))
    return [answer for answer, _ in known[:3]]
