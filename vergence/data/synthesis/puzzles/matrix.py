"""Matrices of nine figures whose last is missing (as Raven's), with options of which the rules leave exactly one."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import Field

from vergence.data.formats import LETTERS, choice_turn
from vergence.data.generator import Draft, Region, Turn, dialogue
from vergence.data.synthesis.puzzles.drawing import COLOURS, Canvas, Look, colour_name, look, png
from vergence.data.synthesis.puzzles.matrix_rules import (
    OVERLAYS,
    VALUES,
    Attribute,
    Grid,
    Rule,
    balanced_options,
    continuations,
    drawn,
    overlay_continuations,
    overlay_drawn,
    rules,
)
from vergence.data.synthesis.puzzles.puzzle import (
    Language,
    PuzzleConfig,
    between,
    graded,
    language_of,
    reply,
    share,
    some_turns,
)
from vergence.processing.coordinates import format_box

VERSION = 2
PACKAGES = ()

SHAPES = ("triangle", "square", "pentagon", "hexagon", "circle", "star")
SHAPES_CHINESE = ("三角形", "正方形", "五边形", "六边形", "圆形", "五角星")
PALETTE = ("red", "blue", "yellow", "green", "purple", "orange")
SIZES = (0.45, 0.63, 0.81, 1.0)
LINES = (
    ((0, 0), (2, 0)), ((2, 0), (2, 2)), ((2, 2), (0, 2)), ((0, 2), (0, 0)),
    ((0, 0), (2, 2)), ((2, 0), (0, 2)), ((1, 0), (1, 2)), ((0, 1), (2, 1)),
)  # fmt: skip
"""The lines of overlays, in a square whose side is 2."""

CELL, OPTION, MARGIN = 92.0, 78.0, 16.0
NAMES: Mapping[Attribute, tuple[str, str]] = {
    "shape": ("shape", "形状"),
    "colour": ("colour", "颜色"),
    "size": ("size", "大小"),
    "count": ("number of figures", "图形个数"),
    "dot": ("place of the black dot", "黑点位置"),
}
TOLD: Mapping[str, tuple[str, str]] = {
    "constant": ("stays the same along each row", "在每一行中保持不变"),
    "three": ("takes the same three values in every row, each once", "在每一行中各出现同样的三种，每种一次"),
    "progression": ("changes by the same step from left to right", "从左到右按相同的步长变化"),
    "sum": ("of the third cell is the sum of the first two", "：第三格等于前两格之和"),
    "difference": ("of the third cell is the first minus the second", "：第三格等于第一格减第二格"),
    "union": ("The third cell has every line of the first two.", "第三格包含前两格的所有线段。"),
    "common": ("The third cell has the lines that both of the first two have.", "第三格只保留前两格共有的线段。"),
    "either": (
        "The third cell has the lines that just one of the first two has.",
        "第三格只保留前两格中仅出现一次的线段。",
    ),
    "without": (
        "The third cell has the lines of the first that the second lacks.",
        "第三格是第一格去掉第二格中的线段。",
    ),
}
HARD = {"constant": 0.0, "three": 0.5, "progression": 0.4, "sum": 0.8, "difference": 1.0}

Figure = Mapping[Attribute, int]


class Config(PuzzleConfig):
    """The number of options."""

    options: tuple[int, ...] = Field((4, 6, 8), min_length=1, description="numbers of options to draw from; 4 to 8")


@dataclass(frozen=True)
class Matrix:
    """Nine figures, or sets of lines where `overlay` names their operation, and options of which `right` is right."""

    overlay: str
    cells: tuple[Figure | int, ...]
    options: tuple[Figure | int, ...]
    right: int
    rules: Mapping[Attribute, Rule]
    difficulty: float


def make_matrix(options: Sequence[int], rng: random.Random, level: float) -> Matrix | None:
    """A matrix whose rules are enumerated to show that one option alone continues it; None where more would."""
    count = rng.choice(options)
    if rng.random() < 0.25:
        return _overlay(count, rng, level)
    attributes: list[Attribute] = ["shape", "colour", "size", "count", "dot"]
    varying = rng.sample(attributes, between(level, 1, 4))
    chosen: dict[Attribute, Rule] = {}
    grids: dict[Attribute, Grid] = {}
    for attribute in attributes:
        rule = rng.choice(rules(attribute)[1:]) if attribute in varying else Rule("constant")
        grid = drawn(attribute, rule, rng)
        if attribute not in varying:
            grid = [[rng.choice((2, 3)) if attribute == "size" else rng.randrange(VALUES[attribute])] * 3] * 3
            if attribute == "count":
                grid = [[0] * 3] * 3
        if grid is None or len(continuations(attribute, grid)) != 1:
            return None
        chosen[attribute], grids[attribute] = rule, grid
    cells = [{name: grids[name][row][column] for name in attributes} for row in range(3) for column in range(3)]
    if "dot" not in varying:
        cells = [{**cell, "dot": -1} for cell in cells]
    seen = {name: {value for row in grids[name] for value in row} for name in varying}
    shown = balanced_options(rng, cells[8], varying, seen, count)
    hard = sum(HARD[chosen[name].name] for name in varying) / len(varying)
    difficulty = 0.55 * share(len(varying), 1, 4) + 0.3 * hard + 0.15 * share(len(shown), 4, 8)
    return Matrix("", tuple(cells), tuple(shown), shown.index(cells[8]), {n: chosen[n] for n in varying}, difficulty)


def _overlay(count: int, rng: random.Random, level: float) -> Matrix | None:
    name, lines = rng.choice(list(OVERLAYS)), between(level, 5, 8)
    grid = overlay_drawn(rng, name, lines, 0.35 if name in ("union", "either") else 0.6)
    cells = [cell for row in grid for cell in row]
    # No empty cell and no two alike in a row: a person couldn't tell what happened.
    if 0 in cells or any(len(set(row)) < 3 for row in grid) or overlay_continuations(grid) != {cells[8]}:
        return None
    shown = [cells[8]]
    tried = [operation(*grid[2][:2]) for operation in OVERLAYS.values()]
    tried += [cells[8] ^ (1 << line) for line in rng.sample(range(lines), lines)]
    tried += [rng.randrange(1, 1 << lines) for _ in range(20)]
    for other in tried:
        if other and other not in shown and len(shown) < count:
            shown.append(other)
    rng.shuffle(shown)
    kind = {"union": 0.1, "common": 0.4, "without": 0.7, "either": 1.0}[name]
    difficulty = 0.45 * kind + 0.35 * share(lines, 4, 8) + 0.2 * share(len(shown), 4, 8)
    return Matrix(name, tuple(cells), tuple(shown), shown.index(cells[8]), {}, difficulty)


def generate(rng: random.Random, config: Config) -> Draft:
    """A matrix, asked for the option that fits, its place, a rule, and what the missing figure is like."""
    matrix = graded(rng, config, partial(make_matrix, config.options))
    language, style = language_of(rng, config), look(rng)
    if style.paper[0] < 100:  # the dots are black
        style = look(random.Random(0))
    canvas, boxes = draw(matrix, style)
    messages, checks = dialogue((png(canvas.finish()),), _turns(rng, config, language, matrix, boxes, canvas.size))
    return Draft(
        messages,
        checks,
        truth={
            "overlay": matrix.overlay,
            "cells": [dict(c) if isinstance(c, Mapping) else c for c in matrix.cells],
            "options": [dict(c) if isinstance(c, Mapping) else c for c in matrix.options],
            "right": matrix.right,
            "rules": {name: [rule.name, rule.step] for name, rule in matrix.rules.items()},
        },
        capability="reasoning/puzzles/matrix",
        domain="puzzle",
        difficulty=matrix.difficulty,
        language=language,
        regions=tuple(Region(LETTERS[number], box) for number, box in enumerate(boxes)),
    )


def draw(matrix: Matrix, style: Look) -> tuple[Canvas, list[tuple[float, float, float, float]]]:
    """The matrix with a question mark, and the options below it; returns the options' boxes too."""
    columns = min(4, len(matrix.options)) if len(matrix.options) != 6 else 3
    rows = math.ceil(len(matrix.options) / columns)
    width = max(3 * CELL, columns * (OPTION + 10)) + 2 * MARGIN
    top = MARGIN + 3 * CELL + 26
    canvas = Canvas(width, top + rows * (OPTION + 28) + MARGIN - 8, style.paper)
    left = (width - 3 * CELL) / 2
    for place, figure in enumerate(matrix.cells):
        x, y = left + place % 3 * CELL, MARGIN + place // 3 * CELL
        canvas.box((x, y, x + CELL, y + CELL), (255, 255, 255), style.ink, 2)
        if place == 8:
            canvas.text((x + CELL / 2, y + CELL / 2), "?", 44, style.accent)
        else:
            draw_figure(canvas, figure, (x + CELL / 2, y + CELL / 2), CELL)
    boxes = []
    for number, figure in enumerate(matrix.options):
        x = (width - columns * (OPTION + 10)) / 2 + 5 + number % columns * (OPTION + 10)
        y = top + number // columns * (OPTION + 28)
        boxes.append((x, y, x + OPTION, y + OPTION))
        canvas.box(boxes[-1], (255, 255, 255), style.ink, 1, 6)
        draw_figure(canvas, figure, (x + OPTION / 2, y + OPTION / 2), OPTION)
        canvas.text((x + OPTION / 2, y + OPTION + 11), LETTERS[number], 16, style.ink)
    return canvas, boxes


