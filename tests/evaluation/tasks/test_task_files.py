"""Rows from every format: what is read, where it stands, what is named when it is broken."""

from __future__ import annotations

import csv
import json
import os

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from vergence.errors import DataError, UsageError
from vergence.evaluation.tasks.cells import as_list, as_text, explode
from vergence.evaluation.tasks.files import KEY, DataNotFoundError, find_files, hub_rows, read_hub, read_rows, sha256
from vergence.evaluation.tasks.problems import Problems


def read(path, **options):
    problems = Problems()
    return list(read_rows(path, problems, **options)), problems.lines()


def test_json_lines_keep_the_good_rows_and_name_the_broken_ones(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('\ufeff{"a": 1}\n\n[1]\n{"a": \n{"b": 2}\n7\n', encoding="utf-8")
    rows, problems = read(path)
    assert rows == [({"a": 1}, "a.jsonl:1"), ({"b": 2}, "a.jsonl:5")]
    assert problems == [
        "2 rows left out: not a JSON object (a.jsonl:3, a.jsonl:6)",
        "1 row left out: not valid JSON: Expecting value (a.jsonl:4)",
    ]


def test_problems_show_three_places_and_the_count():
    problems = Problems()
    for number in range(5):
        problems.add("no  answer\n", f"a:{number}")
    assert problems.lines() == ["5 rows left out: no answer (a:0, a:1, a:2, and 2 more)"]
    assert len(problems) == 5


def test_json_may_be_a_list_a_mapping_or_deeper(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"a": 1}, 2, {"a": 3}]))
    rows, problems = read(path)
    assert rows == [({"a": 1}, "a.json[0]"), ({"a": 3}, "a.json[2]")]
    assert problems == ["1 row left out: not a JSON object (a.json[1])"]
    path.write_text(json.dumps({"x": {"a": 1}, "y": [{"a": 2}, {"a": 3}]}))
    assert read(path)[0] == [
        ({KEY: "x", "a": 1}, "a.json['x']"),
        ({KEY: "y", "a": 2}, "a.json['y'][0]"),
        ({KEY: "y", "a": 3}, "a.json['y'][1]"),
    ]
    path.write_text(json.dumps({"meta": {"questions": [{"a": 1}]}}))
    assert read(path, records="meta.questions")[0] == [({"a": 1}, "a.json[0]")]
    with pytest.raises(DataError, match=r"a\.json: no key 'answers' on the way to the rows \(meta\.answers\)"):
        read(path, records="meta.answers")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'[{"a": 1},\n{', r"a\.json:2: is not valid JSON"),
        ("a.json", b"7", r"a\.json: expected a list of objects"),
        ("a.json", b"[" * 100_000, r"a\.json: is nested too deeply"),
        ("a.jsonl", b'{"a": "\xff"}', r"a\.jsonl: is not UTF-8 text"),
        ("a.parquet", b"PAR1 no", r"a\.parquet: broken Parquet file after row 0"),
        ("a.tsv", b"x\tx\n1\t2\n", r"a\.tsv:1: the heading names x more than once"),
    ],
)
def test_a_file_that_is_not_what_it_says(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / name)
    assert "\n" not in str(error.value)


def test_what_is_not_there_and_what_is_not_known(tmp_path):
    with pytest.raises(DataNotFoundError, match="no such file"):
        read(tmp_path / "a.json")
    with pytest.raises(DataNotFoundError, match=r"no file ending in \.json"):
        read(tmp_path)
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(UsageError, match=r"expected a file ending in \.json, \.jsonl"):
        read(tmp_path / "a.xlsx")


