"""Exercises with a clock face: the time, a time before or after, the angle between the hands."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

from vergence.data.formats import short_turn, thought_turn
from vergence.data.generator import Region
from vergence.data.synthesis.stem.deduction import written
from vergence.data.synthesis.stem.drawing import Canvas, Style, mix, polar
from vergence.data.synthesis.stem.instruments import Exercise, number


def clock_time(minutes: int) -> str:
    """Minutes since midnight or noon as on a face of twelve hours."""
    hour, minute = divmod(minutes % 720, 60)
    return f"{hour or 12}:{minute:02d}"


def _time_check(minutes: int) -> dict[str, Any]:
    text = clock_time(minutes)
    hour, minute = text.split(":")
    said = [f"{hour.zfill(2)}:{minute}", f"{hour}：{minute}"]
    for word in ("点", "时"):
        said += [f"{hour}{word}{int(minute)}分", f"{hour}{word}{minute}分"]
        if minute == "00":
            said += [f"{hour}{word}", f"{hour}{word}整"]
    if minute == "30":
        said.append(f"{hour}点半")
    if minute == "00":
        said.append(f"{hour} o'clock")
    return {"verifier": "exact", "target": text, "accepted": said}


_ROMAN = ("XII", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")


def clock(rng: random.Random, style: Style, language: str) -> Exercise:
    """A clock face: the time, a time before or after, the angle between the hands."""
    en = language == "en"
    minutes = rng.randrange(0, 720, rng.choice((1, 5, 5, 15)))
    radius = rng.randint(105, 150)
    canvas = Canvas(2 * radius + 40, 2 * radius + 40, style)
    centre = (radius + 20.0, radius + 20.0)
    face = rng.choice((style.paper, style.paper, mix(style.accents[1], style.paper, 0.12)))
    canvas.circle(centre, radius, face, style.pen * 2)
    for tick in range(60):
        long = 10 if tick % 5 == 0 else 5
        pen = style.pen * (1.4 if tick % 5 == 0 else 0.7)
        canvas.line(polar(centre, radius - 4, 90 - 6 * tick), polar(centre, radius - 4 - long, 90 - 6 * tick), pen=pen)
    numerals = rng.choice(("all", "all", "roman", "quarters", "none"))
    for hour in range(12):
        if numerals == "none" or (numerals == "quarters" and hour % 3):
            continue
        text = _ROMAN[hour] if numerals == "roman" else str(hour or 12)
        canvas.text(polar(centre, radius - 27, 90 - 30 * hour), text, round(radius / 8))
    hour_turn, minute_turn = 90 - minutes / 2, 90 - 6 * (minutes % 60)
    hour_tip, minute_tip = polar(centre, radius * 0.47, hour_turn), polar(centre, radius * 0.76, minute_turn)
    colour = style.accents[0] if rng.random() < 0.4 else style.ink
    canvas.line(centre, hour_tip, colour, 6)
    canvas.line(centre, minute_tip, colour, 3.2)
    canvas.dot(centre, colour, 6)
    turns = [
        short_turn(
            rng.choice(("What time does the clock show?", "What time is it?"))
            if en
            else rng.choice(("钟面上是几时几分？", "时钟显示的时间是几点？")),
            clock_time(minutes),
            _time_check(minutes),
            language,
        )
    ]
    shift = rng.choice((15, 20, 25, 35, 40, 50, 75, 90, 110, 135))
    sign = rng.choice((1, -1))
    moved = clock_time(minutes + sign * shift)
    word = ("later" if sign > 0 else "earlier") if en else ("后" if sign > 0 else "前")
    later = thought_turn(
        f"What time will it be {shift} minutes later?"
        if en and sign > 0
        else f"What time was it {shift} minutes earlier?"
        if en
        else f"{shift}分钟{word}是几时几分？",
        [
            f"The clock shows {clock_time(minutes)}." if en else f"钟面显示{clock_time(minutes)}。",
            f"{shift} minutes are {shift // 60} h {shift % 60} min; {clock_time(minutes)} {'+' if sign > 0 else '−'} "
            f"{shift // 60}:{shift % 60:02d} = {moved}."
            if en
            else f"{shift}分钟即{shift // 60}小时{shift % 60}分，{clock_time(minutes)}{'加' if sign > 0 else '减'}"
            f"{shift // 60}:{shift % 60:02d}得{moved}。",
        ],
        moved,
        _time_check(minutes + sign * shift),
        language,
    )
    gap = abs(Fraction(minutes, 2) - 6 * (minutes % 60)) % 360
    angle = min(gap, 360 - gap)
    between = thought_turn(
        "What is the smaller angle between the hands, in degrees?" if en else "时针与分针所成的较小角是多少度？",
        [
            f"At {clock_time(minutes)} the minute hand stands at {6 * (minutes % 60)}° from 12."
            if en
            else f"时间为{clock_time(minutes)}，分针与12点方向成{6 * (minutes % 60)}°。",
            f"The hour hand stands at {written(Fraction(minutes, 2))}°."
            if en
            else f"时针与12点方向成{written(Fraction(minutes, 2))}°。",
            f"The angle between them is {written(angle)}°." if en else f"两针夹角为{written(angle)}°。",
        ],
        f"{written(angle)}°",
        number(angle),
        language,
    )
    turns += rng.sample([later, between], rng.choice((0, 1, 1, 2)))
    if rng.random() < 0.3:
        turns = turns[1:] or turns
    return Exercise(
        canvas,
        turns,
        {"minutes": minutes, "centre": list(centre), "radius": radius, "numerals": numerals},
        f"clock/{minutes}",
        0.2 + (0.15 if minutes % 5 else 0) + 0.1 * len(turns),
        [Region("hour hand", points=(centre, hour_tip)), Region("minute hand", points=(centre, minute_tip))],
    )
