"""From a row to a sample: identifiers, choices, answers, tags, clusters, and what is wrong with a row."""

from __future__ import annotations

import pytest

from vergence.evaluation.metrics.registry import METRICS
from vergence.evaluation.tasks.choice_cells import split_choices
from vergence.evaluation.tasks.declaration import Declaration, parse_declaration
from vergence.evaluation.tasks.rows import RowReader


def reader(fields, metric="choice", folder=None, **parameters) -> RowReader:
    declaration: Declaration = parse_declaration(
        {
            "task": "t",
            "data": {"path": "a.jsonl"},
            "fields": {"question": "q", **fields},
            "prompt": {"direct": "{question}"},
            "metric": {"name": metric, "parameters": parameters},
        },
        "t.yaml",
    )
    chosen = METRICS[metric]
    return RowReader(declaration, chosen, chosen.parameters(**parameters), folder)


def sample(fields, row, **options):
    return reader(fields, **options).read({"q": "What?", **row}, 7).sample


@pytest.mark.parametrize(
    ("rule", "cell", "index"),
    [
        ("letter", "C", 2),
        ("letter", "(c)", 2),
        ("letter", "C.", 2),
        ("index", 2, 2),
        ("index", "2", 2),
        ("index", 2.0, 2),
        ("number", 3, 2),
        ("text", "third", 2),
        ("text", "Third", 2),
    ],
)
def test_the_answer_however_it_is_written(rule, cell, index):
    fields = {"choices": "options", "answer": "a", "answer_as": rule}
    found = sample(fields, {"options": ["first", "second", "third"], "a": cell})
    assert found.reference == index
    assert found.choices == ("first", "second", "third")


@pytest.mark.parametrize(
    ("rule", "cell", "message"),
    [
        ("letter", "Z", "is none of the 2 choices"),
        ("letter", "first", "is not a letter"),
        ("index", "x", "is not a whole number"),
        ("number", 0, "is none of the 2 choices"),
        ("text", "fourth", "is not one of the choices"),
        ("letter", None, "no answer"),
        ("letter", " ", "no answer"),
    ],
)
def test_an_answer_that_is_none(rule, cell, message):
    with pytest.raises(ValueError, match=message):
        sample({"choices": "options", "answer": "a", "answer_as": rule}, {"options": ["first", "second"], "a": cell})


def test_choices_in_columns_keep_their_letters_where_one_is_empty():
    fields = {"choices": ["A", "B", "C", "D"], "answer": "a", "not_choices": ["N/A"]}
    found = sample(fields, {"A": "red", "B": None, "C": "blue", "D": "N/A", "a": "C"})
    assert found.choices == ("red", "blue")
    assert found.reference == 1
    with pytest.raises(ValueError, match="none of the 2 choices"):
        sample(fields, {"A": "red", "B": "", "C": "blue", "a": "B"})


@pytest.mark.parametrize(
    ("cell", "choices"),
    [
        ('["A. red", "B. blue"]', ("red", "blue")),
        ("['(A) red', '(B) blue']", ("red", "blue")),
        ({"A": "red", "B": "blue"}, ("red", "blue")),
        ("{'B': 'blue', 'A': 'red'}", ("red", "blue")),
        ({"label": ["A", "B"], "text": ["red", "blue"]}, ("red", "blue")),
        (["A. Lincoln", "Washington"], ("A. Lincoln", "Washington")),
        ([1, 2.5], ("1", "2.5")),
    ],
)
def test_choices_in_a_cell(cell, choices):
    assert sample({"choices": "o", "answer": "a"}, {"o": cell, "a": "A"}).choices == choices


def test_what_is_wrong_with_choices():
    fields = {"choices": "o", "answer": "a"}
    with pytest.raises(ValueError, match="choices are not a list: 'red'"):
        sample(fields, {"o": "red", "a": "A"})
    with pytest.raises(ValueError, match="27 choices, more than there are letters"):
        sample(fields, {"o": [f"c{n}" for n in range(27)], "a": "A"})
    with pytest.raises(ValueError, match="no choices, which the metric 'choice' needs"):
        sample(fields, {"o": None, "a": "A"})


@pytest.mark.parametrize(
    ("text", "question", "choices"),
    [
        ("What?\nA. red\nB. blue", "What?", ("red", "blue")),
        ("What?\nOptions:\n(A) red\n(B) blue\nAnswer with the option's letter.", "What?", ("red", "blue")),
        ("What?\nA) red\nB) blue\nThink of both.", "What?\nThink of both.", ("red", "blue")),
        ("What?\nOptions: A: red, dark, B: blue, C: A: b", "What?", ("red, dark", "blue", "A: b")),
        ("What?\nA. red\nC. blue", "What?\nA. red\nC. blue", ()),
        ("Is it A: red?", "Is it A: red?", ()),
        ("What?\nPlease answer with a single word.", "What?\nPlease answer with a single word.", ()),
    ],
)
def test_choices_inside_a_question(text, question, choices):
    assert split_choices(text) == (question, choices)


def test_a_column_wins_over_choices_in_the_question():
    fields = {"choices": ["A", "B"], "choices_in_question": True, "answer": "a"}
    row = {"q": "What?\nA. x\nB. y", "a": "B"}
    assert sample(fields, row).choices == ("x", "y")
    assert sample(fields, {**row, "A": "red", "B": "blue"}).choices == ("red", "blue")


