"""Turns about clips, answered again from the words of the question and the log in `truth` alone."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from hashlib import sha256
from itertools import accumulate, pairwise

import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.shards.samples import members_of
from vergence.data.synthesis.video.events import ORDINALS
from vergence.data.synthesis.video.grid_scenes import grid_clip
from vergence.processing.video_file import read_index
from vergence.verifiers.ground_truth import answer_part, verify

KINDS = ("physics-video", "grid-world-video", "screen-video")
SAMPLES = 26


def made(kind, index, **settings):
    generator = load_generator(kind)
    return make_sample(kind, generator, generator.Config(**settings), 11, index)


@pytest.fixture(scope="module", params=KINDS)
def samples(request):
    if reason := why_unavailable(request.param):
        pytest.skip(reason)
    return [made(request.param, index) for index in range(SAMPLES)]


def turns(sample):
    """(question, answer, check) of a sample."""
    answers = [m.text for m in sample.messages if m.role == "assistant"]
    questions = [m.text for m in sample.messages if m.role == "user"]
    return list(zip(questions, answers, sample.metadata["checks"], strict=True))


def numbered(sample):
    """(clause, event) of all events, where those that are worded alike carry their number, as questions name them."""
    chinese = sample.metadata["tags"]["language"] == "zh"
    events = sample.metadata["truth"]["events"]
    texts = [event["text_zh"].rstrip("。") if chinese else event["text"].rstrip(".") for event in events]
    found = {}
    for number, (text, event) in enumerate(zip(texts, events, strict=True)):
        nth = texts[:number].count(text)
        key = plain(text)
        if texts.count(text) > 1:
            key = f"{key} #{nth}"
        found[key] = event
    return found


def plain(text):
    return text[0].lower() + text[1:] if text[0].isascii() else text


def named(sample, clause):
    """The event that a clause of a question names."""
    nth = None
    for number, ordinal in enumerate(ORDINALS):
        if f" for the {ordinal.en} time" in clause:
            clause, nth = clause.replace(f" for the {ordinal.en} time", ""), number
        elif ordinal.zh in clause:
            clause, nth = clause.replace(ordinal.zh, ""), number
    key = plain(clause)
    return numbered(sample)[key if nth is None else f"{key} #{nth}"]


def test_videos_are_what_the_log_says(samples):
    """Frames, rate and size by the project's reader; small files; every time inside of the clip."""
    for sample in samples:
        truth = sample.metadata["truth"]
        (video,) = sample.media
        index = read_index(video.video)
        assert (len(index), list(index.size)) == (truth["frames"], truth["size"])
        assert index.fps == pytest.approx(truth["fps"])
        assert len(video.video) < 120_000
        for event in truth["events"] + truth["activities"]:
            assert 0 <= event["start"] <= event["end"] <= index.duration
        for boxes in truth["tracks"].values():
            assert len(boxes) == len(index)
        for check in sample.metadata["checks"]:
            if check["verifier"] == "interval":
                assert 0 <= check["target"][0] < check["target"][1] <= index.duration


def test_all_forms_are_asked(samples):
    verifiers = {check["verifier"] for sample in samples for check in sample.metadata["checks"]}
    assert verifiers >= {"open", "count", "choice", "sequence", "number", "exact"}
    assert {sample.metadata["tags"]["form"] for sample in samples} == {"caption", "question", "grounding"}
    assert {sample.metadata["tags"]["language"] for sample in samples} == {"en", "zh"}


def test_choices_of_events_have_one_right_answer(samples):
    """First, last, in a span of seconds: decided anew from the times of all options."""
    seen = 0
    for sample in samples:
        for question, _, check in turns(sample):
            if check["verifier"] != "choice":
                continue
            stem = question.split("\n")[0]
            if not re.search(r"first\?|before all|last\?|between|最先|最早|最后|之间", stem):
                continue
            events = [named(sample, choice) for choice in check["choices"]]
            span = [float(number) for number in re.findall(r"\d+\.\d", stem)]
            if span:
                right = [n for n, event in enumerate(events) if span[0] < event["end"] < span[1]]
                assert all(span[0] < e["start"] for n, e in enumerate(events) if n in right)
                assert all(abs(e["end"] - edge) > 0.2 for e in events for edge in span)
            else:
                last = "last" in stem or "最后" in stem
                right = [(max if last else min)(range(len(events)), key=lambda n, e=events: e[n]["end"])]
                times = sorted(event["end"] for event in events)
                assert min(b - a for a, b in pairwise(times)) >= 0.4
            assert right == [check["target"]], question
            seen += 1
    assert seen >= 5


def test_orders_are_those_of_the_log(samples):
    seen = 0
    for sample in samples:
        for question, answer, check in turns(sample):
            if check["verifier"] == "sequence":
                listed = dict(re.findall(r"^([A-Z])\. (.+)$", question, re.MULTILINE))
                letters = [part.strip() for part in answer_part(answer).split(",")]
                times = [named(sample, listed[letter])["end"] for letter in letters]
                assert times == sorted(times)
                assert len(letters) == len(listed)
                seen += 1
    assert seen >= 2


