"""Samples as Parquet of the `datasets` library, and their boxes as COCO's annotations."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vergence.data.shards.index import load_pyarrow
from vergence.data.shards.writer import write_whole
from vergence.processing.media import image_size

Records = Iterable[tuple[dict[str, Any], dict[str, bytes]]]
"""The record of a sample (`vergence.conversation.to_json`) and the bytes of its media by the names it gives them."""

_GROUP = 100  # rows of a group: of larger ones, reading a single row reads too much
_GROUP_BYTES = 64 * 1024**2  # of media, after which a group ends: a group is in memory whole
_FILE_ROWS = 5000
_FILE_BYTES = 1024**3


def write_parquet(records: Records, folder: Path) -> int:
    """Write `train-00000.parquet` and so on with the columns `images`, `videos`, `messages` and `metadata`; counts
    rows.

    `images` are structs of `bytes` and `path`, which `datasets` decodes; `messages` have typed parts, of which an
    image or a video is the next of its list, as transformers' chat templates take them; `metadata` is JSON.
    """
    pa, parquet = load_pyarrow()
    media = pa.list_(pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    part = pa.struct({"type": pa.string(), "text": pa.string()})
    message = pa.struct({"role": pa.string(), "content": pa.list_(part), "loss": pa.bool_()})
    features = {"images": {"feature": {"_type": "Image"}, "_type": "List"}}
    schema = pa.schema(
        {"images": media, "videos": media, "messages": pa.list_(message), "metadata": pa.string()},
        metadata={"huggingface": json.dumps({"info": {"features": _features(features)}})},
    )
    written = files = held = size = 0
    file: Any = None
    try:
        for rows, group_size in _groups(records):
            if file is None or held + len(rows) > _FILE_ROWS or size + group_size > _FILE_BYTES:
                if file is not None:
                    file.close()
                file = parquet.ParquetWriter(folder / f"train-{files:05d}.parquet", schema, compression="zstd")
                files, held, size = files + 1, 0, 0
            file.write_table(pa.Table.from_pylist(rows, schema=schema))
            written, held, size = written + len(rows), held + len(rows), size + group_size
    finally:
        if file is not None:
            file.close()
    return written


def _groups(records: Records) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """The rows of a group and the bytes of their media."""
    rows: list[dict[str, Any]] = []
    size = 0
    for record, named in records:
        rows.append(_row(record, named))
        size += sum(map(len, named.values()))
        if len(rows) == _GROUP or size >= _GROUP_BYTES:
            yield rows, size
            rows, size = [], 0
    if rows:
        yield rows, size


def _features(images: dict[str, Any]) -> dict[str, Any]:
    """What `datasets` reads of the columns' types."""
    text = {"dtype": "string", "_type": "Value"}
    binary = {"bytes": {"dtype": "binary", "_type": "Value"}, "path": text}
    part = {"type": text, "text": text}
    message = {"role": text, "content": {"feature": part, "_type": "List"}, "loss": {"dtype": "bool", "_type": "Value"}}
    return {
        **images,
        "videos": {"feature": binary, "_type": "List"},
        "messages": {"feature": message, "_type": "List"},
        "metadata": text,
    }


def _row(record: dict[str, Any], named: dict[str, bytes]) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    videos: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for message in record["messages"]:
        content = []
        for part in message["content"]:
            kind = part["type"]
            if kind != "text":
                name = part[kind]
                (images if kind == "image" else videos).append({"bytes": named[name], "path": Path(name).name})
            content.append({"type": kind, "text": part.get("text")})
        messages.append({"role": message["role"], "content": content, "loss": message["loss"]})
    metadata = {key: value for key, value in record.items() if key != "messages"}
    return {
        "images": images,
        "videos": videos,
        "messages": messages,
        "metadata": json.dumps(metadata, ensure_ascii=False),
    }


def write_coco(records: Records, folder: Path) -> int:
    """Write `instances.json` and `images/` with the boxes of the samples' `regions`; counts the pictures.

    Labels become categories in alphabetical order; regions without a box, and videos, are left out.
    """
    (folder / "images").mkdir()
    images: list[dict[str, Any]] = []
    boxes: list[tuple[int, str, list[float]]] = []
    for record, named in records:
        pictures = [
            part["image"] for message in record["messages"] for part in message["content"] if part["type"] == "image"
        ]
        for place, name in enumerate(pictures):
            found = [r for r in record.get("regions") or () if r.get("image", 0) == place and r.get("box")]
            if not found:
                continue
            number = len(images) + 1
            width, height = image_size(named[name])
            file_name = Path(name).name
            (folder / "images" / file_name).write_bytes(named[name])
            images.append({"id": number, "file_name": file_name, "width": width, "height": height})
            boxes += [(number, str(region["label"]), list(region["box"])) for region in found]
    numbers = {label: n for n, label in enumerate(sorted({label for _, label, _ in boxes}), 1)}
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": numbers[label],
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
        }
        for number, (image, label, (x1, y1, x2, y2)) in enumerate(boxes, 1)
    ]
    categories = [{"id": number, "name": label} for label, number in numbers.items()]
    text = io.StringIO()
    json.dump({"images": images, "annotations": annotations, "categories": categories}, text, ensure_ascii=False)
    write_whole(folder / "instances.json", lambda partial: partial.write_text(text.getvalue(), encoding="utf-8"))
    return len(images)