def draw_figure(canvas: Canvas, figure: Figure | int, centre: tuple[float, float], side: float) -> None:
    """A figure around a centre, in a cell of a side."""
    (x, y), ink = centre, COLOURS["black"]
    if isinstance(figure, int):
        unit = side * 0.33
        for line, ((a, b), (c, d)) in enumerate(LINES):
            if figure >> line & 1:
                canvas.line(
                    [(x + (a - 1) * unit, y + (b - 1) * unit), (x + (c - 1) * unit, y + (d - 1) * unit)], ink, 4
                )
        return
    count = figure["count"] + 1
    room = side * (0.76 if figure["dot"] >= 0 else 1.0)  # a dot has the border to itself
    radius = room * (0.33 if count == 1 else 0.17 if count == 2 else 0.14) * SIZES[figure["size"]]
    step = room * 0.2
    places = {
        1: ((0, 0),),
        2: ((-1, 0), (1, 0)),
        3: ((-1, 0.9), (1, 0.9), (0, -0.9)),
        4: ((-1, -1), (1, -1), (-1, 1), (1, 1)),
        5: ((-1.15, -1.15), (1.15, -1.15), (-1.15, 1.15), (1.15, 1.15), (0, 0)),
    }[count]
    colour = COLOURS[PALETTE[figure["colour"]]]
    for across, down in places:
        _shape(canvas, SHAPES[figure["shape"]], (x + across * step, y + down * step), radius, colour)
    if figure["dot"] >= 0:
        angle = math.pi / 4 * figure["dot"] - math.pi / 2
        reach = side * 0.41 / max(abs(math.cos(angle)), abs(math.sin(angle)))
        canvas.disc((x + reach * math.cos(angle), y + reach * math.sin(angle)), side * 0.045, ink)


