"""What happens in a clip: events with their times and actors, how they are worded, and the clip that they belong to.

Times are seconds from the first frame; frame number k is shown from k / fps on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from PIL import Image

Language = Literal["en", "zh"]
Box = tuple[float, float, float, float]


class Text(NamedTuple):
    """The same thing said in English and Chinese."""

    en: str
    zh: str

    def say(self, language: str) -> str:
        """It in one of the languages."""
        return self.zh if language == "zh" else self.en


NOTHING = Text("", "")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens from `start` to `end`, which are equal where it takes no time; `end` is when it is seen to
    be done. `kind` is a key of `WORDINGS`."""

    start: float
    end: float
    kind: str
    subject: Text
    object: Text = NOTHING

    @property
    def instant(self) -> bool:
        """Whether it takes no time."""
        return self.end == self.start

    @property
    def key(self) -> tuple[str, str, str]:
        """What two events share that are worded alike."""
        return self.kind, self.subject.en, self.object.en


class Wording(NamedTuple):
    """An event as an English clause, the part of an English question behind "when", a Chinese clause in which a time
    stands at `{at}`, and what a live commentator says in either language."""

    clause: str
    asked: str
    chinese: str
    short: Text


WORDINGS: Mapping[str, Wording] = {
    # Balls.
    "bounce": Wording(
        "{s} bounces off {o}", "does {s} bounce off {o}", "{s}{at}碰到{o}弹开", Text("{s} off {o}", "{s}碰到{o}")
    ),
    "collide": Wording(
        "{s} and {o} collide",
        "do {s} and {o} collide",
        "{s}和{o}{at}相撞",
        Text("{s} and {o} collide", "{s}和{o}撞上了"),
    ),
    "fall in": Wording(
        "{s} falls into {o}", "does {s} fall into {o}", "{s}{at}掉进{o}", Text("{s} falls in", "{s}进了{o}")
    ),
    "rest": Wording("{s} comes to rest", "does {s} come to rest", "{s}{at}停下来", Text("{s} stops", "{s}停了")),
    "over": Wording("{s} is on {o}", "is {s} on {o}", "{s}{at}压在{o}上", Text("{s} leaves {o}", "{s}离开{o}")),
    # The robot of a grid.
    "pick up": Wording("{s} picks up {o}", "does {s} pick up {o}", "{s}{at}捡起{o}", Text("picks up {o}", "捡起{o}")),
    "open": Wording("{s} opens {o}", "does {s} open {o}", "{s}{at}打开{o}", Text("opens {o}", "打开{o}")),
    "blocked": Wording(
        "{s} is stopped by {o}", "is {s} stopped by {o}", "{s}{at}被{o}挡住", Text("stopped by {o}", "被{o}挡住")
    ),
    "burn": Wording(
        "{s} steps into {o} and is sent back",
        "does {s} step into {o} and get sent back",
        "{s}{at}踩进{o}并被送回起点",
        Text("into {o} and back", "踩进{o}回到起点"),
    ),
    "reach": Wording("{s} reaches {o}", "does {s} reach {o}", "{s}{at}到达{o}", Text("reaches {o}", "到达{o}")),
    "walk": Wording("{s} walks to {o}", "does {s} walk to {o}", "{s}{at}走向{o}", Text("walks to {o}", "走向{o}")),
    # A screen.
    "click": Wording("{s} clicks {o}", "does {s} click {o}", "{s}{at}点击{o}", Text("clicks {o}", "点击{o}")),
    "tap": Wording("{s} taps {o}", "does {s} tap {o}", "{s}{at}点按{o}", Text("taps {o}", "点按{o}")),
    "type": Wording("{s} types {o}", "does {s} type {o}", "{s}{at}输入{o}", Text("types {o}", "输入{o}")),
    "show": Wording("{s} opens", "does {s} open", "{s}{at}打开", Text("{s} opens", "{s}打开了")),
    "close": Wording("{s} closes", "does {s} close", "{s}{at}关闭", Text("{s} closes", "{s}关闭了")),
    "appear": Wording("{s} appears", "does {s} appear", "{s}{at}出现", Text("{s} appears", "{s}出现了")),
    "on": Wording("{s} is switched on", "is {s} switched on", "{s}{at}被打开", Text("{s} on", "{s}打开了")),
    "off": Wording("{s} is switched off", "is {s} switched off", "{s}{at}被关闭", Text("{s} off", "{s}关闭了")),
    "stay": Wording("{s} is open", "is {s} open", "{s}{at}处于打开状态", Text("{s} is open", "{s}开着")),
    "move": Wording("{s} moves to {o}", "does {s} move to {o}", "{s}{at}移向{o}", Text("{s} to {o}", "{s}移向{o}")),
}
"""Kind of event -> how it is said. `{s}` and `{o}` are subject and object."""

ORDINALS: Sequence[Text] = (
    Text("first", "第一次"),
    Text("second", "第二次"),
    Text("third", "第三次"),
    Text("fourth", "第四次"),
    Text("fifth", "第五次"),
    Text("sixth", "第六次"),
    Text("seventh", "第七次"),
    Text("eighth", "第八次"),
    Text("ninth", "第九次"),
    Text("tenth", "第十次"),
    Text("eleventh", "第十一次"),
    Text("twelfth", "第十二次"),
)


_INNER = str.maketrans("“”", "‘’")

