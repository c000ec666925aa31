"""OVO-Bench, StreamingBench and OVBench."""

from __future__ import annotations

import pytest

from vergence.evaluation.metrics.streaming import (
    OVO_GROUPS,
    Proactive,
    ovbench,
    ovo_bench,
    ovo_forward_correct,
    poll_times,
    proactive_output,
    streaming_bench,
)


def by_name(measures):
    return {(measure.metric, measure.group): measure.value for measure in measures}


# The results that OVO-Bench's README prints for Gemini 1.5 Pro, in percent.
GEMINI = {
    "HLD": 52.69,
    "ASI": 75.68,
    "EPM": 58.59,
    "STU": 54.49,
    "OJR": 67.39,
    "ATR": 80.17,
    "FPD": 68.32,
    "ACR": 66.97,
}
GEMINI |= {"OCR": 87.25, "REC": 35.53, "SSR": 74.24, "CRR": 61.67}


def test_ovo_bench_reproduces_the_printed_means():
    correct, tasks = [], []
    for task, percent in GEMINI.items():
        right = round(percent * 100)
        correct += [True] * right + [False] * (10_000 - right)
        tasks += [task] * 10_000
    found = by_name(ovo_bench(correct, tasks))
    assert found["accuracy", "group=backward"] == pytest.approx(0.6232, abs=5e-5)
    assert found["accuracy", "group=realtime"] == pytest.approx(0.7077, abs=5e-5)
    assert found["accuracy", "group=forward"] == pytest.approx(0.5715, abs=5e-5)
    assert found["task_accuracy", ""] == pytest.approx(0.6525, abs=5e-5)
    assert found["accuracy", ""] == pytest.approx((0.6232 + 0.7077 + 0.5715) / 3, abs=1e-4)
    assert found["micro_accuracy", ""] == pytest.approx(found["task_accuracy", ""])  # all tasks are as large here


def test_ovo_bench_of_some_tasks():
    found = by_name(ovo_bench([True, None, True], ["EPM", "EPM", "OCR"]))
    assert found["accuracy", "group=forward"] is None
    assert found["accuracy", ""] == 0.75
    assert found["invalid_ratio", ""] == pytest.approx(1 / 3)
    assert sum(map(len, OVO_GROUPS.values())) == 12
    with pytest.raises(ValueError, match="unknown task 'XYZ'"):
        ovo_bench([True], ["XYZ"])


@pytest.mark.parametrize(
    ("task", "answer", "reference", "right"),
    [
        ("REC", "3 times", 3, True),
        ("REC", "three", 3, True),
        ("REC", "2 on the left, 3 on the right: 5", 5, True),
        ("REC", "2 of 3", 23, False),
        ("REC", "many", 3, None),
        ("SSR", "Yes", True, True),
        ("SSR", "No, not yet", 1, False),
        ("CRR", "No.", 0, True),
        ("CRR", "Not enough", 0, None),
    ],
)
def test_forward_answers(task, answer, reference, right):
    assert ovo_forward_correct(task, answer, reference) is right


def test_other_tasks_have_options():
    with pytest.raises(ValueError, match="isn't a forward task"):
        ovo_forward_correct("EPM", "A", 1)


def test_streaming_bench_counts_missing_answers():
    found = by_name(
        streaming_bench([True, None, True, False], ["OP", "OP", "CT", "SQA"], ["real", "real", "real", "context"])
    )
    assert found["accuracy", ""] == 0.5
    assert found["accuracy", "category=real"] == pytest.approx(2 / 3)
    assert found["accuracy", "task=OP"] == 0.5
    assert found["invalid_ratio", ""] == 0.25


def test_polling():
    assert list(poll_times(10, 12)) == [11, 12, 13, 14, 15, 16]
    assert list(poll_times(10, 12, slack=0)) == [11, 12]


def test_proactive_answers():
    answers = [
        Proactive(12.0, "The score is 3.", 10, "3"),
        Proactive(12.1, "3", 10, "3"),
        Proactive(8.0, "13", 10, "3"),
        Proactive(10.0, "RED card", 10, "red"),
        Proactive(None, "", 10, "3"),
    ]
    found = by_name(proactive_output(answers, (2.0, 4.0)))
    assert (found["time_accuracy", ""], found["accuracy", ""]) == (0.6, 0.4)
    assert (found["time_accuracy", "within=4s"], found["accuracy", "within=4s"]) == (0.8, 0.6)


def test_an_output_with_signs_is_found():
    assert Proactive(1, "it says 5:3!", 1, "5:3").right(2)
    assert Proactive(1, "Total $5.", 1, "$5").right(2)


def test_ovbench_has_both_means():
    found = by_name(
        ovbench([True, True, True, False, None], ["FP", "FP", "FP", "SP", "SP"], ["AA", "AA", "AA", "AL", "OP"],
                ["future"] * 3 + ["present"] * 2)
    )  # fmt: skip
    assert found["accuracy", ""] == pytest.approx(1 / 3)
    assert found["micro_accuracy", ""] == pytest.approx(3 / 5)
    assert found["micro_accuracy", "context=future"] == 1.0
    assert found["micro_accuracy", "type=SP"] == 0.0
    assert found["accuracy", "subtask=AL"] == 0.0
    assert found["invalid_ratio", ""] == 0.2
