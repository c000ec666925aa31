"""The trainer: what it writes, what moves and what doesn't, and what it says of data or figures that can't be used."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from vergence.data.loader import RowSettings, load_rows
from vergence.data.mixture import Mixture
from vergence.data.recipes import load_checked_recipe
from vergence.errors import DataError, UsageError, VergenceError
from vergence.evaluation.examples import read_examples
from vergence.evaluation.history import read_metrics, scores_of, stages_of
from vergence.evaluation.scores import is_score, read_scores
from vergence.models.checkpoint import load_model, open_checkpoint
from vergence.models.vlm import VLM
from vergence.processing.processor import Processor
from vergence.processing.tokenizer import Tokenizer
from vergence.recipe import Recipe, load_recipe
from vergence.training.objective import stage_seed
from vergence.training.trainer import Trainer

STEPS = {"encoder": 3, "words": 3, "answers": 4}
SHAPES = [{"source": "shapes", "turns": 2}]
QUIET = ["evaluation.stage_samples=0", "evaluation.samples=1", "evaluation.tasks=[colour]"]


def stage(name: str, **changes: Any) -> dict[str, Any]:
    """A stage of two steps in which everything trains on answers, or what `changes` say."""
    plain = {"objective": "answers", "tokens": 320, "row_tokens": 160, "mixture": SHAPES, "optimizer": {"lr": 3e-3}}
    return {"name": name, **plain, **changes}


def make_recipe(small_recipe: Path, *stages: Mapping[str, Any], overrides: list[str] | None = None) -> Recipe:
    return load_checked_recipe(small_recipe, [f"stages={json.dumps(stages)}", *QUIET, *(overrides or [])])


def train(recipe: Recipe, folder: Path) -> Path:
    Trainer(recipe, folder).run()
    return folder


def checkpoint_of(run: Path, stage: str, part: str = "model") -> dict[str, Tensor]:
    """The tensors of a stage's last checkpoint."""
    last = sorted(path for path in (run / "checkpoints").iterdir() if path.name.endswith(f"-{stage}"))[-1]
    return load_file(last / f"{part}.safetensors")


def changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    """The modules (first parts of names) in which any bit differs."""
    assert before.keys() == after.keys()
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def fresh_weights(recipe: Recipe) -> dict[str, Tensor]:
    model = VLM(recipe.model)
    model.initialise(recipe.seed)
    return model.state_dict()


