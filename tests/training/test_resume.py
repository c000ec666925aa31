"""A run that is stopped at any moment and started again ends, to the bit, where an unbroken one does."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from vergence.cli import main
from vergence.data.recipes import load_checked_recipe
from vergence.evaluation.history import read_metrics
from vergence.models.checkpoint import PARTIAL
from vergence.training import trainer
from vergence.training.trainer import Trainer

ROOT = Path(__file__).parents[2]
QUICK = ["evaluation.tasks=[colour]", "evaluation.samples=1"]
"""The recipe `small`, with less to evaluate."""
STEPS = 10
CLOCKS = {"seconds", "tokens_per_second"}

# Runs commands in forks of a process that has imported everything already, and kills them one after the other: before
# their n-th change to a file or folder, after a time, or once when a loader's worker starts, before that has looked who
# its parent is. The first fork of a command that comes to its end is the last.
KILLER = """
import json, os, random, signal, sys, time
from pathlib import Path
import torch
from vergence.cli import main
from vergence.data import catalogue
import vergence.training.trainer

torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])  # imports half of torch
catalogue.draw("digits", "train", 0, 0)
catalogue.draw("shapes", "train", 0, 0)
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}

def die_before_change(left):
    def hook(event, arguments):
        nonlocal left
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if writes or event in CHANGES:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
    return hook

def die_when_a_worker_starts():
    from torch.utils.data._utils import worker
    class Late(worker.ManagerWatchdog):
        def __init__(self):
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(0.2)
            super().__init__()
    worker.ManagerWatchdog = Late

def start(how, command, rng):
    change, seconds = rng.randint(1, 40), rng.uniform(0.05, 0.4)
    child = os.fork()
    if child == 0:
        if how == "changes":
            sys.addaudithook(die_before_change(change))
        if how == "start":
            die_when_a_worker_starts()
        code = 99
        try:
            code = main(command)
        finally:
            os._exit(code)
    if how == "times":
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

for how, seed, output, *command in json.loads(sys.argv[1]):
    rng = random.Random(seed)
    starts = []
    while not starts or starts[-1][0] == -signal.SIGKILL:
        most = 1 if how == "start" else 30
        code = start(how if len(starts) < most else "", command, rng)
        starts.append((code, len([*Path(output).rglob(".partial-*")])))
    print(json.dumps(starts), flush=True)
