"""`vergence eval`: the questions and the scores are those of the trainer's own evaluation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vergence.data.catalogue import TASKS
from vergence.errors import DataError, UsageError
from vergence.evaluation import command
from vergence.evaluation.command import evaluate_checkpoint
from vergence.evaluation.runner import Evaluation
from vergence.evaluation.scores import KEYS, read_scores, table


@pytest.mark.parametrize("place", ["", "final", "checkpoints/00000010-answers"])
def test_a_checkpoint_scores_as_it_did_in_training(small_run, tmp_path, capsys, place):
    file = tmp_path / "new" / "scores.json"
    scores = evaluate_checkpoint(small_run / place, tasks=["digit", "colour"], samples=2, output=file)
    captured = capsys.readouterr()
    assert captured.out == table(scores) + "\n"
    assert [line.split(":")[0] for line in captured.err.splitlines()] == ["digit", "colour"]
    written = read_scores(file)
    assert [tuple(record) for record in written] == [KEYS, KEYS]
    measured = [record for record in read_scores(small_run / "scores.json") if record["stage"] == "answers"]
    assert written == [{**record, "stage": "eval"} for record in measured]


def test_without_a_file_nothing_is_written(small_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (score,) = evaluate_checkpoint(small_run, tasks=["colour"], samples=1)
    assert (score.task, score.n) == ("colour", 1)
    assert not list(tmp_path.iterdir())


def test_all_tasks_are_asked_where_none_is_named(small_run, monkeypatch):
    asked = []

    def evaluate(_: object, tasks: tuple[str, ...], **settings: object) -> Evaluation:
        asked.append((tasks, settings["samples"], settings["seed"]))
        return Evaluation([], [])

    monkeypatch.setattr(command, "evaluate", evaluate)
    assert evaluate_checkpoint(small_run, tasks=[], samples=7) == []
    assert asked == [(tuple(TASKS), 7, command.SEED)]


def test_mistakes_are_found_before_the_checkpoint_is_read(tmp_path):
    with pytest.raises(UsageError, match="unknown task colr, sudoku; there are: colour, shape"):
        evaluate_checkpoint(tmp_path / "none", tasks=["colr", "digit", "sudoku"], samples=1)
    with pytest.raises(UsageError, match="--samples 0: must be at least 1"):
        evaluate_checkpoint(tmp_path / "none", tasks=["colour"], samples=0)


def test_what_is_no_checkpoint_is_named(small_run, tmp_path):
    with pytest.raises(DataError, match="none: no such run or checkpoint folder"):
        evaluate_checkpoint(tmp_path / "none", tasks=["colour"], samples=1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: not a Vergence checkpoint"):
        evaluate_checkpoint(tmp_path / "empty", tasks=["colour"], samples=1)
    damaged = tmp_path / "damaged"
    shutil.copytree(small_run / "final", damaged)
    weights: Path = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"damaged/model\.safetensors: truncated or changed"):
        evaluate_checkpoint(damaged, tasks=["colour"], samples=1)
    with pytest.raises(UsageError, match="device 'warp' is not available here"):
        evaluate_checkpoint(small_run, tasks=["colour"], samples=1, device="warp")


def test_the_file_is_plain_json(small_run, tmp_path):
    evaluate_checkpoint(small_run, tasks=["colour"], samples=3, output=tmp_path / "scores.json")
    (record,) = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert (record["stage"], record["task"], record["real"], record["n"]) == ("eval", "colour", False, 3)
    assert 0 <= record["low"] <= record["accuracy"] <= record["high"] <= 1
    assert 0 <= record["blind_low"] <= record["blind"] <= record["blind_high"] <= 1
