"""Benchmarks of videos: scores worked out by hand where a plausible rule differs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from benchmark_run import Verdicts, choice_rows, scores
from fabricated import clip, write_rows


def test_videomme_is_the_mean_of_the_questions_with_silence_in_it(tmp_path):
    durations = ["short", "short", "short", "long"]
    rows = [
        {**row, "videoID": "clip", "question_id": f"q{i}", "duration": duration, "domain": "x", "task_type": "t"}
        for i, (row, duration) in enumerate(zip(choice_rows(4), durations, strict=True))
    ]
    (tmp_path / "data" / "videomme" / "videos").mkdir(parents=True)
    (tmp_path / "data" / "videomme" / "videos" / "clip.mp4").write_bytes(clip())
    found = scores(tmp_path, "videomme", rows, ["Based on the image, the answer is C.", "C", "C", ""])
    assert found.headline == 3 / 4
    assert (found["accuracy", "duration=short"], found["accuracy", "duration=long"]) == (1, 0)
    assert found.compat["official"] == pytest.approx(2 / 3)  # "Based" is B, and silence isn't counted


@pytest.mark.parametrize(("name", "column"), [("mvbench", "candidates"), ("tvbench", "candidates")])
def test_video_suites_weigh_their_tasks_equally(name, column, tmp_path):
    row = {"question": "Which?", "video": "clip.mp4", column: ["up", "down"], "answer": "down"}
    write_rows(tmp_path / "data" / name / "json" / "action_count.json", [row] * 3)
    (tmp_path / "data" / name / "video").mkdir(parents=True)
    (tmp_path / "data" / name / "video" / "clip.mp4").write_bytes(clip())
    said = ["B", "(B) down", "", "A"]
    found = scores(tmp_path, name, [row], said, file="json/moving_direction.json")
    assert found.headline == pytest.approx((2 / 3 + 0) / 2)  # an empty answer stays in the denominator
    assert found["accuracy (micro)", ""] == 1 / 2


def test_mlvu_is_the_mean_of_its_tasks(tmp_path):
    tasks = ["count", "count", "count", "order"]
    rows = [
        {"question": "How many?\nA. 1\nB. 2\nC. 3", "video_name": "clip.mp4", "answer": "B", "task_type": task}
        for task in tasks
    ]
    found = scores(tmp_path, "mlvu", rows, ["B", "2", "(B) 2", "The answer is C"])
    assert (found.headline, found["accuracy (micro)", ""]) == (pytest.approx(1 / 2), pytest.approx(3 / 4))


def test_lvbench_has_its_options_in_a_column_or_in_the_question(tmp_path):
    row = {"uid": "1", "question": "Which?", "options": ["up", "down"], "video_path": "clip.mp4", "answer": "B"}
    inside = {**row, "uid": "2", "question": "Which?\n(A) up\n(B) down", "options": None}
    rows = [{**one, "question_type": ["summarization"]} for one in (row, inside)]
    assert scores(tmp_path, "lvbench", rows, ["The answer is down.", "(B)"]).headline == 1


TEMPCOMPASS = {
    "tempcompass-mc": (
        "multi-choice",
        "What is the man doing?\nA. running\nB. walking\nC. sitting",
        "B. walking",
        [
            ("B. walking", 1),
            ("b", 1),
            ("(A)", 0),
            ("The answer is B.", 1),
            ("He is sitting, so C", 0),
            ("Not sure", None),
        ],
    ),
    "tempcompass-yes-no": (
        "yes_no",
        "Is the man walking?",
        "yes",
        [("Yes, he is.", 1), ("no", 0), ("The answer is yes.", 1), ("I can't see.", None)],
    ),
    "tempcompass-matching": (
        "caption_matching",
        "Which caption matches the video better?\nCaption A: The man runs.\nCaption B: The man walks.",
        "Caption B: The man walks.",
        [
            ("Caption B", 1),
            ("The man walks.", 1),
            ("A", 0),
            ("Caption B: The man walks.", 1),
            ("The better caption is Caption B.", 1),
            ("Both match", None),
        ],
    ),
}


@pytest.mark.parametrize("name", TEMPCOMPASS)
def test_tempcompass_decides_by_rules_what_can_be_read(name, tmp_path):
    config, question, right, asked = TEMPCOMPASS[name]
    rows = [{"question": question, "video_id": "clip", "answer": right, "dim": "action"} for _ in asked]
    (tmp_path / "data" / name / "videos").mkdir(parents=True)
    (tmp_path / "data" / name / "videos" / "clip.mp4").write_bytes(clip())
    found = scores(tmp_path, name, rows, [said for said, _ in asked], file=f"{config}.jsonl")
    assert found.headline == pytest.approx(sum(score or 0 for _, score in asked) / len(asked))
    assert found["undecided_ratio", ""] == pytest.approx(sum(score is None for _, score in asked) / len(asked))


def test_temporal_grounding_by_the_first_span(tmp_path):
    asked = ["3 - 9 seconds", "start time: 3s, end time: 6s", "From 00:06 to 00:12.", "at 3 and 9", "9 - 3"]
    rows = [{"caption": "a door opens", "video": "clip.mp4", "timestamp": [3.0, 9.0]} for _ in asked]
    found = scores(tmp_path, "charades-sta", rows, asked)
    assert found.headline == pytest.approx((1 + 1 / 2 + 1 / 3 + 0 + 0) / 5)
    assert found["R@1,IoU=0.3", ""] == pytest.approx(3 / 5)
    assert found["R@1,IoU=0.5", ""] == pytest.approx(2 / 5)  # exactly 0.5 counts
    assert found["R@1,IoU=0.7", ""] == pytest.approx(1 / 5)
    assert found["invalid_ratio", ""] == pytest.approx(2 / 5)


def test_ovo_bench_is_the_mean_of_its_groups(tmp_path):
    (tmp_path / "data" / "ovo-bench").mkdir(parents=True)
    options = ["left", "right", "up"]
    base = {"video": "clip.mp4", "question": "Which?", "options": options, "gt": 0, "realtime": 0.5}
    tasks = ["EPM", "EPM", "ASI", "OCR", "STU"]
    rows: list[dict[str, Any]] = [{**base, "id": i, "task": task} for i, task in enumerate(tasks)]
    rows.append(
        {
            "id": 9,
            "task": "REC",
            "video": "clip.mp4",
            "activity": "a jump",
            "test_info": [{"realtime": 0.3, "count": 1}, {"realtime": 0.6, "count": 12}],
        }
    )
    (tmp_path / "data" / "ovo-bench" / "clip.mp4").write_bytes(clip())
    said = ["The Answer is B", "A", "A", "B", "A", "once: 1", "It happened 1 or 2 times"]
    found = scores(tmp_path, "ovo-bench", rows, said, file="ovo_bench_new.json")
    backward, realtime, forward = (1 / 2 + 1) / 2, (0 + 1) / 2, 1 / 2
    assert found.headline == pytest.approx((backward + realtime + forward) / 3)
    assert found["task_accuracy", ""] == pytest.approx((1 / 2 + 1 + 0 + 1 + 1 / 2) / 5)
    assert found["micro_accuracy", ""] == pytest.approx(4 / 7)


def test_streamingbench_reads_more_than_the_first_character(tmp_path):
    (tmp_path / "data" / "streamingbench").mkdir(parents=True)
    (tmp_path / "data" / "streamingbench" / "clip.mp4").write_bytes(clip())
    question = {
        "question": "Which?",
        "options": ["A. up", "B. down"],
        "answer": "B",
        "task_type": "OP",
        "time_stamp": "0:01",
    }
    rows = [{"video_path": "clip.mp4", "questions": [question, {**question, "task_type": "CR"}, question]}]
    found = scores(tmp_path, "streamingbench", rows, ["The answer is B", "A", ""], file="questions_real.json")
    assert (found.headline, found["invalid_ratio", ""]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (found["accuracy", "task=OP"], found["accuracy", "task=CR"]) == (1 / 2, 0)


def test_vsi_bench_weighs_eight_tasks_and_three_levels(tmp_path):
    def row(kind: str, truth: str, options: list[str] | None = None) -> dict[str, Any]:
        return {
            "question": "What?",
            "scene_name": "clip",
            "dataset": "arkit",
            "question_type": kind,
            "ground_truth": truth,
            "options": options,
        }

    turns = ["A. left", "B. right"]
    asked = [
        (row("object_counting", "10"), "12", 7 / 10),  # 0.2 <= 1 - t for t = .50 ... .80, which binary 1 - 0.8 isn't
        (row("object_counting", "4"), "four", 1),
        (row("object_abs_distance", "2.0"), "200 cm", 1),
        (row("object_rel_direction_easy", "A", turns), "A", 1),
        (row("object_rel_direction_easy", "A", turns), "left", 1),
        (row("object_rel_direction_hard", "A", turns), "B", 0),
        (row("route_planning", "B", turns), "The answer is B.", 1),
    ]
    folder = tmp_path / "data" / "vsi-bench" / "arkit"
    folder.mkdir(parents=True)
    (folder / "clip.mp4").write_bytes(clip())
    rows = [{**row, "id": i} for i, (row, _, _) in enumerate(asked)]
    found = scores(tmp_path, "vsi-bench", rows, [said for _, said, _ in asked])
    assert found["score", "task=object_counting"] == pytest.approx((0.7 + 1) / 2)
    assert found["score", "task=object_rel_direction"] == pytest.approx((1 + 0) / 2)  # of the levels, not 2/3
    assert found.headline == pytest.approx(((0.7 + 1) / 2 + 1 + 1 / 2 + 1) / 4)


def test_dream_1k_is_f1_of_averages(tmp_path):
    rows = [
        {
            "id": i,
            "video": "clip.mp4",
            "description": f"A man runs. He falls {i}.",
            "events": ["A man runs.", "He falls."],
            "subset": f"s{i}",
        }
        for i in range(2)
    ]

    def related(*names: str) -> str:
        return json.dumps({"events": [{"event": "e", "relationship": name} for name in names]})

    events = json.dumps({"events": ["A man runs."]})
    # Each video: the events of the answer, then how the reference's and the answer's events are related.
    replies = [
        events,
        related("entailment", "neutral"),
        related("entailment"),
        events,
        related("neutral", "neutral"),
        related("contradiction"),
    ]
    found = scores(tmp_path, "dream-1k", rows, ["A man runs.", "A dog barks."], judge=Verdicts(replies))
    recall, precision = (1 / 2 + 0) / 2, (1 + 0) / 2
    assert (found["recall", ""], found["precision", ""]) == (pytest.approx(recall), pytest.approx(precision))
    assert found.headline == pytest.approx(2 * recall * precision / (recall + precision))
    assert found["sample_f1", ""] == pytest.approx((2 / 3 + 0) / 2)
