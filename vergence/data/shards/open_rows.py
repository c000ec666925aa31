"""Which form a source of conversations has, and its rows."""

from __future__ import annotations

import re
from pathlib import Path

from vergence.data.shards.coco_rows import open_coco
from vergence.data.shards.mixture_rows import open_mixture
from vergence.data.shards.parquet_rows import open_parquet
from vergence.data.shards.reader import open_shards, tars_of
from vergence.data.shards.rows import FileRows, IndexedRows, RowSource
from vergence.data.sources.folder import FILE_NAME, read_folder
from vergence.errors import UsageError

_KEYS = {"llava": "conversations", "chatml": "messages"}
_HEAD = 1 << 16  # characters that tell a file of COCO from one of records
_COCO = re.compile(r'\s*\{\s*"(?:info|licenses|images|annotations|categories)"\s*:\s*[\[{]')


def open_rows(source: Path, *, form: str = "auto", images: Path | None = None) -> tuple[RowSource, str]:
    """The rows of a source and the name of its form. Pictures of a JSON file lie in `images`, else beside it.

    Raises `UsageError` for a form that doesn't fit the source, `DataError` for a source without rows.
    """
    found = _form_of(source) if form == "auto" else form
    if found in ("folder", "webdataset", "parquet"):
        if images is not None:
            raise UsageError(f"{source}: pictures of a {found} lie in it; --images is for files of JSON")
        if found == "parquet":
            return open_parquet(source), found
        return IndexedRows(read_folder(source) if found == "folder" else open_shards(source)), found
    if not source.is_file():
        raise UsageError(
            f"{source}: not a file of JSON, nor a folder with {FILE_NAME}, .tar or .parquet files"
            if form == "auto"
            else f"{source}: not a file; the form {form} is a file of JSON"
        )
    if images is not None and not images.is_dir():
        raise UsageError(f"{images}: no such folder of pictures")
    pictures = images or source.parent
    if found == "coco":
        return open_coco(source, pictures), found
    if found == "llava-yaml":
        return open_mixture(source, pictures), found
    return FileRows(source, pictures, _KEYS.get(found)), found if found != "auto" else "json"


def _form_of(source: Path) -> str:
    """The form by what lies there; `auto` for a file of records, each of which tells its own."""
    if (source / FILE_NAME).is_file():
        return "folder"
    if tars_of(source):
        return "webdataset"
    if source.suffix == ".parquet" or (source.is_dir() and any(source.rglob("*.parquet"))):
        return "parquet"
    if source.suffix in (".yaml", ".yml"):
        return "llava-yaml"
    return "coco" if source.is_file() and _is_coco(source) else "auto"


def _is_coco(path: Path) -> bool:
    """Whether a file begins as one object of COCO's lists does, and not as a record with turns."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return bool(_COCO.match(head)) and '"messages"' not in head and '"conversations"' not in head
