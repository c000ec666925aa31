"""Public checkpoints: read from a folder or the hub's cache, refused by name, and nothing in one is ever run."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from vergence.errors import DataError, UsageError
from vergence.models.hub import source as module
from vergence.models.hub.safetensors_file import LazyTensor, write_sharded
from vergence.models.hub.source import FETCHED, open_source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = {"a.weight": torch.randn(4, 3), "b.weight": torch.randn(5).bfloat16(), "c.weight": torch.randn(4, 3)}
INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text('{"model_type": "qwen2", "text_config": {"é": 1}}', encoding="utf-8")
    save_file(WEIGHTS, path / "model.safetensors")
    return path


@pytest.fixture
def sharded(folder) -> Path:
    (folder / "model.safetensors").unlink()
    entries = [LazyTensor(name, t.dtype, t.shape, lambda t=t: t) for name, t in WEIGHTS.items()]
    assert len(write_sharded(folder, entries, max_bytes=50)) == 4
    return folder


def refused(folder: Path, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        open_source(str(folder))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + 2 * len(str(folder))


def check_weights(folder: Path) -> None:
    source = open_source(str(folder))
    assert source.keys.keys() == WEIGHTS.keys()
    for name, tensor in WEIGHTS.items():
        assert (source.keys[name].dtype, source.keys[name].shape) == (tensor.dtype, tuple(tensor.shape))
        assert torch.equal(source.tensor(name), tensor)
        assert source.tensor(name).dtype == tensor.dtype


def edit_index(folder: Path, change) -> None:
    index = json.loads((folder / INDEX).read_text())
    change(index["weight_map"])
    (folder / INDEX).write_text(json.dumps(index))


def test_a_single_file(folder):
    check_weights(folder)
    source = open_source(str(folder))
    assert source.config == {"model_type": "qwen2", "text_config": {"é": 1}}
    assert source.names == ("config.json", "model.safetensors")
    assert source.commit is None
    with pytest.raises(DataError, match=r"no tensor 'd\.weight'"):
        source.tensor("d.weight")


def test_shards_with_and_without_their_index(sharded):
    check_weights(sharded)
    (sharded / INDEX).unlink()
    check_weights(sharded)
    next(sharded.glob("*-00002-of-*")).unlink()
    refused(sharded, r"00002-of-00003\.safetensors: missing, though .*00001-of-00003\.safetensors belongs to 3 shards")


def test_a_single_file_of_another_name(folder):
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    check_weights(folder)


def test_a_tensor_is_memory_of_its_own(folder):
    source = open_source(str(folder))
    source.tensor("a.weight").zero_()
    assert torch.equal(source.tensor("a.weight"), WEIGHTS["a.weight"])


def test_files(folder):
    (folder / "extra.json").write_text("[1]")
    (folder / "notes.txt").write_text("é", encoding="utf-8")
    (folder / "latin.txt").write_bytes(b"\xff")
    (folder / "sub").mkdir()
    source = open_source(str(folder))
    assert source.json("extra.json") == [1]
    assert source.text("notes.txt") == "é"
    assert source.file("notes.txt") == folder / "notes.txt"
    assert source.document("absent.json") == {}
    assert source.json("absent.json", optional=True) is None
    assert source.text("absent.json", optional=True) is None
    for name in ("absent.json", "sub", "x" * 300):
        with pytest.raises(DataError, match="is missing, or not a file"):
            source.text(name)
    with pytest.raises(DataError, match=r"extra\.json: expected an object, found \[1\]"):
        source.document("extra.json")
    with pytest.raises(DataError, match=r"notes\.txt: not a JSON file"):
        source.json("notes.txt")
    with pytest.raises(DataError, match=r"latin\.txt: not UTF-8 text"):
        source.text("latin.txt")


@pytest.mark.parametrize("name", ["../secret.json", "/etc/hostname", "sub/file.json", "..", "", "..\\secret.json"])
def test_names_outside_the_folder_are_refused(folder, name):
    (folder.parent / "secret.json").write_text("{}")
    (folder / "sub").mkdir()
    (folder / "sub" / "file.json").write_text("{}")
    source = open_source(str(folder))
    for read in (source.file, source.text, source.json):
        with pytest.raises(DataError, match="is not the name of a file in this folder"):
            read(name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "'config.json' is missing, or not a file"),
        (b"", r"config\.json: not a JSON file"),
        (b"{", r"config\.json: not a JSON file"),
        (b"[1]", r"config\.json: expected an object, found \[1\]"),
        (b"null", r"config\.json: expected an object, found None"),
        (b"[" * 100_000, r"config\.json: not a JSON file"),
        (b'{"a":' * 100_000, r"config\.json: not a JSON file"),
        (b'{"a": ' + b"1" * 5000 + b"}", r"config\.json: not a JSON file"),
        (b"\xff\xfe", r"config\.json: not UTF-8 text"),
    ],
)
def test_wrong_configurations_are_refused(folder, content, message):
    (folder / "config.json").unlink()
    if content is not None:
        (folder / "config.json").write_bytes(content)
    refused(folder, message)


def test_a_text_that_is_too_long_is_refused_unread(folder, monkeypatch):
    monkeypatch.setattr(module, "MAX_JSON_BYTES", 40)
    refused(folder, r"config\.json: \d+ bytes, at most 40 are read")


def test_a_truncated_shard_is_named(sharded):
    shard = next(sharded.glob("*-00002-of-*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    refused(sharded, r"model-00002-of-00003\.safetensors: truncated")


@pytest.mark.parametrize("file", ["../x.safetensors", "/x.safetensors", "sub/x.safetensors"])
def test_an_index_that_names_a_file_elsewhere_is_refused(sharded, file):
    (sharded / "sub").mkdir()
    for place in (sharded.parent, sharded / "sub"):
        save_file({"a.weight": torch.zeros(1)}, place / "x.safetensors")
    edit_index(sharded, lambda weight_map: weight_map.update({"a.weight": file}))
    refused(sharded, rf"{file}' is not the name of a file in this folder")


def test_an_index_that_does_not_fit_is_refused(sharded):
    original = (sharded / INDEX).read_text()
    for value, message in (
        ("gone.safetensors", r"'gone\.safetensors' is missing, or not a file"),
        ("model.bin", r"'a\.weight' must be in a \.safetensors file, found 'model\.bin'"),
        (3, r"'a\.weight' must be in a \.safetensors file, found 3"),
        ("model-00002-of-00003.safetensors", r"index\.json: 'a\.weight' is not in model-00002-of-00003\.safetensors"),
    ):
        edit_index(sharded, lambda weight_map, value=value: weight_map.update({"a.weight": value}))
        refused(sharded, message)
        (sharded / INDEX).write_text(original)
    edit_index(sharded, lambda weight_map: weight_map.update({"z": "model-00002-of-00003.safetensors"}))
    refused(sharded, r"'z' is not in model-00002-of-00003\.safetensors")
    for content in ("[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', "[" * 100_000):
        (sharded / INDEX).write_text(content)
        refused(sharded, INDEX.replace(".", r"\."))


def test_a_tensor_in_two_shards_is_refused(sharded):
    save_file(
        {"a.weight": WEIGHTS["a.weight"], "c.weight": WEIGHTS["c.weight"]}, sharded / "model-00003-of-00003.safetensors"
    )
    refused(sharded, r"'a\.weight' is in both model-00001-of-00003\.safetensors and model-00003-of-00003\.safetensors")


def test_links_out_of_the_folder_are_refused(folder):
    outside = folder.parent / "outside"
    shutil.move(folder / "model.safetensors", outside)
    (folder / "model.safetensors").symlink_to(outside)
    refused(folder, r"model\.safetensors: links to a file outside of its folder")
    (folder / "model.safetensors").unlink()
    shutil.move(outside, folder / "stored")
    (folder / "model.safetensors").symlink_to("stored")
    check_weights(folder)
    shutil.move(folder / "config.json", outside)
    (folder / "config.json").symlink_to(outside)
    refused(folder, r"config\.json: links to a file outside of its folder")


def test_a_folder_may_itself_be_a_link(folder):
    (folder.parent / "link").symlink_to(folder)
    check_weights(folder.parent / "link")


def in_the_cache(folder: Path, *, shared: bool) -> Path:
    """The folder's files as the hub's cache keeps them: content is in the repository's blobs, or in shared ones."""
    cache = folder.parent / "hub"
    snapshot = cache / "models--org--name" / "snapshots" / COMMIT
    blobs = cache / "models--org--name" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, file in enumerate(sorted(folder.iterdir())):
        if shared:
            (cache / "blobs" / "ab").mkdir(parents=True, exist_ok=True)
            shutil.copy(file, cache / "blobs" / "ab" / f"ab{number}")
            (blobs / str(number)).symlink_to(f"../../blobs/ab/ab{number}")
        else:
            shutil.copy(file, blobs / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    return snapshot


@pytest.mark.parametrize("shared", [False, True])
def test_the_links_of_the_hubs_cache_are_followed(folder, shared):
    snapshot = in_the_cache(folder, shared=shared)
    check_weights(snapshot)
    assert open_source(str(snapshot)).commit == COMMIT
    secret = folder.parent / "hub" / "secret"
    secret.write_text("{}")
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(secret)
    refused(snapshot, r"config\.json: links to a file outside of its folder")


def fake_hub(monkeypatch, download) -> None:
    hub = ModuleType("huggingface_hub")
    hub.snapshot_download = download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)


