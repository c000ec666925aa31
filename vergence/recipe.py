"""A recipe: one YAML file with a model, a data mixture and named stages, validated as a whole.

recipe = load_recipe("recipes/tiny.yaml", ["stages.pretrain.optimizer.lr=1e-3"])
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from vergence.config import ConfigError, Section, apply_overrides, merge, parse, read_yaml
from vergence.errors import UsageError
from vergence.presets import PRESETS, ModelConfig


def _known(what: str) -> AfterValidator:
    """A name that must be among `context[what]`, where the caller of `load_recipe` supplied such names."""

    def check(value: str, info: ValidationInfo) -> str:
        names = sorted((info.context or {}).get(what, ()))
        if names and value not in names:
            near = get_close_matches(value, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{value!r} is not a known {what[:-1]}{hint} (there are: {', '.join(names)})")
        return value

    return AfterValidator(check)


SourceName = Annotated[str, _known("sources")]
TaskName = Annotated[str, _known("tasks")]


def _valid_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


class MixtureEntry(Section):
    """One source of a mixture and how its pictures are turned into conversations."""

    source: SourceName = Field(description="a kind of picture (see `vergence data list`) or `folder`")
    weight: float = Field(1.0, gt=0, description="share of the samples, relative to the other entries")
    style: Literal["caption", "question", "dialogue", "text"] = Field(
        "dialogue",
        description="the caption, one question, several questions about one picture, or the dialogue without a picture",
    )
    tasks: tuple[TaskName, ...] = Field((), description="only questions of these tasks; empty: all")
    turns: int = Field(4, ge=1, description="most questions in one dialogue")
    path: Path | None = Field(None, description="the data folder, for source `folder`")

    @model_validator(mode="after")
    def _folder_has_path(self) -> MixtureEntry:
        if (self.source == "folder") != (self.path is not None):
            raise ValueError("source `folder` needs a path, and only it takes one")
        return self


class ParameterRule(Section):
    """What happens to the parameters whose full name matches; the first matching rule of the list decides."""

    pattern: Annotated[str, AfterValidator(_valid_pattern)] = Field(description="regular expression on the full name")
    frozen: bool = False
    lr_scale: float = Field(1.0, gt=0, description="this module's learning rate relative to the stage's")


class OptimizerConfig(Section):
    """AdamW with decoupled weight decay (none on norms and biases), linear warm-up, then the schedule."""

    lr: float = Field(gt=0)
    final_lr: float = Field(0.0, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_steps: int = Field(0, ge=0)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.95)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.1, ge=0)
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")


class StageConfig(Section):
    """One stage of training: an objective, a mixture, what trains, and for how long."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    objective: Literal["contrastive", "text", "answers"] = Field(
        description="contrastive: encoder with SigLIP and SuperClass; text: next token on all text; answers: on answers"
    )
    losses: tuple[Literal["siglip", "superclass"], ...] = Field(
        ("siglip", "superclass"), min_length=1, description="the losses of a contrastive stage"
    )
    mixture: tuple[MixtureEntry, ...] = Field(min_length=1)
    tokens: int = Field(ge=1, description="length of the stage in tokens")
    row_tokens: int = Field(2048, ge=16, description="length of a packed row")
    rows: int = Field(1, ge=1, description="packed rows in one optimizer step (gradient accumulation)")
    parameters: tuple[ParameterRule, ...] = Field((ParameterRule(pattern=".*"),), min_length=1)
    optimizer: OptimizerConfig
    keep_optimizer: bool = Field(False, description="carry the optimizer's state over from the stage before")

    @property
    def steps(self) -> int:
        """Optimizer steps of the stage."""
        return math.ceil(self.tokens / (self.row_tokens * self.rows))


class LoaderConfig(Section):
    """How samples are produced. The order of samples depends on `lanes`, never on `workers` or ranks."""

    lanes: int = Field(8, ge=1, description="independent packers; ranks x workers must divide it")
    workers: int = Field(0, ge=0, description="processes per rank that draw samples; 0: in the training process")
    open_rows: int = Field(8, ge=1, description="rows that a lane fills at a time")


class EvaluationConfig(Section):
    """What is measured: after each stage with few samples, at the end with many."""

    tasks: tuple[TaskName, ...] = ()
    samples: int = Field(300, ge=1, description="held-out samples per task at the end")
    stage_samples: int = Field(60, ge=0, description="held-out samples per task after each stage; 0: none")
    every_steps: int = Field(100, ge=1, description="steps between two measurements of the held-out loss")
    loss_rows: int = Field(1, ge=0, description="held-out rows in such a measurement; 0: none")
    batch: int = Field(64, ge=1, description="requests that are answered together")


class CheckpointConfig(Section):
    """When checkpoints are written, and how many stay."""

    every_steps: int = Field(200, ge=1)
    keep: int = Field(2, ge=1, description="newest checkpoints that stay, besides each stage's last")


class Recipe(Section):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    seed: int = Field(0, ge=0)
    threads: int | None = Field(None, ge=1, description="CPU threads; empty: every core this process may use")
    model: ModelConfig
    stages: tuple[StageConfig, ...] = Field(min_length=1)
    evaluation: EvaluationConfig = EvaluationConfig()
    loader: LoaderConfig = LoaderConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()

    @model_validator(mode="after")
    def _stages_fit(self) -> Recipe:
        names = [stage.name for stage in self.stages]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"stage names must differ; repeated: {', '.join(repeated)}")
        return self


def find_recipe(name: str | Path) -> Path:
    """A recipe's file: the path itself, or a shipped recipe by its name (`tiny`, `tiny.yaml`, `recipes/tiny.yaml`)."""
    path = Path(name)
    if path.is_file():
        return path
    folder = Path(str(resources.files("vergence.recipes")))
    shipped = sorted(entry.stem for entry in folder.glob("*.yaml"))
    if path.suffix in ("", ".yaml") and path.stem in shipped and path.parent in (Path(), Path("recipes")):
        return folder / f"{path.stem}.yaml"
    raise UsageError(f"{name}: no such recipe file; shipped recipes: {', '.join(shipped)}")


def load_recipe(
    name: str | Path, overrides: Sequence[str] = (), *, names: Mapping[str, Sequence[str]] | None = None
) -> Recipe:
    """Read, override, fill in the preset and validate; every problem is reported in one `ConfigError`.

    `names` lists the `sources` and `tasks` that exist, so that a misspelt one is found here.
    """
    path = find_recipe(name)
    data = apply_overrides(read_yaml(path), overrides)
    data, problems = _fill_in_preset(data)
    try:
        recipe = parse(Recipe, data, source=str(path), context=dict(names or {}))
    except ConfigError as error:
        raise ConfigError(str(path), [*problems, *error.problems]) from None
    if problems:
        raise ConfigError(str(path), problems)
    return recipe


def _fill_in_preset(data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Replace `model` by its preset with the recipe's own keys merged over it; problems instead of an exception."""
    model = data.get("model")
    if not isinstance(model, dict):
        return data, []
    preset = model.get("preset", "custom")
    if preset == "custom":
        return data, []
    if preset not in PRESETS:
        near = get_close_matches(str(preset), PRESETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        problem = f"model.preset: {preset!r} is not a preset{hint} (there are: {', '.join(PRESETS)})"
        # The rest of the file is still checked, against the smallest preset's geometry.
        return {**data, "model": merge(PRESETS["seed-tiny"].model_dump(), model)}, [problem]
    return {**data, "model": merge(PRESETS[preset].model_dump(), model)}, []
