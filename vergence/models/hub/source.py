"""A public checkpoint, opened to be read: a folder, or a repository of the Hugging Face hub.

Only safetensors, JSON and text files are read, and none outside the folder. No Python file of a checkpoint is imported
(`auto_map` in its config.json is ignored) and nothing is unpickled. All headers are checked when a checkpoint is
opened; a tensor is read when it is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vergence.errors import DataError, UsageError
from vergence.models.hub.safetensors_file import INDEX, MAX_JSON_BYTES, SINGLE, TensorInfo, read_header, read_tensor

FETCHED = ("*.safetensors", "*.json", "*.jinja", "tiktoken.model", "tokenizer.model")
"""The only files that are fetched from the hub."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.safetensors", re.ASCII)
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True, slots=True)
class Source:
    """An opened checkpoint: its config.json, what its weights are, and where it is from.

    `commit` is the hub's, where the folder is a snapshot of the hub's cache; `names` are the files of the folder.
    """

    path: Path
    commit: str | None
    names: tuple[str, ...]
    config: Mapping[str, Any]
    keys: Mapping[str, TensorInfo]

    def tensor(self, name: str) -> Tensor:
        """One tensor, on the CPU, in its stored type. Raises `DataError` where it is missing or no type of a weight."""
        if name not in self.keys:
            raise DataError(f"{self.path}: no tensor {name!r:.80}")
        return read_tensor(name, self.keys[name])

    def file(self, name: str) -> Path:
        """The path of one of the folder's files. Raises `DataError` where there is none."""
        return _file(self.path, name)

    def text(self, name: str, *, optional: bool = False) -> str | None:
        """The content of a UTF-8 file; None where an `optional` one isn't there. Raises `DataError`."""
        return None if optional and name not in self.names else _text(self.path, name)

    def json(self, name: str, *, optional: bool = False) -> Any:
        """The content of a JSON file; None where an `optional` one isn't there. Raises `DataError`."""
        return None if optional and name not in self.names else _json(self.path, name)

    def document(self, name: str) -> dict[str, Any]:
        """The object in a JSON file; empty where there is no such file. Raises `DataError` where it isn't an object."""
        return _object(self.path, name) if name in self.names else {}

    @property
    def chat_template(self) -> str | None:
        """The Jinja text of the checkpoint's chat template, from where transformers looks for it, in that order."""
        if (text := self.text("chat_template.jinja", optional=True)) is not None:
            return text
        for name in ("chat_template.json", "tokenizer_config.json"):
            template = self.document(name).get("chat_template")
            if isinstance(template, list):  # named templates; the one that is used unless another is asked for
                named = [t for t in template if isinstance(t, Mapping)]
                template = next((t.get("template") for t in named if t.get("name") == "default"), None)
            if template is not None and not isinstance(template, str):
                raise DataError(f"{self.path / name}: chat_template must be text, found {template!r:.60}")
            if template:
                return template
        return None


def open_source(name: str, *, revision: str | None = None) -> Source:
    """Open a checkpoint by its folder or its hub id (`org/name`), which is fetched or taken from the hub's cache.

    `revision` is a hub branch, tag or commit; whatever it is, the commit that it stood for is recorded. The hub
    library's own environment variables apply (HF_HUB_OFFLINE=1: the cache alone). Raises `UsageError` where the hub
    library is missing or a folder has a revision, and `DataError` that names what can't be found, fetched or read.
    """
    path = Path(name)
    if path.is_dir():
        if revision is not None:
            raise UsageError(f"{name}: a folder has no revision; leave it out, or name a hub id such as org/name")
    elif _HUB_ID.fullmatch(name):
        path = _fetch(name, revision)
    else:
        raise DataError(f"{name}: no such folder, and not a hub id such as org/name")
    try:
        names = tuple(sorted(entry.name for entry in path.iterdir() if entry.is_file()))
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    config = _object(path, "config.json")
    commit = path.resolve().name if path.resolve().parent.name == "snapshots" else None
    keys = _keys(path, names)
    return Source(path, commit if commit and _COMMIT.fullmatch(commit) else None, names, config, keys)


