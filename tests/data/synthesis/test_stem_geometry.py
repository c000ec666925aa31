"""Geometry: every number is measured again in the drawn points, and every label stands free beside what it names."""

from __future__ import annotations

import math
import random
import re

import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.synthesis.stem.deduction import deduce
from vergence.data.synthesis.stem.geometry_figures import FIGURES
from vergence.errors import DataError
from vergence.processing.media import decode_image
from vergence.verifiers.ground_truth import verify

if reason := why_unavailable("geometry"):
    pytest.skip(reason, allow_module_level=True)


def sample(index, **settings):
    generator = load_generator("geometry")
    return make_sample("geometry", generator, generator.Config(**settings), 11, index)


def value_of(text):
    """The number that LaTeX like "12", "37.5", "\\frac{5\\sqrt{3}}{2}" stands for."""
    text = re.sub(r"\\frac\{(.+)\}\{(\d+)\}", r"(\1)/\2", text)
    text = re.sub(r"\\sqrt\{(\d+)\}", r"*math.sqrt(\1)", text).replace("(*", "(").lstrip("*")
    return eval(text, {"math": math})


def measured(name, points):
    """A quantity as the points show it: degrees, a distance, an area by the shoelace formula."""
    if name[0] == "∠":
        first, vertex, second = (points[letter] for letter in name[1:])
        turns = [math.atan2(y - vertex[1], x - vertex[0]) for x, y in (first, second)]
        size = abs(math.degrees(turns[0] - turns[1])) % 360
        return min(size, 360 - size)
    if name[0] == "S":
        corners = [points[letter] for letter in name[1:] if letter.isalpha()]
        pairs = zip(corners, corners[1:] + corners[:1], strict=True)
        return abs(sum(a[0] * b[1] - a[1] * b[0] for a, b in pairs)) / 2
    return sum(math.dist(points[part[0]], points[part[1]]) for part in name.split(" + "))


@pytest.mark.parametrize("topic", FIGURES)
def test_the_theorems_of_a_figure_hold_in_its_points(topic):
    for seed in range(60):
        figure = FIGURES[topic](random.Random(seed))
        for name, value in figure.values.items():
            assert measured(name, figure.points) == pytest.approx(float(value), abs=1e-6), (seed, name)
        known = figure.values | {name: step.value for name, step in deduce(figure.relations, figure.values).items()}
        for relation in figure.relations:
            for unknown in relation.names:
                step = relation.solve(unknown, {name: known[name] for name in relation.names if name != unknown})
                if step is not None:
                    assert float(step.value) == pytest.approx(measured(unknown, figure.points), abs=1e-6), step


def test_answers_are_what_the_drawn_points_show():
    topics = set()
    for index in range(150):
        conversation = sample(index)
        truth = conversation.metadata["truth"]
        topics.add(truth["figure"].split("-")[0])
        scale = truth["pixels_per_unit"]
        for name, text in (truth["given"] | truth["all"]).items():
            seen = measured(name, truth["points"])
            if name[0] == "∠":
                assert seen == pytest.approx(value_of(text), abs=0.05), (index, name)
            else:
                units = scale**2 if name[0] == "S" else scale
                assert seen / units == pytest.approx(value_of(text), rel=1e-3), (index, name)
        # The answer that is asked for is the target's, whatever the form of the question.
        wanted = truth["all"][truth["target"]]
        answers = [m.text for m in conversation.messages if m.role == "assistant"]
        checks = conversation.metadata["checks"]
        assert any(check.get("target") == wanted or "choices" in check for check in checks)
        for check, answer in zip(checks, answers, strict=True):
            if check["verifier"] == "maths":
                assert verify(check, f"The result is $\\boxed{{{check['target']}}}$") == 1
                assert verify(check, "1234567") == 0
            assert verify(check, answer) == 1
    assert len(topics) >= 8


def test_each_step_uses_only_what_is_known_by_then():
    for index in range(100):
        truth = sample(index, min_steps=2).metadata["truth"]
        known = set(truth["given"])
        for step in truth["proof"]:
            assert set(step["uses"]) <= known
            known.add(step["quantity"])
        assert truth["proof"][-1]["quantity"] == truth["target"]
        assert len(truth["proof"]) >= 2


def crosses(box, start, end):
    """Whether a segment runs through a box."""
    left, top, right, bottom = box
    inside = [(start[0] + (end[0] - start[0]) * t / 200, start[1] + (end[1] - start[1]) * t / 200) for t in range(201)]
    return any(left < x < right and top < y < bottom for x, y in inside)


def test_labels_are_free_and_stand_beside_their_points():
    for index in range(100):
        conversation = sample(index)
        truth = conversation.metadata["truth"]
        size = decode_image(conversation.media[0].image).size
        boxes = [box for _, box in truth["labels"]]
        for number, (left, top, right, bottom) in enumerate(boxes):
            assert left >= 0
            assert top >= 0
            assert right <= size[0]
            assert bottom <= size[1]
            for other in boxes[:number]:
                assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top, index
            for name in truth["segments"]:
                ends = (truth["points"][name[0]], truth["points"][name[1]])
                assert not crosses(boxes[number], *ends), (index, truth["labels"][number], name)
        for text, box in truth["labels"]:
            if text in truth["points"]:
                middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
                nearest = min(truth["points"], key=lambda name: math.dist(truth["points"][name], middle))
                assert nearest == text, index
                assert math.dist(truth["points"][text], middle) < 34


def test_every_segment_and_circle_is_drawn():
    for index in range(40):
        conversation = sample(index)
        truth, image = conversation.metadata["truth"], decode_image(conversation.media[0].image)
        paper = image.getpixel((1, 1))

        def is_ink(x, y, image=image, paper=paper):
            near = [
                image.getpixel((round(x - 0.5) + dx, round(y - 0.5) + dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1)
            ]
            return max(sum(abs(a - b) for a, b in zip(pixel, paper, strict=True)) for pixel in near) > 120

        for name in truth["segments"]:
            (x1, y1), (x2, y2) = (truth["points"][letter] for letter in name)
            assert all(is_ink(x1 + (x2 - x1) * t / 20, y1 + (y2 - y1) * t / 20) for t in range(21)), (index, name)
        if truth["circle"]:
            (x, y), radius = truth["points"][truth["circle"][0]], truth["circle"][1]
            turns = [math.radians(10 * n) for n in range(36)]
            assert all(is_ink(x + radius * math.cos(t), y + radius * math.sin(t)) for t in turns), index


def test_an_unknown_topic_is_named():
    with pytest.raises(DataError, match="no topic 'knots'"):
        sample(0, topics=("knots",))


def test_no_option_of_a_theorem_is_given_away_by_the_points_it_names():
    """Either all options would name points of the figure or none; and at least one wrong one is of the same figure."""
    asked = 0
    for index in range(150):
        conversation = sample(index, language="en")
        for message, check in zip(conversation.messages[::2], conversation.metadata["checks"], strict=True):
            if "Which statement" in message.text:
                asked += 1
                assert len(set(check["choices"])) == 4
                assert not any(re.search(r"\b[A-Z]{2,}\b|\b[B-Z]\b", choice) for choice in check["choices"])
    assert asked > 20
