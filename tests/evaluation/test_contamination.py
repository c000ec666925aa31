"""Findings between training conversations and a task's samples."""

from __future__ import annotations

import io
import json
from dataclasses import asdict

import pytest
from PIL import Image

from vergence.conversation import Conversation, Frames, ImagePart, VideoPart, assistant, user
from vergence.data import catalogue
from vergence.data.mixture import Mixture
from vergence.evaluation.contamination import contamination_text, find_contamination
from vergence.evaluation.task import Sample
from vergence.evaluation.training_data import mixture_items
from vergence.recipe import MixtureEntry

LONG = "Which of the four coloured bars in this chart of the yearly rainfall is the tallest one of all"


def picture(number, kind="emoji_grid"):
    return catalogue.draw(kind, "heldout", 1, number).image


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def dialogue(*content, answer="ok"):
    return Conversation((user(*content), assistant(answer)))


def kinds(report):
    return [(f.sample, f.kind, f.item) for f in report.findings]


def test_a_picture_is_found_equal_and_alike():
    image = picture(0)
    png, copy = encoded(image, "PNG"), encoded(image.resize((150, 150)), "JPEG", quality=60)
    samples = [Sample("file", "?", (ImagePart(png),)), Sample("other", "?", (ImagePart(picture(1)),))]
    training = [("equal", dialogue(png, "Look.")), ("alike", dialogue(copy, "Look.")), ("none", dialogue(picture(2)))]
    report = find_contamination(training, samples)
    assert kinds(report) == [("file", "file", "equal"), ("file", "picture", "alike")]
    alike = report.findings[1]
    assert 0.9 < alike.overlap < 1
    assert alike.distance is not None
    assert 0 <= alike.distance <= 10
    assert (report.samples, report.items, report.sample_pictures, report.item_pictures) == (2, 3, 2, 3)
    assert report.contaminated() == report.contaminated("picture") == report.contaminated("file") == {"file"}
    assert report.contaminated("text") == frozenset()


def test_decoded_pictures_and_frames_count_too():
    image = picture(3)
    frames = VideoPart(Frames((picture(4), image, picture(5)), (0.0, 1.0, 2.0)))
    report = find_contamination(
        [("decoded", dialogue(image.copy())), ("again", dialogue(encoded(image, "JPEG")))],
        [Sample("video", "?", (frames,)), Sample("image", "?", (ImagePart(image),))],
    )
    assert kinds(report) == [
        ("video", "file", "decoded"), ("video", "picture", "again"),
        ("image", "file", "decoded"), ("image", "picture", "again"),
    ]  # fmt: skip


def test_what_cannot_be_compared_is_counted(tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"equal bytes")
    samples = [
        Sample("flat", "?", (ImagePart(Image.new("RGB", (60, 60), (10, 20, 30))),)),
        Sample("film", "?", (VideoPart(film),)),
        Sample("broken", "?", (ImagePart(b"no picture"), ImagePart(tmp_path / "none.png"))),
    ]
    training = [
        ("a", dialogue(Image.new("RGB", (90, 90), (10, 20, 31)))),
        ("b", dialogue(VideoPart(b"equal bytes"))),
        ("c", dialogue(VideoPart(tmp_path / "none.mp4"))),
        ("d", None),
    ]
    report = find_contamination(training, samples)
    assert kinds(report) == [("film", "file", "b")]
    assert (report.flat, report.videos, report.unreadable, report.unusable) == (2, 3, 3, 1)


def test_long_questions_are_found_by_their_words():
    samples = [Sample("long", LONG), Sample("other", LONG.replace("coloured", "grey").replace("rainfall", "snow"))]
    training = [
        ("whole", dialogue(f"Please! {LONG.upper()}?")),
        ("part", dialogue(" ".join(LONG.split()[:14]))),
        ("words", dialogue(" ".join(reversed(LONG.split())))),
    ]
    report = find_contamination(training, samples)
    assert [(f.sample, f.item, round(f.overlap, 3)) for f in report.findings] == [
        ("long", "whole", 1.0),
        ("long", "part", round(2 / 7, 3)),
    ]


