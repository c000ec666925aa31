"""Furniture models with real sizes: the catalogues of Sweet Home 3D (Debian's `sweethome3d-furniture`).

A `.sh3f` file is a zip archive of a Java properties file, which lists models with their sizes in centimetres, makers
and categories, and of Wavefront OBJ files with materials and textures. Only models in `NOUNS` are used: things that
stand on a floor or lie on a table, named by a plain noun in English and Chinese. Sizes, makers and licences are the
catalogue's.
"""

from __future__ import annotations

import math
import posixpath
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vergence.data.sources.packages import package_folder
from vergence.data.sources.wavefront import Array, read_obj
from vergence.errors import DataError
from vergence.processing.media import decode_image

PACKAGE = "sweethome3d-furniture"
ARCHIVES: Mapping[str, str] = {
    "BlendSwap-CC-0": "CC0-1.0",
    "BlendSwap-CC-BY": "CC-BY-3.0",
    "KatorLegaz": "CC-BY-3.0-US",
    "Reallusion": "CC-BY-3.0-US",
    "Scopia": "CC-BY-3.0",
}
"""Archive -> the licence of its models, by the package's copyright file."""

_FOLDER = "usr/share/sweethome3d/furniture"
_MAX_BYTES = 1_500_000
_TEXTURE = 128

_FLOOR = """
sofa|沙发|Sofa,Clear sofa,Burlap sofa,Couch,Winchester sofa,Sofa 2 seats,Sofa 3 seats,Rattan sofa,Futon couch
corner sofa|转角沙发|Corner sofa
armchair|扶手椅|Armchair,Winchester armchair,Rattan armchair,Modern armchair
chair|椅子|Chair,Oak chair,Chair with cushion,Plastic chair,Cafe chair,Osaka chair,Teck chair
folding chair|折叠椅|Folding chair
bar stool|吧台凳|Bar stool,Bar chair
stool|凳子|Stool
bench|长凳|Bench,Painted bench
piano bench|琴凳|Piano bench
high chair|儿童餐椅|Baby high chair
table|桌子|Table,Oak table,Wooden table,Wooden alder table,Wooden teak table,Black table,Table on trestles
round table|圆桌|Round table
bar table|吧台桌|Bar table
coffee table|茶几|Coffee table,Rattan table
desk|书桌|Desk,Wooden desk,Desk table
bed|床|Bed,Iron bed,Captain's bed
bunk bed|双层床|Bunk bed
crib|婴儿床|Crib,Baby bed
bedside table|床头柜|Bedside table
wardrobe|衣柜|Wardrobe
bookcase|书架|Bookcase,Full bookcase
shelf unit|置物架|Shelves,Vertical shelves
chest of drawers|抽屉柜|Dresser with drawers,Drawers cabinet
dressing table|梳妆台|Dressing table
TV stand|电视柜|TV stand
filing cabinet|文件柜|Filing cabinet
fridge|冰箱|Fridge,Refrigerator,Large fridge
washing machine|洗衣机|Washing machine,Clothes washing machine
bathtub|浴缸|Bath
toilet|马桶|Toilets unit
treadmill|跑步机|Treadmill
exercise bike|健身自行车|Indoor bike
plant|盆栽植物|Decorative plant,Plant,Indoor plant,Yucca
barrel|木桶|Barrel
crate|木箱|Crate
cardboard box|纸箱|Cardboard box,Open cardboard box
suitcase|手提箱|Suitcase
rubbish bin|垃圾桶|Bullet trash can,Residential trashcan
dog|狗|Dog,Bulldog
cat|猫|Cat
rocking horse|木马|Rocking horse
backpack|背包|Backpack
step ladder|梯凳|Step ladder,Small step ladder
clothes rack|挂衣架|Clothes rack
water cooler|饮水机|Water cooler
electric guitar|电吉他|Electric guitar
safe|保险箱|Safe
basketball|篮球|Basketball
screen|屏风|Screen
white board|白板|White board
"""
_TOP = """
desk lamp|台灯|Desk lamp,Little lamp,Pedestal vase lamp
vase|花瓶|Vase
laptop|笔记本电脑|Laptop
teddy bear|泰迪熊|Teddy bear
fruit bowl|果盘|Bowl with fruits,Apples
candle|蜡烛|Candle
bonsai|盆景|Bonsai tree
orchid|兰花|Orchids
teapot|茶壶|Teapot
radio|收音机|Radio
table fan|台扇|Table fan,Rigged fan
cactus|仙人掌|Cactus
toaster|烤面包机|Toaster
microwave|微波炉|Microwave
"""
WALL_NOUNS = frozenset(
    (
        *("sofa", "corner sofa", "bed", "bunk bed", "crib", "wardrobe", "bookcase", "shelf unit", "chest of drawers"),
        *("dressing table", "TV stand", "desk", "filing cabinet", "fridge", "washing machine", "bathtub"),
        *("toilet", "bedside table", "safe", "screen", "white board"),
    )
)
"""What stands with its back to a wall."""

