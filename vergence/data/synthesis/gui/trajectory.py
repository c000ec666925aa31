"""Whole episodes on pages: a screenshot, a thought and an action at each step, in the grammar of Seed's agents.

Every action is carried out from its text, so an episode that is kept has reached its goal by what is written in it. A
slip (a click on the wrong field, a text cut short) carries no loss; the step that mends it does.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from vergence.conversation import Message, assistant, user
from vergence.data.generator import OURS, Draft, GeneratorConfig, Region, SourceItem
from vergence.data.pictures import split_of
from vergence.data.synthesis.gui import miniwob
from vergence.data.synthesis.gui.browser import opened, renderer
from vergence.data.synthesis.gui.episode import Intent, Player, Step
from vergence.data.synthesis.gui.tasks import MINIWOB, made_task
from vergence.errors import DataError
from vergence.verifiers.actions import step

VERSION = 2
PACKAGES = ("playwright",)

SIZES = ((960, 640), (800, 600), (1024, 640), (640, 720))

PROMPT = """You operate a computer through its screen. Each screenshot shows its state; reply with the next step.

## Output Format
Thought: ...
Action: ...

## Action Space
click(point='<point>x1 y1</point>')
left_double(point='<point>x1 y1</point>')
right_single(point='<point>x1 y1</point>')
drag(start_point='<point>x1 y1</point>', end_point='<point>x2 y2</point>')
hotkey(key='ctrl c')
type(content='xxx')
scroll(point='<point>x1 y1</point>', direction='down or up or right or left')
wait()
finished(content='xxx')

## Note
Write the thought in {language}. In a content escape ', " and line breaks; a content that ends with \\n is submitted.

## User Instruction
{instruction}"""
"""The action space is that of UI-TARS and Seed1.5-VL (`codes/ui_tars/prompt.py`); the other sentences are ours."""


class Config(GeneratorConfig):
    """Tasks, language and slips."""

    source: Literal["mix", "made", "miniwob"] = Field("mix", description="made pages or MiniWoB's")
    language: Literal["en", "zh", "mix"] = Field("mix", description="of thoughts and made pages; mix: a third Chinese")
    noise: float = Field(0.15, ge=0, le=1, description="chance of a slip, where one can be made and mended")


def generate(rng: random.Random, config: Config) -> Draft:
    """Play an episode. Raises `DataError` for one that doesn't reach its goal."""
    language = config.language if config.language != "mix" else rng.choice(("en", "en", "zh"))
    if config.source == "made" or (config.source == "mix" and rng.random() < 0.6):
        return _made(rng, config, language)
    return _miniwob(rng, config, language)


def _made(rng: random.Random, config: Config, language: str) -> Draft:
    task = made_task(rng, language, config.split)
    size = rng.choice(SIZES)
    with opened(task.site, *size) as page:
        player = Player(page, rng, size, 1, language, config.noise)
        steps = list(player.play(task.intents))
        if not page.evaluate("goal()"):
            raise DataError(f"episode {task.name}: ended without its goal")
        steps.append(player.finish({"en": "Done.", "zh": "已完成。"}[language]))
    licence = next((name for name in ("MIT", "ISC") if name in {item.licence for item in task.sources}), OURS)
    truth = {"task": task.name, "html": task.site.html, "fonts": sorted(task.site.folders), "scale": 1}
    return _draft(steps, task.instruction, size, language, truth, licence, f"made: {task.name}", task.sources)


def _miniwob(rng: random.Random, config: Config, language: str) -> Draft:
    name = rng.choice([task for task in MINIWOB if split_of(f"miniwob/{task}") == config.split])
    site, item = miniwob.task_site(name)
    scale, seed = 3, rng.getrandbits(31)
    size = (miniwob.WIDTH * scale, miniwob.HEIGHT * scale)
    with opened(site, miniwob.WIDTH, miniwob.HEIGHT, scale=scale) as page:
        miniwob.start(page, seed)
        instruction = miniwob.instruction(page)
        player = Player(page, rng, size, scale, language, config.noise)
        steps = list(player.play(_intents(name, instruction)))
        if (miniwob.reward(page) or 0) <= 0:
            raise DataError(f"episode {name}: ended without its reward")
        miniwob.uncover(page)
        steps.append(player.finish({"en": "Done.", "zh": "已完成。"}[language]))
    truth = {"task": name, "seed": seed, "scale": scale}
    return _draft(steps, instruction, size, language, truth, item.licence, f"MiniWoB: {name}", (item,))


def _intents(name: str, instruction: str) -> list[Intent]:
    try:
        return MINIWOB[name](instruction)
    except IndexError:
        raise DataError(f"episode {name}: can't read the instruction {instruction!r}") from None


def _draft(
    steps: Sequence[Step],
    instruction: str,
    size: tuple[int, int],
    language: str,
    truth: dict[str, Any],
    licence: str,
    source: str,
    sources: Sequence[SourceItem],
) -> Draft:
    prompt = PROMPT.format(language={"en": "English", "zh": "Chinese"}[language], instruction=instruction)
    messages: list[Message] = []
    for number, each in enumerate(steps):
        messages.append(user(*([prompt] if number == 0 else []), each.picture))
        messages.append(assistant(step(each.thought, each.action), loss=not each.wrong))
    regions = [
        Region(f"{number + 1}: {each.action.kind}", points=(place,), image=number, order=number + 1)
        for number, each in enumerate(steps)
        for argument in ("point", "start_point", "end_point")
        if (place := each.action.place(argument, *size)) is not None
    ]
    return Draft(
        tuple(messages),
        tuple(each.check for each in steps),
        truth={
            **truth,
            "instruction": instruction,
            "size": list(size),
            "slips": [number for number, each in enumerate(steps) if each.wrong],
            "renderer": renderer(),
        },
        capability="gui/trajectory",
        domain="interface",
        difficulty=min(1.0, 0.1 + 0.08 * len(steps)),
        language=language,
        licence=licence,
        source=source,
        sources=tuple(sources),
        regions=tuple(regions),
    )
