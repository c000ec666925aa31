"""Pictures and videos in cells: a path, base64, bytes, the hub's {"bytes", "path"}, or lists of these.

Nothing is decoded here. Embedded media are kept once however many rows repeat them, in memory up to a limit and beyond
it in a folder of the user's cache, so that a benchmark of many gigabytes needs no more memory than a small one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vergence.conversation import Frames, ImagePart, MediaPart, VideoPart
from vergence.evaluation.tasks.cells import as_list, as_text, shorten

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
VIDEO_SUFFIXES = (".mp4", ".webm", ".gif", ".mkv", ".mov", ".avi")
# How base64 of a PNG, JPEG, GIF, WebP, BMP, WebM and MP4 begins.
_ENCODED = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk", "GkXfo", "AAAA")
_SHORTEST_ENCODED = 64  # VLMEvalKit's own bound: what is shorter in a picture's cell names another row
_KEPT_IN_MEMORY = 1 << 30


class MediaStore:
    """Embedded pictures and videos, each once, by their content.

    The first `limit` bytes stay in memory; more goes to files below `folder`, named by their content, so that a second
    run finds them there.
    """

    def __init__(self, limit: int = _KEPT_IN_MEMORY, folder: Path | None = None) -> None:
        self._limit = limit
        self._held = 0
        self._known: dict[str, bytes | Path] = {}
        self._folder = folder or cache_folder()

    def keep(self, data: bytes) -> bytes | Path:
        """The same content as it is kept: the bytes that came first, or the file that they were written to."""
        name = hashlib.sha256(data).hexdigest()
        if name not in self._known:
            if self._held + len(data) <= self._limit:
                self._held += len(data)
                self._known[name] = data
            else:
                self._known[name] = self._write(name, data)
        return self._known[name]

    def _write(self, name: str, data: bytes) -> Path:
        path = self._folder / name
        if not path.exists() or path.stat().st_size != len(data):
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{name}.{os.getpid()}.tmp")
            temporary.write_bytes(data)
            temporary.replace(path)
        return path


def cache_folder() -> Path:
    """Where embedded media go that are too large for memory: `vergence/media` in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vergence" / "media"


def parts(
    cell: Any,
    kind: str,
    folder: Path | None,
    store: MediaStore,
    *,
    paths: Sequence[str] = (),
    row: Mapping[str, Any] | None = None,
    fps: float = 1.0,
) -> list[MediaPart]:
    """What a cell holds, as parts of a message; nothing for an empty cell.

    `kind` is "image", "video" or "frames" (the pictures of one video, `fps` of them a second: a list, or a folder whose
    pictures are taken in the order of their names). `paths` are patterns of a path below `folder`, in which `{}` is the
    cell and `{column}` a cell of the same `row`; the first that exists is taken. Raises `ValueError` for a path outside
    the folder and for what is no medium at all. A missing file is no error here: whoever opens it says so.
    """
    sources = _sources(cell, folder, store, paths, row or {})
    if kind == "image":
        return [ImagePart(source) for source in sources]
    if kind == "video":
        return [VideoPart(_encoded(source)) for source in sources]
    images: list[Any] = []
    for source in sources:
        images += _pictures_in(source) if isinstance(source, Path) and source.is_dir() else [source]
    if not images:
        return []
    return [VideoPart(Frames(tuple(images), tuple(index / fps for index in range(len(images)))))]


def below(folder: Path, name: str) -> Path:
    """The path that a cell names, relative to the data folder or absolute in it; `ValueError` if it leads out of it.

    Only the names count: a link that someone has laid inside the folder is theirs to lay.
    """
    if "\0" in name:
        raise ValueError(f"{shorten(name)} is not a path")
    root = os.path.abspath(folder)
    path = os.path.normpath(os.path.join(root, name))
    if path != root and not path.startswith(root.rstrip(os.sep) + os.sep):
        raise ValueError(f"{shorten(name)} lies outside the data folder")
    return Path(path)


def missing(part: MediaPart) -> Path | None:
    """The file that a part needs and that isn't there."""
    source = part.image if isinstance(part, ImagePart) else part.video
    several = source.images if isinstance(source, Frames) else (source,)
    return next((one for one in several if isinstance(one, Path) and not one.exists()), None)


def identity(part: MediaPart) -> str:
    """What tells one medium from another: its path, or the hash of its content."""
    source = part.image if isinstance(part, ImagePart) else part.video
    if isinstance(source, Frames):
        inside = [identity(ImagePart(image)) for image in source.images]
        return hashlib.sha256("\n".join(inside).encode()).hexdigest()[:16]
    if isinstance(source, Path):
        return source.as_posix()
    data = source if isinstance(source, bytes) else source.tobytes()
    return hashlib.sha256(data).hexdigest()[:16]


def _sources(
    cell: Any, folder: Path | None, store: MediaStore, paths: Sequence[str], row: Mapping[str, Any]
) -> list[Any]:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return []
    if isinstance(cell, bytes):
        return [store.keep(cell)]
    if isinstance(cell, Mapping):
        inside = cell.get("bytes") or cell.get("path")
        if inside is None:
            raise ValueError(f"a medium with neither bytes nor path: keys {', '.join(map(str, cell)) or 'none'}")
        return _sources(inside, folder, store, paths, row)
    if isinstance(cell, list | tuple) or hasattr(cell, "dtype"):
        return [source for item in as_list(cell) for source in _sources(item, folder, store, paths, row)]
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        return _sources(as_list(cell), folder, store, paths, row)
    if isinstance(cell, str | int):
        return [_from_text(str(cell), folder, store, paths, row)]
    if hasattr(cell, "getexif"):  # an already decoded picture, as `datasets` hands them out
        return [cell]
    raise ValueError(f"not a medium: {shorten(cell)}")


def _from_text(
    text: str, folder: Path | None, store: MediaStore, paths: Sequence[str], row: Mapping[str, Any]
) -> bytes | Path:
    stripped = text.strip()
    if stripped.startswith("data:"):
        return store.keep(_decoded(stripped.partition(",")[2]))
    named = len(stripped) <= 4096 and stripped.lower().endswith(IMAGE_SUFFIXES + VIDEO_SUFFIXES)
    if not named and len(stripped) > _SHORTEST_ENCODED and stripped.startswith(_ENCODED):
        return store.keep(_decoded(stripped))
    if len(stripped) > 4096:
        raise ValueError(f"neither a path nor base64 of a picture or video: {shorten(stripped)}")
    if folder is None:
        raise ValueError(f"{shorten(stripped)} is a path, but there is no data folder to look in (give --data DIR)")
    candidates = [below(folder, _fill(pattern, stripped, row)) for pattern in paths] or [below(folder, stripped)]
    return next((path for path in candidates if path.exists()), candidates[0])


def _fill(pattern: str, cell: str, row: Mapping[str, Any]) -> str:
    filled = pattern.replace("{}", cell)
    for column, value in row.items():
        if f"{{{column}}}" in filled:
            filled = filled.replace(f"{{{column}}}", as_text(value))
    return filled


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise ValueError(f"broken base64: {shorten(text)}") from None


def _encoded(source: Any) -> Path | bytes:
    if isinstance(source, Path | bytes):
        return source
    raise ValueError("a decoded picture is no video")


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
