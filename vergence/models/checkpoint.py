"""Checkpoints: a folder of safetensors and JSON that appears whole or not at all.

A checkpoint is written into a temporary folder, flushed, and renamed; `manifest.json` lists every file with its size
and SHA-256, so a truncated, mixed-up or foreign folder is refused by name. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vergence.config import ConfigError, parse
from vergence.errors import DataError
from vergence.model_config import ModelConfig, VisionConfig
from vergence.models.vlm import VLM

FORMAT = "vergence-checkpoint"
VERSION = 1
MANIFEST = "manifest.json"
CHAT_TEMPLATE = "chat_template.jinja"
OWN_FILES = {"tokenizer": "tokenizer.json", "template": CHAT_TEMPLATE}
"""What `processing` calls the files that lie beside model.json in a checkpoint that was imported."""
PARTIAL = ".partial-"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    path: Path
    files: Mapping[str, Any]

    def weight_files(self, name: str) -> list[Path]:
        """`<name>.safetensors`, or the shards that it is cut into; empty where the checkpoint has neither."""
        pattern = re.compile(rf"{re.escape(name)}(-\d{{5}}-of-\d{{5}})?\.safetensors", re.ASCII)
        return [self.path / file for file in sorted(self.files) if pattern.fullmatch(file)]

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of `<name>.safetensors`, or of its shards; empty where the checkpoint has no such file."""
        tensors: dict[str, Tensor] = {}
        for file in self.weight_files(name):
            try:
                loaded = load_file(file)
            except SafetensorError:
                raise DataError(f"{file}: not a safetensors file") from None
            if twice := tensors.keys() & loaded.keys():
                raise DataError(f"{file}: holds {min(twice)!r:.80}, which another file of the checkpoint holds too")
            tensors |= loaded
        return tensors

    def json(self, name: str) -> Any:
        """The content of `<name>.json`. Raises `DataError` where the checkpoint has no such file."""
        file = self.file(f"{name}.json")
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            raise DataError(f"{file}: not a JSON file") from None

    def file(self, name: str) -> Path:
        """The path of one of the checkpoint's files. Raises `DataError` where the checkpoint has no such file."""
        if name not in self.files:
            raise DataError(f"{self.path}: this checkpoint has no {name}")
        return self.path / name


def write_checkpoint(
    path: Path, *, tensors: Mapping[str, Mapping[str, Tensor]], documents: Mapping[str, Any], texts: Mapping[str, str]
) -> Checkpoint:
    """Write `<name>.safetensors`, `<name>.json` and text files into the new folder `path`, atomically."""
    with new_checkpoint(path) as partial:
        for name, group in tensors.items():
            if group:
                save_file({k: v.detach().contiguous() for k, v in group.items()}, partial / f"{name}.safetensors")
        write_documents(partial, documents, texts)
    return written_checkpoint(path)


