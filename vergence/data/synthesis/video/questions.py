"""From the log of a clip to turns: dense captions, questions about events, and grounding in time in both directions.

What is asked can be decided: events that are compared lie at least `CLEAR` seconds apart, and a span of time that is
asked about begins and ends well away from every event.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from vergence.data.formats import LETTERS, choice_turn, short_turn, thought_turn
from vergence.data.generator import Turn
from vergence.data.synthesis.video.events import (
    Clip,
    Event,
    Fact,
    clause,
    how_often,
    occurrences,
    quoted,
    sentence,
    when,
)

Form = Literal["caption", "question", "grounding"]
CLEAR = 0.4
LASTING = 1.0
"""Seconds that something must last to be asked from when to when it does."""
TOLERANCE = 0.5
"""Seconds by which an answer to "at what second" may be wrong: frames are seen a few times a second."""

PROMPTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "caption": {
        "en": (
            "Describe everything that happens in this video, with times.",
            "Give a detailed description of the video. Say for each event when it happens, in seconds.",
            "What happens in this video? List all events in order with their times.",
        ),
        "zh": (
            "请详细描述视频中发生的一切，并注明时间。",
            "请按时间顺序列出视频中的所有事件，并写出每个事件发生的秒数。",
            "视频里发生了什么？请逐条描述并标出时间。",
        ),
    },
    "short caption": {
        "en": ("Summarise the video in one or two sentences.", "Briefly, what does this video show?"),
        "zh": ("请用一两句话概括这段视频。", "请简要说明这段视频的内容。"),
    },
    "order": {
        "en": ("In which order do these events happen? Answer with the letters, separated by commas.",),
        "zh": ("以下事件按什么顺序发生？请用字母回答，并用逗号隔开。",),
    },
    "first": {
        "en": ("Which of these happens first?", "What happens before all the others?"),
        "zh": ("以下哪件事最先发生？", "下列事件中哪一件发生得最早？"),
    },
    "last": {"en": ("Which of these happens last?",), "zh": ("以下哪件事最后发生？",)},
    "next": {
        "en": ("What happens right after this: {what}?",),
        "zh": ("{what}之后紧接着发生了什么？",),
    },
    "span": {
        "en": (
            "What happens between {start:.1f} and {end:.1f} seconds?",
            "Which of these happens between {start:.1f} s and {end:.1f} s?",
        ),
        "zh": ("{start:.1f} 秒到 {end:.1f} 秒之间发生了什么？", "以下哪件事发生在 {start:.1f} 秒到 {end:.1f} 秒之间？"),
    },
    "describe span": {
        "en": ("Describe what happens from {start:.1f} to {end:.1f} seconds.",),
        "zh": ("请描述 {start:.1f} 秒到 {end:.1f} 秒之间发生的事情。",),
    },
    "interval": {
        "en": ("Answer with the start and the end in seconds, such as 1.0 to 2.5.",),
        "zh": ("请用开始和结束的秒数回答，例如 1.0 到 2.5。",),
    },
}


def turns_of(clip: Clip, form: Form, language: str, rng: random.Random, most: int) -> list[Turn]:
    """At most `most` turns about a clip that has at least one event."""
    if form == "caption":
        return [dense_caption(clip, language, rng) if rng.random() < 0.75 else short_caption(clip, language, rng)]
    makers = _QUESTIONS if form == "question" else _GROUNDING
    found: list[tuple[int, Turn]] = []
    for maker in rng.sample(makers, len(makers)):
        turn = maker(clip, language, rng)
        if turn is None or len(found) >= most or _asks(turn) in {_asks(other) for _, other in found}:
            continue
        found.append((_TELLING.get(maker, 0), turn))
    turns = [turn for _, turn in sorted(found, key=lambda entry: entry[0])]
    return turns or [dense_caption(clip, language, rng)]


def _asks(turn: Turn) -> str:
    """A question without its options, whose order is random."""
    return turn.question.split("\n")[0]


def moment(event: Event, language: str) -> str:
    """When an event is: "2.4 s", or "2.0 to 4.5 s"; the figures stand free in Chinese too, so that they can be read."""
    unit = "秒" if language == "zh" else "s"
    if event.instant:
        return f"{event.end:.1f} {unit}"
    return f"{event.start:.1f} {'到' if language == 'zh' else 'to'} {event.end:.1f} {unit}"


def timed(event: Event, language: str) -> str:
    """An event as a line of a dense caption."""
    mark = "：" if language == "zh" else ": "
    return f"{moment(event, language)}{mark}{sentence(event, language)}"


def dense_caption(clip: Clip, language: str, rng: random.Random) -> Turn:
    """The scene, then every event on a line with its time; the check holds the events with their times."""
    lines = [clip.scene.say(language), *(timed(event, language) for event in clip.events)]
    events = [[round(event.start, 2), round(event.end, 2), sentence(event, language)] for event in clip.events]
    answer = "\n".join(lines)
    return Turn(_prompt("caption", language, rng), answer, {"verifier": "open", "target": answer, "events": events})


def short_caption(clip: Clip, language: str, rng: random.Random) -> Turn:
    """The scene, and its first and last event."""
    first, last = (clause(event, language) for event in (clip.events[0], clip.events[-1]))
    scene = clip.scene.say(language)
    if language == "zh":
        answer = f"{scene}{first}。" if len(clip.events) == 1 else f"{scene}起初{first}，最后{last}。"
    elif len(clip.events) == 1:
        answer = f"{scene} {first[0].upper()}{first[1:]}."
    else:
        answer = f"{scene} First {first}; in the end {last}."
    return Turn(_prompt("short caption", language, rng), answer, {"verifier": "open", "target": answer})


def fact_turn(fact: Fact, language: str, rng: random.Random) -> Turn:
    """The question of a fact: by options where it has wrong answers, else to be answered in a word."""
    question, answer = fact.question.say(language), fact.answer.say(language)
    if fact.others:
        return choice_turn(question, answer, [other.say(language) for other in fact.others], rng, language)
    return short_turn(question, answer, fact_check(fact, language), language)


def fact_check(fact: Fact, language: str) -> dict[str, object]:
    """What an answer to a fact's question is compared with, where it isn't one of options."""
    answer = fact.answer.say(language)
    if answer.isdecimal():
        return {"verifier": "count", "target": int(answer)}
    also = answer.removesuffix("色") if language == "zh" else f"the {answer}"
    return {"verifier": "exact", "target": answer, "accepted": [also]}


def _prompt(name: str, language: str, rng: random.Random, **names: object) -> str:
    return rng.choice(PROMPTS[name][language]).format(**names)


def _a_fact(clip: Clip, language: str, rng: random.Random) -> Turn | None:
    return fact_turn(rng.choice(clip.facts), language, rng) if clip.facts else None


def _a_reason(clip: Clip, language: str, rng: random.Random) -> Turn | None:
    reasons = [fact for fact in clip.facts if fact.others]
    return fact_turn(rng.choice(reasons), language, rng) if reasons else None


def _count(clip: Clip, language: str, rng: random.Random) -> Turn | None:
    """How many times something happens; half of the time with the times of it as reasoning."""
    instants = [event for event in clip.events if event.instant]
    if not instants:
        return None
    repeated = [
        event for event, nth in zip(clip.events, occurrences(clip.events), strict=True) if nth and event.instant
    ]
    event = rng.choice(repeated if repeated and rng.random() < 0.6 else instants)
    times = [other for other in clip.events if other.key == event.key]
    answer, check = str(len(times)), {"verifier": "count", "target": len(times)}
    question = how_often(event, language)
    if rng.random() < 0.5:
        return short_turn(question, answer, check, language)
    return thought_turn(question, [timed(other, language) for other in times], answer, check, language)


def _named(clip: Clip, language: str) -> list[tuple[Event, str]]:
    """The events, each with a clause that names it alone."""
    numbers = occurrences(clip.events)
    return [(event, clause(event, language, nth)) for event, nth in zip(clip.events, numbers, strict=True)]


def _spread(events: Sequence[tuple[Event, str]], rng: random.Random, most: int) -> list[tuple[Event, str]]:
    """Up to `most` of the events, in order, of which each is over `CLEAR` before the next begins."""
    chosen: list[tuple[Event, str]] = []
    for entry in rng.sample(events, len(events)):
        if len(chosen) < most and all(
            entry[0].end + CLEAR <= other.start or other.end + CLEAR <= entry[0].start for other, _ in chosen
        ):
            chosen.append(entry)
    return sorted(chosen, key=lambda entry: entry[0].end)


def _order(clip: Clip, language: str, rng: random.Random) -> Turn | None:
    chosen = _spread(_named(clip, language), rng, rng.randint(3, 4))
    if len(chosen) < 3:
        return None
    shown = rng.sample(chosen, len(chosen))
    letters = {text: LETTERS[number] for number, (_, text) in enumerate(shown)}
    right = [letters[text] for _, text in chosen]
    listed = "\n".join(f"{letters[text]}. {text}" for _, text in shown)
    question = f"{_prompt('order', language, rng)}\n{listed}"
    check = {"verifier": "sequence", "target": right}
    answer = ", ".join(right)
    if rng.random() < 0.5:
        return Turn(question, answer, check)
    steps = [f"{letters[text]}: {moment(event, language)}" for event, text in shown]
    return thought_turn(question, steps, answer, check, language)


def _extreme(clip: Clip, language: str, rng: random.Random) -> Turn | None:
    """What happens first, or last, of some events."""
    chosen = [text for _, text in _spread(_named(clip, language), rng, 4)]
    if len(chosen) < 2:
        return None
    which = rng.choice(("first", "last"))
    right = chosen[0] if which == "first" else chosen[-1]
    others = [text for text in chosen if text != right]
    return choice_turn(_prompt(which, language, rng), right, others, rng, language)


def _next(clip: Clip, language: str, rng: random.Random) -> Turn | None:
    """What comes right after an event, among others that don't."""
    named = [entry for entry in _named(clip, language) if entry[0].instant]
    pairs = [
        (before, after)
        for before, after in itertools.pairwise(named)
        if after[0].end - before[0].end >= CLEAR and not any(before[0].end < e.end < after[0].end for e in clip.events)
    ]
    if not pairs or len(named) < 3:
        return None
    before, after = rng.choice(pairs)
    others = [text for event, text in named if abs(event.end - after[0].end) >= CLEAR and text != before[1]]
    if not others:
        return None
    question = _prompt("next", language, rng, what=quoted(before[1]) if language == "zh" else before[1])
    return choice_turn(question, after[1], rng.sample(others, min(3, len(others))), rng, language)


