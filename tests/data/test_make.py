"""Plans made into shards: the same bytes from one and from several processes, and after any kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from vergence.cli import main
from vergence.data import make, make_processes
from vergence.data.mixture_sources import open_folder
from vergence.errors import DataError, UsageError

COUNT, SHARD = 50, 20


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def command(output: Path, *extra: str) -> list[str]:
    return [
        "data",
        "make",
        "shapes",
        "--count",
        str(COUNT),
        "--shard-samples",
        str(SHARD),
        "--out",
        str(output),
        *extra,
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an unbroken run in one process makes."""
    output = tmp_path_factory.mktemp("whole") / "shards"
    assert main(command(output, "--jobs", "1")) == 0
    return contents(output)


def test_four_processes_write_the_bytes_of_one(tmp_path, whole):
    assert main(command(tmp_path / "four", "--jobs", "4")) == 0
    assert contents(tmp_path / "four") == whole
    assert sorted(whole)[:2] == ["pack.json", "shard-000000.json"]
    assert len(open_folder(tmp_path / "four")) == COUNT


KILLED = """
import os, signal, sys
calls, at, after = [0], int(sys.argv[1]), sys.argv[2] == "after"
real = os.replace
def replace(*names):
    calls[0] += 1
    if calls[0] == at and not after:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*names)
    if calls[0] == at:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = replace
from vergence.cli import main
sys.exit(main(sys.argv[3:]))
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("change", [1, 2, 3, 4, 6])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path, whole, monkeypatch, change, when):
    """The process is killed around a change of a file: the plan, a tar, its side-car, its marker, a later side-car."""
    output = tmp_path / "shards"
    words = [sys.executable, "-c", KILLED, str(change), when, *command(output, "--jobs", "1")]
    assert subprocess.run(words, check=False, capture_output=True).returncode == -signal.SIGKILL
    kept = {path.name for path in output.glob("shard-*.json")}
    made = []
    monkeypatch.setattr(
        make_processes, "make_shard", lambda *given: (made.append(given[2]), make.make_shard(*given))[1]
    )
    assert main(command(output, "--jobs", "1")) == 0
    assert contents(output) == whole
    assert len(made) == 3 - len(kept), "a shard that was done was made again, or one that wasn't was left"


def test_the_tasks_of_a_slurm_array_make_the_same_folder(tmp_path, whole, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")
    for task in ("2", "1"):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", task)
        assert main(command(tmp_path / "array", "--on", "slurm", "--jobs", "1")) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "1 shards made; 2 of 3 are left to other tasks"
    assert said[1].startswith("50 samples in 3 shards")
    assert contents(tmp_path / "array") == whole


def test_every_shard_belongs_to_one_task():
    for tasks in (1, 2, 3, 7):
        parts = [
            make.shards_of_task(
                list(range(10)), {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": str(tasks)}
            )
            for task in range(tasks)
        ]
        assert sorted(shard for part in parts for shard in part) == list(range(10))
    with pytest.raises(UsageError, match="--array=0-7"):
        make.shards_of_task([0], {})
    with pytest.raises(UsageError, match="must follow one another"):
        make.shards_of_task([0], {"SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_COUNT": "2"})


@pytest.mark.slow
def test_ray_makes_the_same_folder(tmp_path, whole):
    pytest.importorskip("ray")
    assert main(command(tmp_path / "ray", "--on", "ray")) == 0
    assert contents(tmp_path / "ray") == whole


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--seed", "1"], "was begun with seed 0, not 1"),
        (["style=caption"], "was begun with config"),
        (["--jobs", "2", "colour=red"], "unknown key"),
    ],
)
def test_another_plan_in_the_same_folder_is_refused(tmp_path, whole, capsys, words, problem):
    output = tmp_path / "shards"
    assert main(command(output, "--jobs", "1")) == 0
    assert main(command(output, *words)) == 2
    assert problem in capsys.readouterr().err
    assert contents(output) == whole


def test_a_folder_with_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(command(tmp_path)) == 2
    assert "holds no data made by a plan" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_unknown_kinds_and_missing_words_are_named(tmp_path, capsys):
    assert main(["data", "make", "shapse", "--out", str(tmp_path / "x")]) == 2
    assert "did you mean shapes?" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


class Fails:
    """A generator of which every third sample can't be made."""

    VERSION, PACKAGES = 1, ()

    def __init__(self, real, every):
        self.Config, self.real, self.every, self.calls = real.Config, real, every, 0

    def generate(self, rng, config):
        self.calls += 1
        if self.calls % self.every == 0:
            raise DataError("no room for the labels")
        return self.real.generate(rng, config)


