"""Formulas drawn by matplotlib's mathtext or by Typst, with LaTeX as ground truth: transcription, values, look-alikes.

```
tree ─▶ LaTeX ─▶ mathtext │ Typst ─▶ picture
   └─▶ value at given numbers, changed copies (wrong options)
```

Nothing real is in it. Held out are pairs of the top of the tree with the set of its symbols.
"""

from __future__ import annotations

import random
from functools import cache
from typing import Any, Literal

from PIL import Image, ImageColor
from pydantic import Field

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Draft, GeneratorConfig, Region, Turn, dialogue
from vergence.data.pictures import Split, split_of
from vergence.data.synthesis.charts.formula_tree import (
    GREEK,
    LETTERS,
    Formula,
    changed,
    draw_formula,
    evaluate,
    free_symbols,
    latex,
    nodes,
    typst_source,
)
from vergence.processing.media import decode_image

VERSION = 2
PACKAGES = ("matplotlib", "typst")

FONTS = ("cm", "stix", "stixsans", "dejavusans", "dejavuserif")
LOOKS = (("#ffffff", "#000000"),) * 4 + (("#fdf8ec", "#2b2b2b"), ("#1f2430", "#f0f0f0"), ("#eef3f8", "#14324a"))
MATRIX = (("pmatrix", "("), ("bmatrix", "["), ("vmatrix", "|"))


_ORDER = ("count", "symbols", "choice", "latex", "value")


class Config(GeneratorConfig):
    """The settings of `formula`."""

    language: Literal["en", "zh", "mix"] = Field("mix", description="language of the questions")
    depth: tuple[int, int] = Field((2, 4), description="least and most levels of the formula, at most 5")
    renderers: tuple[Literal["mathtext", "typst"], ...] = Field(
        ("mathtext", "typst"), min_length=1, description="what draws the formula; matrices are drawn by typst only"
    )
    tasks: tuple[Literal["latex", "value", "choice", "symbols", "count"], ...] = Field(
        ("latex", "value", "choice", "symbols", "count"), min_length=1, description="what is asked for"
    )
    turns: int = Field(2, ge=1, le=5, description="most questions about one formula")


def generate(rng: random.Random, config: Config) -> Draft:
    """Draw a formula and ask about it."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    depth = min(5, rng.randint(*config.depth))
    renderer = rng.choice(config.renderers)
    if renderer == "typst" and rng.random() < 0.2:
        return _matrix(rng, config, language)
    formula, values = _formula(rng, config.split, depth)
    name = rng.choice(("f", "g", "h"))
    symbols = sorted(values)
    head = f"{name}({', '.join(_latex_symbol(s) for s in symbols)}) = " if rng.random() < 0.6 else ""
    source = head + latex(formula)
    typst_head = f"{name}({', '.join(symbols)}) = " if head else ""
    image = draw(source, typst_head + typst_source(formula), renderer, rng)
    tasks = rng.sample(config.tasks, len(config.tasks))
    if {"latex", "choice"} <= set(tasks):  # each gives the other away
        tasks.remove(rng.choice(("latex", "choice")))
    asked = [(task, turn) for task in tasks if (turn := _ask(task, formula, values, source, head, rng, language))]
    # The steps to a value spell the formula, and so does its LaTeX: what could be read off those comes before them.
    turns = [turn for _, turn in sorted(asked[: config.turns], key=lambda each: _ORDER.index(each[0]))]
    return _draft(image, turns, source, renderer, language, len(nodes(formula)), _value(formula, values))


def _draft(
    image: Image.Image, turns: list[Turn], source: str, renderer: str, language: str, size: int, value: Any
) -> Draft:
    messages, checks = dialogue((image,), turns)
    return Draft(
        messages,
        checks,
        truth={"latex": source, **value},
        capability="ocr/formulas",
        domain="mathematics",
        difficulty=min(1.0, 0.1 + size / 40),
        language=language,
        regions=(Region("formula", (0, 0, *image.size)),),
        tags={"renderer": renderer},
    )


def _formula(rng: random.Random, split: Split, depth: int) -> tuple[Formula, dict[str, int]]:
    """A formula of the split, and whole numbers for its symbols at which it has a value of moderate size."""
    while True:
        symbols = rng.sample(LETTERS, rng.randint(1, 3)) + ([rng.choice(GREEK)] if rng.random() < 0.25 else [])
        formula = draw_formula(rng, depth, symbols)
        used = sorted(free_symbols(formula))
        if not used or len(nodes(formula)) < 4 or len(latex(formula)) > 130:
            continue
        if (
            split_of(f"formula:{formula.kind}:{'+'.join(part.kind for part in formula.parts)}:{'+'.join(used)}")
            != split
        ):
            continue
        values = {name: rng.randint(1, 6) for name in used}
        try:
            value = evaluate(formula, values)
        except (ValueError, ZeroDivisionError, OverflowError):
            continue
        if abs(value) < 1e5:
            return formula, values


def _value(formula: Formula, values: dict[str, int]) -> dict[str, Any]:
    return {"at": dict(sorted(values.items())), "value": evaluate(formula, values)}


def _latex_symbol(name: str) -> str:
    return f"\\{name}" if name in GREEK else name


def draw(source: str, typst: str, renderer: str, rng: random.Random) -> Image.Image:
    """The picture of a formula."""
    back, ink = rng.choice(LOOKS)
    size, margin = rng.choice((16, 18, 20, 24)), rng.randint(8, 28)
    if renderer == "typst":
        return draw_typst(typst, back, ink, size, margin)
    return draw_mathtext(source, rng.choice(FONTS), back, ink, size, margin)


def draw_typst(source: str, back: str, ink: str, size: int, margin: int) -> Image.Image:
    """A formula in Typst's language, at 1.6 pixels a point."""
    import typst

    page = f'#set page(width: auto, height: auto, margin: {margin}pt, fill: rgb("{back}"))'
    text = f'#set text(size: {size}pt, fill: rgb("{ink}"))'
    data = typst.compile(f"{page}\n{text}\n$ {source} $\n".encode(), format="png", ppi=115.2, ignore_system_fonts=True)
    return decode_image(data).convert("RGB")


