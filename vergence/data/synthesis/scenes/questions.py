"""Questions about a scene whose boxes and depths are known: near and far, metres, sizes, sides, boxes.

A question is only asked where its answer doesn't hang on a hair: `nearer` wants the centres 10% apart in depth, and the
nearest seen places and the straight distances in the same order; a point is only asked about where the depth around it
is even.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Turn
from vergence.data.synthesis.scenes.views import MARGIN, Thing, View, depths_differ, sides_differ
from vergence.processing.coordinates import format_box, format_point
from vergence.verifiers.boxes_3d import BOX_IOU_3D, format_box_3d

_THOUGHT = 0.35


def nearer(view: View) -> Turn | None:
    """Which of two things is nearer."""
    pair = view.pair(depths_differ)
    if pair is None:
        return None
    question = view.say("nearer", a=pair[0].name, b=pair[1].name)
    right = min(pair, key=lambda thing: thing.depth)
    if view.rng.random() < _THOUGHT:
        steps = [*_depth_steps(view, pair), view.word("nearest_step", name=view.the(right))]
        return thought_turn(question, steps, right.name, view.name_check(right), view.language)
    return short_turn(question, right.name, view.name_check(right), view.language)


def _depth_steps(view: View, things: Sequence[Thing]) -> list[str]:
    return [view.word("depth_step", Name=view.word("The", name=thing.name), depth=thing.depth) for thing in things]


def _far_apart(view: View, most: int) -> list[Thing]:
    """As many named things as can be told apart by depth, from near to far; at most `most`."""
    chosen: list[Thing] = []
    for thing in view.named():
        if len(chosen) < most and all(depths_differ(thing, other) for other in chosen):
            chosen.append(thing)
    return sorted(chosen, key=lambda thing: thing.depth)


def nearest(view: View) -> Turn | None:
    """The nearest or farthest of three or four, by letter."""
    things = _far_apart(view, 4)
    if len(things) < 3:
        return None
    key = view.rng.choice(("nearest", "farthest"))
    right = things[0] if key == "nearest" else things[-1]
    others = [thing.name for thing in things if thing is not right]
    return choice_turn(view.say(key), right.name, others, view.rng, view.language)


def order(view: View) -> Turn | None:
    """Three to five things from near to far."""
    things = _far_apart(view, 5)
    if len(things) < 3:
        return None
    names = [thing.name for thing in things]
    shown = view.rng.sample(things, len(things))
    question = view.say("order", names=view.word("join").join(thing.name for thing in shown))
    answer = view.word("comma").join(names)
    check = {"verifier": "sequence", "target": names}
    if view.rng.random() < _THOUGHT:
        steps = [*_depth_steps(view, shown), view.word("order_step", names=view.word("join").join(names))]
        return thought_turn(question, steps, answer, check, view.language)
    return Turn(question, answer, check)


def thing_depth(view: View) -> Turn | None:
    """Metres to the centre of a thing."""
    named = view.named()
    if not named:
        return None
    return _metres(view, view.metric("thing_depth", a=named[0].name), named[0].depth)


def _metres(view: View, question: str, metres: float) -> Turn:
    check = {"verifier": "number", "target": round(metres, 4), "relative": MARGIN}
    return short_turn(question, f"{metres:.2f}", check, view.language)


def point_depth(view: View) -> Turn | None:
    """Metres to what is seen at a point, which the question gives in the text format."""
    if not view.points:
        return None
    point = view.rng.choice(view.points)
    place = format_point((point.x, point.y), view.camera.width, view.camera.height)
    return _metres(view, view.metric("point_depth", point=place), point.depth)


def marked(view: View) -> Turn | None:
    """Marked points: which is nearest, their order, or the depth of one."""
    if len(view.marks) < 2:
        return None
    sort = sorted(view.marks, key=lambda mark: mark.depth)
    letters = view.word("join").join(mark.letter for mark in view.marks)
    steps = [view.word("mark_step", letter=mark.letter, what=mark.what, depth=mark.depth) for mark in view.marks]
    reason = view.rng.random() < _THOUGHT
    key = view.rng.choice(("mark_nearest", "mark_order", "mark_depth"))
    if key == "mark_depth":
        mark = view.rng.choice(view.marks)
        return _metres(view, view.metric(key, letter=mark.letter), mark.depth)
    if key == "mark_nearest":
        check: Mapping[str, Any] = {"verifier": "exact", "target": sort[0].letter}
        question, answer = view.say(key, letters=letters), sort[0].letter
    else:
        check = {"verifier": "sequence", "target": [mark.letter for mark in sort]}
        question, answer = view.say(key, letters=letters), view.word("comma").join(mark.letter for mark in sort)
    if reason:
        return thought_turn(question, steps, answer, check, view.language)
    return (
        short_turn(question, answer, check, view.language) if key == "mark_nearest" else Turn(question, answer, check)
    )


def distance(view: View) -> Turn | None:
    """Metres between the centres of two things."""
    pair = view.pair(lambda a, b: math.dist(a.box.centre, b.box.centre) > 0.4)
    if pair is None:
        return None
    first, second = pair
    question = view.metric("distance", a=first.name, b=second.name)
    target = math.dist(first.box.centre, second.box.centre)
    if view.rng.random() >= _THOUGHT:
        check = {"verifier": "number", "target": round(target, 4), "relative": 1.5 * MARGIN}
        return short_turn(question, f"{target:.2f}", check, view.language)
    centres = [[round(value, 2) + 0.0 for value in thing.box.centre] for thing in pair]
    x, y, z = (abs(a - b) for a, b in zip(*centres, strict=True))
    answer = math.hypot(x, y, z)
    steps = [
        view.word("centre_step", name=view.the(thing), x=centre[0], y=centre[1], z=centre[2])
        for thing, centre in zip(pair, centres, strict=True)
    ]
    steps += [view.word("gap_step", x=x, y=y, z=z), view.word("root_step", x=x, y=y, z=z, d=answer)]
    check = {"verifier": "number", "target": round(target, 4), "relative": 1.5 * MARGIN}
    return thought_turn(question, steps, f"{answer:.2f}", check, view.language)


def height(view: View) -> Turn | None:
    """Centimetres of a thing's height, from what is known of such things or from the camera."""
    named = view.named()
    if not named:
        return None
    centimetres = named[0].height * 100
    question = (view.say if view.heights_known else view.metric)("height", a=named[0].name)
    check = {"verifier": "number", "target": round(centimetres, 2), "relative": 1.5 * MARGIN}
    return short_turn(question, f"{centimetres:.0f}", check, view.language)


