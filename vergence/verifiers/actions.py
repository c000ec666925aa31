"""Seed's grammar of actions on a screen: read into a typed action, written, and compared with what a step wants.

The grammar is the computer part of the prompt that UI-TARS and Seed1.5-VL publish (`codes/ui_tars/prompt.py` of
bytedance/UI-TARS): a response is `Thought: ...` and on the next line `Action: ...`, where an action is one of

    click(point='<point>x y</point>')        left_double(point=...)        right_single(point=...)
    drag(start_point='<point>x y</point>', end_point='<point>x y</point>')
    hotkey(key='ctrl c')      type(content='...')      scroll(point='...', direction='down|up|right|left')
    wait()                    finished(content='...')

Points are 0..999 of the screen's width and height; contents are Python strings with `\\'`, `\\"` and `\\n`, and one
that ends with `\\n` submits what was typed. As in the published parser, what counts stands behind the last "Action:",
and several actions are separated by an empty line. Unlike there, text never becomes code: an action that can't be read
is None, and scores 0.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vergence.processing.coordinates import format_point, parse_points
from vergence.verifiers.places import point_in_box

Check = Mapping[str, Any]

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "click": ("point",),
    "left_double": ("point",),
    "right_single": ("point",),
    "drag": ("start_point", "end_point"),
    "hotkey": ("key",),
    "type": ("content",),
    "scroll": ("point", "direction"),
    "wait": (),
    "finished": ("content",),
}
"""Kind of action -> its arguments."""

DIRECTIONS = ("down", "up", "right", "left")
LONGEST = 20_000
"""Characters of an action that are read at most."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action: its kind and its arguments as they stand in the text, points still as `<point>x y</point>`."""

    kind: str
    arguments: Mapping[str, str]

    def place(self, argument: str, width: int, height: int) -> tuple[float, float] | None:
        """The point of an argument in pixels of a screen of width x height; None where it holds not exactly one."""
        points = parse_points(self.arguments.get(argument, ""), width, height)
        return (points[0].x, points[0].y) if len(points) == 1 else None

    def __str__(self) -> str:
        """The action as it is written."""
        written = ", ".join(f"{name}='{_escaped(text)}'" for name, text in self.arguments.items())
        return f"{self.kind}({written})"


def click(point: tuple[float, float], size: tuple[int, int], kind: str = "click") -> Action:
    """A click, `left_double` or `right_single` at a point in pixels of a screen of `size`."""
    return Action(kind, {"point": format_point(point, *size)})


def step(thought: str, action: Action) -> str:
    """A response: the thought, and the action on the next line."""
    return f"Thought: {thought}\nAction: {action}"


def parse_action(text: str) -> Action | None:
    """The one action of a response; None where there is none, more than one, or one that the grammar doesn't have."""
    _, mark, behind = text.rpartition("Action:")
    written = (behind if mark else text).strip().removeprefix("```").removesuffix("```").strip()
    if len(written) > LONGEST or ")\n\n" in written:
        return None
    name, bracket, rest = written.partition("(")
    if name not in ARGUMENTS or not bracket or not rest.endswith(")"):
        return None
    arguments = _arguments(rest[:-1], name)
    if arguments is None or set(arguments) - set(ARGUMENTS[name]):
        return None
    if any(argument not in arguments for argument in ARGUMENTS[name] if argument != "content"):
        return None
    if name == "type" and "content" not in arguments:
        return None
    return Action(name, {argument: arguments[argument] for argument in ARGUMENTS[name] if argument in arguments})


def action_score(answer: str, check: Check) -> float:
    """1 where the answer's action is the one that the check describes, and otherwise 0.

    `action` names its kind. `targets` are the boxes (x1, y1, x2, y2), in pixels of a screen of `size`, of which
    one must hold the point (the start of a drag; the border counts, as in ScreenSpot), `ends` those for a drag's end;
    `content`, `key` and `direction` are compared where the check has them: a content exactly, keys in any order.
    Raises `KeyError` for a check without `action`, or without `size` beside places.
    """
    found = parse_action(answer)
    if found is None or found.kind != check["action"]:
        return 0.0
    if "targets" in check and not _inside(found, "start_point" if found.kind == "drag" else "point", check, "targets"):
        return 0.0
    if "ends" in check and not _inside(found, "end_point", check, "ends"):
        return 0.0
    if "content" in check and found.arguments.get("content", "") != check["content"]:
        return 0.0
    if "key" in check and sorted(found.arguments["key"].lower().split()) != sorted(check["key"].lower().split()):
        return 0.0
    return float("direction" not in check or found.arguments["direction"] == check["direction"])


def _inside(action: Action, argument: str, check: Check, boxes: str) -> bool:
    width, height = check["size"]
    place = action.place(argument, width, height)
    return place is not None and any(point_in_box(place, box) for box in check[boxes])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"').replace("\n", "\\n")


def _arguments(written: str, name: str) -> dict[str, str] | None:
    """The keyword arguments, which must be strings; None for anything else."""
    if not written.strip():
        return {}
    try:
        call = ast.parse(f"f({written})".replace("\n", "\\n"), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        # The published parser forgives quotes that aren't escaped in what is typed.
        return _loose_content(written) if name in ("type", "finished") else None
    if not isinstance(call, ast.Call) or call.args:
        return None
    found: dict[str, str] = {}
    for keyword in call.keywords:
        value = keyword.value
        if keyword.arg is None or not isinstance(value, ast.Constant) or not isinstance(value.value, str):
            return None
        found[keyword.arg] = value.value
    return found


def _loose_content(written: str) -> dict[str, str] | None:
    inner = written.strip().removeprefix("content=")
    if inner == written.strip() or len(inner) < 2 or inner[0] != inner[-1] or inner[0] not in "'\"":
        return None
    text = inner[1:-1]
    return {"content": text.replace("\\n", "\n").replace("\\'", "'").replace('\\"', '"')}
