"""Where the other harnesses' yes and no differ from ours: the known cases, without the harnesses."""

from __future__ import annotations

import pytest

from vergence.evaluation.compat.yes_no import (
    AGGREGATES,
    COMPAT,
    exact_reading,
    first_sentence_reading,
    hallusion_vlmevalkit,
    mme_lmms,
    pope_lmms,
    pope_official,
    prefix_reading,
    word_reading,
)
from vergence.evaluation.metrics.yes_no import HallusionItem, hallusion_bench, mme, pope, read_yes_no


@pytest.mark.parametrize(
    ("answer", "ours", "exact", "prefix", "word", "sentence"),
    [
        ("yes", True, "yes", "yes", "yes", "yes"),
        ("Yes.", True, "", "yes", "yes", "yes"),
        ("No, there isn't", False, "", "no", "no", "no"),
        ("There is no dog", None, "", "", "no", "no"),
        ("Know it well", None, "", "no", "", "yes"),
        ("Not at all", None, "", "no", "", "yes"),  # "Not" isn't one of POPE's words
        ("Yes, it is not empty.", True, "", "yes", "yes", "no"),
        ("A picture of a street", None, "", "", "", "yes"),
        ("y", True, "", "yes", "", "yes"),
        ("Yes. No dog, though", True, "", "yes", "", "yes"),
    ],
)
def test_readings(answer, ours, exact, prefix, word, sentence):
    assert read_yes_no(answer) is ours
    found = [reading(answer) for reading in (exact_reading, prefix_reading, word_reading, first_sentence_reading)]
    assert found == [exact, prefix, word, sentence]


def test_scores_of_single_answers():
    found = {harness: score("Yes.", True) for harness, score in COMPAT["pope"].items()}
    assert found == {"official": 1.0, "lmms-eval": 0.0, "vlmevalkit": 1.0}


def test_lmms_eval_takes_the_yes_ratio_from_the_labels():
    said, labels = ["yes"] * 10, [True, False] * 5
    assert pope_lmms(said, labels)["yes_ratio"] == 0.5
    assert pope_official(said, labels)["yes_ratio"] == 1.0
    ours = {measure.metric: measure.value for measure in pope([True] * 10, labels)}
    assert ours["yes_ratio"] == 1.0


def test_lmms_eval_misses_nothing_by_an_unreadable_answer():
    found = {harness: score(["yes", "Yes."], [True, True]) for harness, score in AGGREGATES["pope"].items()}
    assert (found["lmms-eval"]["recall"], found["lmms-eval"]["accuracy"]) == (1.0, 0.5)
    assert found["vlmevalkit"]["recall"] == found["official"]["recall"] == 1.0
    ours = {measure.metric: measure.value for measure in pope([True, None], [True, True])}
    assert ours["recall"] == 0.5


def test_the_others_add_up_whatever_subtasks_there_are():
    found = mme_lmms(["yes", "No"], [True, False], ["count"] * 2, ["a.jpg"] * 2)
    assert found == {"perception": 200, "cognition": 0, "count": 200}
    assert mme([True, True], ["count"] * 2, ["a.jpg"] * 2)[0].value is None


def test_vlmevalkit_makes_a_figure_of_none():
    items = [HallusionItem("VS", "chart", "0", "0", "0", False), HallusionItem("VS", "chart", "0", "1", "0", True)]
    assert hallusion_vlmevalkit(items) == {"aAcc": 0.5, "fAcc": 0.5, "qAcc": 0.0}
    ours = {measure.metric: measure.value for measure in hallusion_bench(items)}
    assert ours["fAcc"] == 1.0
