"""Exercises with points on a number line."""

from __future__ import annotations

import random
from fractions import Fraction

from vergence.data.formats import short_turn, thought_turn
from vergence.data.generator import Region
from vergence.data.synthesis.stem.deduction import latex, written
from vergence.data.synthesis.stem.drawing import Canvas, Style
from vergence.data.synthesis.stem.instruments import Exercise
from vergence.data.synthesis.stem.turns import argued_last


def number_line(rng: random.Random, style: Style, language: str) -> Exercise:
    """Points on a number line whose steps are whole numbers, tenths or fractions."""
    en = language == "en"
    step = Fraction(*rng.choice(((1, 1), (1, 1), (2, 1), (5, 1), (10, 1), (1, 2), (1, 4), (1, 5), (1, 10), (1, 3))))
    every = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 10: 5}[step.denominator]
    count = 15 if every == 5 else 12
    first = step * every * rng.randint(-2, 2)
    gap = rng.randint(30, 38)
    canvas = Canvas((count) * gap + 70, 96, style)
    left, y = 35.0, 54.0
    canvas.arrow((left - 18, y), (left + count * gap + 22, y))
    for tick in range(count + 1):
        x, long = left + tick * gap, 8 if tick % every == 0 else 5
        canvas.line((x, y - long), (x, y + long), pen=1.2)
        if tick % every == 0 and (every > 1 or tick % 2 == 0):
            canvas.text((x, y + 22), written(first + tick * step).replace("-", "−"), 13)
    spots = sorted(rng.sample(range(1, count), rng.choice((1, 2, 3))))
    names = rng.choice(("ABC", "PQR", "KLM"))
    values = {}
    for name, tick in zip(names, spots, strict=False):
        values[name] = first + tick * step
        at = (left + tick * gap, y)
        canvas.dot(at, style.accents[0], 4.5)
        canvas.text((at[0], y - 22), name, colour=style.accents[0], slanted=True)

    def dollars(value: Fraction) -> str:
        return f"${latex(value)}$" if "\\" in latex(value) else latex(value)

    name = rng.choice(list(values))
    value = values[name]
    turns = [
        short_turn(
            f"Which number does point {name} stand for?" if en else f"点{name}表示的数是多少？",
            dollars(value),
            {"verifier": "maths", "target": latex(value)},
            language,
        )
    ]
    if len(values) > 1:
        one, two = rng.sample(sorted(values), 2)
        low, high = sorted((values[one], values[two]))
        distance = high - low
        low_text = f"({written(low)})" if low < 0 else written(low)
        turns.append(
            thought_turn(
                f"How far apart are {one} and {two}?" if en else f"点{one}与点{two}之间的距离是多少？",
                [
                    f"{one} = {written(values[one])}, {two} = {written(values[two])}.",
                    f"{written(high)} − {low_text} = {written(distance)}",
                ],
                dollars(distance),
                {"verifier": "maths", "target": latex(distance)},
                language,
            )
        )
        middle = (low + high) / 2
        turns.append(
            thought_turn(
                f"Which number lies in the middle between {one} and {two}?"
                if en
                else f"线段{one}{two}的中点表示的数是多少？",
                [f"({written(low)} + {f'({written(high)})' if high < 0 else written(high)}) / 2 = {written(middle)}"],
                dollars(middle),
                {"verifier": "maths", "target": latex(middle)},
                language,
            )
        )
    turns = argued_last(rng.sample(turns, rng.randint(1, min(2, len(turns)))))
    return Exercise(
        canvas,
        turns,
        {
            "values": {name: written(value) for name, value in values.items()},
            "first": written(first),
            "step": written(step),
            "left": left,
            "gap": gap,
            "row": y,
        },
        f"line/{first}/{step}/{spots}",
        0.15 + (0.15 if step.denominator > 1 else 0) + 0.08 * len(turns) + (0.08 if first < 0 else 0),
        [Region(name, points=((left + tick * gap, y),)) for name, tick in zip(names, spots, strict=False)],
    )
