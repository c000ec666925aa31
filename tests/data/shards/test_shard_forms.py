"""Forms of other projects in and out: Parquet, COCO, OneVision's lists, ChatML. `datasets` and numpy are the judges."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from vergence.cli import main
from vergence.config import ConfigError
from vergence.data.mixture_sources import open_folder
from vergence.data.shards import export
from vergence.data.shards import unpack as unpacking
from vergence.data.shards.mixture_rows import open_mixture
from vergence.data.shards.open_rows import open_rows
from vergence.errors import DataError, UsageError
from vergence.processing.coordinates import parse_boxes

parquet = pytest.importorskip("pyarrow.parquet")
pa = pytest.importorskip("pyarrow")


def png(colour: str, size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def said(folder: Path) -> list[list[tuple[str, str]]]:
    source = open_folder(folder)
    return [[(m.role, m.text) for m in source[n].messages] for n in range(len(source))]


def pixels(folder: Path) -> list[list[bytes]]:
    source = open_folder(folder)
    return [[Image.open(io.BytesIO(i)).convert("RGB").tobytes() for i in source[n].images] for n in range(len(source))]


def conversation(question: str, answer: str, image: bool = True) -> dict:
    value = f"<image>\n{question}" if image else question
    return {"conversations": [{"from": "human", "value": value}, {"from": "gpt", "value": answer}]}


# Parquet


def write_rows(path: Path, rows: list[dict], **options: object) -> Path:
    parquet.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


def test_parquet_as_llava_onevision_keeps_it(tmp_path, capsys):
    rows = [
        {
            "id": str(n),
            "image": {"bytes": png("red"), "path": None},
            "data_source": "x",
            **conversation(f"q{n}", f"a{n}"),
        }
        for n in range(5)
    ]
    rows[3]["image"] = {"bytes": b"not a picture", "path": None}
    write_rows(tmp_path / "train.parquet", rows, row_group_size=2)
    assert main(["data", "pack", str(tmp_path / "train.parquet"), "--out", str(tmp_path / "out")]) == 0
    assert "4 conversations" in capsys.readouterr().out
    assert said(tmp_path / "out")[3] == [("user", "q4"), ("assistant", "a4")]
    assert open_folder(tmp_path / "out")[0].metadata["data_source"] == "x"
    source, form = open_rows(tmp_path / "train.parquet")
    assert form == "parquet"
    assert [row.where.rpartition(" ")[2] for row in source.rows(3)] == ["3", "4"]


def test_parquet_as_the_cauldron_and_with_captions(tmp_path):
    picture = {"bytes": png("blue"), "path": "a.png"}
    pairs = [
        {"user": "first?", "assistant": "one", "source": "s"},
        {"user": "second?", "assistant": "two", "source": "s"},
    ]
    write_rows(tmp_path / "cauldron.parquet", [{"images": [picture, picture], "texts": pairs}])
    write_rows(tmp_path / "captions.parquet", [{"image": png("blue"), "caption": "blue"}])
    for name, expected, pictures in (
        ("cauldron", [("user", "first?"), ("assistant", "one"), ("user", "second?"), ("assistant", "two")], 2),
        ("captions", [("user", ""), ("assistant", "blue")], 1),
    ):
        out = tmp_path / name
        assert main(["data", "pack", str(tmp_path / f"{name}.parquet"), "--out", str(out)]) == 0
        assert said(out) == [expected]
        assert pixels(out) == [[Image.new("RGB", (40, 30), "blue").tobytes()] * pictures]


def test_parquet_without_conversations_or_bytes_is_named(tmp_path, capsys):
    write_rows(tmp_path / "numbers.parquet", [{"a": 1}])
    assert main(["data", "pack", str(tmp_path / "numbers.parquet"), "--out", str(tmp_path / "out")]) == 3
    assert "has none of the columns caption, conversations" in capsys.readouterr().err
    write_rows(tmp_path / "paths.parquet", [{"image": {"bytes": None, "path": "a.png"}, **conversation("q", "a")}])
    assert main(["data", "pack", str(tmp_path / "paths.parquet"), "--out", str(tmp_path / "out")]) == 3
    assert "image: holds no bytes, only 'a.png'" in capsys.readouterr().err
    (tmp_path / "broken.parquet").write_bytes(b"PAR1PAR1")
    assert main(["data", "pack", str(tmp_path / "broken.parquet"), "--out", str(tmp_path / "out")]) == 3
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "shards"
    assert main(["data", "make", "shapes", "--count", "12", "--jobs", "1", "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("form", ["parquet", "llava", "chatml", "folder"])
def test_what_is_unpacked_is_packed_again_as_it_was(made, tmp_path, form, capsys):
    assert main(["data", "unpack", str(made), "--format", form, "--out", str(tmp_path / "out")]) == 0
    names = {"llava": "llava.json", "chatml": "messages.jsonl", "folder": "", "parquet": ""}
    assert main(["data", "pack", str(tmp_path / "out" / names[form]), "--out", str(tmp_path / "again")]) == 0
    assert said(tmp_path / "again") == said(made)
    assert pixels(tmp_path / "again") == pixels(made)


def test_datasets_reads_what_is_unpacked(made, tmp_path):
    datasets = pytest.importorskip("datasets")
    assert main(["data", "unpack", str(made), "--format", "parquet", "--out", str(tmp_path / "out")]) == 0
    found = datasets.Dataset.from_parquet(str(tmp_path / "out" / "train-00000.parquet"), cache_dir=str(tmp_path / "c"))
    assert len(found) == 12
    for row, conversation in zip(found, (open_folder(made)[n] for n in range(12)), strict=True):
        assert [picture.size for picture in row["images"]] == [
            Image.open(io.BytesIO(i)).size for i in conversation.images
        ]
        assert row["messages"][0]["content"][0]["type"] == "image"
        assert row["messages"][1]["content"][0]["text"] == conversation.messages[1].text
        assert json.loads(row["metadata"])["kind"] == "shapes"


# COCO


def coco(folder: Path, **changed: object) -> Path:
    Image.new("RGB", (200, 100)).save(folder / "a.jpg")
    Image.new("RGB", (50, 50)).save(folder / "b.jpg")
    data = {
        "info": {},
        "licenses": [{"id": 3, "name": "CC-BY-2.0"}],
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 200, "height": 100, "license": 3},
            {"id": 8, "file_name": "b.jpg", "width": 50, "height": 50},
        ],
        "annotations": [
            {"image_id": 7, "category_id": 1, "bbox": [100, 20, 50, 40], "iscrowd": 0},
            {"image_id": 7, "category_id": 1, "bbox": [0, 0, 20, 10], "iscrowd": 0},
            {"image_id": 7, "category_id": 2, "bbox": [5, 5, 10, 10], "iscrowd": 0},
            {"image_id": 7, "category_id": 2, "bbox": [0, 0, 200, 100], "iscrowd": 1},
            {"image_id": 7, "category_id": 3, "bbox": [0, 0, 0, 10], "iscrowd": 0},
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "person"}, {"id": 3, "name": "cat"}],
        **changed,
    }
    (folder / "instances.json").write_text(json.dumps(data))
    return folder / "instances.json"


def test_boxes_of_coco_become_questions(tmp_path):
    path = coco(tmp_path)
    assert main(["data", "pack", str(path), "--out", str(tmp_path / "out")]) == 0
    [messages] = said(tmp_path / "out")
    assert messages[0] == ("user", "Give the box of every dog."), (
        "people are a crowd, the cat has no area, b.jpg is empty"
    )
    assert len(messages) == 2
    assert parse_boxes(messages[1][1], 200, 100) == [(0, 0, 20, 10), (100, 20, 150, 60)]
    metadata = open_folder(tmp_path / "out")[0].metadata
    assert metadata["licence"] == "CC-BY-2.0"
    assert [region["label"] for region in metadata["regions"]] == ["dog", "dog"]


def test_boxes_go_out_as_coco_and_come_back(tmp_path):
    path = coco(tmp_path)
    assert main(["data", "pack", str(path), "--out", str(tmp_path / "in")]) == 0
    assert main(["data", "unpack", str(tmp_path / "in"), "--format", "coco", "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert [annotation["bbox"] for annotation in found["annotations"]] == [[0, 0, 20, 10], [100, 20, 50, 40]]
    assert found["categories"] == [{"id": 1, "name": "dog"}]
    words = ["data", "pack", str(tmp_path / "out" / "instances.json"), "--images", str(tmp_path / "out" / "images")]
    assert main([*words, "--out", str(tmp_path / "again")]) == 0
    assert said(tmp_path / "again") == said(tmp_path / "in")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"categories": None}, "expected an object with the lists images, annotations, categories"),
        ({"annotations": [{"image_id": 7, "category_id": 9, "bbox": [0, 0, 1, 1]}]}, "not COCO's form (KeyError: 9)"),
    ],
)
def test_a_file_that_is_not_coco_is_refused(tmp_path, capsys, changed, problem):
    path = coco(tmp_path, **changed)
    assert main(["data", "pack", str(path), "--format", "coco", "--out", str(tmp_path / "out")]) == 3
    assert problem in capsys.readouterr().err


def test_a_picture_outside_of_the_folder_is_left_out(tmp_path, capsys):
    image = {"id": 7, "file_name": "../a.jpg", "width": 200, "height": 100}
    path = coco(tmp_path, images=[image])
    assert main(["data", "pack", str(path), "--out", str(tmp_path / "out")]) == 3
    assert "lies outside the folder of pictures" in capsys.readouterr().err


# OneVision's lists


def onevision(folder: Path, strategies: list[str | None], rows: int = 20) -> Path:
    Image.new("RGB", (40, 30)).save(folder / "a.png")
    lines = ["datasets:"]
    for number, strategy in enumerate(strategies):
        records = [{"image": "a.png", **conversation("q", f"{number}.{n}")} for n in range(rows)]
        (folder / f"{number}.json").write_text(json.dumps(records))
        lines += [f"  - json_path: {number}.json"] + ([f"    sampling_strategy: {strategy}"] if strategy else [])
    (folder / "list.yaml").write_text("\n".join(lines))
    return folder / "list.yaml"


def test_a_list_takes_what_its_strategies_say(tmp_path):
    path = onevision(tmp_path, ["all", "first:3", "end:10%", "random:25%", None])
    assert main(["data", "pack", str(path), "--out", str(tmp_path / "out")]) == 0
    taken = [messages[1][1] for messages in said(tmp_path / "out")]
    by_file = {n: [int(t.partition(".")[2]) for t in taken if t.startswith(f"{n}.")] for n in range(5)}
    assert by_file[0] == by_file[4] == list(range(20))
    assert by_file[1] == [0, 1, 2]
    assert by_file[2] == [18, 19]
    assert len(set(by_file[3])) == 5
    assert taken == sorted(taken, key=lambda t: tuple(map(int, t.split("."))))
    rows = open_mixture(path, tmp_path)
    all_rows = [row.where for row in rows.rows(0)]
    for start in (1, 20, 22, 27, len(all_rows)):
        assert [row.where for row in rows.rows(start)] == all_rows[start:]


def test_missing_files_and_wrong_strategies_are_named_together(tmp_path, capsys):
    path = onevision(tmp_path, ["all", "first:3"])
    (tmp_path / "0.json").unlink()
    (tmp_path / "1.json").unlink()
    with pytest.raises(DataError, match=r"2 of 2 files are missing: .*0\.json, .*1\.json"):
        open_mixture(path, tmp_path)
    path = onevision(tmp_path, ["half", "first:0", "all"])
    with pytest.raises(ConfigError) as raised:
        open_mixture(path, tmp_path)
    assert len(raised.value.problems) == 2
    path.write_text("data: []")
    assert main(["data", "pack", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "datasets: expected a list" in capsys.readouterr().err


def test_parquet_gives_back_all_that_is_known_of_a_sample(made, tmp_path):
    assert main(["data", "unpack", str(made), "--format", "parquet", "--out", str(tmp_path / "out")]) == 0
    assert main(["data", "pack", str(tmp_path / "out"), "--out", str(tmp_path / "again")]) == 0
    before, after = open_folder(made), open_folder(tmp_path / "again")
    assert [after[number].metadata for number in range(12)] == [before[number].metadata for number in range(12)]
    assert before[0].metadata["checks"]


def test_parquet_is_cut_by_bytes_too(made, tmp_path, monkeypatch):
    """Rows with much in them would fill the memory, or the 2 GB that a column of Arrow can hold."""
    monkeypatch.setattr(export, "_GROUP_BYTES", 1)
    monkeypatch.setattr(export, "_FILE_BYTES", 1)
    assert main(["data", "unpack", str(made), "--format", "parquet", "--out", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").glob("train-*.parquet"))) == 12
    assert main(["data", "pack", str(tmp_path / "out"), "--out", str(tmp_path / "again")]) == 0
    assert said(tmp_path / "again") == said(made)


def test_parquet_damaged_within_is_named(tmp_path, capsys):
    path = write_rows(tmp_path / "rows.parquet", [{"caption": f"a caption number {n} {n * n}"} for n in range(2000)])
    data = bytearray(path.read_bytes())
    data[100 : len(data) // 2] = b"\xff" * (len(data) // 2 - 100)
    path.write_bytes(data)
    assert main(["data", "pack", str(path), "--out", str(tmp_path / "out")]) == 3
    assert f"{path}: row group 0 can't be read" in capsys.readouterr().err


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_boxes_of_coco_that_are_no_numbers_are_named(tmp_path, capsys, value):
    path = coco(tmp_path, annotations=[{"image_id": 7, "category_id": 1, "bbox": [value, 0, 5, 5]}])
    assert main(["data", "pack", str(path), "--format", "coco", "--out", str(tmp_path / "out")]) == 3
    assert "a bbox of image 7" in capsys.readouterr().err


def test_odd_entries_of_coco_are_left_out_or_have_no_licence(tmp_path, capsys):
    images = [{"id": 7, "file_name": "a\0.jpg", "width": 200, "height": 100, "license": [3]}]
    images.append({"id": 8, "file_name": "b.jpg", "width": 50, "height": 50, "license": [3]})
    boxes = [{"image_id": number, "category_id": 1, "bbox": [0, 0, 5, 5]} for number in (7, 8)]
    path = coco(tmp_path, images=images, annotations=boxes)
    assert main(["data", "pack", str(path), "--format", "coco", "--out", str(tmp_path / "out")]) == 0
    assert "is no path" in capsys.readouterr().err


def test_a_picture_of_coco_of_another_size_than_declared_is_left_out(tmp_path, capsys):
    images = [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 200}]
    images += [{"id": 8, "file_name": "b.jpg", "width": 50, "height": 50}]
    images += [{"id": 9, "file_name": "gone.jpg", "width": 50, "height": 50}]
    boxes = [{"image_id": number, "category_id": 1, "bbox": [0, 0, 5, 5]} for number in (7, 8, 9)]
    path = coco(tmp_path, images=images, annotations=boxes)
    assert main(["data", "pack", str(path), "--format", "coco", "--out", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    assert "a.jpg is 200 x 100 pixels, but width and height say 100 x 200" in captured.err
    assert "left out: size 1, unreadable picture 1" in captured.out
    assert len(said(tmp_path / "out")) == 1


# Pictures inside of JSON


def inline(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def test_pictures_that_a_record_holds_itself_are_packed(tmp_path, capsys):
    url = {"type": "image_url", "image_url": {"url": inline(png("red"))}}
    Image.new("RGB", (40, 30), "blue").save(tmp_path / "a.png")
    content = [{"type": "image", "image": "a.png"}, url, {"type": "text", "text": "data:text"}]
    records = [
        {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "ok"}]},
        {"image": inline(png("green"), "image/jpeg").replace("+", "%2B"), **conversation("q", "a")},
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, records)))
    assert main(["data", "pack", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out")]) == 0
    assert "2 conversations" in capsys.readouterr().out
    colours = [["blue", "red"], ["green"]]
    assert pixels(tmp_path / "out") == [[Image.new("RGB", (40, 30), c).tobytes() for c in row] for row in colours]
    assert open_folder(tmp_path / "out")[0].images[1] == png("red"), "the bytes are kept"
    assert said(tmp_path / "out")[0][0] == ("user", "data:text")
    write_rows(tmp_path / "rows.parquet", [{"messages": [{"role": "user", "content": [url]}]}])
    assert main(["data", "pack", str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "columns")]) == 0
    assert open_folder(tmp_path / "columns")[0].images == [png("red")]


@pytest.mark.parametrize(
    ("url", "reason", "problem"),
    [
        ("data:image/png;base64,iVBO*w0K", "base64", "'data:image/png;base64,iVBO*w0K': not base64 ("),
        ("data:image/png;base64,iVBOR", "base64", "not base64 ("),
        ("data:image/png,abc", "base64", "expected data:image/...;base64,..."),
        ("data:", "base64", "expected data:image/...;base64,..."),
        (inline(b"no picture at all"), "broken picture", "not a picture"),
        ("data:image/png;base64,", "broken picture", "empty (0 bytes)"),
        ("data:image/png;base64," + "A" * 28_000_000, "too large", "more than the limit of 20971520"),
    ],
)
def test_what_is_no_picture_in_a_record_is_named(tmp_path, capsys, url, reason, problem):
    parts = [{"type": "image_url", "image_url": {"url": url}}]
    records = [{"messages": [{"role": "user", "content": c}]} for c in ("a question", parts)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, records)))
    assert main(["data", "pack", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    assert f"left out: {reason} 1" in captured.out
    assert problem in captured.err
    assert f"{tmp_path / 'rows.jsonl'}:2" in captured.err
    assert len(captured.err) < 400


# Two at once


@pytest.mark.parametrize("form", ["llava", "parquet"])
def test_two_that_unpack_to_one_name_do_not_meet(made, tmp_path, monkeypatch, form):
    """Another process makes the same folder after this one has looked; each writes at a name of its own."""
    out, write = tmp_path / "out", unpacking._records
    begun = []

    def meanwhile(*arguments):
        yield from write(*arguments)
        begun.extend(path.name for path in tmp_path.iterdir())
        if len(begun) == 1:
            monkeypatch.setattr(os, "getpid", lambda: 1)
            unpacking.unpack(made, out, form=form)

    monkeypatch.setattr(unpacking, "_records", meanwhile)
    with pytest.raises(UsageError, match="another process has made it meanwhile"):
        unpacking.unpack(made, out, form=form)
    assert sorted(begun[1:]) == sorted({begun[0], "out.1.partial"})
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing else is left"
    assert main(["data", "pack", str(out / ("llava.json" if form == "llava" else "")), "--out", str(out) + "-a"]) == 0
