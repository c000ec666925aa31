"""Generated answers about videos; `place_cases` has them among its kinds."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any


def time_text(rng: random.Random) -> str:
    seconds = rng.randint(0, 300)
    return rng.choice(
        [
            str(seconds),
            f"{seconds}.{rng.randint(0, 9)}",
            f"{seconds // 60:02d}:{seconds % 60:02d}",
            f"{seconds}s",
            f"0:{seconds // 60:02d}:{seconds % 60:02d}",
            f"{seconds} seconds",
        ]
    )


def charades_case(rng: random.Random) -> Any:
    a, b, c = (time_text(rng) for _ in range(3))
    made = [
        f"{a} - {b}",
        f"{a}-{b}",
        f"{a}–{b}",
        f"{a} to {b}",
        f"from {a} to {b} seconds",
        f"[{a}, {b}]",
        f"{a}, {b}",
        f"start time: {a}, end time: {b}",
        f"Start: {a}\nEnd: {b}",
        f"It starts at {a}! It ends at {b}?",
        f"The event happens in {a} - {b} seconds.",
        f"A specific example is : 20.8 - 30.0 seconds\nhappens in {a} - {b}",
        f"The tomato is cut at {a}\nand {b}",
        f"{a}",
        "",
        "no idea",
        f"{c} people\nstart {a} - {b}",
        f"{a} and {b}, {c}",
        f"2 times: {a} - {b} and {b} - {c}",
        f"Starting time: {a}\nEnding time: {b}\nDuration {c}",
    ]
    start = rng.randint(0, 250)
    return [rng.choice(made), [float(start), start + rng.choice([0.0, 5.5, 30.0, rng.random() * 60])]]


KINDS = ["object_counting", "object_abs_distance", "room_size_estimation", "object_rel_distance", "route_planning"]
QUANTITIES = [
    "3",
    "3.0",
    "2.5",
    "10",
    "0",
    "three",
    "Twenty-one",
    "three hundred and twenty-one",
    "two thousand five",
    "1,200",
    "-4",
    "1e2",
    ".5",
    "nan",
    "inf",
    "12.5",
    "a hundred",
    "one",
    "five hundred",
    "eleven",
]


def vsi_case(rng: random.Random) -> Any:
    kind = rng.choice(KINDS)
    if kind in KINDS[:3]:
        said, other = rng.choice(QUANTITIES), rng.choice(QUANTITIES)
        made = [
            said,
            said,
            f"{said}.",
            f"{said} meters",
            f"There are {said} chairs.",
            f"About {said}, or {other}",
            "unknown",
            f"<think>{other} of them</think> {said}",
            f"<answer>{said}</answer>",
            f"<answer> {said} m</answer>",
            "",
            f"[{said}, {other}]",
            f"['{said}']",
            f"1\u200b{said}",
            "[oops]",
            f"<think>{said}",
            f"one apple, room {said}",
            f"{said} {other}",
        ]
        return [rng.choice(made), rng.choice(["1", "2", "3", "2.5", "10", "12", "321", "0.5", "4", "100", "1.0"]), kind]
    letter, other, third = rng.choice("ABCD"), rng.choice("ABCD"), rng.choice("ABCD")
    made = [
        letter,
        f"{letter}.",
        letter.lower(),
        f"({letter})",
        f"{letter}. left",
        f"{letter}) left",
        f"**{letter}**",
        f"The answer is {letter}",
        f"The answer is {letter}.",
        f"I choose {letter}, not {other}",
        f"{other}\n{letter}",
        f"<answer>{letter}</answer>",
        f"<answer>{letter}. left</answer>",
        f"so {letter}</answer>",
        f"it is {letter}</think>",
        f"<think>{other}? {letter}!</think>",
        f"<think>Maybe {other}.</think>\n{letter}",
        f"Option {letter}: left",
        "left",
        f"Option A: left\nOption B: right\nFinal answer: {letter}",
        f"答案是{letter}",
        f"选{letter}。",
        f"A cat, so {letter}",
        f"A. left\nB. right\nI take {letter}",
        "",
        "E",
        "G",
        f"{letter} is right because of the door",
        f"Answer:{letter}",
        f"\u200b{letter}",
        f"- {letter}: the door",
        f"{letter}、左",
        f"AB {letter}C",
        f"  ({letter.lower()}) ",
        f"<answer>{letter}. {other} isn't, nor {third}</answer>",
        f"{letter}. it is {other} that is wrong",
        f"The answer is {letter}, not {other} and not {third}",
        f"I take {letter}.{' because' * 3}" + "\nit is so" * 7,
        "Apple",
    ]
    return [rng.choice(made), letter if rng.random() < 0.7 else other, kind]


def mra_case(rng: random.Random) -> Any:
    true = rng.choice([1, 2, 3, 10, 20, 0.5, 1.1, round(rng.random() * 10 + 0.1, 2)])
    near = true * (1 + rng.choice([-1, 1]) * rng.choice([0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, rng.random()]))
    return [rng.choice([near, round(near, 2)]), true]


def options_of(rng: random.Random) -> list[str]:
    name = rng.choice([("Caption A", "Caption B"), ("Option 1", "Option 2"), ("Sentence A", "Sentence B")])
    return [
        f"{label}: {rng.choice(['a dog runs', 'a dog sits', 'it is red', 'A'])} {i}" for i, label in enumerate(name)
    ]


def tempcompass_case(rng: random.Random) -> Any:
    kind = rng.choice(["multi-choice", "yes_no", "caption_matching", "captioning"])
    letter = rng.choice("ABCD")
    reference, question = f"{rng.choice('ABCD')}. running", "What?"
    if kind == "multi-choice":
        made = [
            reference,
            letter,
            f"{letter}.",
            f"{letter}. running",
            f"{letter}) running",
            f"({letter})",
            "running",
            "",
            f"The answer is {letter}",
            f"{letter}: running",
            letter.lower(),
            f"{letter}.)",
            f" {letter}",
        ]
    elif kind == "yes_no":
        reference = rng.choice(["yes", "no"])
        made = ["yes", "Yes.", "no", "No, it isn't", "Not sure", "nothing", "It is", "", " yes", "YES", "yesterday"]
    elif kind == "caption_matching":
        options = options_of(rng)
        reference, question = rng.choice(options), "\n".join(["Which fits?", *options])
        label, _, sentence = rng.choice(options).partition(": ")
        made = [
            f"{label}: {sentence}",
            label,
            f"{label}.",
            label.split()[1],
            f"{label.split()[1]}.",
            sentence,
            "both",
            "",
            f"{label.split()[1]}) {sentence}",
            f"{label} is better",
            sentence.upper(),
            f"({label}) {sentence}",
            "A",
            "1",
        ]
    else:
        made = [
            f"Reasoning: it runs\nAnswer: {letter}. running",
            f"Answer: {letter}",
            f"{letter}. running",
            "Answer: A. or B. x",
            "Answer: None of the choices are correct",
            "",
            "invalid_request_error",
            f"Answer: {letter}.\nAnswer: B. sits",
            reference,
            f"Answer: {reference}",
            f"  Answer: {reference}  ",
        ]
    return [rng.choice(made), reference, kind, question]


def ovo_case(rng: random.Random) -> Any:
    task = rng.choice(["EPM", "OCR", "REC", "SSR", "CRR"])
    letter, count = rng.choice("ABCD"), rng.randint(0, 12)
    made = [
        letter,
        f"The Answer is {letter}",
        f"{letter}.",
        "",
        "yes",
        "Yes",
        "No",
        "Not yet",
        "Y",
        "N",
        "YES",
        "No, Yes",
        str(count),
        f"{count} times",
        f"{count} of 3",
        "three",
        None,
    ]
    reference: Any = {"REC": rng.randint(0, 12), "SSR": rng.randint(0, 1), "CRR": rng.randint(0, 1)}.get(task, letter)
    if task == "REC" and rng.random() < 0.5:
        return [f"{reference} times", reference, task]
    return [rng.choice(made), reference, task]


def dream_case(rng: random.Random) -> Any:
    n = rng.randint(1, 8)
    return [[rng.choice([0.0, 1.0, round(rng.random(), 3)]) for _ in range(n)] for _ in range(2)]


def charades_table_case(rng: random.Random) -> Any:
    """Rows of key, span and answer; some keys and spans occur twice."""
    rows = []
    for _ in range(rng.randint(2, 8)):
        said, span = charades_case(rng)
        rows.append([rng.choice("ab"), rng.choice([[1.0, 5.0], span]), said])
    return rows


def vsi_table_case(rng: random.Random) -> Any:
    """Rows of score and question type, with all of direction's levels or without one."""
    levels = [f"object_rel_direction_{level}" for level in ("easy", "medium", "hard")]
    types = [*KINDS, "obj_appearance_order", "object_size_estimation", *levels[rng.randint(0, 1) :]]
    chosen = [*types[-3:], *rng.choices(types, k=rng.randint(1, 12))]
    return [[round(rng.random(), 2), kind] for kind in chosen]


VIDEO_MAKERS: dict[str, Callable[[random.Random], Any]] = {
    "charades": charades_case,
    "vsi": vsi_case,
    "mra": mra_case,
    "tempcompass": tempcompass_case,
    "ovo": ovo_case,
    "dream": dream_case,
    "charades_table": charades_table_case,
    "vsi_table": vsi_table_case,
}
