"""Circuits: networks of resistors with their currents and voltages, and logic gates with their truth tables."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any, Literal

from pydantic import Field

from vergence.data.formats import short_turn, thought_turn
from vergence.data.generator import Draft, GeneratorConfig, Region, Turn, dialogue
from vergence.data.pictures import Split, split_of
from vergence.data.synthesis.stem.deduction import written
from vergence.data.synthesis.stem.drawing import CrowdedError, choose_style
from vergence.data.synthesis.stem.logic_gates import (
    choose_circuit,
    draw_circuit,
    name_gates,
    truth_table,
)
from vergence.data.synthesis.stem.logic_questions import logic_turns
from vergence.data.synthesis.stem.resistors import Part, Wiring, choose_network, draw_network, solve
from vergence.errors import DataError
from vergence.processing.coordinates import format_box, format_point

VERSION = 2
PACKAGES = ("matplotlib",)
_TRIES = 3000


class Config(GeneratorConfig):
    """Which circuits, how large, and in which language."""

    form: Literal["resistors", "logic", "mix"] = Field("mix", description="networks of resistors, or of logic gates")
    max_resistors: int = Field(5, ge=2, le=8, description="most resistors in a network")
    max_inputs: int = Field(4, ge=2, le=5, description="most inputs of a logic circuit")
    language: Literal["en", "zh", "mix"] = Field("mix", description="of questions and answers")


def generate(rng: random.Random, config: Config) -> Draft:
    """A circuit with questions. Raises `DataError` where no circuit of the settings fits into a picture."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    form = config.form if config.form != "mix" else rng.choice(("resistors", "resistors", "logic"))
    sizes = range(2, 1 + (config.max_resistors if form == "resistors" else config.max_inputs))
    size = rng.choices(sizes, [1, 3, 4, 4, 3, 3, 3][: len(sizes)])[0]
    for _ in range(_TRIES):
        try:
            draft = (_resistors if form == "resistors" else _logic)(rng, config.split, size, language)
        except CrowdedError:
            continue
        if draft is not None:
            return draft
    raise DataError(f"no circuit of form {form} fits into a picture")


def rounded(value: Fraction) -> str:
    """A quantity above zero as it is where that takes few decimals, otherwise with three significant figures."""
    exact = written(value)
    if "/" not in exact:
        return exact
    return f"{float(value):.{max(0, 2 - math.floor(math.log10(value)))}f}"


def _number(value: Fraction) -> dict[str, Any]:
    return {"verifier": "number", "target": float(value), "relative": 0.01, "tolerance": 0.0011}


def _resistors(rng: random.Random, split: Split, count: int, language: str) -> Draft | None:
    """A network whose resistance is simple enough to be worked out by hand; None for another split or ugly numbers."""
    network = choose_network(rng, count)
    volts = Fraction(rng.choice((3, 6, 9, 12, 12, 18, 20, 24, 30, 36, 48)))
    solve(network, volts)
    if any(part.ohms.denominator > 10 for part in network.walk()) or network.current.denominator > 60:
        return None
    parts = network.resistors()
    key = f"{_shape(network)}/" + ",".join(str(part.ohms) for part in parts) + f"/{volts}"
    if split_of(f"circuit/{key}") != split:
        return None
    naming = rng.choice(("both", "both", "values"))
    labels = {p.name: f"{p.name} = {p.ohms} Ω" if naming == "both" else f"{p.ohms} Ω" for p in parts}
    if naming == "values" and len(set(labels.values())) < len(labels):
        return None
    style = choose_style(rng, squares=0.1)
    canvas, wiring = draw_network(style, network, labels, f"{volts} V", boxes=rng.random() < 0.5)
    size = [canvas.width, canvas.height]
    called = {p.name: p.name if naming == "both" else _by_value(p, language) for p in parts}
    turns = _resistor_turns(network, wiring, called, size, language, rng)
    messages, checks = dialogue((canvas.finish(),), turns)
    return Draft(
        messages,
        checks,
        truth={
            "form": "resistors",
            "network": _shape(network),
            "volts": float(volts),
            "ohms": {part.name: float(part.ohms) for part in parts},
            "amperes": {part.name: float(part.current) for part in parts},
            "equivalent": float(network.ohms),
            "wires": [[list(start), list(end)] for start, end in wiring.wires],
            "ends": {name: [list(start), list(end)] for name, (start, end) in wiring.ends.items()},
            "battery": [list(end) for end in wiring.battery],
        },
        capability="stem/circuit",
        domain="physics",
        difficulty=min(1.0, 0.15 + 0.12 * len(parts) + 0.05 * len(turns)),
        language=language,
        regions=(
            *(Region(name, box) for name, box in wiring.boxes.items()),
            Region("battery", wiring.battery_box),
        ),
        tags={"form": "resistors"},
    )


