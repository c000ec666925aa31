"""The sections of a task that is declared in a YAML file. Each wrong key and value is named by `vergence.config`.

task: animals
data: {path: animals.jsonl}
fields: {id: id, question: question, media: [{column: picture}], choices: options, answer: answer}
metric: {name: choice}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from vergence.config import ConfigError, Section, parse, read_yaml
from vergence.evaluation.metrics.registry import METRICS, unknown_metric

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+_-]*$")]
PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w-]*)\}")
BUILT_IN = ("question", "options", "letters", "coordinates")
"""What a prompt may name besides the columns of `fields.placeholders`; `coordinates` says how to write places."""


class DataSection(Section):
    """Where the rows are and which of them count.

    `path` is a file or folder of one's own, relative to the YAML file; `files` are patterns in the folder given by
    `--data`, the first that matches is read, and `{config}` in one is the name of a part; `hub` is a dataset id.
    `records` leads to the rows inside a JSON file; `explode` names parallel list columns, whose entries become rows.
    `transform` names rows that have to be made (`vergence.evaluation.tasks.transforms`).
    `keep` are the values that a column must have one of, `below` are bounds that a number must stay under.
    """

    path: Path | None = None
    files: list[str] = []
    hub: str | None = None
    configs: list[str] = []
    split: str | None = None
    revision: str | None = None
    media: str = ""
    records: str = ""
    explode: list[str] = []
    transform: Literal["da2k"] | None = None
    keep: dict[str, list[str]] = {}
    below: dict[str, float] = {}

    @model_validator(mode="after")
    def _somewhere(self) -> DataSection:
        if self.path is None and not self.files and not self.hub:
            raise ValueError("expected path, files or hub: a task needs data")
        return self


class MediaSection(Section):
    """A column that holds pictures or a video; see `vergence.evaluation.tasks.media_cells`.

    `path` are patterns below the data folder, `{}` in them is the cell. `start` and `end` are columns with seconds that
    cut a video. `fps` is the rate of a video that is given as a folder or list of frames.
    """

    column: str
    kind: Literal["image", "video", "frames"] = "image"
    path: list[str] = []
    start: str | None = None
    end: str | None = None
    fps: float = Field(default=1.0, gt=0)
    optional: bool = False

    @field_validator("path", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class FieldsSection(Section):
    """Which columns hold what. `a | b` takes the first of several names that a row has.

    `id` may be a template of columns ("{video}-{number}"); without it rows are numbered. `choices` is one column with a
    list, or a list of columns, of which the empty ones don't count; `fixed_choices` are the same texts for every row;
    with `choices_in_question` they are, where no column has any, the question's lines that begin with "A.", "(B)", ...;
    `not_choices` are texts that stand for no choice.
    `answer` is a column or, where a metric needs several values, a mapping of its names to columns; `answer_as` says
    how the right one of the choices is written. `tags` are columns to group scores by, `cluster` is a column, "media"
    (rows about the same medium) or "none". `placeholders` are further columns that prompts may name.
    """

    id: str = ""
    question: str = ""
    media: list[MediaSection] = []
    choices: str | list[str] = []
    fixed_choices: list[str] = []
    choices_in_question: bool = False
    not_choices: list[str] = []
    answer: str | dict[str, str] = "answer"
    answer_as: Literal["letter", "index", "number", "text", "value"] = "letter"
    tags: dict[str, str] = {}
    cluster: str = "media"
    placeholders: dict[Name, str] = {}

    @model_validator(mode="after")
    def _one_source_of_choices(self) -> FieldsSection:
        if self.fixed_choices and (self.choices or self.choices_in_question):
            raise ValueError("fixed_choices excludes choices and choices_in_question")
        return self


class OptionsSection(Section):
    """How choices are written (`{letter}` and `{text}`) and in which order.

    "circular" asks every question once for each rotation of its choices, all of which must be right (MMBench's
    CircularEval); "shuffled" draws one order from the seed.
    """

    format: str = "{letter}. {text}"
    separator: str = "\n"
    order: Literal["published", "circular", "shuffled"] = "published"

    @field_validator("format")
    @classmethod
    def _has_text(cls, value: str) -> str:
        unknown = set(PLACEHOLDER.findall(value)) - {"letter", "text"}
        if unknown or "{text}" not in value:
            raise ValueError("expected a template with {text} and perhaps {letter}")
        return value


class PromptSection(Section):
    """The wording. A line whose placeholders are all empty is left out.

    `direct` is for a model that answers at once, `thinking` for one that thinks first; `direct_open` and
    `thinking_open` are for rows without choices where these need another wording. `variant` is a placeholder whose
    value chooses among `variants` (and `thinking_variants`) instead, where one has that name. `media` says where
    pictures without a mark ("<image>", "<image 2>") stand.
    """

    direct: str
    variant: str | None = None
    variants: dict[str, str] = {}
    thinking_variants: dict[str, str] = {}
    thinking: str | None = None
    direct_open: str | None = None
    thinking_open: str | None = None
    system: str | None = None
    thinking_system: str | None = None
    media: Literal["first", "last"] = "first"
    max_tokens: int = Field(default=64, ge=1)
    thinking_max_tokens: int = Field(default=16384, ge=1)

    def templates(self) -> dict[str, str]:
        """Every wording that is there, by its key."""
        keys = ("direct", "thinking", "direct_open", "thinking_open")
        plain = {key: text for key in keys if (text := getattr(self, key)) is not None}
        chosen = {f"variants.{name}": text for name, text in self.variants.items()}
        return plain | chosen | {f"thinking_variants.{name}": text for name, text in self.thinking_variants.items()}


class LikelihoodSection(Section):
    """What `--method likelihood` ranks: the choices' texts without showing them, or their letters below the options."""

    candidates: Literal["text", "letter"] = "text"
    prompt: str | None = None
    template: Literal["chat", "plain"] = "chat"
    end: bool = False
    reduction: Literal["sum", "mean", "character", "byte", "pmi"] = "mean"
    unconditional: str = "Answer:"