@pytest.mark.parametrize("revision", [None, "main", "v1"])
def test_a_hub_id_is_fetched_and_its_commit_recorded(folder, monkeypatch, revision):
    calls = []

    def download(repo_id, **options):
        calls.append((repo_id, options))
        return str(in_the_cache(folder, shared=False))

    fake_hub(monkeypatch, download)
    monkeypatch.chdir(folder.parent)
    source = open_source("org/name-1.5B", revision=revision)
    assert source.commit == COMMIT
    assert torch.equal(source.tensor("a.weight"), WEIGHTS["a.weight"])
    options = {"revision": revision, "allow_patterns": list(FETCHED), "ignore_patterns": ["*/*"]}
    assert calls == [("org/name-1.5B", options)]


def test_only_weights_and_text_are_fetched():
    from huggingface_hub.utils import filter_repo_objects

    offered = ["model.safetensors", "config.json", "chat_template.jinja", "tiktoken.model", "tokenizer.model"]
    others = ["modeling.py", "pytorch_model.bin", "model.pt", "onnx/model.json", "a/model.safetensors", "README.md"]
    kept = filter_repo_objects([*offered, *others], allow_patterns=list(FETCHED), ignore_patterns=["*/*"])
    assert list(kept) == offered


def test_what_the_hub_says_is_one_line(folder, monkeypatch):
    def download(repo_id, **options):
        raise OSError("401 Client Error.\nRepository not found.\nRequest id 123")

    fake_hub(monkeypatch, download)
    monkeypatch.chdir(folder.parent)
    with pytest.raises(DataError, match=r"^org/name at v2: not a folder, .*the hub: 401 Client Error\.$"):
        open_source("org/name", revision="v2")
    with pytest.raises(UsageError, match="a folder has no revision"):
        open_source(str(folder), revision="main")


