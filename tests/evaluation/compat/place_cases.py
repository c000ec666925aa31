"""Generated answers about places, counts, screens and (from `video_cases`) videos: `cases(kind)`."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

from video_cases import VIDEO_MAKERS

SEED = 20_260_102
COUNT = 1000


def number(rng: random.Random) -> str:
    """Mostly thousandths, also shares, pixels beyond a thousand and odd ways of writing them."""
    kind = rng.random()
    if kind < 0.4:
        return str(rng.randint(0, 1000))
    if kind < 0.7:
        return f"{rng.random():.{rng.randint(1, 3)}f}"
    return rng.choice([str(rng.randint(1000, 3000)), "-3", "-0.5", "1", "0", "1.5", ".5", "2.", "1e2", "+7", "100.25"])


def near(rng: random.Random, box: list[float], size: tuple[int, int]) -> list[str]:
    """A box near another one, in pixels, thousandths or shares."""
    scale = rng.choice([None, 1000, 1])
    moved = [value + rng.uniform(-0.3, 0.3) * (box[2 + side % 2] - box[side % 2]) for side, value in enumerate(box)]
    if scale is None:
        return [f"{value:.1f}" for value in moved]
    return [f"{value / size[side % 2] * scale:.3f}" for side, value in enumerate(moved)]


def image(rng: random.Random) -> tuple[tuple[int, int], list[float]]:
    width, height = rng.randint(50, 2000), rng.randint(50, 2000)
    x, y = rng.uniform(0, width * 0.7), rng.uniform(0, height * 0.7)
    return (width, height), [x, y, x + rng.uniform(2, width - x), y + rng.uniform(2, height - y)]


def written_box(rng: random.Random, box: list[float], size: tuple[int, int]) -> str:
    a, b, c, d = near(rng, box, size) if rng.random() < 0.7 else [number(rng) for _ in range(4)]
    key = rng.choice(["bbox_2d", "bbox", "box", "coord", "location", "label", "rect"])
    values = rng.choice([f"[{a}, {b}, {c}, {d}]", f"[{a},{b},{c},{d}]", f'["{a}", "{b}", "{c}", "{d}"]'])
    return rng.choice(
        [
            values,
            f"[{a} {b} {c} {d}]",
            f"({a}, {b}, {c}, {d})",
            f"({a},{b}),({c},{d})",
            f'{{"{key}": {values}}}',
            f'[{{"label": "dog", "{key}": {values}}}, {{"bbox_2d": {values}}}]',
            f'```json\n[{{"{key}": {values}}}]\n```',
            f'```\n{{"objects": [{{"{key}": {values}, "score": 1}}]}}\n```',
            f"<box>{a} {b} {c} {d}</box>",
            f"{a} {b} {c} {d}",
            f"{a}, {b} and {c}",
        ]
    )


def refcoco_case(rng: random.Random) -> Any:
    size, box = image(rng)
    places = [written_box(rng, box, size) for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))]
    said = rng.choice(["", "", "The dog is at ", "It is 1 of 2: "]) + rng.choice(["; ", "\n", " and "]).join(places)
    return [rng.choice([said, said, said, f"{said} (true, [1, true])", "null", "5"]), box, size]


def iou_case(rng: random.Random) -> Any:
    """Two boxes, often empty or inverted."""
    return [[rng.choice([0, 0, 0.25, 0.5, 1, rng.random()]) for _ in range(4)] for _ in range(2)]


COUNTS = "0 1 2 3 5 7 10 12 13 20 21 103".split()  # noqa: SIM905
WORDS = "none zero one two three seven ten twelve thirteen twenty twenty-one".split()  # noqa: SIM905


def count_case(rng: random.Random) -> Any:
    said, other = rng.choice([*COUNTS, *WORDS]), rng.choice(COUNTS)
    made = [
        said,
        said,
        f" {said}\n",
        said.title(),
        f"{said}.",
        f"There are {said} dogs.",
        f"{said} of {other}",
        "many",
        "",
        f"{said}.5",
        f"-{said}",
        f"1,{other}00",
        f"{other} and {said}",
        f"{said}.49",
        f"2{said}",
    ]
    return [rng.choice(made), int(rng.choice([said if said in COUNTS else other, other, "3", "7", "12", "0"]))]


def da2k_case(rng: random.Random) -> Any:
    made = ["point1", "Point 2", "point 1 is nearer than point 2", "Point2.", "the first", "1", "", "POINT1", "point3"]
    return [rng.choice(made), rng.choice(["point1", "point2"])]


def click_text(rng: random.Random, x: str, y: str) -> str:
    a, b = number(rng), number(rng)
    return rng.choice(
        [
            f"[{x}, {y}]",
            f"({x},{y})",
            f"({x} {y})",
            f"pyautogui.click(x={x}, y={y})",
            f"x={x}, y={y}",
            f"x={x},y={y}",
            f'{{"x": {x}, "y": {y}}}',
            f"X: {x}; then Y: {y}",
            f"{x} {y}",
            f"click at {x}, {y}.",
            f"<bbox>{x} {y} {a} {b}",
            f"<bbox>{x} {y} {a} {b}</bbox>",
            f"<BBOX id=1>{x},{y},{a},{b}</bbox>",
            f"box {x} {y} {a} {b}",
            f"{x} {y} {a} {b}",
            f"[{x}%, {y}%]",
            f"rectangle: [{x}, {y}, {a}, {b}]",
            f"x=1.2.3, y={y}",
            f"x=., y={y}",
            f"2 clicks: [{x}, {y}]",
            f"1) x={x}, then y={y}",
            "nothing",
            f"{x}",
            "",
            f"x={x}, y={y} or x={a}, y={b}",
        ]
    )


def screen_case(rng: random.Random, corners: bool) -> Any:
    size, box = image(rng)
    if rng.random() < 0.5:
        box = [float(round(value)) for value in box]
    point = rng.uniform(box[0], box[2]), rng.uniform(box[1], box[3])
    if rng.random() < 0.2:
        point = box[rng.choice([0, 2])], box[rng.choice([1, 3])]
    scale = rng.choice([(1, 1), (size[0], size[1]), (size[0] / 1000, size[1] / 1000)])
    x, y = (f"{value / part:.4f}".rstrip("0").rstrip(".") for value, part in zip(point, scale, strict=True))
    given = box if corners else [box[0], box[1], box[2] - box[0], box[3] - box[1]]
    if rng.random() < 0.05:
        given = [-1.0, *given[1:]] if corners else [round(value / 2500, 3) for value in given]
    return [click_text(rng, x, y), given, size]


MAKERS: dict[str, Callable[[random.Random], Any]] = {
    "refcoco": refcoco_case,
    "iou": iou_case,
    "count": count_case,
    "da2k": da2k_case,
    "screenspot_v2": lambda rng: screen_case(rng, corners=False),
    "screenspot_pro": lambda rng: screen_case(rng, corners=True),
    **VIDEO_MAKERS,
}


@functools.cache
def cases(kind: str) -> list[Any]:
    rng = random.Random(f"{SEED} {kind}")
    return [MAKERS[kind](rng) for _ in range(250 if kind.endswith("table") else COUNT)]
