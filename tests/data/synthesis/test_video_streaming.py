"""Streams: nothing is said before it can be seen, and what is asked for is said as soon as it can."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from vergence.conversation import ImagePart, TextPart
from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.synthesis.video.ball_scenes import ball_clip
from vergence.data.synthesis.video.streaming import NOW, SILENT, be_asked, chunks_of
from vergence.processing.media import decode_image
from vergence.processing.video import timestamp
from vergence.verifiers.ground_truth import verify

STAMP = re.compile(r"^\[(\d+\.\d) second\]$")


@pytest.fixture(scope="module")
def streams():
    if reason := why_unavailable("streaming-video"):
        pytest.skip(reason)
    generator = load_generator("streaming-video")
    return [
        make_sample("streaming-video", generator, generator.Config(form=form, world=world), 3, index)
        for form in ("narration", "proactive", "commentary")
        for world in ("physics", "grid", "screen")
        for index in range(4)
    ]


def chunks(stream):
    """(times of its frames to a tenth, what the user says, the answer, the check) of each chunk, from the messages."""
    found = []
    questions = [m for m in stream.messages if m.role == "user"]
    answers = [m for m in stream.messages if m.role == "assistant"]
    for question, answer, check in zip(questions, answers, stream.metadata["checks"], strict=True):
        texts = [part.text for part in question.parts if isinstance(part, TextPart)]
        times = [float(stamp[1]) for text in texts if (stamp := STAMP.match(text))]
        said = "".join(text for text in texts if not STAMP.match(text))
        assert len(times) == sum(isinstance(part, ImagePart) for part in question.parts)
        found.append((times, said, answer.text, check))
    return found


def form_of(stream):
    return stream.metadata["tags"]["form"]


def first_seen(stream, time):
    """The number of the chunk that holds the first frame at `time` or later, by the times in `truth`."""
    frames = [chunk["frames"] for chunk in stream.metadata["truth"]["stream"]]
    return next((n for n, times in enumerate(frames) if any(t >= time - 1e-9 for t in times)), None)


def test_frames_stand_behind_the_processors_own_timestamps(streams):
    for stream in streams:
        recorded = [time for chunk in stream.metadata["truth"]["stream"] for time in chunk["frames"]]
        written = [part.text for m in stream.messages for part in m.parts if isinstance(part, TextPart)]
        stamps = [text for text in written if STAMP.match(text)]
        assert stamps == [timestamp(time) for time in recorded]
        assert recorded == sorted(recorded)
        ends = [chunk["frames"][-1] for chunk in stream.metadata["truth"]["stream"]]
        assert all(number <= end < number + 1 for number, end in enumerate(ends)), "chunks of a second"


def test_narration_tells_each_event_in_the_chunk_that_shows_it(streams):
    for stream in streams:
        if form_of(stream) != "narration":
            continue
        language = stream.metadata["tags"]["language"]
        expected = {}
        for event in stream.metadata["truth"]["events"]:
            text = event["text_zh" if language == "zh" else "text"]
            expected.setdefault(first_seen(stream, event["end"]), []).append(text)
        for number, (_, _, answer, _) in enumerate(chunks(stream)):
            if number not in expected:
                assert answer == SILENT
            else:
                lines = answer.split("\n")
                assert len(lines) == len(expected[number])
                assert all(line.endswith(text) for line, text in zip(lines, expected[number], strict=True))


def clause_of(event, chinese):
    return event["text_zh"].rstrip("。") if chinese else event["text"].rstrip(".")


def test_alerts_come_with_the_first_frame_that_shows_it(streams):
    """The event is found by its words in the question; "Now" stands in its chunk, and silence before and after."""
    alerts = 0
    for stream in streams:
        if form_of(stream) != "proactive":
            continue
        chinese = stream.metadata["tags"]["language"] == "zh"
        events = stream.metadata["truth"]["events"]
        told = chunks(stream)
        asked = None
        for number, (_, said, answer, _) in enumerate(told):
            if said and "..." in said:
                asked = (number, said)
            if answer not in NOW.values():
                continue
            assert asked is not None
            question = re.sub(" for the first time|第一次", "", asked[1].lower())
            named = [event for event in events if clause_of(event, chinese).lower() in question]
            longest = max(len(clause_of(event, chinese)) for event in named)
            event = next(event for event in named if len(clause_of(event, chinese)) == longest)
            ordinal = re.search(r"for the (second|third|fourth|fifth)|第([二三四五])次", asked[1])
            if ordinal:
                nth = max(["second", "third", "fourth", "fifth"].index(ordinal[1]) if ordinal[1] else 0, 0)
                nth = "二三四五".index(ordinal[2]) if ordinal[2] else nth
                event = [e for e in events if e["text"] == event["text"]][nth + 1]
            assert first_seen(stream, event["start" if event["kind"] == "over" else "end"]) == number
            assert number > asked[0]
            alerts += 1
    assert alerts >= 5


def test_facts_are_answered_when_they_are_known(streams):
    """What a word answers: silence from the question to the chunk of its evidence, which isn't before the question."""
    answered = 0
    for stream in streams:
        if form_of(stream) != "proactive":
            continue
        told, record = chunks(stream), stream.metadata["truth"]["stream"]
        for number, (_, said, answer, check) in enumerate(told):
            if answer == SILENT:
                assert check == {"verifier": "exact", "target": SILENT}
                assert record[number]["seen"] is None
                continue
            assert first_seen(stream, record[number]["seen"]) == number, "no sooner and no later"
            if said and number:
                continue  # asked and answered at once, about what has been
            assert verify(check, answer) == 1
            assert verify(check, SILENT) == 0
            answered += 1
    assert answered >= 8