def test_without_the_hubs_library_the_command_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.chdir(folder.parent)
    with pytest.raises(UsageError, match=r"pip install 'vergence\[hub\]'"):
        open_source("org/name")


@pytest.mark.parametrize("name", ["", "absent", "/absent/model", "./org/name", "../name", "a/b/c", "https://x.org/a"])
def test_what_is_neither_a_folder_nor_a_hub_id_is_refused(tmp_path, monkeypatch, name):
    fake_hub(monkeypatch, lambda *args, **options: pytest.fail("fetched"))
    monkeypatch.chdir(tmp_path)
    if name == "":  # the working folder
        refused(Path(name), r"'config\.json' is missing")
    else:
        with pytest.raises(DataError, match="no such folder, and not a hub id"):
            open_source(name)


class Bomb:
    def __reduce__(self):
        return (Path("exploded").touch, ())


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "a.pt", "b.pth", "c.ckpt"])
def test_pickles_are_refused_and_not_run(folder, monkeypatch, name):
    monkeypatch.chdir(folder.parent)
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    refused(folder, rf"weights are pickled \({name}\).*convert them to safetensors")
    (folder / name).rename(folder / "model.safetensors")
    refused(folder, r"model\.safetensors: not a safetensors file")
    assert not Path("exploded").exists()


def test_code_beside_the_weights_is_not_run(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in ("modeling_evil", "configuration_evil", "__init__", "sitecustomize"):
        (folder / f"{name}.py").write_text(f"import pathlib; pathlib.Path({str(folder)!r}, 'exploded').touch()")
    auto_map = {"AutoConfig": "configuration_evil.C", "AutoModelForCausalLM": "modeling_evil.M"}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto_map}))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["modeling_evil.T", None]}})
    )
    source = open_source(str(folder))
    assert torch.equal(source.tensor("a.weight"), WEIGHTS["a.weight"])
    assert source.chat_template is None
    assert not (folder / "exploded").exists()
    assert not {"modeling_evil", "configuration_evil"} & sys.modules.keys()


def test_folders_without_weights_say_so(folder):
    (folder / "model.safetensors").unlink()
    refused(folder, r"no \*\.safetensors file, so it holds no weights")
    (folder / "a.gguf").write_bytes(b"GGUF")
    refused(folder, r"name the \.gguf file itself")


def test_types_that_are_not_weights_are_named(folder):
    weights = {"scale": torch.zeros(2).to(torch.float8_e4m3fn), "ids": torch.arange(3)}
    save_file(weights, folder / "model.safetensors")
    source = open_source(str(folder))
    assert source.keys["ids"].dtype == torch.int64
    with pytest.raises(DataError, match=r"model\.safetensors: tensor 'scale' is F8_E4M3, which is not supported"):
        source.tensor("scale")
    with pytest.raises(DataError, match="tensor 'ids' is I64"):
        source.tensor("ids")


def test_a_pipe_is_not_waited_for(folder):
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    refused(folder, r"'config\.json' is missing, or not a file")


def test_chat_templates_are_found_where_transformers_looks(folder):
    assert open_source(str(folder)).chat_template is None
    named = [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert open_source(str(folder)).chat_template == "D"
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "C"}))
    assert open_source(str(folder)).chat_template == "C"
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": "P"}))
    assert open_source(str(folder)).chat_template == "P"
    (folder / "chat_template.jinja").write_text("J")
    assert open_source(str(folder)).chat_template == "J"
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": 3}))
    with pytest.raises(DataError, match=r"chat_template\.json: chat_template must be text, found 3"):
        _ = open_source(str(folder)).chat_template
