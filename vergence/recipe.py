"""A recipe: one YAML file with a model, a data mixture and named stages, validated as a whole.

recipe = load_recipe("recipes/tiny.yaml", ["stages.pretrain.optimizer.lr=1e-3"])

A recipe with the key `start` takes its model from a checkpoint's folder instead of a preset. Only its model.json is
read here; the weights are the trainer's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from vergence.config import ConfigError, Section, apply_overrides, merge, parse, read_yaml
from vergence.errors import DataError, UsageError
from vergence.model_config import ModelConfig
from vergence.presets import PRESETS


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


LARGEST_WEIGHT = 1e12
"""Of an entry: weights are added up and divided by, which must not end in infinity."""


def _valid_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


class MixtureEntry(Section):
    """One source of a mixture and how its pictures are turned into conversations."""

    source: SourceName = Field(description="a kind of data (see `vergence data list`) or `folder`")
    weight: float = Field(1.0, gt=0, description="share of the samples, relative to the other entries")
    style: Literal["caption", "question", "dialogue", "text"] = Field(
        "dialogue",
        description="the caption, one question, several questions about one picture, or the dialogue without a picture",
    )
    tasks: tuple[TaskName, ...] = Field((), description="only questions of these tasks; empty: all")
    turns: int = Field(4, ge=1, description="most questions in one dialogue")
    path: Path | None = Field(
        None, description="the folder of conversations or of shards, or the file of JSON lines, for source `folder`"
    )
    settings: dict[str, Any] = Field({}, description="settings of the kind (see `vergence data list KIND`)")
    take: str = Field(
        "all",
        pattern=r"^(all|(first|end|random):[1-9][0-9]*%?)$",
        description="what of a folder is taken: all, first:N, end:N or random:N, N a number or a percentage (10%)",
    )
    keep: tuple[Path, ...] = Field((), description="decisions of filters on the folder, which all must keep a sample")
    epochs: float | None = Field(None, gt=0, description="most passes over a folder; then others take its share")
    samples: int | None = Field(None, ge=1, description="most samples; then others take its share")
    schedule: tuple[tuple[int, float], ...] = Field(
        (), description="(sample number, factor of the weight) points, straight lines between them"
    )

    @model_validator(mode="after")
    def _folder_has_path(self) -> MixtureEntry:
        if (self.source == "folder") != (self.path is not None):
            raise ValueError("source `folder` needs a path, and only it takes one")
        if self.path is None and (self.epochs is not None or self.take != "all" or self.keep):
            raise ValueError("epochs, take and keep are of a `folder`; a kind has no end (samples caps it)")
        if self.path is not None and self.settings:
            raise ValueError("settings are of a kind, not of a `folder`")
        places = [place for place, _ in self.schedule]
        if sorted(set(places)) != places or any(factor < 0 for _, factor in self.schedule):
            raise ValueError("schedule: sample numbers must ascend, and factors must not be negative")
        if self.schedule and not any(factor for _, factor in self.schedule):
            raise ValueError("schedule: every factor is 0, so the entry would never be drawn")
        largest = self.weight * max((factor for _, factor in self.schedule), default=1.0)
        if max(self.weight, largest) > LARGEST_WEIGHT:
            raise ValueError(f"weight: {max(self.weight, largest):g} (with its schedule), more than {LARGEST_WEIGHT:g}")
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
    start: Path | None = Field(
        None, description="a checkpoint or run folder whose model is trained on; empty: a new one"
    )
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
    """Read, override, fill in the preset or the start's model, and validate; `ConfigError` has every problem.

    `names` lists the `sources` and `tasks` that exist, so that a misspelt one is found here. Raises `DataError` for a
    `start` that isn't a checkpoint with a model.
    """
    path = find_recipe(name)
    data = apply_overrides(read_yaml(path), overrides)
    start = read_start(Path(data["start"])) if isinstance(data.get("start"), str) else None
    data, problems = _fill_in_start(data, start) if start else _fill_in_preset(data)
    try:
        recipe = parse(Recipe, data, source=str(path), context=dict(names or {}))
    except ConfigError as error:
        raise ConfigError(str(path), [*problems, *error.problems]) from None
    if start:
        problems += _misfits(recipe.model, start)
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


# A start: the folder of a checkpoint

# What training may choose anew, since no weight depends on it. All else of a start's model stays as it is.
_FREE = re.compile(
    r"processing\.(?!tokenizer$).*|language\.(context|rope_theta|rope_scaling.*|experts\.(bias_rate|balance_loss))"
)
_OWN_FILES = {"tokenizer": "tokenizer.json", "template": "chat_template.jinja"}


@dataclass(frozen=True, slots=True)
class Start:
    """The checkpoint folder that a run starts from, and its model, whose `processing` has the paths of its files."""

    folder: Path
    model: ModelConfig


def read_start(path: Path) -> Start:
    """A checkpoint folder, or a run's `final/` or else its newest checkpoint. Raises `DataError`, in one line."""
    newest = sorted((path / "checkpoints").glob("[0-9]*"), reverse=True)
    folder = next((f for f in (path, path / "final", *newest) if (f / "model.json").is_file()), None)
    if folder is None and (path / "encoder.json").is_file():
        raise DataError(f"start: {path}: a vision encoder alone; `vergence build` joins it to a language model")
    if folder is None:
        raise DataError(
            f"start: {path}: neither a checkpoint nor a run with one (no model.json); "
            "`vergence convert import` makes a checkpoint of a public one"
        )
    file = folder / "model.json"
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        model = parse(ModelConfig, document if isinstance(document, dict) else {}, source=str(file))
    except (OSError, ValueError, RecursionError):
        raise DataError(f"start: {file}: not a JSON file") from None
    except ConfigError as error:
        raise DataError("start: " + "; ".join(str(error).split("\n"))) from None
    if not (folder / _OWN_FILES["tokenizer"]).is_file():
        raise DataError(f"start: {folder}: has no {_OWN_FILES['tokenizer']}")
    # Every checkpoint holds its tokenizer, whatever model.json calls it; a template only where it is the model's own.
    paths = {"tokenizer": str(folder / _OWN_FILES["tokenizer"])}
    if model.processing.template == _OWN_FILES["template"]:
        paths["template"] = str(folder / _OWN_FILES["template"])
    processing = model.processing.model_copy(update=paths)
    return Start(folder, model.model_copy(update={"processing": processing}))