def test_samples_that_cannot_be_made_are_counted(tmp_path, capsys, monkeypatch):
    fails = Fails(make.load_generator("shapes"), 3)
    monkeypatch.setattr(make, "load_generator", lambda kind: fails)
    assert main(command(tmp_path / "shards", "--jobs", "1")) == 0
    said = capsys.readouterr()
    assert "shapes 2: no room for the labels" in said.err
    assert "left out: unusable sample 16" in said.out
    assert len(open_folder(tmp_path / "shards")) == COUNT - 16
    fails.every = 1
    assert main(command(tmp_path / "none", "--jobs", "1")) == 3
    assert "none of 20 samples can be made" in capsys.readouterr().err


def test_the_page_shows_samples_and_counts(tmp_path, whole, capsys):
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    assert main(["data", "show", str(tmp_path), "--samples", "3"]) == 0
    page = (tmp_path / "show.html").read_text(encoding="utf-8")
    assert page.count("<article>") == 3
    assert "shapes-train-0-000000000" in page
    assert page.count("data:image/webp;base64,") == 3
    assert "<rect" in page
    assert "Apache-2.0" in page
    assert "http" not in page.replace("http-equiv", ""), "the page fetches nothing"


def test_the_page_names_what_cannot_be_read(tmp_path):
    record = {"messages": [{"role": "user", "content": [{"type": "image", "image": "gone.png"}]}], "kind": "<b>x</b>"}
    (tmp_path / "conversations.jsonl").write_text(json.dumps(record) + "\nnot json\n")
    assert main(["data", "show", str(tmp_path)]) == 0
    page = (tmp_path / "show.html").read_text(encoding="utf-8")
    assert "gone.png" in page
    assert "not a line of JSON" in page
    assert "<b>x</b>" not in page, "what data says is escaped"


def test_an_unfinished_folder_is_not_read(tmp_path):
    planned = make.plan("shapes", count=COUNT, shard_samples=SHARD)
    make.begin(planned, tmp_path)
    make.make_shard(planned, tmp_path, 1)
    assert make.missing_shards(planned, tmp_path) == [0, 2]
    with pytest.raises(UsageError, match="2 of 3 shards are missing"):
        make.finish(planned, tmp_path)
    with pytest.raises(DataError, match="has not finished"):
        open_folder(tmp_path)


def test_a_pool_dies_with_its_parent(tmp_path):
    """Killing the parent alone must not leave processes that write beside its successor."""
    code = (
        "import os, signal, vergence.data.make_processes as p\n"
        "p.os.getppid = lambda: 1\n"
        "p._die_with(2)\n"
        "print('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert os.getppid() != 0


def test_the_page_takes_metadata_of_any_form(tmp_path):
    turns = '"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]'
    odd = [
        '"checks": "x", "regions": "y"',
        '"checks": [5], "difficulty": NaN',
        '"checks": [{"a": 1}], "difficulty": -7',
    ]
    odd += ['"regions": [{"box": [1]}, {"points": [3]}], "difficulty": 1e308', '"checks": null, "tags": 5']
    (tmp_path / "conversations.jsonl").write_text("\n".join(f"{{{turns}, {one}}}" for one in odd))
    assert main(["data", "show", str(tmp_path)]) == 0


def test_a_folder_begun_with_other_packages_is_refused(tmp_path, capsys):
    words = command(tmp_path / "made")[-1:]
    planned = make.plan("shapes", count=3)
    make.begin(planned, tmp_path / "made")
    assert planned.packages["pillow"]
    with pytest.raises(UsageError, match="was begun with packages"):
        make.begin(replace(planned, packages={"pillow": "1"}), tmp_path / "made")
    assert words


def test_two_runs_at_once_do_not_take_files_from_one_another(tmp_path):
    planned = make.plan("shapes", count=3)
    make.begin(planned, tmp_path)
    make.make_shard(planned, tmp_path, 0)

    def tell(done: int) -> None:
        if done == 3:  # another process finds all shards done while this one is still writing
            make.finish(planned, tmp_path)

    make.make_shard(planned, tmp_path, 0, tell)
    assert len(open_folder(tmp_path)) == 3


def test_the_page_shows_what_filters_decided(tmp_path, whole, capsys):
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    decisions = tmp_path / "clean.parquet"
    words = ["data", "clean", str(tmp_path), "caption.min_words=6", "caption.min_letters=0.1", "--out", str(decisions)]
    assert main(words) == 0
    assert main(["data", "show", str(tmp_path), "--samples", "6", "--decisions", str(decisions)]) == 0
    page = (tmp_path / "show.html").read_text(encoding="utf-8")
    assert "Filter clean" in page
    assert page.count("<article>") == 6
    assert page.count("clean: caption: too few words") == 3, "half of the samples are left out"
    (tmp_path / "conversations.jsonl").write_text('{"messages": [{"role": "user", "content": "x"}]}')
    assert main(["data", "show", str(tmp_path), "--decisions", str(decisions)]) == 3
    assert "was decided on other data" in capsys.readouterr().err
