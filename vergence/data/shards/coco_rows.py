"""COCO's object annotations as questions about boxes, one conversation a picture.

`{"images": [{id, file_name, width, height}], "annotations": [{image_id, category_id, bbox: [x, y, w, h], iscrowd}],
"categories": [{id, name}], "licenses": [{id, name}]}`, boxes in pixels. Crowds are boxes of many things, and a category
with one isn't asked about. Source: cocodataset.org, "Data format".
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from vergence.conversation import Conversation, assistant, user
from vergence.data.shards.messages import RowError
from vergence.data.shards.rows import Row
from vergence.errors import DataError
from vergence.processing.coordinates import format_box
from vergence.processing.media import image_size

_LISTS = ("images", "annotations", "categories")


@dataclass(frozen=True, slots=True)
class CocoRows:
    """The annotated pictures of a file in the order of its `images`; those without a usable box have no row."""

    path: Path
    images: Path
    fingerprint: str
    entries: tuple[dict[str, Any], ...]
    boxes: dict[Any, dict[str, list[list[float]]]]
    licences: dict[Any, str]

    def rows(self, start: int) -> Iterator[Row]:
        """The pictures from number `start` on."""
        for entry in self.entries[start:]:
            where = f"{self.path}: image {entry.get('id')!r:.40}"
            yield Row(where, partial(self._conversation, entry, where))

    def _conversation(self, entry: dict[str, Any], where: str) -> Conversation:
        width, height, name = (entry.get(key) for key in ("width", "height", "file_name"))
        if not isinstance(name, str) or not all(isinstance(side, int) and side > 0 for side in (width, height)):
            raise RowError("fields", f"{where}: expected file_name, width and height")
        try:
            path = (self.images / name).resolve()
        except (OSError, ValueError):  # a null character, a loop of links
            raise RowError("fields", f"{where}: file_name {name!r:.80} is no path") from None
        if not path.is_relative_to(self.images.resolve()):
            raise RowError("fields", f"{where}: file_name {name!r:.80} lies outside the folder of pictures")
        assert isinstance(width, int)
        assert isinstance(height, int)
        _check_size(path, (width, height), where)
        messages, checks, regions = [], [], []
        for number, (category, found) in enumerate(sorted(self.boxes[entry["id"]].items())):
            question = f"Give the box of every {category}."
            messages.append(user(path, question) if number == 0 else user(question))
            messages.append(assistant(" ".join(format_box(box, width, height) for box in found)))
            checks.append({"verifier": "boxes", "targets": found, "size": [width, height]})
            regions += [{"label": category, "box": box, "image": 0} for box in found]
        named = entry.get("license")
        licence = self.licences.get(named) if isinstance(named, str | int) else None
        tags = {"capability": "grounding/boxes", "domain": "coco", "language": "en"}
        metadata = {"id": f"coco-{entry['id']}", "checks": checks, "regions": regions, "tags": tags}
        return Conversation(tuple(messages), metadata | ({"licence": licence} if licence else {}))


def _check_size(path: Path, declared: tuple[int, int], where: str) -> None:
    """Boxes count the pixels of the declared size. Raises `RowError` where the picture has another."""
    try:
        width, height = image_size(path)
    except DataError as error:
        raise RowError("unreadable picture", f"{where}: {error}") from None
    if (width, height) != declared:
        says = f"is {width} x {height} pixels, but width and height say {declared[0]} x {declared[1]}"
        raise RowError("size", f"{where}: {path} {says}")


def open_coco(path: Path, images: Path) -> CocoRows:
    """Read a file of annotations. Raises `DataError` that names what it lacks."""
    try:
        data = path.read_bytes()
        found = json.loads(data)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error})") from None
    if not isinstance(found, dict) or not all(isinstance(found.get(key), list) for key in _LISTS):
        raise DataError(f"{path}: expected an object with the lists {', '.join(_LISTS)}")
    try:
        names = {category["id"]: str(category["name"]) for category in found["categories"]}
        licences = {entry["id"]: str(entry["name"]) for entry in found.get("licenses", ())}
        boxes = _boxes(found["annotations"], names)
        entries = tuple(entry for entry in found["images"] if boxes.get(entry["id"]))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise DataError(f"{path}: not COCO's form ({type(error).__name__}: {error})") from None
    return CocoRows(path, images, sha256(data).hexdigest(), entries, boxes, licences)


def _boxes(annotations: list[dict[str, Any]], names: dict[Any, str]) -> dict[Any, dict[str, list[list[float]]]]:
    """Image -> category -> boxes as corners (x1, y1, x2, y2) in reading order; empty ones are left out."""
    found: dict[Any, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    crowded: set[tuple[Any, str]] = set()
    for annotation in annotations:
        image, category = annotation["image_id"], names[annotation["category_id"]]
        x, y, width, height = map(float, annotation["bbox"])
        if not all(map(math.isfinite, (x, y, width, height))):
            raise ValueError(f"a bbox of image {image} isn't of numbers: {annotation['bbox']}")
        if annotation.get("iscrowd"):
            crowded.add((image, category))
        elif width > 0 and height > 0:
            found[image][category].append([x, y, x + width, y + height])
    for image, category in crowded:
        found[image].pop(category, None)
    return {
        image: {name: sorted(boxes, key=lambda box: (box[1], box[0])) for name, boxes in categories.items() if boxes}
        for image, categories in found.items()
    }
