"""The safetensors format, read and written one tensor at a time, so that a checkpoint of any size needs little memory.

A file is 8 bytes with the header's length, a JSON header with every tensor's type, shape and byte range, and the bytes.
Everything in the header is checked against the file's size before a tensor is read. Tensors are read with plain reads
into memory of their own: mapped pages would count as the process's memory until the whole file is let go.
Source: the format's description at https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import torch
from torch import Tensor

from vergence.errors import DataError, UsageError
from vergence.models.checkpoint import PARTIAL, flush

MAX_JSON_BYTES = 100_000_000  # the format's own limit on headers
MAX_DIMENSIONS = 64
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
DTYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "C64": torch.complex64,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
WEIGHTS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
"""The types that weights may have; others can stand in a file but aren't read."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as a file's header describes it: `nbytes` bytes of `file` from `offset` on."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    file: Path
    offset: int
    nbytes: int


class LazyTensor(NamedTuple):
    """A tensor to be written: what it will be, and the function that makes it when its turn has come."""

    name: str
    dtype: torch.dtype
    shape: Sequence[int]
    load: Callable[[], Tensor]

    @property
    def nbytes(self) -> int:
        """Its size in a file."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(path: Path) -> dict[str, TensorInfo]:
    """Every tensor of a safetensors file by name, without reading one.

    Raises `DataError` where the header is no header, or its tensors don't fill the rest of the file exactly, one after
    the other.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > MAX_JSON_BYTES:
                raise DataError(f"{path}: not a safetensors file (no header of at most {MAX_JSON_BYTES:,} bytes)")
            if 8 + length > size:
                raise DataError(f"{path}: truncated ({size} bytes, its header alone ends at {8 + length})")
            header = json.loads(file.read(length), object_pairs_hook=_without_duplicates)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    except _DuplicateError as error:
        raise DataError(f"{path}: the header names {error.args[0]!r:.80} twice") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not a safetensors file (its header is not JSON)") from None
    if not isinstance(header, dict):
        raise DataError(f"{path}: not a safetensors file (its header is not an object)")
    header.pop("__metadata__", None)
    found = {name: _tensor_info(path, 8 + length, name, entry) for name, entry in header.items()}
    _check_ranges(path, found, start=8 + length, size=size)
    return found


class _DuplicateError(Exception):
    """A key that an object of the header holds twice; the second would silently replace the first."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _DuplicateError(name)
        found[name] = value
    return found


def _tensor_info(path: Path, start: int, name: str, entry: Any) -> TensorInfo:
    """One entry of a header whose tensors' bytes begin at `start`."""
    where = f"{path}: tensor {name!r:.80}"
    if not isinstance(entry, dict):
        raise DataError(f"{where} must be an object, found {entry!r:.60}")
    kind, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    dtype = DTYPES.get(kind) if isinstance(kind, str) else None
    if dtype is None:
        raise DataError(f"{where} has the unknown type {kind!r:.60} (weights are {_spelled(WEIGHTS)})")
    if not _sizes(shape) or len(shape) > MAX_DIMENSIONS:
        raise DataError(f"{where} has no valid shape: {shape!r:.60}")
    if not _sizes(offsets) or len(offsets) != 2:
        raise DataError(f"{where} has no valid data_offsets: {offsets!r:.60}")
    nbytes = offsets[1] - offsets[0]
    if math.prod(shape) * dtype.itemsize != nbytes:
        raise DataError(f"{where} ({kind}, {shape!r:.60}) can't have {nbytes} bytes")
    return TensorInfo(dtype, tuple(shape), path, start + offsets[0], nbytes)


def _sizes(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(x) is int and 0 <= x < 2**63 for x in value)


def _spelled(dtypes: Sequence[torch.dtype]) -> str:
    return ", ".join(NAMES[dtype] for dtype in dtypes)


def _check_ranges(path: Path, tensors: Mapping[str, TensorInfo], *, start: int, size: int) -> None:
    """Each tensor begins where the one before ends, and the last ends with the file. Raises `DataError`."""
    end = start
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].offset, item[1].nbytes)):
        if info.offset != end:
            relation = "overlaps the one before it" if info.offset < end else "leaves a gap before it"
            raise DataError(f"{path}: tensor {name!r:.80} {relation} (byte {info.offset}, expected {end})")
        end += info.nbytes
        if end > size:
            raise DataError(f"{path}: truncated ({size} bytes, tensor {name!r:.80} ends at {end})")
    if end != size:
        raise DataError(f"{path}: {size - end} bytes follow the last tensor; the file is damaged")


