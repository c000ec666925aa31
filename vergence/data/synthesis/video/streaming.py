"""Clips as streams: frames come a second at a time, and after each the model answers, or says nothing.

```
user:  [0.0 second] <image> [0.2 second] <image> ...  and, where something is asked, the question
you:   ...                                                       three dots: nothing to say yet
user:  [1.0 second] <image> [1.2 second] <image> ...
you:   Now                                                       the first frame that shows it is in this second
```

Each frame is an image behind the very text that the processor writes before the frames of a video
(`vergence.processing.video.timestamp`), since a clip for each second would start anew at 0. An event is *seen* in the
first frame that is shown at its end or later; nothing is said before that, and what is asked for is said in the answer
to the very second in which it is seen.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vergence.data.synthesis.video.events import Clip, Event, Fact, clause, occurrences, quoted, short
from vergence.data.synthesis.video.questions import fact_check, timed

SILENT = "..."
"""What is said where there is nothing to say."""
_NEAR = 0.15
"""A question about what has been isn't asked within so many seconds of it."""


class Shown(NamedTuple):
    """A frame of the stream: its number in the clip and its time."""

    frame: int
    time: float


@dataclass(slots=True)
class Chunk:
    """The frames of a span of the stream, what the user says with them (before the frames of the first chunk, behind
    those of others), and the answer with its check. `seen` is when the answer could first be known."""

    frames: tuple[Shown, ...]
    said: str = ""
    answer: str = SILENT
    check: dict[str, Any] = field(default_factory=lambda: {"verifier": "exact", "target": SILENT})
    seen: float | None = None

    @property
    def silent(self) -> bool:
        """Whether there is nothing to say."""
        return self.answer == SILENT

    def reply(self, answer: str, check: dict[str, Any], seen: float) -> None:
        """Say something."""
        self.answer, self.check, self.seen = answer, check, seen


PROMPTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "narration": {
        "en": (
            "This is a live stream. After each part, say what has happened in it and when. "
            'Where nothing has happened, answer "...".',
            'Describe this stream as it goes on, with times. Say "..." while nothing happens.',
        ),
        "zh": (
            "这是一段直播。每看完一段，请说明其中发生了什么以及发生的时间；如果什么都没有发生，请回答“...”。",
            "请边看边描述这段视频流，并注明时间。没有事情发生时请回答“...”。",
        ),
    },
    "alert": {
        "en": (
            'Watch this stream and say "Now" as soon as {what}. At all other times answer "...".',
            'Tell me when {what}: say "Now" at once. Otherwise say "...".',
        ),
        "zh": (
            "请观看这段视频流，一旦{what}，请立即回答“现在”，其他时候请回答“...”。",
            "{what}的时候，请马上提醒我，回答“现在”；其余时间请回答“...”。",
        ),
    },
    "answer": {
        "en": (
            'Answer this as soon as the stream shows it, in a word or phrase, and say "..." before and after: {what}',
            '{what} Answer in a word or phrase once you can tell. At all other times say "...".',
        ),
        "zh": (
            "请在视频流中看到答案后立即用一个词或短语回答，其他时候请回答“...”：{what}",
            "{what}一旦能够确定，请用一个词或短语回答；其余时间请回答“...”。",
        ),
    },
    "so far": {
        "en": ("How many times has this happened so far: {what}? Answer with a number.",),
        "zh": ("到现在为止，{what}发生了几次？请用数字回答。",),
    },
    "commentary": {
        "en": (
            'Comment on this stream live, in short phrases. Say "..." where there is nothing to say.',
            'You are the commentator of this stream. Keep up with it in a few words at a time; "..." is silence.',
        ),
        "zh": (
            "请用简短的语句实时解说这段视频流。没有可说的内容时请回答“...”。",
            "你是这段视频流的解说员，请跟上画面，每次只说几个字；“...”表示沉默。",
        ),
    },
}
NOW = {"en": "Now", "zh": "现在"}
_GOES = {
    "en": {"right": "{s} going right", "left": "{s} going left", "down": "{s} going down", "up": "{s} going up"},
    "zh": {"right": "{s}向右移动", "left": "{s}向左移动", "down": "{s}向下移动", "up": "{s}向上移动"},
}