def _shape(
    canvas: Canvas, shape: str, centre: tuple[float, float], radius: float, colour: tuple[int, int, int]
) -> None:
    if shape == "circle":
        canvas.disc(centre, radius, colour, COLOURS["black"], 1.5)
        return
    corners = {"triangle": 3, "square": 4, "pentagon": 5, "hexagon": 6, "star": 10}[shape]
    turn = math.pi / 4 if shape == "square" else 0.0
    points = []
    for corner in range(corners):
        angle = 2 * math.pi * corner / corners - math.pi / 2 + turn
        reach = radius * (1.12 if shape != "star" else 1.2 if corner % 2 == 0 else 0.5)
        points.append((centre[0] + reach * math.cos(angle), centre[1] + reach * math.sin(angle)))
    canvas.polygon(points, colour, COLOURS["black"], 1.5)


def told(attribute: Attribute, rule: Rule, language: Language) -> str:
    """A rule as a sentence."""
    name, text = NAMES[attribute], TOLD[rule.name]
    if language == "zh":
        return f"{name[1]}{text[1]}。"
    return f"The {name[0]} {text[0]}."


def value_name(attribute: Attribute, value: int, language: Language) -> str:
    """What a value is called."""
    zh = language == "zh"
    if attribute == "shape":
        return SHAPES_CHINESE[value] if zh else SHAPES[value]
    if attribute == "colour":
        return colour_name(PALETTE[value], language)
    if attribute == "size":
        return (("最小", "较小", "较大", "最大") if zh else ("smallest", "small", "large", "largest"))[value]
    if attribute == "count":
        return str(value + 1)
    places = ("上方", "右上角", "右方", "右下角", "下方", "左下角", "左方", "左上角")
    english = ("top", "upper right", "right", "lower right", "bottom", "lower left", "left", "upper left")
    return (places if zh else english)[value]


