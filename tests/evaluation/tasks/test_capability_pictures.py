"""Pictures out of distribution: the same answers in other pictures, and drawings beyond what training shows."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

from vergence.data import catalogue
from vergence.data.pictures import split_of
from vergence.data.synthesis import shapes
from vergence.data.synthesis.palette import COLOURS
from vergence.evaluation.tasks.capability_pictures import CHANGES, DRAWN, NOISE
from vergence.processing.coordinates import parse_boxes

SCENE = catalogue.draw("shapes", "heldout", 0, 2)


def pixels(picture):
    return np.asarray(picture.image, np.int16)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_repeatable_and_keeps_the_answers(name):
    first, again = (CHANGES[name](SCENE, random.Random(5)) for _ in range(2))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.image.mode == "RGB"
    assert first.image.tobytes() != SCENE.image.tobytes()
    if name != "enlarged":
        assert first.questions == SCENE.questions
        assert first.image.size == SCENE.image.size


def test_enlarged_pictures_move_their_places_along():
    changed = CHANGES["enlarged"](SCENE, random.Random(0))
    assert changed.image.size == tuple(round(side * 5 / 3) for side in SCENE.image.size)
    for before, after in zip(SCENE.questions, changed.questions, strict=True):
        assert (before.task, before.prompt) == (after.task, after.prompt)
        if before.task not in ("box", "point"):
            assert before.answer == after.answer
        if before.box:
            assert after.box == pytest.approx([side * 5 / 3 for side in before.box], rel=0.01)
        if before.task == "box":
            (box,) = parse_boxes(after.answer, *changed.image.size)
            assert box == pytest.approx(after.box, abs=0.2)
            inside = changed.image.crop(tuple(map(round, after.box))).resize((24, 24))
            same = SCENE.image.crop(tuple(map(round, before.box))).resize((24, 24))
            assert np.abs(np.asarray(inside, np.int16) - np.asarray(same, np.int16)).mean() < 12


def test_noise_is_noise():
    grey = np.full((64, 64, 3), 128, np.uint8)
    picture = SCENE.__class__(Image.fromarray(grey), "", (), (), False, "")
    noise = pixels(CHANGES["noisy"](picture, random.Random(1))) - 128
    assert noise.std() == pytest.approx(NOISE, rel=0.05)
    assert abs(noise.mean()) < 1


def test_stripes_are_on_the_background_alone():
    before, after = pixels(SCENE), pixels(CHANGES["striped"](SCENE, random.Random(1)))
    plain = (before == before[0, 0]).all(2)
    assert (before == after)[~plain].all()
    assert 0.3 < (before != after).any(2)[plain].mean() < 0.7


def test_greys_and_negatives():
    grey = pixels(CHANGES["grey"](SCENE, random.Random(0)))
    assert (grey[..., 0] == grey[..., 1]).all()
    assert (pixels(CHANGES["inverted"](SCENE, random.Random(0))) == 255 - pixels(SCENE)).all()


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_repeatable_and_varied(name):
    pictures = [DRAWN[name](random.Random(i)) for i in range(12)]
    assert [p.image.tobytes() for p in pictures] == [DRAWN[name](random.Random(i)).image.tobytes() for i in range(12)]
    assert len({p.image.tobytes() for p in pictures}) == 12
    assert all(p.image.mode == "RGB" and max(p.image.size) <= 200 for p in pictures)
    assert len({p.questions[0].prompt for p in pictures}) > 1


def blobs(picture):
    """The number of connected regions that stand out from the background."""
    values = pixels(picture)
    away = np.abs(values - values[0, 0]).max(2) > 40
    count = 0
    while away.any():
        count += 1
        todo = [tuple(np.argwhere(away)[0])]
        while todo:
            row, column = todo.pop()
            if 0 <= row < away.shape[0] and 0 <= column < away.shape[1] and away[row, column]:
                away[row, column] = False
                todo += [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return count


def test_a_crowd_is_of_five_to_seven_separate_things():
    numbers = set()
    for i in range(12):
        picture = DRAWN["crowd"](random.Random(i))
        assert blobs(picture) == int(picture.questions[0].answer)
        numbers.add(picture.questions[0].answer)
    assert numbers == {"5", "6", "7"}
    assert max(shapes.LARGEST) < 5  # training shows fewer


def test_the_bar_that_is_asked_for_is_the_tallest_or_the_shortest():
    for i in range(20):
        picture = DRAWN["many-bars"](random.Random(i))
        asked, counted = picture.questions
        heights = {}
        values = pixels(picture)[:-7, 8:]
        for name, colour in COLOURS.items():
            heights[name] = (np.abs(values - colour).max(2) <= 10).sum(0).max()
        shown = {name: height for name, height in heights.items() if height > 3}
        assert len(shown) == int(counted.answer) in (6, 7)
        tallest = "all" in asked.prompt or "high" in asked.prompt
        expected = max(shown, key=shown.get) if tallest else min(shown, key=shown.get)
        assert asked.answer == expected


def test_long_numbers_and_words_are_longer_than_trained_ones_and_held_out():
    for i in range(12):
        number = DRAWN["long-number"](random.Random(i))
        assert len(number.questions[0].answer) in (5, 6)
        assert number.image.width == 28 * len(number.questions[0].answer)
        word = DRAWN["long-word"](random.Random(i)).questions[0].answer
        assert 7 <= len(word) <= 10
        assert any(
            split_of(f"word:{word[:k]}") == split_of(f"word:{word[k:]}") == "heldout" for k in range(3, len(word) - 2)
        )
        assert split_of(f"word:{DRAWN['slanted'](random.Random(i)).questions[0].answer}") == "heldout"
