"""A sample in the browser: its texts cut, its places in pixels, its pictures once and only from the run's folder."""

from __future__ import annotations

import base64
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vergence.errors import DataError
from vergence.evaluation.report.entries import LONGEST, Pictures, cut, entries, show
from vergence.evaluation.report.runs import read_runs
from vergence.evaluation.report.samples import index

SIZE = {"width": 200, "height": 100}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def shown(tmp_path, folders):
    """The entries of runs with these lines, all chosen; the folders are tmp_path/0, tmp_path/1, ..."""

    def build(*runs, room=10_000):
        paths = [
            folders.write(tmp_path / str(n), f"m{n}", {"t": folders.task([], lines)}) for n, lines in enumerate(runs)
        ]
        found = read_runs(paths)
        read = index([run.tasks["t"] for run in found])
        pictures = Pictures(room)
        return entries("t", found, read, read.order, pictures), pictures

    return build


def test_a_question_and_the_answers_of_two_runs(shown, folders):
    candidates = [{"text": "red", "tokens": [-1.0], "sum": -1.23456, "mean": -1.0, "character": None, "byte": "-inf"}]
    lines = [
        [folders.line(0, thought="hm", tags={"dimension": "Text", "n": 3}, compat={"other": 0.5}, tie=True)],
        [
            folders.line(0, extracted=1, scores={"accuracy": 0.0}, candidates=candidates, finish_reason="length"),
            folders.line(1, error="broken", valid=None, scores={}, answer="", extracted=None, finish_reason="error"),
        ],
    ]
    (first, second), _ = shown(*lines)
    assert (first["id"], first["right"], first["reference"]) == ("q0", 0, "0")
    assert first["tags"] == ["dimension: Text", "n: 3"]
    right, wrong = first["answers"]
    assert (right["outcome"], right["choice"], right["extracted"], right["thought"]) == ("right", 0, "A", "hm")
    assert (right["scores"], right["compat"], right["tie"]) == ([["accuracy", "1"]], [["other", "0.5"]], True)
    assert right["tokens"] == [["prompt", 10], ["image", 4], ["answer", 1]]
    assert (wrong["outcome"], wrong["choice"], wrong["cut"]) == ("wrong", 1, True)
    assert wrong["candidates"] == [["red", -1.2346, -1.0, None, "-inf", None]]
    assert second["answers"][0] is None
    assert (second["answers"][1]["outcome"], second["answers"][1]["error"]) == ("error", "broken")
    json.dumps([first, second], allow_nan=False)


@pytest.mark.parametrize(
    ("extracted", "choice"),
    [("B", 1), (2, 2), ("blue", 2), ("E", None), (4, None), (-1, None), (True, None), (1.0, None), (None, None)],
)
def test_which_choice_an_answer_means(shown, folders, extracted, choice):
    (entry,), _ = shown([folders.line(0, extracted=extracted)])
    assert entry["answers"][0]["choice"] == choice


@pytest.mark.parametrize(
    ("tags", "reference", "extracted", "answer", "truth", "places"),
    [
        ({"place": "box"}, [1, 2, 30, 40], [5, 6, 70.5, 80], "x", [[1, 2, 30, 40]], [[5, 6, 70.5, 80]]),
        ({"place": "point"}, [1, 2, 30, 40], [5, 6], "x", [[1, 2, 30, 40]], [[5, 6]]),
        ({"place": "box"}, [[1, 2, 3, 4], [5, 6, 7, 8]], None, "x", [[1, 2, 3, 4], [5, 6, 7, 8]], []),
        ({"place": "box"}, [1, 2, 3], [1, "a", 3, 4], "x", [], []),
        ({"place": "box"}, [1, 2, 3, 4], None, "<bbox>100 100 500 500</bbox>", [[1, 2, 3, 4]], [[20, 10, 100, 50]]),
        ({}, [1, 2, 3, 4], [1, 2, 3, 4], "<point>500 500</point>", [], [[100, 50]]),
        ({}, "<bbox>0 0 500 500</bbox>", None, "none", [[0, 0, 100, 50]], []),
    ],
)
def test_places_are_pixels_of_the_picture(shown, folders, tags, reference, extracted, answer, truth, places):
    media = [{"kind": "image", "path": None, "thumbnail": None, **SIZE}]
    changes = {"tags": tags, "reference": reference, "extracted": extracted, "answer": answer, "choices": []}
    (entry,), _ = shown([folders.line(0, media=media, **changes)])
    assert entry["truth"] == truth
    assert entry["answers"][0]["places"] == places
    (two,), _ = shown([folders.line(0, media=media * 2, **changes)])
    assert (two["truth"], two["answers"][0]["places"]) == ([], [])


def test_each_picture_is_kept_once_and_what_is_missing_is_counted(shown, folders, tmp_path):
    media = tmp_path / "0" / "media"
    media.mkdir(parents=True)
    for name, content in {"a": png(), "same": png(), "b": png("blue"), "text": b"<svg onload=x>"}.items():
        (media / f"{name}.png").write_bytes(content)

    def shows(*names):
        return [{"kind": "image", "path": "/far/x.jpg", "thumbnail": f"media/{n}.png", **SIZE} for n in names]

    lines = [folders.line(n, media=shows(name)) for n, name in enumerate(["a", "same", "text", "none", "b"])]
    found, pictures = shown(lines, room=len(png()) + 10)
    keys = [entry["media"][0]["picture"] for entry in found]
    assert keys[0] == keys[1]
    assert keys[2:] == [None, None, None]
    assert list(pictures.addresses.values()) == [f"data:image/png;base64,{base64.b64encode(png()).decode()}"]
    assert pictures.missing == ["media/text.png", "media/none.png"]
    assert pictures.left_out == 1
    assert found[0]["media"][0]["path"] == "x.jpg"


def test_a_picture_that_only_the_other_run_kept(shown, folders, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "a.png").write_bytes(png())
    bare = {"kind": "image", "path": None, "thumbnail": None, "width": None, "height": None}
    lines = [[folders.line(0, media=[bare])], [folders.line(0, media=[{**bare, "thumbnail": "a.png", **SIZE}])]]
    (entry,), pictures = shown(*lines)
    assert entry["media"][0]["picture"] in pictures.addresses
    assert entry["media"][0]["size"] == (200, 100)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "media/../../x.png"])
def test_no_picture_from_outside_the_folder(shown, folders, name):
    media = [{"kind": "image", "path": None, "thumbnail": name, **SIZE}]
    with pytest.raises(DataError, match="lies outside the run's folder"):
        shown([folders.line(0, media=media)])


@pytest.mark.parametrize("broken", [{"choices": None}, {"media": [3]}, {"tags": []}, {"candidates": [{}]}])
def test_a_record_of_another_form_is_named(shown, folders, broken):
    with pytest.raises(DataError, match=r"task0\.jsonl: sample q0: "):
        shown([folders.line(0, **broken)])


@given(JSON)
def test_any_value_is_shown_as_a_text_of_bounded_length(value):
    found = show(value)
    assert isinstance(found, str)
    assert len(found) <= LONGEST + 50
    assert "\x00" not in found


def test_long_texts_are_cut_and_say_so():
    assert cut("a" * LONGEST) == "a" * LONGEST
    assert cut("a" * 10_000) == "a" * LONGEST + " … (10,000 characters in all)"
