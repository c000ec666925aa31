"""Recorded predictions: the forms of a file, both readings, everything that can be wrong, and the published figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from seed_files import v1_question, write

from vergence.errors import DataError, UsageError
from vergence.evaluation.seed_bench.prediction_file import read_predictions
from vergence.evaluation.seed_bench.predictions import edition_of_predictions, score_recorded, table_text

# The published file, where it lies beside the checkout.
PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "seed-bench" / "seed-bench-2-gpt-4v.json"


def record(identifier: str, prediction: object = "A", answer: str | None = "A") -> dict[str, object]:
    return {"question_id": identifier, "prediction": prediction, **({} if answer is None else {"gt_answer": answer})}


def save(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "model-x.json"
    path.write_text(text, encoding="utf-8")
    return path


def lines(*records: object, end: str = "") -> str:
    return "".join(json.dumps(one) + end + "\n" for one in records)


def problems(result) -> dict[str, int]:
    return {problem["kind"]: problem["count"] for problem in result["problems"]}


RECORDS = [record("1_0"), record("1_1", "B"), record("17_0", "C", "C"), record("23_4", "D", "A")]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=1),
        lines(*RECORDS),
        lines(*RECORDS, end=","),
        "\ufeff" + lines(*RECORDS),
        "[\n" + lines(*RECORDS, end=",") + "]\n",
        lines(*RECORDS).replace("\n", "\r\n\r\n"),
        lines(*({"q_id": r["question_id"], "prediction": r["prediction"], "gt": r["gt_answer"]} for r in RECORDS)),
    ],
)
def test_every_form_of_a_file_is_the_same(tmp_path, text):
    result = score_recorded(save(tmp_path, text), version="seed-bench-2")
    assert result["problems"] == []
    averages = result["averages"]
    assert [averages[name]["correct"] for name in ("Avg. Single", "Avg. Multi", "Avg. P2")] == [1, 1, 0]
    assert averages["Avg. P1"]["n"] == 3
    assert json.loads(json.dumps(result)) == result


def test_both_readings_stand_side_by_side(tmp_path):
    text = lines(
        record("5_0", "A", "A"),
        record("5_0", "B", "A"),
        record("5_1", "C", "C "),
        record("5_2", "D", "D"),
        record("5_2", "D", "D"),
    )
    result = score_recorded(save(tmp_path, text), version="2")
    assert (result["averages"]["Avg. P1"]["n"], result["averages"]["Avg. P1"]["correct"]) == (5, 3)
    corrected = result["corrected"]["averages"]["Avg. P1"]
    assert (corrected["n"], corrected["correct"]) == (3, 3)
    assert result["duplicates"] == {"count": 2, "ids": ["5_0", "5_2"], "contradicting": ["5_0"]}
    last = score_recorded(save(tmp_path, text), version="2", duplicates="last")["corrected"]["averages"]["Avg. P1"]
    assert (last["n"], last["correct"]) == (3, 2)
    assert problems(result) == {
        "gt_answer that is not exactly a capital letter": 1,
        "duplicate question_id": 2,
        "duplicate question_id with different predictions": 1,
        "right letter that exact comparison counts as wrong": 1,
    }


def test_every_fault_is_named_with_its_count_and_the_rest_is_scored(tmp_path):
    text = lines(
        record("5_0"),
        record("5_1", "The answer is B", "B"),
        record("5_2", None, "B"),
        record("5_3", "c", "C"),
        record("99_1"),
        record("102030"),
        record("5_4", "A", None),
        record("5_5", "A", "yes"),
        ["a list"],
        {"prediction": "A"},
        {"question_id": "5_6"},
        {"question_id": [1], "prediction": "A"},
    )
    result = score_recorded(save(tmp_path, text + '{"question_id": "5_7", "pred\n'), version="2")
    assert problems(result) == {
        "prediction that is not a letter (invalid, counted as wrong)": 2,
        "prediction that is not exactly a capital letter": 1,
        "gt_answer that is not a letter (not used)": 1,
        "record that is not an object": 1,
        "record without question_id": 1,
        "record without prediction": 1,
        "question_id of a wrong type": 1,
        "line that is not JSON": 1,
        "question_id that is none of seed-bench-2 (not scored)": 2,
        "no gt_answer, and no question file is given (not scored)": 2,
        "right letter that exact comparison counts as wrong": 1,
    }
    assert (result["records"], result["invalid"]) == (4, 2)
    assert (result["averages"]["Avg. P1"]["correct"], result["averages"]["Avg. P1"]["n"]) == (1, 4)
    assert result["corrected"]["averages"]["Avg. P1"]["correct"] == 2


def test_version_1_ids_tell_pictures_from_videos_only(tmp_path):
    text = lines(record("101669"), record("89257", "A", "C"), record("v1738", "A", "A"), record("5_0"))
    result = score_recorded(save(tmp_path, text), version="seed-bench-1")
    averages = result["averages"]
    assert {name: averages[name]["leaderboard_all"] for name in ("Avg. All", "Avg. Img", "Avg. Video")} == {
        "Avg. All": 66.7,
        "Avg. Img": 50.0,
        "Avg. Video": 100.0,
    }
    assert averages["Avg. All"]["macro"] is None
    assert result["kinds"]["image"]["n"] == 2
    assert all(found["n"] == 0 for found in result["dimensions"])
    assert problems(result) == {"question_id that is none of seed-bench-1 (not scored)": 1}
    assert "Avg. Img" in table_text(result)


def test_the_official_scripts_own_file_tells_dimensions(tmp_path):
    rows = [{"q_id": "101669", "prediction": "A", "gt": "A", "q_type_id": 5}]
    rows.append({"q_id": "v3", "prediction": "A", "gt": "B", "q_type_id": 11})
    result = score_recorded(save(tmp_path, lines(*rows)), version="1")
    assert {found["id"]: found["correct"] for found in result["dimensions"] if found["n"]} == {5: 1, 11: 0}


def test_a_question_file_gives_answers_dimensions_and_what_is_missing(tmp_path):
    questions = [*(v1_question(n, 5) for n in range(3)), v1_question(0, 12)]
    questions[2]["answer"] = "C "
    path = write(tmp_path / "data", "1", questions)
    text = lines(
        record("100000", "A", None),
        record("100001", "A", "A"),
        record("100002", "C", None),
        record("777", "A", None),
    )
    result = score_recorded(save(tmp_path, text), version="1", questions=path)
    by = {found["id"]: found for found in result["dimensions"]}
    assert (by[5]["n"], by[5]["correct"], by[12]["leaderboard"]) == (3, 1, None)
    assert result["corrected"]["averages"]["Avg. All"]["correct"] == 2
    assert result["questions_sha256"] is not None
    assert problems(result) == {
        "unknown question_id (not scored)": 1,
        "gt_answer other than the question file's (the file's is used)": 1,
        "right letter that exact comparison counts as wrong": 1,
        "question without prediction": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no predictions in it"),
        ("hello\n", "no predictions in it: line that is not JSON: 1"),
        (lines(record("v1"), record("12")), "not one prediction can be scored as seed-bench-2"),
    ],
)
def test_a_file_without_a_usable_record_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        score_recorded(save(tmp_path, text), version="2")


def test_a_missing_file_and_another_benchmark_are_refused(tmp_path):
    with pytest.raises(DataError, match="can't be read"):
        read_predictions(tmp_path / "gone.json")
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        read_predictions(tmp_path / "x.json")
    with pytest.raises(UsageError, match="not a SEED-Bench"):
        score_recorded(save(tmp_path, lines(*RECORDS)), version="mmmu")


def test_the_table_has_every_column(tmp_path):
    text = table_text(score_recorded(save(tmp_path, lines(*RECORDS, RECORDS[0])), version="2"))
    for piece in ("Avg. Single", "micro", "macro", "corrected", "Scene Understanding", "not evaluated: dimensions 2, "):
        assert piece in text
    assert text.splitlines()[-1] == "duplicate question_id: 1 (1_0)"


# What the published predictions for version 2 come to, by dimension: all records, and those whose texts are equal.
_ALL = (3159, 1831, 4650, 979, 2451, 657, 97, 331, 435, 330, 500, 497, 199, 277, 501, 132)
_ALL += (497, 159, 1584, 1509, 1225, 1023, 120, 49)
_RIGHT = (2447, 1354, 3283, 605, 1392, 374, 72, 260, 354, 303, 487, 225, 143, 183, 356, 58)
_RIGHT += (339, 142, 1026, 991, 633, 649, 35, 29)
COUNTS = dict(enumerate(zip(_ALL, _RIGHT, strict=True), 1))
GOLDEN = {
    "Avg. Single": (69.87, 69.94, 69.9, 69.9),
    "Avg. Multi": (73.32, 78.76, 73.3, 78.8),
    "Avg. Video": (61.77, 61.39, 61.8, 61.4),
    "Avg. P1": (68.09, 69.19, 68.1, 69.2),
    "Avg. P2": (37.87, 44.18, 37.9, 44.2),
}


def figures(averages) -> dict[str, tuple[float, ...]]:
    """Of each average with answers: micro and macro with two decimals, and the leaderboard's two."""
    return {
        name: (round(found["micro"], 2), round(found["macro"], 2), found["leaderboard_all"], found["leaderboard_task"])
        for name in GOLDEN
        if (found := averages[name])["n"]
    }


