"""The benchmarks run and print what a reader and a program expect; nothing here depends on how fast they are."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TINY = [
    "--threads",
    "1",
    "--samples",
    "2",
    "--rounds",
    "1",
    "--warmup",
    "0",
    "--sides",
    "28",
    "56",
    "--texts",
    "3",
    "9",
]


def run(script: str, *options: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "benchmarks" / script), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=120).stdout


def test_train_prints_one_line_of_json():
    output = run("train.py", *TINY)
    assert output.count("\n") == 1
    record = json.loads(output)
    assert {"name", "ours", "peer", "unit", "ratio", "cpu_ratio", "samples_per_second"} <= record.keys()
    assert record["name"] == "train"
    assert record["unit"] == "tokens/s"
    assert record["precision"] == "fp32"
    for key in ("ours", "peer", "ratio", "cpu_ratio"):
        assert math.isfinite(record[key])
        assert record[key] > 0
    assert record["ratio"] == pytest.approx(record["ours"] / record["peer"], abs=0.02)
    assert 0 <= record["padding"] < 1
    ours, peer = record["parameters"]["ours"], record["parameters"]["peer"]
    assert abs(ours / peer - 1) < 0.01, "the models are of the same size"


@pytest.mark.parametrize("script", ["families.py", "evaluation.py", "data.py"])
def test_every_measurement_is_described(script):
    usage = run(script, "--help")
    names = re.search(r"--only \[\{([\w,]+)\}", usage)
    assert names, usage
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [name for name in names[1].split(",") if f"`{name}`" not in text] == []


def test_ranking_predicts_what_the_peer_predicts():
    output = run("evaluation.py", "--only", "ranking_tiny", "--questions", "3", "--threads", "1")
    assert output.count("\n") == 1
    record = json.loads(output)
    assert record["name"] == "ranking_tiny"
    assert record["unit"] == "questions/s"
    for key in ("ours", "peer", "ratio", "cpu_ratio"):
        assert math.isfinite(record[key])
        assert record[key] > 0
    assert record["ratio"] == pytest.approx(record["ours"] / record["peer"], rel=0.01)
    assert (record["questions"], record["same_predictions"]) == (3, 3)
    assert 0 <= record["largest_difference"] < 1e-4
    assert record["largest_difference"] < record["least_margin"]
    assert record["picture_effect"] > 100 * record["largest_difference"], "scores depend on the pictures"


def test_a_ranking_that_differs_ends_with_an_error():
    ours, theirs = [[-1.0, -2.0, -3.0], [-1.0, -1.5, -2.0]], [[-1.25, -2.0, -3.0], [-1.75, -1.5, -2.0]]
    code = "import evaluation; evaluation.compare_scores('ranking', {}, {})"
    folders = os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])
    found = subprocess.run(
        [sys.executable, "-c", code.format(ours, theirs)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": folders},
        timeout=120,
    )
    assert found.returncode == 1
    assert found.stderr == (
        "ranking: 1 of 2 predictions differ; question 1: ours is choice 0 of [-1.0, -1.5, -2.0], "
        "the peer's is 1 of [-1.75, -1.5, -2.0]\n"
    )


def test_kinds_of_data_are_made_and_two_processes_agree():
    output = run("data_kinds.py", "--count", "4", "--kinds", "shapes", "chart", "--processes", "2")
    records = [json.loads(line) for line in output.splitlines()]
    assert [record["name"] for record in records] == ["shapes", "chart"]
    assert all(record["samples"] == 4 and record["ours"] > 0 and record["same_bytes"] for record in records)
