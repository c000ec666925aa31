"""Circuits: the drawn wires solved by Kirchhoff's laws, and truth tables evaluated from the formula as text."""

from __future__ import annotations

import math
import re
from itertools import product

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.processing.media import decode_image

if reason := why_unavailable("circuit"):
    pytest.skip(reason, allow_module_level=True)

SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def sample(index, **settings):
    generator = load_generator("circuit")
    return make_sample("circuit", generator, generator.Config(**settings), 41, index)


def nets(truth):
    """Which drawn points are the same net: ends of wires that touch or lie on another wire, by union-find."""
    wires = [tuple(map(tuple, wire)) for wire in truth["wires"]]
    ends = [end for wire in wires for end in wire]
    ends += [tuple(end) for pair in truth["ends"].values() for end in pair] + [tuple(end) for end in truth["battery"]]
    parent = {end: end for end in ends}

    def find(end):
        while parent[end] != end:
            end = parent[end]
        return end

    for start, stop in wires:
        for end in ends:
            if math.dist(start, end) + math.dist(end, stop) - math.dist(start, stop) < 1e-6:
                parent[find(end)] = find(start)
    return find


def by_kirchhoff(truth):
    """The current through each resistor and the battery: modified nodal analysis of the drawn net."""
    find = nets(truth)
    plus, minus = (find(tuple(end)) for end in truth["battery"])
    pairs = {name: [find(tuple(end)) for end in ends] for name, ends in truth["ends"].items()}
    nodes = sorted({node for pair in pairs.values() for node in pair} - {minus})
    size = len(nodes) + 1
    matrix, right = np.zeros((size, size)), np.zeros(size)
    for name, pair in pairs.items():
        conductance = 1 / truth["ohms"][name]
        for one, two in (pair, pair[::-1]):
            if one != minus:
                row = nodes.index(one)
                matrix[row, row] += conductance
                if two != minus:
                    matrix[row, nodes.index(two)] -= conductance
    # The last unknown is the battery's current, the last equation its voltage.
    matrix[nodes.index(plus), -1], matrix[-1, nodes.index(plus)] = -1, 1
    right[-1] = truth["volts"]
    solved = np.linalg.solve(matrix, right)
    volts = dict(zip(nodes, solved, strict=False)) | {minus: 0.0}
    currents = {n: abs(volts[a] - volts[b]) / truth["ohms"][n] for n, (a, b) in pairs.items()}
    return currents, solved[-1]


def test_currents_are_those_of_kirchhoff():
    asked = set()
    for index in range(120):
        conversation = sample(index, form="resistors", language="en")
        truth = conversation.metadata["truth"]
        currents, total = by_kirchhoff(truth)
        assert truth["volts"] / total == pytest.approx(truth["equivalent"])
        for name, current in currents.items():
            assert truth["amperes"][name] == pytest.approx(current), (index, name)
        users = [m.text.split("\n")[0] for m in conversation.messages if m.role == "user"]
        by_value = {f"the {ohms:g} Ω resistor": name for name, ohms in truth["ohms"].items()}
        for question, check in zip(users, conversation.metadata["checks"], strict=True):
            named = re.search(r"(R[₀-₉]+|the \d+ Ω resistor)", question)
            name = named and by_value.get(named[1], named[1])
            wanted = None
            if "equivalent" in question:
                wanted = truth["volts"] / total
            elif "battery deliver" in question:
                wanted = total
            elif question.startswith("What is the current"):
                wanted = currents[name]
            elif question.startswith("What is the voltage"):
                wanted = currents[name] * truth["ohms"][name]
            elif question.startswith("What power"):
                wanted = currents[name] ** 2 * truth["ohms"][name]
            if wanted is not None:
                asked.add(" ".join(question.split()[:4]))
                assert check["target"] == pytest.approx(wanted), (index, question)
    assert len(asked) >= 4


