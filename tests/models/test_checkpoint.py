"""Checkpoints: whole or refused by name, and nothing in one is ever run."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vergence.errors import DataError
from vergence.model_config import LanguageConfig, ModelConfig, ProjectorConfig, VisionConfig
from vergence.models.checkpoint import (
    PARTIAL,
    complete_checkpoints,
    find_checkpoint,
    load_model,
    open_checkpoint,
    remove_partial,
    save_model,
    sha256,
    write_checkpoint,
)
from vergence.models.vlm import VLM


@pytest.fixture(scope="module")
def model() -> VLM:
    config = ModelConfig(
        vision=VisionConfig(width=16, depth=1, heads=2, mlp_width=16),
        projector=ProjectorConfig(hidden=16),
        language=LanguageConfig(vocab_size=32, width=16, depth=1, heads=2, kv_heads=1, mlp_width=16),
    )
    model = VLM(config)
    model.initialise(1)
    return model


@pytest.fixture
def saved(model, tmp_path) -> Path:
    return save_model(tmp_path / "run" / "final", model, tokenizer='{"model": "é"}').path


def rewrite(path: Path, name: str, content: bytes) -> None:
    """Change a file of a checkpoint and its manifest's entry with it."""
    (path / name).write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": len(content), "sha256": sha256(path / name)}
    (path / "manifest.json").write_text(json.dumps(manifest))


def with_weights(path: Path, change) -> None:
    weights = load_file(path / "model.safetensors")
    change(weights)
    save_file(weights, path / "model.safetensors")
    rewrite(path, "model.safetensors", (path / "model.safetensors").read_bytes())


def test_round_trip(model, saved):
    state = torch.random.get_rng_state()
    checkpoint = open_checkpoint(saved)
    loaded, config = load_model(checkpoint)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert config == model.config == loaded.config
    assert checkpoint.file("tokenizer.json").read_text(encoding="utf-8") == '{"model": "é"}'
    expected = model.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(weight, expected[name]) for name, weight in loaded.state_dict().items())
    assert all(p.requires_grad and p.device.type == "cpu" for p in loaded.parameters())


def test_the_dtype_is_kept(model, tmp_path):
    half = VLM(model.config).to(torch.bfloat16)
    loaded, _ = load_model(save_model(tmp_path / "half", half, tokenizer="{}"))
    assert {p.dtype for p in loaded.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("name", ["model.safetensors", "model.json", "tokenizer.json"])
def test_a_damaged_file_is_named(saved, name):
    file = saved / name
    content = file.read_bytes()
    for damaged, message in ((content[:-1], "truncated or changed"), (content + b"x", "truncated or changed")):
        file.write_bytes(damaged)
        with pytest.raises(DataError, match=rf"{name}: {message} \({len(damaged)} bytes"):
            open_checkpoint(saved)
    middle = len(content) // 2
    file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(DataError, match=rf"{name}: changed since it was written"):
        open_checkpoint(saved)
    file.unlink()
    with pytest.raises(DataError, match=rf"{name}: missing"):
        open_checkpoint(saved)


def test_foreign_folders_are_refused(model, tmp_path):
    foreign = tmp_path / "hub-model"
    foreign.mkdir()
    (foreign / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    save_file(model.state_dict(), foreign / "model.safetensors")
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (foreign, empty):
        with pytest.raises(DataError, match=r"not a Vergence checkpoint \(it has no manifest.json\)"):
            open_checkpoint(folder)
        with pytest.raises(DataError, match="not a Vergence checkpoint"):
            find_checkpoint(folder)
    with pytest.raises(DataError, match="no such checkpoint folder"):
        open_checkpoint(tmp_path / "absent")
    with pytest.raises(DataError, match="no such run or checkpoint folder"):
        find_checkpoint(tmp_path / "absent")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("", "damaged or not a Vergence manifest"),
        ("[1, 2]", "damaged or not a Vergence manifest"),
        ('{"name": "A web page", "icons": []}', "damaged or not a Vergence manifest"),
        ('{"files": {"a": 1}}', "damaged or not a Vergence manifest"),
        ("[" * 100_000, "damaged or not a Vergence manifest"),
        ('{"format": "other", "version": 1, "files": {}}', "not a Vergence checkpoint .format 'other'"),
        ('{"format": "vergence-checkpoint", "version": 2, "files": {}}', "checkpoint version 2, this Vergence reads 1"),
    ],
)
def test_wrong_manifests_are_refused(saved, manifest, message):
    (saved / "manifest.json").write_text(manifest)
    with pytest.raises(DataError, match=message):
        open_checkpoint(saved)