class FramesSection(Section):
    """Which frames of a video are looked at; "model" leaves it to the model. See `vergence.evaluation.tasks.frames`."""

    rule: Literal["model", "ends", "inner", "centres", "rate"] = "model"
    count: int = Field(default=32, ge=1)
    fps: float = Field(default=1.0, gt=0)


class MetricSection(Section):
    """The metric's name and its own parameters, which are checked by the metric."""

    name: str
    parameters: dict[str, Any] = {}


class ReportSection(Section):
    """What is reported: a score for each value of the tags in `groups`, and the headline.

    With `average` "macro" the headline is the mean of the scores of the groups of the tag `over`. For each tag in
    `together` the share of its values is reported all of whose questions are right.
    """

    groups: list[str] = []
    together: list[str] = []
    average: Literal["micro", "macro"] = "micro"
    over: str | None = None

    @model_validator(mode="after")
    def _macro_over_something(self) -> ReportSection:
        if (self.average == "macro") != (self.over is not None):
            raise ValueError("average: macro needs over: TAG, and over needs average: macro")
        return self


class Declaration(Section):
    """A task, all of it. `line` is its one-line description, `source` where its rules are from, `note` what to know."""

    task: Name
    version: int = Field(default=1, ge=1)
    line: str = ""
    source: str = ""
    note: str = ""
    suites: list[Name] = []
    data: DataSection
    fields: FieldsSection
    prompt: PromptSection
    options: OptionsSection = OptionsSection()
    likelihood: LikelihoodSection = LikelihoodSection()
    frames: FramesSection = FramesSection()
    metric: MetricSection
    report: ReportSection = ReportSection()

    @model_validator(mode="after")
    def _consistent(self) -> Declaration:
        known = {*BUILT_IN, *self.fields.placeholders}
        for key, text in self.prompt.templates().items():
            if unknown := [name for name in PLACEHOLDER.findall(text) if name not in known]:
                raise ValueError(f"prompt.{key}: {{{unknown[0]}}} is neither built in nor in fields.placeholders")
        if self.prompt.variant is not None and self.prompt.variant not in self.fields.placeholders:
            raise ValueError(f"prompt.variant: {self.prompt.variant!r} is not in fields.placeholders")
        for name in [*self.report.groups, *self.report.together, *filter(None, [self.report.over])]:
            if name not in self.fields.tags:
                raise ValueError(
                    f"report: {name!r} is not one of fields.tags ({', '.join(self.fields.tags) or 'none'})"
                )
        if self.frames.rule == "model" and any(one.start or one.end for one in self.fields.media):
            raise ValueError("frames.rule: a video that is cut by start or end needs a rule other than model")
        return self


def read_declaration(path: Path) -> Declaration:
    """The task that a YAML file declares. Raises `ConfigError` that names each wrong key, also of the metric's own."""
    return parse_declaration(read_yaml(path), str(path))


def parse_declaration(data: Mapping[str, Any], source: str) -> Declaration:
    """As `read_declaration`, from data that was read already; `source` is what errors name."""
    declaration = parse(Declaration, data, source=source)
    if declaration.metric.name not in METRICS:
        raise ConfigError(source, [f"metric.name: {unknown_metric(declaration.metric.name)}"])
    try:
        parse(METRICS[declaration.metric.name].parameters, declaration.metric.parameters, source=source)
    except ConfigError as error:
        raise ConfigError(source, [f"metric.parameters.{problem}" for problem in error.problems]) from None
    return declaration