def test_short_questions_are_found_with_their_answers_only():
    samples = [
        Sample("open", "Who painted this picture?", reference="Wilhelm Leibl"),
        Sample("choice", "Who painted this one?", reference=1, choices=("Rembrandt", "Vincent van Gogh")),
        Sample("bare", "How many?", reference="2"),
        Sample("graded", "Describe it.", reference=[1, 2]),
        Sample("no answer", "What is seen here?"),
    ]
    training = [
        ("asked", dialogue("Who painted this picture?", answer="Wilhelm Leibl.")),
        ("other answer", dialogue("Who painted this picture?", answer="Nobody knows.")),
        ("right option", dialogue("Who painted this one?", answer="Vincent van Gogh")),
        ("wrong option", dialogue("Who painted this one?", answer="Rembrandt")),
        ("few words", dialogue("How many?", answer="2")),
    ]
    report = find_contamination(training, samples)
    assert kinds(report) == [("open", "text", "asked"), ("choice", "text", "right option")]
    assert report.without_text == 3


def test_chinese_is_compared_by_character():
    question = "图中有多少只猫在桌子上面睡觉而不是在玩"
    report = find_contamination([("zh", dialogue(f"请问，{question}？"))], [Sample("a", question)])
    assert [(f.kind, f.overlap) for f in report.findings] == [("text", 1.0)]


def test_what_everybody_asks_is_left_out():
    samples = [Sample("a", LONG)]
    few = [(f"item {i}", dialogue(LONG)) for i in range(10)]
    report = find_contamination(few, samples)
    assert report.hits == {"a": {"text": 10}}
    assert len(report.findings) == 5  # of ten, the best are kept
    report = find_contamination([*few, ("one more", dialogue(LONG))], samples)
    assert (report.hits, report.common) == ({}, 7)
    # The same item in a later epoch is no further item.
    assert find_contamination([*few, *few], samples).hits == {"a": {"text": 10}}


def test_a_short_question_about_a_picture_counts_beside_the_picture_only():
    image = picture(8)
    samples = [
        Sample("shown", "Which corner holds the flag?", (ImagePart(image),), "top left"),
        Sample("long", LONG, (ImagePart(picture(9)),)),
    ]
    training = [
        ("other picture", dialogue(picture(10), "Which corner holds the flag?", answer="top left")),
        ("no picture", dialogue("Which corner holds the flag?", answer="top left")),
        ("leak", dialogue(encoded(image, "JPEG"), "Which corner holds the flag?", answer="top left")),
        ("long", dialogue(LONG)),
    ]
    report = find_contamination(training, samples)
    assert kinds(report) == [("shown", "picture", "leak"), ("shown", "text", "leak"), ("long", "text", "long")]
    assert report.generic == 2
    assert report.in_one_item() == {"shown"}


def test_picture_and_text_in_one_item_are_told_apart():
    image = picture(6)
    samples = [Sample("both", LONG, (ImagePart(image),)), Sample("apart", f"{LONG} now", (ImagePart(picture(7)),))]
    training = [
        ("leak", dialogue(encoded(image, "JPEG"), LONG)),
        ("picture", dialogue(picture(7))),
    ]
    report = find_contamination(training, samples)
    assert report.in_one_item() == {"both"}
    assert report.hits["apart"] == {"file": 1, "text": 1}  # in different items
    text = contamination_text(report, most=2)
    assert text.startswith(
        "2 of 2 samples are in 2 training items (1 by file, 1 by picture, 2 by text); 1 with picture"
    )
    assert "and 2 more" in text
    assert json.loads(json.dumps(asdict(report)))["hits"]["both"] == {"picture": 1, "text": 1}


@pytest.mark.parametrize("kind", ["shapes", "emoji_grid", "text"])
def test_the_projects_own_training_pictures_are_not_in_its_held_out_ones(kind):
    mixture = Mixture([MixtureEntry(source=kind)], split="train", seed=0)
    samples = [Sample(f"s{i}", "", (ImagePart(picture(i, kind)),)) for i in range(80)]
    report = find_contamination(mixture_items(mixture, 300), samples)
    assert (report.items, report.item_pictures, report.unusable) == (300, 300, 0)
    assert len(report.contaminated("picture")) <= 1
    assert not report.contaminated("file")
    heldout = Mixture([MixtureEntry(source=kind)], split="heldout", seed=1)
    assert len(find_contamination(mixture_items(heldout, 80), samples).contaminated("file")) == 80
