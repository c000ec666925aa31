"""The sources of real pictures: what they yield, against their packages read in another way."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vergence.data.sources.gcompris import resource, resource_files
from vergence.data.sources.items import render
from vergence.data.sources.kgeography import maps
from vergence.data.sources.packages import package_folder
from vergence.data.sources.real import REAL, here, load_items
from vergence.data.sources.stamps import name_of
from vergence.errors import DataError, UsageError

LEAST = {
    "openmoji": 250,
    "fluent-emoji-3d": 3300,
    "tuxpaint-stamps": 940,
    "openclipart": 7900,
    "kgeography": 154,
    "gcompris": 80,
    "mdi": 7400,
    "tabler-icons": 6000,
    "lucide": 1900,
    "fontawesome": 1990,
    "flag-icons": 271,
    "gimp-help": 1690,
    "kstars": 140,
    "stellarium": 555,
    "wesnoth": 265,
    "wallpapers": 25,
    "opencv-doc": 90,
}


@pytest.mark.parametrize("name", REAL)
def test_a_source_has_its_items_and_they_can_be_drawn(name):
    if not here(name):
        pytest.skip(f"{name} isn't fetched")
    items = load_items(name)
    assert len(items) >= LEAST[name]
    assert len({item.name for item in items}) == len(items)
    assert all(item.licence for item in items)
    item = items[0]
    assert len(item.sha256) == 64
    assert max(item.rgba(64).size) == 64 or item.rgba(64).width > 0


def test_an_unknown_source_is_named_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean openclipart"):
        load_items("openclipar")


def test_render_gives_back_colour_and_alpha(tmp_path):
    pytest.importorskip("resvg_py")
    true = np.zeros((16, 16, 4), np.uint8)
    true[2:14, 3:9] = (200, 30, 60, 255)
    true[2:14, 9:13] = (10, 220, 90, 128)
    Image.fromarray(true).save(tmp_path / "a.png")
    found = np.asarray(render((tmp_path / "a.png").read_bytes(), 16)).astype(int)
    seen = true[:, :, 3] > 0
    assert np.abs(found[:, :, 3] - true[:, :, 3]).max() <= 2
    assert np.abs(found[seen][:, :3] - true[seen][:, :3]).max() <= 3


def rcc(content, flags):
    """A resource file of Qt, version 3, with one file in it."""
    body = struct.pack(">I", len(content)) + zlib.compress(content) if flags & 1 else content
    name = "a.txt".encode("utf-16-be")
    tree = struct.pack(">IHII", 0, 2, 1, 1) + bytes(8) + struct.pack(">IHHHI", 0, flags, 0, 0, 0) + bytes(8)
    names = struct.pack(">HI", 5, 0) + name
    data = struct.pack(">I", len(body)) + body
    start = 24
    return (
        struct.pack(">4s5I", b"qres", 3, start, start + len(tree), start + len(tree) + len(data), 0)
        + tree
        + data
        + names
    )


@pytest.mark.parametrize("flags", [0, 1])
def test_resource_files_of_qt_are_read(flags):
    data = rcc(b"what is in it" * 9, flags)
    files = resource_files(data)
    assert list(files) == ["/a.txt"]
    assert resource(data, files["/a.txt"]) == b"what is in it" * 9


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" + bytes(40), rcc(b"abc", 0)[:50]])
def test_other_files_are_refused(data):
    with pytest.raises(DataError):
        resource_files(data)


def test_names_of_emoji_are_those_of_the_compact_list():
    if not here("fluent-emoji-3d"):
        pytest.skip("fluent-emoji-3d isn't fetched")
    entries = json.loads((package_folder("emojibase") / "package/zh/compact.json").read_text("utf-8"))
    labels = {entry["hexcode"].casefold(): entry["label"] for entry in entries}
    compared = [item for item in load_items("fluent-emoji-3d") if item.name in labels]
    assert len(compared) > 1000
    assert all(item.names["zh"] == labels[item.name] for item in compared)


def test_maps_have_as_many_regions_as_their_files_say():
    if not here("kgeography"):
        pytest.skip("kgeography isn't fetched")
    root = package_folder("kgeography") / "usr/share/kgeography"
    for shown in maps()[::10]:
        assert len(shown.regions) == (root / shown.file).read_text("utf-8").count("<division>")


def test_a_sentence_becomes_a_name():
    assert name_of("A zebra.") == "zebra"
    assert name_of("An Arctic fox.") == "arctic fox"
    assert name_of("Saturn.") == "Saturn"
