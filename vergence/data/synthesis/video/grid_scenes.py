"""A robot's run on a grid as a clip: a step takes a quarter of a second, and what it carries is shown below the map."""

from __future__ import annotations

import random
from collections.abc import Sequence

from PIL import Image, ImageDraw

from vergence.data.synthesis.palette import RGB, jitter
from vergence.data.synthesis.video.events import COLOURS, Box, Clip, Event, Fact, Text, colour_word, listed
from vergence.data.synthesis.video.grid_drawing import CELL, robot_picture, thing_picture, wall_picture
from vergence.data.synthesis.video.grid_plans import Run, plan_run
from vergence.data.synthesis.video.grid_world import STEPS, Cell, Outcome, Thing, World
from vergence.errors import DataError

FPS = 8
FRAMES_A_STEP = 2
STEP_SECONDS = FRAMES_A_STEP / FPS
WAIT = 4
"""Frames before the first step and after the last."""
ROBOT = Text("the robot", "机器人")
_PLACES = {
    "flag": Text("the flag", "旗子"),
    "house": Text("the house", "房子"),
    "tree": Text("the tree", "树"),
    "well": Text("the well", "水井"),
}
_SORTS = {"key": Text("key", "钥匙"), "door": Text("door", "门"), "gem": Text("gem", "宝石")}


def name_of(thing: Thing) -> Text:
    """What a thing is called."""
    if thing.sort == "lava":
        return Text("the lava", "熔岩")
    if thing.sort == "place":
        return _PLACES[thing.name]
    colour, sort = COLOURS[thing.name], _SORTS[thing.sort]
    of = "色的" if thing.sort == "door" else "色"
    return Text(f"the {colour.en} {sort.en}", colour.zh + of + sort.zh)


def grid_clip(rng: random.Random, rooms: int | None = None) -> Clip:
    """A clip of a run through two or three rooms. Raises `DataError` where no map has one of a good length."""
    planned = plan_run(rng, rooms or rng.choice((2, 2, 3)))
    if planned is None:
        raise DataError("no map with a run of a good length")
    world, run = planned
    events = tuple(_event(number, outcome) for number, outcome in enumerate(run.outcomes) if outcome.kind != "walk")
    walks = tuple(Event(_start(leg.first), _end(leg.last - 1), "walk", ROBOT, name_of(leg.thing)) for leg in run.legs)
    things = list(world.things.values())
    frames, boxes = _draw(rng, world, run)
    rooms_there = sum(thing.sort == "door" for thing in things) + 1
    return Clip(
        frames=tuple(frames),
        fps=FPS,
        scene=_scene_text(rooms_there, things),
        events=events,
        activities=walks,
        facts=tuple(_facts(things, events, run, len(frames) / FPS)),
        names=(ROBOT,),
        tracks={ROBOT.en: boxes},
        world={
            "map": run.record,
            "steps": list(run.steps),
            "cell": CELL,
            "step_seconds": STEP_SECONDS,
            "wait": WAIT / FPS,
        },
        domain="games",
        difficulty=min(1.0, 0.08 * len(events) + 0.01 * len(run.steps)),
    )


def _start(step: int) -> float:
    return (WAIT + FRAMES_A_STEP * step) / FPS


def _end(step: int) -> float:
    return _start(step + 1)


def _event(number: int, outcome: Outcome) -> Event:
    assert outcome.thing
    return Event(_end(number), _end(number), outcome.kind, ROBOT, name_of(outcome.thing))


def _scene_text(rooms: int, things: Sequence[Thing]) -> Text:
    names = listed([_with_article(name_of(thing)) for thing in dict.fromkeys(things)])
    count = {2: Text("two", "两"), 3: Text("three", "三")}[rooms]
    return Text(
        f"A robot moves on a map of {count.en} rooms with {names.en}.",
        f"一个机器人在有{count.zh}个房间的地图上移动，地图上有{names.zh}。",
    )


def _with_article(name: Text) -> Text:
    bare = name.en.removeprefix("the ")
    article = "" if bare == "lava" else "an " if bare[0] in "aeiou" else "a "
    return Text(article + bare, name.zh)


def _facts(things: Sequence[Thing], events: Sequence[Event], run: Run, duration: float) -> list[Fact]:
    taken = [
        (e, o.thing) for e, o in zip(events, (o for o in run.outcomes if o.kind != "walk"), strict=True) if o.thing
    ]
    keys = [(event, thing.name) for event, thing in taken if thing.sort == "key"]
    gems = [event for event, thing in taken if thing.sort == "gem"]
    places = [(event, thing.name) for event, thing in taken if thing.sort == "place"]
    count = Text(str(len(gems)), str(len(gems)))
    facts = [Fact(Text("How many gems does the robot take?", "机器人一共拿到了几颗宝石？"), count, duration)]
    if keys:
        question = Text("What colour is the first key that the robot picks up?", "机器人捡起的第一把钥匙是什么颜色？")
        facts.append(Fact(question, colour_word(keys[0][1]), keys[0][0].end))
    if places:
        question = Text("Which place does the robot reach first?", "机器人最先到达的地点是哪里？")
        place = _PLACES[places[0][1]]
        facts.append(Fact(question, Text(place.en.removeprefix("the "), place.zh), places[0][0].end))
    left = [thing.name for thing in things if thing.sort == "key" and thing.name not in {name for _, name in keys}]
    if len(left) == 1:
        question = Text(
            "What colour is the key that the robot leaves where it is?", "机器人没有捡起的那把钥匙是什么颜色？"
        )
        facts.append(Fact(question, colour_word(left[0]), duration))
    facts += [fact for event, thing in taken if (fact := _reason(event, thing, things)) is not None]
    return facts


