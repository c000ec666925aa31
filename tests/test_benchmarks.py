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


def test_every_measurement_of_the_families_is_described():
    usage = run("families.py", "--help")
    names = re.search(r"--only \[\{([\w,]+)\}", usage)
    assert names, usage
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [name for name in names[1].split(",") if f"`{name}`" not in text] == []
