"""Where the other harnesses are wrong about videos, their rules say so and ours are right."""

from __future__ import annotations

import pytest

from vergence.evaluation.compat import spatial, video
from vergence.evaluation.metrics.captions import EventDecisions, dream_1k
from vergence.evaluation.metrics.spatial import mean_relative_accuracy
from vergence.evaluation.metrics.streaming import Proactive, ovo_bench, ovo_forward_correct
from vergence.evaluation.metrics.tempcompass import rate_yes_no
from vergence.evaluation.metrics.temporal import read_span, tiou
from vergence.verifiers.quantities import read_quantity


@pytest.mark.parametrize(
    ("answer", "lmms", "right"),
    [
        ("start time: 3s, end time: 9s", None, (3, 9)),
        ("starts at 3 seconds and ends at 9 seconds", None, (3, 9)),
        ("[3, 9]", None, (3, 9)),
        ("3 - 9", (3, 9), (3, 9)),
        ("from 3 to 9 seconds", (3, 9), (3, 9)),
        ("9 - 3", (3, 9), None),
        ("2-3 people walk.\nStart: 4 s\nEnd: 9 s", (4, 9), (4, 9)),
        ("The 2 dogs run!\nThey stop after 9 seconds", (2, 9), None),
    ],
)
def test_spans(answer, lmms, right):
    assert video.charades_span(answer) == lmms
    assert read_span(answer) == right


def test_spans_that_do_not_meet_have_no_overlap_either_way():
    assert video.hull_tiou((0, 1), (5, 6)) == tiou((0, 1), (5, 6)) == 0.0
    assert video.hull_tiou((3, 3), (3, 3)) == tiou((3, 3), (3, 3)) == 0.0


def test_two_samples_with_one_key_are_counted_once():
    found = video.charades_means_lmms(["v>>>c>>>[0, 1]"] * 2, [0.0, 1.0])
    assert found == {"IOU@3": 100, "IOU@5": 100, "IOU@7": 100, "mIOU": 100}


@pytest.mark.parametrize(
    ("predicted", "floats", "exact", "paper"),
    [(12, 0.6, 0.7, 0.6), (11, 0.9, 0.9, 0.8), (13, 0.5, 0.5, 0.4), (14.5, 0.1, 0.2, 0.1), (15, 0.1, 0.1, 0.0)],
)
def test_thresholds_in_floating_point(predicted, floats, exact, paper):
    assert spatial.float_mra(abs(predicted - 10) / 10) == pytest.approx(floats)
    assert mean_relative_accuracy(predicted, 10) == exact
    assert mean_relative_accuracy(predicted, 10, strict=True) == paper


@pytest.mark.parametrize(
    ("answer", "official", "lmms", "kit", "right"),
    [
        ("3", 3, 3, 3, 3),
        ("3 meters", 3, 3, 3, 3),
        ("There are 3 chairs", None, 3, 3, 3),
        ("three", None, 3, 3, 3),
        ("twenty-one", None, 21, -1, 21),
        ("two three", None, 5, 3, 3),
        ("1,200", None, 1, 200, 1200),
        ("one apple, room 2", None, 1, 2, 2),
        ("2 to 3", 2, 2, 3, None),
        ("250 cm", 250, 250, 250, 2.5),
    ],
)
def test_numbers(answer, official, lmms, kit, right):
    assert spatial._float(spatial.first_word(answer)) == official
    assert spatial.first_number(answer) == lmms
    assert spatial.last_number(answer) == kit
    assert read_quantity(answer, "m") == right


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("<answer>B</answer>", "B"),
        ("b</think>", "B"),
        ("A\nB", "B"),
        ("The answer is B", "B"),
        ("A and B", None),
        ("", None),
    ],
)
def test_letters_of_vlmevalkit(answer, letter):
    assert spatial.option_letter(answer) == letter


def test_missing_levels_of_direction():
    types = ["object_rel_direction_easy", "route_planning"]
    assert spatial.vsi_means_official([1.0, 0.5], types)["overall"] == pytest.approx((1 / 3 + 0.5) / 2)
    assert spatial.vsi_means_lmms([1.0, 0.5], types) is None
    assert spatial.vsi_means_vlmevalkit([1.0, 0.5], types)["overall"] == 0.75


