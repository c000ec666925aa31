"""Plane geometry: a figure with some numbers, and the chain of theorems that gives another."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

from pydantic import Field

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Draft, GeneratorConfig, Region, Turn, dialogue
from vergence.data.pictures import split_of
from vergence.data.synthesis.stem.deduction import THEOREMS, Step, Value, chain, deduce, latex, unit, written
from vergence.data.synthesis.stem.drawing import CrowdedError
from vergence.data.synthesis.stem.figure import Problem
from vergence.data.synthesis.stem.geometry_drawing import Sheet, draw
from vergence.data.synthesis.stem.geometry_figures import FIGURES
from vergence.errors import DataError
from vergence.processing.coordinates import format_point

VERSION = 2
PACKAGES = ("matplotlib",)
_TRIES = 200


class Config(GeneratorConfig):
    """Which figures, how long the proofs, and in which language."""

    topics: tuple[str, ...] = Field((), description=f"of {', '.join(FIGURES)}; empty: all")
    min_steps: int = Field(1, ge=1, description="fewest steps of a proof")
    max_steps: int = Field(5, ge=1, description="most steps of a proof")
    language: Literal["en", "zh", "mix"] = Field("mix", description="of questions and proofs")


def generate(rng: random.Random, config: Config) -> Draft:
    """A problem and its proof. Raises `DataError` where no figure of the topics has a proof of such a length."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    for _ in range(_TRIES):
        problem = pose(rng, config)
        if problem is None:
            continue
        try:
            sheet = draw(problem, rng)
        except CrowdedError:
            continue
        return _draft(problem, sheet, language, rng)
    raise DataError(f"no figure of {config.topics or 'any topic'} has a proof of {config.min_steps} or more steps")


def pose(rng: random.Random, config: Config) -> Problem | None:
    """A problem whose proof is as long as asked for; None where these random choices give none."""
    unknown = [topic for topic in config.topics if topic not in FIGURES]
    if unknown:
        raise DataError(f"geometry has no topic {unknown[0]!r}; it has {', '.join(FIGURES)}")
    figure = FIGURES[rng.choice(config.topics or tuple(FIGURES))](rng)
    wanted = rng.randint(config.min_steps, config.max_steps)
    best: tuple[int, list[str], str] | None = None
    for _ in range(12):
        told = rng.sample(figure.givens, min(len(figure.givens), rng.randint(1, 3)))
        found = deduce(figure.relations, {name: figure.values[name] for name in told})
        for name in rng.sample(figure.targets, len(figure.targets)):
            steps = len(chain(found, name)) if name in found else 0
            if config.min_steps <= steps <= config.max_steps and (best is None or abs(steps - wanted) < best[0]):
                best = abs(steps - wanted), told, name
    if best is None:
        return None
    _, told, target = best
    found = deduce(figure.relations, {name: figure.values[name] for name in told})
    used = {use for step in chain(found, target) for use in step.uses}
    given: dict[str, Value] = {name: figure.values[name] for name in told if name in used}
    key = f"{figure.name}/{target}/" + ",".join(f"{name}={value}" for name, value in sorted(given.items()))
    if not given or split_of(f"geometry/{key}") != config.split:
        return None
    return Problem(figure, given, target, deduce(figure.relations, given))


_INTRO = {"en": ("In the figure, {0}.", "As shown in the figure, {0}."), "zh": ("如图，{0}。", "如图所示，{0}。")}
_GIVEN = {"en": (" It is known that {0}.", " Given {0}."), "zh": ("已知{0}。", "若{0}。")}
_FIND = {
    "en": ("Find {0}.", "What is {0}?", "Determine {0}."),
    "zh": ("求{0}。", "{0}等于多少？", "请求出{0}。"),
}
_MARKED = {
    "angle": {"en": "Find the size of the angle marked {0} ({1}).", "zh": "求图中标有{0}的角（{1}）的度数。"},
    "length": {"en": "Find the length marked {0} ({1}).", "zh": "求图中标有{0}的线段（{1}）的长。"},
}
_NEXT = {"en": ("And {0}?", "Now find {0}."), "zh": ("那么{0}等于多少？", "再求{0}。")}
_WHERE = {"en": ("Point to {0}.", "Where is point {0}?"), "zh": ("请指出点{0}的位置。", "点{0}在哪里？")}
_WHY = {
    "en": "Which statement gives {0} in a single step, from {1}?",
    "zh": "由{1}可以一步求出{0}，依据是下列哪个结论？",
}

_AKIN = (
    {"isosceles", "apex", "triangle", "radii", "tangents"},
    {"thales", "central", "same_arc"},
    {"two_areas", "triangle_area"},
    {"bisector", "parts"},
)
"""Theorems of which one may count as a reason for another: they don't stand side by side as options."""


def _noun(name: str, language: str) -> str:
    """A quantity as a question names it."""
    if name[0] == "S":
        corners = "".join(letter for letter in name[1:] if letter.isalpha())
        if language == "zh":
            return f"{'三角形' if len(corners) == 3 else '四边形'}{corners}的面积"
        return f"the area of {'triangle ' if len(corners) == 3 else ''}{corners}"
    if name[0] == "∠":
        return name if language == "en" else f"{name}的度数"
    return f"the length of {name}" if language == "en" else f"{name}的长"


def _statement(problem: Problem, sheet: Sheet, language: str, rng: random.Random) -> str:
    """What the text tells: the facts, and the numbers that don't stand in the figure."""
    english = language == "en"
    facts = [fact[0 if english else 1] for fact in problem.figure.facts]
    told = [f"{n} = {written(v)}{unit(n)}" for n, v in problem.given.items() if n not in sheet.shown]
    text = rng.choice(_INTRO[language]).format((", " if english else "，").join(facts))
    if told:
        text += rng.choice(_GIVEN[language]).format((" and " if english else "，").join(told))
    return text


