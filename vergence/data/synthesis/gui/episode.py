"""Actions carried out on a page, and intents turned into steps: what an oracle does, from what can be seen alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vergence.data.synthesis.gui.browser import advance, screenshot
from vergence.data.synthesis.gui.elements import Element, type_name, visible_elements
from vergence.errors import DataError
from vergence.processing.coordinates import format_point
from vergence.verifiers.actions import Action, click

if TYPE_CHECKING:
    from playwright.sync_api import Page

KEYS: Mapping[str, str] = {
    "ctrl": "Control", "shift": "Shift", "alt": "Alt", "enter": "Enter", "esc": "Escape", "tab": "Tab",
    "backspace": "Backspace", "delete": "Delete",
}  # fmt: skip
SCROLL = 0.6
"""Share of the window's height that a scroll moves."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to be done next: `name` and `type` say to which element, `number` which of several, `text` what is typed
    or pressed, `onto` where a drag ends. Any of the elements will do where `number` is None."""

    kind: Literal["click", "type", "hotkey", "drag"]
    name: str = ""
    type: str = ""
    text: str = ""
    onto: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A screenshot, the thought and action that follow, and the check; a `wrong` step is a slip and isn't learned."""

    picture: bytes
    thought: str
    action: Action
    check: Mapping[str, Any]
    wrong: bool = False


def perform(page: Page, action: Action, size: tuple[int, int], scale: float) -> None:
    """Carry an action out with mouse and keyboard on a page whose screenshot is of `size`.

    A scroll moves what lies under its point at once, by `SCROLL` of the window: a wheel's pace depends on the machine.
    """
    place = action.place("start_point" if action.kind == "drag" else "point", *size)
    x, y = (place[0] / scale, place[1] / scale) if place else (0.0, 0.0)
    if action.kind in ("click", "left_double", "right_single"):
        button: Literal["right", "left"] = "right" if action.kind == "right_single" else "left"
        page.mouse.click(x, y, button=button, click_count=2 if action.kind == "left_double" else 1)
    elif action.kind == "drag":
        end = action.place("end_point", *size)
        assert end is not None
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(end[0] / scale, end[1] / scale, steps=4)
        page.mouse.up()
    elif action.kind == "hotkey":
        keys = action.arguments["key"].split()
        page.keyboard.press("+".join(KEYS.get(key, key.upper() if len(keys) == 1 else key) for key in keys))
    elif action.kind == "type":
        content = action.arguments["content"]
        page.keyboard.insert_text(content.rstrip("\n"))
        if content.endswith("\n"):
            page.keyboard.press("Enter")
    elif action.kind == "scroll":
        sign = 1 if action.arguments["direction"] in ("down", "right") else -1
        span = [0, sign * SCROLL] if action.arguments["direction"] in ("down", "up") else [sign * SCROLL, 0]
        page.evaluate("([x, y]) => scrollBy(x * innerWidth, y * innerHeight)", span)
    if action.kind != "finished":
        advance(page)


THOUGHTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "click": ("I need {name} next, so I'll click it.", "{name} is on the screen; I'll click it."),
        "type": ("The text field has the focus, so I'll type “{text}”.", "Now I can type “{text}”."),
        "hotkey": ("The field holds a text that has to go, so I'll select all of it with {text}.",),
        "drag": ("I'll drag {name} onto {onto}.",),
        "scroll": ("{name} isn't in view yet. I'll scroll down to find it.",),
        "further": (
            "{name} still isn't in view, so I'll scroll on.",
            "Not here either; I'll scroll further down to {name}.",
        ),
        "again": ("That click went to the wrong place. I want {name}, so I'll click there.",),
        "typo": ("The text in the field isn't what was asked for. I'll select it with {text} to replace it.",),
        "finished": ("Everything that was asked for is done.", "The task is complete, nothing is left to do."),
    },
    "zh": {
        "click": ("下一步需要{name}，点击它。", "屏幕上有{name}，点击它。"),
        "type": ("输入框已获得焦点，输入“{text}”。", "现在可以输入“{text}”。"),
        "hotkey": ("输入框中已有文字，需要先用 {text} 全选。",),
        "drag": ("把{name}拖到{onto}上。",),
        "scroll": ("还看不到{name}，向下滚动查找。",),
        "further": ("仍然看不到{name}，继续向下滚动。", "这里也没有{name}，再往下滚动。"),
        "again": ("刚才点错了位置，我要的是{name}，重新点击。",),
        "typo": ("输入框里的文字不符合要求，先用 {text} 全选再重新输入。",),
        "finished": ("要求的操作都已完成。", "任务已完成，无需其他操作。"),
    },
}


ORDINALS: Mapping[str, Sequence[str]] = {"en": ("first", "second", "third"), "zh": ("第一个", "第二个", "第三个")}


