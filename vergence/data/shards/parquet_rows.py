"""Parquet files of conversations with their pictures inside, as the `datasets` library and the hub keep them.

A row has `messages` or `conversations` (ours, ChatML's or LLaVA's turns), `texts` (pairs of `user` and `assistant`,
as the Cauldron has them), or a `caption` or `text`; and `images` or `image`, of which each is a struct of `bytes` and
`path`. Other columns become metadata; a column `metadata` with a JSON object, as `vergence data unpack` writes it, is
taken apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from vergence.conversation import Conversation
from vergence.data.shards.index import load_pyarrow
from vergence.data.shards.messages import RowError
from vergence.data.shards.rows import Row
from vergence.data.shards.samples import conversation_of
from vergence.errors import DataError

_MEDIA = ("images", "image", "videos", "video")
_CAPTIONS = ("caption", "text")
_BATCH = 64


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """The rows of a Parquet file, or of the files of a folder in the order of their names."""

    files: tuple[Path, ...]
    fingerprint: str

    def rows(self, start: int) -> Iterator[Row]:
        """The rows from number `start` on; row groups before it aren't read."""
        pa, parquet = load_pyarrow()
        number = 0
        for path in self.files:
            file = parquet.ParquetFile(path)
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                if number + size <= start:
                    number += size
                    continue
                batches = file.iter_batches(batch_size=_BATCH, row_groups=[group])
                while True:
                    try:
                        batch = next(batches, None)
                        records = [] if batch is None else batch.to_pylist()
                    except (pa.ArrowException, OSError, ValueError) as error:
                        problem = " ".join(str(error).split())[:200]
                        raise DataError(f"{path}: row group {group} can't be read ({problem})") from None
                    if batch is None:
                        break
                    for record in records:
                        if number >= start:
                            where = f"{path}: row {number}"
                            yield Row(where, partial(_conversation, record, where))
                        number += 1


def open_parquet(source: Path) -> ParquetRows:
    """The rows of a file or a folder. Raises `DataError` for what isn't Parquet or has no column to talk of."""
    pa, parquet = load_pyarrow()
    files = (source,) if source.is_file() else tuple(sorted(source.rglob("*.parquet")))
    if not files:
        raise DataError(f"{source}: holds no .parquet file")
    digest = sha256()
    for path in files:
        try:
            schema = parquet.ParquetFile(path).schema_arrow
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: can't be read ({' '.join(str(error).split())[:200]})") from None
        known = {"messages", "conversations", "texts", *_CAPTIONS}
        if not known & set(schema.names):
            names = ", ".join(sorted(known))
            raise DataError(f"{path}: has none of the columns {names}; it has {', '.join(schema.names)}")
    return ParquetRows(files, digest.hexdigest())


def _conversation(record: dict[str, Any], where: str) -> Conversation:
    members: dict[str, bytes] = {}
    for column in _MEDIA:
        value = record.pop(column, None)
        for item in value if isinstance(value, list) else [] if value is None else [value]:
            data = item.get("bytes") if isinstance(item, Mapping) else item
            if not isinstance(data, bytes):
                path = item.get("path") if isinstance(item, Mapping) else item
                raise RowError("fields", f"{where}: {column}: holds no bytes, only {path!r:.80}")
            members[f"0.{len(members)}.{'mp4' if column.startswith('video') else 'png'}"] = data
    if "texts" in record:
        record["messages"] = list(_pairs(record.pop("texts"), members, where))
    for key in ("messages", "conversations"):
        if isinstance(record.get(key), list):
            record[key] = [_without_nulls(turn) for turn in record[key]]
    record = {**_metadata(record), **record}
    try:
        text = json.dumps(record, ensure_ascii=False, default=str).encode()
    except ValueError as error:
        raise RowError("text", f"{where}: can't be written as JSON ({error})") from None
    return conversation_of({"0.json": text, **members}, where=where)


def _metadata(record: dict[str, Any]) -> dict[str, Any]:
    """The object in a column `metadata`, taken out of the record; of it what isn't a part of the conversation."""
    value = record.get("metadata")
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    del record["metadata"]
    talk = {"messages", "conversations", "texts", *_MEDIA, *_CAPTIONS}
    return {key: item for key, item in found.items() if key not in talk}


def _pairs(texts: Any, members: Sequence[str] | Mapping[str, bytes], where: str) -> Iterator[dict[str, Any]]:
    """The Cauldron's pairs as messages; its pictures stand before the first question."""
    if not isinstance(texts, list) or not all(isinstance(pair, Mapping) for pair in texts):
        raise RowError("fields", f"{where}: texts: expected a list of user and assistant")
    for number, pair in enumerate(texts):
        media = [{"type": "image", "image": name} for name in members] if number == 0 else []
        yield {"role": "user", "content": [*media, {"type": "text", "text": str(pair.get("user", ""))}]}
        yield {"role": "assistant", "content": [{"type": "text", "text": str(pair.get("assistant", ""))}]}


def _without_nulls(value: Any) -> Any:
    """Parquet gives every struct all the keys of its column; those without a value weren't there."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
