"""Benchmarks of texts and mathematics in pictures: scores worked out by hand where a plausible rule differs."""

from __future__ import annotations

from typing import Any

import pytest
from benchmark_run import PICTURE, scores


def test_chartqa_is_the_mean_of_its_two_splits(tmp_path):
    asked = [
        ("human", "10", "10.5", 1),
        ("human", "10", "10.6", 0),
        ("human", "0.0", "0", 0),
        ("human", "Red", "red", 1),
        ("augmented", "50%", "0.49", 1),
        ("augmented", "10%", "10", 0),
    ]
    asked.insert(0, ("human", "2009", "2010", 1))
    rows = [{"question": "How much?", "image": PICTURE, "answer": right, "type": split} for split, right, _, _ in asked]
    found = scores(tmp_path, "chartqa", rows, [said for _, _, said, _ in asked])
    assert found["relaxed_accuracy", "split=human"] == pytest.approx(3 / 5)
    assert found["relaxed_accuracy", "split=augmented"] == 1 / 2
    assert found.headline == pytest.approx((3 / 5 + 1 / 2) / 2)
    assert found["relaxed_accuracy_micro", ""] == pytest.approx(4 / 7)
    # As people write them: the year is wrong, 0.0 is 0 and 10 is 10%.
    assert found["relaxed_number_match", "split=human"] == pytest.approx(3 / 5)
    assert found["relaxed_number_match", "split=augmented"] == 1


def test_textvqa_leaves_each_person_out(tmp_path):
    def people(word: str, count: int) -> list[str]:
        return [word] * count + [f"other{i}" for i in range(10 - count)]

    rows = [
        {"question_id": i, "question": "What?", "image": PICTURE, "answers": people(word, count)}
        for i, (word, count) in enumerate([("The Blue!", 3), ("two", 2), ("stop", 1), ("stop", 10)])
    ]
    found = scores(tmp_path, "textvqa", rows, ["blue", "2", "stop", "It says stop"])
    assert found.headline == pytest.approx((0.9 + 0.6 + 0.3 + 0) / 4)


def test_mathvista_compares_by_the_type_of_the_answer(tmp_path):
    def row(kind: str, answer: str, precision: float | None = None, choices: list[str] | None = None) -> dict[str, Any]:
        return {
            "question": "What?",
            "image": PICTURE,
            "choices": choices,
            "unit": None,
            "answer": answer,
            "question_type": "multi_choice" if choices else "free_form",
            "answer_type": kind,
            "precision": precision,
            "metadata": {"task": "figure question answering"},
        }

    angles = ["145°", "35°", "55°"]
    asked = [
        (row("integer", "3"), "It is 3.0", 1),
        (row("integer", "14"), "\\boxed{14.9}", 0),
        (row("float", "1.46", 2.0), "The answer is 1.456", 1),
        (row("float", "1.46", 2.0), "The answer is 1.4", 0),
        (row("list", "[2007, 2008]"), "Answer: [2007, 2008]", 1),
        (row("list", "[2007, 2008]"), "Answer: [2008, 2007]", 0),
        (row("text", "145°", choices=angles), "Thus the answer is (A).", 1),
        (row("text", "145°", choices=angles), "The angle is 35°", 0),
        (row("text", "145°", choices=angles), "It could be A or B", None),
        (row("text", "145°", choices=angles), "B is wrong, so the answer is A because of the sum.", 1),
    ]
    rows = [{**row, "pid": i} for i, (row, _, _) in enumerate(asked)]
    found = scores(tmp_path, "mathvista", rows, [said for _, said, _ in asked])
    assert found.headline == pytest.approx(sum(right or 0 for *_, right in asked) / len(asked))
    assert found.result["invalid"] == 1


def test_mathvision_and_mathverse_by_letter_or_value(tmp_path):
    pytest.importorskip("math_verify")
    options = ["8/11", "2", "3", "4", "5"]
    asked = [
        (options, "A", "\\boxed{A}", 1),
        (options, "A", "so \\boxed{\\frac{8}{11}}", 1),
        (options, "A", "\\boxed{2}", 0),
        (options, "A", "The correct answer is **A**, since 8/11 is the ratio.", 1),
        ([], "2.5", "\\boxed{\\frac{5}{2}}", 1),
        ([], "3.14", "$\\boxed{\\pi}$", 1),
        ([], "12", "\\boxed{12 cm}", 1),
    ]
    rows = [
        {
            "id": i,
            "question": "What?",
            "image": PICTURE,
            "options": options,
            "answer": right,
            "subject": "algebra",
            "level": 1,
        }
        for i, (options, right, _, _) in enumerate(asked)
    ]
    found = scores(tmp_path, "mathvision", rows, [said for _, _, said, _ in asked])
    assert found.headline == pytest.approx(6 / 7)

    versions = ["Text Dominant", "Text Dominant", "Text Dominant", "Vision Only", "Text Only"]
    rows = [
        {
            "sample_index": i,
            "problem_index": i % 3,
            "problem_version": version,
            "image": PICTURE,
            "answer": "B",
            "question_for_eval": "Find x.\nChoices:\nA:4\nB:5\nC:6",
        }
        for i, version in enumerate(versions)
    ]
    found = scores(tmp_path / "v", "mathverse", rows, ["B", "x = 5, so \\boxed{B}", "\\boxed{5}", "A", "B"])
    assert found.headline == pytest.approx(1 / 2)  # of the versions with a picture; of all questions 4/5
    assert found["accuracy", "version=Text Only"] == 1


def test_docvqa_counts_lengths_without_blanks_and_drops_half(tmp_path):
    pairs = [("abc", "abd"), ("ab", "ax"), ("abc", "axx" + " " * 6), ("Seven  Days", "seven days")]
    rows = [
        {"questionId": i, "question": "What?", "image": PICTURE, "answers": [right, "zzzzzzzzzzzz"]}
        for i, (right, _) in enumerate(pairs)
    ]
    found = scores(tmp_path, "docvqa", rows, [said for _, said in pairs])
    # 2/3, then exactly half is 0, then 1/3 is 0 however padded, then equal but for case and blanks.
    assert found.headline == pytest.approx((2 / 3 + 0 + 0 + 1) / 4)
    assert found.compat["lmms-eval"] == pytest.approx((2 / 3 + 1 / 2 + 7 / 9 + 1) / 4)


def test_ocrbench_counts_points_and_keeps_the_case_of_formulas(tmp_path):
    kinds = ["Regular Text Recognition", "Handwritten Mathematical Expression Recognition", "Scene Text-centric VQA"]
    asked = [
        (kinds[0], "IC13", ["EXIT"], "It says\nexit.", 1),
        (kinds[1], "HME100k", ["x ^ 2 + Y"], "$x^2+Y$", 1),
        (kinds[1], "HME100k", ["x ^ 2 + Y"], "x^2+y", 0),
        (kinds[2], "ST", ["two words"], "two\nwords", 1),
        (kinds[2], "ST", ["a", "b"], "zzz", 0),
    ]
    rows = [
        {"question": "What?", "image": PICTURE, "answer": right, "question_type": kind, "dataset": data}
        for kind, data, right, _, _ in asked
    ]
    found = scores(tmp_path, "ocrbench", rows, [said for *_, said, _ in asked])
    assert found.headline == pytest.approx(600)
    assert found["accuracy", "part=Text Recognition"] == 1
    assert found["accuracy", f"part={kinds[1]}"] == 1 / 2
