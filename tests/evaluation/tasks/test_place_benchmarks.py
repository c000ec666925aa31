"""Benchmarks of places, depths and counts: scores worked out by hand where a plausible rule differs."""

from __future__ import annotations

import pytest
from benchmark_run import PICTURE, scores
from fabricated import png, write_rows


def test_counts_are_read_the_same_way_everywhere(tmp_path):
    said = ["There are 3", "three", "1 dog and 2 cats, so 3", "3 or 4", "none"]
    rows = [{"question": "How many?", "image": PICTURE, "number": 3} for _ in said]
    found = scores(tmp_path, "countbench", rows, said)
    assert (found.headline, found.result["invalid"]) == (pytest.approx(3 / 5), 1)
    rows = [{"id": i, "category": "eggs", "image": PICTURE, "count": count} for i, count in enumerate([10, 20, 7])]
    found = scores(tmp_path / "f", "fsc147", rows, ["12", "There are about 16.", "many"])
    assert found.headline == pytest.approx((2 + 4 + 7) / 3)  # an answer without a count is 0, not left out
    assert found["rmse", ""] == pytest.approx(((4 + 16 + 49) / 3) ** 0.5)
    assert found["readable_mae", ""] == pytest.approx(3)


def test_refcoco_takes_the_first_box_in_the_declared_coordinates(tmp_path):
    box = [10.0, 10.0, 20.0, 20.0]  # x, y, width, height: pixels 10..30, thousandths 250..750
    said = [
        "<bbox>250 250 750 750</bbox>",
        "<bbox>250 250 750 500</bbox>",  # half of it: IoU exactly 0.5 counts
        "<bbox>0 0 100 100</bbox><bbox>250 250 750 750</bbox>",  # a second try doesn't
        "[10, 10, 30, 30]",  # pixels where thousandths are asked for
        "no box",
        "<bbox>250 250 740 490</bbox>",
    ]
    for name, part, other in (("a", said[:5], "RefCOCO_val"), ("b", said[5:], "RefCOCO+_val")):
        row = {"image": PICTURE, "bbox": box, "answer": ["the cup"]}
        rows = [{**row, "question_id": f"{name}{i}"} for i in range(len(part))]
        write_rows(tmp_path / "data" / "refcoco" / f"{other}.jsonl", rows)
    # Files are read in the order of their names: RefCOCO+ before RefCOCO_.
    rows = [{"image": PICTURE, "bbox": box, "answer": ["the cup"], "question_id": "c0"}]
    found = scores(tmp_path, "refcoco", rows, [said[5], *said[:5], said[0]], file="RefCOCOg_val.jsonl")
    assert found["accuracy", "split=RefCOCO_val"] == pytest.approx(2 / 5)
    assert found.headline == pytest.approx((0 + 2 / 5 + 1) / 3)  # of the splits, not of the 7 phrases
    assert found["micro_accuracy", ""] == pytest.approx(3 / 7)
    assert found["invalid_ratio", ""] == pytest.approx(1 / 7)


def test_coordinates_are_those_that_were_asked_for(tmp_path):
    rows = [{"question_id": "1", "image": PICTURE, "bbox": [10.0, 10.0, 20.0, 20.0], "answer": ["it"]}]
    wished = scores(tmp_path, "refcoco", rows, ["[10, 10, 30, 30]"], file="RefCOCO_val.jsonl", preset="pixels")
    assert wished.headline == 1
    assert wished.result["definition"]["metric"]["coordinates"] == "pixels"


def test_lvis_mg_matches_one_to_one(tmp_path):
    pytest.importorskip("scipy")
    rows = [
        {"id": i, "category": "cup", "image": PICTURE, "boxes": [[0, 0, 10, 10], [20, 20, 40, 40]]} for i in range(2)
    ]
    left, right = "<bbox>0 0 250 250</bbox>", "<bbox>500 500 999 999</bbox>"
    found = scores(tmp_path, "lvis-mg", rows, [left * 3, left + right])
    # 1 of 3 boxes and 1 of 2 found, then 2 of 2: naming a box thrice finds it once.
    assert found.headline == pytest.approx(2 * 3 / (5 + 4))
    assert found["image_f1", ""] == pytest.approx((2 / 5 + 1) / 2)
    assert (found["precision", ""], found["recall", ""]) == (pytest.approx(3 / 5), pytest.approx(3 / 4))


def test_depths_are_relative_to_the_true_one(tmp_path):
    asked = [(2.0, "2.5 m"), (4.0, "300 cm"), (1.0, "I can't tell."), (20.0, "1 m")]
    rows = [{"id": i, "image": PICTURE, "point": "1 2", "depth": depth} for i, (depth, _) in enumerate(asked)]
    found = scores(tmp_path, "nyu-depth-v2", rows, [said for _, said in asked])
    assert found.headline == pytest.approx((0.5 / 2 + 1 / 4) / 2)  # |d - d*| / d*; beyond 10 m isn't evaluated
    assert found["delta_1", ""] == 0  # 1.25 isn't below 1.25
    assert found["delta_2", ""] == pytest.approx(2 / 3)  # an unreadable one is outside of every delta
    assert found["invalid_ratio", ""] == pytest.approx(1 / 3)


def test_da_2k_gives_nothing_for_always_the_first(tmp_path):
    (tmp_path / "data" / "da-2k" / "images").mkdir(parents=True)
    (tmp_path / "data" / "da-2k" / "images" / "a.png").write_bytes(png())
    pair = {"point1": [5, 6], "point2": [20, 30], "closer_point": "point1"}
    rows = {"images/a.png": [pair, {**pair, "point2": [8, 9]}]}
    found = scores(tmp_path, "da-2k", rows, ["point1"] * 4, file="annotations.json")
    assert (found.headline, found["pair_accuracy", ""], found["first_ratio", ""]) == (1 / 2, 0, 1)


def test_clicks_count_the_border_and_the_declared_unit(tmp_path):
    said = ["<point>250 250</point>", "<point>750 750</point>", "<point>751 500</point>", "(20, 20)", "there"]
    for name, box in (("screenspot-v2", [10, 10, 20, 20]), ("screenspot-pro", [10, 10, 30, 30])):
        rows = [
            {
                "id": i,
                "instruction": "open it",
                "image": PICTURE,
                "bbox": box,
                "data_type": kind,
                "ui_type": kind,
                "data_source": "web",
                "group": "Dev",
                "application": "x",
                "platform": "linux",
            }
            for i, kind in enumerate(["text", "text", "icon", "icon", "icon"])
        ]
        found = scores(tmp_path / name, name, rows, said)
        assert found.headline == pytest.approx(2 / 5)
        assert (found["accuracy", "kind=text"], found["accuracy", "kind=icon"]) == (1, 0)
        assert found["macro_accuracy", ""] == pytest.approx(1 / 2)
        assert found["wrong_format_ratio", ""] == pytest.approx(1 / 5)  # (20, 20) is a point, of thousandths