def _reason(event: Event, thing: Thing, things: Sequence[Thing]) -> Fact | None:
    """Why the robot was stopped, sent back, or could pass.

    Of a door's wrong answers one names another key or a gem of the map, so that a colour alone doesn't give it away.
    """
    name = name_of(thing)
    key = name_of(Thing("key", thing.name)) if thing.sort == "door" else name
    lacks = Text(f"It doesn't have {key.en}.", f"它还没有{key.zh}。")
    has = Text(f"It has picked up {key.en}.", f"它已经捡起了{key.zh}。")
    lava = Text("It stepped into the lava.", "它踩进了熔岩。")
    others = {
        "wall": Text("It ran into a wall.", "它撞到了墙上。"),
        "gem": Text("It has collected all gems.", "它拿到了所有宝石。"),
        "battery": Text("Its battery is empty.", "它的电池没电了。"),
        "place": Text("It has reached its goal.", "它到达了目的地。"),
    }
    bait = [name_of(other) for sort in ("key", "gem") for other in things if other.sort == sort and other != thing]
    bait = [other for other in bait if other != key]
    if event.kind == "blocked":
        question = Text(f"Why is the robot stopped by {name.en}?", f"机器人为什么被{name.zh}挡住？")
        wrong = [Text(f"It doesn't have {other.en}.", f"它还没有{other.zh}。") for other in bait[:1]]
        return Fact(question, lacks, event.end, (others["battery"], others["gem"], *(wrong or [lava])))
    if event.kind == "burn":
        question = Text("Why is the robot sent back to where it started?", "机器人为什么被送回起点？")
        return Fact(question, lava, event.end, (others["wall"], others["gem"], others["battery"]))
    if event.kind == "open":
        question = Text(f"Why can the robot open {name.en}?", f"机器人为什么能打开{name.zh}？")
        wrong = [Text(f"It has picked up {other.en}.", f"它已经捡起了{other.zh}。") for other in bait[:1]]
        return Fact(question, has, event.end, (others["gem"], others["place"], *(wrong or [lava])))
    return None


def _draw(rng: random.Random, world: World, run: Run) -> tuple[list[Image.Image], list[Box | None]]:
    floor = jitter(rng, (236, 232, 224), 12)
    wall = jitter(rng, rng.choice(((120, 110, 105), (110, 125, 140), (150, 120, 100), (105, 130, 110))), 10)
    picture = _map_picture(world, floor, wall)
    frames, boxes = [], []

    def show(at: tuple[float, float], facing: Cell, count: int = 1) -> None:
        image = picture.copy()
        x, y = round(at[0] * CELL), round(at[1] * CELL)
        robot = robot_picture(facing)
        image.paste(robot, (x, y), robot)
        frames.extend([image] * count)
        boxes.extend([(float(x), float(y), float(x + CELL), float(y + CELL))] * count)

    facing: Cell = (0, 1)
    show(world.robot, facing, WAIT)
    for step, expected in zip(run.steps, run.outcomes, strict=True):
        facing = STEPS[step]
        # Halfway there when it gets there, a little into what it can't enter. Frame by frame, the second shows the end.
        reach = 0.25 if expected.kind in ("open", "blocked") else 0.5
        show((expected.before[0] + facing[0] * reach, expected.before[1] + facing[1] * reach), facing)
        outcome = world.step(step)
        if outcome.kind not in ("walk", "blocked", "reach"):
            picture = _map_picture(world, floor, wall)
        show(world.robot, facing)
    show(world.robot, facing, WAIT)
    # A step's first frame is the one in which it begins, so that its outcome is on show from its end on.
    return [frames[0], *frames[:-1]], [boxes[0], *boxes[:-1]]


def _map_picture(world: World, floor: RGB, wall: RGB) -> Image.Image:
    image = Image.new("RGB", (world.columns * CELL, (world.rows + 1) * CELL), floor)
    pen = ImageDraw.Draw(image)
    for x in range(1, world.columns):
        pen.line((x * CELL, 0, x * CELL, world.rows * CELL), fill=tuple(c - 10 for c in floor))
    for y in range(1, world.rows):
        pen.line((0, y * CELL, world.columns * CELL, y * CELL), fill=tuple(c - 10 for c in floor))
    for x, y in sorted(world.walls):
        image.paste(wall_picture(wall), (x * CELL, y * CELL))
    for (x, y), thing in sorted(world.things.items()):
        tile = thing_picture(thing)
        image.paste(tile, (x * CELL, y * CELL), tile)
    pen.rectangle((0, world.rows * CELL, image.width, image.height), fill=(40, 44, 52))
    carried = [Thing("key", name) for name in world.keys] + [Thing("gem", name) for name in world.gems]
    for number, thing in enumerate(carried):
        tile = thing_picture(thing)
        image.paste((245, 245, 240), (number * CELL + 2, world.rows * CELL + 1, number * CELL + 24, image.height - 1))
        image.paste(tile, (number * CELL + 1, world.rows * CELL), tile)
    return image