def test_counts_are_those_of_the_log(samples):
    seen = 0
    for sample in samples:
        events = sample.metadata["truth"]["events"]
        for question, answer, check in turns(sample):
            if check["verifier"] != "count" or not (found := re.search("“(.+)”一共发生了几次", question)):
                continue
            expected = sum(event["text_zh"].rstrip("。") == found[1].translate(OUTER) for event in events)
            assert int(answer_part(answer)) == check["target"] == expected
            seen += 1
    assert seen >= 1


def test_times_are_those_of_the_log(samples):
    """ "At what second" questions, with the verb put back into its clause; the answer is the event's to a tenth."""
    seen = 0
    for sample in samples:
        for question, answer, check in turns(sample):
            if check["verifier"] != "number" or "在第几秒" not in question:
                continue
            clause = question.split("\n")[0].replace("在第几秒", "").rstrip("？")
            event = named(sample, clause)
            assert check["target"] == pytest.approx(event["end"], abs=0.01)
            assert float(answer) == pytest.approx(event["end"], abs=0.051)
            seen += 1
    assert seen >= 2


def test_captions_tell_every_event_once(samples):
    for sample in samples:
        for _, answer, check in turns(sample):
            if "events" not in check or "span" in check:
                continue
            chinese = sample.metadata["tags"]["language"] == "zh"
            lines = answer.split("\n")[1:]
            truth = sample.metadata["truth"]["events"]
            assert len(lines) == len(truth)
            for line, event in zip(lines, truth, strict=True):
                assert line.endswith(event["text_zh" if chinese else "text"])
                assert f"{event['end']:.1f}" in line


def test_wrong_answers_are_wrong(samples):
    """A number, interval, count, letter or order that is off is told from the right one."""
    for sample in samples:
        for _, _, check in turns(sample):
            target = check.get("target")
            match check["verifier"]:
                case "number":
                    assert verify(check, f"{target + 0.7:.1f}") == 0
                    assert verify(check, f"{target + 0.3:.1f}") == 1
                case "interval":
                    start, end = target
                    assert verify(check, f"{end:.1f} to {end + 1:.1f}") == 0
                    assert verify(check, f"{start:.1f} to {end + 2 * (end - start) + 0.2:.1f}") == 0
                case "count":
                    assert verify(check, str(target + 1)) == 0
                case "choice":
                    assert verify(check, "ABCD"[target - 1 if target else len(check["choices"]) - 1]) == 0
                case "sequence":
                    assert verify(check, ", ".join(target[::-1])) == 0


def digest(kind):
    """The hash of three samples of a kind."""
    found = sha256()
    for index in range(3):
        for data in members_of(made(kind, index), "0", where="here", max_bytes=2**28).values():
            found.update(data)
    return found.hexdigest()


def test_the_bytes_are_those_of_another_process():
    """All kinds, in another process with other hashing, in another order."""
    kinds = [kind for kind in (*KINDS, "streaming-video") if why_unavailable(kind) is None]
    code = f"import json, test_video_questions as t; print(json.dumps({{k: t.digest(k) for k in {kinds[::-1]}}}))"
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__), "PYTHONHASHSEED": "3"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == {kind: digest(kind) for kind in kinds}


OUTER = str.maketrans("‘’", "“”")


def test_no_quotation_marks_of_one_kind_stand_within_each_other(samples):
    for sample in samples:
        for question, _, _ in turns(sample):
            depths = list(accumulate({"“": 1, "”": -1}.get(sign, 0) for sign in question))
            assert set(depths) <= {0, 1}


def test_what_tells_the_times_of_all_is_asked_last(samples):
    """The description of a span lists events with their times: behind it none is asked for its time."""
    described = 0
    for sample in samples:
        told = [("span" in check, check["verifier"]) for _, _, check in turns(sample)]
        described += any(span for span, _ in told)
        for number, (span, _) in enumerate(told):
            assert not span or number == len(told) - 1
    assert described


def test_a_door_is_not_known_by_its_colour_alone():
    """Among the reasons at a door one more names a coloured key or gem, where the map has one."""
    rng, seen = random.Random(3), 0
    for _ in range(25):
        clip = grid_clip(rng)
        for fact in clip.facts:
            if "door" in fact.question.en:
                coloured = [other.en for other in fact.others if re.search(r"the \w+ (key|gem)", other.en)]
                things = re.findall(r"(\w+) (?:key|gem)", clip.scene.en)
                assert bool(coloured) == (len(things) > 1)
                assert fact.answer.en not in coloured
                seen += 1
    assert seen > 20


def test_no_question_is_asked_twice_with_its_options_in_another_order():
    for index in range(40):
        for form in ("question", "grounding"):
            asked = [q.split("\n")[0] for q, _, _ in turns(made("grid-world-video", index, form=form, turns=5))]
            assert len(set(asked)) == len(asked)
