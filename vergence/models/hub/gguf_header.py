"""The header of a GGUF file: metadata and the tensors' places, every count checked against the file before it is used.

The gguf package has a reader too, but it believes the counts that a file declares, and maps the whole file. Only its
table of types is taken from it here. Source: docs/gguf.md of https://github.com/ggml-org/ggml.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vergence.errors import DataError, UsageError

MAX_METADATA_BYTES = 100_000_000
MAX_ALIGNMENT = 2**20
_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
# How a value of each type is spelled for numpy; strings and arrays apart.
_NUMBERS = {0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8", 12: "<f8"}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a GGUF file: `nbytes` bytes from `offset` on, `kind` is the name of its quantisation or type.

    `shape` is torch's: the last size is that of a row, which lies together.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Header:
    """All that a GGUF file says about itself. Arrays of numbers are numpy arrays, arrays of strings are lists."""

    metadata: Mapping[str, Any]
    tensors: Mapping[str, StoredTensor]


def read_header(path: Path) -> Header:
    """The header of a GGUF file. Raises `DataError` that names what is wrong, `UsageError` where gguf is missing."""
    try:
        with path.open("rb") as file:
            return _Reader(path, file).header()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None


class _Reader:
    """Reads a file from its beginning; nothing larger than what is left of the file is asked for."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self.size = os.fstat(file.fileno()).st_size
        self.left = min(self.size, MAX_METADATA_BYTES)

    def fail(self, message: str) -> DataError:
        return DataError(f"{self.path}: {message}")

    def need(self, count: int, what: str) -> None:
        """Raise `DataError` unless the header can have so many more bytes."""
        if count > self.left:
            limit = "truncated" if self.left < MAX_METADATA_BYTES and self.size <= MAX_METADATA_BYTES else "too long"
            raise self.fail(f"the header is {limit} or damaged ({what} would take {count:,} more bytes)")

    def take(self, count: int, what: str) -> bytes:
        self.need(count, what)
        found = self.file.read(count)
        if len(found) < count:
            raise self.fail(f"truncated while it was read ({what})")
        self.left -= count
        return found

    def number(self, layout: str, what: str) -> int:
        return int(struct.unpack(layout, self.take(struct.calcsize(layout), what))[0])

    def string(self, what: str) -> str:
        content = self.take(self.number("<Q", what), what)
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise self.fail(f"{what} is not UTF-8 text") from None

    def header(self) -> Header:
        if self.size < 4 or self.take(4, "the first bytes") != _MAGIC:
            raise self.fail("not a GGUF file")
        version = self.number("<I", "the version")
        if version not in _VERSIONS:
            known = " and ".join(map(str, _VERSIONS))
            raise self.fail(f"GGUF version {version} is not supported ({known}, little-endian, are)")
        tensors, entries = self.number("<Q", "the number of tensors"), self.number("<Q", "the number of metadata keys")
        metadata: dict[str, Any] = {}
        for _ in range(entries):
            key = self.string("a metadata key")
            if key in metadata:
                raise self.fail(f"metadata key {key!r:.80} comes twice")
            metadata[key] = self.value(self.number("<I", f"{key:.80}"), f"{key:.80}")
        places = [self.tensor_place() for _ in range(tensors)]
        return Header(metadata, self.placed(places, metadata.get("general.alignment", 32)))

    def value(self, kind: int, what: str) -> Any:
        """One metadata value."""
        if kind == _STRING:
            return self.string(what)
        if kind == _ARRAY:
            return self.array(what)
        if kind not in _NUMBERS:
            raise self.fail(f"{what} has the unknown type {kind}")
        return np.frombuffer(self.take(np.dtype(_NUMBERS[kind]).itemsize, what), _NUMBERS[kind])[0].item()

    def array(self, what: str) -> Any:
        kind, count = self.number("<I", what), self.number("<Q", what)
        if kind == _STRING:
            return [self.string(what) for _ in range(count)]  # ends at the file's end, whatever the count
        if kind not in _NUMBERS:
            raise self.fail(f"{what} is an array of the unsupported type {kind}")
        return np.frombuffer(self.take(count * np.dtype(_NUMBERS[kind]).itemsize, what), _NUMBERS[kind])

    def tensor_place(self) -> tuple[str, tuple[int, ...], int, int]:
        """A tensor's name, shape, type and offset, as the header spells them."""
        name = self.string("a tensor's name")
        what = f"tensor {name!r:.80}"
        dimensions = self.number("<I", what)
        if not 0 < dimensions <= 4:
            raise self.fail(f"{what} has {dimensions} dimensions (1 to 4 are possible)")
        shape = struct.unpack(f"<{dimensions}Q", self.take(8 * dimensions, what))
        return name, tuple(reversed(shape)), self.number("<I", what), self.number("<Q", what)

    def placed(self, places: list[tuple[str, tuple[int, ...], int, int]], alignment: Any) -> dict[str, StoredTensor]:
        """The tensors with their places in the file, none of which overlap or lie beyond its end."""
        if not isinstance(alignment, int) or not 0 < alignment <= MAX_ALIGNMENT:
            raise self.fail(f"general.alignment {alignment!r:.40} is not possible")
        start = -(-self.file.tell() // alignment) * alignment
        found: dict[str, StoredTensor] = {}
        end = start
        for name, shape, kind, offset in sorted(places, key=lambda place: place[3]):
            what = f"tensor {name!r:.80}"
            kind_name, block, block_bytes = self.type_of(kind, what)
            if name in found:
                raise self.fail(f"{what} comes twice")
            if 0 in shape:
                raise self.fail(f"{what} is empty")
            if shape[-1] % block:
                raise self.fail(f"{what} has rows of {shape[-1]}, which {kind_name} can't hold (blocks of {block})")
            nbytes = math.prod(shape) // block * block_bytes
            if start + offset < end:
                raise self.fail(f"{what} overlaps another one")
            end = start + offset + nbytes
            if end > self.size:
                raise self.fail(f"truncated ({self.size} bytes, {what} ends at {end})")
            found[name] = StoredTensor(name, kind_name, shape, start + offset, nbytes)
        return found

    def type_of(self, kind: int, what: str) -> tuple[str, int, int]:
        """Name, numbers per block and bytes per block of a tensor type."""
        constants = load_gguf().constants
        try:
            known = constants.GGMLQuantizationType(kind)
            return known.name, *constants.GGML_QUANT_SIZES[known]
        except (ValueError, KeyError):
            raise self.fail(f"{what} has the unknown type {kind}") from None


def load_gguf() -> Any:
    """The gguf package. Raises `UsageError` where it isn't installed."""
    try:
        import gguf
    except ImportError:
        raise UsageError("GGUF files need the package gguf: pip install 'vergence[gguf]'") from None
    return gguf