def as_published() -> list[dict[str, object]]:
    """Records that count as the published ones do: 8 repeat an id, 11 right letters have a blank beside them."""
    records = []
    for dimension, (n, correct) in COUNTS.items():
        found = [record(f"{dimension}_{i}", "A", "A" if i < correct else "B") for i in range(n)]
        for i in range({12: 6, 19: 5}.get(dimension, 0)):
            found[n - 1 - i]["gt_answer"] = ("A ", " A")[i % 2]
        for i in range(
            {1: 1, 3: 1, 4: 1, 5: 5}.get(dimension, 0)
        ):  # the first wrong ones take the first right ones' ids
            found[correct + i]["question_id"] = found[i]["question_id"]
        records += found
    return records


def test_records_of_the_published_form_score_to_the_published_figures(tmp_path):
    result = score_recorded(save(tmp_path, lines(*as_published(), end=",")), version="seed-bench-2")
    assert figures(result["averages"]) == GOLDEN
    assert result["averages"]["Avg. P3"]["micro"] is None
    text = table_text(result)
    for figure in (str(figure) for row in GOLDEN.values() for figure in row):
        assert f" {figure}" in text, figure
    assert problems(result) == {
        "gt_answer that is not exactly a capital letter": 11,
        "duplicate question_id": 8,
        "right letter that exact comparison counts as wrong": 11,
    }
    corrected = {name: result["corrected"]["averages"][name] for name in GOLDEN}
    assert (corrected["Avg. Single"]["n"], corrected["Avg. Single"]["correct"]) == (17026 - 8, 11896 + 6)
    assert (corrected["Avg. Video"]["n"], corrected["Avg. Video"]["correct"]) == (5341, 3299 + 5)