def test_identifiers_tags_and_clusters(tmp_path):
    fields = {
        "id": "{video}-{n}",
        "answer": "a",
        "tags": {"kind": "kind | type", "skills": "skills", "deep": "meta.task"},
        "cluster": "video",
    }
    row = {"video": "v1", "n": 3.0, "a": "x", "type": "t", "skills": "['a', 'b']", "meta": {"task": "m"}}
    found = sample(fields, row, metric="exact")
    assert found.id == "v1-3"
    assert found.tags == {"kind": "t", "skills": ["a", "b"], "deep": "m", "cluster": "v1"}
    assert sample({"answer": "a"}, {"a": "x"}, metric="exact").id == "000007"
    with pytest.raises(ValueError, match="column 'n' is empty"):
        sample(fields, {**row, "n": None}, metric="exact")
    without = sample(fields, {key: value for key, value in row.items() if key != "type"}, metric="exact")
    assert "kind" not in without.tags


def test_rows_about_the_same_picture_share_a_cluster_wherever_the_data_lies(tmp_path):
    fields = {"answer": "a", "media": [{"column": "image"}]}
    for folder in (tmp_path / "one", tmp_path / "two", tmp_path / "one" / ".." / "three"):
        (folder / "sub").mkdir(parents=True)
        found = sample(fields, {"a": "x", "image": "sub/a.png"}, metric="exact", folder=folder)
        assert found.tags["cluster"] == "sub/a.png"
    with pytest.raises(ValueError, match="no image in column 'image'"):
        sample(fields, {"a": "x", "image": None}, metric="exact")
    optional = {"answer": "a", "media": [{"column": "image", "optional": "true"}]}
    assert sample(optional, {"a": "x"}, metric="exact").media == ()


def test_a_picture_may_name_the_row_that_has_it():
    import base64

    made = reader({"id": "index", "answer": "a", "media": [{"column": "image"}]}, metric="exact")
    encoded = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(80)).decode()
    rows = [{"q": "?", "index": "1", "image": encoded, "a": "x"}, {"q": "?", "index": "2", "image": "1", "a": "y"}]
    for row in rows:
        made.note_picture(row)
    first, second = (made.read(row, 0).sample for row in rows)
    assert first.media == second.media
    with pytest.raises(ValueError, match="no data folder"):
        made.read({**rows[1], "image": "9"}, 0)


@pytest.mark.parametrize(
    ("cell", "seconds"), [(3, 3.0), ("12.5", 12.5), ("1:02", 62.0), ("00:01:02.5", 62.5), (None, None)]
)
def test_the_seconds_that_cut_a_video(tmp_path, cell, seconds):
    declaration = {
        "task": "t",
        "data": {"path": "a.jsonl"},
        "fields": {"question": "q", "answer": "a", "media": [{"column": "v", "kind": "video", "end": "e"}]},
        "prompt": {"direct": "{question}"},
        "frames": {"rule": "ends"},
        "metric": {"name": "exact"},
    }
    made = RowReader(parse_declaration(declaration, "t"), METRICS["exact"], METRICS["exact"].parameters(), tmp_path)
    row = {"q": "?", "a": "x", "v": "a.mp4", "e": cell}
    assert made.read(row, 1).cuts == ((None, seconds),)
    for wrong in ("soon", -1, "inf"):
        with pytest.raises(ValueError, match="is not a time"):
            made.read({**row, "e": wrong}, 1)


@pytest.mark.parametrize(
    ("metric", "cell", "reference"),
    [
        ("exact", "a", ["a"]),
        ("exact", "['a', 'b']", ["a", "b"]),
        ("vqa", [{"answer": "x"}] * 4, ["x"] * 4),
        ("yes_no", "No.", False),
        ("yes_no", 1, True),
        ("count", "12", 12),
        ("box", "[1, 2, 3, 4]", [1.0, 2.0, 3.0, 4.0]),
        ("box", "1 2 3 4", [1.0, 2.0, 3.0, 4.0]),
        ("span", [1, 2.5], [1.0, 2.5]),
        ("nearer", "point2", 2),
    ],
)
def test_references_are_read_by_the_metric(metric, cell, reference):
    assert sample({"answer": "a"}, {"a": cell}, metric=metric).reference == reference


@pytest.mark.parametrize(
    ("metric", "cell", "message"),
    [
        ("vqa", ["x"], "needs those of at least four people"),
        ("yes_no", "maybe", "neither yes nor no"),
        ("count", "2.5", "not a whole number"),
        ("count", "many", "is not a number"),
        ("box", [1, 2, 3], "not a list of 4 numbers"),
        ("box", [3, 2, 1, 4], "is empty"),
        ("span", [4, 2], "doesn't end after it starts"),
        ("depth", 0, "is not positive"),
        ("nearer", "3", "neither point1 nor point2"),
        ("ocrbench", "x", "expected fields.answer to be a mapping with answer, type"),
        ("boxes", "[]", "no boxes"),
    ],
)
def test_references_that_a_metric_cannot_use(metric, cell, message):
    with pytest.raises(ValueError, match=message):
        sample({"answer": "a"}, {"a": cell}, metric=metric)
