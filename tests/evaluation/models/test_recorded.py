"""Files of recorded answers: every published form, and what is wrong with a file is counted and named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.conversation import Conversation, user
from vergence.errors import DataError
from vergence.evaluation.models.recorded import RecordedModel, read_recorded
from vergence.evaluation.task import Answer, Candidates, Prompt

RECORDS = [
    {"question_id": "5_0", "prediction": "B", "gt_answer": "C"},
    {"question_id": 101669, "prediction": "A"},
    {"id": "x", "answer": "The answer is D."},
]


def write(tmp_path, text: str, name: str = "answers.json"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def as_list(records) -> str:
    return json.dumps(records)


def as_lines(records) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def as_lines_with_commas(records) -> str:
    return "".join(json.dumps(record) + ",\n" for record in records)


def as_open_list(records) -> str:
    return "[\n" + as_lines_with_commas(records) + "]\n"


FORMS = [as_list, as_lines, as_lines_with_commas, as_open_list]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte-order-mark"])
def test_every_form_is_read(tmp_path, form, mark):
    found = read_recorded(write(tmp_path, mark + form(RECORDS)))
    assert {name: one.prediction for name, one in found.answers.items()} == {
        "5_0": "B",
        "101669": "A",
        "x": "The answer is D.",
    }
    assert [one.right for one in found.answers.values()] == ["C", None, None]
    assert found.problems() == []


def test_one_record_alone(tmp_path):
    assert list(read_recorded(write(tmp_path, '{"id": "a", "answer": "B"}')).answers) == ["a"]


@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1), st.sampled_from(FORMS))
def test_any_text_survives(tmp_path, answers, form):
    records = [{"id": name, "answer": text} for name, text in answers.items()]
    found = read_recorded(write(tmp_path, form(records)))
    assert {name: one.prediction for name, one in found.answers.items()} == answers


def test_repeated_ids_are_counted_and_the_first_counts(tmp_path):
    ids = ["a", "b", "a", "c", "b", "a"]
    records = [{"id": name, "answer": "A" if name == "a" else str(i)} for i, name in enumerate(ids)]
    found = read_recorded(write(tmp_path, as_lines(records)))
    assert (found.repeated, found.conflicting) == (("a", "b"), ("b",))
    assert found.answers["b"].prediction == "1"
    assert [line.partition(": ")[2] for line in found.problems()] == [
        "2 ids occur more than once, the first counts: a, b",
        "1 ids occur with different answers, the first counts: b",
    ]


def test_unusable_records_are_counted_and_the_others_kept(tmp_path):
    text = "\n".join(
        [
            '{"id": "a", "answer": "A"}',
            '{"id": "b", "answer"',
            "7",
            '{"id": "c"}',
            '{"answer": "B"}',
            '{"id": "d", "answer": null}',
            '{"id": "e", "answer": ["B"]}',
            '{"id": true, "answer": "B"}',
            '{"id": "f", "answer": "", "error": "no reply"}',
            '{"id": "g", "answer": 4}',
        ]
    )
    found = read_recorded(write(tmp_path, text))
    assert {name: one.prediction for name, one in found.answers.items()} == {"a": "A", "g": "4"}
    assert found.broken == (
        "line 2 is not JSON",
        "line 3 is not an object",
        "line 4 has no prediction or answer",
        "line 5 has no question_id or id",
        "line 6 has no prediction or answer",
        "line 7: answer is not text",
        "line 8: id is not text",
        "line 9 is a failure, not an answer",
    )
    [line] = found.problems()
    assert line.endswith(
        "8 records can't be used: line 2 is not JSON; line 3 is not an object; line 4 has no prediction or answer; ..."
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no recorded answers"),
        ("[]", "no recorded answers"),
        ('{"questions": []}', "record 1 has no question_id or id"),
        ("not json", "line 1 is not JSON"),
    ],
)
def test_a_file_without_answers_is_refused(tmp_path, text, told):
    with pytest.raises(DataError, match=told) as caught:
        read_recorded(write(tmp_path, text))
    assert "answers.json: no recorded answers" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"gone: can't be read \(No such file"):
        read_recorded(tmp_path / "gone")
    (tmp_path / "latin").write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(DataError, match="byte 8 is not UTF-8"):
        read_recorded(tmp_path / "latin")


def prompt(name: str, **options) -> Prompt:
    return Prompt(Conversation((user("What?"),)), id=name, **options)


def test_prompts_are_answered_by_id(tmp_path):
    records = [*RECORDS, {"id": "t", "answer": "<think>hm</think>A"}]
    model = RecordedModel(read_recorded(write(tmp_path, as_lines(records))))
    prompts = [prompt("x"), prompt("unknown"), prompt("5_0", candidates=Candidates(("a", "b"))), prompt("t")]
    assert dict(model.answer(prompts)) == {
        0: Answer("The answer is D."),
        1: Answer(finish_reason="error", error="answers.json has no answer to it"),
        2: Answer("B"),
        3: Answer("A", "hm"),
    }


def test_missing_and_unknown_ids_are_counted(tmp_path):
    model = RecordedModel(read_recorded(write(tmp_path, as_lines(RECORDS))))
    lines = model.problems(["5_0", "6_0", "6_1", "6_2", "6_3"])
    assert [line.partition(": ")[2] for line in lines] == [
        "4 ids of the task have no answer: 6_0, 6_1, 6_2, ...",
        "2 ids are none of the task's: 101669, x",
    ]
    assert model.problems(["5_0", "101669", "x"]) == []


def test_the_description_follows_the_content(tmp_path):
    one = RecordedModel(read_recorded(write(tmp_path, as_lines(RECORDS), "a.json")))
    same = RecordedModel(read_recorded(write(tmp_path, as_lines(RECORDS), "b.json")))
    other = RecordedModel(read_recorded(write(tmp_path, as_lines(RECORDS[:2]), "c.json")))
    hashes = [model.description()["sha256"] for model in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert (one.name, one.independent) == ("a", True)
