"""Reading shards: any order, any process, damage that costs its own sample only, and tars of other tools."""

from __future__ import annotations

import io
import json
import multiprocessing
import pickle
import random
import tarfile
from pathlib import Path

import pytest
from PIL import Image
from shard_samples import contents, pack_folder, picture, told, write_samples

from vergence.conversation import VideoPart
from vergence.data.shards.index import sidecar_of
from vergence.data.shards.reader import ShardSource, open_shards
from vergence.data.shards.stats import shard_stats
from vergence.data.shards.unpack import unpack
from vergence.errors import DataError


def write_tar(path: Path, members: list[tuple[str, bytes]], **options: object) -> Path:
    """A tar as another tool writes it, with times, owners and folders."""
    with tarfile.open(path, "w:", **options) as archive:  # type: ignore[arg-type]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uname = len(data), 1_700_000_000, "somebody"
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO(data))
    return path


def usable(source: ShardSource) -> tuple[list[int], list[str]]:
    """The numbers of the samples that can be read, and what the others say."""
    good, complaints = [], []
    for number in range(len(source)):
        try:
            source[number]
            good.append(number)
        except DataError as error:
            complaints.append(str(error))
    return good, complaints


def test_any_order_gives_the_same_samples(shards):
    source = open_shards(shards)
    straight = [told(source[number]) for number in range(len(source))]
    numbers = list(range(len(source))) * 2
    random.Random(0).shuffle(numbers)
    copied = pickle.loads(pickle.dumps(source))
    assert all(told(source[n]) == straight[n] == told(copied[n]) for n in numbers)
    assert source.where(19).endswith(f"shard-00000{len(source.shards) - 1}.tar: 000000019")
    for number in (20, -1):
        with pytest.raises(IndexError):
            source[number]


def read_share(source: ShardSource, numbers: range, results: multiprocessing.Queue) -> None:
    results.put([(number, told(source[number])) for number in numbers])


def test_several_processes_read_at_once(shards):
    source = open_shards(shards)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=read_share, args=(source, range(p, 20, 3), results)) for p in range(3)]
    for process in processes:
        process.start()
    found = dict(pair for _ in processes for pair in results.get(timeout=60))
    for process in processes:
        process.join()
    assert found == {number: told(source[number]) for number in range(20)}


def test_no_handle_stays_open(shards):
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        pytest.skip("this system doesn't list its handles")
    source = open_shards(shards)
    before = len(list(handles.iterdir()))
    for number in range(20):
        source[number]
    assert len(list(handles.iterdir())) <= before


def test_without_side_cars_the_headers_say_the_same(shards, own_shards):
    for path in own_shards.glob("*.parquet"):
        path.unlink()
    one, two = open_shards(shards), open_shards(own_shards)
    assert [told(one[n]) for n in range(20)] == [told(two[n]) for n in range(20)]
    assert [one.key(n) for n in range(20)] == [two.key(n) for n in range(20)]
    for a, b in zip(one.shards, two.shards, strict=True):
        assert (a.offsets.tolist(), a.lengths.tolist(), a.first.tolist()) == (
            b.offsets.tolist(),
            b.lengths.tolist(),
            b.first.tolist(),
        )


def test_the_fingerprint_follows_every_byte_and_not_the_place(shards, own_shards, tmp_path):
    assert open_shards(shards).fingerprint == open_shards(own_shards).fingerprint
    folder = write_samples(tmp_path / "data", 20)
    (folder / "1-0.png").write_bytes(picture(50, size=(21, 30)))
    pack_folder(folder, tmp_path / "other")
    assert open_shards(tmp_path / "other").fingerprint != open_shards(shards).fingerprint
    assert pack_folder(folder, tmp_path / "larger", 50_000).shards < len(open_shards(shards).shards)


def test_one_flipped_byte_costs_one_sample_and_is_named(own_shards):
    source = open_shards(own_shards)
    shard = source.shards[0]
    place = int(shard.offsets[shard.first[2] + 1]) + 30
    data = bytearray(shard.tar.read_bytes())
    data[place] ^= 1
    shard.tar.write_bytes(data)
    for reopened in (source, open_shards(own_shards)):
        good, complaints = usable(reopened)
        assert good == [number for number in range(20) if number != 2]
        assert complaints == [f"{shard.tar}: 000000002: 000000002.0.png is not what was packed (its hash differs)"]


def test_a_tar_that_was_cut_off_keeps_what_stands_before(own_shards):
    source = open_shards(own_shards)
    shard = source.shards[0]
    with shard.tar.open("r+b") as file:
        file.truncate(int(shard.offsets[shard.first[2]]) + 10)
    good, complaints = usable(source)
    assert good == [0, 1, *range(len(shard), 20)]
    assert complaints[0].startswith(f"{shard.tar}: 000000002: the file ends at byte")
    shard.tar.unlink()
    good, complaints = usable(source)
    assert good == list(range(len(shard), 20))
    assert complaints[0] == f"{shard.tar}: 000000000: can't be read (No such file or directory)"


