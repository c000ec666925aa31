"""Shards out again, in a form that others read.

`folder` is `conversations.jsonl` with `images/`, `llava` LLaVA's JSON beside its pictures, `chatml` OpenAI's messages
a line beside their pictures, `parquet` files of the `datasets` library with the pictures inside, `coco` the boxes of
the samples' regions as object annotations.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TextIO

from vergence.conversation import Conversation, to_json
from vergence.data.shards.markers import LeftOut
from vergence.data.shards.messages import RowError, as_llava
from vergence.data.shards.pack import SHARD_BYTES, Packed
from vergence.data.shards.reader import ShardSource, open_shards
from vergence.data.shards.samples import encoded
from vergence.data.shards.writer import partial_of
from vergence.data.sources.folder import FILE_NAME
from vergence.errors import DataError, UsageError

LLAVA_NAME = "llava.json"
NAMES = {"llava": LLAVA_NAME, "folder": FILE_NAME, "chatml": "messages.jsonl"}
Form = Literal["llava", "folder", "chatml", "parquet", "coco"]


def unpack(shards: Path, output: Path, *, form: Form) -> Packed:
    """Write every sample that can be read into a new folder, whole or not at all; the others are counted and named.

    Media keep their bytes. Raises `UsageError` where `output` exists, `DataError` where no sample can be used.
    """
    if output.exists():
        raise UsageError(f"{output}: exists already; name a new folder")
    source = open_shards(shards)
    if form in ("parquet", "coco"):
        return _unpack_whole(source, output, form)
    left_out: list[LeftOut] = []
    samples = size = 0
    with _new_folder(output) as partial:
        (partial / "images").mkdir()
        with (partial / NAMES[form]).open("w", encoding="utf-8") as file:
            for record, media in _records(source, form, left_out):
                for name, data in media.items():
                    (partial / name).write_bytes(data)
                    size += len(data)
                _write(file, record, form, first=not samples)
                samples += 1
            file.write("\n]\n" if form == "llava" else "")
        if not samples:
            raise DataError(f"none of {len(source)} samples can be used; the last: {left_out[-1].message}")
    return Packed(samples, len(source.shards), size, tuple(left_out))


@contextmanager
def _new_folder(output: Path) -> Iterator[Path]:
    """A folder at a name of this process's own, which becomes `output` once it is whole and is removed if it fails."""
    partial = partial_of(output)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        try:
            partial.rename(output)
        except OSError:
            if not output.exists():
                raise
            raise UsageError(f"{output}: another process has made it meanwhile; name a new folder") from None
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _records(
    source: ShardSource, form: str, left_out: list[LeftOut]
) -> Iterator[tuple[dict[str, Any], dict[str, bytes]]]:
    """The record of each sample with its media by their names in the folder; what can't be used goes to `left_out`."""
    for number in range(len(source)):
        where = source.where(number)
        try:
            conversation = source[number]
            media = _named(conversation, number, where)
            record = to_json(conversation, media)
            if form == "chatml":
                record["messages"] = [as_chatml(message) for message in record["messages"]]
            if form == "llava":
                # A key of another tool's tar may be any text: as an id it is harmless, as a file's name it wouldn't be.
                own = {"id": source.key(number), **conversation.metadata}
                record = {**own, **as_llava(record["messages"], where=where)}
        except DataError as error:
            left_out.append(LeftOut(error.reason if isinstance(error, RowError) else "unusable sample", str(error)))
            continue
        yield record, media


def as_chatml(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message in OpenAI's form: pictures and videos by their addresses, `weight` 0 where it isn't learned."""
    content = [
        part
        if part["type"] == "text"
        else {"type": f"{part['type']}_url", f"{part['type']}_url": {"url": part[part["type"]]}}
        for part in message["content"]
    ]
    return {"role": message["role"], "content": content} | ({} if message["loss"] else {"weight": 0})


def _unpack_whole(source: ShardSource, output: Path, form: Form) -> Packed:
    """The forms that have writers of their own."""
    from vergence.data.shards.export import write_coco, write_parquet

    left_out: list[LeftOut] = []
    with _new_folder(output) as partial:
        samples = (write_parquet if form == "parquet" else write_coco)(_records(source, "folder", left_out), partial)
        if not samples:
            last = left_out[-1].message if left_out else "none has a box on a picture"
            raise DataError(f"none of {len(source)} samples can be used; the last: {last}")
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    return Packed(samples, len(source.shards), size, tuple(left_out))


def _named(conversation: Conversation, number: int, where: str) -> dict[str, bytes]:
    found = {}
    for place, part in enumerate(conversation.media):
        data, extension = encoded(part, where=where, max_bytes=SHARD_BYTES)
        found[f"images/{number:09d}-{place}.{extension}"] = data
    return found


def _write(file: TextIO, record: dict[str, Any], form: str, *, first: bool) -> None:
    text = json.dumps(record, ensure_ascii=False)
    if form == "llava":
        file.write("[\n" if first else ",\n")
        file.write(text)
    else:
        file.write(text + "\n")
