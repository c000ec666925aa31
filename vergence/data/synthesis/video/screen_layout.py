"""A made desktop or telephone: its state, where its controls are, and how it is drawn.

The state is plain data, and the picture follows from it: `Look.picture(state)`. Every control has a name and a box.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image, ImageDraw

from vergence.data.synthesis.ocr.fonts import Typeface, face
from vergence.data.synthesis.palette import RGB
from vergence.data.synthesis.video.events import Text

App = Literal["notes", "settings", "messages"]
APPS: tuple[App, ...] = ("notes", "settings", "messages")
APP_NAMES = {"notes": Text("Notes", "笔记"), "settings": Text("Settings", "设置"), "messages": Text("Messages", "消息")}
SWITCHES = (
    Text("Wi-Fi", "无线网络"),
    Text("Bluetooth", "蓝牙"),
    Text("Sound", "声音"),
    Text("Location", "定位"),
    Text("Night light", "夜间模式"),
    Text("Updates", "自动更新"),
)
LABELS = {
    "save": Text("Save", "保存"),
    "send": Text("Send", "发送"),
    "discard": Text("Discard", "不保存"),
    "ask": Text("Save changes?", "是否保存更改？"),
    "saved": Text("Saved", "已保存"),
}
_ICONS: dict[str, RGB] = {"notes": (240, 180, 40), "settings": (120, 130, 145), "messages": (60, 170, 100)}
_INK: RGB = (35, 38, 45)
_BLUE: RGB = (45, 110, 220)

Rectangle = tuple[int, int, int, int]


class State(NamedTuple):
    """What a screen shows but for the pointer; `pressed` is the control that is held down."""

    window: App | None = None
    note: str = ""
    saved: bool = False
    dialog: bool = False
    field: str = ""
    bubbles: tuple[tuple[str, str], ...] = ()
    switches: tuple[bool, ...] = (False, False, False)
    focus: bool = False
    pressed: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """How a screen looks and where things are: telephone or desktop, size, language, typeface, colours, switches."""

    phone: bool
    size: tuple[int, int]
    language: str
    typeface: Typeface
    paper: RGB
    accent: RGB
    switches: tuple[Text, ...]
    window: Rectangle = field(default=(0, 0, 0, 0))

    def boxes(self, state: State) -> dict[str, Rectangle]:
        """Every control that can be clicked now, by its key, with its box."""
        _width, height = self.size
        found: dict[str, Rectangle] = {}
        if not self.phone:
            for number, app in enumerate(APPS):
                found[app] = (6 + 104 * number, height - 22, 106 + 104 * number, height - 3)
        elif state.window is None:
            for number, app in enumerate(APPS):
                found[app] = (12 + 58 * number, 60, 64 + 58 * number, 124)
        if state.window is None:
            return found
        left, top, right, bottom = self.window
        found["close"] = (
            (left + 4, top + 3, left + 34, top + 19) if self.phone else (right - 20, top + 2, right - 3, top + 17)
        )
        if state.window == "notes":
            found["text"] = (left + 8, top + 26, right - 8, bottom - 34)
            found["save"] = (right - 70, bottom - 28, right - 8, bottom - 8)
        elif state.window == "settings":
            for number in range(len(self.switches)):
                y = top + 30 + 30 * number
                found[f"switch {number}"] = (right - 48, y, right - 12, y + 18)
        else:
            found["field"] = (left + 8, bottom - 28, right - 72, bottom - 8)
            found["send"] = (right - 66, bottom - 28, right - 8, bottom - 8)
        if state.dialog:
            middle = (left + right) // 2
            y = (top + bottom) // 2
            found = {
                "keep": (middle - 66, y + 4, middle - 4, y + 24),
                "discard": (middle + 4, y + 4, middle + 66, y + 24),
            }
        return found

    def name(self, key: str) -> Text:
        """What a control is called."""
        if key in APP_NAMES:
            return Text(f"the {APP_NAMES[key].en} icon", f"“{APP_NAMES[key].zh}”图标")
        if key.startswith("switch"):
            switch = self.switches[int(key.split()[1])]
            return Text(f"the {switch.en} switch", f"“{switch.zh}”开关")
        if key == "close":
            return Text("the back arrow", "返回箭头") if self.phone else Text("the close button", "关闭按钮")
        if key == "text":
            return Text("the page of the note", "笔记的空白处")
        if key == "field":
            return Text("the message field", "消息输入框")
        label = LABELS["save" if key == "keep" else key]
        return Text(f"the {label.en} button", f"“{label.zh}”按钮")

    def picture(self, state: State) -> Image.Image:
        """The screen without its pointer."""
        image = Image.new("RGB", self.size, self.paper)
        pen = ImageDraw.Draw(image)
        boxes = self.boxes(state._replace(dialog=False))
        self._ground(pen, boxes, state)
        if state.window is not None:
            self._window(pen, boxes, state)
        if state.dialog:
            self._dialog(pen, state)
        return image

    def write(
        self, pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, ink: RGB = _INK, size: int = 12
    ) -> int:
        """Write a line whose left middle is at a place; returns where it ends."""
        x, y = at
        for path, run in _runs(self.typeface.files, text):
            font = face(path, size)
            pen.text((x, y), run, ink, font, anchor="lm")
            x += round(font.getlength(run))
        return int(x)

    def width_of(self, text: str, size: int = 12) -> int:
        """Pixels that a line takes."""
        return sum(round(face(path, size).getlength(run)) for path, run in _runs(self.typeface.files, text))

    def centred(self, pen: ImageDraw.ImageDraw, box: Rectangle, text: str, ink: RGB, size: int = 12) -> None:
        """Write a line in the middle of a box."""
        x = (box[0] + box[2] - self.width_of(text, size)) / 2
        self.write(pen, (round(x), (box[1] + box[3]) / 2), text, ink, size)

    def _ground(self, pen: ImageDraw.ImageDraw, boxes: dict[str, Rectangle], state: State) -> None:
        """The taskbar of a desktop; the home screen and clock of a telephone."""
        width, height = self.size
        pen.ellipse(
            (width * 0.55, -height * 0.3, width * 1.4, height * 0.55), fill=_mixed(self.paper, self.accent, 0.25)
        )
        pen.ellipse((-width * 0.4, height * 0.5, width * 0.5, height * 1.3), fill=_mixed(self.paper, self.accent, 0.15))
        if not self.phone:
            pen.rectangle((0, height - 25, width, height), fill=(40, 44, 54))
        else:
            pen.rectangle((0, 0, width, 15), fill=(25, 28, 34))
            pen.rectangle((width - 22, 4, width - 6, 11), outline=(230, 230, 230))
        for app in APPS:
            if app not in boxes:
                continue
            left, top, right, bottom = boxes[app]
            if state.pressed == app:
                pen.rounded_rectangle(
                    (left, top, right - 1, bottom - 1), 4, fill=_mixed(self.accent, (255, 255, 255), 0.3)
                )
            name = APP_NAMES[app].say(self.language)
            if self.phone:
                pen.rounded_rectangle((left + 7, top + 3, right - 8, top + 40), 9, fill=_ICONS[app])
                pen.ellipse((left + 19, top + 15, left + 31, top + 27), fill=(255, 255, 255))
                self.centred(pen, (left, bottom - 20, right, bottom - 2), name, _INK, 11)
            else:
                pen.rounded_rectangle((left + 3, top + 3, left + 15, bottom - 4), 3, fill=_ICONS[app])
                ink = _INK if state.pressed == app else (240, 240, 240)
                self.write(pen, (left + 20, (top + bottom) / 2), name, ink, 11)

    def _window(self, pen: ImageDraw.ImageDraw, boxes: dict[str, Rectangle], state: State) -> None:
        assert state.window
        left, top, right, bottom = self.window
        pen.rectangle((left, top, right - 1, bottom - 1), fill=(250, 250, 252), outline=(90, 95, 105))
        pen.rectangle((left + 1, top + 1, right - 2, top + 19), fill=self.accent)
        title_x = left + 40 if self.phone else left + 8
        self.write(pen, (title_x, top + 10), APP_NAMES[state.window].say(self.language), (255, 255, 255))
        self._close(pen, boxes["close"], state.pressed == "close")
        if state.window == "notes":
            self._text_box(pen, boxes["text"], state.note, state.focus, lines=True)
            self._button(pen, boxes["save"], LABELS["save"], state.pressed == "save")
            if state.saved:
                self.write(pen, (left + 10, bottom - 18), LABELS["saved"].say(self.language), (30, 140, 60))
        elif state.window == "settings":
            for number, switch in enumerate(self.switches):
                box = boxes[f"switch {number}"]
                self.write(pen, (left + 12, (box[1] + box[3]) / 2), switch.say(self.language))
                self._switch(pen, box, state.switches[number], state.pressed == f"switch {number}")
                pen.line((left + 10, box[3] + 6, right - 10, box[3] + 6), fill=(222, 224, 230))
        else:
            for number, (side, text) in enumerate(state.bubbles):
                self._bubble(pen, number, side, text)
            self._text_box(pen, boxes["field"], state.field, state.focus)
            self._button(pen, boxes["send"], LABELS["send"], state.pressed == "send")

    def _close(self, pen: ImageDraw.ImageDraw, box: Rectangle, pressed: bool) -> None:
        left, top, right, bottom = box
        if pressed or not self.phone:
            pen.rectangle((left, top, right - 1, bottom - 1), fill=(150, 30, 30) if pressed else (215, 70, 70))
        x, y = (left + right) // 2, (top + bottom) // 2
        if self.phone:
            pen.line([(x + 4, y - 5), (x - 4, y), (x + 4, y + 5)], fill=(255, 255, 255), width=2)
        else:
            pen.line((x - 3, y - 3, x + 3, y + 3), fill=(255, 255, 255), width=2)
            pen.line((x - 3, y + 3, x + 3, y - 3), fill=(255, 255, 255), width=2)

    def _text_box(self, pen: ImageDraw.ImageDraw, box: Rectangle, text: str, focus: bool, lines: bool = False) -> None:
        left, top, right, bottom = box
        pen.rectangle(
            (left, top, right - 1, bottom - 1), fill=(255, 255, 255), outline=_BLUE if focus else (170, 175, 185)
        )
        y = top + 12 if lines else (top + bottom) // 2
        end = self.write(pen, (left + 5, y), text)
        if focus:
            pen.line((end + 1, y - 6, end + 1, y + 6), fill=_INK)

    def _button(self, pen: ImageDraw.ImageDraw, box: Rectangle, label: Text, pressed: bool) -> None:
        left, top, right, bottom = box
        fill = _mixed(self.accent, (0, 0, 0), 0.4) if pressed else self.accent
        pen.rounded_rectangle((left, top, right - 1, bottom - 1), 4, fill=fill)
        self.centred(pen, box, label.say(self.language), (255, 255, 255))

    def _switch(self, pen: ImageDraw.ImageDraw, box: Rectangle, on: bool, pressed: bool) -> None:
        left, top, right, bottom = box
        pen.rounded_rectangle((left, top, right - 1, bottom - 1), 9, fill=(60, 175, 90) if on else (185, 188, 196))
        x = right - 18 if on else left + 2
        pen.ellipse((x, top + 2, x + 13, bottom - 4), fill=(215, 215, 215) if pressed else (255, 255, 255))

    def _bubble(self, pen: ImageDraw.ImageDraw, number: int, side: str, text: str) -> None:
        box = self.bubble_box(number, side, text)
        ours = side == "right"
        pen.rounded_rectangle(
            (box[0], box[1], box[2] - 1, box[3] - 1), 7, fill=(205, 228, 255) if ours else (228, 230, 235)
        )
        self.write(pen, (box[0] + 7, (box[1] + box[3]) / 2), text)

    def bubble_box(self, number: int, side: str, text: str) -> Rectangle:
        """Where message number `number` stands."""
        left, top, right, _ = self.window
        wide = self.width_of(text) + 14
        y = top + 28 + 25 * number
        return (
            (right - 10 - wide, y, right - 10, y + 20) if side == "right" else (left + 10, y, left + 10 + wide, y + 20)
        )

    def dialog_box(self) -> Rectangle:
        """Where the dialog stands."""
        left, top, right, bottom = self.window
        middle, y = (left + right) // 2, (top + bottom) // 2
        return (middle - 74, y - 28, middle + 74, y + 32)

    def _dialog(self, pen: ImageDraw.ImageDraw, state: State) -> None:
        left, top, right, bottom = self.dialog_box()
        pen.rectangle((left + 3, top + 3, right + 2, bottom + 2), fill=(150, 152, 160))
        pen.rectangle((left, top, right - 1, bottom - 1), fill=(255, 255, 255), outline=(80, 85, 95))
        self.centred(pen, (left, top + 6, right, top + 26), LABELS["ask"].say(self.language), _INK)
        boxes = self.boxes(state)
        self._button(pen, boxes["keep"], LABELS["save"], state.pressed == "keep")
        self._button(pen, boxes["discard"], LABELS["discard"], state.pressed == "discard")


def _mixed(first: RGB, second: RGB, share: float) -> RGB:
    r, g, b = (round(a + (c - a) * share) for a, c in zip(first, second, strict=True))
    return r, g, b


@cache
def _runs(files: tuple[Path, ...], text: str) -> tuple[tuple[Path, str], ...]:
    """A text cut into what the first file writes and ASCII, which the last writes."""
    runs: list[tuple[Path, str]] = []
    for character in text:
        path = files[-1] if character.isascii() else files[0]
        if runs and runs[-1][0] == path:
            runs[-1] = (path, runs[-1][1] + character)
        else:
            runs.append((path, character))
    return tuple(runs)


def new_look(rng: random.Random, language: str, typeface: Typeface) -> Look:
    """A random telephone or desktop."""
    phone = rng.random() < 0.4
    size = (192, 320) if phone else (320, 240)
    papers: tuple[RGB, ...] = ((205, 222, 240), (225, 215, 235), (214, 232, 218), (240, 226, 208), (222, 224, 230))
    accents: tuple[RGB, ...] = ((45, 110, 220), (120, 70, 170), (20, 130, 120), (190, 80, 50), (70, 80, 100))
    left, top = (0, 16) if phone else (rng.randint(16, 60), rng.randint(8, 26))
    window = (left, top, size[0], size[1]) if phone else (left, top, left + 230, top + 178)
    return Look(
        phone, size, language, typeface, rng.choice(papers), rng.choice(accents), tuple(rng.sample(SWITCHES, 3)), window
    )