def test_a_foreign_tar_that_changes_during_a_run_is_refused(tmp_path):
    path = write_tar(tmp_path / "a.tar", [("1.jpg", picture(1, "JPEG")), ("1.txt", b"red")])
    source = open_shards(tmp_path)
    assert source[0].messages[1].text == "red"
    write_tar(path, [("0.txt", b"zero" * 9999)])
    with pytest.raises(DataError, match=r"a\.tar: 1: the file has changed since it was opened"):
        source[0]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_other_tools(tmp_path, form):
    long = "x" * 60 + "/" + "ü" * 40
    record = {"caption": "two", "licence": "CC0-1.0", "url": "u"}
    turns = {"id": 5, "image": "old/name.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat?"}]}
    typed = {"messages": [{"role": "user", "content": [{"type": "image", "image": "d/5.a.png"}]}]}
    marked = {"images": ["x.jpg"], "messages": [{"role": "user", "content": "<image>Why?"}]}
    members = [
        ("./", b""),
        (f"./{long}.jpg", picture(1, "JPEG")),
        (f"./{long}.txt", "ein Bär\n".encode()),
        ("b/", b""),
        ("b/2.JSON", json.dumps(record).encode()),
        ("b/2.0.PNG", picture(2)),
        ("b/2.1.webp", picture(3, "WEBP")),
        ("3.json", json.dumps(turns).encode()),
        ("3.jpeg", picture(4, "JPEG")),
        ("README", b"belongs to no sample"),
        (".hidden", b""),
        ("d/5.json", json.dumps(typed).encode()),
        ("d/5.a.png", picture(5)),
        ("6.png", picture(6)),
        ("6.json", json.dumps(marked).encode()),
        ("7.txt", b"a film"),
        ("7.mp4", b"\0\0\0\x18ftypisom"),
    ]
    write_tar(tmp_path / "data-000.tar", members, format=form)
    source = open_shards(tmp_path / "data-000.tar")
    assert [source.key(n) for n in range(len(source))] == [f"./{long}", "b/2", "3", "d/5", "6", "7"]
    one, two, three, five, six, seven = (source[n] for n in range(6))
    assert told(one) == [
        ("user", True, [("ImagePart", picture(1, "JPEG"))]),
        ("assistant", True, ["ein Bär"]),
    ]
    assert two.images == [picture(2), picture(3, "WEBP")]
    assert (two.messages[1].text, two.metadata) == ("two", record)
    assert told(three) == [("user", True, [("ImagePart", picture(4, "JPEG")), "What?"])]
    assert three.metadata == {"id": 5}
    assert told(five) == [("user", True, [("ImagePart", picture(5))])]
    assert told(six) == [("user", True, [("ImagePart", picture(6)), "Why?"])]
    assert seven.messages[0].parts == (VideoPart(b"\0\0\0\x18ftypisom"),)
    pack_folder(tmp_path, tmp_path / "ours", 50_000)
    assert [told(open_shards(tmp_path / "ours")[n]) for n in range(5)] == [told(source[n]) for n in range(5)]
    assert shard_stats(tmp_path)["licences"] == {"none named": 5, "CC0-1.0": 1}


def test_bad_samples_of_other_tools_are_named_each_by_itself(tmp_path):
    members = [
        ("1.jpg", picture(1, "JPEG")),
        ("2.txt", b"no picture"),
        ("3.json", b"{no"),
        ("3.jpg", picture(3, "JPEG")),
        ("4.json", b'{"messages": [{"role": "user", "content": [{"type": "image", "image": "../1.jpg"}]}]}'),
        ("5.json", b'{"messages": [{"role": "user", "content": [{"type": "image", "image": "1.jpg"}]}]}'),
        ("6.jpg", picture(6, "JPEG")),
        ("6.txt", b"\xff"),
        ("7.jpg", picture(7, "JPEG")),
        ("7.txt", b"good"),
        ("8.jpg", picture(7, "JPEG")),
        ("8.json", b"[" * 100_000),
        ("9.json", b'{"messages": [{"role": "user", "content": "x", "loss": 1}]}'),
        ("10.mp4", b"film"),
        ("10.json", b'{"messages": [{"role": "user", "content": [{"type": "video", "video": "10.mp4", "fps": "x"}]}]}'),
    ]
    path = write_tar(tmp_path / "a.tar", members)
    good, complaints = usable(open_shards(tmp_path))
    assert good == [6]
    assert [line.removeprefix(f"{path}: ") for line in complaints] == [
        "1: has no caption (.txt, or caption in .json); its members are 1.jpg",
        "2: has no picture or video; its members are 2.txt",
        "3: not JSON (Expecting property name enclosed in double quotes at line 1, 2)",
        "4: messages[0]: names '../1.jpg', which the sample doesn't hold",
        "5: messages[0]: names '1.jpg', which the sample doesn't hold",
        "6: the caption is not UTF-8 text (byte 1)",
        "8: JSON that is nested too deeply or holds an unreadable number",
        "9: messages[0].loss: expected true or false",
        "10: messages[0].fps: 'x' is not a number greater than 0",
    ]


