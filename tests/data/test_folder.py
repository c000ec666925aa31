"""A user's data folder: lazy lines, places in messages, a fingerprint."""

import json
import pickle
from pathlib import Path

import pytest
from PIL import Image

from vergence.data.mixture import Mixture
from vergence.data.mixture_sources import open_folder
from vergence.data.sources.folder import read_folder
from vergence.errors import DataError
from vergence.recipe import MixtureEntry

GOOD = {
    "messages": [
        {"role": "user", "content": [{"type": "image", "image": "a.png"}, {"type": "text", "text": "What is it?"}]},
        {"role": "assistant", "content": "Ein Bär."},
    ],
    "licence": "CC0",
}


def write(folder: Path, *lines: str | bytes) -> Path:
    raw = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    (folder / "conversations.jsonl").write_bytes(raw)
    return folder


def test_reads_lines_by_index(tmp_path):
    other = {"messages": [{"role": "user", "content": "Hello"}]}
    source = read_folder(write(tmp_path, json.dumps(GOOD, ensure_ascii=False), "", "  ", json.dumps(other)))
    assert len(source) == 2
    assert source[1].messages[0].text == "Hello"
    assert source[0].messages[1].text == "Ein Bär."
    assert source[0].images == [tmp_path / "a.png"], "an image stays a path, whether it exists or not"
    assert source[0].metadata == {"licence": "CC0"}
    assert source.where(1).endswith("conversations.jsonl:4")
    assert pickle.loads(pickle.dumps(source))[1] == source[1]
    for index in (2, -1):
        with pytest.raises(IndexError):
            source[index]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_line_endings_a_byte_order_mark_and_a_missing_last_newline(tmp_path, ending):
    line = b"\xef\xbb\xbf" + json.dumps(GOOD).encode()
    (tmp_path / "conversations.jsonl").write_bytes(line + ending)
    source = read_folder(tmp_path)
    assert len(source) == 1
    assert source[0].messages[0].text == "What is it?"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{not json", "not a line of JSON"),
        ('{"messages": []}', "messages"),
        ("[1, 2]", "messages"),
        ('{"messages": [{"role": "robot", "content": "x"}]}', "role"),
        ('{"messages": [{"role": "user", "content": [{"type": "image", "image": "../../x"}]}]}', "outside"),
        (b'{"messages": "\xff"}', "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ('{"messages": ' + "1" * 5000 + "}", "unreadable number"),
    ],
)
def test_a_bad_line_is_named_and_costs_only_itself(tmp_path, line, complaint):
    source = read_folder(write(tmp_path, json.dumps(GOOD), line, json.dumps(GOOD)))
    with pytest.raises(DataError, match=complaint) as caught:
        source[1]
    assert "conversations.jsonl:2" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert source[0] == source[2]


def test_a_missing_or_empty_file_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"conversations\.jsonl: can't be read"):
            read_folder(folder)
    with pytest.raises(DataError, match="holds no conversation"):
        read_folder(write(tmp_path, "", " "))


def test_the_fingerprint_follows_the_content(tmp_path):
    first = read_folder(write(tmp_path, json.dumps(GOOD))).fingerprint
    assert first == read_folder(tmp_path).fingerprint
    assert first != read_folder(write(tmp_path, json.dumps(GOOD), json.dumps(GOOD))).fingerprint


def test_a_file_that_changes_during_a_run_is_refused(tmp_path):
    source = read_folder(write(tmp_path, json.dumps(GOOD)))
    write(tmp_path, json.dumps(GOOD), json.dumps(GOOD))
    with pytest.raises(DataError, match="has changed"):
        source[0]


def test_a_file_of_json_lines_of_any_form_is_a_source(tmp_path):
    """LLaVA's and ChatML's records a line, with a picture beside the file, trained on as they are."""
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    llava = {
        "image": "a.png",
        "conversations": [{"from": "human", "value": "<image>\nq0"}, {"from": "gpt", "value": "a0"}],
    }
    parts = [{"type": "image_url", "image_url": {"url": "a.png"}}, {"type": "text", "text": "q1"}]
    chatml = {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "a1"}]}
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join([json.dumps(llava), "", json.dumps(chatml), "{}"]), encoding="utf-8")
    source = open_folder(path)
    assert [[message.text for message in source[n].messages] for n in (0, 1)] == [["q0", "a0"], ["q1", "a1"]]
    assert source[1].images == [tmp_path / "a.png"]
    with pytest.raises(DataError, match=r"mine\.jsonl:4: expected a non-empty list"):
        source[2]
    mixture = Mixture([MixtureEntry(source="folder", path=path)], split="train", seed=0)
    assert mixture.sources[0].size == 3


def test_a_file_that_is_one_list_is_sent_to_pack(tmp_path):
    (tmp_path / "list.json").write_text('[{"id": 1}]')
    with pytest.raises(DataError, match="is one list and not a record a line; `vergence data pack"):
        open_folder(tmp_path / "list.json")
    with pytest.raises(DataError, match=r"nothing\.jsonl"):
        open_folder(tmp_path / "nothing.jsonl")
