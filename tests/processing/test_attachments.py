"""Paths in messages: what names a picture or a video, and what is only text."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from vergence.conversation import ImagePart, VideoPart
from vergence.processing.attachments import find_media, media_part
from vergence.processing.video_file import VideoLimits


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    for name in ("cat.png", "two words.JPG", "it's.webp", "notes.txt", "a.png", "clip.MOV", "a.m4v"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "rest", "names"),
    [
        ("Describe ./cat.png please", "Describe please", ["cat.png"]),
        ("What is in cat.png?", "What is in?", ["cat.png"]),
        ("cat.png What is it", "What is it", ["cat.png"]),
        ("cat.png", "", ["cat.png"]),
        ("cat.png a.png compare", "compare", ["cat.png", "a.png"]),
        ('see "two words.JPG", then', "see, then", ["two words.JPG"]),
        ("see 'two words.JPG' then", "see then", ["two words.JPG"]),
        (r"see two\ words.JPG then", "see then", ["two words.JPG"]),
        ("see ~/cat.png", "see", ["cat.png"]),
        ("look (cat.png).", "look ().", ["cat.png"]),
        ("it's.webp isn't 'new'", "isn't 'new'", ["it's.webp"]),
        ("what's in cat.png, 'sir'", "what's in, 'sir'", ["cat.png"]),
        ('"what is cat.png', '"what is', ["cat.png"]),
        ("cat.png in clip.MOV?", "in?", ["cat.png", "clip.MOV"]),
        ("a.m4v", "", ["a.m4v"]),
        ("watch missing.mp4", "watch missing.mp4", []),
        ("read notes.txt", "read notes.txt", []),
        ("a  missing.png  file", "a  missing.png  file", []),
        ("cat.png.bak a.pngx .png", "cat.png.bak a.pngx .png", []),
        ("http://example.com/cat.png", "http://example.com/cat.png", []),
        ("\x00.png ~nobody/x.png", "\x00.png ~nobody/x.png", []),
    ],
)
def test_find_media(files, text, rest, names):
    assert find_media(text) == (rest, [Path(p).expanduser() for p in paths_as_typed(text, names)])


def paths_as_typed(text: str, names: list[str]) -> list[str]:
    prefixes = {name: next((p for p in ("~/", "./") if p + name in text), "") for name in names}
    return [prefixes[name] + name for name in names]


def test_the_suffix_says_what_a_file_is_and_a_gif_is_a_video_where_it_moves(tmp_path, monkeypatch):
    pytest.importorskip("av")
    moving, still, broken = tmp_path / "moving.gif", tmp_path / "still.GIF", tmp_path / "broken.gif"
    frames = [Image.new("RGB", (8, 8), (40 * i, 0, 0)) for i in range(3)]
    frames[0].save(moving, save_all=True, append_images=frames[1:], duration=100)
    frames[0].save(still, "GIF")
    broken.write_text("no picture")
    limits = VideoLimits()
    assert media_part(moving, limits, fps=2.0) == VideoPart(moving, 2.0)
    assert media_part(still, limits, fps=2.0) == ImagePart(still)
    assert media_part(broken, limits) == ImagePart(broken)
    for name in ("a.mp4", "a.WEBM", "a.mov", "a.avi", "a.mkv", "a.m4v"):
        assert media_part(Path(name), limits, fps=0.5) == VideoPart(Path(name), 0.5)
    for name in ("a.png", "a.JPG", "a.jpeg", "a.webp", "a.bmp"):
        assert media_part(Path(name), limits, fps=0.5) == ImagePart(Path(name))
    monkeypatch.setitem(sys.modules, "av", None)
    assert media_part(moving, limits) == ImagePart(moving)
