"""Recordings of a screen: pixels change where and when the log says, and nowhere else."""

from __future__ import annotations

import random

import numpy as np
import pytest

from vergence.data.kinds import why_unavailable
from vergence.data.pictures import split_of
from vergence.data.synthesis.video.screen_recording import PRESS
from vergence.data.synthesis.video.screen_scenes import screen_clip


@pytest.fixture(scope="module")
def clips():
    if reason := why_unavailable("screen-video"):
        pytest.skip(reason)
    return [screen_clip(random.Random(seed), ("en", "zh")[seed % 2], "train")[0] for seed in range(14)]


def blank(difference, box):
    x1, y1, x2, y2 = (max(0, round(value)) for value in box)
    difference[y1:y2, x1:x2] = False


def test_pixels_change_in_the_boxes_and_frames_of_the_log(clips):
    """Between two frames only the pointer and the boxes that are logged for that moment differ, and these do."""
    hidden = seen = 0
    for clip in clips:
        changes = {}
        for kind, time, box in clip.world["changes"]:
            changes.setdefault(round(time * clip.fps), []).append((kind, box))
        (boxes,) = clip.tracks.values()
        previous = np.asarray(clip.frames[0], int)
        for frame in range(1, len(clip.frames)):
            image = np.asarray(clip.frames[frame], int)
            difference = (image != previous).any(-1)
            previous = image
            for pointer in (boxes[frame - 1], boxes[frame]):
                blank(difference, pointer)
            for kind, box in changes.get(frame, ()):
                x1, y1, x2, y2 = box
                if kind in ("show", "close", "appear", "switch", "send", "type"):
                    changed = difference[y1:y2, x1:x2].any()
                    seen, hidden = seen + bool(changed), hidden + (not changed)
            for _, box in changes.get(frame, ()):
                blank(difference, box)
            assert not difference.any(), (frame, np.argwhere(difference)[:3])
    assert seen > 100
    assert hidden < 0.05 * seen, "the pointer hides little"


def test_every_event_has_its_change(clips):
    """What opens, closes, appears or is switched is a change at that time; a click is a press under the pointer."""
    kinds = {"show": "show", "close": "close", "appear": "appear", "on": "switch", "off": "switch"}
    for clip in clips:
        logged = {(kind, round(time, 3)) for kind, time, _ in clip.world["changes"]}
        presses = {round(time, 3): box for kind, time, box in clip.world["changes"] if kind in ("press", "focus")}
        (boxes,) = clip.tracks.values()
        for event in clip.events:
            if event.kind in kinds:
                assert (kinds[event.kind], round(event.end, 3)) in logged
            elif event.kind in ("click", "tap"):
                box = presses[round(event.end, 3)]
                pointer = boxes[round(event.end * clip.fps)]
                tip = (pointer[0], pointer[1]) if event.kind == "click" else (pointer[0] + 9, pointer[1] + 9)
                assert box[0] - 2 <= tip[0] <= box[2] + 2
                assert box[1] - 2 <= tip[1] <= box[3] + 2
        effects = [e.end for e in clip.events if e.kind in ("show", "on", "off")]
        clicks = [e.end for e in clip.events if e.kind in ("click", "tap")]
        assert all(any(abs(time - PRESS / clip.fps - click) < 1e-6 for click in clicks) for time in effects)


def test_switches_end_as_an_odd_or_even_number_of_clicks_leaves_them(clips):
    checked = 0
    for clip in clips:
        for fact in clip.facts:
            if not fact.question.en.endswith("on or off in the end?"):
                continue
            name = fact.question.en.removeprefix("Is ").removesuffix(" on or off in the end?")
            key = f"switch {clip.world['switches'].index(name)}"
            clicks = sum(clicked == key for _, clicked in clip.world["clicks"])
            assert fact.answer.en == ("on" if clicks % 2 else "off")
            checked += 1
    assert checked >= 3


def test_what_is_typed_is_typed_letter_by_letter(clips):
    for clip in clips:
        for event in clip.events:
            if event.kind == "type":
                text = event.object.en.strip('"')
                strokes = [
                    t for kind, t, _ in clip.world["changes"] if kind == "type" and event.start <= t <= event.end
                ]
                assert len(strokes) == len(text)


def test_held_out_texts_and_fonts_are_never_trained_on():
    if reason := why_unavailable("screen-video"):
        pytest.skip(reason)
    for split in ("train", "heldout"):
        for seed in range(8):
            language = ("en", "zh")[seed % 2]
            clip, sources = screen_clip(random.Random(seed), language, split)
            typed = [event.object for event in clip.events if event.kind == "type"]
            prefix = "phrase" if language == "zh" else "word"
            parts = [
                part
                for text in typed
                for part in (text.zh.strip("“”").split() if language == "en" else [text.zh.strip("“”")])
            ]
            assert all(split_of(f"{prefix}:{part}") == split for part in parts)
            assert len(sources) == 1
