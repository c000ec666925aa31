"""A run's folder: whose it is, what it goes on from, and which checkpoints stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from vergence.data.recipes import load_checked_recipe
from vergence.errors import DataError, UsageError
from vergence.models.checkpoint import PARTIAL, write_checkpoint
from vergence.recipe import Recipe, load_recipe
from vergence.training.run import Run


@pytest.fixture
def recipe(small_recipe) -> Recipe:
    return load_checked_recipe(small_recipe)


@pytest.fixture
def other(small_recipe) -> Recipe:
    return load_checked_recipe(small_recipe, ["seed=8"])


def save(run: Run, name: str, recipe: str | None = None) -> Path:
    """A checkpoint as the trainer names it, with the least that a run looks at."""
    path = run.checkpoints / name
    data = {"recipe": recipe or run.recipe_digest}
    write_checkpoint(path, tensors={"model": {"weight": torch.ones(4)}}, documents={"data": data}, texts={})
    return path


def test_a_new_folder_holds_the_recipe_with_everything_filled_in(recipe, tmp_path):
    run = Run(tmp_path / "runs" / "one", recipe)
    assert load_recipe(run.path / "recipe.yaml") == recipe
    assert run.newest() is None
    assert run.rewind(0) == []


def test_the_same_recipe_opens_the_folder_again(recipe, tmp_path):
    path = save(Run(tmp_path, recipe), "00000002-words")
    newest = Run(tmp_path, recipe).newest()
    assert newest
    assert newest.path == path


@pytest.mark.parametrize("trained", ["checkpoints/00000002-words", "final"])
def test_a_folder_in_which_another_recipe_trained_is_refused(recipe, other, tmp_path, trained):
    run = Run(tmp_path, recipe)
    save(run, f"../{trained}")
    before = (tmp_path / "recipe.yaml").read_bytes()
    with pytest.raises(UsageError, match=r"holds a run of another recipe \(see .*recipe\.yaml\)") as caught:
        Run(tmp_path, other)
    assert caught.value.exit_code == 2
    assert (tmp_path / "recipe.yaml").read_bytes() == before


def test_a_recipe_that_never_came_to_a_checkpoint_makes_way(recipe, other, tmp_path):
    Run(tmp_path, recipe).log({"kind": "train", "global_step": 1})
    run = Run(tmp_path, other)
    assert load_recipe(tmp_path / "recipe.yaml") == other
    assert run.newest() is None
    assert run.rewind(0) == []


@pytest.mark.parametrize("place", ["file", "file/inside"])
def test_a_file_in_the_place_of_the_folder_is_named(recipe, tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="can't hold a run, there is a file in its place"):
        Run(tmp_path / place, recipe)
    assert (tmp_path / "file").read_text() == "mine"


def test_what_a_killed_write_left_is_removed(recipe, tmp_path):
    run = Run(tmp_path, recipe)
    for folder in (run.checkpoints, run.path):
        (folder / f"{PARTIAL}x").mkdir()
        (folder / f"{PARTIAL}x" / "model.safetensors").write_bytes(b"half")
    (run.path / ".scores.json.123.tmp").write_text("[{")
    run = Run(tmp_path, recipe)
    assert {path.name for path in run.path.rglob("*")} == {"recipe.yaml", "checkpoints"}
    assert run.newest() is None


def test_a_damaged_newest_checkpoint_is_refused_by_name_and_nothing_is_skipped(recipe, tmp_path):
    run = Run(tmp_path, recipe)
    save(run, "00000002-words")
    path = save(run, "00000004-words")
    weights = path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(DataError) as caught:
        run.newest()
    assert caught.value.exit_code == 3
    assert f"{weights}: truncated or changed" in str(caught.value)
    assert f"delete {path} to go on from the checkpoint before it" in str(caught.value)


def test_a_checkpoint_from_elsewhere_is_refused_by_name(recipe, other, tmp_path):
    run = Run(tmp_path / "one", recipe)
    save(run, "00000002-words")
    foreign = save(run, "00000009-words", recipe=Run(tmp_path / "two", other).recipe_digest)
    with pytest.raises(DataError, match=rf"{foreign}: written by a run of another recipe; delete"):
        run.newest()
    (foreign / "manifest.json").unlink()
    with pytest.raises(DataError, match=rf"{foreign}: not a Vergence checkpoint"):
        run.newest()


def test_a_checkpoint_without_a_run_is_refused_by_name(recipe, tmp_path):
    run = Run(tmp_path, recipe)
    path = run.checkpoints / "00000002-words"
    write_checkpoint(path, tensors={"model": {"weight": torch.ones(4)}}, documents={}, texts={})
    with pytest.raises(DataError, match=r"this checkpoint has no data\.json; delete"):
        run.newest()


def test_rewinding_drops_what_is_to_be_done_again(recipe, tmp_path):
    run = Run(tmp_path, recipe)
    records = [{"kind": kind, "global_step": step} for step in (1, 2, 3) for kind in ("train", "heldout")]
    for record in records:
        run.log(record)
    with run.metrics.open("a") as file:
        file.write('{"kind": "train", "global_st')  # killed in the middle of a line
    assert run.rewind(2) == records[:4]
    run.log({"kind": "train", "global_step": 3})
    lines = run.metrics.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [*records[:4], {"kind": "train", "global_step": 3}]


def test_the_newest_checkpoints_and_each_stages_last_stay(recipe, tmp_path):
    run = Run(tmp_path, recipe)
    stages = {"a": 3, "b-c": 6, "d": 9}
    for step in range(1, 10):
        stage = next(name for name, last in stages.items() if step <= last)
        save(run, f"{step:08d}-{stage}")
        run.prune(2)
        kept = [int(path.name[:8]) for path in sorted(run.checkpoints.iterdir())]
        assert kept == sorted({last for last in stages.values() if last < step} | {step, max(step - 1, 1)})


def test_pruning_leaves_folders_that_are_no_checkpoints(recipe, tmp_path):
    run = Run(tmp_path, recipe)
    (run.checkpoints / ".notebook_checkpoints").mkdir()
    for step in range(1, 5):
        save(run, f"{step:08d}-words")
        run.prune(1)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [".notebook_checkpoints", "00000004-words"]
