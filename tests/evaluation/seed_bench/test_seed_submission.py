"""Submission files: written and read again, and every fault of one named with its count."""

from __future__ import annotations

import json

import pytest
from seed_files import v2_question, write

from vergence.errors import DataError
from vergence.evaluation.seed_bench.predictions import score_recorded
from vergence.evaluation.seed_bench.questions import load_questions
from vergence.evaluation.seed_bench.submission import validate_submission, write_submission


@pytest.fixture
def questions(tmp_path):
    return load_questions(write(tmp_path, "2", [v2_question(n, d) for d in (1, 5, 23) for n in range(4)]), "2").samples


def line(identifier, letter="A", **more) -> str:
    return json.dumps({"question_id": identifier, "prediction": letter, **more}) + "\n"


def test_a_written_file_is_valid_and_scores_as_it_should(tmp_path, questions):
    letters = {sample.id: "ABCD"[sample.reference] for sample in questions}
    path = tmp_path / "results.json"
    assert write_submission(path, dict(reversed(letters.items())), questions) == ()
    assert path.read_text().splitlines()[4] == '{"question_id": "5_0", "prediction": "A"}'
    assert validate_submission(path, questions) == ()
    result = score_recorded(path, version="2", questions=tmp_path / "SEED-Bench_v2_level1_2_3.json")
    assert result["averages"]["Avg. All"]["micro"] == 100
    assert result["problems"] == []


def test_what_is_left_out_is_told(tmp_path, questions):
    found = write_submission(
        tmp_path / "r.json", {"1_0": "A", "1_1": "B", "1_2": "B", "1_3": "D", "5_1": "C"}, questions
    )
    assert [str(problem) for problem in found] == [
        "missing question_id: 3 (5_0, 5_2, 5_3)",
        "dimension without predictions (counts as 0 on the leaderboard): 1 (23)",
    ]
    assert validate_submission(tmp_path / "r.json", questions, dimensions=[1]) == ()
    (problem,) = validate_submission(tmp_path / "r.json", questions, dimensions=[1, 23])
    assert str(problem) == "missing question_id: 4 (23_0, 23_1, 23_2, 23_3)"


def test_nothing_is_written_for_predictions_that_cannot_be_submitted(tmp_path, questions):
    path = tmp_path / "results.json"
    with pytest.raises(
        DataError, match=r"not written: unknown question_id: 1 \(9_9\); prediction that is not a letter"
    ):
        write_submission(path, {"9_9": "A", "5_0": "E", "5_1": "B"}, questions)
    assert not path.exists()


def test_every_fault_is_named_with_its_count(tmp_path, questions):
    path = tmp_path / "results.json"
    content = [
        line("1_0"),
        line("1_0", "B"),
        line("1_1", "b"),
        line("1_2", "A "),
        line("1_3", 3),
        line("7_7"),
        line("5_0", gt_answer="A"),
        '{"question_id": "5_1", "prediction": "A"},\n',
        "\n",
        '{"question_id": "5_2"}\n',
        '["5_3", "A"]\n',
        "5_3: A\n",
        line(53),
        line("23_0").rstrip("\n"),
    ]
    path.write_text("".join(content))
    assert [str(problem) for problem in validate_submission(path, questions)] == [
        "duplicate question_id: 1 (1_0)",
        "prediction that is not a letter of its question: 3 (1_1 'b', 1_2 'A ', 1_3 3)",
        "unknown question_id: 1 (7_7)",
        "key 'gt_answer' that doesn't belong here: 1 (line 7)",
        "comma behind the object: 1 (line 8)",
        "empty line: 1 (line 9)",
        "missing key 'prediction': 1 (line 10)",
        "line that is not one object: 1 (line 11)",
        "line that is not JSON: 1 (line 12)",
        "question_id that is not text: 1 (line 13)",
        "missing question_id: 6 (5_1, 5_2, 5_3, 23_1, 23_2, ...)",
    ]


def test_a_file_that_cannot_be_read_is_refused(tmp_path, questions):
    with pytest.raises(DataError, match="can't be read"):
        validate_submission(tmp_path / "gone.json", questions)
    (tmp_path / "x.json").write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match="UTF-8"):
        validate_submission(tmp_path / "x.json", questions)
