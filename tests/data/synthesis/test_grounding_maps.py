"""Regions of maps and names of pictures against the files read in another way."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.grounding import map_region, naming
from vergence.data.synthesis.grounding.cutouts import CHINESE, things
from vergence.data.synthesis.grounding.map_region import runs
from vergence.processing.coordinates import parse_points
from vergence.processing.media import decode_image


def sample(kind, index, **settings):
    if reason := why_unavailable(kind):
        pytest.skip(reason)
    generator = load_generator(kind)
    return make_sample(kind, generator, generator.Config(**settings), 4, index)


def colours_of(file):
    """Region -> colour, by a pattern over the text rather than an XML parser."""
    text = (package_folder("kgeography") / "usr/share/kgeography" / file).read_text("utf-8")
    pattern = r"<division>.*?<name>(.*?)</name>.*?<red>\s*(\d+).*?<green>\s*(\d+).*?<blue>\s*(\d+).*?</division>"
    return {name.strip(): (int(r), int(g), int(b)) for name, r, g, b in re.findall(pattern, text, re.DOTALL)}


def test_boxes_of_regions_hold_all_pixels_of_their_colour():
    for index in range(12):
        made = sample("map-region", index, language="en")
        pixels = np.asarray(decode_image(made.images[0]))
        colours = colours_of(made.metadata["provenance"]["sources"][0]["item"])
        for region in made.metadata["truth"]["regions"]:
            rows, columns = np.where((pixels == np.array(colours[region["name"]], np.uint8)).all(axis=2))
            assert region["box"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_points_in_answers_and_questions_have_the_colour_of_the_region():
    seen = 0
    for index in range(25):
        made = sample("map-region", index, language="en", turns=5)
        pixels = np.asarray(decode_image(made.images[0]))
        colours = colours_of(made.metadata["provenance"]["sources"][0]["item"])
        size = pixels.shape[1], pixels.shape[0]
        pairs = zip(made.messages[::2], made.messages[1::2], made.metadata["checks"], strict=True)
        for question, answer, check in pairs:
            named = {"point": question.text, "exact": answer.text}.get(check["verifier"])
            points = parse_points(question.text + answer.text, *size)
            if named is None or not points:
                continue
            name = re.sub(r"^Point to (.*) on this map \(.*$", r"\1", named)
            x, y = points[0]
            assert tuple(pixels[int(y), int(x)]) == colours[name]
            seen += 1
            for left, top, right, bottom in check.get("targets", [])[:-1]:
                part = pixels[int(top) : int(bottom), int(left) : int(right)]
                assert (part == np.array(colours[name], np.uint8)).all()
    assert seen > 20


def test_runs_lie_in_the_mask_and_leave_little_of_a_square_out():
    mask = np.zeros((50, 50), bool)
    mask[10:40, 7:33] = True
    boxes = runs(mask)
    assert sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes) == mask.sum()


def test_names_are_those_of_the_files():
    for index in range(15):
        made = sample("naming", index, language="zh", sources=("fluent-emoji-3d",))
        entries = json.loads((package_folder("emojibase") / "package/zh/compact.json").read_text("utf-8"))
        labels = {entry["hexcode"].casefold(): entry["label"] for entry in entries}
        item = made.metadata["provenance"]["sources"][0]["item"]
        found = labels.get(item) or labels[item.replace("-fe0f", "")]
        assert made.metadata["truth"]["name"] in (found, *CHINESE.values())


def test_options_are_of_the_same_category_and_differ():
    for index in range(15):
        made = sample("naming", index)
        for check in made.metadata["checks"]:
            if check["verifier"] == "choice":
                assert check["choices"][check["target"]] == made.metadata["truth"]["name"]
                assert len(set(check["choices"])) == 4


def test_no_turn_about_a_map_gives_another_away():
    """A region's place in one answer and its name for that place in another turn never meet."""
    for index in range(40):
        made = sample("map-region", index, language="en", turns=5)
        located = []
        for question, answer, check in zip(
            made.messages[::2], made.messages[1::2], made.metadata["checks"], strict=True
        ):
            if check["verifier"] in ("box", "point"):
                located.append(re.sub(r"^.*(?:region|Point to) (.*?)(?: on this map.*|\.)$", r"\1", question.text))
            elif check["verifier"] == "exact":
                located.append(answer.text)
            elif "<point>" in question.text:
                located.append(check["choices"][check["target"]])
        assert len(set(located)) == len(located)


def test_boxes_are_asked_for_regions_that_fill_them():
    mask = np.zeros((60, 60), bool)
    mask[0:12, 0:15] = mask[50:, 50:] = True
    islands = map_region.Place("islands", mask, (0, 0, 60, 60), (5, 5))
    assert not map_region.compact(islands)
    assert map_region.compact(islands._replace(mask=np.ones((60, 60), bool)))


def test_options_are_not_names_that_are_right_too():
    """A hen isn't asked about with a chicken among the options."""
    seen = 0
    for index in range(150):
        made = sample("naming", index, language="en")
        shown = next(t for t in _all_things() if t.names["en"] == made.metadata["truth"]["name"])
        for check in made.metadata["checks"]:
            if check["verifier"] == "choice":
                others = [t for t in _all_things() if t.names["en"] in check["choices"] and t.names != shown.names]
                assert not any(t.words & shown.words for t in others if t.names["en"] != shown.names["en"])
                seen += 1
    assert seen > 20


def _all_things():
    return things(("fluent-emoji-3d", "tuxpaint-stamps"), "train", "en")


def test_a_short_name_is_right_where_the_long_one_describes():
    assert naming.shorter("brown potato", "en") == ["potato"]
    assert naming.shorter("hot dog", "en") == []
    assert naming.shorter("睡觉的水豚", "zh") == ["水豚"]


def test_titles_and_names_of_maps_are_clean_and_in_the_language_of_the_question():
    for index in range(60):
        made = sample("map-region", index, language="zh", split="heldout")
        for message in made.messages:
            plain = re.sub("<[^>]*>[^<]*</[^>]*>", "", message.text)
            assert " ）" not in plain
            assert " ”" not in plain
            assert "萨格勒布" not in plain, "Zagreb isn't in Angola"
            assert not re.search("地图[（：][A-Za-z]", plain)
            assert "）)" not in plain
            assert ")）" not in plain