def _fill_in_start(data: dict[str, Any], start: Start) -> tuple[dict[str, Any], list[str]]:
    """The recipe's own keys of `model` laid over the start's."""
    data = {**data, "start": str(start.folder)}
    own, model = start.model.model_dump(), data.get("model") or {}
    if not isinstance(model, dict):
        return data, []
    preset = model.get("preset", own["preset"])
    problems = []
    if preset != own["preset"]:
        problems.append(
            f"model.preset: {preset!r}, but {start.folder} holds {own['preset']!r}; leave it out (model=null)"
        )
    return {**data, "model": merge(own, {**model, "preset": own["preset"]})}, problems


def _misfits(model: ModelConfig, start: Start) -> list[str]:
    """The keys in which a recipe asks for another model than the start's weights are of."""
    return [
        f"model.{key}: {found!r:.60}, but the weights of {start.folder} are for {own!r:.60}; leave it out"
        for key, found, own in _differences(model.model_dump(), start.model.model_dump())
        if not _FREE.fullmatch(key)
    ]


def _differences(found: Any, own: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The dotted keys in which two sections differ, each with both values."""
    if isinstance(found, dict) and isinstance(own, dict):
        for key in found:
            yield from _differences(found[key], own[key], f"{path}.{key}".lstrip("."))
    elif found != own:
        yield path, found, own