def test_tables_are_quoted_as_pandas_does_and_hold_large_cells(tmp_path):
    path = tmp_path / "a.tsv"
    limit = csv.field_size_limit()
    large = "A" * 400_000
    path.write_text(f'index\tquestion\timage\n1\t"two\nlines ""quoted"""\t{large}\n2\t\t1\n3\tfew\n4\tx\ty\n')
    rows, problems = read(path)
    assert [where for _, where in rows] == ["a.tsv:2", "a.tsv:4", "a.tsv:6"]
    assert rows[0][0] == {"index": "1", "question": 'two\nlines "quoted"', "image": large}
    assert rows[1][0] == {"index": "2", "question": None, "image": "1"}
    assert problems == ["1 row left out: not 3 cells, as the heading has (a.tsv:5)"]
    assert csv.field_size_limit() == limit
    broken = tmp_path / "b.csv"
    broken.write_text('a,b\n1,"x"y\n2,z\n')
    rows, problems = read(broken)
    assert [row for row, _ in rows] == [{"a": "2", "b": "z"}]
    assert problems[0].startswith("1 row left out: broken quoting")


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), min_size=1, max_size=5))
def test_any_text_survives_a_table(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("table") / "a.csv"
    cells = [[text.replace("\0", "") for text in row] for row in cells]
    with path.open("w", encoding="utf-8", newline="", errors="surrogatepass") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        try:
            writer.writerows([["a", "b"], *cells])
        except UnicodeEncodeError:
            return
    try:
        rows, problems = read(path)
    except DataError:
        return  # half of a surrogate pair is no UTF-8
    assert problems == []
    assert [(row["a"] or "", row["b"] or "") for row, _ in rows] == [tuple(row) for row in cells]


def test_parquet_and_a_folder(tmp_path):
    rows = [{"id": 1, "image": {"bytes": b"x", "path": "a.png"}, "options": ["a", "b"]}, {"id": 2}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "b.parquet")
    (tmp_path / "a.jsonl").write_text('{"id": 0}\n')
    (tmp_path / "note.txt").touch()
    found, problems = read(tmp_path)
    assert [row["id"] for row, _ in found] == [0, 1, 2]
    assert found[1] == (rows[0], "b.parquet row 1")
    assert found[2][0] == {"id": 2, "image": None, "options": None}
    assert problems == []


def test_patterns_find_files_and_their_configurations(tmp_path):
    for name in ("Art/val-1.parquet", "Art/val-0.parquet", "Math/val-0.parquet", "Math/dev-0.parquet", "a/b/x.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def names(*patterns, configs=()):
        found = find_files(tmp_path, patterns, configs)
        return [(path.relative_to(tmp_path).as_posix(), config) for path, config in found]

    assert names("none-*.json", "{config}/val-*.parquet") == [
        ("Art/val-0.parquet", "Art"),
        ("Art/val-1.parquet", "Art"),
        ("Math/val-0.parquet", "Math"),
    ]
    assert names("{config}/val-*.parquet", configs=["Math"]) == [("Math/val-0.parquet", "Math")]
    assert names("**/*.json") == [("a/b/x.json", "")]
    assert names("*.json") == []
    for pattern in ("../*.json", "/etc/*.json"):
        with pytest.raises(UsageError, match="leads out of the data folder"):
            names(pattern)


def test_the_hash_follows_the_content(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[1]")
    first = sha256(path)
    assert first == sha256(path)
    path.write_text("[2]")
    os.utime(path, ns=(1, 1))
    assert sha256(path) != first
    assert len(first) == 64


def test_a_dataset_of_the_hub_is_read_undecoded_from_a_folder_in_its_layout(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    rows = [{"id": index, "image": {"bytes": b"not a picture", "path": "a.png"}} for index in range(70)]
    table = datasets.Dataset.from_list(
        rows, features=datasets.Features({"id": datasets.Value("int64"), "image": datasets.Image()})
    )
    table.to_parquet(folder / "test-00000-of-00001.parquet")
    name = str(tmp_path / "set")
    dataset, mark = read_hub(name, config=None, split="test", revision=None)
    assert mark
    found = list(hub_rows(dataset, "set"))
    assert found[69] == ({"id": 69, "image": {"bytes": b"not a picture", "path": "a.png"}}, "set row 70")
    with pytest.raises(UsageError, match=r"data\.split is missing, there are: test"):
        read_hub(name, config=None, split=None, revision=None)
    with pytest.raises(
        DataNotFoundError, match=r"dataset 'nobody/nothing/x' can't be fetched .* its folder with --data"
    ):
        read_hub("nobody/nothing", config="x", split="test", revision=None)


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        (None, []),
        ("", []),
        (["a"], ["a"]),
        (("a", 1), ["a", 1]),
        ('["a", "b"]', ["a", "b"]),
        ("['a', \"it's\"]", ["a", "it's"]),
        ("(1, 2)", [1, 2]),
    ],
)
def test_a_list_in_a_cell(cell, values):
    assert as_list(cell) == values


@pytest.mark.parametrize("cell", ["a", "[a", 7, {"a": 1}, "__import__('os')"])
def test_what_is_no_list(cell):
    with pytest.raises(ValueError, match="not a list"):
        as_list(cell)


@pytest.mark.parametrize(
    ("cell", "text"), [(None, ""), (3, "3"), (3.0, "3"), (0.5, "0.5"), (True, "true"), (["a", 2], "a, 2"), ("x", "x")]
)
def test_a_cell_as_text(cell, text):
    assert as_text(cell) == text


def test_parallel_lists_become_rows():
    row = {"id": 1, "q": ["a", "b"], "t": "[1, 2]"}
    assert explode(row, ["q", "t"]) == [{"id": 1, "q": "a", "t": 1}, {"id": 1, "q": "b", "t": 2}]
    assert explode({"id": 1}, ["q"]) == [{"id": 1}]
    assert explode(row, []) == [row]
    with pytest.raises(ValueError, match="the lists q, t have 1 and 2 entries"):
        explode({"q": ["a"], "t": [1, 2]}, ["q", "t"])