TABLE_NOUNS = frozenset({"table", "round table", "coffee table", "desk", "bedside table", "TV stand", "bar table"})
"""What small things can stand on."""


@dataclass(frozen=True, slots=True)
class Noun:
    """What a model is called, and whether it belongs on a table."""

    english: str
    chinese: str
    on_table: bool


def _nouns() -> dict[str, Noun]:
    found = {}
    for lines, on_table in ((_FLOOR, False), (_TOP, True)):
        for line in lines.split("\n"):
            if line:
                english, chinese, names = line.split("|")
                found.update({name: Noun(english, chinese, on_table) for name in names.split(",")})
    return found


NOUNS: Mapping[str, Noun] = _nouns()
"""Name in the catalogue -> what its models are called here."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the catalogue: where it is, its size (width, depth, height) in metres, its maker and licence.

    `turn` is the catalogue's 3x3 rotation of its OBJ file, row by row.
    """

    archive: str
    identifier: str
    path: str
    name: str
    noun: Noun
    size: tuple[float, float, float]
    turn: tuple[float, ...]
    category: str
    creator: str

    @property
    def licence(self) -> str:
        """By the package's copyright file."""
        return ARCHIVES[self.archive]


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles of a model in metres: its foot's middle at the origin, X its width, Y away from its front, Z up.

    `vertices` (V, 3), `faces` (F, 3), `normals` (F, 3, 3) and `places` on textures (F, 3, 2) of each corner, `paint`
    (F,) the number of its material; `colours` (M, 3) in linear light, `textures` (M) pictures (H, W, 3) or None.
    """

    vertices: Array
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    places: NDArray[np.float32]
    paint: NDArray[np.int32]
    colours: Array
    textures: tuple[NDArray[np.uint8] | None, ...]


@cache
def models() -> tuple[Model, ...]:
    """The usable models, in the catalogue's order. Raises `UsageError` where the package isn't fetched."""
    found = []
    for archive in ARCHIVES:
        file = _open(archive)
        listing = file.read("PluginFurnitureCatalog.properties").decode("latin-1")
        for entry in read_properties(listing).values():
            path = entry.get("model", "").lstrip("/")
            if entry.get("name") in NOUNS and path.endswith(".obj") and file.getinfo(path).file_size <= _MAX_BYTES:
                found.append(_model(archive, path, entry))
    return tuple(model for model in found if model is not None)


def _model(archive: str, path: str, entry: Mapping[str, str]) -> Model | None:
    """The model of an entry; None for one that hangs on a wall."""
    width, depth, height = (float(entry[key]) / 100 for key in ("width", "depth", "height"))
    if float(entry.get("elevation", 0)) > 0 or entry.get("doorOrWindow") == "true":
        return None
    turn = tuple(float(number) for number in entry.get("modelRotation", "1 0 0 0 1 0 0 0 1").split())
    return Model(
        archive, entry["id"], path, entry["name"], NOUNS[entry["name"]], (width, depth, height), turn,
        entry.get("category", ""), entry.get("creator", ""),
    )  # fmt: skip


def read_properties(text: str) -> dict[int, dict[str, str]]:
    """Number -> key -> value of the lines `key#number=value` of a Java properties file, escapes resolved."""
    found: dict[int, dict[str, str]] = {}
    for line in text.splitlines():
        match = re.match(r"(\w+)#(\d+)\s*[=:]\s*(.*)", line)
        if match:
            value = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), match[3]).strip()
            found.setdefault(int(match[2]), {})[match[1]] = value
    return found


def model_bytes(model: Model) -> bytes:
    """The bytes of a model's OBJ file, for the record of what a sample is made of."""
    return _open(model.archive).read(model.path)