def _answer(step: Step) -> str:
    return _shown(step.value, unit(step.quantity))


def _shown(value: Value, sign: str) -> str:
    text = latex(value)
    return f"${text}$" if "\\" in text else f"{text}{sign}"


def _turns(problem: Problem, sheet: Sheet, language: str, rng: random.Random) -> list[Turn]:
    proof = problem.proof
    last = proof[-1]
    text = _statement(problem, sheet, language, rng)
    gap = " " if language == "en" else ""
    if sheet.marked:
        kind = "angle" if problem.target[0] == "∠" else "length"
        asked = _MARKED[kind][language].format(sheet.marked, problem.target)
    else:
        asked = rng.choice(_FIND[language]).format(_noun(problem.target, language))
    check = {"verifier": "maths", "target": latex(last.value)}
    why = _why(problem, language, rng) if rng.random() < 0.35 else None
    question, form = text + gap + asked if why is None else asked, rng.random()
    if form < 0.7:
        turns = [thought_turn(question, [s.sentence(language) for s in proof], _answer(last), check, language)]
    elif form < 0.85:
        turns = [short_turn(question, _answer(last), check, language)]
    else:
        turns = [choice_turn(question, _answer(last), _wrong(last, rng), rng, language)]
    # A proof tells what it goes through.
    told = {*problem.given, problem.target, *((step.quantity for step in proof) if form < 0.7 else ())}
    more = [name for name in problem.figure.targets if name in problem.found and name not in told]
    if more and rng.random() < 0.5:
        step = problem.found[rng.choice(more)]
        follow = rng.choice(_NEXT[language]).format(_noun(step.quantity, language))
        turns.append(short_turn(follow, _answer(step), {"verifier": "maths", "target": latex(step.value)}, language))
    if why is not None:
        # The theorem stands in the proof, so that it is asked before.
        turns.insert(0, replace(why, question=text + gap + why.question))
    if rng.random() < 0.4:
        name = rng.choice(sorted(sheet.points))
        at, size = sheet.points[name], (sheet.canvas.width, sheet.canvas.height)
        place = {"verifier": "point", "targets": [list(at)], "size": list(size), "radius": 14.0}
        turns.append(Turn(rng.choice(_WHERE[language]).format(name), format_point(at, *size), place))
    return turns


def _wrong(step: Step, rng: random.Random) -> list[str]:
    """Three other values: what slips of the pen give."""
    value, sign = step.value, unit(step.quantity)
    near = value if isinstance(value, Fraction) else Fraction(round(float(value)))
    slips = [near + shift for shift in (1, 2, 3, 5, -1, -2)] + [2 * near, near / 2]
    if sign:
        slips = [180 - near, 90 - near, 2 * near, near / 2, *(near + shift for shift in (-20, -10, -5, 5, 10, 20))]
    sound = [other for other in dict.fromkeys(slips) if 0 < other != value and (not sign or other < 180)]
    return [_shown(other, sign) for other in rng.sample(sound, 3)]


def _why(problem: Problem, language: str, rng: random.Random) -> Turn | None:
    """Which theorem gives a quantity from what is given; None where more than one does, or too few others are known."""
    index = 0 if language == "en" else 1
    first = [step for step in problem.found.values() if step.uses and all(use in problem.given for use in step.uses)]
    if not first:
        return None
    step = rng.choice(first)
    linking = {
        relation.reason for relation in problem.figure.relations if set(relation.names) == {step.quantity, *step.uses}
    }
    if len(linking) != 1 or step.reason not in THEOREMS:
        return None
    # Theorems of the same figure come first: one about circles would be ruled out where there is no circle.
    akin = {key for group in _AKIN if step.reason in group for key in group} | linking
    there = {relation.reason for relation in problem.figure.relations}
    near, far = ([key for key in THEOREMS if key not in akin and (key in there) == here] for here in (True, False))
    others = [*rng.sample(near, len(near)), *rng.sample(far, len(far))]
    wrong = [THEOREMS[key][index] for key in others[:3]]
    right = THEOREMS[step.reason][index]
    told = (" and " if language == "en" else "、").join(step.uses)
    return choice_turn(_WHY[language].format(step.quantity, told), right, wrong, rng, language)


def _draft(problem: Problem, sheet: Sheet, language: str, rng: random.Random) -> Draft:
    figure = problem.figure
    messages, checks = dialogue((sheet.canvas.finish(),), _turns(problem, sheet, language, rng))
    truth: dict[str, Any] = {
        "figure": figure.name,
        "points": {name: [round(x, 3), round(y, 3)] for name, (x, y) in sheet.points.items()},
        "segments": figure.segments,
        "circle": [figure.circle[0], figure.circle[1] * sheet.scale] if figure.circle else None,
        "pixels_per_unit": sheet.scale,
        "given": {name: latex(value) for name, value in problem.given.items()},
        "shown": sheet.shown,
        "target": problem.target,
        "proof": [
            {"quantity": step.quantity, "value": latex(step.value), "reason": step.reason, "uses": list(step.uses)}
            for step in problem.proof
        ],
        "all": {name: latex(step.value) for name, step in problem.found.items()},
        "labels": [[text, list(box)] for text, box in sheet.canvas.labels],
    }
    return Draft(
        messages,
        checks,
        truth=truth,
        capability="stem/geometry",
        domain="mathematics",
        difficulty=min(1.0, 0.12 * len(problem.proof) + 0.04 * len(figure.points)),
        language=language,
        regions=tuple(Region(text, box) for text, box in sheet.canvas.labels),
        tags={"topic": figure.name, "steps": len(problem.proof)},
    )