def chunks_of(clip: Clip, fps: float, seconds: float) -> list[Chunk]:
    """The stream of a clip at about `fps` frames a second, cut into spans of `seconds`; every span has a frame."""
    step = max(1, round(clip.fps / fps))
    shown = [Shown(frame, frame / clip.fps) for frame in range(0, len(clip.frames), step)]
    chunks: list[list[Shown]] = [[]]
    for frame in shown:
        if frame.time >= len(chunks) * seconds - 1e-9 and chunks[-1]:
            chunks.append([])
        chunks[-1].append(frame)
    return [Chunk(tuple(frames)) for frames in chunks]


def seen_in(chunks: Sequence[Chunk], time: float) -> int | None:
    """The number of the chunk with the first frame that is shown at `time` or later; None where the stream ends."""
    return next((number for number, chunk in enumerate(chunks) if chunk.frames[-1].time >= time - 1e-9), None)


def narrate(clip: Clip, chunks: Sequence[Chunk], language: str, rng: random.Random) -> None:
    """Each chunk is answered with all that was seen in it, with its times."""
    chunks[0].said = rng.choice(PROMPTS["narration"][language])
    for number, events in _by_chunk(clip, chunks):
        answer = "\n".join(timed(event, language) for event in events)
        spans = [[round(event.start, 2), round(event.end, 2), clause(event, language)] for event in events]
        chunks[number].reply(answer, {"verifier": "open", "target": answer, "events": spans}, events[-1].end)


def _by_chunk(clip: Clip, chunks: Sequence[Chunk]) -> Iterator[tuple[int, list[Event]]]:
    """Chunk number and the events that are seen in it, where there are any."""
    found: dict[int, list[Event]] = {}
    for event in clip.events:
        number = seen_in(chunks, event.end)
        if number is not None:
            found.setdefault(number, []).append(event)
    yield from found.items()


def be_asked(clip: Clip, chunks: Sequence[Chunk], language: str, rng: random.Random) -> None:
    """One or two questions whose answers are still to come, asked one after the other, and one about what has been."""
    number, asked = 0, 0
    while asked < 2 and (found := _to_come(clip, chunks, number, language, rng)) is not None:
        text, answer, check, seen, due = found
        chunks[number].said = text
        chunks[due].reply(answer, check, seen)
        number, asked = due + 1, asked + 1
    free = [n for n, chunk in enumerate(chunks) if n and not chunk.said and chunk.silent]
    for place in rng.sample(free, len(free)):
        if (past := _so_far(clip, chunks[place], language, rng)) is not None:
            chunks[place].said, target = past
            chunks[place].reply(str(target), {"verifier": "count", "target": target}, chunks[place].frames[-1].time)
            return


_Question = tuple[str, str, dict[str, Any], float, int]


def _to_come(clip: Clip, chunks: Sequence[Chunk], now: int, language: str, rng: random.Random) -> _Question | None:
    """A question asked with chunk `now`: its text, the answer, the check, when that is seen, and in which chunk."""
    candidates: list[_Question] = []
    if now >= len(chunks):
        return None
    # With the first chunk it is asked before its frames, with others behind them.
    since = chunks[now].frames[-1].time if now else 0.0
    for event, nth in zip(clip.events, occurrences(clip.events), strict=True):
        # A ball is on a stripe as soon as it gets there; a word is typed when its last letter is.
        seen = event.start if event.kind == "over" else event.end
        due = seen_in(chunks, seen)
        if due is not None and due > now and event.start > since and (now == 0 or nth is None):
            text = rng.choice(PROMPTS["alert"][language]).format(what=clause(event, language, nth))
            check = {"verifier": "exact", "target": NOW[language]}
            candidates.append((text, NOW[language], check, seen, due))
    facts: list[_Question] = []
    for fact in clip.facts:
        due = seen_in(chunks, fact.known)
        if due is not None and due > now and not fact.others and now == 0 and not _whole(clip, fact):
            text = rng.choice(PROMPTS["answer"][language]).format(what=fact.question.say(language))
            facts.append((text, fact.answer.say(language), fact_check(fact, language), fact.known, due))
    groups = [group for group in (candidates, facts) if group]
    return rng.choice(rng.choice(groups)) if groups else None