def _by_value(part: Part, language: str) -> str:
    return f"the {part.ohms} Ω resistor" if language == "en" else f"{part.ohms} Ω的电阻"


def _shape(part: Part) -> str:
    """A network as text: "R₁ + (R₂ | R₃)"."""
    if not part.parts:
        return part.name
    sign = " + " if part.joined == "series" else " | "
    return "(" + sign.join(_shape(inner) for inner in part.parts) + ")"


def reduction(network: Part, language: str) -> list[str]:
    """The steps that replace parts in series and in parallel until one resistance is left."""
    steps = []
    for part in network.walk():
        if not part.parts:
            continue
        values = [_factor(inner.ohms) for inner in part.parts]
        names = [inner.name for inner in part.parts]
        listed = (" and " if language == "en" else "与").join(
            [(", " if language == "en" else "、").join(names[:-1]), names[-1]]
        )
        if part.joined == "series":
            sums = " + ".join(values)
        elif len(values) == 2:
            sums = f"{values[0]} × {values[1]} / ({values[0]} + {values[1]})"
        else:
            sums = "1 / (" + " + ".join(f"1/{value}" for value in values) + ")"
        result = f"{part.name} = {sums} = {written(part.ohms)} Ω"
        if language == "en":
            steps.append(f"{listed} are in {part.joined}: {result}.")
        else:
            steps.append(f"{listed}{'串联' if part.joined == 'series' else '并联'}：{result}。")
    return steps


def _factor(value: Fraction) -> str:
    """A value inside of a product or quotient: a fraction stands in brackets."""
    text = written(value)
    return f"({text})" if "/" in text else text


def _given_values(network: Part, called: dict[str, str], language: str) -> list[str]:
    """The first step: which resistor is called what; empty where the picture itself names them."""
    if all(name == text for name, text in called.items()):
        return []
    listed = ", ".join(f"{part.name} = {part.ohms} Ω" for part in network.resistors())
    return [f"Call the resistors {listed}." if language == "en" else f"记{listed}。"]


def descent(network: Part, target: Part, asked: str, language: str) -> list[str]:
    """The steps from the battery's voltage to the "current", "voltage" or "power" of one resistor."""
    en = language == "en"
    steps = [_total(network, language)] if network.joined == "series" else []
    part = network
    while part is not target:
        inner = next(p for p in part.parts if target.numbers[0] in p.numbers)
        volts, amperes, ohms = written(inner.voltage), written(inner.current), _factor(inner.ohms)
        last = inner is target
        if part.joined == "series":
            text = (
                f"{inner.name} carries the same current, {amperes} A"
                if en
                else f"流过{inner.name}的电流同为{amperes} A"
            )
            if not last or asked != "current":
                sums = f"{_factor(inner.current)} × {ohms} = {volts} V"
                text += f", so its voltage is {sums}" if en else f"，其电压为{sums}"
        else:
            text = (
                f"{inner.name} has the voltage of its branch, {volts} V" if en else f"{inner.name}两端的电压为{volts} V"
            )
            if not last or asked != "voltage":
                sums = f"{_factor(inner.voltage)} / {ohms} = {amperes} A"
                text += f", so its current is {sums}" if en else f"，其电流为{sums}"
        steps.append(text + ("." if en else "。"))
        part = inner
    if asked == "power":
        watts = written(target.voltage * target.current)
        sums = f"{_factor(target.voltage)} × {_factor(target.current)} = {watts} W"
        steps.append(f"Its power is {sums}." if en else f"其功率为{sums}。")
    return steps


def _total(network: Part, language: str) -> str:
    sums = f"{written(network.voltage)} / {_factor(network.ohms)} = {written(network.current)} A"
    return f"The total current is {sums}." if language == "en" else f"总电流为{sums}。"