def _when(clip: Clip, language: str, rng: random.Random) -> Turn | None:
    """At what second something happens."""
    numbered = [(event, nth) for event, nth in zip(clip.events, occurrences(clip.events), strict=True) if event.instant]
    if not numbered:
        return None
    event, nth = rng.choice(numbered)
    check = {"verifier": "number", "target": round(event.end, 2), "tolerance": TOLERANCE}
    return short_turn(when(event, language, nth), f"{event.end:.1f}", check, language)


def _from_when(clip: Clip, language: str, rng: random.Random) -> Turn | None:
    """From which second to which something lasts; what is over in a moment isn't asked."""
    events = [event for event in (*clip.events, *clip.activities) if event.end - event.start >= LASTING]
    numbered = [(event, nth) for event, nth in zip(events, occurrences(events), strict=True)]
    if not numbered:
        return None
    event, nth = rng.choice(numbered)
    check = {"verifier": "interval", "target": [round(event.start, 2), round(event.end, 2)]}
    answer = f"{event.start:.1f} {'到' if language == 'zh' else 'to'} {event.end:.1f}"
    return Turn(f"{when(event, language, nth)}\n{_prompt('interval', language, rng)}", answer, check)


def _span(clip: Clip, rng: random.Random) -> tuple[float, float] | None:
    """A span of time that holds some of the events and not all, its ends in the middle of gaps between them."""
    edges = sorted(time for event in clip.events for time in (event.start, event.end))
    gaps = [
        (before + after) / 2
        for before, after in zip([0.0, *edges], [*edges, clip.duration], strict=True)
        if after - before >= 2 * 0.3 and not any(e.start < (before + after) / 2 < e.end for e in clip.events)
    ]
    spans = [(a, b) for i, a in enumerate(gaps) for b in gaps[i + 1 :] if any(a < e.end < b for e in clip.events)]
    return rng.choice(spans) if spans else None