def test_the_equations_in_the_steps_are_true():
    for index in range(80):
        conversation = sample(index, form="resistors", language="en")
        for message in conversation.messages:
            if message.role != "assistant" or "\n" not in message.text:
                continue
            for line in message.text.splitlines():
                for left, right in re.findall(r"([\d().+ ×/]+) = ([\d./]+)(?: [ΩAVW])", line):
                    if re.search(r"[×/+]", left):
                        assert eval(left.replace("×", "*")) == pytest.approx(eval(right), rel=1e-9), line


def evaluate(text, given):
    """The value of a formula such as "(A OR (NOT B)) NAND (C AND D)"."""
    tokens = re.findall(r"[()]|\w+", text)

    def operand():
        token = tokens.pop(0)
        if token == "NOT":
            return not operand()
        if token == "(":
            found = expression()
            assert tokens.pop(0) == ")"
            return found
        return bool(given[token])

    def expression():
        found = operand()
        while tokens and tokens[0] != ")":
            gate, other = tokens.pop(0), operand()
            found = {
                "AND": found and other,
                "OR": found or other,
                "XOR": found != other,
                "NAND": not (found and other),
                "NOR": not (found or other),
                "XNOR": found == other,
            }[gate]
        return found

    return int(expression())


def test_truth_tables_are_those_of_the_formula():
    asked = set()
    for index in range(120):
        conversation = sample(index, form="logic", language="en")
        truth = conversation.metadata["truth"]
        letters = sorted(set(re.findall(r"\b[A-E]\b", truth["formula"])))
        rows = [dict(zip(letters, bits, strict=True)) for bits in product((0, 1), repeat=len(letters))]
        outputs = [evaluate(truth["formula"], row) for row in rows]
        assert truth["table"] == [
            "".join(map(str, row.values())) + f" {output}" for row, output in zip(rows, outputs, strict=True)
        ]
        users = [m.text for m in conversation.messages if m.role == "user"]
        for question, check in zip(users, conversation.metadata["checks"], strict=True):
            if found := re.match(r"What is the output Y for (.*)\?", question):
                given = {part[0]: int(part[-1]) for part in found[1].split(", ")}
                assert check["target"] == evaluate(truth["formula"], given)
                asked.add("output")
            elif question.startswith("List the output"):
                assert check["target"] == [str(output) for output in outputs]
                asked.add("table")
            elif question.startswith("For how many"):
                assert check["target"] == sum(outputs)
                asked.add("ones")
            elif question.startswith("Which expression"):
                same = [[evaluate(choice, row) for row in rows] == outputs for choice in check["choices"]]
                assert same.count(True) == 1
                assert same[check["target"]]
                asked.add("expression")
            elif found := re.match(r"What kind of gate is (G\d)", question):
                assert check["target"] == truth["gates"][found[1]][0]
                asked.add("gate")
    assert len(asked) == 5


def test_parts_are_drawn_in_their_boxes():
    for index in range(40):
        conversation = sample(index)
        image = np.asarray(decode_image(conversation.media[0].image)).astype(int)
        paper = image[0, 0]
        for region in conversation.metadata["regions"]:
            left, top, right, bottom = (round(value) for value in region["box"])
            assert 0 <= left < right <= image.shape[1]
            assert 0 <= top < bottom <= image.shape[0]
            ink = np.abs(image[top:bottom, left:right] - paper).sum(2) > 90
            assert ink.any(0).mean() > 0.5, (index, region)
            assert ink.any(1).mean() > 0.7, (index, region)


def test_a_rounded_answer_says_how_it_is_rounded():
    rounded = 0
    for index in range(60):
        conversation = sample(index, form="resistors", language="en")
        for message, answer, check in zip(
            conversation.messages[::2], conversation.messages[1::2], conversation.metadata["checks"], strict=True
        ):
            if check["verifier"] != "number" or "relative" not in check:
                continue
            shown = re.search(r"([\d.]+) [AVWΩ]$", answer.text)[1]
            exact = abs(float(shown) - check["target"]) < 1e-9
            assert exact != ("three significant figures" in message.text)
            assert float(shown) == pytest.approx(check["target"], rel=0.005)
            rounded += not exact
    assert rounded > 10
