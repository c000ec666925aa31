"""The grammar of actions: what is read, what is refused, and how a step is scored."""

from __future__ import annotations

import random
import string

import pytest

from vergence.verifiers.actions import ARGUMENTS, Action, action_score, click, parse_action, step
from vergence.verifiers.ground_truth import verify

SIZE = [640, 480]
BOX = [100.0, 50.0, 200.0, 90.0]
CLICK = {"verifier": "action", "action": "click", "targets": [BOX], "size": SIZE}


@pytest.mark.parametrize(
    ("written", "kind", "arguments"),
    [
        ("click(point='<point>10 20</point>')", "click", {"point": "<point>10 20</point>"}),
        ("left_double(point='<point>10 20</point>')", "left_double", {"point": "<point>10 20</point>"}),
        (
            "drag(start_point='<point>1 2</point>', end_point='<point>3 4</point>')",
            "drag",
            {"start_point": "<point>1 2</point>", "end_point": "<point>3 4</point>"},
        ),
        ("hotkey(key='ctrl c')", "hotkey", {"key": "ctrl c"}),
        (r"type(content='it\'s \"so\"\n')", "type", {"content": 'it\'s "so"\n'}),
        ("type(content='it's so')", "type", {"content": "it's so"}),
        (
            "scroll(point='<point>5 5</point>', direction='down')",
            "scroll",
            {"point": "<point>5 5</point>", "direction": "down"},
        ),
        ("wait()", "wait", {}),
        ("finished(content='x')", "finished", {"content": "x"}),
        ("finished()", "finished", {}),
    ],
)
def test_the_published_actions_are_read(written, kind, arguments):
    for text in (written, f"Thought: so.\nAction: {written}", f"Action: wait()\nThought: no.\nAction: {written}"):
        action = parse_action(text)
        assert action is not None
        assert (action.kind, dict(action.arguments)) == (kind, arguments)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "click",
        "click(point='<point>1 2</point>'",
        "click(10, 20)",
        "click(point=f())",
        "click(point='<point>1 2</point>', other='x')",
        "scroll(point='<point>1 2</point>')",
        "type()",
        "press(key='a')",
        "__import__('os')",
        "click(point='<point>1 2</point>')\n\nwait()",
        "type(content='" + "(" * 30_000 + "')",
        "click(" + "(" * 3000 + ")",
    ],
)
def test_what_the_grammar_does_not_have_is_no_action(text):
    assert parse_action(text) is None
    assert action_score(text, CLICK) == 0


def test_any_content_survives_writing_and_reading():
    rng = random.Random(0)
    letters = string.printable.replace("\r", "").replace("\x0b", "").replace("\x0c", "") + "’“答案é\n\\'\""
    for _ in range(500):
        content = "".join(rng.choice(letters) for _ in range(rng.randint(0, 30)))
        action = parse_action(step("I type.", Action("type", {"content": content})))
        if "Action:" in content:
            continue
        assert action is not None
        assert action.arguments["content"] == content


def test_a_click_counts_in_the_box_alone():
    """Against a check by hand of the point that the text gives, on a grid over the whole screen."""
    for x in range(0, 1000, 37):
        for y in range(0, 1000, 41):
            inside = BOX[0] <= x * 0.64 <= BOX[2] and BOX[1] <= y * 0.48 <= BOX[3]
            assert verify(CLICK, f"Action: click(point='<point>{x} {y}</point>')") == float(inside)
    right = str(click((150, 70), (640, 480)))
    assert action_score(right, CLICK) == 1
    assert action_score(right.replace("click", "left_double"), CLICK) == 0
    assert action_score("click(point='150 70')", CLICK) == 0
    two = "click(point='<point>234 146</point><point>1 1</point>')"
    assert action_score(two, CLICK) == 0


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        ({"action": "type", "content": "a b"}, "type(content='a b')", "type(content='a  b')"),
        ({"action": "type", "content": "a\n"}, r"type(content='a\n')", "type(content='a')"),
        ({"action": "hotkey", "key": "ctrl c"}, "hotkey(key='c ctrl')", "hotkey(key='ctrl v')"),
        (
            {"action": "scroll", "direction": "down"},
            "scroll(point='<point>5 5</point>', direction='down')",
            "scroll(point='<point>5 5</point>', direction='up')",
        ),
        (
            {"action": "drag", "targets": [BOX], "ends": [[0, 0, 64, 48]], "size": SIZE},
            "drag(start_point='<point>234 146</point>', end_point='<point>50 50</point>')",
            "drag(start_point='<point>50 50</point>', end_point='<point>234 146</point>')",
        ),
        ({"action": "finished"}, "finished(content='all')", "wait()"),
        ({"action": "wait"}, "wait()", "finished()"),
    ],
)
def test_every_argument_counts(check, right, wrong):
    assert action_score(f"Thought: so.\nAction: {right}", check) == 1
    assert action_score(f"Thought: so.\nAction: {wrong}", check) == 0


def test_every_kind_can_be_written_and_read():
    for kind, names in ARGUMENTS.items():
        action = Action(kind, dict.fromkeys(names, "<point>1 2</point>"))
        assert parse_action(str(action)) == action
