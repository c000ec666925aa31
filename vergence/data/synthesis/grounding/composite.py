"""Real cut-outs on a background: boxes, points, counts, places, order, size and what covers what, all from alpha."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import Field

from vergence.data.formats import short_turn, thought_turn
from vergence.data.generator import Draft, GeneratorConfig, Turn, dialogue
from vergence.data.synthesis.grounding import scene
from vergence.data.synthesis.grounding.backgrounds import Backgrounds, background
from vergence.data.synthesis.grounding.cutouts import Thing, article, countable_things, distinct, mirrorable, plural
from vergence.data.synthesis.grounding.scene import FEWEST_PIXELS, Placed
from vergence.errors import DataError
from vergence.processing.coordinates import format_box, format_point

VERSION = 2
PACKAGES = ("resvg-py", "numpy")
SIZES = ((640, 480), (512, 512), (480, 640), (720, 480))
MOST_SHARED = 0.15
"""The share of an object that may lie on another of its name: one turtle on another looks like a single turtle."""


class Config(GeneratorConfig):
    """What is pasted, how much, and how it is talked about."""

    language: Literal["en", "zh", "mix"] = Field("en", description="zh and mix need emojibase for emoji")
    sources: tuple[str, ...] = Field(
        ("openmoji",), description="where cut-outs come from: openmoji, fluent-emoji-3d, tuxpaint-stamps"
    )
    backgrounds: Backgrounds = Field("made", description="made, or mostly real wallpapers")
    objects: tuple[int, int] = Field((4, 10), description="fewest and most objects, within 2..20")
    least_visible: float = Field(0.6, ge=0.2, le=1, description="share of each object that stays visible")
    turns: int = Field(4, ge=1, description="most questions in one dialogue")


def generate(rng: random.Random, config: Config) -> Draft:
    """A composite and a dialogue about it. Raises `DataError` where nothing fits in, `UsageError` without sources."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    low, high = config.objects
    if not 2 <= low <= high <= 20:
        raise DataError(f"objects must be two numbers within 2..20, not {low} and {high}")
    candidates = countable_things(config.sources, config.split, language)
    size = rng.choice(SIZES)
    ground, real = background(rng, size, config.split, config.backgrounds)
    wanted = rng.randint(low, high)
    kinds = scene.choose(rng, candidates, rng.randint(max(2, wanted // 3), min(5, wanted)), language)
    plan = [*kinds, *(rng.choice(kinds[: max(1, len(kinds) // 2)]) for _ in range(wanted - len(kinds)))]
    picture, placed, ids = _place(rng, ground, plan, config.least_visible)
    absent = _absent(rng, candidates, kinds, language)
    talk = Talk(rng, language, size, placed, ids, absent)
    turns = talk.turns(config.turns)
    messages, checks = dialogue((scene.jpeg(picture),), turns)
    hidden = 1 - sum(o.visible / o.pixels for o in placed) / len(placed)
    records = scene.sources(placed, real)
    return Draft(
        messages,
        checks,
        truth={"objects": scene.truth(placed), "absent": absent.names["en"], "size": list(size)},
        capability="grounding/objects",
        domain="composite",
        difficulty=min(1.0, 0.1 + 0.04 * len(placed) + 2 * hidden),
        language=language,
        licence=scene.licence(records),
        source=", ".join(dict.fromkeys(item.package for item in records)),
        sources=records,
        regions=scene.regions(placed, language),
    )


def _place(
    rng: random.Random, ground: Image.Image, plan: list[Thing], least: float
) -> tuple[Image.Image, tuple[Placed, ...], np.ndarray]:
    width, height = ground.size
    ids = np.full((height, width), -1, np.int16)
    objects: list[scene.Pasted] = []
    pixels: list[int] = []
    rng.shuffle(plan)
    for thing in plan:
        for _ in range(25):
            side = int(rng.triangular(56, 176, 90))
            mirror = rng.random() < 0.5 and mirrorable(thing)
            cutout = scene.sized(thing, side, mirror=mirror)
            left, top = rng.randint(0, width - cutout.width), rng.randint(0, height - cutout.height)
            mask = scene.solid(cutout)
            after = scene.paste(ids, mask, left, top, len(objects))
            alike = [number for number, o in enumerate(objects) if o.thing is thing]
            if int((np.isin(ids, alike) & (after == len(objects))).sum()) > MOST_SHARED * int(mask.sum()):
                continue
            counts = np.bincount(after[after >= 0], minlength=len(objects) + 1)
            limits = [max(FEWEST_PIXELS, least * whole) for whole in (*pixels, int(mask.sum()))]
            if bool((counts >= limits).all()):
                ids = after
                objects.append(scene.Pasted(thing, left, top, cutout, mirror))
                pixels.append(int(mask.sum()))
                break
    if len(objects) < 2:
        raise DataError("fewer than two objects fit into the picture")
    picture, placed = scene.finish(ground, objects, ids)
    return picture, placed, ids


def _absent(rng: random.Random, candidates: tuple[Thing, ...], kinds: list[Thing], language: str) -> Thing:
    for _ in range(200):
        thing = rng.choice(candidates)
        if distinct(kinds, thing, language):
            return thing
    raise DataError("every thing of the sources is like one in the picture")


class Talk:
    """The questions about a composite."""

    def __init__(
        self,
        rng: random.Random,
        language: str,
        size: tuple[int, int],
        placed: tuple[Placed, ...],
        ids: np.ndarray,
        absent: Thing,
    ) -> None:
        self.rng, self.language, self.size = rng, language, size
        self.placed, self.ids, self.absent = placed, ids, absent
        self.groups: dict[str, list[Placed]] = {}
        for o in placed:
            self.groups.setdefault(o.thing.name(language), []).append(o)
        self.told: list[str] = []

    @property
    def single(self) -> list[Placed]:
        """What is there once and wasn't talked about: an earlier turn would give the answer away."""
        return [group[0] for name, group in self.groups.items() if len(group) == 1 and name not in self.told]

    @property
    def several(self) -> list[list[Placed]]:
        """What is there more than once and wasn't talked about."""
        return [group for name, group in self.groups.items() if len(group) > 1 and name not in self.told]

    def tell(self, *names: str) -> None:
        """Let no later turn ask about these."""
        self.told += names

    def say(self, english: str, chinese: str) -> str:
        """The wording in the language of the sample."""
        return english if self.language == "en" else chinese

    def name(self, o: Placed) -> str:
        """What an object is called."""
        return o.thing.name(self.language)

    def many(self, name: str) -> str:
        """Several of a thing."""
        return plural(name) if self.language == "en" else name

    def turns(self, most: int) -> list[Turn]:
        """Up to `most` questions of different forms, each about things that no other names; all are counted last."""
        forms = list(FORMS)
        self.rng.shuffle(forms)
        found: dict[str, Turn] = {}
        for form in forms:
            turn = FORMS[form](self)
            if turn is not None:
                found[form] = turn
            if len(found) == most:
                break
        return [found[form] for form in sorted(found, key=lambda form: form == "all_counted")]

    def box_check(self, o: Placed) -> dict[str, object]:
        """The check of one box."""
        return {"verifier": "box", "target": list(o.box), "size": list(self.size)}

    def box(self) -> Turn | None:
        """The box of what is there once."""
        if not self.single:
            return None
        o = self.rng.choice(self.single)
        n = self.name(o)
        self.tell(n)
        question = self.say(f"Give the bounding box of the {n}.", f"请给出图中“{n}”的边界框。")
        return Turn(question, format_box(o.box, *self.size), self.box_check(o))

    def boxes(self) -> Turn | None:
        """The boxes of all that have one name, from left to right."""
        if not self.several:
            return None
        group = sorted(self.rng.choice(self.several), key=lambda o: o.box)
        self.tell(self.name(group[0]))
        n = self.many(self.name(group[0]))
        question = self.say(
            f"Find all the {n}: a bounding box for each, from left to right.",
            f"请找出图中所有的“{n}”，从左到右给出每一个的边界框。",
        )
        answer = "\n".join(format_box(o.box, *self.size) for o in group)
        check = {"verifier": "boxes", "targets": [list(o.box) for o in group], "size": list(self.size)}
        return Turn(question, answer, check)

    def point(self) -> Turn | None:
        """A point on what is there once."""
        if not self.single:
            return None
        o = self.rng.choice(self.single)
        n = self.name(o)
        self.tell(n)
        question = self.say(f"Point to the {n}.", f"请指出图中“{n}”的位置。")
        check = {"verifier": "point", "targets": [list(o.box)], "size": list(self.size)}
        return Turn(question, format_point(_centre(o.point), *self.size), check)

    def points(self) -> Turn | None:
        """A point on each that has one name."""
        if not self.several:
            return None
        group = sorted(self.rng.choice(self.several), key=lambda o: o.point)
        self.tell(self.name(group[0]))
        n = self.many(self.name(group[0]))
        question = self.say(
            f"Point to every one of the {n}, from left to right.", f"请从左到右逐一指出图中所有的“{n}”。"
        )
        answer = "\n".join(format_point(_centre(o.point), *self.size) for o in group)
        room = scene.radius([o.point for o in group], [o.box for o in group])
        targets = [list(_centre(o.point)) for o in group]
        return Turn(question, answer, {"verifier": "points", "targets": targets, "radius": room, "size": [*self.size]})

    def count(self) -> Turn | None:
        """How many have a name; now and then none has."""
        names = [name for name in (*self.groups, self.absent.name(self.language)) if name not in self.told]
        if not names:
            return None
        name = self.rng.choice(names)
        self.tell(name)
        number = len(self.groups.get(name, ()))
        question = self.say(f"How many {plural(name)} are in the picture?", f"图中有几个“{name}”？")
        return short_turn(question, str(number), {"verifier": "count", "target": number}, self.language)

    def all_counted(self) -> Turn | None:
        """How many objects there are, name by name."""
        total = len(self.placed)
        steps = [self.say(f"{n}: {len(group)}", f"“{n}”：{len(group)}个") for n, group in self.groups.items()]
        steps.append(" + ".join(str(len(group)) for group in self.groups.values()) + f" = {total}")
        question = self.say("How many objects were put on the background in all?", "背景上一共有多少个物体？")
        return thought_turn(question, steps, str(total), {"verifier": "count", "target": total}, self.language)

    def there(self) -> Turn | None:
        """Whether a thing is there."""
        yes = self.rng.random() < 0.5
        absent = self.absent.name(self.language)
        names = [name for name in (self.groups if yes else (absent,)) if name not in self.told]
        if not names:
            return None
        n = self.rng.choice(names)
        self.tell(n)
        shown = article(n) if self.language == "en" else n
        answer = self.say("yes" if yes else "no", "有" if yes else "没有")
        verb = "Are there" if shown == n else "Is there"
        question = self.say(f"{verb} {shown} in the picture?", f"图中有“{n}”吗？")
        accepted = [] if self.language == "en" else (["是", "是的"] if yes else ["否", "不是"])
        return short_turn(
            question, answer, {"verifier": "exact", "target": answer, "accepted": accepted}, self.language
        )

    def missing(self) -> Turn | None:
        """The box of what may be there or not."""
        absent, single = self.absent.name(self.language), self.single
        here = self.rng.choice(single) if single and self.rng.random() < 0.5 else None
        if here is None and absent in self.told:
            return None
        n = self.name(here) if here else absent
        self.tell(n)
        question = self.say(
            f'Give the bounding box of the {n}. If there is none, answer "not there".',
            f"请给出图中“{n}”的边界框。如果没有，请回答“不存在”。",
        )
        if here:
            return Turn(question, format_box(here.box, *self.size), self.box_check(here))
        answer = self.say("not there", "不存在")
        return Turn(question, answer, {"verifier": "exact", "target": answer})

    def what(self) -> Turn | None:
        """What stands in a box."""
        fresh = [o for o in self.placed if self.name(o) not in self.told]
        if not fresh:
            return None
        o = self.rng.choice(fresh)
        self.tell(self.name(o))
        question = self.say(
            f"What is the object in {format_box(o.box, *self.size)}?",
            f"{format_box(o.box, *self.size)} 中的物体是什么？",
        )
        n = self.name(o)
        accepted = [article(n), f"the {n}"] if self.language == "en" else []
        return short_turn(question, n, {"verifier": "exact", "target": n, "accepted": accepted}, self.language)

    def side(self) -> Turn | None:
        """Which of two lies to the left, or higher, with a gap between them."""
        pairs = [
            (a, b, axis)
            for a in self.single
            for b in self.single
            for axis in (0, 1)
            if a is not b and a.box[axis + 2] + 8 <= b.box[axis]
        ]
        if not pairs:
            return None
        first, last, axis = self.rng.choice(pairs)
        asked, other = (first, last) if self.rng.random() < 0.5 else (last, first)
        words = ("left", "right") if axis == 0 else ("above", "below")
        chinese = ("左", "右") if axis == 0 else ("上", "下")
        here = int(asked is last)
        a, b = self.name(asked), self.name(other)
        self.tell(a, b)
        english = (
            f"Is the {a} to the left or to the right of the {b}?"
            if axis == 0
            else f"Is the {a} above or below the {b}?"
        )
        question = self.say(english, f"“{a}”在“{b}”的{chinese[0]}边还是{chinese[1]}边？")
        answer = self.say(words[here], chinese[here] + "边")
        accepted = [self.say(f"to the {answer}", chinese[here])]
        return short_turn(
            question, answer, {"verifier": "exact", "target": answer, "accepted": accepted}, self.language
        )

    def ordinal(self) -> Turn | None:
        """The box of one of several, by its place from the left."""
        rows = [sorted(group, key=lambda o: o.box[0] + o.box[2]) for group in self.several]
        rows = [
            row
            for row in rows
            if all(a.box[0] + 20 <= b.box[0] and a.box[2] + 20 <= b.box[2] for a, b in pairwise(row))
        ]
        if not rows:
            return None
        row = self.rng.choice(rows)
        place = self.rng.randrange(min(len(row), 5))
        self.tell(self.name(row[0]))
        n, word = self.name(row[0]), ("first", "second", "third", "fourth", "fifth")[place]
        question = self.say(
            f"Count the {plural(n)} from the left. Give the bounding box of the {word}.",
            f"从左往右数，请给出第{place + 1}个“{n}”的边界框。",
        )
        return Turn(question, format_box(row[place].box, *self.size), self.box_check(row[place]))

    def largest(self) -> Turn | None:
        """The box of the largest or smallest of several; its longer side differs from the next by a quarter."""
        found = []
        for group in self.several:
            row = sorted(group, key=lambda o: max(o.cutout.size))
            if max(row[-1].cutout.size) >= 1.25 * max(row[-2].cutout.size):
                found.append((row[-1], "largest", "最大"))
            if max(row[1].cutout.size) >= 1.25 * max(row[0].cutout.size):
                found.append((row[0], "smallest", "最小"))
        if not found:
            return None
        o, english, chinese = self.rng.choice(found)
        n = self.name(o)
        self.tell(n)
        question = self.say(
            f"Give the bounding box of the {english} of the {plural(n)}.", f"请给出{chinese}的那个“{n}”的边界框。"
        )
        return Turn(question, format_box(o.box, *self.size), self.box_check(o))

    def front(self) -> Turn | None:
        """Which of two that overlap covers the other, by at least 60 pixels."""
        pairs = [
            (back, over)
            for back in self.single
            for over in self.single
            if self.placed.index(over) > self.placed.index(back) and self._hidden(back, self.placed.index(over)) >= 60
        ]
        if not pairs:
            return None
        back, over = self.rng.choice(pairs)
        first, second = (back, over) if self.rng.random() < 0.5 else (over, back)
        a, b, answer = self.name(first), self.name(second), self.name(over)
        self.tell(a, b)
        question = self.say(
            f"The {a} and the {b} overlap. Which one is in front?", f"“{a}”和“{b}”有重叠，哪一个在前面？"
        )
        accepted = [f"the {answer}"] if self.language == "en" else []
        return short_turn(
            question, answer, {"verifier": "exact", "target": answer, "accepted": accepted}, self.language
        )

    def _hidden(self, back: Placed, over: int) -> int:
        high, wide = back.cutout.height, back.cutout.width
        window = self.ids[back.top : back.top + high, back.left : back.left + wide]
        return int((scene.solid(back.cutout) & (window == over)).sum())


def _centre(pixel: tuple[int, int]) -> tuple[float, float]:
    return pixel[0] + 0.5, pixel[1] + 0.5


FORMS: Mapping[str, Callable[[Talk], Turn | None]] = {
    "box": Talk.box,
    "boxes": Talk.boxes,
    "point": Talk.point,
    "points": Talk.points,
    "count": Talk.count,
    "all_counted": Talk.all_counted,
    "there": Talk.there,
    "missing": Talk.missing,
    "what": Talk.what,
    "side": Talk.side,
    "ordinal": Talk.ordinal,
    "largest": Talk.largest,
    "front": Talk.front,
}
"""Form of question -> what asks it; None where a picture doesn't allow it."""
