"""Tar files whose bytes follow from their content alone: USTAR headers, time and owner 0, members in the order given.

A file appears under its name only when it is whole; until then it is called NAME.PID.partial, so that two processes
that make the same file never write into one another's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from tarfile import BLOCKSIZE, USTAR_FORMAT, TarInfo
from types import TracebackType
from typing import BinaryIO

END = bytes(2 * BLOCKSIZE)  # two empty blocks end a tar


def stored_size(members: Mapping[str, bytes]) -> int:
    """The bytes that members take in a tar: a header each, and content filled up to whole blocks."""
    return sum(BLOCKSIZE + -(-len(data) // BLOCKSIZE) * BLOCKSIZE for data in members.values())


class ShardWriter:
    """Writes one tar of `size` bytes so far, its end counted; leaving the `with` block without an error names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = partial_of(path)
        self.size = len(END)
        self._digest = sha256()
        self._file: BinaryIO

    @property
    def sha256(self) -> str:
        """The hash of the whole file, once it is closed."""
        return self._digest.hexdigest()

    def __enter__(self) -> ShardWriter:
        """Open the partial file."""
        self._file = self.partial.open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """End the tar and rename it, or remove it after an error."""
        with self._file:
            if kind is None:
                self._write(END)
                self._file.flush()
                os.fsync(self._file.fileno())
        if kind is None:
            put_in_place(self.partial, self.path)
        else:
            self.partial.unlink(missing_ok=True)

    def add(self, members: Mapping[str, bytes]) -> None:
        """Append the members of one sample."""
        for name, data in members.items():
            header = TarInfo(name)
            header.size, header.mode = len(data), 0o644
            self._write(header.tobuf(USTAR_FORMAT))
            self._write(data)
            self._write(bytes(-len(data) % BLOCKSIZE))
        self.size += stored_size(members)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)


def partial_of(path: Path) -> Path:
    """The name that a file has while this process writes it."""
    return path.with_name(f"{path.name}.{os.getpid()}.partial")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file at a temporary name, then give it its own."""
    partial = partial_of(path)
    try:
        write(partial)
        put_in_place(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def put_in_place(partial: Path, path: Path) -> None:
    """Give a whole file its own name, unless another process that made the same file has done so and tidied up."""
    try:
        os.replace(partial, path)
    except FileNotFoundError:
        if not path.exists():
            raise
