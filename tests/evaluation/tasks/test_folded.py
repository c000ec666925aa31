"""Records of a question in all orders of its options, folded into one."""

from __future__ import annotations

from vergence.evaluation.results import task_result
from vergence.evaluation.task import Answer, Measure, Record, Sample, Verdict
from vergence.evaluation.tasks.orders import folded


def record(question: str, turn: int, right: float, **compat: float) -> Record:
    sample = Sample(f"{question}#{turn}", "?", choices=("a", "b"), tags={"question": question, "rotation": turn})
    return Record(sample, Answer("A"), Verdict({"accuracy": right}, "A", compat=compat))


RECORDS = [
    record("one", 0, 1.0, strict=1.0, lenient=1.0),
    record("one", 1, 1.0, strict=0.0, lenient=1.0),
    record("two", 0, 1.0, strict=1.0, lenient=1.0),
    record("two", 1, 0.0, strict=1.0),
    record("three", 0, 1.0, strict=1.0, lenient=1.0),  # its second order has no record
]


def test_a_question_is_as_right_as_its_worst_order_for_every_harness():
    one, two = folded(RECORDS)
    assert (one.verdict.scores, one.verdict.compat) == ({"accuracy": 1.0}, {"strict": 0.0, "lenient": 1.0})
    assert (two.verdict.scores, two.verdict.compat) == ({"accuracy": 0.0}, {"strict": 1.0})


def test_the_columns_of_other_harnesses_count_questions_and_not_orders():
    class Whole:
        name, version = "whole", 1

        def definition(self):
            return {}

        def aggregate(self, records):
            return [Measure("accuracy", None, len(records))]

    result = task_result(Whole(), RECORDS, "whole.jsonl")
    assert {m["metric"]: (m["value"], m["n"]) for m in result["compat"]} == {"strict": (0.5, 2), "lenient": (1.0, 1)}