def _turns(
    rng: random.Random,
    config: Config,
    language: Language,
    matrix: Matrix,
    boxes: Sequence[Sequence[float]],
    size: tuple[int, int],
) -> list[Turn]:
    zh, letter = language == "zh", LETTERS[matrix.right]
    check: dict[str, Any] = {
        "verifier": "exact",
        "target": letter,
        "accepted": [f"({letter})", f"option {letter}", f"选项{letter}", f"选项 {letter}"],
    }
    gap, missing = "" if zh else " ", matrix.cells[8]
    if isinstance(missing, int):
        steps = [
            ("前两行：" if zh else "In the first two rows: ") + TOLD[matrix.overlay][zh],
            f"第三行得到 {letter}。" if zh else f"For the third row that gives {letter}.",
        ]
    else:
        steps = [
            told(name, rule, language)
            + gap
            + (
                f"所以缺少的是：{value_name(name, missing[name], language)}。"
                if zh
                else f"So it has to be: {value_name(name, missing[name], language)}."
            )
            for name, rule in matrix.rules.items()
        ]
        steps.append(f"只有 {letter} 符合。" if zh else f"Only {letter} fits.")
    which = rng.choice(
        ("哪个选项应填入问号处？", "根据图形的规律，选出问号处的图形。")
        if zh
        else (
            "Which option belongs where the question mark is?",
            "Find the pattern: which figure completes the matrix?",
        )
    )
    where = (
        "用 <bbox>x1 y1 x2 y2</bbox> 框出应填入问号处的选项。"
        if zh
        else "Give the box of the option that belongs where the question mark is, as <bbox>x1 y1 x2 y2</bbox>."
    )
    box = list(boxes[matrix.right])
    # The steps to the option tell every rule and value, so that it comes last.
    option = [
        lambda: reply(rng, config, language, which, letter, check, steps, "letter"),
        lambda: Turn(where, format_box(box, *size), {"verifier": "box", "target": box, "size": list(size)}),
    ]
    named = [name for name in matrix.rules if name in ("colour", "shape", "count")]
    if not named or isinstance(missing, int):
        return some_turns(rng, config, [lambda: _rule_turn(rng, language, matrix), option])

    def value() -> Turn:
        name = rng.choice(named)
        step = steps[list(matrix.rules).index(name)]
        return _value_turn(rng, config, language, name, missing, [step])

    return some_turns(rng, config, [lambda: _rule_turn(rng, language, matrix), value, option])


def _rule_turn(rng: random.Random, language: Language, matrix: Matrix) -> Turn:
    """Which rule the rows follow."""
    zh = language == "zh"
    if matrix.overlay:
        others = [TOLD[name][zh] for name in OVERLAYS if name != matrix.overlay]
        question = "每一行遵循什么规律？" if zh else "Which rule do the rows follow?"
        return choice_turn(question, TOLD[matrix.overlay][zh], others, rng, language)
    name, rule = rng.choice(list(matrix.rules.items()))
    others = [told(name, Rule(other), language) for other in HARD if other != rule.name]
    question = (
        f"每一行中，{NAMES[name][1]}遵循什么规律？"
        if zh
        else f"Which rule does the {NAMES[name][0]} follow in the rows?"
    )
    return choice_turn(question, told(name, rule, language), others, rng, language)


def _value_turn(
    rng: random.Random, config: Config, language: Language, name: Attribute, figure: Figure, steps: Sequence[str]
) -> Turn:
    """The shape, colour or number of the missing figures."""
    zh, value = language == "zh", value_name(name, figure[name], language)
    if name == "count":
        question = (
            "问号处应有几个彩色图形？（黑点不算）"
            if zh
            else "How many coloured figures belong in the missing cell? A black dot doesn't count."
        )
        return reply(rng, config, language, question, value, {"verifier": "count", "target": int(value)}, steps)
    question = (
        f"问号处图形的{NAMES[name][1]}是什么？"
        if zh
        else f"What is the {NAMES[name][0]} of the figures in the missing cell?"
    )
    accepted = [value.removesuffix("色"), value.removesuffix("形")] if zh else [f"{value}s"]
    return reply(
        rng, config, language, question, value, {"verifier": "exact", "target": value, "accepted": accepted}, steps
    )
