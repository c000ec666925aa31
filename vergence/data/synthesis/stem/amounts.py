"""Exercises about amounts: shaded fractions, money, bar models."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Region, Turn
from vergence.data.pictures import Box
from vergence.data.synthesis.palette import RGB
from vergence.data.synthesis.stem.deduction import written
from vergence.data.synthesis.stem.drawing import Canvas, Style, mix
from vergence.data.synthesis.stem.instruments import Exercise, number
from vergence.data.synthesis.stem.turns import argued_last


def _plain(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}" if value.denominator > 1 else str(value)


def fraction(rng: random.Random, style: Style, language: str) -> Exercise:
    """A disc, a bar or a grid with some of its equal parts shaded."""
    en = language == "en"
    form = rng.choice(("disc", "bar", "grid"))
    rows, columns = (rng.randint(2, 5), rng.randint(3, 6)) if form == "grid" else (1, rng.randint(2, 12))
    parts = rows * columns
    shaded = rng.sample(range(parts), rng.randint(1, parts - 1))
    if rng.random() < 0.5:
        shaded = list(range(len(shaded)))
    colour = mix(style.accents[0], style.paper, 0.75)
    if form == "disc":
        radius = rng.randint(80, 120)
        canvas = Canvas(2 * radius + 40, 2 * radius + 40, style)
        centre = (radius + 20.0, radius + 20.0)
        for part in range(parts):
            start = 90 - 360 * (part + 1) / parts
            if part in shaded:
                canvas.sector(centre, radius, start, start + 360 / parts, colour)
        canvas.circle(centre, radius)
        for part in range(parts):
            turn = math.radians(90 - 360 * part / parts)
            canvas.line(centre, (centre[0] + radius * math.cos(turn), centre[1] - radius * math.sin(turn)))
    else:
        wide, high = (rng.randint(30, 44), rng.randint(50, 70)) if form == "bar" else (rng.randint(34, 46),) * 2
        canvas = Canvas(columns * wide + 44, rows * high + 44, style)
        for part in range(parts):
            x, y = 22 + part % columns * wide, 22 + part // columns * high
            corners: list[tuple[float, float]] = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)]
            canvas.polygon(corners, colour if part in shaded else None)
    share = Fraction(len(shaded), parts)
    raw = f"{len(shaded)}/{parts}"
    counted = (
        f"{len(shaded)} of {parts} equal parts {'is' if len(shaded) == 1 else 'are'} shaded: {raw}."
        if en
        else f"共{parts}等份，其中{len(shaded)}份涂色：{raw}。"
    )
    reduced = [counted]
    if share.denominator != parts:
        reduced.append(f"{raw} = {_plain(share)}")
    turns = [
        thought_turn(
            "What fraction of the figure is shaded? Give it in lowest terms."
            if en
            else "涂色部分占整个图形的几分之几？请写成最简分数。",
            reduced,
            f"${latex_fraction(share)}$",
            {"verifier": "maths", "target": latex_fraction(share)},
            language,
        )
    ]
    rest = 1 - share
    more = [
        short_turn(
            "What fraction is not shaded?" if en else "没有涂色的部分占几分之几？",
            f"${latex_fraction(rest)}$",
            {"verifier": "maths", "target": latex_fraction(rest)},
            language,
        ),
        short_turn(
            "How many parts are shaded?" if en else "涂色的有几份？",
            str(len(shaded)),
            {"verifier": "count", "target": len(shaded)},
            language,
        ),
    ]
    if (share * 1000).denominator == 1:
        percent = written(share * 100)
        more.append(
            thought_turn(
                "What percentage of the figure is shaded?" if en else "涂色部分占百分之几？",
                [counted, f"{raw} = {percent}%"],
                f"{percent}%",
                number(share * 100, 0.05),
                language,
            )
        )
    more.append(_compare(share, language, rng))
    turns = argued_last([*turns, *rng.sample(more, rng.choice((0, 1, 1, 2)))])
    return Exercise(
        canvas,
        turns,
        {"form": form, "parts": parts, "shaded": sorted(shaded), "colour": list(colour), "rows": rows},
        f"fraction/{form}/{rows}/{columns}/{sorted(shaded)}",
        0.15 + 0.01 * parts + 0.08 * len(turns),
    )


def latex_fraction(value: Fraction) -> str:
    """A fraction as LaTeX, never as a decimal."""
    return str(value) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


def _compare(share: Fraction, language: str, rng: random.Random) -> Turn:
    """Which of four fractions equals the shaded one."""
    factor = rng.choice((2, 3, 4, 5))
    right = f"{share.numerator * factor}/{share.denominator * factor}"
    wrong: list[str] = []
    while len(wrong) < 3:
        below = share.denominator * factor + rng.randint(-2, 2)
        above = share.numerator * factor + rng.randint(-2, 2)
        if 0 < above < below and Fraction(above, below) != share and f"{above}/{below}" not in wrong:
            wrong.append(f"{above}/{below}")
        elif below < 4:
            factor += 1
            right = f"{share.numerator * factor}/{share.denominator * factor}"
    text = "Which fraction is equal to the shaded one?" if language == "en" else "下列哪个分数与涂色部分相等？"
    return choice_turn(text, right, wrong, rng, language)


_COINS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "$": ((1, 5, 10, 25), (100, 500, 1000, 2000)),
    "¥": ((10, 50, 100), (500, 1000, 2000, 5000)),
    "€": ((5, 10, 20, 50, 100, 200), (500, 1000, 2000)),
}
"""Sign of a currency -> its coins and its notes in hundredths."""


def _face(cents: int, sign: str) -> str:
    if cents >= 100:
        return f"{sign}{cents // 100}"
    return {"$": f"{cents}¢", "€": f"{cents}c", "¥": f"{cents // 10}角"}[sign] if sign != "¥" else f"¥0.{cents // 10}"


def money(rng: random.Random, style: Style, language: str) -> Exercise:
    """Coins and notes with their values on them: the sum, the change, how many of a sort."""
    en = language == "en"
    sign = rng.choice(tuple(_COINS)) if en else rng.choice(("¥", "¥", "$", "€"))
    coins, notes = _COINS[sign]
    pieces = rng.choices(coins, k=rng.randint(2, 6)) + rng.choices(notes, k=rng.randint(0, 3))
    rng.shuffle(pieces)
    columns = rng.randint(3, 4)
    rows = math.ceil(len(pieces) / columns)
    canvas = Canvas(columns * 104 + 24, rows * 76 + 24, style)
    regions = []
    for position, cents in enumerate(pieces):
        x = 12 + position % columns * 104 + 52 + rng.randint(-5, 5)
        y = 12 + position // columns * 76 + 38 + rng.randint(-5, 5)
        regions.append(Region(_face(cents, sign), _draw_piece(canvas, x, y, cents, sign, cents in notes)))
    total = sum(pieces)
    amount = f"{sign}{total / 100:.2f}"
    sums = " + ".join(f"{cents / 100:g}" for cents in pieces)
    turns = [
        thought_turn(
            "How much money is this in all?" if en else "图中一共有多少钱？",
            [f"{sums} = {total / 100:g}"],
            amount,
            number(total / 100, 0.004),
            language,
        )
    ]
    price = rng.randrange(5, total, 5) if total > 10 else 5
    if price < total:
        turns.append(
            thought_turn(
                f"Something costs {sign}{price / 100:.2f}. How much change is there if all the money shown is given?"
                if en
                else f"买一件{sign}{price / 100:.2f}的商品，付出图中所有的钱，应找回多少钱？",
                [f"{sums} = {total / 100:g}", f"{total / 100:g} − {price / 100:g} = {(total - price) / 100:g}"],
                f"{sign}{(total - price) / 100:.2f}",
                number((total - price) / 100, 0.004),
                language,
            )
        )
    asked = rng.choice(pieces)
    face, count = _face(asked, sign), pieces.count(asked)
    kind = ("notes" if asked in notes else "coins") if en else ("张" if asked in notes else "枚")
    turns.append(
        short_turn(
            f"How many {face} {kind} are there?" if en else f"{face}的有几{kind}？",
            str(count),
            {"verifier": "count", "target": count},
            language,
        )
    )
    turns = argued_last(rng.sample(turns, rng.choice((1, 1, 2))))
    return Exercise(
        canvas,
        turns,
        {"pieces": pieces, "sign": sign, "total": total},
        f"money/{sign}/{sorted(pieces)}",
        0.12 + 0.05 * len(pieces) + 0.06 * len(turns),
        regions,
    )


def _draw_piece(canvas: Canvas, x: float, y: float, cents: int, sign: str, note: bool) -> Box:
    """Draw a coin or a note and return its box."""
    dark: RGB = (40, 34, 28)
    face = _face(cents, sign)
    if note:
        colour: RGB = {500: (196, 205, 225), 1000: (214, 226, 200), 2000: (235, 215, 190), 5000: (200, 225, 205)}.get(
            cents, (214, 226, 200)
        )
        corners: list[tuple[float, float]] = [(x - 44, y - 24), (x + 44, y - 24), (x + 44, y + 24), (x - 44, y + 24)]
        canvas.polygon(corners, colour)
        canvas.circle((x, y), 18, mix(colour, (255, 255, 255), 0.6), 1)
        canvas.text((x, y), face, 15, dark)
        return x - 45, y - 25, x + 45, y + 25
    radius = 22 + min(8, cents / 25)
    colour = (217, 166, 120) if cents <= 5 else (212, 214, 218) if cents < 100 else (228, 197, 106)
    canvas.circle((x, y), radius, colour)
    canvas.circle((x, y), radius - 4, pen=0.8)
    canvas.text((x, y), face, 14, dark)
    return x - radius, y - radius, x + radius, y + radius


def bar_model(rng: random.Random, style: Style, language: str) -> Exercise:
    """Two bars of equal units, one of them longer by a rest: from the sum or the difference to a unit."""
    en = language == "en"
    unit = rng.randint(3, 15)
    first, second = rng.randint(1, 3), rng.randint(2, 5)
    if first == second:
        second += 1
    extra = rng.choice((0, 0, rng.randint(2, 9)))
    whole = (first + second) * unit + extra
    names = rng.choice((("A", "B"), ("P", "Q"), ("X", "Y")))
    wide, high = rng.randint(40, 54), 34
    canvas = Canvas(70 + (max(first, second) + (1 if extra else 0)) * wide + 120, 150, style)
    left, rows = 52.0, (36.0, 92.0)
    colours = [mix(accent, style.paper, 0.35) for accent in style.accents[:2]]
    ends = []
    for row, count in enumerate((first, second)):
        canvas.text((left - 24, rows[row] + high / 2), names[row], slanted=True)
        for part in range(count):
            x = left + part * wide
            corners = [(x, rows[row]), (x + wide, rows[row]), (x + wide, rows[row] + high), (x, rows[row] + high)]
            canvas.polygon(corners, colours[row])
        ends.append(left + count * wide)
    if extra:
        x, y, more = ends[1], rows[1], wide * 0.62
        canvas.polygon(
            [(x, y), (x + more, y), (x + more, y + high), (x, y + high)], mix(style.accents[2], style.paper, 0.5)
        )
        canvas.text((x + more / 2, y + high / 2), str(extra), 14)
        ends[1] += more
    brace = max(ends) + 14
    canvas.curve([(brace, rows[0]), (brace + 8, rows[0]), (brace + 8, rows[1] + high), (brace, rows[1] + high)])
    canvas.text((brace + 30, (rows[0] + rows[1] + high) / 2), str(whole))
    canvas.text((left + wide / 2, rows[0] - 14), "?", colour=style.accents[3])
    told = (
        f"The parts of equal length all stand for the same number; {names[0]} and {names[1]} add up to {whole}."
        if en
        else f"图中相等的小格表示相同的数，{names[0]}与{names[1]}的和是{whole}。"
    )
    ask = "What number does one of them stand for?" if en else "求一小格表示的数。"
    steps = []
    if extra:
        steps.append(f"{whole} − {extra} = {whole - extra}")
    steps.append(
        f"There are {first} + {second} = {first + second} equal parts: {whole - extra} / {first + second} = {unit}."
        if en
        else f"共有{first} + {second} = {first + second}小格，{whole - extra} / {first + second} = {unit}。"
    )
    gap = " " if en else ""
    larger = second * unit + extra
    turns = [thought_turn(told + gap + ask, steps, str(unit), number(unit), language)]
    more_turns = [
        thought_turn(
            f"What is {names[1]}?" if en else f"{names[1]}是多少？",
            [f"{second} × {unit}{f' + {extra}' if extra else ''} = {larger}"],
            str(larger),
            number(larger),
            language,
        ),
        thought_turn(
            f"By how much do {names[0]} and {names[1]} differ?" if en else f"{names[0]}与{names[1]}相差多少？",
            [
                f"{names[0]} = {first} × {unit} = {first * unit}, {names[1]} = {larger}.",
                f"{max(larger, first * unit)} − {min(larger, first * unit)} = {abs(larger - first * unit)}",
            ],
            str(abs(larger - first * unit)),
            number(abs(larger - first * unit)),
            language,
        ),
    ]
    turns += rng.sample(more_turns, rng.choice((0, 1, 1)))
    return Exercise(
        canvas,
        turns,
        {"unit": unit, "parts": [first, second], "extra": extra, "whole": whole, "left": left, "width": wide},
        f"bars/{unit}/{first}/{second}/{extra}",
        0.3 + (0.12 if extra else 0) + 0.08 * len(turns),
        [
            Region(names[0], (left, rows[0], ends[0], rows[0] + high)),
            Region(names[1], (left, rows[1], ends[1], rows[1] + high)),
        ],
    )