"""


@pytest.fixture(scope="module")
def unbroken(small_recipe, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("unbroken") / "run"
    Trainer(load_checked_recipe(small_recipe, QUICK), path).run()
    return path


def timeless(run: Path) -> list[dict[str, Any]]:
    """The metrics but for what a clock says."""
    records = read_metrics(run / "metrics.jsonl")
    return [{key: value for key, value in record.items() if key not in CLOCKS} for record in records]


def assert_same_end(run: Path, unbroken: Path) -> None:
    """Weights bit for bit, every step once and with the same figures, the same scores, and nothing left over."""
    found, expected = (load_file(path / "final" / "model.safetensors") for path in (run, unbroken))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert timeless(run) == timeless(unbroken)
    assert (run / "scores.json").read_bytes() == (unbroken / "scores.json").read_bytes()
    names = [sorted(str(p.relative_to(r)) for p in r.rglob("*")) for r in (run, unbroken)]
    assert names[0] == names[1]


class StoppedError(Exception):
    pass


def stop_at(monkeypatch: pytest.MonkeyPatch, name: str, call: int) -> None:
    """Let the trainer's method `name` raise when it is called for the `call`-th time."""
    method, left = getattr(Trainer, name), [call]

    def wrapped(*arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise StoppedError
        return method(*arguments, **named)

    monkeypatch.setattr(Trainer, name, wrapped)


def stopped_run(recipe: Path, folder: Path, overrides: list[str], where: str, call: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, where, call)
        with pytest.raises(StoppedError):
            Trainer(load_checked_recipe(recipe, overrides), folder).run()


# Stopped in this process


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_stopped_after_any_step(small_recipe, unbroken, tmp_path, step):
    stopped_run(small_recipe, tmp_path, QUICK, "_show", step)
    Trainer(load_checked_recipe(small_recipe, QUICK), tmp_path).run()
    assert_same_end(tmp_path, unbroken)


@pytest.mark.parametrize(("where", "call"), [("_save", 2), ("_save", 6), ("_evaluate_stage", 2), ("_finish", 1)])
def test_stopped_before_a_checkpoint_an_evaluation_and_the_end(small_recipe, unbroken, tmp_path, where, call):
    stopped_run(small_recipe, tmp_path, QUICK, where, call)
    Trainer(load_checked_recipe(small_recipe, QUICK), tmp_path).run()
    assert_same_end(tmp_path, unbroken)


def test_old_checkpoints_that_a_killed_run_left_are_removed(small_recipe, unbroken, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("vergence.training.run.Run.prune", lambda *_: None)
        stopped_run(small_recipe, tmp_path, QUICK, "_finish", 1)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 6
    Trainer(load_checked_recipe(small_recipe, QUICK), tmp_path).run()
    assert_same_end(tmp_path, unbroken)


def test_stopped_after_every_single_step(small_recipe, tmp_path):
    """Each start does one step more than the checkpoint that it goes on from."""
    overrides = [*QUICK, "checkpoint.every_steps=1"]
    for _ in range(STEPS - 1):
        stopped_run(small_recipe, tmp_path / "broken", overrides, "_show", 2)
    for folder in ("broken", "unbroken"):
        Trainer(load_checked_recipe(small_recipe, overrides), tmp_path / folder).run()
    assert_same_end(tmp_path / "broken", tmp_path / "unbroken")


@pytest.mark.parametrize("changes", [["threads=2"], ["loader.workers=2"], ["loader.lanes=5"]], ids=str)
def test_stopped_with_other_settings(small_recipe, tmp_path, changes):
    overrides = [*QUICK, *changes]
    stopped_run(small_recipe, tmp_path / "broken", overrides, "_show", 9)
    for folder in ("broken", "unbroken"):
        Trainer(load_checked_recipe(small_recipe, overrides), tmp_path / folder).run()
    assert_same_end(tmp_path / "broken", tmp_path / "unbroken")


def test_a_finished_run_is_neither_trained_nor_evaluated_again(small_recipe, small_run, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    assert main(["report", str(run)]) == 0, "the report names its folder"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for name in ("step_gradients", "evaluate_stage", "load_rows"):
        monkeypatch.setattr(trainer, name, None)
    assert main(["train", str(small_recipe), "--output", str(run)]) == 0
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert "this run is finished" in capsys.readouterr().err


def test_what_a_finished_run_lost_is_written_again(small_recipe, small_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    shutil.rmtree(run / "final")
    (run / "report.html").unlink()
    (run / "scores.json").unlink()
    Trainer(load_checked_recipe(small_recipe), run).run()
    assert_same_end(run, small_run)


# Killed


CHAINS = {
    "changes 1": ("changes", 1, 0),
    "changes 2": ("changes", 2, 0),
    "times": ("times", 3, 0),
    "times with a worker": ("times", 4, 1),
    "start of a worker": ("start", 0, 1),
}
"""When the command is killed, the seed of these moments, and the loader's workers."""


@pytest.fixture(scope="module")
def killed(small_recipe, tmp_path_factory) -> dict[str, tuple[Path, list[tuple[int, int]]]]:
    """For each chain the run's folder, and for each start (exit code, partial checkpoints that it left behind)."""
    folder, jobs = tmp_path_factory.mktemp("killed"), []
    for name, (how, seed, workers) in CHAINS.items():
        output = str(folder / name)
        command = ["train", str(small_recipe), *QUICK, f"loader.workers={workers}", "--output", output]
        jobs.append([how, seed, output, *command])
    # Its output ends with the last process that holds it: a worker that outlives its run would make this wait.
    command = [sys.executable, "-c", KILLER, json.dumps(jobs)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    starts = {
        name: [(int(code), int(partial)) for code, partial in line] for name, line in zip(CHAINS, lines, strict=True)
    }
    return {name: (folder / name, starts[name]) for name in CHAINS}


@pytest.mark.parametrize("chain", CHAINS)
def test_killed_again_and_again(killed, unbroken, chain):
    run, starts = killed[chain]
    assert {code for code, _ in starts[:-1]} == {-9}
    assert starts[-1] == (0, 0)
    if chain.startswith("changes"):
        assert len(starts) > 6
        assert sum(partial > 0 for _, partial in starts) >= 2, "some hit a checkpoint that was being written"
    assert_same_end(run, unbroken)


def test_the_command_killed_in_training_and_in_evaluation(small_recipe, tmp_path):
    """The real command with a loader's worker; the workers of a killed run end by themselves."""
    drawn = [f"stages.{name}.mixture=[{{source: shapes, style: caption}}]" for name in ("encoder", "words", "answers")]
    overrides = [*QUICK, *drawn, "loader.workers=1"]
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    Trainer(load_checked_recipe(small_recipe, overrides), unbroken).run()
    command = [sys.executable, "-m", "vergence", "train", str(small_recipe), *overrides, "--output", str(broken)]
    rng = random.Random(5)
    processes = []
    for words in ("stage encoder", "evaluating 1 tasks after stage words", ""):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        processes.append(process)
        assert process.stderr
        if words:
            assert any(words in line for line in process.stderr), "the run ended before it was to be killed"
            time.sleep(rng.uniform(0, 0.1))
            process.kill()
    assert processes[-1].communicate(timeout=60)
    assert [process.wait() for process in processes] == [-9, -9, 0]
    for process in processes[:-1]:
        process.communicate(timeout=30)  # ends with the last process that holds the other end
    assert_same_end(broken, unbroken)


# Refused


@pytest.fixture
def stopped(small_recipe, tmp_path) -> Path:
    """The folder of a run that was stopped in its last stage, at step 9 of 10."""
    stopped_run(small_recipe, tmp_path / "run", QUICK, "_show", 9)
    return tmp_path / "run"


def refused(capsys: pytest.CaptureFixture[str], recipe: Path, run: Path, *overrides: str) -> tuple[int, str]:
    """The exit code and the one line that the command says."""
    capsys.readouterr()
    code = main(["train", str(recipe), *QUICK, *overrides, "--output", str(run)])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("vergence: ")]
    assert len(lines) == 1
    return code, lines[0]


def test_a_truncated_checkpoint_is_refused_by_name(small_recipe, unbroken, stopped, capsys):
    newest = sorted((stopped / "checkpoints").iterdir())[-1]
    assert newest.name == "00000008-answers"
    weights = newest / "optimizer.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    code, line = refused(capsys, small_recipe, stopped)
    assert code == 3
    assert f"{weights}: truncated or changed" in line
    assert f"delete {newest} to go on" in line
    assert {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()} == before
    shutil.rmtree(newest)
    assert main(["train", str(small_recipe), *QUICK, "--output", str(stopped)]) == 0
    assert_same_end(stopped, unbroken)


def test_a_checkpoint_of_another_run_is_refused_by_name(small_recipe, stopped, tmp_path, capsys):
    other = tmp_path / "other"
    stopped_run(small_recipe, other, [*QUICK, "model.language.mlp_width=40"], "_show", 4)
    (newest,) = (other / "checkpoints").glob("00000003-*")
    foreign = stopped / "checkpoints" / "00000009-answers"
    newest.rename(foreign)
    code, line = refused(capsys, small_recipe, stopped)
    assert code == 3
    assert f"{foreign}: written by a run of another recipe" in line


def test_a_model_without_a_run_is_refused_by_name(small_recipe, small_run, stopped, capsys):
    foreign = stopped / "checkpoints" / "00000009-answers"
    shutil.copytree(small_run / "final", foreign)
    code, line = refused(capsys, small_recipe, stopped)
    assert code == 3
    assert str(foreign) in line
    assert "has no data.json" in line


def test_another_recipe_is_refused(small_recipe, stopped, capsys):
    code, line = refused(capsys, small_recipe, stopped, "stages.answers.optimizer.lr=1e-4")
    assert code == 2
    assert f"{stopped}: this folder holds a run of another recipe" in line


@pytest.mark.parametrize("what", ["data", "tokenizer"])
def test_changed_data_is_refused(small_recipe, tmp_path, capsys, what):
    tokenizer, data, run = tmp_path / "tokenizer.json", tmp_path / "data", tmp_path / "run"
    mixture = json.dumps([{"source": "folder", "path": str(data)}])
    overrides = [f"stages.words.mixture={mixture}", f"model.processing.tokenizer={tokenizer}"]
    assert main(["data", "generate", str(small_recipe), "--samples", "9", "--output", str(data)]) == 0
    train_tokenizer = ["tokenizer", "train", str(small_recipe), "--samples", "20", "--output", str(tokenizer)]
    assert main([*train_tokenizer, "--vocab-size", "300"]) == 0
    stopped_run(small_recipe, run, [*QUICK, *overrides], "_show", 6)
    if what == "data":
        lines = (data / "conversations.jsonl").read_text(encoding="utf-8").splitlines()
        (data / "conversations.jsonl").write_text("\n".join(lines[1:]), encoding="utf-8")
    else:
        assert main([*train_tokenizer, "--vocab-size", "310"]) == 0
    code, line = refused(capsys, small_recipe, run, *overrides)
    assert code == 3
    assert "stage words: the training data or the tokenizer changed since" in line
    assert "00000005-words" in line


def test_no_partial_checkpoint_is_ever_gone_on_from(small_recipe, unbroken, stopped):
    """What a write leaves that is killed before its last step has another name, and is removed at the next start."""
    newest = sorted((stopped / "checkpoints").iterdir())[-1]
    partial = stopped / "checkpoints" / f"{PARTIAL}00000009-answers"
    shutil.copytree(newest, partial)
    (partial / "manifest.json").unlink()
    Trainer(load_checked_recipe(small_recipe, QUICK), stopped).run()
    assert_same_end(stopped, unbroken)
