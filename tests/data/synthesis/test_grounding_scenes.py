"""Composites and dense pictures: boxes, visible pixels, points and counts against a second way to find them.

The oracle pastes each object by itself, one plane for each, and takes what no later plane covers; the generator keeps
one map of numbers instead.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.synthesis.grounding import backgrounds, composite, scene
from vergence.data.synthesis.grounding.cutouts import article, countable_things, plural, things
from vergence.errors import DataError, UsageError
from vergence.processing.media import decode_image
from vergence.verifiers.ground_truth import verify

KINDS = ("composite", "dense-count")
SEEDS = 12


@pytest.fixture(params=KINDS)
def kind(request):
    if reason := why_unavailable(request.param):
        pytest.skip(reason)
    return request.param


def sample(kind, index, **settings):
    generator = load_generator(kind)
    return make_sample(kind, generator, generator.Config(**settings), 11, index)


def visible(objects, size):
    """Where each object is and where it is seen, both [objects, H, W]: each on a plane that later planes cover."""
    things = {t.item.name: t for t in countable_things(("openmoji",), "train", "en")}
    layers = np.zeros((len(objects), size[1], size[0]), bool)
    for layer, o in zip(layers, objects, strict=True):
        left, top, width, height = o["placed"]
        drawn = np.asarray(scene.sized(things[o["item"]], max(width, height), mirror=False))
        mask = drawn[:, ::-1, 3] >= 128 if o["mirrored"] else drawn[:, :, 3] >= 128
        assert mask.shape == (height, width)
        layer[top : top + height, left : left + width] = mask
    later = np.cumsum(layers[::-1], axis=0)[::-1] - layers
    return layers, layers & (later == 0)


def test_boxes_points_and_visible_pixels_are_those_of_objects_laid_one_by_one(kind):
    for index in range(SEEDS):
        made = sample(kind, index)
        objects, size = made.metadata["truth"]["objects"], made.metadata["truth"]["size"]
        for o, whole, seen in zip(objects, *visible(objects, size), strict=True):
            rows, columns = np.nonzero(seen)
            assert o["box"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert seen[o["point"][1], o["point"][0]]
            assert (o["visible"], o["pixels"]) == (seen.sum(), whole.sum())
            assert o["visible"] >= max(scene.FEWEST_PIXELS, 0.6 * o["pixels"])


def test_the_picture_shows_the_objects_where_they_are_said_to_be(kind):
    """Inside the visible pixels of an object, the picture has the colours of its drawing."""
    things = {t.item.name: t for t in countable_things(("openmoji",), "train", "en")}
    for index in range(4):
        made = sample(kind, index)
        objects, size = made.metadata["truth"]["objects"], made.metadata["truth"]["size"]
        picture = np.asarray(decode_image(made.images[0])).astype(int)
        for o, seen in zip(objects, visible(objects, size)[1], strict=True):
            left, top, width, height = o["placed"]
            drawn = np.asarray(scene.sized(things[o["item"]], max(width, height), mirror=o["mirrored"])).astype(int)
            inside = seen[top : top + height, left : left + width] & (drawn[:, :, 3] == 255)
            off = np.abs(picture[top : top + height, left : left + width] - drawn[:, :, :3]).max(axis=2)[inside]
            assert np.median(off) < 24


def test_counts_and_places_in_answers_follow_from_the_objects(kind):
    asked = 0
    for index in range(40):
        made = sample(kind, index)
        names = [o["name"] for o in made.metadata["truth"]["objects"]]
        questions = [m.text for m in made.messages if m.role == "user"]
        answers = [m.text for m in made.messages if m.role == "assistant"]
        for question, answer, check in zip(questions, answers, made.metadata["checks"], strict=True):
            assert verify(check, answer) == 1
            if check["verifier"] == "count" and question.startswith("How many ") and "in all" not in question:
                name = next((n for n in names if f"How many {plural(n)} are" in question), None)
                assert int(answer) == (names.count(name) if name else 0)
                asked += 1
            if check["verifier"] == "points":
                assert verify(check, "\n".join(answer.splitlines()[1:])) < 1
    assert asked > 8


def test_boxes_of_dense_objects_do_not_meet():
    if reason := why_unavailable("dense-count"):
        pytest.skip(reason)
    for index in range(6):
        made = sample("dense-count", index)
        objects = made.metadata["truth"]["objects"]
        boxes = [o["box"] for o in objects]
        for number, a in enumerate(boxes):
            for b in boxes[:number]:
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert all(o["visible"] == o["pixels"] for o in objects)


def test_an_absent_thing_is_none_of_the_objects():
    if reason := why_unavailable("composite"):
        pytest.skip(reason)
    for index in range(30):
        truth = sample("composite", index).metadata["truth"]
        assert truth["absent"] not in {o["name"] for o in truth["objects"]}


def test_the_sides_of_the_split_share_no_thing(kind):
    names = {
        split: {t.names["en"] for t in countable_things(("openmoji",), split, "en")} for split in ("train", "heldout")
    }
    assert not names["train"] & names["heldout"]
    made = sample(kind, 0, split="heldout")
    assert {o["name"] for o in made.metadata["truth"]["objects"]} <= names["heldout"]


def test_an_inner_point_lies_deep_inside():
    mask = np.zeros((40, 60), bool)
    mask[5:35, 5:12] = mask[28:35, 5:50] = True  # an L, whose centre of mass lies outside of it
    x, y = scene.inner_point(mask)
    assert mask[y - 2 : y + 3, x - 2 : x + 3].all()


def test_settings_that_make_no_sense_are_refused():
    if reason := why_unavailable("composite"):
        pytest.skip(reason)
    with pytest.raises(DataError, match=r"within 2\.\.20"):
        sample("composite", 0, objects=(9, 3))
    with pytest.raises(UsageError, match="no cut-outs come from"):
        sample("composite", 0, sources=("clouds",))


def test_english_plurals_and_articles():
    assert [plural(n) for n in ("scarf", "mouse", "bus", "cherry", "monkey", "ox")] == [
        "scarves",
        "mice",
        "buses",
        "cherries",
        "monkeys",
        "oxen",
    ]
    assert [article(n) for n in ("apple", "unicorn", "tiger", "jeans")] == ["an apple", "a unicorn", "a tiger", "jeans"]


def test_every_form_of_question_occurs():
    if reason := why_unavailable("composite"):
        pytest.skip(reason)
    found = set()
    for index in range(40):
        found |= {check["verifier"] for check in sample("composite", index, turns=13).metadata["checks"]}
    assert {"box", "boxes", "point", "points", "count", "exact"} <= found
    assert len(composite.FORMS) == 13


def test_a_box_that_may_not_be_there_is_there_about_half_of_the_time():
    if reason := why_unavailable("composite"):
        pytest.skip(reason)
    answers = [
        turn.text
        for index in range(80)
        for question, turn in zip(*[iter(sample("composite", index).messages)] * 2, strict=True)
        if "If there is none" in question.text
    ]
    absent = answers.count("not there")
    assert 0.2 * len(answers) < absent < 0.8 * len(answers)


def test_no_answer_tells_what_a_later_turn_asks(kind):
    """No name of a thing is in two turns, but in those that compare or add up numbers, which come last."""
    for index in range(60):
        made = sample(kind, index)
        names = sorted({o["name"] for o in made.metadata["truth"]["objects"]}, key=len, reverse=True)
        told = []
        for question, answer in zip(*[iter(made.messages)] * 2, strict=True):
            if any(text in question.text for text in ("in all", "differ", "appears most often")):
                continue
            text = question.text + " " + (answer.text if "What is the object" in question.text else "")
            here = [name for name in names if re.search(rf"\b({re.escape(name)}|{re.escape(plural(name))})\b", text)]
            here = [name for name in here if not any(name != other and name in other for other in here)]
            assert not set(here) & set(told)
            told += here


def test_things_of_one_name_hardly_cover_each_other():
    if reason := why_unavailable("composite"):
        pytest.skip(reason)
    for index in range(25):
        truth = sample("composite", index, least_visible=0.2, objects=(12, 16)).metadata["truth"]
        layers, _ = visible(truth["objects"], truth["size"])
        for number, o in enumerate(truth["objects"]):
            below = [
                layer for layer, p in zip(layers[:number], truth["objects"], strict=False) if p["item"] == o["item"]
            ]
            if below:
                unseen = np.any(layers[:number][[p["item"] != o["item"] for p in truth["objects"][:number]]], axis=0)
                shared = layers[number] & np.any(below, axis=0) & ~unseen
                assert shared.sum() <= 0.15 * layers[number].sum()


def test_a_dense_picture_holds_as_many_as_were_wanted():
    if reason := why_unavailable("dense-count"):
        pytest.skip(reason)
    for index in range(12):
        truth = sample("dense-count", index, objects=(12, 12)).metadata["truth"]
        assert len(truth["objects"]) == 12


def test_wrong_names_of_the_sources_are_put_right():
    if reason := why_unavailable("naming"):
        pytest.skip(reason)
    stamps = {t.names["en"]: t.names.get("zh") for t in things(("tuxpaint-stamps",), "heldout", "en")}
    assert stamps["lion"] == "狮子"  # the package says 洋葱, an onion
    drawn = {t.names["en"] for split in ("train", "heldout") for t in things(("openmoji",), split, "en")}
    assert "birthday cake" in drawn
    assert not drawn & {"birthday", "bullettrain side", "feet"}


def test_wallpapers_show_nothing_that_could_be_counted():
    if reason := why_unavailable("jigsaw"):
        pytest.skip(reason)
    shown = {item.name for split in ("train", "heldout") for item in backgrounds._items(split)}
    assert len(shown) > 10
    assert not shown & {"Kite", "FlyingKonqui", "ColorfulCups", "EveningGlow"}