@cache
def _mathtext() -> Any:
    from matplotlib.mathtext import MathTextParser

    return MathTextParser("agg")


def draw_mathtext(source: str, fonts: str, back: str, ink: str, size: int, margin: int) -> Image.Image:
    """A formula in LaTeX by one of matplotlib's sets of mathematical fonts."""
    from matplotlib.font_manager import FontProperties

    drawn = _mathtext().parse(f"${source}$", dpi=115.2, prop=FontProperties(size=size, math_fontfamily=fonts))
    mask = Image.fromarray(drawn.image)
    image = Image.new("RGB", (mask.width + 2 * margin, mask.height + 2 * margin), ImageColor.getrgb(back))
    image.paste(Image.new("RGB", mask.size, ImageColor.getrgb(ink)), (margin, margin), mask)
    return image


def _ask(
    task: str, formula: Formula, values: dict[str, int], source: str, head: str, rng: random.Random, language: str
) -> Turn | None:
    zh = language == "zh"
    if task == "latex":
        return _transcribe(source, rng, language)
    if task == "choice":
        return _choice(formula, head, rng, language)
    if task == "symbols":
        names = [_latex_symbol(name) for name in sorted(values)]
        question = (
            "公式中出现了哪些变量（不含求和指标）？请用LaTeX写出并用逗号分隔。"
            if zh
            else "Which variables, but for an index of summation, are in the formula? Write them in LaTeX, with commas."
        )
        return Turn(question, ", ".join(names), {"verifier": "set", "target": names})
    if task == "count":
        signs = (("fraction", "fraction bars", "分数线"), ("root", "root signs", "根号"))
        kinds: list[str] = [node.kind for node in nodes(formula)]
        # None at all is an answer only where there is neither.
        kind, en, zh_name = rng.choice([sign for sign in signs if sign[0] in kinds] or signs)
        count = kinds.count(kind)
        question = f"公式中有几条{zh_name}？" if kind == "fraction" else f"公式中有几个{zh_name}？"
        question = question if zh else f"How many {en} does the formula have?"
        return short_turn(question, str(count), {"verifier": "count", "target": count}, language)
    return _evaluate(formula, values, bool(head), language)


def _transcribe(source: str, rng: random.Random, language: str) -> Turn:
    question = (
        rng.choice(("请用LaTeX写出图中的公式。", "将公式转写为LaTeX代码。"))
        if language == "zh"
        else rng.choice(("Write the formula in LaTeX.", "Give the LaTeX of this formula."))
    )
    return Turn(question, source, {"verifier": "text", "target": source})


def _choice(formula: Formula, head: str, rng: random.Random, language: str) -> Turn | None:
    right = head + latex(formula)
    others: list[str] = []
    for _ in range(20):
        wrong = head + latex(changed(formula, rng))
        if wrong != right and wrong not in others:
            others.append(wrong)
        if len(others) == 3:
            break
    if not others:
        return None
    question = "哪一项与图中的公式相同？" if language == "zh" else "Which of these is the formula in the picture?"
    return choice_turn(question, right, others, rng, language)