@pytest.mark.parametrize(
    ("names", "edition"),
    [
        (["5_0", "5_1", "17_3", "101669"], "2"),
        (["5_0", "33_1"], "h"),
        (["101669", "v1738", "x"], "1"),
        (["5_0", "99_1"], "2"),
    ],
)
def test_ids_tell_of_which_seed_bench_they_are(tmp_path, names, edition):
    assert edition_of_predictions(save(tmp_path, lines(*map(record, names)))) == edition


def test_ids_of_another_form_are_refused(tmp_path):
    path = save(tmp_path, lines(record("text_rich_0"), record("text_rich_1")))
    with pytest.raises(DataError, match=r"model-x\.json: ids such as 'text_rich_0' don't tell of which SEED-Bench"):
        edition_of_predictions(path)


@pytest.mark.skipif(not PUBLISHED.is_file(), reason=f"the published predictions aren't at {PUBLISHED}")
def test_the_published_predictions_score_to_the_published_figures():
    result = score_recorded(PUBLISHED, version="seed-bench-2")
    assert figures(result["averages"]) == GOLDEN
    assert {found["id"]: (found["n"], found["correct"]) for found in result["dimensions"] if found["n"]} == COUNTS
    assert (result["records"], result["questions"]) == (23192, 23184)
    assert result["duplicates"]["count"] == 8
    assert sorted(result["duplicates"]["contradicting"]) == ["4_39", "5_86", "5_90"]
    assert problems(result) == {
        "gt_answer that is not exactly a capital letter": 19,
        "duplicate question_id": 8,
        "duplicate question_id with different predictions": 3,
        "right letter that exact comparison counts as wrong": 11,
    }
