"""Someone uses the made screen of `screen_layout`: a script of moves, clicks and typing, recorded frame by frame.

All times are whole frames. What a click does is seen `PRESS` frames after it, so that cause and effect can be told
apart.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from vergence.data.synthesis.video.events import NOTHING, Box, Event, Fact, Text
from vergence.data.synthesis.video.screen_layout import APP_NAMES, LABELS, App, Look, Rectangle, State

FPS = 10
PRESS = 5
"""Frames that a control is held down: half a second, so that two frames a second are enough to see it."""
USER, POINTER, FINGER = Text("the user", "用户"), Text("the pointer", "光标"), Text("the finger", "手指")
_ARROW = [(0, 0), (0, 14), (4, 10), (7, 16), (9, 15), (6, 9), (11, 9)]


@dataclass(slots=True)
class Recording:
    """A recording that grows: the state and pointer of each frame, and what happened. `changes` has each moment at
    which the screen changes, with the box of pixels in which it does."""

    look: Look
    state: State = field(default_factory=State)
    pointer: tuple[float, float] = (0.0, 0.0)
    shown: list[tuple[State, tuple[float, float]]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    activities: list[Event] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    changes: list[tuple[str, float, Rectangle]] = field(default_factory=list)
    clicks: list[tuple[float, str]] = field(default_factory=list)

    @property
    def now(self) -> float:
        """Seconds at which the next frame is shown."""
        return len(self.shown) / FPS

    @property
    def actor(self) -> Text:
        """What is seen to move: the finger on a telephone, else the pointer."""
        return FINGER if self.look.phone else POINTER

    def wait(self, frames: int) -> None:
        """Let nothing happen."""
        self.shown += [(self.state, self.pointer)] * frames

    def log(self, kind: str, subject: Text, thing: Text = NOTHING, *, start: float | None = None) -> None:
        """Something happens now, or has happened from `start` until now."""
        self.events.append(Event(self.now if start is None else start, self.now, kind, subject, thing))

    def change(self, kind: str, box: Rectangle, **state: object) -> None:
        """Change the screen from the next frame on, within a box."""
        self.changes.append((kind, self.now, box))
        self.state = self.state._replace(**state)  # type: ignore[arg-type]

    def move(self, key: str, rng: random.Random) -> None:
        """Move the pointer onto a control: slowly, fast, slowly."""
        left, top, right, bottom = self.look.boxes(self.state)[key]
        # To the right in a box for text, so that the text isn't hidden.
        near, far = (0.75, 0.92) if key in ("text", "field") else (0.3, 0.7)
        goal = (rng.uniform(left + near * (right - left), left + far * (right - left)), (top + bottom) / 2)
        begin, (x, y), frames = self.now, self.pointer, rng.randint(5, 9)
        for frame in range(frames):
            share = frame / frames
            share = share * share * (3 - 2 * share)
            self.shown.append((self.state, (x + (goal[0] - x) * share, y + (goal[1] - y) * share)))
        self.pointer = goal
        self.activities.append(Event(begin, self.now, "move", self.actor, self.look.name(key)))
        self.wait(rng.randint(2, 4))

    def click(self, key: str, rng: random.Random) -> None:
        """Go to a control and click it; its effect is for the caller to add, `PRESS` frames later."""
        self.move(key, rng)
        box = self.look.boxes(self.state)[key]
        self.log("tap" if self.look.phone else "click", USER, self.look.name(key))
        self.clicks.append((self.now, key))
        if key in ("text", "field"):
            self.change("focus", box, focus=True)
            self.wait(PRESS)
            return
        self.change("press", box, pressed=key)
        self.wait(PRESS)
        self.change("release", box, pressed=None)

    def type(self, key: str, text: str, rng: random.Random) -> None:
        """Type a text into a box that has the focus, a character at a time."""
        begin, box = self.now, self.look.boxes(self.state)[key]
        into = "note" if key == "text" else "field"
        for number in range(1, len(text) + 1):
            self.change("type", box, **{into: text[:number], "saved": False})
            self.wait(rng.choice((1, 1, 2)) * (2 if self.look.language == "zh" else 1))
        quoted = Text(f'"{text}"', f"“{text}”")
        self.log("type", USER, quoted, start=begin)
        self.facts.append(Fact(_WHAT[into], Text(text, text), self.now))
        self.wait(2)

    def open(self, app: App, rng: random.Random) -> None:
        """Click an app's icon, so that its window opens."""
        self.click(app, rng)
        self.change("show", self.look.window, window=app, focus=False)
        self.log("show", window_name(app))
        self.wait(rng.randint(5, 9))

    def close(self, rng: random.Random, *, unsaved: bool = False) -> None:
        """Click the window's close button; with `unsaved` a dialog asks first, and one of its buttons is clicked."""
        app = self.state.window
        assert app
        self.click("close", rng)
        if unsaved:
            self.change("blur", self.look.boxes(self.state)["text"], focus=False)
            self.change("appear", self.look.dialog_box(), dialog=True)
            self.log("appear", DIALOG)
            self.facts.append(_why_dialog(self.now))
            self.wait(rng.randint(6, 10))
            self.click(rng.choice(("keep", "discard")), rng)
            self.change("close", self.look.dialog_box(), dialog=False)
        self.change("close", self.look.window, window=None, note="", field="", saved=False, bubbles=(), focus=False)
        self.log("close", window_name(app))
        opened = next(event for event in reversed(self.events) if event.kind == "show")
        self.activities.append(Event(opened.end, self.now, "stay", window_name(app)))
        self.wait(rng.randint(4, 8))


