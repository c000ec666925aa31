"""Recipes: a preset filled in and overridden, and every mistake of a file reported in one go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from vergence.config import ConfigError, dump_yaml, merge
from vergence.data.catalogue import KINDS, TASKS
from vergence.errors import DataError, UsageError
from vergence.presets import PRESETS
from vergence.recipe import _OWN_FILES, find_recipe, load_recipe

NAMES = {"sources": [*KINDS, "folder"], "tasks": list(TASKS)}
TINY = """
name: small
seed: 3
model:
  preset: seed-tiny
  language: {depth: 2}
stages:
- name: pretrain
  objective: text
  tokens: 10_001
  row_tokens: 1000
  rows: 2
  mixture:
  - {source: shapes, weight: 2}
  - {source: digits, tasks: [digit]}
  parameters:
  - {pattern: 'vision\\..*', frozen: true}
  - {pattern: '.*'}
  optimizer: {lr: 1e-3, warmup_steps: 2}
- name: tune
  objective: answers
  tokens: 500
  mixture: [{source: emoji, style: question}]
  optimizer: {lr: 0.0005, schedule: constant}
"""


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


def changed(path: Path, old: str, new: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, overrides, names=NAMES)
    assert caught.value.exit_code == 2
    return caught.value.problems


def test_a_recipe_is_its_preset_with_its_own_keys_over_it(path):
    recipe = load_recipe(path, names=NAMES)
    preset = PRESETS["seed-tiny"]
    assert recipe.model.preset == "seed-tiny"
    assert recipe.model.vision == preset.vision
    assert recipe.model.processing == preset.processing
    assert recipe.model.language == preset.language.model_copy(update={"depth": 2})
    assert [stage.name for stage in recipe.stages] == ["pretrain", "tune"]
    assert recipe.stages[0].optimizer.lr == 1e-3
    assert recipe.stages[0].steps == 6, "10,001 tokens in steps of 2,000, rounded up"
    assert recipe.stages[1].parameters[0].pattern == ".*"


def test_overrides_reach_the_preset_and_the_stages(path):
    overrides = ["stages.pretrain.optimizer.lr=1e-4", "model.vision.depth=1", "stages.1.tokens=700", "seed=9"]
    recipe = load_recipe(path, overrides, names=NAMES)
    assert recipe.stages[0].optimizer.lr == 1e-4
    assert recipe.model.vision.depth == 1
    assert recipe.model.vision.width == PRESETS["seed-tiny"].vision.width
    assert recipe.stages[1].tokens == 700
    assert recipe.seed == 9


def test_a_preset_given_by_an_override_is_filled_in(path):
    changed(path, "preset: seed-tiny\n  language: {depth: 2}", "preset: seed1.5-vl")
    assert load_recipe(path).model == PRESETS["seed1.5-vl"]
    recipe = load_recipe(path, ["model.preset=seed-tiny"])
    assert recipe.model == PRESETS["seed-tiny"]


def test_three_mistakes_are_reported_in_one_go(path):
    changed(path, "seed: 3", "sead: 3")
    changed(path, "lr: 1e-3", "lr: fast")
    changed(path, "tasks: [digit]", "tasks: [digt]")
    found = problems(path)
    assert len(found) == 3
    by_path = {line.split(":")[0]: line for line in found}
    assert "unknown key" in by_path["sead"]
    assert "did you mean" in by_path["sead"]
    assert "seed" in by_path["sead"]
    rate = by_path["stages.pretrain.optimizer.lr"]
    assert '"fast"' in rate
    assert "a number, greater than 0" in rate
    (task,) = [line for name, line in by_path.items() if name.startswith("stages.pretrain.mixture")]
    assert "'digt' is not a known task; did you mean 'digit'?" in task


def test_a_misspelt_source_is_named_only_where_the_names_are_known(path):
    changed(path, "source: shapes", "source: shape")
    (line,) = problems(path)
    assert "stages.pretrain.mixture" in line
    assert "'shape' is not a known source; did you mean 'shapes'?" in line
    assert load_recipe(path).stages[0].mixture[0].source == "shape"


def test_a_misspelt_preset_is_reported_with_the_other_mistakes(path):
    changed(path, "preset: seed-tiny", "preset: seed-tny")
    changed(path, "objective: text", "objective: texts")
    changed(path, "depth: 2", "depht: 2")
    found = problems(path)
    assert len(found) == 3
    assert "model.preset: 'seed-tny' is not a preset; did you mean 'seed-tiny'? (there are: " in found[0]
    assert any("stages.pretrain.objective" in line and '"text"' in line for line in found)
    assert any("model.language.depht: unknown key" in line for line in found)
    changed(path, "depht: 2", "depth: 2")
    changed(path, "objective: texts", "objective: text")
    assert len(problems(path)) == 1


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("name: tune", "name: pretrain", "stage names must differ; repeated: pretrain"),
        ("name: tune", "name: Tune it", "stages.Tune it.name"),
        ("tokens: 500", "tokens: 0", "at least 1"),
        ("schedule: constant", "schedule: linear", '"cosine"'),
        ("pattern: '.*'", "pattern: '(.*'", "not a regular expression"),
        ("source: emoji", "source: folder", "source `folder` needs a path"),
        ("source: emoji", "source: emoji, path: x", "only it takes one"),
        ("source: emoji, style: question", "source: emoji, weight: -1", "greater than 0"),
        ("depth: 2", "heads: 5", "width 128 must be a multiple of heads 5"),
        ("depth: 2", "heads: 128, kv_heads: 2", "must give an even head size"),
        ("depth: 2", "kv_heads: 3", "must be a multiple of kv_heads"),
        ("depth: 2}", "depth: 2}\n  processing: {min_pixels: 90000, max_pixels: 8000}", "must not exceed"),
        ("depth: 2}", "depth: 2}\n  processing: {min_pixels: 1, max_pixels: 700}", "must be at least 784"),
    ],
)
def test_a_wrong_value_is_explained(path, old, new, complaint):
    changed(path, old, new)
    (line,) = problems(path)
    assert complaint in line


def test_a_recipe_without_a_preset_spells_its_model_out(path, tmp_path):
    data = yaml.safe_load(TINY)
    data["model"] = PRESETS["seed-tiny"].model_dump(mode="json", exclude={"preset"})
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(data), encoding="utf-8")
    assert load_recipe(own).model == PRESETS["seed-tiny"].model_copy(update={"preset": "custom"})
    changed(path, "  preset: seed-tiny\n  language: {depth: 2}", "  language: {depth: 2}")
    found = problems(path)
    assert any(line.startswith("model.language.width: missing") for line in found)


def test_find_recipe(path, tmp_path, monkeypatch):
    assert find_recipe(path) == path
    assert find_recipe(str(path)) == path
    with pytest.raises(UsageError, match=r"nowhere: no such recipe file; shipped recipes:"):
        find_recipe("nowhere")
    with pytest.raises(UsageError, match="no such recipe file"):
        find_recipe(tmp_path)


def test_shipped_recipes_are_found_by_name_but_an_own_file_wins(tmp_path, monkeypatch):
    from vergence import recipe

    shipped, work = tmp_path / "shipped", tmp_path / "work"
    shipped.mkdir()
    work.mkdir()
    (shipped / "small.yaml").write_text(TINY, encoding="utf-8")
    monkeypatch.setattr(recipe.resources, "files", lambda package: shipped)
    monkeypatch.chdir(work)
    for name in ("small", "small.yaml", "recipes/small.yaml", Path("recipes/small")):
        assert find_recipe(name) == shipped / "small.yaml"
    for name in ("other/small.yaml", "small.json", "../small"):
        with pytest.raises(UsageError, match="shipped recipes: small"):
            find_recipe(name)
    (work / "small.yaml").write_text(TINY, encoding="utf-8")
    assert find_recipe("small.yaml") == Path("small.yaml")


def test_every_shipped_recipe_is_valid():
    from importlib import resources

    folder = Path(str(resources.files("vergence.recipes")))
    for path in sorted(folder.glob("*.yaml")):
        assert load_recipe(path, names=NAMES).stages


# A recipe that starts from a checkpoint


def make_start(folder: Path, preset: str = "kimi-vl-tiny", **changes: Any) -> Path:
    """A checkpoint folder with all that a recipe reads of it: the configuration, and that there is a tokenizer."""
    folder.mkdir(parents=True)
    document = merge(PRESETS[preset].model_dump(mode="json"), changes)
    (folder / "model.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    return folder


@pytest.fixture
def bare(path) -> Path:
    """The recipe without a model."""
    return changed(path, "model:\n  preset: seed-tiny\n  language: {depth: 2}\n", "")


def test_the_model_is_that_of_the_start(bare, tmp_path):
    assert any(line.startswith("model: missing") for line in problems(bare)), "needed where nothing is started from"
    own = {"tokenizer": "tokenizer.json", "template": "chat_template.jinja"}
    start = make_start(tmp_path / "start", language={"depth": 2}, processing=own)
    recipe = load_recipe(bare, [f"start={start}"], names=NAMES)
    assert recipe.start == start
    assert recipe.model.preset == "kimi-vl-tiny"
    assert recipe.model.language.depth == 2
    assert recipe.model.processing.tokenizer == str(start / "tokenizer.json")
    assert recipe.model.processing.template == str(start / "chat_template.jinja")
    stored = tmp_path / "recipe.yaml"
    stored.write_text(dump_yaml(recipe), encoding="utf-8")
    assert load_recipe(stored) == recipe


def test_a_shipped_template_stays_and_the_tokenizer_is_always_the_starts(bare, tmp_path):
    start = make_start(tmp_path / "start")
    rule = load_recipe(bare, [f"start={start}"]).model.processing
    assert (rule.tokenizer, rule.template) == (str(start / "tokenizer.json"), "seed")


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (["."], "."),
        (["final", "checkpoints/00000009-one"], "final"),
        (["checkpoints/00000009-one", "checkpoints/00000010-two", "checkpoints/.partial-00000011-two"], "10-two"),
    ],
)
def test_a_run_starts_from_a_runs_end_or_its_newest_checkpoint(bare, tmp_path, there, found):
    for name in there:
        make_start(tmp_path / "run" / name)
    start = load_recipe(bare, [f"start={tmp_path / 'run'}"]).start
    assert start == tmp_path / "run" if found == "." else str(start).endswith(found)


def test_what_no_weight_depends_on_may_change(bare, tmp_path):
    start = make_start(tmp_path / "start")
    overrides = [
        "model.processing.max_patches=16",
        "model.language.context=512",
        "model.language.rope_theta=8e5",
        "model.language.experts.bias_rate=0",
    ]
    model = load_recipe(bare, [f"start={start}", *overrides]).model
    assert (model.processing.max_patches, model.language.context, model.language.rope_theta) == (16, 512, 8e5)
    assert model.language.experts == PRESETS["kimi-vl-tiny"].language.experts.model_copy(update={"bias_rate": 0.0})
    assert model.vision == PRESETS["kimi-vl-tiny"].vision


def test_a_change_of_shape_is_refused_by_key(bare, tmp_path):
    start = make_start(tmp_path / "start")
    overrides = [f"start={start}", "model.vision.width=128", "model.language.experts.count=4", "model.language.depth=3"]
    found = problems(bare, *overrides)
    for_these = f"but the weights of {start} are for"
    assert found == [
        f"model.vision.width: 128, {for_these} 64; leave it out",
        f"model.language.experts.count: 4, {for_these} 8; leave it out",
    ]
    (line,) = problems(bare, f"start={start}", "model.language.latent=null")
    assert line.startswith("model.language.latent: None, but the weights")
    (line,) = problems(bare, f"start={start}", "model.processing.tokenizer=tiny")
    assert line.startswith("model.processing.tokenizer: 'tiny', but the weights")
    assert len(problems(bare, f"start={start}", "model.vision.widht=1", "seed=-1")) == 2


def test_another_preset_than_the_starts_is_refused(path, tmp_path):
    start = make_start(tmp_path / "start")
    (line,) = problems(changed(path, "\n  language: {depth: 2}", ""), f"start={start}")
    assert line == f"model.preset: 'seed-tiny', but {start} holds 'kimi-vl-tiny'; leave it out (model=null)"
    assert load_recipe(path, [f"start={start}", "model=null"]).model.preset == "kimi-vl-tiny"
    assert load_recipe(path, [f"start={make_start(tmp_path / 'same', 'seed-tiny')}"], names=NAMES).model.vision


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            None,
            r"start: .*start: neither a checkpoint nor a run with one \(no model\.json\); `vergence convert import`",
        ),
        ("{", r"start: .*model\.json: not a JSON file"),
        ("[" * 100_000, r"start: .*model\.json: not a JSON file"),
        ("[]", r"start: .*model\.json: language: missing"),
        ('{"language": {"width": 1}, "x": 1}', r"start: .*model\.json: \d+ problems; .*x: unknown key"),
    ],
)
def test_a_start_that_is_no_checkpoint_is_refused_in_one_line(bare, tmp_path, content, message):
    start = tmp_path / "start"
    if content is not None:
        make_start(start)
        (start / "model.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        load_recipe(bare, [f"start={start}"])
    assert "\n" not in str(caught.value)


def test_a_start_without_a_model_or_a_tokenizer_is_refused(bare, tmp_path):
    start = make_start(tmp_path / "start")
    (start / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"has no tokenizer\.json"):
        load_recipe(bare, [f"start={start}"])
    (start / "model.json").rename(start / "encoder.json")
    with pytest.raises(DataError, match="a vision encoder alone; `vergence build` joins it"):
        load_recipe(bare, [f"start={start}"])


def test_a_checkpoints_own_files_have_the_names_that_recipes_expect():
    from vergence.models.checkpoint import OWN_FILES

    assert _OWN_FILES == OWN_FILES


@pytest.mark.parametrize(
    ("weight", "problem"),
    [
        ("weight: .inf", 'stages.pretrain.mixture.0.weight: found ".inf", expected a number, greater than 0'),
        ("weight: nan", 'stages.pretrain.mixture.0.weight: found "nan", expected a number, greater than 0'),
        ("weight: 1e300", "stages.pretrain.mixture.0: weight: 1e+300 (with its schedule), more than 1e+12"),
        (
            "weight: 1e9, schedule: [[0, 1e9]]",
            "stages.pretrain.mixture.0: weight: 1e+18 (with its schedule), more than 1e+12",
        ),
        ("weight: 1, schedule: [[0, inf]]", 'stages.pretrain.mixture.0.schedule.0.1: found "inf", expected a number'),
    ],
)
def test_weights_that_no_share_follows_from_are_named(path, weight, problem):
    assert problems(changed(path, "weight: 2", weight)) == [problem]
