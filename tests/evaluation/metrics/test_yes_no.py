"""Reading yes and no; POPE, HallusionBench, MME and CHAIR."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.evaluation.metrics.yes_no import (
    MME_COGNITION,
    MME_PERCEPTION,
    HallusionItem,
    chair,
    hallusion_bench,
    mme,
    pope,
    read_yes_no,
)
from vergence.evaluation.task import Measure


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("yes", True),
        ("Yes.", True),
        ("**No**", False),
        ("no, there is a dog", False),
        ("Yes, there is no dog on the sofa.", True),
        ("Yes there is", True),
        ("No there isn't", False),
        ("No, it is not a yes", False),
        ("Y", True),
        ("n.", False),
        ("I look at the picture.\n\nYes.", True),
        ("I see a dog, no cat. The answer is yes.", True),
        ("Yes. Wait. The answer is: no", False),
        ("Yes... \\boxed{\\text{No}}", False),
        ("<answer>yes</answer>", True),
        ("Nope", False),
        ("No dogs are visible.", None),
        ("No one", None),
        ("There is no dog in the picture.", None),
        ("There are not any", None),
        ("yes or no", None),
        ("Yes/No", None),
        ("Yes and no", None),
        ("The answer is not clear", None),
        ("yesterday", None),
        ("north", None),
        ("unknown", None),
        ("Is it a dog? Maybe.\nIt could be, yes", None),
        ("", None),
        ("   \n", None),
    ],
)
def test_read_yes_no(answer, said):
    assert read_yes_no(answer) is said


@given(st.text(max_size=30))
def test_any_text_can_be_asked_for_yes_or_no(text):
    assert read_yes_no(text) in (True, False, None)


def values(measures: list[Measure], group: str = "") -> dict[str, float | None]:
    return {measure.metric: measure.value for measure in measures if measure.group == group}


def test_pope_by_hand():
    labels = [True, True, True, False, False]
    answers = [True, False, None, True, False]
    found = values(pope(answers, labels))
    assert found == pytest.approx(
        {"f1": 0.4, "accuracy": 0.4, "precision": 0.5, "recall": 1 / 3, "yes_ratio": 0.4, "invalid_ratio": 0.2}
    )


def test_pope_counts_the_yes_of_the_answers_not_of_the_labels():
    labels = [True, False] * 10
    assert values(pope([True] * 20, labels))["yes_ratio"] == 1
    assert values(pope([False] * 20, labels))["yes_ratio"] == 0


def test_pope_by_setting_and_what_can_not_be_measured():
    found = pope([True, False, False], [True, True, False], ["random", "random", "popular"])
    assert found[0].metric == "f1"
    assert values(found, "setting=random")["recall"] == 0.5
    popular = values(found, "setting=popular")
    assert popular["precision"] is popular["recall"] is popular["f1"] is None
    assert popular["accuracy"] == 1
    assert values(pope([], []))["accuracy"] is None


@given(st.lists(st.tuples(st.sampled_from([True, False, None]), st.booleans()), min_size=1, max_size=30))
def test_f1_is_the_harmonic_mean(pairs):
    found = values(pope([a for a, _ in pairs], [label for _, label in pairs]))
    if found["precision"] and found["recall"]:
        harmonic = 2 / (1 / found["precision"] + 1 / found["recall"])
        assert found["f1"] == pytest.approx(harmonic)
    elif found["f1"] is not None:
        assert found["f1"] == 0


def item(ids: str, correct: bool, category: str = "VD") -> HallusionItem:
    set_id, figure, question = ids.split("-")
    return HallusionItem(category, "chart", set_id, figure, question, correct)


def test_hallusion_bench_by_hand():
    # Two figures, two wordings: one question of figure 1 is wrong.
    items = [item("0-0-0", True), item("0-0-1", True), item("0-1-0", True), item("0-1-1", False)]
    assert values(hallusion_bench(items)) == pytest.approx({"mean": 1.75 / 3, "aAcc": 0.75, "fAcc": 0.5, "qAcc": 0.5})


def test_a_question_without_a_figure_is_in_no_figure():
    items = [item("0-0-0", False, "VS"), item("0-1-0", True, "VS")]
    found = values(hallusion_bench(items))
    assert (found["aAcc"], found["fAcc"], found["qAcc"]) == (0.5, 1.0, 0.0)
    assert values(hallusion_bench([item("0-0-0", True), item("1-0-0", False)]))["fAcc"] == 0.5  # not so for "VD"


def test_mme_by_hand():
    found = mme([True, True, True, False], ["count"] * 4, ["a", "a", "b", "b"])
    assert values(found, "subtask=count") == {"score": 75 + 50}
    assert values(found) == {"total": None, "perception": None, "cognition": None}


def test_mme_sums_over_complete_parts():
    names = MME_PERCEPTION + MME_COGNITION
    subtasks = [name for name in names for _ in range(2)]
    images = [f"{name}.jpg" for name in subtasks]
    assert values(mme([True] * 28, subtasks, images)) == {"total": 2800, "perception": 2000, "cognition": 800}
    half = [index % 2 == 0 for index in range(28)]
    assert values(mme(half, subtasks, images)) == {"total": 700, "perception": 500, "cognition": 200}
    found = values(mme([True] * 20, subtasks[:20], images[:20]))
    assert found == {"total": None, "perception": 2000, "cognition": None}


def test_mme_needs_pairs():
    with pytest.raises(ValueError, match=r"MME count, picture a: 1 questions, expected 2"):
        mme([True], ["count"], ["a"])


def test_chair_by_hand():
    found = chair([["dog", "cat", "cat"], ["dog"], []], [{"dog", "car"}, {"dog"}, {"bird"}])
    assert values(found) == pytest.approx({"chair_i": 0.5, "chair_s": 1 / 3, "recall": 0.5})
    assert values(chair([[]], [{"dog"}])) == {"chair_i": None, "chair_s": 0, "recall": 0}