@pytest.mark.parametrize("cut", [600, 1700, 3000])
def test_a_broken_foreign_tar_keeps_what_stands_before_and_says_what_is_lost(tmp_path, cut):
    members = [pair for n in range(4) for pair in ((f"{n}.jpg", picture(n, "JPEG", (30, 30))), (f"{n}.txt", b"x"))]
    whole = write_tar(tmp_path / "whole.tar", members).read_bytes()
    (tmp_path / "cut").mkdir()
    path = tmp_path / "cut" / "a.tar"
    path.write_bytes(whole[:cut])
    good, complaints = usable(open_shards(path.parent))
    ends = [(n + 1) * (512 + 1024 + 1024) for n in range(4)]
    assert len(picture(0, "JPEG", (30, 30))) in range(513, 1024)
    assert good == [n for n in range(4) if ends[n] - 511 <= cut]
    assert complaints[-1].startswith(f"{path}: broken behind byte ")
    assert complaints[-1].endswith("the samples from there on are lost")


def test_damage_in_the_middle_of_a_foreign_tar_is_seen(tmp_path):
    members = [pair for n in range(4) for pair in ((f"{n}.jpg", picture(n, "JPEG", (30, 30))), (f"{n}.txt", b"x"))]
    path = write_tar(tmp_path / "a.tar", members)
    data = bytearray(path.read_bytes())
    place = 2 * (512 + 1024 + 1024)
    data[place : place + 512] = bytes([7]) * 512
    path.write_bytes(data)
    source = open_shards(tmp_path)
    good, [complaint] = usable(source)
    assert good == [0, 1]
    assert (
        complaint
        == f"{path}: broken behind byte {place} (not the header of a member); the samples from there on are lost"
    )
    assert source.where(2) == f"{path}: its end"
    packed = pack_folder(tmp_path, tmp_path / "ours", 50_000)
    assert [row.message for row in packed.left_out] == [complaint]


def test_what_holds_no_shards_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no tar with a sample"):
        open_shards(tmp_path)
    write_tar(tmp_path / "a.tar", [])
    with pytest.raises(DataError, match="holds no tar with a sample"):
        open_shards(tmp_path)
    for content in (b"", b"no tar", b"\x1f\x8b" + bytes(600)):
        (tmp_path / "a.tar").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.tar: not an uncompressed tar file"):
            open_shards(tmp_path)


def test_a_pack_that_is_not_whole_is_refused(own_shards):
    tars = sorted(own_shards.glob("*.tar"))
    tars[-1].unlink()
    with pytest.raises(
        DataError, match=rf"has {len(tars) - 1} of {len(tars)} shards; the same `vergence data pack` or `make`"
    ):
        open_shards(own_shards)
    settings = json.loads((own_shards / "pack.json").read_text())
    del settings["shards"]
    (own_shards / "pack.json").write_text(json.dumps(settings))
    with pytest.raises(DataError, match="it has not finished"):
        open_shards(own_shards)
    (own_shards / "pack.json").write_text("{")
    with pytest.raises(DataError, match=r"pack\.json: not a JSON object"):
        open_shards(own_shards)


def test_a_side_car_that_is_broken_or_something_else_is_refused(own_shards):
    import pyarrow
    from pyarrow import parquet

    path = sidecar_of(sorted(own_shards.glob("*.tar"))[0])
    table = parquet.read_table(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"shard-000000\.parquet: can't be read .*without this file the tar is read by"):
        open_shards(own_shards)
    parquet.write_table(pyarrow.table({"a": [1]}), path)
    with pytest.raises(DataError, match=r"not the index of a shard \(version none, expected 2\)"):
        open_shards(own_shards)
    rows = table.to_pylist()
    rows[0]["offsets"] = [-5]
    rows[1]["lengths"][1] = 2**60
    rows[2]["lengths"].pop()
    parquet.write_table(pyarrow.Table.from_pylist(rows[:2], schema=table.schema), path)
    good, complaints = usable(open_shards(own_shards))
    assert 0 not in good
    assert len(complaints) == 2
    assert all("before the sample does" in line for line in complaints)
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=table.schema), path)
    with pytest.raises(DataError, match="its columns don't agree"):
        open_shards(own_shards)


