"""Exercises of reading a scale: rulers, thermometers, measuring cylinders."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from vergence.data.formats import short_turn, thought_turn
from vergence.data.generator import Region, Turn
from vergence.data.synthesis.palette import RGB
from vergence.data.synthesis.stem.deduction import written
from vergence.data.synthesis.stem.drawing import Canvas, Style, mix


@dataclass(slots=True)
class Exercise:
    """A drawn exercise: its canvas and turns, what it is made of, and how hard it is; `key` names its numbers."""

    canvas: Canvas
    turns: list[Turn]
    truth: dict[str, Any]
    key: str
    difficulty: float
    regions: list[Region] = field(default_factory=list)


def number(target: Fraction | int | float, tolerance: float = 1e-6) -> dict[str, Any]:
    """A check of a number."""
    return {"verifier": "number", "target": float(target), "tolerance": tolerance}


def ruler(rng: random.Random, style: Style, language: str) -> Exercise:
    """A bar on a ruler, which need not begin at zero."""
    en = language == "en"
    length = rng.randint(8, 15)
    step = rng.randint(26, 34)
    canvas = Canvas(length * step + 60, 150, style)
    left, top, high = 30.0, 84.0, 46
    wood = mix((235, 200, 120), style.paper, 0.55)
    canvas.polygon(
        [
            (left - 14, top),
            (left + length * step + 14, top),
            (left + length * step + 14, top + high),
            (left - 14, top + high),
        ],
        wood,
    )
    for tenth in range(10 * length + 1):
        long = 14 if tenth % 10 == 0 else 10 if tenth % 5 == 0 else 6
        x = left + tenth * step / 10
        canvas.line((x, top), (x, top + long), pen=1.3 if tenth % 5 == 0 else 0.7)
        if tenth % 10 == 0:
            canvas.text((x, top + 25), str(tenth // 10), 12)
    canvas.text((left + length * step + 2, top + 38), "cm", 11)
    fine = rng.choice((10, 5, 5, 1))
    start = rng.choice((0, 0, rng.randrange(0, 30, max(fine, 5))))
    end = start + rng.randrange(20, 10 * length - start + 1, fine)
    x1, x2 = left + start * step / 10, left + end * step / 10
    y = top - 26
    shape = [(x1, y - 9), (x2, y - 9), (x2, y + 9), (x1, y + 9)]
    canvas.polygon(shape, style.accents[0])
    for x in (x1, x2):
        canvas.line((x, y + 12), (x, top), pen=0.8, dash=3)
    size = Fraction(end - start, 10)
    ends = (written(Fraction(start, 10)), written(Fraction(end, 10)))
    text = "How long is the bar in cm?" if en else "图中的长条长多少厘米？"
    steps = [
        f"It begins at {ends[0]} cm and ends at {ends[1]} cm."
        if en
        else f"左端对准{ends[0]} cm，右端对准{ends[1]} cm。",
        f"{ends[1]} − {ends[0]} = {written(size)}",
    ]
    turns = [thought_turn(text, steps, f"{written(size)} cm", number(size, 0.05), language)]
    room = rng.randint(2, 6) * written_whole(size)
    more = [
        (
            "How long is it in millimetres?" if en else "是多少毫米？",
            f"{10 * size} mm",
            number(10 * size, 0.5),
        ),
        (
            "At which mark does the bar end?" if en else "长条的右端对准哪个刻度？",
            f"{ends[1]} cm",
            number(Fraction(end, 10), 0.05),
        ),
        (
            f"How many bars of this length fit into {room} cm, end to end?"
            if en
            else f"{room}厘米长的范围内最多能首尾相接地放几根这样的长条？",
            str(math.floor(room / size)),
            number(math.floor(room / size)),
        ),
    ]
    for question, answer, check in rng.sample(more, rng.choice((0, 1, 1))):
        # The steps tell the mark, so that it is asked before them.
        place = 0 if answer == more[1][1] and question == more[1][0] else 1
        turns.insert(place, short_turn(question, answer, check, language))
    return Exercise(
        canvas,
        turns,
        {"start": start / 10, "end": end / 10, "zero": left, "pixels_per_cm": step, "row": y},
        f"ruler/{start}/{end}",
        0.15 + (0.15 if start else 0) + (0.1 if fine == 1 else 0) + 0.08 * len(turns),
        [Region("bar", (x1, y - 9, x2, y + 9))],
    )


def written_whole(value: Fraction) -> int:
    """The next whole number from a fraction upwards."""
    return math.ceil(value)


def _scale(
    canvas: Canvas, x: float, bottom: float, top: float, low: int, high: int, major: int, minor: int, unit: str
) -> None:
    """Ticks to the right of x from `low` at the bottom to `high` at the top."""
    for value in range(low, high + 1, minor):
        y = bottom - (bottom - top) * (value - low) / (high - low)
        whole = (value - low) % major == 0
        canvas.line((x, y), (x + (14 if whole else 8), y), pen=1.4 if whole else 0.9)
        if whole:
            text = str(value).replace("-", "−")
            canvas.text((x + 20 + canvas.measure(text, 13)[0] / 2, y), text, 13)
    canvas.text((x + 26, top - 18), unit, 13)


def thermometer(rng: random.Random, style: Style, language: str) -> Exercise:
    """A column in a glass tube beside a scale in degrees Celsius."""
    en = language == "en"
    low, high, minor = rng.choice(((-20, 50, 2), (-10, 40, 1), (-30, 40, 2), (0, 100, 5), (34, 42, 1)))
    major = {1: 5, 2: 10, 5: 10}[minor] if high > 42 or low < 30 else 1
    value = rng.randrange(low + minor, high - minor + 1, minor)
    canvas = Canvas(rng.randint(150, 190), rng.randint(330, 400), style)
    x, top, bottom = canvas.width * 0.4, 46.0, canvas.height - 62.0
    level = bottom - (bottom - top) * (value - low) / (high - low)
    red: RGB = (215, 45, 45) if rng.random() < 0.75 else style.accents[0]
    bulb = (x, bottom + 26)
    canvas.polygon([(x - 8, top - 14), (x + 8, top - 14), (x + 8, bottom + 20), (x - 8, bottom + 20)], outline=False)
    canvas.line((x - 9, top - 14), (x - 9, bottom + 14))
    canvas.line((x + 9, top - 14), (x + 9, bottom + 14))
    canvas.arc((x, top - 14), 9, 0, 180)
    canvas.circle(bulb, 17, red)
    canvas.polygon([(x - 5, level), (x + 5, level), (x + 5, bottom + 18), (x - 5, bottom + 18)], red, outline=False)
    _scale(canvas, x + 12, bottom, top, low, high, major, minor, "°C")
    turns = [
        short_turn(
            "What temperature does the thermometer show?" if en else "温度计的示数是多少？",
            f"{value} °C",
            number(value, minor * 0.3),
            language,
        )
    ]
    change = rng.choice((-12, -9, -7, -5, 4, 6, 8, 11, 15))
    rise = change > 0
    turns.append(
        thought_turn(
            f"The temperature {'rises' if rise else 'falls'} by {abs(change)} °C. What is it then?"
            if en
            else f"温度{'升高' if rise else '降低'}{abs(change)} °C后是多少？",
            [
                f"The thermometer shows {value} °C." if en else f"温度计显示{value} °C。",
                f"{value} {'+' if rise else '−'} {abs(change)} = {value + change}",
            ],
            f"{value + change} °C",
            number(value + change, minor * 0.3),
            language,
        )
    )
    fahrenheit = Fraction(9 * value, 5) + 32
    turns.append(
        thought_turn(
            "What is that in degrees Fahrenheit?" if en else "换算成华氏度是多少？",
            [f"F = 9/5 × {value if value >= 0 else f'({value})'} + 32 = {written(fahrenheit)}"],
            f"{written(fahrenheit)} °F",
            number(fahrenheit, minor * 0.5),
            language,
        )
    )
    first = rng.random()
    turns = turns[:1] if first < 0.3 else [turns[1]] if first < 0.6 else [turns[0], turns[2]]
    return Exercise(
        canvas,
        turns,
        {"value": value, "low": low, "high": high, "top": top, "bottom": bottom, "column": x, "red": list(red)},
        f"thermometer/{low}/{value}",
        0.15 + 0.1 * len(turns) + (0.1 if value < 0 else 0),
        [Region("column", (x - 5, level, x + 5, bottom + 18))],
    )


def cylinder(rng: random.Random, style: Style, language: str) -> Exercise:
    """Water in a measuring cylinder, or in two."""
    en = language == "en"
    count = rng.choice((1, 2))
    size, major, minor = rng.choice(((100, 20, 5), (50, 10, 2), (200, 50, 10), (500, 100, 25), (1000, 200, 50)))
    canvas = Canvas(70 + 130 * count, rng.randint(270, 330), style)
    top, bottom = 48.0, canvas.height - 44.0
    values, water = [], mix((70, 150, 235), style.paper, 0.6)
    regions = []
    for position in range(count):
        value = rng.randrange(minor * 2, size - minor + 1, minor)
        values.append(value)
        x = 40.0 + 130 * position
        level = bottom - (bottom - top) * value / size
        canvas.polygon([(x, level), (x + 52, level), (x + 52, bottom), (x, bottom)], water, outline=False)
        canvas.line((x, level), (x + 52, level), (40, 110, 200), 1.6)
        canvas.curve([(x, top - 12), (x, bottom), (x + 52, bottom), (x + 52, top - 12)])
        canvas.polygon([(x - 10, bottom), (x + 62, bottom), (x + 62, bottom + 7), (x - 10, bottom + 7)], style.paper)
        _scale(canvas, x + 52, bottom, top, 0, size, major, minor, "mL")
        if count > 1:
            canvas.text((x + 26, bottom + 24), "AB"[position], slanted=True)
        regions.append(Region("water " + "AB"[position], (x, level, x + 52, bottom)))
    if count == 1:
        more = rng.randrange(minor, size - values[0] + 1, minor)
        turns = [
            short_turn(
                "How much water is in the cylinder?" if en else "量筒中有多少水？",
                f"{values[0]} mL",
                number(values[0], minor * 0.3),
                language,
            ),
            thought_turn(
                f"How much more water fills the cylinder to {size} mL?" if en else f"再加多少水就到{size} mL？",
                [f"{size} − {values[0]} = {size - values[0]}"],
                f"{size - values[0]} mL",
                number(size - values[0], minor * 0.3),
                language,
            ),
            thought_turn(
                f"{more} mL are poured in. How much water is there then?"
                if en
                else f"再倒入{more} mL后，量筒中有多少水？",
                [f"{values[0]} + {more} = {values[0] + more}"],
                f"{values[0] + more} mL",
                number(values[0] + more, minor * 0.3),
                language,
            ),
        ]
        turns = [turns[0], *rng.sample(turns[1:], rng.choice((0, 1)))]
    else:
        total, gap = sum(values), abs(values[0] - values[1])
        read = f"A: {values[0]} mL, B: {values[1]} mL." if en else f"A：{values[0]} mL，B：{values[1]} mL。"
        larger, smaller = max(values), min(values)
        both = [
            thought_turn(
                "How much water do A and B hold together?" if en else "A、B两个量筒中一共有多少水？",
                [read, f"{values[0]} + {values[1]} = {total}"],
                f"{total} mL",
                number(total, minor * 0.6),
                language,
            ),
            thought_turn(
                "By how much do the amounts in A and B differ?" if en else "A、B中的水相差多少？",
                [read, f"{larger} − {smaller} = {gap}"],
                f"{gap} mL",
                number(gap, minor * 0.6),
                language,
            ),
            short_turn(
                "How much water is in B?" if en else "量筒B中有多少水？",
                f"{values[1]} mL",
                number(values[1], minor * 0.3),
                language,
            ),
        ]
        turns = rng.sample(both, rng.choice((1, 2)))
    return Exercise(
        canvas,
        turns,
        {"values": values, "size": size, "top": top, "bottom": bottom},
        f"cylinder/{size}/{values}",
        0.15 + 0.12 * count + 0.06 * len(turns),
        regions,
    )