def _whole(clip: Clip, fact: Fact) -> bool:
    """Whether only the end of the clip settles a fact, which a stream doesn't announce."""
    return fact.known >= clip.duration - 1e-9


def _so_far(clip: Clip, chunk: Chunk, language: str, rng: random.Random) -> tuple[str, int] | None:
    now = chunk.frames[-1].time
    happened = [event for event in clip.events if event.instant and event.end <= now - _NEAR]
    if not happened:
        return None
    event = rng.choice(happened)
    alike = [other for other in clip.events if other.key == event.key]
    if any(abs(other.end - now) < _NEAR for other in alike):
        return None
    count = sum(other.end <= now for other in alike)
    what = clause(event, language)
    return rng.choice(PROMPTS["so far"][language]).format(what=quoted(what) if language == "zh" else what), count


class _Phrase(NamedTuple):
    """What is to be said, since when it is known, and whether a part of it was said."""

    words: list[str]
    known: float
    begun: bool = False


def comment(clip: Clip, chunks: Sequence[Chunk], language: str, rng: random.Random, pace: float) -> None:
    """Short phrases in step with the stream, as LiveCC's, whose turns hold the words spoken in a second.

    At most `pace` words (Chinese: characters, twice as many) a second are said; a phrase that is longer goes on in the
    next chunk, and its part ends with "...". Of more than two that wait the oldest are left out. Where nothing
    happens, what moves is said once.
    """
    chunks[0].said = rng.choice(PROMPTS["commentary"][language])
    events = dict(_by_chunk(clip, chunks))
    waiting: list[_Phrase] = []
    going = ""
    for number, chunk in enumerate(chunks):
        for event in events.get(number, ()):
            waiting.append(_Phrase(_words(short(event, language), language), event.end))
        waiting = [phrase for phrase in waiting if phrase.begun] + [phrase for phrase in waiting if not phrase.begun][
            -2:
        ]
        if not waiting and (way := _going(clip, chunk, language)) not in (None, going):
            assert way
            going = way
            waiting.append(_Phrase(_words(way, language), chunk.frames[-1].time))
        if waiting:
            last = chunks[number + 1].frames[0].time if number + 1 < len(chunks) else clip.duration
            room = max(1, round((last - chunk.frames[0].time) * pace * (2 if language == "zh" else 1)))
            _speak(chunk, waiting, room, language)


def _speak(chunk: Chunk, waiting: list[_Phrase], room: int, language: str) -> None:
    parts, seen = [], 0.0
    while waiting and room > 0:
        phrase = waiting.pop(0)
        seen = max(seen, phrase.known)
        said, rest = phrase.words[:room], phrase.words[room:]
        room -= len(said)
        parts.append(("" if language == "zh" else " ").join(said) + ("..." if rest else ""))
        if rest:
            waiting.insert(0, _Phrase(rest, phrase.known, begun=True))
    answer = ("，" if language == "zh" else ", ").join(parts)
    chunk.reply(answer, {"verifier": "open", "target": answer}, seen)


def _words(text: str, language: str) -> list[str]:
    """Words; in Chinese characters, what stands in quotation marks as one."""
    return re.findall("“[^”]*”|.", text) if language == "zh" else text.split()


def _going(clip: Clip, chunk: Chunk, language: str) -> str | None:
    """What moves most within a chunk, and to which side; None where nothing does clearly."""
    best, told = 8.0, None
    for name, boxes in clip.tracks.items():
        first, last = boxes[chunk.frames[0].frame], boxes[chunk.frames[-1].frame]
        if first is None or last is None:
            continue
        dx, dy = last[0] - first[0], last[1] - first[1]
        if max(abs(dx), abs(dy)) > best and min(abs(dx), abs(dy)) < 0.5 * max(abs(dx), abs(dy)):
            best = max(abs(dx), abs(dy))
            side = ("right" if dx > 0 else "left") if abs(dx) > abs(dy) else ("down" if dy > 0 else "up")
            told = _GOES[language][side].format(s=clip.actors[name].say(language).removeprefix("the "))
    return told