# Out again


def test_a_folder_comes_back_as_it_was(samples, shards, tmp_path):
    from vergence.data.sources.folder import read_folder

    assert unpack(shards, tmp_path / "out", form="folder").samples == 20
    before, after = read_folder(samples), read_folder(tmp_path / "out")
    assert len(after) == 20
    for number in range(20):
        assert told(after[number]) == told(before[number])
        assert after[number].metadata == before[number].metadata
    pack_folder(tmp_path / "out", tmp_path / "again")
    one, two = open_shards(shards), open_shards(tmp_path / "again")
    assert [one.members(n) for n in range(20)] == [two.members(n) for n in range(20)]
    assert one.fingerprint == two.fingerprint


def test_llavas_json_and_back(shards, tmp_path):
    unpack(shards, tmp_path / "out", form="llava")
    rows = json.loads((tmp_path / "out" / "llava.json").read_text(encoding="utf-8"))
    assert rows[1] == {
        "id": "000000001",
        "licence": "MIT",
        "tags": {"n": 1},
        "images": 3,
        "image": "images/000000001-0.png",
        "conversations": [{"from": "human", "value": "<image>\nWhat is 1?"}, {"from": "gpt", "value": "né 1"}],
    }
    assert rows[2]["image"] == ["images/000000002-0.png", "images/000000002-1.jpg"]
    assert rows[4]["conversations"][1] == {"from": "gpt", "value": "né 4", "loss": False}
    assert "image" not in rows[0]
    for row in rows:
        del row["images"]  # a key of this data, which LLaVA's form gives a meaning
    (tmp_path / "out" / "llava.json").write_text(json.dumps(rows), encoding="utf-8")
    packed = pack_folder(tmp_path / "out" / "llava.json", tmp_path / "again", form="llava")
    assert not packed.left_out
    one, two = open_shards(shards), open_shards(tmp_path / "again")
    assert [told(one[n]) for n in range(20)] == [told(two[n]) for n in range(20)]


def test_what_cannot_be_unpacked_is_left_out_and_named(tmp_path):
    text = {"messages": [{"role": "user", "content": "an <image> tag"}]}
    members = [("1.png", picture(1)), ("1.txt", b"one"), ("../2.json", json.dumps(text).encode()), ("3.png", b"no")]
    write_tar(tmp_path / "a.tar", [*members, ("3.txt", b"x")])
    packed = unpack(tmp_path, tmp_path / "out", form="llava")
    assert (packed.samples, [row.reason for row in packed.left_out]) == (1, ["marks", "broken picture"])
    assert set(contents(tmp_path / "out")) == {"llava.json", "000000000-0.png"}
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("a.tar", "out")] == []
    packed = unpack(tmp_path, tmp_path / "folder", form="folder")
    assert (packed.samples, [row.reason for row in packed.left_out]) == (2, ["broken picture"])
    write_tar(tmp_path / "a.tar", members[3:])
    with pytest.raises(DataError, match=r"none of 1 samples can be used; the last: .*: 3: has no caption"):
        unpack(tmp_path, tmp_path / "nothing", form="folder")
    assert not (tmp_path / "nothing").exists()


def test_pictures_keep_their_bytes_whatever_their_name_said(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "GIF")
    write_tar(tmp_path / "a.tar", [("1.jpg", file.getvalue()), ("1.txt", b"one")])
    unpack(tmp_path, tmp_path / "out", form="folder")
    assert contents(tmp_path / "out")["000000000-0.gif"] == file.getvalue()


def test_stats_count_what_is_there(shards):
    stats = shard_stats(shards)
    pictures = [(20 + (n + i) % 7, 30) for n in range(20) for i in range(n % 3)]
    source = open_shards(shards)
    text_bytes = sum(len(message.text.encode()) for n in range(20) for message in source[n].messages)
    assert stats == {
        "samples": 20,
        "shards": len(list(shards.glob("*.tar"))),
        "bytes": sum(path.stat().st_size for path in shards.glob("*.tar")),
        "pictures": len(pictures),
        "videos": 0,
        "pictures_per_sample": {0: 7, 1: 7, 2: 6},
        "width": {"least": 20, "median": sorted(w for w, _ in pictures)[(len(pictures) - 1) // 2], "most": 26},
        "height": {"least": 30, "median": 30, "most": 30},
        "visual_tokens": sum(2 for _ in pictures),  # 28 x 28 pixels each: 20 to 26 wide is one, 30 high is two
        "text_bytes": text_bytes,
        "kinds": {},
        "licences": {"CC0-1.0": 10, "MIT": 10},
        "sources": {"none named": 20},
        "left_out": {},
    }