def write_folder(folder: Path, samples: list[tuple[list[str], str, str]]) -> Path:
    """A data folder with one conversation for each (image names, question, answer)."""
    folder.mkdir(exist_ok=True)
    lines = []
    for images, question, answer in samples:
        parts = [*({"type": "image", "image": name} for name in images), {"type": "text", "text": question}]
        lines.append({"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": answer}]})
    (folder / "conversations.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return folder


# What a run writes


def test_the_files_of_a_run(small_recipe, small_run):
    names = {path.name for path in small_run.iterdir()}
    files = {"recipe.yaml", "metrics.jsonl", "scores.json", "report.html", "examples.json"}
    assert names == {*files, "checkpoints", "final", "examples"}
    assert load_recipe(small_run / "recipe.yaml") == load_checked_recipe(small_recipe)
    assert "answers" in (small_run / "report.html").read_text(encoding="utf-8")
    assert {example.task for example in read_examples(small_run)} == {"digit", "colour"}
    checkpoints = sorted(path.name for path in (small_run / "checkpoints").iterdir())
    assert checkpoints == ["00000003-encoder", "00000006-words", "00000008-answers", "00000010-answers"]


def test_the_final_model_is_that_of_the_last_step(small_recipe, small_run):
    model, config = load_model(open_checkpoint(small_run / "final"))
    assert config == load_checked_recipe(small_recipe).model
    last = checkpoint_of(small_run, "answers")
    assert not changed(last, model.state_dict())
    assert changed(checkpoint_of(small_run, "words"), last) == {"vision", "projector", "language"}


def test_the_scores_of_every_stage_are_kept(small_run):
    scores = read_scores(small_run / "scores.json")
    counted = [(score["stage"], score["task"], score["n"]) for score in scores]
    sizes = {"encoder": 1, "words": 1, "answers": 2}
    assert counted == [(name, task, n) for name, n in sizes.items() for task in ("digit", "colour")]


def test_the_metrics_have_their_documented_form(small_run):
    records = read_metrics(small_run / "metrics.jsonl")
    place = {"kind", "stage", "step", "global_step", "tokens"}
    keys = {
        "train": place | {"loss", "lr", "grad_norm", "tokens_per_second", "utilisation", "seconds"},
        "heldout": place | {"loss"},
        "scores": place | {"scores"},
        "sources": place | {"sources"},
    }
    assert all(record.keys() == keys[record["kind"]] for record in records)
    trained = [record for record in records if record["kind"] == "train"]
    assert [(r["stage"], r["step"]) for r in trained] == [
        (n, i + 1) for n, count in STEPS.items() for i in range(count)
    ]
    assert [r["global_step"] for r in trained] == list(range(1, 11))
    for key in ("tokens", "seconds"):
        values = [r[key] for r in trained]
        assert values == sorted(set(values)), f"{key} is a total since the run began"
    budgets = [320 if r["stage"] != "words" else 160 for r in trained]
    steps = [b["tokens"] - a["tokens"] for a, b in zip([{"tokens": 0}, *trained], trained, strict=False)]
    assert [r["utilisation"] for r in trained] == [n / budget for n, budget in zip(steps, budgets, strict=True)]
    assert all(0.5 < r["utilisation"] <= 1 and r["tokens_per_second"] > 0 and r["grad_norm"] > 0 for r in trained)
    assert [r["lr"] for r in trained[:3]] == pytest.approx([3e-3, 3e-3, 1.5e-3])
    heldout = [(r["stage"], r["step"]) for r in records if r["kind"] == "heldout"]
    assert heldout == [("encoder", 2), ("encoder", 3), ("words", 2), ("words", 3), ("answers", 2), ("answers", 4)]
    assert all(is_score(score) for r in records if r["kind"] == "scores" for score in r["scores"])
    assert [stage.name for stage in stages_of(records)] == list(scores_of(records, [])) == list(STEPS)


def test_progress_goes_to_standard_error(small_recipe, tmp_path, capsys):
    train(make_recipe(small_recipe, stage("one")), tmp_path)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "stage one: 2 steps, answers" in captured.err
    assert "rule" in captured.err
    assert "tokens/s" in captured.err
    assert "left" in captured.err
    assert f"report: {tmp_path / 'report.html'}" in captured.err


# What moves, and how


def test_the_first_loss_is_the_mean_over_the_targets_of_all_rows(small_recipe, tmp_path):
    recipe = make_recipe(small_recipe, stage("one", tokens=480, rows=3))
    train(recipe, tmp_path)
    processor = Processor(recipe.model, Tokenizer.load(recipe.model.processing.tokenizer))
    mixture = Mixture(recipe.stages[0].mixture, split="train", seed=stage_seed(recipe, 0))
    settings = RowSettings(160, recipe.loader.lanes, recipe.loader.open_rows)
    batches = [row.batch for row in islice(load_rows(mixture, processor, settings), 3)]
    model = VLM(recipe.model)
    model.load_state_dict(fresh_weights(recipe))
    with torch.no_grad():
        expected = sum(model.loss(batch).item() for batch in batches) / sum(batch.targets for batch in batches)
    (record,) = [r for r in read_metrics(tmp_path / "metrics.jsonl") if r["kind"] == "train"]
    assert record["loss"] == pytest.approx(expected, rel=1e-6)
    assert record["tokens"] == sum(batch.input_ids.numel() for batch in batches)


def test_frozen_modules_do_not_change_by_a_bit(small_recipe, small_run):
    start = fresh_weights(load_checked_recipe(small_recipe))
    encoder, words, answers = (checkpoint_of(small_run, name) for name in STEPS)
    assert changed(start, encoder) == {"vision"}
    assert changed(encoder, words) == {"language"}
    assert changed(words, answers) == {"vision", "projector", "language"}
    assert {name.split(".")[1] for name in checkpoint_of(small_run, "encoder", "optimizer")} == {"vision", "heads"}


def test_a_modules_rate_is_scaled_by_its_rule(small_recipe, tmp_path):
    """The first step of Adam has the length of its rate, so half the rate is half the way; nobody else's changes."""

    def first_step(scale: float) -> dict[str, Tensor]:
        rules = [{"pattern": r"projector\..*", "lr_scale": scale}, {"pattern": ".*"}]
        optimizer = {"lr": 3e-3, "weight_decay": 0}
        recipe = make_recipe(small_recipe, stage("one", tokens=160, parameters=rules, optimizer=optimizer))
        start = fresh_weights(recipe)
        after = checkpoint_of(train(recipe, tmp_path / str(scale)), "one")
        return {name: after[name] - start[name] for name in start}

    whole, half = first_step(1.0), first_step(0.5)
    for name in whole:
        scale = 0.5 if name.startswith("projector.") else 1.0
        torch.testing.assert_close(half[name], whole[name] * scale, rtol=1e-3, atol=1e-7)
        assert whole[name].abs().max() > 1e-3 or name.endswith("bias")


@pytest.mark.parametrize("keep", [True, False])
def test_moments_are_carried_over_where_asked(small_recipe, tmp_path, keep):
    first = stage("one", parameters=[{"pattern": r"vision\..*", "frozen": True}, {"pattern": ".*"}])
    run = train(make_recipe(small_recipe, first, stage("two", tokens=480, keep_optimizer=keep)), tmp_path)
    steps = {k: int(v) for k, v in checkpoint_of(run, "two", "optimizer").items() if k.startswith("step.")}
    assert steps["step.language.embed.weight"] == (5 if keep else 3)
    assert {count for name, count in steps.items() if name.startswith("step.vision.")} == {3}


def test_the_carried_moments_are_those_of_the_stage_before(small_recipe, tmp_path):
    run = train(make_recipe(small_recipe, stage("one"), stage("two", tokens=160, keep_optimizer=True)), tmp_path)
    one, two = (checkpoint_of(run, name, "optimizer")["exp_avg_sq.language.embed.weight"] for name in ("one", "two"))
    assert one.max() > 0
    assert not torch.equal(one, two)
    assert (two >= one * 0.95 * 0.999).all(), "a second moment loses at most 5% in a step"


@pytest.mark.parametrize("workers", [0, 1])
def test_threads_and_workers_change_nothing_at_all(small_recipe, small_run, tmp_path, workers):
    stages = [stage(name, objective=o, tokens=640, rows=2) for name, o in (("one", "text"), ("two", "answers"))]
    runs = [
        train(make_recipe(small_recipe, *stages, overrides=changes), tmp_path / str(number))
        for number, changes in enumerate([["threads=1"], ["threads=2", f"loader.workers={workers}"]])
    ]
    finals = [load_file(run / "final" / "model.safetensors") for run in runs]
    assert not changed(*finals)


def test_a_small_set_is_learned_by_heart(small_recipe, tmp_path):
    for name in ("red", "blue"):
        Image.new("RGB", (56, 56), name).save(tmp_path / f"{name}.png")
    samples = [(["red.png"], "what?", "a red tile"), (["blue.png"], "what?", "a blue one"), ([], "who?", "nobody")]
    mixture = [{"source": "folder", "path": str(write_folder(tmp_path, samples))}]
    optimizer = {"lr": 1e-2, "warmup_steps": 5}
    recipe = make_recipe(small_recipe, stage("one", tokens=60 * 160, mixture=mixture, optimizer=optimizer))
    losses = [
        r["loss"] for r in read_metrics(train(recipe, tmp_path / "run") / "metrics.jsonl") if r["kind"] == "train"
    ]
    assert len(losses) == 60
    assert losses[0] > 3
    assert max(losses[-5:]) < 0.2


# What can't be used


def test_a_loss_that_is_no_number_stops_the_run_in_one_line(small_recipe, tmp_path):
    recipe = make_recipe(small_recipe, stage("one", tokens=1600, optimizer={"lr": 1e30}))
    with pytest.raises(
        VergenceError, match=r"stage one, step \d: the loss is .*; lower stages\.one\.optimizer\.lr"
    ) as e:
        train(recipe, tmp_path)
    assert e.value.exit_code == 1
    assert "\n" not in str(e.value)
    for record in read_metrics(tmp_path / "metrics.jsonl"):
        assert record["loss"] < float("inf")


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_files_are_skipped_counted_and_reported(small_recipe, tmp_path, bad_files, capsys, workers):
    folder = bad_files[0].parent
    Image.effect_noise((60, 60), 50).convert("RGB").save(folder / "good.png")
    samples = [([path.name], "what?", "bad") for path in bad_files] + [(["good.png"], "what?", "it")] * 20
    mixture = [{"source": "folder", "path": str(write_folder(folder, samples))}]
    stages = [stage("real", tokens=8 * 160, mixture=mixture), stage("drawn")]
    recipe = make_recipe(small_recipe, *stages, overrides=[f"loader.workers={workers}"])
    run = train(recipe, tmp_path / "run")
    log = capsys.readouterr().err

    processor = Processor(recipe.model, Tokenizer.load(recipe.model.processing.tokenizer))
    rows = load_rows(
        Mixture(recipe.stages[0].mixture, split="train", seed=stage_seed(recipe, 0)),
        processor,
        RowSettings(160, recipe.loader.lanes, recipe.loader.open_rows),
    )
    expected = Counter(reason for row in islice(rows, 8) for reason in row.skipped)
    assert {name.name for name in bad_files} == {n.name for n in bad_files if any(f"/{n.name}" in r for r in expected)}

    records = read_metrics(run / "metrics.jsonl")
    real, drawn = stages_of(records)
    assert real.skipped == dict(expected)
    assert drawn.skipped == {}, "each stage counts its own"
    assert [len(real.train), len(drawn.train)] == [8, 2]
    counts = [(r["global_step"], r["count"]) for r in records if r["kind"] == "skipped" and "empty.png" in r["reason"]]
    assert counts == sorted(counts), "the newest line holds the stage's total so far"
    report = (run / "report.html").read_text(encoding="utf-8")
    for path in bad_files:
        assert log.count(f"/{path.name}") == 1, "told once, however many epochs meet it"
        assert f"/{path.name}" in report
    assert f"{sum(expected.values())} samples skipped" in log


def test_a_sample_that_is_too_long_is_counted(small_recipe, tmp_path):
    samples = [([], "short", "it"), ([], "long " * 80, "it")]
    mixture = [{"source": "folder", "path": str(write_folder(tmp_path / "data", samples))}]
    run = train(make_recipe(small_recipe, stage("one", mixture=mixture)), tmp_path / "run")
    (only,) = stages_of(read_metrics(run / "metrics.jsonl"))
    ((reason, count),) = only.skipped.items()
    assert re.search(r"conversations\.jsonl:2: \d+ tokens, more than the 160 that fit; dropped whole", reason)
    assert count > 10, "one reason, however many epochs meet it"
    assert only.heldout == [], "a stage that reads a folder alone has no held-out loss"


def test_reasons_beyond_number_are_counted_together(small_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("vergence.training.position.SKIP_REASONS", 2)
    samples = [([f"{i}.png"], "what?", "it") for i in range(6)] + [([], "who?", "me")] * 6
    mixture = [{"source": "folder", "path": str(write_folder(tmp_path / "data", samples))}]
    run = train(make_recipe(small_recipe, stage("one", mixture=mixture)), tmp_path / "run")
    (only,) = stages_of(read_metrics(run / "metrics.jsonl"))
    assert len(only.skipped) == 3
    assert only.skipped["other reasons"] >= 4


@pytest.mark.parametrize("workers", [0, 1])
def test_a_folder_without_a_usable_sample_is_refused_in_one_line(small_recipe, tmp_path, monkeypatch, workers):
    monkeypatch.setattr("vergence.data.loader.MAX_SKIPPED", 10)
    mixture = [{"source": "folder", "path": str(write_folder(tmp_path / "data", [(["none.png"], "what?", "it")]))}]
    recipe = make_recipe(small_recipe, stage("one", mixture=mixture), overrides=[f"loader.workers={workers}"])
    with pytest.raises(DataError, match=r"^10 samples in a row are unusable; the last: .*none\.png.*$") as caught:
        train(recipe, tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_pairs_that_are_none_are_refused_in_one_line(small_recipe, tmp_path):
    mixture = [{"source": "folder", "path": str(write_folder(tmp_path / "data", [([], "what?", "it")]))}]
    recipe = make_recipe(small_recipe, stage("one", objective="contrastive", mixture=mixture))
    with pytest.raises(DataError, match="a contrastive stage needs exactly one image in every sample"):
        train(recipe, tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"parameters": [{"pattern": "visoin.*"}, {"pattern": ".*"}]}, UsageError, "stage last: a rule .* 'visoin"),
        ({"parameters": [{"pattern": r"heads\..*"}, {"pattern": ".*"}]}, UsageError, "stage last: a rule .* 'heads"),
        ({"parameters": [{"pattern": ".*", "frozen": True}]}, UsageError, "stage last: every parameter is frozen"),
        ({"mixture": [{"source": "folder", "path": "nowhere"}]}, DataError, "stage last: nowhere.*can't be read"),
    ],
)
def test_a_mistake_of_the_last_stage_is_found_before_the_first(small_recipe, tmp_path, changes, error, message):
    recipe = make_recipe(small_recipe, stage("one"), stage("last", **changes))
    with pytest.raises(error, match=message):
        Trainer(recipe, tmp_path / "run")
    train(make_recipe(small_recipe, stage("one")), tmp_path / "run")


def test_a_device_that_is_not_there_is_named(small_recipe, tmp_path):
    with pytest.raises(UsageError, match="device 'warp' is not available here"):
        Trainer(load_checked_recipe(small_recipe), tmp_path / "run", device="warp")
    assert not (tmp_path / "run").exists()