COLOURS: Mapping[str, Text] = {
    "red": Text("red", "红"),
    "orange": Text("orange", "橙"),
    "yellow": Text("yellow", "黄"),
    "green": Text("green", "绿"),
    "blue": Text("blue", "蓝"),
    "purple": Text("purple", "紫"),
    "pink": Text("pink", "粉"),
    "black": Text("black", "黑"),
}
"""The colours of `vergence.data.synthesis.palette`; in Chinese without the syllable behind a bare colour."""


def colour_word(colour: str) -> Text:
    """A colour as an answer."""
    return Text(colour, COLOURS[colour].zh + "色")


def listed(names: Sequence[Text]) -> Text:
    """Names in a row, with an "and" before the last."""
    english, chinese = [name.en for name in names], [name.zh for name in names]
    if len(names) == 1:
        return names[0]
    return Text(f"{', '.join(english[:-1])} and {english[-1]}", f"{'、'.join(chinese[:-1])}和{chinese[-1]}")


def clause(event: Event, language: str, nth: int | None = None) -> str:
    """The event as a clause; `nth`, from 0, says which of several alike it is."""
    names = {"s": event.subject.say(language), "o": event.object.say(language)}
    wording = WORDINGS[event.kind]
    if language == "zh":
        return wording.chinese.format(at="" if nth is None else ORDINALS[nth].zh, **names)
    text = wording.clause.format(**names)
    return text if nth is None else f"{text} for the {ORDINALS[nth].en} time"


def sentence(event: Event, language: str) -> str:
    """The event as a sentence."""
    text = clause(event, language)
    return f"{text}。" if language == "zh" else f"{text[0].upper()}{text[1:]}."


def short(event: Event, language: str) -> str:
    """The event in the few words of a live commentator."""
    names = {"s": event.subject.say(language), "o": event.object.say(language)}
    bare = {key: name.removeprefix("the ") for key, name in names.items()}
    return WORDINGS[event.kind].short.say(language).format(**bare)


def when(event: Event, language: str, nth: int | None = None) -> str:
    """The question at which second, or from which to which second, the event is."""
    names = {"s": event.subject.say(language), "o": event.object.say(language)}
    wording = WORDINGS[event.kind]
    if language == "zh":
        at = ("在第几秒" if event.instant else "从第几秒到第几秒") + ("" if nth is None else ORDINALS[nth].zh)
        return wording.chinese.format(at=at, **names) + "？"
    text = wording.asked.format(**names) + ("" if nth is None else f" for the {ORDINALS[nth].en} time")
    return f"At what second {text}?" if event.instant else f"From what second to what second {text}?"


def quoted(text: str) -> str:
    """Chinese text in quotation marks; marks that it holds itself become single ones, as the rules of writing want."""
    return f"“{text.translate(_INNER)}”"


def how_often(event: Event, language: str) -> str:
    """The question how many times the event happens."""
    if language == "zh":
        return f"{quoted(clause(event, language))}一共发生了几次？"
    return f"How many times {WORDINGS[event.kind].asked.format(s=event.subject.en, o=event.object.en)}?"


def occurrences(events: Sequence[Event]) -> list[int | None]:
    """For each event, how many worded alike come before it; None for one that is worded as no other."""
    totals = Counter(event.key for event in events)
    seen: Counter[tuple[str, str, str]] = Counter()
    found: list[int | None] = []
    for event in events:
        found.append(seen[event.key] if totals[event.key] > 1 else None)
        seen[event.key] += 1
    return found


@dataclass(frozen=True, slots=True)
class Fact:
    """A question about a clip with a short answer, which the frames up to `known` seconds settle, and none before it.

    With `others`, wrong answers, it is a question of choice; an answer of digits is counted.
    """

    question: Text
    answer: Text
    known: float
    others: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames of one size and what is known of them.

    `events` ascend by their end. `activities` are what goes on in between: someone walks, the pointer moves. `names`
    are the actors that have a track. `tracks` has for each its box in pixels in every frame, None where it can't be
    seen. `world` is everything else that made the frames; it can be written as JSON.
    """

    frames: tuple[Image.Image, ...]
    fps: int
    scene: Text
    events: tuple[Event, ...]
    activities: tuple[Event, ...]
    facts: tuple[Fact, ...]
    names: tuple[Text, ...]
    tracks: Mapping[str, Sequence[Box | None]]
    world: Mapping[str, Any]
    domain: str
    difficulty: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.frames[0].size

    @property
    def duration(self) -> float:
        """Seconds to the end of the last frame."""
        return len(self.frames) / self.fps

    @property
    def actors(self) -> dict[str, Text]:
        """English name -> name of everything that has a track."""
        return {name.en: name for name in self.names}

    @property
    def truth(self) -> dict[str, Any]:
        """All that is known, as JSON can hold it."""
        return {
            "fps": self.fps,
            "frames": len(self.frames),
            "size": list(self.size),
            "scene": self.scene.en,
            "events": [_record(event) for event in self.events],
            "activities": [_record(event) for event in self.activities],
            "tracks": {
                name: [None if box is None else [round(value, 2) for value in box] for box in boxes]
                for name, boxes in self.tracks.items()
            },
            "world": dict(self.world),
        }


def _record(event: Event) -> dict[str, Any]:
    return {
        "start": round(event.start, 4),
        "end": round(event.end, 4),
        "kind": event.kind,
        "subject": event.subject.en,
        "object": event.object.en,
        "text": sentence(event, "en"),
        "text_zh": sentence(event, "zh"),
    }
