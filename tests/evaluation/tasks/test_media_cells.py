"""Pictures and videos in cells, whatever they are written as; nothing outside the data folder."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from vergence.conversation import Frames, ImagePart, VideoPart
from vergence.evaluation.tasks.media_cells import MediaStore, below, identity, missing, parts


def png(colour=(1, 2, 3)):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def images(cell, folder=None, **options):
    return [part.image for part in parts(cell, "image", folder, MediaStore(), **options)]


def test_every_form_of_a_picture(tmp_path):
    data = png()
    encoded = base64.b64encode(data).decode()
    picture = Image.new("RGB", (2, 2))
    assert images(data) == [data]
    assert images({"bytes": data, "path": "a.png"}) == [data]
    assert images(encoded) == [data]
    assert images(f"data:image/png;base64,{encoded}") == [data]
    assert images(f"['{encoded}', '{encoded}']") == [data, data]
    assert images([{"bytes": data, "path": None}, None, data]) == [data, data]
    assert images(picture) == [picture]
    assert images("sub/a.png", tmp_path) == [tmp_path / "sub" / "a.png"]
    assert images({"bytes": None, "path": "a.png"}, tmp_path) == [tmp_path / "a.png"]
    assert images(str(tmp_path / "a.png"), tmp_path) == [tmp_path / "a.png"]
    assert images(None) == images("") == images([]) == images("  ") == []


@pytest.mark.parametrize("name", ["../a.png", "sub/../../a.png", "/etc/passwd", "a\0.png"])
def test_nothing_outside_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match=r"outside the data folder|not a path"):
        below(tmp_path, name)
    with pytest.raises(ValueError, match=r"outside the data folder|not a path"):
        images(name, tmp_path, paths=["{}"])


def test_a_folder_with_the_same_beginning_is_outside(tmp_path):
    with pytest.raises(ValueError, match="outside"):
        below(tmp_path / "data", "../data-of-others/a.png")
    assert below(tmp_path, "a/../b.png") == tmp_path / "b.png"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("a.png", "no data folder"),
        ("iVBORw0KGgo" + "!" * 80, "broken base64"),
        ("x" * 5000, "neither a path nor base64"),
        ({"url": "x"}, "neither bytes nor path: keys url"),
        (1.5, "not a medium"),
    ],
)
def test_what_is_no_medium(cell, message):
    with pytest.raises(ValueError, match=message):
        images(cell)


def test_patterns_take_the_first_that_exists(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "x_7.mp4").touch()
    (part,) = parts("7", "video", tmp_path, MediaStore(), paths=["{}.mp4", "videos/{name}_{}.mp4"], row={"name": "x"})
    assert part == VideoPart(tmp_path / "videos" / "x_7.mp4")
    assert missing(part) is None
    (part,) = parts(7, "video", tmp_path, MediaStore(), paths=["{}.mp4", "b/{}.mp4"])
    assert part == VideoPart(tmp_path / "7.mp4")
    assert missing(part) == tmp_path / "7.mp4"


def test_frames_are_a_list_or_a_folder(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    for name in ("b.png", "a.png", "note.txt"):
        (folder / name).write_bytes(png())
    (part,) = parts("clip", "frames", tmp_path, MediaStore(), fps=2)
    assert part == VideoPart(Frames((folder / "a.png", folder / "b.png"), (0.0, 0.5)))
    (part,) = parts([png(), png()], "frames", None, MediaStore())
    assert part.video.seconds == (0.0, 1.0)
    assert parts([], "frames", None, MediaStore()) == []


def test_equal_pictures_are_kept_once_and_many_go_to_files(tmp_path):
    store = MediaStore(limit=len(png()), folder=tmp_path / "cache")
    first, second = png(), png((9, 9, 9))
    kept = store.keep(first)
    assert store.keep(bytes(first)) is kept
    path = store.keep(second)
    assert path.parent == tmp_path / "cache"
    assert path.read_bytes() == second
    assert store.keep(second) == path
    assert MediaStore(limit=0, folder=tmp_path / "cache").keep(second) == path
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_identity_is_the_path_or_the_content(tmp_path):
    assert identity(ImagePart(tmp_path / "a.png")) == (tmp_path / "a.png").as_posix()
    assert identity(ImagePart(png())) == identity(ImagePart(png()))
    assert identity(ImagePart(png())) != identity(ImagePart(png((5, 5, 5))))
    one, two = (VideoPart(Frames((png(), png((n, n, n))), (0.0, 1.0))) for n in (1, 2))
    assert identity(one) != identity(two)
