"""The other families train: a mixture of experts keeps its experts busy, and pictures that are cut into tiles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from vergence.data.catalogue import KINDS
from vergence.data.loader import RowSettings, load_rows
from vergence.data.mixture import Mixture
from vergence.data.recipes import load_checked_recipe
from vergence.errors import UsageError
from vergence.evaluation.history import read_metrics
from vergence.models.vlm import VLM
from vergence.processing.processor import Processor
from vergence.processing.tokenizer import Tokenizer
from vergence.recipe import Recipe
from vergence.training.objective import stage_seed
from vergence.training.trainer import Trainer

STEPS = 20
RATE = 0.03
ROW = 256
KIMI, LLAVA = "kimi-vl-tiny", "llava-onevision-tiny"
EVERY_KIND = [{"source": kind, "turns": 2} for kind in KINDS]
FIGURES = {"expert_load_max", "experts_unused", "balance_loss"}


def stage(steps: int = STEPS, **changes: Any) -> dict[str, Any]:
    """A stage in which everything trains on answers about pictures of every kind, two rows a step."""
    plain = {"name": "one", "objective": "answers", "tokens": steps * 2 * ROW, "row_tokens": ROW, "rows": 2}
    return {**plain, "mixture": EVERY_KIND, "optimizer": {"lr": 3e-3, "warmup_steps": 2}, **changes}


def make_recipe(folder: Path, preset: str, *stages: dict[str, Any], overrides: Sequence[str] = ()) -> Recipe:
    quick = {"tasks": ["colour"], "samples": 1, "stage_samples": 0, "every_steps": 1000}
    plain = {"name": "family", "threads": 1, "model": {"preset": preset}, "stages": stages or [stage()]}
    path = folder / "family.yaml"
    path.write_text(json.dumps({**plain, "evaluation": quick, "loader": {"lanes": 2, "open_rows": 3}}), "utf-8")
    return load_checked_recipe(path, overrides)


def train(recipe: Recipe, run: Path) -> list[dict[str, Any]]:
    """Train; returns what was logged of each step."""
    Trainer(recipe, run).run()
    return [record for record in read_metrics(run / "metrics.jsonl") if record["kind"] == "train"]


def final(run: Path) -> dict[str, Tensor]:
    return load_file(run / "final" / "model.safetensors")


def biases(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name.endswith(".mlp.bias")}


@pytest.fixture(scope="module")
def kimi(tmp_path_factory) -> Path:
    """The run of a tiny Kimi-VL, with biases that move far enough in so few steps."""
    folder = tmp_path_factory.mktemp("kimi")
    train(make_recipe(folder, KIMI, overrides=[f"model.language.experts.bias_rate={RATE}"]), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def llava(tmp_path_factory) -> Path:
    """The run of a tiny LLaVA-OneVision."""
    folder = tmp_path_factory.mktemp("llava")
    train(make_recipe(folder, LLAVA), folder / "run")
    return folder / "run"


@pytest.mark.parametrize("run", ["kimi", "llava"])
def test_the_loss_falls(run, request):
    records = read_metrics(request.getfixturevalue(run) / "metrics.jsonl")
    losses = [record["loss"] for record in records if record["kind"] == "train"]
    assert len(losses) == STEPS
    assert losses[0] > 5.5, "an untrained model knows nothing of 400 tokens"
    assert max(losses[-3:]) < 0.75 * losses[0]


# A mixture of experts


def test_every_step_says_what_its_routers_did(kimi):
    records = [record for record in read_metrics(kimi / "metrics.jsonl") if record["kind"] == "train"]
    assert all(record.keys() >= FIGURES for record in records)
    for record in records:
        assert 1 <= record["expert_load_max"] <= 4, "of 8 experts with 2 active, one has four times the mean at most"
        assert record["balance_loss"] >= 0.9e-3 * 2, "two layers; 1 is the least where the loads are even"
        assert record["balance_loss"] < 0.05 * record["loss"]
    assert [record["experts_unused"] for record in records[-3:]] == [0] * 3, "every expert of both layers has tokens"
    worst = max(record["expert_load_max"] for record in records)
    assert worst > 3.5, "routers send everything to two experts as soon as they learn"
    assert max(record["expert_load_max"] for record in records[-3:]) < worst - 0.5, "and the biases undo it"


def test_every_expert_has_learned_and_the_biases_have_moved(kimi, tmp_path):
    recipe = make_recipe(tmp_path, KIMI)
    model = VLM(recipe.model)
    model.initialise(recipe.seed)
    start, end = model.state_dict(), final(kimi)
    for layer in (1, 2):
        for part in ("gate_up", "down"):
            name = f"language.layers.{layer}.mlp.experts.{part}"
            assert (start[name] != end[name]).flatten(1).any(dim=1).all(), f"{name}: some expert never learned"
    assert len(biases(end)) == 2
    for name, bias in biases(end).items():
        assert bias.any(), name
        assert bias.abs().max() <= 2 * RATE * STEPS
        assert bias.sum().abs() < 1e-5, "a step moves them against one another"


def test_biases_are_restored_to_the_bit(tmp_path, monkeypatch):
    recipe = make_recipe(tmp_path, KIMI, stage(5), overrides=["checkpoint.every_steps=2"])
    whole = train(recipe, tmp_path / "whole")

    def stop(trainer: Trainer, *_: Any) -> None:
        if trainer.position.step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_show", stop)
        with pytest.raises(KeyboardInterrupt):
            Trainer(recipe, tmp_path / "broken").run()
    kept = biases(load_file(tmp_path / "broken" / "checkpoints" / "00000002-one" / "model.safetensors"))
    again = Trainer(recipe, tmp_path / "broken")
    assert all(torch.equal(bias, again.model.state_dict()[name]) for name, bias in kept.items())
    assert all(bias.any() for bias in kept.values())
    records = train(recipe, tmp_path / "broken")
    clocks = {"seconds", "tokens_per_second"}
    assert [{k: v for k, v in record.items() if k not in clocks} for record in records] == [
        {k: v for k, v in record.items() if k not in clocks} for record in whole
    ]
    ends = [final(tmp_path / name) for name in ("whole", "broken")]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.parametrize("preset", [KIMI, LLAVA])
def test_threads_change_nothing_at_all(tmp_path, preset):
    runs = []
    for threads in (1, 2):
        folder = tmp_path / str(threads)
        folder.mkdir()
        recipe = make_recipe(folder, preset, stage(3), overrides=[f"threads={threads}"])
        figures = [[r[k] for k in ("loss", *sorted(FIGURES & r.keys()))] for r in train(recipe, folder / "run")]
        runs.append((figures, final(folder / "run")))
    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(runs[0][1][name], runs[1][1][name]) for name in runs[0][1])


@pytest.mark.parametrize("pattern", [r"language\..*", r".*\.router\.weight"])
def test_a_frozen_router_keeps_its_biases(tmp_path, pattern):
    rules = [{"pattern": pattern, "frozen": True}, {"pattern": ".*"}]
    records = train(make_recipe(tmp_path, KIMI, stage(2, parameters=rules)), tmp_path / "run")
    assert not any(bias.any() for bias in biases(final(tmp_path / "run")).values())
    assert records[-1].keys() >= FIGURES, "what it does is still told"


def test_a_contrastive_stage_of_a_mixture_routes_nothing(tmp_path):
    captions = [{"source": "shapes", "style": "caption"}]
    rules = [{"pattern": r"vision\..*|heads\..*"}, {"pattern": ".*", "frozen": True}]
    one = stage(2, objective="contrastive", mixture=captions, parameters=rules)
    records = train(make_recipe(tmp_path, KIMI, one), tmp_path / "run")
    assert not any(FIGURES & record.keys() for record in records)


# Pictures in tiles


def test_rows_hold_several_pictures_cut_into_tiles(tmp_path):
    recipe = make_recipe(tmp_path, LLAVA)
    processor = Processor(recipe.model, Tokenizer.load(recipe.model.processing.tokenizer))
    mixture = Mixture(recipe.stages[0].mixture, split="train", seed=stage_seed(recipe, 0))
    rows = [row.batch for row in islice(load_rows(mixture, processor, RowSettings(ROW, 2, 3)), 2 * STEPS)]
    layouts = [layout for batch in rows for layout in batch.layouts]
    assert any(layout.views > 1 and layout.newline == "rows" for layout in layouts), "tiles with newlines"
    assert any(layout.crop for layout in layouts), "tiles whose padding is cut off"
    pictures = [batch.segments.cu_seqlens.numel() - 1 for batch in rows]
    assert max(pictures) > 1, "packed"


def test_the_newline_learns(llava, tmp_path):
    moment = load_file(llava / "checkpoints" / f"{STEPS:08d}-one" / "optimizer.safetensors")
    assert (moment["exp_avg_sq.projector.newline"] > 0).all()
    rules = [{"pattern": r"projector\.newline"}, {"pattern": ".*", "frozen": True}]
    train(make_recipe(tmp_path, LLAVA, stage(1, parameters=rules)), tmp_path / "run")
    recipe = make_recipe(tmp_path, LLAVA)
    model = VLM(recipe.model)
    model.initialise(recipe.seed)
    start, end = model.state_dict(), final(tmp_path / "run")
    assert [name for name in end if not torch.equal(start[name], end[name])] == ["projector.newline"]


def test_a_contrastive_stage_on_tiles_is_refused_before_the_first(tmp_path):
    captions = [{"source": "shapes", "style": "caption"}]
    last = stage(1, name="last", objective="contrastive", mixture=captions)
    with pytest.raises(UsageError, match=r"stage last: a contrastive stage needs .* anyres .* text or answers"):
        Trainer(make_recipe(tmp_path, LLAVA, stage(1), last), tmp_path / "run")