def _resistor_turns(
    network: Part, wiring: Wiring, called: dict[str, str], size: list[int], language: str, rng: random.Random
) -> list[Turn]:
    en = language == "en"
    parts, named = network.resistors(), _given_values(network, called, language)
    up = [*named, *reduction(network, language)]
    target = rng.choice(parts)
    name = called[target.name]
    makers = {
        "equivalent": (
            "What is the equivalent resistance that the battery sees?" if en else "电路的总电阻（等效电阻）是多少？",
            up,
            (network.ohms, "Ω"),
        ),
        "current": (
            "What current does the battery deliver?" if en else "流过电池的总电流是多少？",
            [*up, _total(network, language)],
            (network.current, "A"),
        ),
    }
    parts_asked = {
        "current": (f"What is the current through {name}?", f"流过{name}的电流是多少？", target.current, "A"),
        "voltage": (f"What is the voltage across {name}?", f"{name}两端的电压是多少？", target.voltage, "V"),
        "power": (
            f"What power is dissipated in {name}?",
            f"{name}的发热功率是多少？",
            target.voltage * target.current,
            "W",
        ),
    }
    # A branch that lies at the battery's poles needs no equivalent resistance of the rest.
    whole = [] if network.joined == "parallel" and target in network.parts else reduction(network, language)
    for asked, (english, chinese, value, unit) in parts_asked.items():
        steps = [*named, *whole, *descent(network, target, asked, language)]
        makers[f"part {asked}"] = (english if en else chinese, steps, (value, unit))
    turns = []
    # The steps to a part tell all that is asked of the whole and much of the part: it comes last, and once.
    part = f"part {rng.choice(list(parts_asked))}"
    wanted = rng.sample(["equivalent", "current", part, part], rng.choice((1, 1, 2)))
    chosen = [kind for kind in makers if kind in wanted]
    for number, kind in enumerate(chosen):
        question, steps, (value, unit) = makers[kind]
        answer = f"{rounded(value)} {unit}"
        if rounded(value) != written(value):
            question += " Give three significant figures." if en else "（结果保留三位有效数字）"
            steps = [*steps, f"{written(value)} ≈ {rounded(value)}"]
        check = _number(value)
        if number == 0 and rng.random() < 0.8:
            turns.append(thought_turn(question, steps, answer, check, language))
        else:
            turns.append(short_turn(question, answer, check, language))
    if rng.random() < 0.5:
        turns.insert(0, _look_turn(network, wiring, called, size, language, rng))
    return turns


def _look_turn(
    network: Part, wiring: Wiring, called: dict[str, str], size: list[int], language: str, rng: random.Random
) -> Turn:
    """A question about the picture alone: how many, where, in series or in parallel."""
    en = language == "en"
    parts = network.resistors()
    pairs = [
        (first, second, part.joined)
        for part in network.walk()
        for first in part.parts
        for second in part.parts
        if first.numbers < second.numbers and not first.parts and not second.parts
    ]
    form = rng.choice(("count", "box", "battery", "joined" if pairs else "count"))
    if form == "count":
        text = "How many resistors are in the circuit?" if en else "电路中有几个电阻？"
        return short_turn(text, str(len(parts)), {"verifier": "count", "target": len(parts)}, language)
    if form == "joined":
        first, second, joined = rng.choice(pairs)
        names = (called[first.name], called[second.name])
        text = (
            f"Are {names[0]} and {names[1]} in series or in parallel?"
            if en
            else f"{names[0]}与{names[1]}是串联还是并联？"
        )
        answer = joined if en else {"series": "串联", "parallel": "并联"}[joined]
        accepted = [f"in {joined}"] if en else []
        return short_turn(text, answer, {"verifier": "exact", "target": answer, "accepted": accepted}, language)
    if form == "battery":
        box = wiring.battery_box
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        text = "Point to the battery." if en else "请指出电池的位置。"
        return Turn(text, format_point(middle, *size), {"verifier": "point", "targets": [list(box)], "size": size})
    part = rng.choice(parts)
    box = wiring.boxes[part.name]
    text = f"Give the bounding box of {called[part.name]}." if en else f"请框出{called[part.name]}。"
    return Turn(text, format_box(box, *size), {"verifier": "box", "target": list(box), "size": size})


def _logic(rng: random.Random, split: Split, count: int, language: str) -> Draft | None:
    """A logic circuit; None for another split or an output that never changes."""
    root = choose_circuit(rng, count)
    if split_of(f"circuit/{root.formula()}") != split:
        return None
    boxes = rng.random() < 0.35
    canvas = draw_circuit(choose_style(rng, squares=0.1), root, boxes=boxes)
    gates = [node for node in root.walk() if node.gate]
    name_gates(canvas, root)
    turns = logic_turns(root, [canvas.width, canvas.height], language, rng)
    messages, checks = dialogue((canvas.finish(),), turns)
    table = truth_table(root)
    return Draft(
        messages,
        checks,
        truth={
            "form": "logic",
            "formula": root.formula(),
            "gates": {node.name: [node.gate, [inner.name for inner in node.inputs]] for node in gates},
            "table": ["".join(map(str, bits)) + f" {output}" for bits, output in table],
        },
        capability="stem/circuit",
        domain="electronics",
        difficulty=min(1.0, 0.15 + 0.11 * len(gates) + 0.05 * len(turns)),
        language=language,
        regions=tuple(Region(f"{node.name} {node.gate}", node.box) for node in gates),
        tags={"form": "logic", "symbols": "rectangular" if boxes else "distinctive"},
    )