def taller(view: View) -> Turn | None:
    """Which of two things is taller in reality."""
    pair = view.pair(lambda a, b: max(a.height, b.height) > 1.2 * min(a.height, b.height))
    if pair is None:
        return None
    question = view.say("taller", a=pair[0].name, b=pair[1].name)
    right = max(pair, key=lambda thing: thing.height)
    if view.rng.random() < _THOUGHT:
        steps = [
            view.word("height_step", Name=view.word("The", name=thing.name), height=thing.height * 100)
            for thing in pair
        ]
        name = view.word("The", name=right.name)
        steps.append(view.word("taller_step", Name=name, name=name))
        return thought_turn(question, steps, right.name, view.name_check(right), view.language)
    return short_turn(question, right.name, view.name_check(right), view.language)


def side(view: View) -> Turn | None:
    """Left or right in the picture."""
    pair = view.pair(lambda a, b: sides_differ(a, b, view.camera.width))
    if pair is None:
        return None
    answer = view.word(_side(*pair))
    question = view.say("side", a=pair[0].name, b=pair[1].name)
    return short_turn(question, answer, _word_check(view, answer), view.language)


def _side(a: Thing, b: Thing) -> str:
    return "left" if a.box_2d[0] + a.box_2d[2] < b.box_2d[0] + b.box_2d[2] else "right"


def _word_check(view: View, answer: str) -> dict[str, Any]:
    forms = {
        "en": (f"to the {answer}", f"on the {answer}", f"the {answer}", f"{answer} of it"),
        "zh": (answer.replace("边", "侧"), answer.replace("面", "方"), answer.rstrip("边面")),
    }
    return {"verifier": "exact", "target": answer, "accepted": list(dict.fromkeys(forms[view.language]))}


def front(view: View) -> Turn | None:
    """In front or behind."""
    pair = view.pair(depths_differ)
    if pair is None:
        return None
    answer = view.word("front" if pair[0].depth < pair[1].depth else "behind")
    question = view.say("front", a=pair[0].name, b=pair[1].name)
    return short_turn(question, answer, _word_check(view, answer), view.language)