@cache
def _open(archive: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(package_folder(PACKAGE) / _FOLDER / f"{archive}.sh3f")


@lru_cache(maxsize=128)
def load_mesh(model: Model) -> Mesh:
    """A model's triangles at its size.

    Raises `DataError` for a file that holds none, or whose proportions aren't those of its size.
    """
    archive = _open(model.archive)
    try:
        content = read_obj(archive.read(model.path).decode("latin-1"))
    except DataError as problem:
        raise DataError(f"{model.path}: {problem}") from None
    index = content.corners
    faces = index[:, :, 0]
    turned, normals = _upright(content.positions, content.normals, index, np.array(model.turn).reshape(3, 3))
    places = np.zeros((len(faces), 3, 2), np.float32)
    if len(content.places):
        places = np.where(index[:, :, 1, None] >= 0, content.places[index[:, :, 1], :2], 0).astype(np.float32)
    scaled = _to_size(turned, faces, model)
    colours, textures = _materials(archive, model.path, content.libraries, content.materials)
    kept = _has_area(scaled, faces)
    return Mesh(
        scaled, faces[kept].astype(np.int32), normals[kept], places[kept], content.paint[kept], colours,
        textures,
    )  # fmt: skip


def _has_area(vertices: Array, faces: NDArray[np.int64]) -> NDArray[np.bool_]:
    first, second, third = (vertices[faces[:, corner]] for corner in range(3))
    return np.asarray((np.abs(np.cross(second - first, third - first)) > 1e-12).any(axis=1))


def _upright(
    positions: Array, normals: Array, index: NDArray[np.int64], turn: Array
) -> tuple[Array, NDArray[np.float32]]:
    """Turned as the catalogue says, and from OBJ's axes (X right, Y up, Z to the front) to (X right, Y back, Z up).

    Corners without a normal get their triangle's.
    """
    axes = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) @ turn
    turned = positions @ axes.T
    first, second, third = (turned[index[:, corner, 0]] for corner in range(3))
    flat = np.cross(second - first, third - first)
    found = np.repeat(flat[:, None, :], 3, axis=1)
    if len(normals):
        given = normals @ axes.T
        found = np.where(index[:, :, 2, None] >= 0, given[index[:, :, 2]], found)
    length = np.maximum(np.sqrt((found * found).sum(axis=2, keepdims=True)), 1e-12)
    return turned, (found / length).astype(np.float32)


def _to_size(positions: Array, faces: NDArray[np.int64], model: Model) -> Array:
    """Scaled to the catalogue's size, the middle of the foot at the origin. Only one scale makes sense: sizes whose
    proportions aren't the file's by more than 8% are refused."""
    used = positions[np.unique(faces)]
    low, high = used.min(axis=0), used.max(axis=0)
    if (high - low).min() <= 0:
        raise DataError(f"{model.path}: is flat")
    scale = np.array(model.size) / (high - low)
    if scale.max() > 1.08 * scale.min():
        raise DataError(f"{model.path}: its proportions aren't those of its size in the catalogue")
    foot = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    return np.asarray((positions - foot) * scale, dtype=float)


def _materials(
    archive: zipfile.ZipFile, path: str, libraries: Sequence[str], used: Sequence[str]
) -> tuple[Array, tuple[NDArray[np.uint8] | None, ...]]:
    """Colours and textures of the materials in `used`; one that no library has is light grey."""
    folder, names = posixpath.dirname(path), set(archive.namelist())
    colours, pictures = {"": (0.7, 0.7, 0.7)}, {}
    for library in libraries:
        file = posixpath.join(folder, library)
        if file not in names:
            continue
        current = ""
        for line in archive.read(file).decode("latin-1").splitlines():
            key, _, rest = line.strip().partition(" ")
            if key == "newmtl":
                current = rest.strip()
            elif key == "Kd":
                red, green, blue = (min(1.0, max(0.0, float(number))) for number in rest.split()[:3])
                colours[current] = (red, green, blue)
            elif key == "map_Kd":
                picture = posixpath.normpath(posixpath.join(folder, rest.split()[-1].replace("\\", "/")))
                if picture in names:
                    pictures[current] = picture
    linear = np.array([colours.get(name, colours[""]) for name in used]) ** 2.2
    return linear, tuple(_texture(archive, pictures[name]) if name in pictures else None for name in used)


def _texture(archive: zipfile.ZipFile, path: str) -> NDArray[np.uint8] | None:
    """A small picture (H, W, 3); None where it can't be read."""
    try:
        picture = decode_image(archive.read(path))
    except DataError:
        return None
    share = min(1.0, _TEXTURE / max(picture.size))
    size = tuple(max(1, math.floor(side * share)) for side in picture.size)
    return np.asarray(picture.resize((size[0], size[1]), Image.Resampling.BOX))
