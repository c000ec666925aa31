"""Run folders as an evaluation writes them, with whatever a test wants in them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest


def line(number: int, **changes: Any) -> dict[str, Any]:
    """A record: a question with four choices, answered with the first."""
    return {
        "run": "r",
        "id": f"q{number}",
        "repeat": 0,
        "question": "Which one?",
        "media": [],
        "reference": 0,
        "choices": ["red", "green", "blue", "grey"],
        "answer": "A",
        "thought": None,
        "finish_reason": "stop",
        "error": None,
        "image": None,
        "extracted": "A",
        "valid": True,
        "tie": False,
        "scores": {"accuracy": 1.0},
        "compat": {},
        "candidates": [],
        "tags": {},
        "tokens": {"prompt": 10, "image": 4, "answer": 1, "thought": None},
    } | changes


def measure(metric: str, value: float | None, n: int = 10, group: str = "", **changes: Any) -> dict[str, Any]:
    """A measure with an interval of 0.1 to both sides."""
    ends = (None, None) if value is None else (value - 0.1, value + 0.1)
    return {"metric": metric, "value": value, "n": n, "group": group, "low": ends[0], "high": ends[1]} | changes


def task(measures: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]], **changes: Any) -> dict[str, Any]:
    """A task of `results.json`, and its lines under a key that is none of the file's."""
    return {
        "version": 1,
        "fingerprint": "f",
        "definition": {"metric": "accuracy"},
        "n": sum(one["error"] is None for one in lines),
        "invalid": sum(one["valid"] is False for one in lines),
        "errors": sum(one["error"] is not None for one in lines),
        "ties": sum(one["tie"] for one in lines),
        "truncated_thoughts": None,
        "tokens": {"prompt": 10.0, "image": 4.0, "answer": 1.0, "thought": None},
        "measures": list(measures),
        "compat": [],
        "problems": [],
        "lines": list(lines),
    } | changes


def write(folder: Path, model: str, tasks: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write a run's folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    described = {}
    for number, (name, found) in enumerate(tasks.items()):
        file = f"task{number}.jsonl"
        (folder / file).write_text("".join(json.dumps(one) + "\n" for one in found["lines"]), encoding="utf-8")
        described[name] = {"samples": file, **{key: value for key, value in found.items() if key != "lines"}}
    whole = {
        "format": 1,
        "vergence": "0.1",
        "model": {"name": model, "kind": "vergence"},
        "settings": {"seed": 0},
        "tasks": described,
    }
    (folder / "results.json").write_text(json.dumps(whole), encoding="utf-8")
    return folder


class Folders:
    """What builds run folders in a test."""

    line: Callable[..., dict[str, Any]] = staticmethod(line)
    measure: Callable[..., dict[str, Any]] = staticmethod(measure)
    task: Callable[..., dict[str, Any]] = staticmethod(task)
    write: Callable[..., Path] = staticmethod(write)


@pytest.fixture(scope="session")
def folders() -> Folders:
    return Folders()


@pytest.fixture(scope="session")
def dom(tmp_path_factory):
    """The document of a page after a browser has run its scripts; skips where there is no Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("no Chromium on the PATH")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += f" --disable-component-update --disable-sync --user-data-dir={tmp_path_factory.mktemp('profile')}"

    def load(path: Path, fragment: str = "") -> str:
        command = [browser, *flags.split(), "--dump-dom", f"{path.as_uri()}{fragment}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    return load
