"""The questions about a logic circuit: its output, truth table, gates and formula."""

from __future__ import annotations

import random

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Turn
from vergence.data.synthesis.stem.logic_gates import CHINESE, GATES, Node, truth_table
from vergence.processing.coordinates import format_box


def logic_turns(root: Node, size: list[int], language: str, rng: random.Random) -> list[Turn]:
    """One to three different questions, and perhaps one for the box of a gate in a picture of a size."""
    # The steps to an output name the gates, and a table holds every output.
    makers = [_ask_gate, _ask_count, _ask_output, _ask_expression, _ask_table]
    chosen = rng.sample([*makers, _ask_output], rng.choice((1, 2, 2, 3)))
    turns = [maker(root, language, rng) for maker in makers if maker in chosen]
    if rng.random() < 0.3:
        gate = rng.choice([node for node in root.walk() if node.gate])
        text = f"Give the bounding box of gate {gate.name}." if language == "en" else f"请框出逻辑门{gate.name}。"
        turns.append(
            Turn(text, format_box(gate.box, *size), {"verifier": "box", "target": list(gate.box), "size": size})
        )
    return turns


def _ask_output(root: Node, language: str, rng: random.Random) -> Turn:
    given = {node.name: rng.randrange(2) for node in root.walk() if not node.gate}
    told = ", ".join(f"{name} = {bit}" for name, bit in given.items())
    text = f"What is the output Y for {told}?" if language == "en" else f"当{told}时，输出Y是多少？"
    steps = []
    for node in root.walk():
        if node.gate:
            bits = [inner.value(given) for inner in node.inputs]
            sums = f"NOT {bits[0]}" if node.gate == "NOT" else f" {node.gate} ".join(map(str, bits))
            result = f"{sums} = {node.value(given)}"
            steps.append(
                f"{node.name} ({node.gate}): {result}"
                if language == "en"
                else f"{node.name}（{CHINESE[node.gate]}）：{result}"
            )
    answer = str(root.value(given))
    return thought_turn(text, steps, answer, {"verifier": "count", "target": int(answer)}, language)


def _ask_table(root: Node, language: str, rng: random.Random) -> Turn:
    letters = "".join(node.name for node in root.walk() if not node.gate)
    table = truth_table(root)
    if len(table) > 8:
        return _ask_ones(root, language)
    rows = ", ".join("".join(map(str, bits)) for bits, _ in table)
    outputs = [str(output) for _, output in table]
    text = (
        f"List the output Y for {letters} = {rows}, in this order, separated by commas."
        if language == "en"
        else f"依次写出{letters} = {rows}时的输出Y，用逗号分隔。"
    )
    return Turn(text, ", ".join(outputs), {"verifier": "sequence", "target": outputs})


def _ask_ones(root: Node, language: str) -> Turn:
    table = truth_table(root)
    ones = sum(output for _, output in table)
    text = (
        f"For how many of the {len(table)} input combinations is the output 1?"
        if language == "en"
        else f"在全部{len(table)}种输入组合中，有多少种使输出为1？"
    )
    return short_turn(text, str(ones), {"verifier": "count", "target": ones}, language)


def _ask_gate(root: Node, language: str, rng: random.Random) -> Turn:
    node = rng.choice([node for node in root.walk() if node.gate])
    if language == "en":
        check = {"verifier": "exact", "target": node.gate, "accepted": [f"{node.gate} gate"]}
        return short_turn(f"What kind of gate is {node.name}?", node.gate, check, language)
    answer = CHINESE[node.gate]
    check = {"verifier": "exact", "target": answer, "accepted": [node.gate, f"{node.gate}门"]}
    return short_turn(f"{node.name}是哪种逻辑门？", answer, check, language)


def _ask_expression(root: Node, language: str, rng: random.Random) -> Turn:
    """A choice of formulas whose truth tables all differ."""
    gates = [node for node in root.walk() if node.gate]
    kept = [node.gate for node in gates]
    right, tables, wrong = root.formula(), [truth_table(root)], list[str]()
    for _ in range(60):
        if len(wrong) == 3:
            break
        for node in rng.sample(gates, rng.randint(1, len(gates))):
            if node.gate != "NOT":
                node.gate = rng.choice([gate for gate in GATES if gate != "NOT"])
        table = truth_table(root)
        if table not in tables:
            tables.append(table)
            wrong.append(root.formula())
        for node, gate in zip(gates, kept, strict=True):
            node.gate = gate
    text = "Which expression does the circuit compute?" if language == "en" else "该电路实现的是哪个表达式？"
    return choice_turn(text, right, wrong, rng, language)


def _ask_count(root: Node, language: str, rng: random.Random) -> Turn:
    gates = [node.gate for node in root.walk() if node.gate]
    kind = rng.choice(gates)
    count, text = len(gates), "How many gates does the circuit have?" if language == "en" else "该电路有几个逻辑门？"
    if len(gates) > 2 and rng.random() < 0.5:
        count = gates.count(kind)
        text = f"How many {kind} gates are there?" if language == "en" else f"电路中有几个{CHINESE[kind]}？"
    return short_turn(text, str(count), {"verifier": "count", "target": count}, language)