DIALOG = Text("a dialog that asks about saving", "询问是否保存的对话框")
_WHAT = {
    "note": Text("What does the user write in the note?", "用户在笔记里写了什么？"),
    "field": Text("What does the user write in the message?", "用户在消息里写了什么？"),
}


def window_name(app: App) -> Text:
    """What an app's window is called."""
    return Text(f"the {APP_NAMES[app].en} window", f"“{APP_NAMES[app].zh}”窗口")


def _why_dialog(known: float) -> Fact:
    return Fact(
        Text("Why does the dialog appear?", "为什么会出现对话框？"),
        Text("The user closes the note without saving it.", "用户没有保存就关闭了笔记。"),
        known,
        (
            Text("The user sends a message.", "用户发送了一条消息。"),
            Text("The user switches the sound on.", "用户打开了声音。"),
            Text("The user opens the settings.", "用户打开了设置。"),
        ),
    )


def write_note(recording: Recording, text: str, rng: random.Random) -> None:
    """Open the notes, write one, and save it or not before closing."""
    recording.open("notes", rng)
    recording.click("text", rng)
    recording.type("text", text, rng)
    saves = rng.random() < 0.5
    if saves:
        recording.click("save", rng)
        left, _, right, bottom = recording.look.window
        recording.change("appear", (left + 4, bottom - 30, right - 74, bottom - 4), saved=True)
        recording.log("appear", Text(f'the word "{LABELS["saved"].en}"', f"“{LABELS['saved'].zh}”字样"))
        recording.wait(rng.randint(5, 9))
    recording.close(rng, unsaved=not saves)


def change_settings(recording: Recording, rng: random.Random, most: int = 3) -> None:
    """Open the settings and click one switch or more, one after the other."""
    look = recording.look
    recording.open("settings", rng)
    count, clicked = 0, rng.choices(range(3), k=rng.randint(1, most))
    for number in clicked:
        key = f"switch {number}"
        recording.click(key, rng)
        before = recording.state.switches
        after = tuple(not on if i == number else on for i, on in enumerate(before))
        recording.change("switch", look.boxes(recording.state)[key], switches=after)
        name = look.switches[number]
        recording.log("on" if after[number] else "off", Text(name.en, f"“{name.zh}”"))
        recording.wait(rng.randint(4, 7))
        count += 1
    recording.close(rng)
    answer = Text(str(count), str(count))
    question = Text("How many times is a switch changed?", "开关一共被切换了几次？")
    recording.facts.append(Fact(question, answer, recording.now))
    for number in dict.fromkeys(clicked):
        name, on = look.switches[number], recording.state.switches[number]
        question = Text(f"Is {name.en} on or off in the end?", f"“{name.zh}”最后是打开还是关闭的？")
        recording.facts.append(Fact(question, Text("on", "打开") if on else Text("off", "关闭"), recording.now))


def send_message(recording: Recording, text: str, reply: str, rng: random.Random) -> None:
    """Open the messages, send one, and get a reply."""
    look = recording.look
    recording.open("messages", rng)
    recording.click("field", rng)
    recording.type("field", text, rng)
    recording.click("send", rng)
    ours = ("right", text)
    box = look.boxes(recording.state)["field"]
    recording.change("send", box, field="", focus=False)
    recording.change("appear", look.bubble_box(0, *ours), bubbles=(ours,))
    recording.log("appear", Text("the message that was sent", "发出的消息"))
    recording.wait(rng.randint(8, 16))
    theirs = ("left", reply)
    recording.change("appear", look.bubble_box(1, *theirs), bubbles=(ours, theirs))
    recording.log("appear", Text("a reply", "一条回复"))
    recording.facts.append(
        Fact(Text("What does the reply say?", "回复的内容是什么？"), Text(reply, reply), recording.now)
    )
    recording.wait(rng.randint(6, 10))
    recording.close(rng)


def draw(recording: Recording) -> tuple[list[Image.Image], list[Box | None]]:
    """The frames with the pointer on them, and its box in each."""
    pictures: dict[State, Image.Image] = {}
    frames: list[Image.Image] = []
    boxes: list[Box | None] = []
    for state, (x, y) in recording.shown:
        if state not in pictures:
            pictures[state] = recording.look.picture(state)
        image = pictures[state].copy()
        boxes.append(_paste_pointer(image, round(x), round(y), recording.look.phone, state.pressed is not None))
        frames.append(image)
    return frames, boxes


def _paste_pointer(image: Image.Image, x: int, y: int, phone: bool, pressed: bool) -> Box:
    """An arrow whose tip is at x, y; on a telephone a finger's dot around it."""
    pen = ImageDraw.Draw(image, "RGBA")
    if phone:
        r = 7 if pressed else 9
        pen.ellipse((x - r, y - r, x + r, y + r), fill=(255, 90, 90, 150), outline=(160, 20, 20, 255))
        return (float(x - r), float(y - r), float(x + r + 1), float(y + r + 1))
    pen.polygon([(x + dx, y + dy) for dx, dy in _ARROW], fill=(255, 255, 255, 255), outline=(0, 0, 0, 255))
    return (float(x), float(y), float(x + 12), float(y + 17))