def _fetch(name: str, revision: str | None) -> Path:
    """The folder of a hub repository in the hub's cache."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UsageError(f"{name}: fetching from the hub needs huggingface_hub: pip install 'vergence[hub]'") from None
    try:  # files of subfolders are other formats of the same weights, never ours
        found = snapshot_download(name, revision=revision, allow_patterns=list(FETCHED), ignore_patterns=["*/*"])
    except Exception as error:  # the library raises its own kinds, its HTTP client's, OSError and ValueError
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        wanted = f"{name} at {revision}" if revision else name
        raise DataError(f"{wanted}: not a folder, and can't be fetched from the hub: {reason:.200}") from None
    return Path(found)


def _file(folder: Path, name: str) -> Path:
    """A file that lies in the folder itself. Raises `DataError` where it doesn't, or lies elsewhere through a link."""
    if Path(name).name != name or name in ("", "..") or "\\" in name:
        raise DataError(f"{folder}: {name!r:.80} is not the name of a file in this folder")
    path = folder / name
    try:
        missing = not path.is_file()
    except OSError:  # a name that no file system holds
        missing = True
    if missing:
        raise DataError(f"{folder}: {name!r:.80} is missing, or not a file")
    root, real = folder.resolve(), path.resolve()
    if not real.is_relative_to(root) and not _is_blob(root, real):
        raise DataError(f"{path}: links to a file outside of its folder; copy the file to its place")
    return path


def _is_blob(root: Path, real: Path) -> bool:
    """Whether a file is content that the hub's cache keeps outside of its snapshot folders.

    The cache holds `models--org--name/snapshots/<commit>/<file>`, a link into `models--org--name/blobs/`, and that one
    may be a link into `blobs/<two letters>/`, which all repositories of the cache share.
    """
    if root.parent.name != "snapshots":
        return False
    repository = root.parent.parent
    shared = repository.parent / "blobs"
    return real.parent == repository / "blobs" or (
        repository.name.startswith("models--") and real.parent.parent == shared
    )


def _text(folder: Path, name: str) -> str:
    path = _file(folder, name)
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise DataError(f"{path}: {path.stat().st_size:,} bytes, at most {MAX_JSON_BYTES:,} are read")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text") from None


def _json(folder: Path, name: str) -> Any:
    try:
        return json.loads(_text(folder, name))
    except (ValueError, RecursionError):
        raise DataError(f"{folder / name}: not a JSON file") from None


def _object(folder: Path, name: str) -> dict[str, Any]:
    found = _json(folder, name)
    if not isinstance(found, dict):
        raise DataError(f"{folder / name}: expected an object, found {found!r:.60}")
    return found


def _keys(folder: Path, names: tuple[str, ...]) -> dict[str, TensorInfo]:
    """Every tensor of the folder's weights. A single file goes before an index, as in transformers."""
    if SINGLE not in names and INDEX in names:
        weight_map = _weight_map(folder)
        found = _merge(folder, sorted(set(weight_map.values())))
        for name, file in weight_map.items():
            if name not in found or found[name].file.name != file:
                raise DataError(f"{folder / INDEX}: {name!r:.80} is not in {file}, where the index says")
        return found
    files = [SINGLE] if SINGLE in names else [name for name in names if name.endswith(".safetensors")]
    if not files:
        raise DataError(f"{folder}: {_why_no_weights(names)}")
    _check_complete(folder, files)
    return _merge(folder, files)


def _weight_map(folder: Path) -> dict[str, str]:
    """Which shard holds which tensor, from the index. Raises `DataError` where it names anything but shards."""
    weight_map = _object(folder, INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise DataError(f"{folder / INDEX}: weight_map must be an object that names every tensor's file")
    for name, file in weight_map.items():
        if not isinstance(file, str) or not file.endswith(".safetensors"):
            raise DataError(f"{folder / INDEX}: {name!r:.80} must be in a .safetensors file, found {file!r:.80}")
    return weight_map


def _merge(folder: Path, files: Iterable[str]) -> dict[str, TensorInfo]:
    found: dict[str, TensorInfo] = {}
    for file in files:
        for name, info in read_header(_file(folder, file)).items():
            if name in found:
                raise DataError(f"{folder}: tensor {name!r:.80} is in both {found[name].file.name} and {file}")
            found[name] = info
    return found


def _check_complete(folder: Path, files: Iterable[str]) -> None:
    """Raise `DataError` where shards without an index aren't all there."""
    for match in filter(None, map(_SHARD.fullmatch, files)):
        stem, count = match[1], int(match[3])
        for i in range(1, count + 1):
            if (name := f"{stem}-{i:05}-of-{count:05}.safetensors") not in files:
                raise DataError(f"{folder / name}: missing, though {match[0]} belongs to {count} shards")


def _why_no_weights(names: Iterable[str]) -> str:
    pickles = [name for name in names if name.endswith(_PICKLES)]
    if pickles:
        return (
            f"its weights are pickled ({pickles[0]}), and a pickle can run code when it is read; "
            "convert them to safetensors where you trust them"
        )
    if any(name.endswith(".gguf") for name in names):
        return "no *.safetensors file; name the .gguf file itself to read it"
    return "no *.safetensors file, so it holds no weights"
