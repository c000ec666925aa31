"""`vergence seed-bench`: submissions, their check, tables and a page, of runs and of prediction files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from seed_files import media, v1_question, v2_question, write
from seed_stub_model import StubModel

from vergence.cli import main
from vergence.errors import DataError, UsageError
from vergence.evaluation.runner import Processes, RunSettings, run_tasks
from vergence.evaluation.seed_bench.command import (
    validate_file,
    write_leaderboard,
    write_run_submission,
    write_tables,
)
from vergence.evaluation.seed_bench.predictions import score_recorded
from vergence.evaluation.seed_bench.runs import results_of
from vergence.evaluation.seed_bench.task import SeedBench
from vergence.evaluation.task import TaskOptions
from vergence.progress import Progress

V2 = [v2_question(number, dimension) for dimension in (1, 17, 23) for number in range(4)]
V1 = [v1_question(number, dimension) for dimension in (3, 5) for number in range(4)]


def evaluated(tmp_path: Path, name: str, *editions: str, model: StubModel | None = None, **options: Any) -> Path:
    """The folder of a run with the stub, which answers B, over the questions above."""
    data = tmp_path / "data"
    write(data, "2", V2)
    write(
        data, "1", [{**question, "question_id": f"{question['question_type_id']}{i}"} for i, question in enumerate(V1)]
    )
    media(data, V2)
    media(data, [{**question, "data_source": "cc3m"} for question in V1])
    settings = {"method": "generate", **options}
    tasks = [SeedBench(edition, TaskOptions(data=data, **settings)) for edition in editions]
    quiet = Progress(io.StringIO())
    run_tasks(
        model or StubModel("B"), tasks, tmp_path / name, RunSettings(repeats=2), processes=Processes(), progress=quiet
    )
    return tmp_path / name


def prediction_file(path: Path, letters: str = "B", **fields: Any) -> Path:
    """A file as published, over the questions of version 2."""
    rows = [
        {"question_id": q["question_id"], "prediction": letters[i % len(letters)], "gt_answer": q["answer"], **fields}
        for i, q in enumerate(V2)
    ]
    path.write_text("".join(json.dumps(row) + ",\n" for row in rows))
    return path


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_a_run_becomes_a_valid_submission(tmp_path):
    run = evaluated(tmp_path, "run", "2")
    output = tmp_path / "out" / "results.json"
    assert write_run_submission(run, output) == f"{output}: 12 predictions for 12 questions (of 24371 published)"
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert lines == [{"question_id": question["question_id"], "prediction": "B"} for question in V2]
    questions = tmp_path / "data" / "SEED-Bench_v2_level1_2_3.json"
    assert validate_file(output, questions) == f"{output}: a valid submission for seed-bench-2"
    empty = tmp_path / "empty.json"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=r"empty\.json: not a valid submission for seed-bench-2: it has no answers"):
        validate_file(empty, questions)
    scored = score_recorded(output, version="2", questions=questions)
    (same,) = results_of([run])
    assert {name: found["micro"] for name, found in scored["averages"].items()} == {
        name: found["micro"] for name, found in same["averages"].items()
    }


def test_answers_without_a_letter_are_left_out_and_told(tmp_path):
    class Unsure(StubModel):
        def answer(self, prompts):
            for index, answer in super().answer(prompts):
                self.text = "B" if self.text != "B" else "I can't say."
                yield index, answer

    run = evaluated(tmp_path, "run", "2", model=Unsure("B"))
    told = write_run_submission(run, tmp_path / "r.json").splitlines()
    assert told[0].endswith("r.json: 6 predictions for 12 questions (of 24371 published)")
    assert told[1] == "missing question_id: 6 (1_1, 1_3, 17_1, 17_3, 23_1, ...)"
    with pytest.raises(DataError, match=r"r\.json: not a valid submission for seed-bench-2: missing question_id: 6 \("):
        validate_file(tmp_path / "r.json", tmp_path / "data" / "SEED-Bench_v2_level1_2_3.json")


def test_of_several_tasks_one_is_named_by_its_file(tmp_path):
    run = evaluated(tmp_path, "run", "1", "2")
    with pytest.raises(UsageError, match=r"holds 2 tasks of SEED-Bench.*seed-bench-1\.jsonl or .*seed-bench-2\.jsonl"):
        write_run_submission(run, tmp_path / "r.json")
    told = write_run_submission(run / "seed-bench-1.jsonl", tmp_path / "r.json")
    assert told.endswith("r.json: 8 predictions for 8 questions (of 19242 published)")


def other_run(tmp_path: Path, **changes: Any) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    whole = {"format": 1, "model": {"name": "m"}, "tasks": {"mmmu": {}, "ai2d": {}}, **changes}
    (folder / "results.json").write_text(json.dumps(whole))
    return folder


def test_a_run_without_seed_bench_is_refused_by_all(tmp_path):
    folder = other_run(tmp_path)
    message = r"other: no task of SEED-Bench was evaluated there \(its tasks: mmmu, ai2d\)"
    with pytest.raises(DataError, match=message):
        write_run_submission(folder, tmp_path / "r.json")
    with pytest.raises(DataError, match=message):
        write_tables([folder], tmp_path / "tables")
    with pytest.raises(DataError, match=message):
        write_leaderboard([folder / "results.json"], tmp_path / "page.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other"]


@pytest.mark.parametrize(
    ("task", "line", "message"),
    [
        ({}, None, "no such file"),
        ({"samples": "x.jsonl"}, None, r"x\.jsonl: no such file; .*results\.json names it"),
        ({"samples": "s.jsonl"}, {"id": "1", "repeat": 0}, "'1' is not an answer to a question of SEED-Bench"),
        ({"samples": "s.jsonl"}, {"error": "gone"}, r"s\.jsonl: no predictions to submit \(1 samples\)"),
        ({"samples": "s.jsonl"}, {"extracted": "F"}, r"r\.json: not written: prediction that is not a letter .*: 1 \("),
        ({"samples": "s.jsonl"}, {"tags": {}}, "'1' is not an answer to a question of SEED-Bench"),
    ],
)
def test_samples_that_cannot_be_submitted_are_named(tmp_path, task, line, message):
    folder = other_run(tmp_path, tasks={"seed-bench-2": task})
    whole = {"id": "1", "repeat": 0, "question": "?", "choices": ["a", "b"], "tags": {"dimension": 1}}
    whole |= {"error": None, "extracted": "A"}
    if line is not None:
        content = line if line.keys() == {"id", "repeat"} else {**whole, **line}
        (folder / "s.jsonl").write_text(json.dumps(content) + "\n")
    with pytest.raises(DataError, match=message):
        write_run_submission(folder, tmp_path / "r.json")
    assert not (tmp_path / "r.json").exists()


def submission(path: Path, *entries: tuple[Any, Any]) -> Path:
    path.write_text("".join(json.dumps({"question_id": name, "prediction": letter}) + "\n" for name, letter in entries))
    return path


GOOD = [(question["question_id"], "A") for question in V2]


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ([*GOOD, ("9_9", "A"), ("9_8", "A")], "unknown question_id: 2 (9_9, 9_8)"),
        ([*GOOD, GOOD[0]], "duplicate question_id: 1 (1_0)"),
        (GOOD[2:], "missing question_id: 2 (1_0, 1_1)"),
        ([("1_0", "E"), *GOOD[1:]], "prediction that is not a letter of its question: 1 (1_0 'E')"),
        (
            [("1_0", "b"), ("1_1", None), *GOOD[2:]],
            "prediction that is not a letter of its question: 2 (1_0 'b', 1_1 None)",
        ),
    ],
)
def test_a_faulty_submission_is_one_line_with_the_file_and_the_count(tmp_path, entries, fault):
    questions = write(tmp_path, "2", V2)
    path = submission(tmp_path / "mine.json", *entries)
    with pytest.raises(DataError) as caught:
        validate_file(path, questions)
    assert str(caught.value) == f"{path}: not a valid submission for seed-bench-2: {fault}"


def test_a_submission_may_leave_whole_dimensions_out(tmp_path):
    questions = write(tmp_path, "2", V2)
    told = validate_file(submission(tmp_path / "mine.json", *GOOD[:8]), questions).splitlines()
    assert told[1] == "dimension without predictions (counts as 0 on the leaderboard): 1 (23)"


def test_faults_of_the_question_file_are_told_too(tmp_path):
    questions = write(tmp_path, "1", [*V1, {"question_id": "x"}], names={})
    renamed = questions.rename(tmp_path / "mine-1.json")  # known by its fields
    good = [(question["question_id"], "A") for question in {q["question_id"]: q for q in V1}.values()]
    told = validate_file(submission(tmp_path / "s.json", *good), renamed).splitlines()
    assert told[0].endswith("s.json: a valid submission for seed-bench-1")
    assert told[1] == f"{renamed}: duplicate question_id (the first one is used): 4 (100000, 100001, 100002, 100003)"
    assert told[2] == f"{renamed}: missing field 'question': 1 (x)"


def test_tables_hold_runs_and_prediction_files(tmp_path):
    run = evaluated(tmp_path, "run", "1", "2")
    published = prediction_file(tmp_path / "gpt.json", "ABCD")
    written = write_tables([run, published], tmp_path / "tables")
    assert [path.name for path in written] == ["result.csv", "result_task.csv", "result_v2.csv", "result_v2_task.csv"]
    ours, theirs = rows(written[2])
    assert (ours["Model"], ours["Evaluation Method"], ours["Avg. Single"]) == ("stub", "Generate", "25.0")
    assert (theirs["Model"], theirs["Evaluation Method"], theirs["Avg. P2"]) == ("gpt", "NG", "100.0")
    assert ours["Avg. Video"] == ours["Avg. P3"] == ""  # not evaluated, which is not 0
    (first,) = rows(written[0])
    assert (first["Avg. All"], first["Avg. Img"], first["Avg. Video"]) == ("25.0", "25.0", "")


def test_tables_are_of_the_two_editions_that_the_leaderboard_has(tmp_path):
    path = tmp_path / "h.json"
    path.write_text('{"question_id": "33_0", "prediction": "A", "gt_answer": "A"}\n')
    with pytest.raises(DataError, match="tables for seed-bench-1 and seed-bench-2; the runs are of seed-bench-h"):
        write_tables([path], tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_the_page_holds_runs_results_and_prediction_files(tmp_path):
    first = evaluated(tmp_path, "first", "2")
    second = evaluated(tmp_path, "second", "2", method="likelihood", preset="internlm-xcomposer")
    published = prediction_file(tmp_path / "gpt.json", "ABCC")
    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps(score_recorded(published, version="2", model={"name": "Saved"})))
    output = write_leaderboard([first, second / "results.json", published, saved], tmp_path / "pages" / "board.html")
    html = output.read_text()
    for piece in (
        "stub (first)",
        "stub (second)",
        "gpt",
        "Saved",
        "PPL for A/B/C/D",
        "Generate",
        "75.0",
        "6 of 8",
    ):
        assert piece in html, piece
    assert "://" not in html


def test_models_of_the_same_name_are_told_apart_by_their_runs(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    paths = [prediction_file(tmp_path / folder / "gpt.json") for folder in "ab"]
    other = prediction_file(tmp_path / "other.json")
    names = [result["model"]["name"] for result in results_of([*paths, other])]
    assert names == [f"gpt ({paths[0]})", f"gpt ({paths[1]})", "other"]
    official = [prediction_file(tmp_path / folder / "results.json") for folder in "ab"]  # what eval.py calls it
    assert [result["model"]["name"] for result in results_of(official)] == ["results (a)", "results (b)"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"edition": "2"}', "not a result of SEED-Bench"),
        ('{"edition": "2", "model": {}, "dimensions": [{"id": 1}], "problems": []}', "not a result of SEED-Bench"),
        ("{}", "no predictions in it: record without question_id: 1"),
        ("hello", "no predictions in it: line that is not JSON: 1"),
        ('{"question_id": "5_0", "prediction": "A"}', "no gt_answer, and no question file is given .*: 1"),
    ],
)
def test_a_file_that_holds_no_results_is_named(tmp_path, content, message):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DataError, match=rf"x\.json: .*{message}"):
        write_leaderboard([path], tmp_path / "page.html")
    with pytest.raises(DataError, match=r"gone\.json: can't be read"):
        write_leaderboard([tmp_path / "gone.json"], tmp_path / "page.html")


def test_measures_of_another_form_are_named(tmp_path):
    folder = other_run(tmp_path, tasks={"seed-bench-1": {"measures": [{"metric": "accuracy"}]}})
    with pytest.raises(DataError, match=r"results\.json: seed-bench-1 is not as an evaluation writes it"):
        results_of([folder])


def test_the_command_line_calls_them(tmp_path, capsys):
    questions = write(tmp_path, "2", V2)
    good = submission(tmp_path / "good.json", *GOOD)
    assert main(["seed-bench", "validate", str(good), "--questions", str(questions)]) == 0
    assert "a valid submission for seed-bench-2" in capsys.readouterr().out
    bad = submission(tmp_path / "bad.json", *GOOD, GOOD[0])
    assert main(["seed-bench", "validate", str(bad), "--questions", str(questions)]) != 0
    assert "duplicate question_id: 1 (1_0)" in capsys.readouterr().err
    page = tmp_path / "page.html"
    assert main(["seed-bench", "leaderboard", str(prediction_file(tmp_path / "gpt.json")), "--output", str(page)]) == 0
    assert page.is_file()
    tables = tmp_path / "tables"
    assert main(["seed-bench", "tables", str(tmp_path / "gpt.json"), "--output", str(tables)]) == 0
    assert sorted(path.name for path in tables.iterdir()) == ["result_v2.csv", "result_v2_task.csv"]
