"""Wavefront OBJ files: positions, places on textures, normals, and polygons cut into triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vergence.errors import DataError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ObjFile:
    """What a Wavefront OBJ file holds: `positions`, `places` on textures and `normals` (N, 3); `corners` (F, 3, 3) of
    triangles as (position, place, normal), from 0 and -1 for none; `paint` (F,) the number in `materials`."""

    positions: Array
    places: Array
    normals: Array
    corners: NDArray[np.int64]
    paint: NDArray[np.int32]
    materials: tuple[str, ...]
    libraries: tuple[str, ...]


def read_obj(text: str) -> ObjFile:
    """Read a Wavefront OBJ file; polygons become fans of triangles.

    Raises `DataError` for a file that holds no triangle, lines of unlike lengths, or corners that don't exist.
    """
    lines: dict[str, list[str]] = {"v": [], "vt": [], "vn": [], "f": []}
    paint: list[int] = []
    materials: list[str] = []
    libraries: list[str] = []
    current = -1
    for line in text.splitlines():
        key, _, rest = line.partition(" ")
        if key == "usemtl" or (key == "f" and current < 0):
            name = rest.strip() if key == "usemtl" else ""
            if name not in materials:
                materials.append(name)
            current = materials.index(name)
        elif key == "mtllib":
            libraries.append(rest.strip())
        if key in lines:
            lines[key].append(rest)
            if key == "f":
                paint.append(current)
    tables = [_table(lines[key]) for key in ("v", "vt", "vn")]
    corners, owner = _triangles(lines["f"])
    for number, table in enumerate(tables):
        low = 0 if number == 0 else -1
        if not corners.size or corners[:, :, number].min() < low or corners[:, :, number].max() >= len(table):
            raise DataError("an OBJ file holds no triangle, or one with corners that it doesn't have")
    used = np.array(paint, np.int32)[owner]
    return ObjFile(tables[0], tables[1], tables[2], corners, used, tuple(materials), tuple(libraries))


def _table(lines: list[str]) -> Array:
    """Rows of two, three or more numbers as (N, 3); a missing third is 0."""
    if not lines:
        return np.zeros((0, 3))
    try:
        numbers = np.array(" ".join(lines).split(), dtype=float).reshape(len(lines), -1)
    except ValueError:
        raise DataError("an OBJ file has lines of unlike lengths, or words where numbers belong") from None
    return np.pad(numbers, ((0, 0), (0, max(0, 3 - numbers.shape[1]))))[:, :3]


def _full(line: str) -> str:
    """A face whose corners all have three numbers, or a gap: `1 2 3` and `1/4 2/5 3/6` are padded."""
    corners = line.split()
    slashes = line.count("/") // max(1, len(corners))
    return line if slashes == 2 else " ".join(corner + "/0" * (2 - slashes) for corner in corners)


def _triangles(lines: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Corners (F, 3, 3) of the fans of polygons, from 0, and the line that each triangle stems from."""
    sizes = np.array([len(line.split()) for line in lines], dtype=np.int64)
    text = " ".join(map(_full, lines)).replace("//", "/0/").replace("/", " ")
    try:
        table = np.array(text.split(), dtype=np.int64).reshape(int(sizes.sum()), 3) - 1
    except ValueError:
        raise DataError("an OBJ file has a face whose corners aren't one, two or three numbers each") from None
    if table.size and table.min() < -1:
        raise DataError("an OBJ file counts corners from the end, which isn't read here")
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    owner = np.repeat(np.arange(len(lines)), np.maximum(sizes - 2, 0))
    step = np.arange(len(owner)) - np.concatenate([[0], np.cumsum(np.maximum(sizes - 2, 0))[:-1]])[owner]
    first = start[owner]
    return np.stack([table[first], table[first + step + 1], table[first + step + 2]], axis=1), owner
