"""School exercises: scales, hands and shaded parts are read from the pixels."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.errors import DataError
from vergence.processing.media import decode_image

if reason := why_unavailable("exercise"):
    pytest.skip(reason, allow_module_level=True)


def sample(index, *topics, language="en"):
    generator = load_generator("exercise")
    config = generator.Config(topics=topics, language=language)
    conversation = make_sample("exercise", generator, config, 51, index)
    pixels = np.asarray(decode_image(conversation.media[0].image)).astype(int)
    return conversation, conversation.metadata["truth"], pixels


def turns(conversation):
    users = [m.text.split("\n")[0] for m in conversation.messages if m.role == "user"]
    answers = [m.text for m in conversation.messages if m.role == "assistant"]
    return list(zip(users, answers, conversation.metadata["checks"], strict=True))


def directions(pixels, centre, radius):
    """Clockwise degrees from 12 at which a circle around the centre meets ink."""
    turns = [math.radians(tenth / 10) for tenth in range(3600)]
    ring = [pixels[int(centre[1] - radius * math.cos(t)), int(centre[0] + radius * math.sin(t))] for t in turns]
    face = np.median(ring, axis=0)
    return [tenth / 10 for tenth, pixel in enumerate(ring) if np.abs(pixel - face).sum() > 150]


def apart(first, second):
    gap = abs(first - second) % 360
    return min(gap, 360 - gap)


def test_clock_hands_show_the_time():
    for index in range(40):
        conversation, truth, pixels = sample(index, "clock")
        minute, hour = 6 * (truth["minutes"] % 60), truth["minutes"] / 2
        far = directions(pixels, truth["centre"], truth["radius"] * 0.54)
        assert far, index
        assert max(apart(seen, minute) for seen in far) < 5, index
        near = directions(pixels, truth["centre"], truth["radius"] * 0.38)
        others = [seen for seen in near if apart(seen, minute) > 6]
        assert others or apart(hour, minute) < 12
        assert all(apart(seen, hour) < 7 for seen in others), index
        for question, answer, check in turns(conversation):
            if "angle" in question:
                assert check["target"] == pytest.approx(apart(hour, minute))
            else:
                shift = re.search(r"(\d+) minutes (later|earlier)", question)
                moved = truth["minutes"] + (int(shift[1]) * (1 if shift[2] == "later" else -1) if shift else 0)
                shown = f"{moved // 60 % 12 or 12}:{moved % 60:02d}"
                assert check["target"] == shown
                assert answer.endswith(shown)


def test_the_shaded_share_is_that_of_the_pixels():
    for index in range(60):
        conversation, truth, pixels = sample(index, "fraction")
        shaded = np.abs(pixels - truth["colour"]).sum(2) < 12
        paper = np.abs(pixels - pixels[0, 0]).sum(2) < 12
        if truth["form"] == "disc":
            side = pixels.shape[0]
            y, x = np.mgrid[:side, :side]
            inside = (x + 0.5 - side / 2) ** 2 + (y + 0.5 - side / 2) ** 2 < (side / 2 - 24) ** 2
        else:
            inside = np.zeros(shaded.shape, bool)
            inside[24:-24, 24:-24] = True
        share = (shaded & inside).sum() / ((shaded | paper) & inside).sum()
        count = len(truth["shaded"])
        assert share * truth["parts"] == pytest.approx(count, abs=0.3), index
        whole = Fraction(count, truth["parts"])
        for question, _, check in turns(conversation):
            found = {
                "What fraction of": whole,
                "What fraction is": 1 - whole,
                "What percentage of": 100 * whole,
                "How many parts": count,
            }.get(" ".join(question.split()[:3]))
            if "Which fraction" in question:
                equal = [Fraction(choice) == whole for choice in check["choices"]]
                assert equal.count(True) == 1
                assert equal[check["target"]]
            elif check["verifier"] == "maths":
                text = re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"\1/\2", check["target"])
                assert Fraction(text) == found
            else:
                assert check["target"] == pytest.approx(float(found))


def test_scales_are_read_from_the_pixels():
    for index in range(30):
        conversation, truth, pixels = sample(index, "thermometer")
        column = pixels[:, round(truth["column"])]
        red = np.flatnonzero(np.abs(column - truth["red"]).sum(1) < 60)
        degrees = truth["low"] + (truth["bottom"] - red.min()) / (truth["bottom"] - truth["top"]) * (
            truth["high"] - truth["low"]
        )
        step = (truth["high"] - truth["low"]) / (truth["bottom"] - truth["top"])
        assert degrees == pytest.approx(truth["value"], abs=2 * step)
        for question, _, check in turns(conversation):
            change = re.search(r"(rises|falls) by (\d+)", question)
            if change:
                sign = 1 if change[1] == "rises" else -1
                assert check["target"] == truth["value"] + sign * int(change[2])
            elif "Fahrenheit" in question:
                assert (check["target"] - 32) * 5 / 9 == pytest.approx(truth["value"])
            else:
                assert check["target"] == truth["value"]


def test_a_bar_on_a_ruler_is_as_long_as_its_pixels():
    for index in range(30):
        conversation, truth, pixels = sample(index, "ruler")
        row = pixels[int(truth["row"])]
        ink = np.flatnonzero(np.abs(row - pixels[0, 0]).sum(1) > 60)
        size = truth["pixels_per_cm"]
        assert (ink.min() - truth["zero"]) / size == pytest.approx(truth["start"], abs=0.09)
        assert (ink.max() + 1 - truth["zero"]) / size == pytest.approx(truth["end"], abs=0.09)
        [length] = [check for question, _, check in turns(conversation) if question.startswith("How long is the bar")]
        assert length["target"] == pytest.approx(truth["end"] - truth["start"])


def test_water_stands_at_its_mark():
    for index in range(25):
        conversation, truth, pixels = sample(index, "cylinder")
        for region, value in zip(conversation.metadata["regions"], truth["values"], strict=True):
            middle = round((region["box"][0] + region["box"][2]) / 2)
            column = pixels[round(truth["top"]) - 8 : round(truth["bottom"]) - 2, middle]
            level = round(truth["top"]) - 8 + np.flatnonzero(np.abs(column - column[0]).sum(1) > 40).min()
            height = (truth["bottom"] - level) / (truth["bottom"] - truth["top"]) * truth["size"]
            assert height == pytest.approx(value, abs=2.5 * truth["size"] / (truth["bottom"] - truth["top"]))
        for question, _, check in turns(conversation):
            values = truth["values"]
            if "together" in question:
                assert check["target"] == sum(values)
            elif "differ" in question:
                assert check["target"] == abs(values[0] - values[1])
            elif "in B" in question:
                assert check["target"] == values[1]
            elif "How much more" in question:
                assert check["target"] + values[0] == truth["size"]


def test_points_of_a_number_line_lie_at_their_numbers():
    for index in range(30):
        conversation, truth, pixels = sample(index, "number-line")
        colours = []
        for text in truth["values"].values():
            tick = (Fraction(text) - Fraction(truth["first"])) / Fraction(truth["step"])
            assert tick.denominator == 1
            colours.append(pixels[int(truth["row"]), int(truth["left"] + int(tick) * truth["gap"])])
        assert all(np.abs(colour - colours[0]).sum() < 40 for colour in colours)
        assert colours[0].max() - colours[0].min() > 40, "a point has a colour of its own"
        for question, _, check in turns(conversation):
            text = re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"\1/\2", check["target"])
            names = re.findall(r"\b([A-Z])\b", question)
            values = [Fraction(truth["values"][name]) for name in names]
            if "far apart" in question:
                assert abs(values[0] - values[1]) == Fraction(text)
            elif "middle" in question:
                assert values[0] + values[1] == 2 * Fraction(text)
            else:
                assert values == [Fraction(text)]


def test_money_adds_up():
    for index in range(40):
        conversation, _truth, _ = sample(index, "money")
        shown = []
        for region in conversation.metadata["regions"]:
            amount = float(re.sub(r"[^\d.]", "", region["label"]))
            shown.append(amount / 100 if region["label"][-1] in "¢c" else amount)
        for question, _, check in turns(conversation):
            if "in all" in question:
                assert check["target"] == pytest.approx(sum(shown))
            elif price := re.search(r"costs \D(\d+\.\d+)", question):
                assert check["target"] == pytest.approx(sum(shown) - float(price[1]))
            else:
                face = re.match(r"How many (\S+)", question)[1]
                assert check["target"] == [region["label"] for region in conversation.metadata["regions"]].count(face)


def test_bar_models_balance():
    for index in range(40):
        conversation, truth, _pixels = sample(index, "bar-model")
        first, second = truth["parts"]
        assert truth["unit"] * (first + second) + truth["extra"] == truth["whole"]
        boxes = [region["box"] for region in conversation.metadata["regions"]]
        assert (boxes[0][2] - boxes[0][0]) / truth["width"] == pytest.approx(first)
        totals = (first * truth["unit"], second * truth["unit"] + truth["extra"])
        for question, _, check in turns(conversation):
            if "What number does one of them" in question:
                assert check["target"] == truth["unit"]
            elif "differ" in question:
                assert check["target"] == abs(totals[0] - totals[1])
            else:
                assert check["target"] == totals[1]


def test_an_unknown_topic_is_named():
    with pytest.raises(DataError, match="no exercise 'abacus'"):
        sample(0, "abacus")