@dataclass(frozen=True, slots=True)
class Player:
    """Plays intents on a page: each step is decided on what is seen, and carried out from its written action."""

    page: Page
    rng: random.Random
    size: tuple[int, int]
    scale: float
    language: str
    noise: float

    def play(self, intents: Sequence[Intent]) -> Iterator[Step]:
        """The steps of the intents, with slips and what mends them. Raises `DataError` where one can't be done."""
        for intent in intents:
            if intent.kind == "click":
                yield from self._click(intent)
            elif intent.kind == "type":
                yield from self._type(intent.text)
            elif intent.kind == "hotkey":
                yield self._do(intent.kind, Action("hotkey", {"key": intent.text}), {"key": intent.text}, intent)
            else:
                yield self._drag(intent)

    def finish(self, content: str) -> Step:
        """The last step."""
        return self._do("finished", Action("finished", {"content": content}), {}, Intent("click"))

    def _click(self, intent: Intent) -> Iterator[Step]:
        found = self._find(intent)
        for number in range(8):
            if found:
                break
            middle = (self.size[0] / 2, self.size[1] / 2)
            action = Action("scroll", {"point": format_point(middle, *self.size), "direction": "down"})
            yield self._do("further" if number else "scroll", action, {"direction": "down"}, intent)
            found = self._find(intent)
        if not found:
            raise DataError(f"episode: {intent.name or intent.type} is nowhere to be seen")
        thought = "click"
        wrong = [e for e in self._seen() if e.type in ("text field", "tab") and e not in found and e.plain]
        if wrong and found[0].type in ("text field", "tab") and self.rng.random() < self.noise:
            slip = self.rng.choice(wrong)
            yield self._do("click", click(slip.middle, self.size), self._place(found), intent, slip, wrong=True)
            found, thought = self._find(intent), "again"
            if not found:
                raise DataError("episode: a slip can't be mended")
        element = self.rng.choice(found)
        yield self._do(thought, click(element.middle, self.size), self._place(found), intent, element)

    def _type(self, text: str) -> Iterator[Step]:
        if len(text) > 3 and self.rng.random() < self.noise:
            cut = text[: self.rng.randint(1, len(text) - 2)]
            check = {"content": text}
            yield self._do("type", Action("type", {"content": cut}), check, Intent("type", text=cut), wrong=True)
            keys = Intent("hotkey", text="ctrl a")
            yield self._do("typo", Action("hotkey", {"key": "ctrl a"}), {"key": "ctrl a"}, keys)
        yield self._do("type", Action("type", {"content": text}), {"content": text}, Intent("type", text=text))

    def _drag(self, intent: Intent) -> Step:
        start, end = self._find(intent), self._find(Intent("click", intent.onto))
        if not start or not end:
            raise DataError(f"episode: {intent.name} or {intent.onto} is nowhere to be seen")
        places = {
            "start_point": format_point(start[0].middle, *self.size),
            "end_point": format_point(end[0].middle, *self.size),
        }
        check = {**self._place(start), "ends": [list(end[0].box)]}
        return self._do("drag", Action("drag", places), check, intent, start[0])

    def _seen(self) -> tuple[Element, ...]:
        return visible_elements(self.page, self.scale)

    def _find(self, intent: Intent) -> list[Element]:
        found = [
            e
            for e in self._seen()
            if e.centre
            and e.whole
            and (not intent.type or e.type == intent.type)
            and (not intent.name or intent.name.casefold() in (e.name.casefold(), e.text.casefold()))
        ]
        if intent.number is not None:
            return found[intent.number : intent.number + 1]
        return found

    def _place(self, found: Sequence[Element]) -> dict[str, Any]:
        return {"targets": [box for e in found for box in e.targets], "size": list(self.size)}

    def _do(
        self,
        thought: str,
        action: Action,
        check: Mapping[str, Any],
        intent: Intent,
        element: Element | None = None,
        wrong: bool = False,
    ) -> Step:
        picture = screenshot(self.page)
        kind = type_name(element.type if element else intent.type, self.language)
        name = element.name if element and element.name else intent.name
        kind = "" if kind == type_name("option", self.language) else kind
        if intent.number is not None and sum(e.type == intent.type for e in self._seen()) > 1:
            # Several fields without a name of their own are told apart by their order.
            kind = ORDINALS[self.language][intent.number] + (f" {kind}" if self.language == "en" else kind)
        article = "the " if kind and self.language == "en" else ""
        gap = " " if kind and name and self.language == "en" else ""
        quoted = f"{article}{kind}{gap}" + (f"“{name}”" if name else "")
        words = self.rng.choice(THOUGHTS[self.language][thought]).format(
            name=quoted, text=intent.text, onto=f"“{intent.onto}”"
        )
        perform(self.page, action, self.size, self.scale)
        whole = {"verifier": "action", "action": action.kind, **check}
        if wrong:
            whole = {"verifier": "open", "target": f"a slip; right: {whole}"}
        return Step(picture, words[0].upper() + words[1:], action, whole, wrong)