def test_a_true_zero():
    assert spatial.vsi_lmms("1", "0", kind="object_counting") is None
    assert spatial.vsi_official("1", "0", kind="object_counting") is None
    assert spatial.vsi_vlmevalkit("1", "0", kind="object_counting") == 0.0


def test_ovo_bench_finds_letters_in_words():
    assert video.ovo_official("The Answer is B", "A", task="EPM") == 1.0
    assert video.ovo_official("2 of 3", 23, task="REC") == 1.0
    assert ovo_forward_correct("REC", "2 of 3", 23) is False
    assert video.ovo_official("Not yet", 0, task="SSR") == 1.0
    assert ovo_forward_correct("SSR", "Not yet", False) is None
    assert video.ovo_official("yes", 1, task="SSR") == 0.0
    assert ovo_forward_correct("SSR", "yes", True) is True
    assert (video.ovo_official(None, 1, task="SSR"), video.ovo_lmms(None, 1, task="SSR")) == (0.0, None)
    assert video.ovo_lmms(None, "A", task="EPM") == 0.0


def test_totals_of_ovo_bench():
    scores, tasks = (
        [1.0] * 6 + [0.0] * 6,
        ["OCR", "ACR", "ATR", "STU", "FPD", "OJR", "EPM", "ASI", "HLD", "REC", "SSR", "CRR"],
    )
    assert video.ovo_means_official(scores, tasks)["total"] == 0.5
    assert ovo_bench([score == 1 for score in scores], tasks)[0].value == pytest.approx(1 / 3)
    assert "total" not in video.ovo_means_lmms(scores, tasks)
    assert video.ovo_means_official([1.0, None], ["REC", "REC"])["forward"] == 1.0


def test_streaming_bench_leaves_missing_answers_out():
    assert video.streaming_bench_official("Because", "B") == 1.0
    assert video.streaming_bench_official("", "B") is None
    assert video.streaming_bench_official(None, "B") is None
    assert video.proactive_official("13", "3", time=12, true_time=10) == 1.0
    assert not Proactive(12, "13", 10, "3").right(2)
    assert video.proactive_official("3", "3", time=13, true_time=10) == 0.0


def test_tempcompass_begins_with_no():
    assert video.tempcompass_rule("Nothing moves", "no", kind="yes_no") == 1.0
    assert rate_yes_no("Nothing moves", "no") is None


def test_a_bare_letter_names_a_caption_except_officially():
    case = {"kind": "caption_matching", "question": "Which?\nCaption A: x\nCaption B: y"}
    assert video.tempcompass_rule("A", "Caption A: x", **case) == 1.0
    assert video.tempcompass_official("A", "Caption A: x", **case) is None
    assert video.tempcompass_official("Caption A</s>", "Caption A: x", **case) == 1.0
    assert video.tempcompass_official("Caption B", "Caption A: x", **case) == 0.0


def test_dream_1k_over_subsets_and_over_videos():
    recalls, precisions, subsets = [1.0, 0.0, 0.0], [1.0, 1.0, 1.0], ["a", "b", "b"]
    official, kit = (rule(recalls, precisions, subsets) for rule in (video.dream_official, video.dream_vlmevalkit))
    assert (official["recall"], kit["recall"]) == (0.5, pytest.approx(1 / 3))
    decisions = [EventDecisions(["entailment" if recall else "neutral"], []) for recall in recalls]
    found = {measure.metric: measure.value for measure in dream_1k(decisions, subsets) if not measure.group}
    assert found["f1"] == pytest.approx(official["f1"])
    assert found["pooled_f1"] == pytest.approx(kit["f1"])
    assert video.dream_official([0.0], [0.0], ["a"])["f1"] == 0.0


def test_every_rule_takes_the_same_arguments():
    context = {"tempcompass": {"kind": "multi-choice"}, "ovo_bench": {"task": "EPM"}}
    context["streaming_bench_proactive"] = {"time": 1.0, "true_time": 1.0}
    for benchmark, rules in video.COMPAT.items():
        reference = (0.0, 1.0) if benchmark == "charades_sta" else "A"
        for rule in rules.values():
            assert rule("A", reference, **context.get(benchmark, {})) == (0.0 if benchmark == "charades_sta" else 1.0)
    for rule in spatial.COMPAT["vsi_bench"].values():
        assert rule("A", "A", kind="route_planning") == 1.0
