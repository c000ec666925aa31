"""A task that a YAML file declares: its data, its wording, its metric, put into the types of an evaluation.

    task = DeclaredTask(read_declaration(path), TaskOptions(data=folder), folder=path.parent)

```
declaration + data ─▶ rows ─▶ samples (one for each order of the choices) ─▶ prompt ─▶ answer ─▶ verdict ─▶ measures
                        └▶ problems: rows left out, by reason, with their count
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vergence.config import nearest, parse
from vergence.conversation import Conversation, Frames, MediaPart, Message, TextPart, VideoPart
from vergence.errors import DataError, UsageError
from vergence.evaluation.judge import Judge
from vergence.evaluation.metrics.groups import mean_measure
from vergence.evaluation.metrics.metric import right_or_wrong, verdicts
from vergence.evaluation.metrics.ranking import ranking_scores
from vergence.evaluation.metrics.registry import METRICS
from vergence.evaluation.task import (
    LETTERS,
    Answer,
    Candidates,
    Measure,
    Model,
    Prompt,
    Record,
    Sample,
    TaskOptions,
    Verdict,
    ranked,
)
from vergence.evaluation.tasks.data_source import Source, locate
from vergence.evaluation.tasks.declaration import Declaration, LikelihoodSection
from vergence.evaluation.tasks.frames import cut
from vergence.evaluation.tasks.loading import Asked, Loaded, load
from vergence.evaluation.tasks.media_cells import missing
from vergence.evaluation.tasks.prompts import fill, place_media, write_options
from vergence.evaluation.tasks.summary import summarise
from vergence.inference.sampler import Sampling

METHODS = ("generate", "likelihood")
PRESETS: dict[str, tuple[str, str]] = {
    **{kind: ("candidates", kind) for kind in ("text", "letter")},
    **{way: ("reduction", way) for way in ("sum", "mean", "character", "byte", "pmi")},
    **{unit: ("coordinates", unit) for unit in ("thousand", "pixels", "unit", "percent")},
}
"""What `--preset` may say of a declared task, joined by commas: what a likelihood ranks, how places are written."""
COORDINATES = {
    "thousand": "whole numbers from 0 to 999, relative to the image's width and height",
    "pixels": "pixels of the image",
    "unit": "numbers from 0 to 1, relative to the image's width and height",
    "percent": "numbers from 0 to 100, relative to the image's width and height",
}
"""The placeholder {coordinates}."""
JUDGED_AT_ONCE = 8
"""Answers for which a judge is asked at the same time."""


class DeclaredTask:
    """A task by its declaration.

    `folder` is where the YAML file of one's own task lies, None for a shipped one; `judge` is the model that judges
    free-form answers, its replies go to the file `judge_cache`. Raises `UsageError` for an unknown method or preset;
    data are looked for only when samples are asked for.
    """

    def __init__(
        self,
        declaration: Declaration,
        options: TaskOptions,
        folder: Path | None = None,
        *,
        judge: Model | None = None,
        judge_cache: Path | None = None,
    ) -> None:
        self.declaration, self.options = declaration, options
        self.name, self.version = declaration.task, declaration.version
        self.metric = METRICS[declaration.metric.name]
        self.method = options.method or "generate"
        if self.method not in METHODS:
            raise UsageError(f"task {self.name}: method {self.method!r}, expected one of {', '.join(METHODS)}")
        wishes = read_preset(options.preset, self.name)
        parameters = dict(declaration.metric.parameters)
        if unit := wishes.pop("coordinates", None):
            if "coordinates" not in self.metric.parameters.model_fields:
                raise UsageError(f"task {self.name}: preset {unit!r} is for tasks of places")
            parameters["coordinates"] = unit
        self.parameters: Any = parse(self.metric.parameters, parameters, source=self.name)
        self.order = declaration.options.order
        self.likelihood: LikelihoodSection = declaration.likelihood.model_copy(update=wishes)
        if wishes and self.method != "likelihood":
            raise UsageError(f"task {self.name}: preset {options.preset!r} is for --method likelihood")
        self._folder, self._judge, self._judge_cache = folder, judge, judge_cache

    @property
    def problems(self) -> list[str]:
        """What was left out of the data and why, one line a reason."""
        return self._loaded.problems.lines()

    @property
    def scoring_threads(self) -> int:
        """How many answers are scored at the same time: several where scoring waits for a judge."""
        return JUDGED_AT_ONCE if self.metric.judged_score is not None and self.method == "generate" else 1

    def stop(self) -> None:
        """Don't wait for judges any longer."""
        for judge in self._judges.values():
            judge.stop()

    def definition(self) -> Mapping[str, Any]:
        """All that decides the score. Raises as `samples` does where the data aren't there."""
        whole = self.declaration
        fields = whole.fields.model_dump(mode="json")
        thinking = bool(self.options.thinking)
        ranks = self.method == "likelihood"
        return {
            "data": self._source.identity(),
            "rows": whole.data.model_dump(mode="json", include={"records", "explode", "transform", "keep", "below"}),
            "fields": fields,
            "method": self.method,
            "likelihood": self.likelihood.model_dump(mode="json") if ranks else None,
            "prompt": {
                "wording": whole.prompt.templates(),
                "variant": whole.prompt.variant,
                "system": self._system(thinking),
                "media": whole.prompt.media,
                "thinking": self.options.thinking,
                "max_tokens": self._max_tokens(thinking),
            },
            "options": {**whole.options.model_dump(mode="json"), "order": self.order},
            "seed": self.options.seed if self.order == "shuffled" else None,
            "frames": whole.frames.model_dump(mode="json") if self._has_video() else None,
            "metric": {"name": self.metric.name, **self.parameters.model_dump(mode="json")},
            "average": [whole.report.average, whole.report.over],
            "judge": {name: judge.definition() for name, judge in self._judges.items()} or None,
        }

    def samples(self) -> Sequence[Sample]:
        """The questions.

        Raises `DataNotFoundError` where the data aren't there, `DataError` where no row is usable or a judge is needed.
        """
        found = [question.sample for question in self._loaded.questions.values()]
        if self.metric.judged_score is not None:
            self._judges.get("")  # a missing judge is told before anything is asked
        return found

    def prompt(self, sample: Sample) -> Prompt:
        """The wording for this row, media at their marks. Raises `DataError` for a missing file or a broken video."""
        question = self._loaded.questions[sample.id]
        thinking = bool(self.options.thinking)
        media = [self._medium(part, bounds) for part, bounds in zip(sample.media, question.cuts, strict=True)]
        values = {**question.placeholders, "question": sample.question, **self._written_options(sample)}
        template = self._template(not sample.choices, thinking, question.placeholders)
        candidates = None
        if self.method == "likelihood":
            template, candidates = self._ranking(sample, template)
        text = fill(template, values)
        try:
            parts = place_media(text, media, self.declaration.prompt.media)
        except ValueError as error:
            raise DataError(f"{sample.id}: {error}") from None
        system = self._system(thinking)
        turns = [Message("system", (TextPart(system),))] if system else []
        conversation = Conversation((*turns, Message("user", tuple(parts))))
        sampling = Sampling(max_tokens=self._max_tokens(thinking))
        return Prompt(conversation, sampling, candidates, self.options.thinking, sample.id)

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        """The metric's verdict on the text, or whether the likeliest candidate is the right one."""
        if not answer.candidates:
            if self.metric.judged_score is not None:
                return self.metric.judged_score(self._judges, sample, answer.text, self.parameters)
            return self.metric.score(sample, answer.text, self.parameters)
        best, tie = ranked(answer.candidates, self.likelihood.reduction)
        others = ranking_scores(sample, answer.candidates)
        return replace(right_or_wrong(best == sample.reference, LETTERS[best], others), tie=tie)

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """The headline, the metric's other figures, the share of invalid answers, then those of each group."""
        return summarise(records, self.declaration.report, self._of_metric, circular=self.order == "circular")

    def _of_metric(self, records: Sequence[Record]) -> list[Measure]:
        if self.method == "likelihood":
            ties = [float(verdict.tie) for _, verdict in verdicts(records)]
            return [*replace(self.metric, aggregate=None).measures(records, None), mean_measure("ties", ties)]
        return self.metric.measures(records, self.parameters)

    def _template(self, open_question: bool, thinking: bool, placeholders: Mapping[str, str]) -> str:
        prompt = self.declaration.prompt
        if prompt.variant is not None:
            name = placeholders[prompt.variant]
            wordings = {**prompt.variants, **prompt.thinking_variants} if thinking else prompt.variants
            if name in wordings:
                return wordings[name]
        closed = prompt.thinking if thinking and prompt.thinking is not None else prompt.direct
        if not open_question:
            return closed
        wish = prompt.thinking_open if thinking else prompt.direct_open
        return closed if wish is None else wish

    def _system(self, thinking: bool) -> str | None:
        prompt = self.declaration.prompt
        return prompt.thinking_system if thinking and prompt.thinking_system is not None else prompt.system

    def _max_tokens(self, thinking: bool) -> int:
        prompt = self.declaration.prompt
        return prompt.thinking_max_tokens if thinking else prompt.max_tokens

    def _ranking(self, sample: Sample, template: str) -> tuple[str, Candidates]:
        """The wording and the candidates of a likelihood: texts are ranked without the options being shown."""
        rule = self.likelihood
        letters = rule.candidates == "letter"
        texts = tuple(LETTERS[: len(sample.choices)]) if letters else sample.choices
        wording = rule.prompt or (template if letters else "{question}")
        return wording, Candidates(texts, rule.template, rule.end, rule.reduction, rule.unconditional)

    def _written_options(self, sample: Sample) -> dict[str, str]:
        section = self.declaration.options
        written = write_options(sample.choices, section.format, section.separator)
        unit = getattr(self.parameters, "coordinates", None)
        places = {"coordinates": COORDINATES[unit] if unit else ""}
        return {"options": written, "letters": ", ".join(LETTERS[: len(sample.choices)]), **places}

    def _medium(self, part: MediaPart, bounds: tuple[float | None, float | None]) -> MediaPart:
        """The part as it is shown: a video as its chosen frames, unless the model chooses them."""
        if (path := missing(part)) is not None:
            raise DataError(f"{path}: no such file")
        rule = self.declaration.frames
        if not isinstance(part, VideoPart) or isinstance(part.video, Frames) or rule.rule == "model":
            return part
        return cut(part.video, rule.rule, rule.count, rule.fps, *bounds)

    def _has_video(self) -> bool:
        return any(section.kind != "image" for section in self.declaration.fields.media)

    @cached_property
    def _judges(self) -> dict[str, Judge]:
        """The metric's judges. Raises `DataError` where it needs one and none was named."""
        if self.metric.judged_score is None or self.method == "likelihood":
            return {}
        if self._judge is None:
            raise DataError(f"task {self.name}: its answers are judged by a model, name one with --judge URL#NAME")
        asked = self.parameters
        sampling = Sampling(temperature=asked.temperature, max_tokens=asked.max_tokens)
        return {
            name: Judge(
                self._judge, rule.template, rule.parse, passes=asked.passes, sampling=sampling, cache=self._judge_cache
            )
            for name, rule in self.metric.judges.items()
        }

    @cached_property
    def _source(self) -> Source:
        return locate(self.declaration.data, self.name, self.options.data, self._folder)

    @cached_property
    def _loaded(self) -> Loaded:
        found = load(self.declaration, self._source, self.metric, self.parameters, self._asked)
        if not found.questions:
            reasons = found.problems.lines() or ["there is none"]
            raise DataError(f"task {self.name}: no usable row in {self._source}: {'; '.join(reasons[:3])}")
        return found

    @property
    def _asked(self) -> Asked:
        return Asked(self.order, self.options.seed, ranked=self.method == "likelihood")


def read_preset(preset: str | None, task: str) -> dict[str, str]:
    """The wishes of a preset such as "circular" or "letter,sum". Raises `UsageError` for unknown or repeated ones."""
    wishes: dict[str, str] = {}
    for word in filter(None, (preset or "").replace("+", ",").split(",")):
        if word not in PRESETS:
            near = nearest(word, PRESETS)
            hint = f"; did you mean {near!r}?" if near else ""
            raise UsageError(f"task {task}: preset {word!r}, expected {', '.join(PRESETS)}{hint}")
        key, value = PRESETS[word]
        if key in wishes:
            raise UsageError(f"task {task}: preset {preset!r} names two kinds of {key}")
        wishes[key] = value
    return wishes