def relation(view: View) -> Turn | None:
    """One of four directions, by letter."""
    pair = view.pair(lambda a, b: depths_differ(a, b) and sides_differ(a, b, view.camera.width))
    if pair is None:
        return None
    right = f"{'front' if pair[0].depth < pair[1].depth else 'behind'}-{_side(*pair)}"
    ways = [f"{depth}-{across}" for depth in ("front", "behind") for across in ("left", "right")]
    others = [view.word(way) for way in ways if way != right]
    question = view.say("relation", a=pair[0].name, b=pair[1].name)
    return choice_turn(question, view.word(right), others, view.rng, view.language)


def count(view: View) -> Turn | None:
    """How many there are."""
    if not view.counts:
        return None
    question, number = view.rng.choice(view.counts)
    return short_turn(question, str(number), {"verifier": "count", "target": number}, view.language)


def box(view: View) -> Turn | None:
    """The box around what is seen of a thing."""
    named = view.named()
    if not named:
        return None
    size = (view.camera.width, view.camera.height)
    check = {"verifier": "box", "target": list(named[0].box_2d), "size": list(size)}
    return Turn(view.say("box", a=named[0].name), format_box(named[0].box_2d, *size), check)


def box_3d(view: View) -> Turn | None:
    """The box of a thing in space; the question carries the camera."""
    named = view.named()
    if not named:
        return None
    thing, camera = named[0], view.camera
    form = view.say(
        "box_3d_form", width=camera.width, height=camera.height, focal=f"{camera.focal:.2f}",
        cx=f"{camera.width / 2:.2f}", cy=f"{camera.height / 2:.2f}", hint=view.hint,
    )  # fmt: skip
    check = {
        "verifier": "box3d",
        "target": [round(number, 5) for number in thing.box.numbers],
        "threshold": BOX_IOU_3D,
        "distance": round(max(0.1, 0.15 * thing.distance), 3),
    }
    return Turn(f"{form}\n{view.say('box_3d', a=thing.name)}", format_box_3d(thing.box), check)


FORMS: Mapping[str, Callable[[View], Turn | None]] = {
    "nearer": nearer, "nearest": nearest, "order": order, "thing_depth": thing_depth, "point_depth": point_depth,
    "marked": marked, "distance": distance, "height": height, "taller": taller, "side": side, "front": front,
    "relation": relation, "count": count, "box": box, "box_3d": box_3d,
}  # fmt: skip
"""Question form -> its maker, which gives None where the scene has no clear answer."""

CAPABILITIES: Mapping[str, str] = {
    "nearer": "spatial/depth/order", "nearest": "spatial/depth/order", "order": "spatial/depth/order",
    "marked": "spatial/depth/points", "thing_depth": "spatial/depth/metric", "point_depth": "spatial/depth/metric",
    "distance": "spatial/distance", "height": "spatial/size", "taller": "spatial/size", "side": "spatial/relation",
    "front": "spatial/relation", "relation": "spatial/relation", "count": "counting", "box": "grounding/box",
    "box_3d": "grounding/box-3d",
}  # fmt: skip
TELLING: tuple[frozenset[str], ...] = (
    frozenset({"nearer", "nearest", "order", "front", "relation"}),
    frozenset({"nearer", "nearest", "order", "thing_depth", "box_3d"}),
    frozenset({"height", "taller", "box_3d"}),
    frozenset({"side", "relation"}),
    frozenset({"marked", "point_depth"}),
    frozenset({"distance", "box_3d"}),
)
"""Forms of which one picture is asked one, for the answer to one can tell that to another."""
METRIC = frozenset({"thing_depth", "point_depth", "distance", "height", "box_3d"})


def ask_about(view: View, forms: Sequence[str], turns: int) -> list[tuple[str, Turn]]:
    """Up to `turns` questions of different forms, marked points first where there are some.

    None is told by an earlier answer, and what is known of the camera is said once.
    """
    left = list(forms)
    view.rng.shuffle(left)
    if view.marks and "marked" in left:
        left.remove("marked")
        left.insert(0, "marked")
    found: list[tuple[str, Turn]] = []
    camera, said = view.camera_known, False
    for form in left:
        asked = {other for other, _ in found}
        if len(found) >= turns or any(form in group and group & asked for group in TELLING):
            continue
        turn = FORMS[form](view)
        if turn is None:
            continue
        if turn.question.startswith(camera) and said:
            turn = replace(turn, question=turn.question.removeprefix(f"{camera}\n"))
        said = said or turn.question.startswith(camera)
        found.append((form, turn))
    return found