def _in_span(clip: Clip, language: str, rng: random.Random) -> Turn | None:
    """Which of some events is in a span of time."""
    span = _span(clip, rng)
    if span is None:
        return None
    named = _named(clip, language)
    inside = [text for event, text in named if span[0] < event.end < span[1]]
    outside = [text for event, text in named if not span[0] < event.end < span[1]]
    if not outside:
        return None
    question = _prompt("span", language, rng, start=span[0], end=span[1])
    return choice_turn(question, rng.choice(inside), rng.sample(outside, min(3, len(outside))), rng, language)


def _describe_span(clip: Clip, language: str, rng: random.Random) -> Turn | None:
    """All that happens in a span of time."""
    span = _span(clip, rng)
    if span is None:
        return None
    inside = [event for event in clip.events if span[0] < event.end < span[1]]
    answer = "\n".join(timed(event, language) for event in inside)
    events = [[round(event.start, 2), round(event.end, 2), sentence(event, language)] for event in inside]
    check = {"verifier": "open", "target": answer, "span": [round(span[0], 1), round(span[1], 1)], "events": events}
    return Turn(_prompt("describe span", language, rng, start=span[0], end=span[1]), answer, check)


Maker = Callable[[Clip, str, random.Random], Turn | None]
_QUESTIONS: Sequence[Maker] = (_a_fact, _a_fact, _a_reason, _count, _order, _extreme, _next)
_GROUNDING: Sequence[Maker] = (_when, _when, _from_when, _in_span, _describe_span)
_TELLING: Mapping[Maker, int] = {_order: 1, _count: 2, _when: 1, _from_when: 1, _describe_span: 2}
"""How much an answer tells of others: what tells most is asked last, for it would give the others away."""