def read_tensor(name: str, info: TensorInfo) -> Tensor:
    """A tensor, on the CPU, in memory of its own.

    Raises `DataError` for a type that weights don't have, or where the file has changed since its header was read.
    """
    if info.dtype not in WEIGHTS:
        raise DataError(
            f"{info.file}: tensor {name!r:.80} is {NAMES[info.dtype]}, which is not supported for weights "
            f"({_spelled(WEIGHTS)} are); use a checkpoint that isn't quantised"
        )
    content = torch.empty(info.nbytes, dtype=torch.uint8)
    view = content.numpy().data
    done = 0
    try:
        with info.file.open("rb", buffering=0) as file:
            file.seek(info.offset)
            while done < info.nbytes and (count := file.readinto(view[done:])):
                done += count
    except OSError as error:
        raise DataError(f"{info.file}: can't be read ({error.strerror})") from None
    if done < info.nbytes:
        raise DataError(f"{info.file}: truncated while it was read (tensor {name!r:.80} is incomplete)")
    return content.view(info.dtype).reshape(info.shape)


def write_safetensors(path: Path, entries: Sequence[LazyTensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all, with one tensor in memory at a time.

    Tensors are loaded and written in the order of `entries`, those of wider types first, which keeps every tensor
    aligned for readers that map the file. `metadata` is `{"format": "pt"}` unless given: readers look for it.
    Raises `DataError` where a name comes twice or a tensor isn't what its entry says.
    """
    entries = sorted(entries, key=lambda entry: -entry.dtype.itemsize)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"} if metadata is None else dict(metadata)}
    end = 0
    for entry in entries:
        if entry.name in header:
            raise DataError(f"{path}: two tensors are named {entry.name!r:.80}")
        offsets = [end, end := end + entry.nbytes]
        header[entry.name] = {"dtype": NAMES[entry.dtype], "shape": list(entry.shape), "data_offsets": offsets}
    content = json.dumps(header, separators=(",", ":")).encode()
    content += b" " * (-len(content) % 8)
    partial = path.with_name(PARTIAL + path.name)
    try:
        with partial.open("wb") as file:
            file.write(len(content).to_bytes(8, "little") + content)
            for entry in entries:
                file.write(_bytes_of(path, entry))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    flush(path.parent)


def _bytes_of(path: Path, entry: LazyTensor) -> memoryview:
    """The bytes of an entry's tensor. Raises `DataError` where it isn't what the header already says."""
    tensor = entry.load().detach()
    if tensor.dtype != entry.dtype or tensor.shape != torch.Size(entry.shape):
        found, expected = (f"{NAMES.get(d, d)} {list(s)}" for d, s in ((tensor.dtype, tensor.shape), entry[1:3]))
        raise DataError(f"{path}: tensor {entry.name!r:.80} is {found}, expected {expected}")
    return tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def write_sharded(folder: Path, entries: Sequence[LazyTensor], *, max_bytes: int = 5_000_000_000) -> list[Path]:
    """Write weights as `model.safetensors`, or as numbered shards of at most `max_bytes` of tensors with an index.

    Returns the files. Their names are those that transformers writes and reads. A tensor above `max_bytes` has a shard
    of its own. The index comes last. Raises `UsageError` where the folder holds weights already, and what
    `write_safetensors` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("*.safetensors*")):
        raise UsageError(f"{folder}: holds weights already ({old.name}); name a new folder")
    shards: list[list[LazyTensor]] = [[]]
    room = max_bytes
    for entry in entries:
        if entry.nbytes > room and shards[-1]:
            shards.append([])
            room = max_bytes
        shards[-1].append(entry)
        room -= entry.nbytes
    if len(shards) == 1:
        write_safetensors(folder / SINGLE, shards[0])
        return [folder / SINGLE]
    names = [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    weight_map: dict[str, str] = {}
    for name, shard in zip(names, shards, strict=True):
        for entry in shard:
            if weight_map.setdefault(entry.name, name) != name:
                raise DataError(f"{folder}: two tensors are named {entry.name!r:.80}")
        write_safetensors(folder / name, shard)
    index = {"metadata": {"total_size": sum(entry.nbytes for entry in entries)}, "weight_map": weight_map}
    partial = folder / (PARTIAL + INDEX)
    partial.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    flush(partial)
    partial.replace(folder / INDEX)
    flush(folder)
    return [folder / name for name in (*names, INDEX)]