def write_documents(folder: Path, documents: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Write `<name>.json` for each document and each text under its own name."""
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


@contextmanager
def new_checkpoint(path: Path) -> Iterator[Path]:
    """A folder to write a checkpoint's files into; at the end it gets its manifest and appears as `path`."""
    with new_folder(path) as partial:
        yield partial
        files = {}
        for file in sorted(partial.iterdir()):
            files[file.name] = {"bytes": file.stat().st_size, "sha256": sha256(file)}
        manifest = {"format": FORMAT, "version": VERSION, "files": files}
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` that takes its name at the end, flushed, or is removed where anything goes wrong.

    A folder that `path` names already is replaced.
    """
    partial = path.with_name(PARTIAL + path.name)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in sorted(partial.iterdir()):
            flush(file)
        if path.exists():
            shutil.rmtree(path)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    flush(path.parent)


def written_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint that this process has just written; its files aren't read again."""
    return Checkpoint(path, json.loads((path / MANIFEST).read_text(encoding="utf-8"))["files"])


def open_checkpoint(path: Path) -> Checkpoint:
    """Check a folder against its manifest, bytes and hashes. Raises `DataError` that names what is wrong."""
    if not path.is_dir():
        raise DataError(f"{path}: no such checkpoint folder")
    manifest_file = path / MANIFEST
    if not manifest_file.is_file():
        raise DataError(f"{path}: not a Vergence checkpoint (it has no {MANIFEST})")
    try:
        manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
        files = dict(manifest["files"])
        expected = {name: (int(entry["bytes"]), str(entry["sha256"])) for name, entry in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(f"{manifest_file}: damaged or not a Vergence manifest") from None
    if manifest.get("format") != FORMAT:
        raise DataError(f"{path}: not a Vergence checkpoint (format {manifest.get('format')!r})")
    if manifest.get("version") != VERSION:
        raise DataError(f"{path}: checkpoint version {manifest.get('version')!r}, this Vergence reads {VERSION}")
    for name, (size, digest) in expected.items():
        file = path / name
        if Path(name).name != name or name in ("", "..") or "\\" in name:
            raise DataError(f"{manifest_file}: lists {name!r}, which is not a file of this folder")
        if not file.is_file():
            raise DataError(f"{file}: missing, though the manifest lists it")
        if file.stat().st_size != size:
            raise DataError(f"{file}: truncated or changed ({file.stat().st_size} bytes, the manifest says {size})")
        if sha256(file) != digest:
            raise DataError(f"{file}: changed since it was written (its SHA-256 differs from the manifest's)")
    return Checkpoint(path, files)


def complete_checkpoints(folder: Path) -> list[Path]:
    """The folders that were renamed into place, oldest first by name; partial ones are left out."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(PARTIAL))


def remove_partial(folder: Path) -> None:
    """Delete what a killed write left behind."""
    for path in folder.glob(f"{PARTIAL}*"):
        shutil.rmtree(path, ignore_errors=True)


def find_checkpoint(path: Path) -> Path:
    """A checkpoint folder itself, or the newest checkpoint of a run folder. Raises `DataError`."""
    if (path / MANIFEST).is_file():
        return path
    for candidate in (path / "final", *reversed(complete_checkpoints(path / "checkpoints"))):
        if candidate.is_dir():
            return candidate
    if not path.exists():
        raise DataError(f"{path}: no such run or checkpoint folder")
    raise DataError(f"{path}: not a Vergence checkpoint (no {MANIFEST}) and not a run with checkpoints")


def save_model(path: Path, model: VLM, *, tokenizer: str, template: str | None = None) -> Checkpoint:
    """Write a checkpoint that holds a model alone. `tokenizer` is the content of its `tokenizer.json`.

    `template` is that of its `chat_template.jinja`, for a model that brings its own chat template.
    """
    return write_checkpoint(
        path,
        tensors={"model": model.state_dict()},
        documents={"model": model.config.model_dump(mode="json")},
        texts={"tokenizer.json": tokenizer, **({CHAT_TEMPLATE: template} if template is not None else {})},
    )


def load_model(checkpoint: Checkpoint) -> tuple[VLM, ModelConfig]:
    """The model of a checkpoint, on the CPU in the type it was saved in, and its configuration.

    The names and shapes of the weights must be exactly those of the configuration. Raises `DataError` that names, in
    one line, what is missing, what is not expected and what has another shape. torch's global random state stays.
    """
    config = read_config(checkpoint)
    if isinstance(config, VisionConfig):
        raise DataError(
            f"{checkpoint.path}: a vision encoder alone, not a whole model; "
            "`vergence build` joins it to a language model"
        )
    weights = checkpoint.tensors("model")
    with torch.device("meta"):  # nothing is allocated: every weight is one that was read
        model = VLM(config)
    problems = compare_weights(weights, model.state_dict())
    if problems:
        raise DataError(f"{checkpoint.path / 'model.safetensors'}: doesn't fit model.json: {'; '.join(problems)}")
    model.load_state_dict(weights, assign=True)
    return model, config


def read_config(checkpoint: Checkpoint) -> ModelConfig | VisionConfig:
    """What a checkpoint holds: a whole model (`model.json`) or a vision encoder alone (`encoder.json`).

    Raises `DataError`, in one line, for a file that isn't such a configuration.
    """
    name = "encoder" if "encoder.json" in checkpoint.files else "model"
    document, source = checkpoint.json(name), str(checkpoint.path / f"{name}.json")
    if not isinstance(document, dict):
        raise DataError(f"{source}: expected an object")
    try:
        if name == "encoder":
            return parse(VisionConfig, document, source=source)
        return parse(ModelConfig, document, source=source)
    except ConfigError as error:
        raise DataError("; ".join(str(error).split("\n"))) from None


def with_own_files(config: ModelConfig, checkpoint: Checkpoint) -> ModelConfig:
    """The configuration for processing: where it names a file of the checkpoint, the path of that file."""
    rule = config.processing
    paths = {key: str(checkpoint.path / name) for key, name in OWN_FILES.items() if getattr(rule, key) == name}
    there = {key: path for key, path in paths.items() if OWN_FILES[key] in checkpoint.files}
    return config.model_copy(update={"processing": rule.model_copy(update=there)})


def compare_weights(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, show: int = 3) -> list[str]:
    """What is wrong with the names and shapes of `found`; at most `show` names of each kind are spelled out."""
    shapes = [
        f"{name} {list(found[name].shape)} instead of {list(expected[name].shape)}"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    kinds = {
        "missing": sorted(expected.keys() - found.keys()),
        "not expected": sorted(found.keys() - expected.keys()),
        "of another shape": shapes,
        "not floating-point": sorted(name for name, weight in found.items() if not weight.is_floating_point()),
    }
    return [
        f"{len(names)} {kind} ({', '.join(names[:show])}{', ...' if len(names) > show else ''})"
        for kind, names in kinds.items()
        if names
    ]


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Make sure that a file's content, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