def test_questions_about_what_has_been_count_it(streams):
    counted = 0
    for stream in streams:
        chinese = stream.metadata["tags"]["language"] == "zh"
        for number, (_, said, answer, check) in enumerate(chunks(stream)):
            found = re.search(r"so far: (.+)\? Answer with a number|到现在为止，“(.+)”发生了几次", said)
            if not found:
                continue
            last = stream.metadata["truth"]["stream"][number]["frames"][-1]
            events = stream.metadata["truth"]["events"]
            clause = (found[1] or found[2].translate(str.maketrans("‘’", "“”"))).lower()
            expected = sum(clause_of(e, chinese).lower() == clause and e["end"] <= last for e in events)
            assert int(answer) == check["target"] == expected >= 1
            counted += 1
    assert counted >= 3


def test_commentary_keeps_pace_and_never_foretells(streams):
    """At most five words, or ten units of Chinese, a second; every name in it belongs to what has been seen."""
    spoken = 0
    for stream in streams:
        if form_of(stream) != "commentary":
            continue
        chinese = stream.metadata["tags"]["language"] == "zh"
        record = stream.metadata["truth"]["stream"]
        for number, (_, _, answer, check) in enumerate(chunks(stream)):
            if answer == SILENT:
                assert check["verifier"] == "exact"
                continue
            units = re.findall("“[^”]*”?|[^，.]", answer) if chinese else answer.split()
            assert len(units) <= (10 if chinese else 5)
            assert record[number]["seen"] <= record[number]["frames"][-1]
            seen = [e for e in stream.metadata["truth"]["events"] if e["end"] <= record[number]["frames"][-1]]
            for quoted in re.findall(r'"(\w+ \w+)"|“(\w+)”', answer):
                assert any((quoted[0] or quoted[1]) in e["text_zh"] + e["text"] for e in seen)
            spoken += 1
    assert spoken > 30


def test_regions_show_the_actor_where_it_is(streams):
    """Where a region's ball is, its colour is: by the middle of the box in the picture that the region names."""
    seen = 0
    for stream in streams:
        if stream.metadata["tags"]["world"] != "physics":
            continue
        inks = {ball["name"]: ball["rgb"] for ball in stream.metadata["truth"]["world"]["balls"]}
        shown = [e for e in stream.metadata["truth"]["events"] if first_seen(stream, e["end"]) is not None]
        for region, event in zip(stream.metadata["regions"], shown, strict=True):
            x1, y1, x2, y2 = region["box"]
            picture = decode_image(stream.media[region["image"]].image)
            pixel = np.asarray(picture, int)[round((y1 + y2) / 2) + 2, round((x1 + x2) / 2)]
            assert np.abs(pixel - inks[event["subject"]]).sum() < 30
            seen += 1
    assert seen > 20


def test_some_silence_is_not_learned():
    if reason := why_unavailable("streaming-video"):
        pytest.skip(reason)
    generator = load_generator("streaming-video")
    for share, expected in ((0.0, {False}), (1.0, {True})):
        config = generator.Config(form="proactive", world="grid", learn_silence=share)
        stream = make_sample("streaming-video", generator, config, 0, 0)
        answers = [message for message in stream.messages if message.role == "assistant"]
        assert {message.loss for message in answers if message.text == SILENT} == expected
        assert all(message.loss for message in answers if message.text != SILENT)


def test_a_ball_is_on_a_stripe_as_soon_as_it_gets_there():
    """ "Now" comes with the first frame that shows the ball on the stripe, and not when it has left it again."""
    rng, seen = random.Random(5), 0
    for _ in range(40):
        clip = ball_clip(rng)
        stays = [event for event in clip.events if event.kind == "over"]
        if not stays:
            continue
        for _ in range(8):
            parts = chunks_of(clip, 5, 1.0)
            be_asked(clip, parts, "en", rng)
            if "is on the blue stripe" not in parts[0].said or '"Now"' not in parts[0].said:
                continue
            number = next(n for n, part in enumerate(parts) if part.answer == "Now")
            starts = [event.start for event in stays]
            first, last = parts[number - 1].frames[-1].time, parts[number].frames[-1].time
            assert any(first < start <= last for start in starts)
            seen += 1
    assert seen >= 3