def _evaluate(formula: Formula, values: dict[str, int], named: bool, language: str) -> Turn:
    """The value at whole numbers, to three decimals, with the values of the parts of the formula as steps."""
    given = ", ".join(f"{_latex_symbol(name)} = {value}" for name, value in sorted(values.items()))
    result = _rounded(evaluate(formula, values))
    turning = any(node.text in ("sin", "cos", "tan") for node in nodes(formula))
    if language == "zh":
        question = f"当 {given} 时，{'等号右边' if named else '这个式子'}的值是多少？若不是整数，保留三位小数。"
        question += "角度以弧度为单位。" if turning else ""
    else:
        what = "the right-hand side" if named else "the expression"
        question = f"What is the value of {what} for {given}? Round to three decimals unless it is a whole number."
        question += " Angles are in radians." if turning else ""
    steps = []
    for node in reversed(nodes(formula)):
        if node.kind in ("number", "symbol", "negative") or not free_symbols(node) <= set(values):
            continue
        value = evaluate(node, values)
        sign = "=" if float(_rounded(value)) == value else r"\approx"
        step = f"${latex(node)} {sign} {_rounded(value)}$"
        if step not in steps:
            steps.append(step)
    check = {"verifier": "number", "target": float(result), "tolerance": 0.0011, "relative": 1e-4}
    return thought_turn(question, steps, result, check, language)


def _rounded(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _matrix(rng: random.Random, config: Config, language: str) -> Draft:
    """A matrix or determinant of whole numbers and symbols, as LaTeX; an entry is asked for, or the determinant."""
    while True:
        rows, columns = rng.randint(2, 3), rng.randint(2, 4)
        name, left = rng.choice(MATRIX)
        if left == "|":
            columns = rows
        entries = [[rng.randint(-9, 12) for _ in range(columns)] for _ in range(rows)]
        if split_of(f"matrix:{entries[0]}") == config.split:
            break
    letter = rng.choice("ABCM")
    symbol = rf"\det {letter}" if left == "|" else letter
    body = r" \\ ".join(" & ".join(map(str, row)) for row in entries)
    source = rf"{symbol} = \begin{{{name}}} {body} \end{{{name}}}"
    cells = "; ".join(", ".join(map(str, row)) for row in entries)
    head = f"det {letter}" if left == "|" else letter
    image = draw("", f'{head} = mat(delim: "{left}", {cells})', "typst", rng)
    r, c = rng.randrange(rows), rng.randrange(columns)
    zh = language == "zh"
    entry = str(entries[r][c])
    latex_turn = _transcribe(source, rng, language)
    turns = [
        short_turn(
            f"第{r + 1}行第{c + 1}列的数是多少？" if zh else f"Which number is in row {r + 1}, column {c + 1}?",
            entry,
            {"verifier": "number", "target": entries[r][c]},
            language,
        ),
    ]
    if rows == columns:
        steps, value = determinant(entries)
        question = "这个方阵的行列式是多少？" if zh else "What is the determinant of this square matrix?"
        turns.append(thought_turn(question, steps, str(value), {"verifier": "number", "target": value}, language))
    rng.shuffle(turns)
    if "latex" in config.tasks:  # all numbers stand in it, so it comes last
        turns = [*turns[: config.turns - 1], latex_turn] if rng.random() < 0.6 else turns
    return _draft(image, turns[: config.turns], source, "typst", language, rows * columns, {"entries": entries})


def determinant(entries: list[list[int]]) -> tuple[list[str], int]:
    """The determinant of two or three rows, by the first row's minors, with the steps."""
    if len(entries) == 2:
        (a, b), (c, d) = entries
        return [f"({a})({d}) - ({b})({c}) = {a * d} - ({b * c}) = {a * d - b * c}"], a * d - b * c
    steps, terms, products = [], [], []
    for column in range(3):
        minor = [[row[i] for i in range(3) if i != column] for row in entries[1:]]
        inner, value = determinant(minor)
        sign = -1 if column == 1 else 1
        steps.append(f"M{column + 1}: {inner[0]}")
        terms.append(sign * entries[0][column] * value)
        products.append(f"({entries[0][column]})({value})")
    steps.append(" - ".join(products[:2]) + f" + {products[2]} = {sum(terms)}")
    return steps, sum(terms)
