"""Packing: what the shards hold, that their bytes follow from the source alone, and what happens after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shard_samples import contents, pack_folder, picture, told, write_samples

from vergence.conversation import Conversation, Frames, VideoPart, user
from vergence.data.shards import pack as packing
from vergence.data.shards import rows as row_sources
from vergence.data.shards.index import sidecar_of, write_sidecar
from vergence.data.shards.messages import RowError
from vergence.data.shards.open_rows import open_rows
from vergence.data.shards.reader import open_shards
from vergence.data.shards.samples import conversation_of, members_of
from vergence.data.sources.folder import read_folder
from vergence.errors import DataError, UsageError


def tars(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.tar"))


def test_shards_hold_the_folder_in_its_order(samples, shards):
    folder, packed = read_folder(samples), open_shards(shards)
    assert len(packed) == len(folder) == 20
    for number in range(20):
        assert told(packed[number]) == told(folder[number])
        assert packed[number].metadata == folder[number].metadata
        assert packed.key(number) == f"{number:09d}"
        assert all(isinstance(data, bytes) for data in packed[number].images)
    assert len(tars(shards)) > 2
    assert all(tar.stat().st_size <= 12_000 for tar in tars(shards))
    names = {path.name for path in shards.iterdir()}
    assert names == {"pack.json"} | {
        f"{tar.stem}{suffix}" for tar in tars(shards) for suffix in (".tar", ".parquet", ".json")
    }


@settings(max_examples=10)
@given(st.integers(6_000, 40_000))
def test_no_shard_is_larger_than_asked_and_none_could_take_the_next_sample(samples, tmp_path_factory, limit):
    output = tmp_path_factory.mktemp("any") / "shards"
    pack_folder(samples, output, limit)
    files = [tar.read_bytes() for tar in tars(output)]
    assert all(len(data) <= limit for data in files)
    assert all(len(one) + first_sample(two) > limit for one, two in pairwise(files))
    assert len(open_shards(output)) == 20


def first_sample(tar: bytes) -> int:
    """The bytes that the members of a tar's first key take, by the headers alone."""
    at, key = 0, tar[:9]
    while tar[at : at + 9] == key:
        at += 512 + -(-int(tar[at + 124 : at + 135], 8) // 512) * 512
    return at


def test_the_same_source_gives_the_same_bytes(samples, shards, tmp_path):
    pack_folder(samples, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(shards)
    pack_folder(samples, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(shards), "a finished pack stays as it is"


def test_killed_at_any_rename_it_goes_on_to_the_same_bytes(samples, shards, tmp_path, monkeypatch):
    renames = 0
    replace = os.replace

    def counted(source: object, target: object) -> None:
        nonlocal renames
        renames += 1
        if renames == stop:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", counted)
    stop = 0
    pack_folder(samples, tmp_path / "whole")
    for stop in range(1, renames + 1):
        renames = 0
        output = tmp_path / f"{stop}"
        with pytest.raises(KeyboardInterrupt):
            pack_folder(samples, output)
        with pytest.raises(DataError, match=r"it has not finished|no tar with a sample"):
            open_shards(output)
        renames = -1000
        pack_folder(samples, output)
        assert contents(output) == contents(shards)


def test_a_process_that_is_killed_leaves_what_the_next_goes_on_from(samples, shards, tmp_path):
    code = """
import os, signal, sys
from pathlib import Path
from vergence.data.shards.pack import pack
from vergence.data.shards.open_rows import open_rows
rows, form = open_rows(Path(sys.argv[1]))
def show(row, done):
    if row == 11:
        os.kill(os.getpid(), signal.SIGKILL)
pack(rows, Path(sys.argv[2]), form=form, shard_bytes=12_000, show=show)
"""
    output = tmp_path / "shards"
    killed = subprocess.run([sys.executable, "-c", code, str(samples), str(output)], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert [path.suffix for path in output.glob("shard-*1*")] or list(output.glob("*.partial"))
    assert 0 < len(list(output.glob("shard-*.json"))) < len(tars(shards))
    pack_folder(samples, output)
    assert contents(output) == contents(shards)


def test_only_what_is_missing_is_made_again(samples, shards, own_shards, monkeypatch):
    (own_shards / "shard-000001.tar").unlink()
    sidecar_of(own_shards / "shard-000000.tar").unlink()
    (own_shards / "shard-000002.json").unlink()
    read: list[int] = []
    rows = row_sources.IndexedRows.rows

    def watched(self, start):
        for number, row in enumerate(rows(self, start), start):
            read.append(number)
            yield row

    monkeypatch.setattr(row_sources.IndexedRows, "rows", watched)
    pack_folder(samples, own_shards)
    assert contents(own_shards) == contents(shards)
    first, last = (json.loads((shards / f"shard-00000{n}.json").read_text()) for n in (1, 2))
    assert read == list(range(first["start"], last["end"] + 1)), "and the row that didn't fit any more"


def test_a_side_car_is_made_again_from_its_tar(shards, own_shards):
    for tar in tars(own_shards):
        sidecar_of(tar).unlink()
        write_sidecar(tar)
    assert contents(own_shards) == contents(shards)


def test_the_side_car_says_where_everything_lies(samples, shards):
    from pyarrow.parquet import read_table

    rows = [row for tar in tars(shards) for row in read_table(sidecar_of(tar)).to_pylist()]
    assert [row["licence"] for row in rows] == ["CC0-1.0", "MIT"] * 10
    assert [json.loads(row["tags"]) for row in rows] == [{"n": number} for number in range(20)]
    assert [row["widths"] for row in rows] == [[20 + (n + i) % 7 for i in range(n % 3)] for n in range(20)]
    assert [row["heights"] for row in rows] == [[30] * (n % 3) for n in range(20)]
    data = tars(shards)[0].read_bytes()
    offset, length = rows[1]["offsets"][1], rows[1]["lengths"][1]
    assert data[offset : offset + length] == (samples / "1-0.png").read_bytes()
    assert rows[1]["names"] == ["000000001.json", "000000001.0.png"]


def test_rows_that_cannot_be_used_are_named_counted_and_left_out(tmp_path):
    folder = write_samples(tmp_path / "data", 5)
    (folder / "1-0.png").unlink()
    (folder / "2-0.png").write_bytes(picture(2)[:40])
    (folder / "4-0.png").write_bytes(b"no picture")
    with (folder / "conversations.jsonl").open("a") as file:
        file.write('\n{"messages": 3}\n')
    packed = pack_folder(folder, tmp_path / "shards")
    source = open_shards(tmp_path / "shards")
    assert [source.key(i) for i in range(len(source))] == ["000000000", "000000003"]
    assert (packed.samples, packed.shards) == (2, 1)
    reasons = [(row.reason, row.message.split(": ")[0].rpartition(":")[2]) for row in packed.left_out]
    assert reasons == [
        ("unreadable picture", "2"),
        ("broken picture", "3"),
        ("broken picture", "5"),
        ("unusable row", "7"),
    ]
    assert all(
        str(folder / "conversations.jsonl") in row.message and "\n" not in row.message for row in packed.left_out
    )
    assert "1-0.png: no such file" in packed.left_out[0].message
    assert pack_folder(folder, tmp_path / "shards") == packed, "known after a second run, too"


def test_a_sample_larger_than_a_shard_is_left_out(tmp_path):
    folder = write_samples(tmp_path / "data", 4)
    Image.effect_noise((200, 200), 90).save(folder / "1-0.png")
    packed = pack_folder(folder, tmp_path / "shards", 10_000)
    assert [row.reason for row in packed.left_out] == ["unreadable picture"]
    assert "more than the limit of 10000" in packed.left_out[0].message
    packed = pack_folder(folder, tmp_path / "smaller", 4_096)
    assert [row.reason for row in packed.left_out] == ["unreadable picture", "too large"]
    # three headers, a record of two blocks, two pictures of one, and the end's two
    assert f"{512 * (3 + 2 + 1 + 1 + 2)} bytes, more than a shard may have" in packed.left_out[1].message


def test_where_nothing_can_be_used_there_is_no_folder(tmp_path):
    folder = write_samples(tmp_path / "data", 2)
    (folder / "conversations.jsonl").write_text("{}\n{}\n")
    with pytest.raises(DataError, match=r"nothing to pack: none of 2 rows can be used; the last: .*jsonl:2"):
        pack_folder(folder, tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


def test_another_pack_or_foreign_files_are_left_alone(samples, own_shards, tmp_path):
    before = contents(own_shards)
    with pytest.raises(UsageError, match="holds a pack with shard_bytes 12000, not 9999; name a new folder"):
        pack_folder(samples, own_shards, 9999)
    with pytest.raises(UsageError, match="holds a pack of another source"):
        pack_folder(write_samples(tmp_path / "other", 2), own_shards)
    assert contents(own_shards) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("mine")
    for path in (tmp_path / "mine", tmp_path / "mine" / "a.txt"):
        with pytest.raises(UsageError, match="exists already and holds no pack; name a new folder"):
            pack_folder(samples, path)


def test_pictures_that_changed_between_two_runs_are_found(tmp_path):
    folder = write_samples(tmp_path / "data", 12)
    pack_folder(folder, tmp_path / "shards")
    (tmp_path / "shards" / "shard-000001.tar").unlink()
    (folder / "7-0.png").write_bytes(picture(99))
    with pytest.raises(DataError, match=r"shard-000001\.tar: the source's pictures have changed since"):
        pack_folder(folder, tmp_path / "shards")


def test_without_pyarrow_nothing_is_written(samples, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"needs pyarrow and xxhash: pip install 'vergence\[data\]'"):
        pack_folder(samples, tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


def test_members_of_pictures_in_memory_and_of_videos():
    film = b"\0\0\0\x18ftypisom" + bytes(60)
    conversation = Conversation(
        (user(Image.new("RGB", (9, 8), "red"), VideoPart(film, 2.0), picture(3), "?"),), {"a": 1}
    )
    members = members_of(conversation, "k", where="here", max_bytes=10**6)
    assert list(members) == ["k.json", "k.0.png", "k.1.mp4", "k.2.png"]
    read = conversation_of(members, where="here")
    assert told(read)[0][2][1:] == [("VideoPart", film), ("ImagePart", picture(3)), "?"]
    assert read.media[1].fps == 2.0
    assert read.metadata == {"a": 1}


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (VideoPart(Frames((picture(1),), (0.0,))), "frames"),
        (VideoPart(b"no video at all"), "broken video"),
        (VideoPart(Path("nowhere.mp4")), "unreadable video"),
        (b"no picture", "broken picture"),
        ("half \ud800", "text"),
    ],
)
def test_what_a_shard_cannot_hold_is_refused_by_name(part, reason):
    with pytest.raises(RowError, match=r"^here: ") as caught:
        members_of(Conversation((user(part),)), "k", where="here", max_bytes=10**6)
    assert caught.value.reason == reason


def test_metadata_that_json_cannot_hold_is_refused():
    with pytest.raises(RowError, match="can't be written as JSON"):
        members_of(Conversation((user("x"),), {"a": float("nan")}), "k", where="here", max_bytes=10**6)


# Files of JSON


def llava_rows(count: int) -> list[dict[str, object]]:
    return [
        {
            "id": f"row-{number}",
            "image": f"{number}.png",
            "conversations": [
                {"from": "human", "value": f"<image>\nWhat is {number}?"},
                {"from": "gpt", "value": f"é {number}"},
            ],
        }
        for number in range(count)
    ]


def write_pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.png").write_bytes(picture(number))
    return folder


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_a_list_of_json_is_read_item_by_item_with_its_lines(tmp_path, monkeypatch, indent, chunk):
    monkeypatch.setattr(row_sources, "_CHUNK", chunk)
    write_pictures(tmp_path / "images", 6)
    rows = llava_rows(6)
    text = json.dumps(rows, indent=indent, ensure_ascii=bool(indent))
    path = tmp_path / "data.json"
    path.write_text(f"\n {text}\n", encoding="utf-8")
    source, form = open_rows(path, images=tmp_path / "images")
    found = list(source.rows(0))
    lines = [2] * 6 if indent is None else [3 + 14 * number for number in range(6)]
    assert [int(row.where.rpartition(":")[2]) for row in found] == lines
    assert form == "json"
    for number, row in enumerate(found):
        conversation = row.load()
        assert conversation.images == [(tmp_path / "images" / f"{number}.png").resolve()]
        assert [m.text for m in conversation.messages] == [f"What is {number}?", f"é {number}"]
        assert conversation.metadata == {"id": f"row-{number}"}
    assert [row.where for row in source.rows(4)] == [row.where for row in found[4:]]


def test_a_list_that_breaks_off_keeps_what_stands_before(tmp_path):
    write_pictures(tmp_path / "images", 3)
    text = json.dumps(llava_rows(3), indent=1)
    (tmp_path / "data.json").write_text(text[: text.index("row-2") + 30])
    packed = pack_folder(tmp_path / "data.json", tmp_path / "shards", images=tmp_path / "images")
    assert packed.samples == 2
    [row] = packed.left_out
    assert row.reason == "JSON"
    assert "the rows behind it can't be read" in row.message
    line = int(row.message.split(":")[1])
    assert abs(line - text[: text.index("row-2") + 30].count("\n") - 1) <= 1


@pytest.mark.parametrize("text", ["[1, 2", "[}", "[1 2]", "[", '["a" "b"]', "[" * 100_000, "[" + "1" * 5000 + "]"])
def test_broken_lists_end(tmp_path, text):
    path = tmp_path / "data.json"
    path.write_text(text)
    rows = list(open_rows(path)[0].rows(0))
    for row in rows:
        with pytest.raises(DataError, match=r"data\.json:1: "):
            row.load()


def test_lines_of_chatml_each_bad_one_by_itself(tmp_path):
    (tmp_path / "a.png").write_bytes(picture(1))
    good = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.png"}}]}]}
    outside = {"messages": [{"role": "user", "content": [{"type": "image", "image": "../a.png"}]}]}
    wrong = {"conversations": [{"from": "human", "value": "x"}]}
    lines = [
        json.dumps(good).encode(),
        b"{no",
        b"",
        json.dumps(outside).encode(),
        b'{"a": "\xff"}',
        json.dumps(wrong).encode(),
    ]
    (tmp_path / "chat.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([*lines, json.dumps(good).encode()]))
    packed = pack_folder(tmp_path / "chat.jsonl", tmp_path / "shards", form="chatml")
    assert packed.samples == 2
    assert [(row.reason, int(row.message.split(":")[1])) for row in packed.left_out] == [
        ("JSON", 2),
        ("unusable row", 4),
        ("JSON", 5),
        ("fields", 6),
    ]


def test_what_is_no_source_is_refused(samples, tmp_path):
    with pytest.raises(UsageError, match=r"nowhere: not a file of JSON, nor a folder with conversations\.jsonl"):
        open_rows(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="not a file; the form llava is a file of JSON"):
        open_rows(samples, form="llava")
    with pytest.raises(UsageError, match="pictures of a folder lie in it"):
        open_rows(samples, images=tmp_path)
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(UsageError, match="missing: no such folder of pictures"):
        open_rows(tmp_path / "a.json", images=tmp_path / "missing")
    with pytest.raises(DataError, match="nothing to pack: no rows"):
        pack_folder(tmp_path / "a.json", tmp_path / "shards")
    assert packing.SHARD_BYTES == 2**28
