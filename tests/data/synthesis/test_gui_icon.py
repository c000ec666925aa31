"""Icons: boxes against the pixels that a drawing changes, names against the sets' own lists."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.gui import icon as icons
from vergence.data.synthesis.gui.icon_sets import SETS, alike, meaning_icons
from vergence.data.synthesis.gui.meanings import MEANINGS
from vergence.processing.coordinates import parse_points

pytestmark = pytest.mark.skipif(bool(why_unavailable("icon")), reason=why_unavailable("icon") or "")


def scenes(count):
    for seed in range(count):
        rng = random.Random(seed)
        chosen = icons._choose(rng, "train", seed % 2 == 0, rng.randint(1, 10), 12)
        yield icons.arrange(rng, chosen, seed % 3 != 0)


def test_boxes_hold_what_an_icon_changes_in_the_picture():
    """Each scene is drawn with and without the icon's ink; only the box changes, up to its borders."""
    for scene in scenes(30):
        bare = replace(scene, blur=0.0, placed=tuple(replace(p, badge=False) for p in scene.placed))
        whole = np.asarray(icons.draw(bare)).astype(int)
        for number, placed in enumerate(bare.placed):
            blank = replace(placed, ink=placed.ink.point(lambda _: 0))
            others = (*bare.placed[:number], blank, *bare.placed[number + 1 :])
            change = np.abs(whole - np.asarray(icons.draw(replace(bare, placed=others)))).sum(axis=2)
            rows, columns = np.nonzero(change > change.max() * 0.3)
            seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert np.abs(np.subtract(seen, placed.box)).max() <= 1.5, (placed.icon, seen, placed.box)


def test_icons_stay_in_the_picture_and_apart():
    for scene in scenes(60):
        boxes = [placed.box for placed in scene.placed]
        for number, (x1, y1, x2, y2) in enumerate(boxes):
            assert 0 <= x1 < x2 <= scene.size[0]
            assert 0 <= y1 < y2 <= scene.size[1]
            for other in boxes[number + 1 :]:
                assert x2 <= other[0] or other[2] <= x1 or y2 <= other[1] or other[3] <= y1


def test_no_name_fits_two_icons_of_a_picture():
    for scene in scenes(60):
        placed = [p.icon for p in scene.placed]
        for number, one in enumerate(placed):
            assert not alike(one, placed[number + 1 :])


def test_no_question_gives_the_answer_of_a_later_one():
    """What lists all icons of a picture comes last, and one icon is asked for its name in one way."""
    generator = load_generator("icon")
    listed = 0
    for index in range(60):
        sample = make_sample("icon", generator, generator.Config(language="en"), 6, index)
        texts = [message.text for message in sample.messages]
        titles = [icon["title"] for icon in sample.metadata["truth"]["icons"]]
        whole = [n for n, text in enumerate(texts) if all(title in text for title in titles)]
        if len(titles) > 4:
            assert all(n >= len(texts) - 2 for n in whole)
            listed += bool(whole)
        elif len(titles) == 1:
            assert len([check for check in sample.metadata["checks"] if check["verifier"] != "box"]) == 1
    assert listed > 5


def test_a_heart_and_a_star_never_meet():
    drawn = {found.meaning.name: found.icon for split in ("train", "heldout") for found in meaning_icons("mdi", split)}
    assert alike(drawn["like"], [drawn["favourite"]])
    assert alike(drawn["undo"], [drawn["menu"], drawn["back"]])
    assert not alike(drawn["like"], [drawn["print"]])


def test_meanings_have_a_drawing_in_every_set_and_lie_on_one_side():
    for package in SETS:
        sides = [{found.meaning.name for found in meaning_icons(package, split)} for split in ("train", "heldout")]
        assert not sides[0] & sides[1]
        assert sides[0] | sides[1] == {meaning.name for meaning in MEANINGS}
        for split in ("train", "heldout"):
            assert all(found.icon.file.is_file() for found in meaning_icons(package, split))


def test_answers_are_the_set_own_names():
    """Names are looked up in lucide's and tabler's lists by another route; points lie in one icon's box."""
    tabler = json.loads((package_folder("tabler-icons") / "package/icons.json").read_text())
    drawings = {path.stem for path in (package_folder("lucide") / "package/icons").glob("*.svg")}
    known = {meaning.name for meaning in MEANINGS}
    generator = load_generator("icon")
    points = 0
    for index in range(60):
        sample = make_sample("icon", generator, generator.Config(), 3, index)
        truth = sample.metadata["truth"]["icons"]
        for found in truth:
            if found["set"] != "mdi":
                assert found["name"] in (drawings if found["set"] == "lucide" else tabler)
            assert found["title"] in known or found["title"] == found["name"].replace("-", " ")
        size = sample.images[0].size
        for message in sample.messages:
            if message.role == "assistant" and "<point>" in message.text:
                (place,) = parse_points(message.text, *size)
                inside = [
                    i for i in truth if i["box"][0] <= place.x <= i["box"][2] and i["box"][1] <= place.y <= i["box"][3]
                ]
                assert len(inside) == 1
                points += 1
    assert points > 20
