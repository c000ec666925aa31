"""Points and polygons on a squared coordinate plane: places, distances, slopes, reflections, areas."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from pydantic import Field

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Draft, GeneratorConfig, Region, Turn, dialogue
from vergence.data.pictures import split_of
from vergence.data.synthesis.stem.axes import Plane, draw_plane
from vergence.data.synthesis.stem.deduction import Value, latex, square_root, written
from vergence.data.synthesis.stem.drawing import CrowdedError, choose_style, direction
from vergence.data.synthesis.stem.turns import argued_last
from vergence.errors import DataError
from vergence.processing.coordinates import format_point

VERSION = 2
PACKAGES = ("matplotlib",)
_TRIES = 200

Whole = tuple[int, int]


class Config(GeneratorConfig):
    """How many points and in which language."""

    min_points: int = Field(3, ge=3, le=6, description="fewest points")
    max_points: int = Field(5, ge=3, le=6, description="most points")
    language: Literal["en", "zh", "mix"] = Field("mix", description="of questions and answers")


@dataclass(slots=True)
class Scene:
    """Named points with whole coordinates; the first `corners` of them are the corners of a polygon, in order."""

    points: dict[str, Whole]
    corners: int
    plane: Plane


def generate(rng: random.Random, config: Config) -> Draft:
    """Points and questions about them. Raises `DataError` where `max_points` is below `min_points`."""
    if config.max_points < config.min_points:
        raise DataError(f"max_points is {config.max_points}, below min_points, {config.min_points}")
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    for _ in range(_TRIES):
        points, corners = _choose_points(rng, rng.randint(config.min_points, config.max_points))
        if points is None or split_of(f"coordinates/{points}") != config.split:
            continue
        try:
            scene = _draw(points, corners, rng)
        except CrowdedError:
            continue
        kinds = [kind for kind in QUESTIONS if kind != "area" or corners]
        chosen = rng.sample(kinds, rng.choice((1, 2, 2, 3)))
        if corners and "area" not in chosen and rng.random() < 0.5:
            chosen[0] = "area"
        turns = argued_last([QUESTIONS[kind](scene, language, rng) for kind in chosen])
        return _draft(scene, turns, chosen, language)
    raise DataError("no such points leave room for their names")


def _choose_points(rng: random.Random, count: int) -> tuple[dict[str, Whole] | None, int]:
    """Points that lie apart; three or four of them may be the corners of a convex polygon."""
    first = rng.choice(("ABCDEF", "ABCDEF", "PQRSTU", "KLMNPQ"))
    reach = 6
    spots: list[Whole] = []
    while len(spots) < count:
        spot = (rng.randint(-reach, reach), rng.randint(-5, 5))
        if all(abs(spot[0] - x) + abs(spot[1] - y) > 2 for x, y in spots):
            spots.append(spot)
    corners = rng.choice((0, 3, 3, 4)) if count >= 4 else rng.choice((0, 3, 3))
    if corners and not _is_convex(spots[:corners]):
        return None, 0
    return dict(zip(first, spots, strict=False)), corners


def _is_convex(corners: Sequence[Whole]) -> bool:
    """Whether every turn at a corner goes the same way and is not a slight one."""
    turns = []
    for number, (x2, y2) in enumerate(corners):
        (x1, y1), (x3, y3) = corners[number - 1], corners[(number + 1) % len(corners)]
        turns.append((x2 - x1) * (y3 - y2) - (y2 - y1) * (x3 - x2))
    return min(turns) >= 5 or max(turns) <= -5


def _draw(points: dict[str, Whole], corners: int, rng: random.Random) -> Scene:
    style = choose_style(rng, squares=0)
    side = rng.randint(24, 31)
    plane = draw_plane(style, (-6.6, -5.6), (6.6, 5.6), (side, side), rng, grid=rng.random() < 0.9)
    colour = style.accents[0]
    pixels = {name: plane.pixel(*at) for name, at in points.items()}
    if corners:
        shape = list(pixels.values())[:corners]
        if rng.random() < 0.6:
            plane.canvas.tint(shape, colour)
        plane.canvas.curve([*shape, shape[0]], colour)
    middle = plane.pixel(
        sum(x for x, _ in points.values()) / len(points), sum(y for _, y in points.values()) / len(points)
    )
    for at in pixels.values():
        plane.canvas.dot(at, colour, 3.5)
    for name, at in pixels.items():
        plane.canvas.label_point(at, name, direction(middle, at))
    return Scene(points, corners, plane)


def _at(point: Sequence[Value] | Whole) -> str:
    x, y = (Fraction(value) if isinstance(value, int) else value for value in point)
    return f"({written(x)}, {written(y)})"


def _maths(target: str) -> dict[str, Any]:
    return {"verifier": "maths", "target": target}


def _bracket(value: int | Fraction) -> str:
    return f"({written(Fraction(value))})" if value < 0 else written(Fraction(value))


def _two(scene: Scene, rng: random.Random) -> tuple[str, Whole, str, Whole]:
    first, second = rng.sample(list(scene.points), 2)
    return first, scene.points[first], second, scene.points[second]


def ask_coordinates(scene: Scene, language: str, rng: random.Random) -> Turn:
    """Read off where a point lies."""
    name = rng.choice(list(scene.points))
    text = f"What are the coordinates of point {name}?" if language == "en" else f"点{name}的坐标是什么？"
    answer = _at(scene.points[name])
    return short_turn(text, answer, _maths(answer), language)


def ask_name(scene: Scene, language: str, rng: random.Random) -> Turn:
    """Which point lies at given coordinates."""
    name = rng.choice(list(scene.points))
    place = _at(scene.points[name])
    text = f"Which point lies at {place}?" if language == "en" else f"坐标为{place}的是哪个点？"
    check = {"verifier": "exact", "target": name, "accepted": [f"point {name}", f"点{name}"]}
    return short_turn(text, name, check, language)


def ask_pointing(scene: Scene, language: str, rng: random.Random) -> Turn:
    """Point to coordinates, which may be bare."""
    at = rng.choice(list(scene.points.values())) if rng.random() < 0.3 else (rng.randint(-6, 6), rng.randint(-5, 5))
    pixel, size = scene.plane.pixel(*at), [scene.plane.canvas.width, scene.plane.canvas.height]
    text = f"Point to the place {_at(at)}." if language == "en" else f"请指出坐标{_at(at)}所在的位置。"
    check = {"verifier": "point", "targets": [list(pixel)], "size": size, "radius": scene.plane.unit[0] * 0.45}
    return Turn(text, format_point(pixel, *size), check)


def ask_quadrant(scene: Scene, language: str, rng: random.Random) -> Turn:
    """In which quadrant a point lies, or that it lies on an axis."""
    name = rng.choice(list(scene.points))
    x, y = scene.points[name]
    en = language == "en"
    number = 4 if x == 0 or y == 0 else (0 if x > 0 else 1) if y > 0 else (2 if x < 0 else 3)
    names = ["quadrant I", "quadrant II", "quadrant III", "quadrant IV", "on an axis"]
    if not en:
        names = ["第一象限", "第二象限", "第三象限", "第四象限", "坐标轴上"]
    text = f"Where does point {name} lie?" if en else f"点{name}位于哪里？"
    return choice_turn(text, names[number], [other for other in names if other != names[number]], rng, language)


def ask_distance(scene: Scene, language: str, rng: random.Random) -> Turn:
    """The exact distance of two points."""
    first, (x1, y1), second, (x2, y2) = _two(scene, rng)
    across, up = abs(x2 - x1), abs(y2 - y1)
    value = square_root(Fraction(across**2 + up**2))
    en = language == "en"
    text = (
        f"How long is the segment {first}{second}? Give the exact value."
        if en
        else f"求线段{first}{second}的长（精确值）。"
    )
    steps = [
        f"{first} is {_at((x1, y1))} and {second} is {_at((x2, y2))}."
        if en
        else f"点{first}的坐标为{_at((x1, y1))}，点{second}的坐标为{_at((x2, y2))}。",
        f"The differences are {across} in x and {up} in y." if en else f"横坐标相差{across}，纵坐标相差{up}。",
        f"{first}{second} = √({across}² + {up}²) = √{across**2 + up**2} = {written(value)}"
        if written(value) != f"√{across**2 + up**2}"
        else f"{first}{second} = √({across}² + {up}²) = {written(value)}",
    ]
    answer = latex(value)
    return thought_turn(text, steps, f"${answer}$" if "\\" in answer else answer, _maths(answer), language)


def ask_midpoint(scene: Scene, language: str, rng: random.Random) -> Turn:
    """The middle of two points."""
    first, (x1, y1), second, (x2, y2) = _two(scene, rng)
    middle = (Fraction(x1 + x2, 2), Fraction(y1 + y2, 2))
    en = language == "en"
    text = f"What is the midpoint of {first}{second}?" if en else f"求线段{first}{second}的中点坐标。"
    steps = [
        f"{first} = {_at((x1, y1))}, {second} = {_at((x2, y2))}.",
        f"(({x1} + {_bracket(x2)}) / 2, ({y1} + {_bracket(y2)}) / 2) = {_at(middle)}",
    ]
    return thought_turn(text, steps, _at(middle), _maths(_at(middle)), language)


def ask_slope(scene: Scene, language: str, rng: random.Random) -> Turn:
    """The slope of the line through two points; a line straight up has none."""
    for _ in range(20):
        first, (x1, y1), second, (x2, y2) = _two(scene, rng)
        if x1 != x2:
            break
    else:
        return ask_distance(scene, language, rng)
    slope = Fraction(y2 - y1, x2 - x1)
    en = language == "en"
    text = f"What is the slope of line {first}{second}?" if en else f"直线{first}{second}的斜率是多少？"
    steps = [
        f"{first} = {_at((x1, y1))}, {second} = {_at((x2, y2))}.",
        f"({y2} − {_bracket(y1)}) / ({x2} − {_bracket(x1)}) = {y2 - y1} / {_bracket(x2 - x1)} = {written(slope)}",
    ]
    answer = latex(slope)
    return thought_turn(text, steps, f"${answer}$" if "\\" in answer else answer, _maths(answer), language)


_MOVES: Mapping[str, tuple[str, str, Callable[[int, int], Whole]]] = {
    "x": ("reflected across the x-axis", "关于x轴对称", lambda x, y: (x, -y)),
    "y": ("reflected across the y-axis", "关于y轴对称", lambda x, y: (-x, y)),
    "origin": ("rotated by 180° about the origin", "绕原点旋转180°", lambda x, y: (-x, -y)),
    "diagonal": ("reflected across the line y = x", "关于直线y = x对称", lambda x, y: (y, x)),
    "quarter": ("rotated by 90° counterclockwise about the origin", "绕原点逆时针旋转90°", lambda x, y: (-y, x)),
}


def ask_image(scene: Scene, language: str, rng: random.Random) -> Turn:
    """Where a reflection, rotation or shift takes a point."""
    name = rng.choice(list(scene.points))
    x, y = scene.points[name]
    en = language == "en"
    if rng.random() < 0.3:
        right, up = rng.choice((-4, -3, -2, 2, 3, 4)), rng.choice((-3, -2, 2, 3))
        moved = (x + right, y + up)
        sideways, high = ("right" if right > 0 else "left"), ("up" if up > 0 else "down")
        text = (
            f"Point {name} is moved {abs(right)} units {sideways} and {abs(up)} units {high}. Where is it then?"
            if en
            else f"将点{name}向{'右' if right > 0 else '左'}平移{abs(right)}个单位，"
            f"再向{'上' if up > 0 else '下'}平移{abs(up)}个单位，求平移后的坐标。"
        )
    else:
        english, chinese, move = _MOVES[rng.choice(tuple(_MOVES))]
        moved = move(x, y)
        text = (
            f"Point {name} is {english}. What are the coordinates of its image?"
            if en
            else f"将点{name}{chinese}，求所得点的坐标。"
            if "旋转" in chinese
            else f"求点{name}{chinese}的点的坐标。"
        )
    return short_turn(text, _at(moved), _maths(_at(moved)), language)


def ask_area(scene: Scene, language: str, rng: random.Random) -> Turn:
    """The area of the polygon by the shoelace formula."""
    names = list(scene.points)[: scene.corners]
    corners = [scene.points[name] for name in names]
    pairs = list(zip(corners, corners[1:] + corners[:1], strict=True))
    terms = [x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs]
    area = abs(Fraction(sum(terms), 2))
    shape = "".join(names)
    en = language == "en"
    kind = ("triangle", "三角形") if scene.corners == 3 else ("quadrilateral", "四边形")
    text = f"What is the area of {kind[0]} {shape}?" if en else f"求{kind[1]}{shape}的面积。"
    listed = (", " if en else "、").join(f"{name}{_at(at)}" for name, at in zip(names, corners, strict=True))
    sums = " + ".join(map(_bracket, terms))
    steps = [
        f"The corners are {listed}." if en else f"各顶点为{listed}。",
        "Shoelace formula: x₁y₂ − x₂y₁ for each side gives " + ", ".join(map(str, terms)) + "."
        if en
        else "用鞋带公式，各边的x₁y₂ − x₂y₁依次为" + "、".join(map(str, terms)) + "。",
        f"|{sums}| / 2 = |{sum(terms)}| / 2 = {written(area)}",
    ]
    return thought_turn(text, steps, written(area), _maths(latex(area)), language)


QUESTIONS: Mapping[str, Callable[[Scene, str, random.Random], Turn]] = {
    "coordinates": ask_coordinates,
    "name": ask_name,
    "pointing": ask_pointing,
    "quadrant": ask_quadrant,
    "distance": ask_distance,
    "midpoint": ask_midpoint,
    "slope": ask_slope,
    "image": ask_image,
    "area": ask_area,
}
"""Name of a question -> what asks it."""

_HARD = {"coordinates": 0.1, "name": 0.1, "pointing": 0.2, "quadrant": 0.15, "midpoint": 0.35, "slope": 0.4}


def _draft(scene: Scene, turns: list[Turn], chosen: list[str], language: str) -> Draft:
    plane = scene.plane
    messages, checks = dialogue((plane.canvas.finish(),), turns)
    hardest = max(_HARD.get(kind, 0.5) for kind in chosen)
    return Draft(
        messages,
        checks,
        truth={
            "points": {name: list(at) for name, at in scene.points.items()},
            "polygon": list(scene.points)[: scene.corners],
            "axes": plane.record(),
            "questions": chosen,
        },
        capability="stem/coordinates",
        domain="mathematics",
        difficulty=min(1.0, hardest + 0.05 * len(turns) + 0.02 * len(scene.points)),
        language=language,
        regions=tuple(Region(name, points=(plane.pixel(*at),)) for name, at in scene.points.items()),
    )