@pytest.mark.parametrize("name", ["../secret.json", "/etc/hostname", "sub/file.json", "..", "", "..\\secret.json"])
def test_names_outside_the_folder_are_refused(saved, name):
    (saved.parent / "secret.json").write_text("{}")
    (saved / "sub").mkdir()
    (saved / "sub" / "file.json").write_text("{}")
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": 2, "sha256": sha256(saved.parent / "secret.json")}
    (saved / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="is not a file of this folder"):
        open_checkpoint(saved)


def test_a_file_that_the_manifest_does_not_list_is_not_read(saved):
    (saved / "extra.json").write_text("{}")
    checkpoint = open_checkpoint(saved)
    with pytest.raises(DataError, match=r"has no extra\.json"):
        checkpoint.json("extra")
    assert checkpoint.tensors("optimizer") == {}


class Bomb:
    def __reduce__(self):
        return (Path("exploded").touch, ())


def test_a_pickle_is_refused_and_not_run(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rewrite(saved, "model.safetensors", pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"model\.safetensors: not a safetensors file"):
        load_model(open_checkpoint(saved))
    assert not (tmp_path / "exploded").exists()


def test_weights_that_do_not_fit_are_named_in_one_line(saved):
    def change(weights):
        weights["visual.patch_embed"] = weights.pop("projector.up.weight")
        weights["language.norm.weight"] = torch.ones(3)
        weights["projector.down.bias"] = torch.ones(16, dtype=torch.int8)

    with_weights(saved, change)
    with pytest.raises(DataError) as caught:
        load_model(open_checkpoint(saved))
    message = str(caught.value)
    assert "\n" not in message
    assert "model.safetensors: doesn't fit model.json: 1 missing (projector.up.weight)" in message
    assert "1 not expected (visual.patch_embed)" in message
    assert "1 of another shape (language.norm.weight [3] instead of [16])" in message
    assert "1 not floating-point (projector.down.bias)" in message


def test_many_differences_stay_one_short_line(saved):
    with_weights(saved, lambda weights: [weights.pop(name) for name in list(weights)[1:]])
    with pytest.raises(DataError, match=r"\d\d missing \([^,]+, [^,]+, [^,]+, \.\.\.\)$"):
        load_model(open_checkpoint(saved))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"{", "not a JSON file"),
        (b"\xff\xfe", "not a JSON file"),
        (b"[1]", "expected an object"),
        (b"{}", "language: missing"),
        (b'{"vision": {"width": 16, "dept": 1}}', "vision.dept"),
    ],
)
def test_wrong_configurations_are_refused(saved, document, message):
    rewrite(saved, "model.json", document)
    with pytest.raises(DataError, match=message) as caught:
        load_model(open_checkpoint(saved))
    assert "\n" not in str(caught.value)


def test_a_huge_configuration_allocates_nothing(saved):
    document = json.loads((saved / "model.json").read_text())
    document["language"].update(vocab_size=10**9, width=2**16, mlp_width=10**6)
    rewrite(saved, "model.json", json.dumps(document).encode())
    with pytest.raises(DataError, match="of another shape"):
        load_model(open_checkpoint(saved))


def test_partial_checkpoints_are_ignored_and_removed(model, tmp_path):
    folder = tmp_path / "run" / "checkpoints"
    for step in (10, 20):
        save_model(folder / f"step-{step:06}", model, tokenizer="{}")
    partial = folder / f"{PARTIAL}step-000030"
    partial.mkdir()
    (partial / "model.safetensors").write_bytes(b"half")
    assert [p.name for p in complete_checkpoints(folder)] == ["step-000010", "step-000020"]
    assert find_checkpoint(tmp_path / "run") == folder / "step-000020"
    save_model(tmp_path / "run" / "final", model, tokenizer="{}")
    assert find_checkpoint(tmp_path / "run") == tmp_path / "run" / "final"
    remove_partial(folder)
    assert not partial.exists()


def test_a_failed_write_leaves_the_old_checkpoint(model, saved):
    with pytest.raises(TypeError):
        write_checkpoint(saved, tensors={"model": model.state_dict()}, documents={"bad": object()}, texts={})
    load_model(open_checkpoint(saved))
