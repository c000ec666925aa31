"""The types of an evaluation: a task's samples, what a model is asked and answers, and what the answers are worth.

```
Task.samples() ─▶ Sample ─▶ Task.prompt ─▶ Prompt ─▶ Model.answer ─▶ Answer ─▶ Task.score ─▶ Verdict
                                                                          Record = all of it, one line of a file
                                     [Record, ...] ─▶ Task.aggregate ─▶ [Measure, ...]
```

A task knows its data, its wording and its metric; a model knows how to answer. Neither knows the other, nor the runner
(`vergence.evaluation.run`), which asks, keeps every record, and goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from vergence.conversation import Conversation, MediaPart
from vergence.inference.likelihood import CandidateScore, Reduction
from vergence.inference.sampler import Sampling

__all__ = [
    "Answer",
    "CandidateScore",
    "Candidates",
    "Measure",
    "Model",
    "Prompt",
    "Record",
    "Reduction",
    "Sample",
    "Task",
    "TaskOptions",
    "Verdict",
    "fingerprint",
    "ranked",
]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Sample:
    """One question of a task.

    `id` is unique in the task and stays the same for ever; `media` stand in reading order, undecoded. Of a question
    with options, `choices` are their texts and `reference` is the index of the right one; otherwise `reference` is any
    JSON value that the task's metric understands, None where it isn't known. `tags` are JSON values to group scores by
    ("dimension", "capability", ...); the tag "cluster" names what several questions share (an image, a video), so that
    standard errors can respect it.
    """

    id: str
    question: str
    media: tuple[MediaPart, ...] = ()
    reference: Any = None
    choices: tuple[str, ...] = ()
    tags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Answers to be ranked by their likelihood instead of one to be generated.

    `template` "chat" puts a candidate where the assistant's answer would stand, "plain" right behind the message's text
    without any chat template. With `end` the token that ends an answer is scored too. `reduction` decides the score
    that ranks; the others are measured as well. `unconditional` is the prompt of the PMI's second term.
    """

    texts: tuple[str, ...]
    template: Literal["chat", "plain"] = "chat"
    end: bool = False
    reduction: Reduction = "mean"
    unconditional: str = "Answer:"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked: to go on with a conversation, or, with `candidates`, to rank ways of going on.

    `thinking` switches a thought before the answer on or off where a model has such a switch.
    """

    conversation: Conversation
    sampling: Sampling = field(default_factory=Sampling)
    candidates: Candidates | None = None
    thinking: bool | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said.

    `text` without its `thought`; `candidates` in the order asked, where there were any. `finish_reason` "length" means
    that the answer was cut off, "error" that there is none and `error` says why: such a sample is never scored. Token
    counts are None where a model doesn't tell them. `image` is a picture that the model answered with.
    """

    text: str = ""
    thought: str | None = None
    candidates: tuple[CandidateScore, ...] = ()
    finish_reason: Literal["stop", "length", "error"] = "stop"
    prompt_tokens: int | None = None
    image_tokens: int | None = None
    answer_tokens: int | None = None
    thought_tokens: int | None = None
    error: str | None = None
    image: Path | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is worth.

    `scores` by metric, the main one first; `extracted` is what was read from the answer (a letter, a box, a number);
    `valid` is False where nothing could be read, which is counted and shown and never guessed. `compat` are the scores
    that other harnesses give the same answer, by their names. `tie` says that several candidates were equally likely.
    """

    scores: Mapping[str, float]
    extracted: Any = None
    valid: bool = True
    compat: Mapping[str, float] = field(default_factory=dict)
    tie: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A sample, its answer and its verdict: one line of a task's file of samples. `verdict` is None after an error."""

    sample: Sample
    answer: Answer
    verdict: Verdict | None
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a task's result.

    `group` is "" for the whole task, or "key=value" for the samples with that tag. `value` is None where nothing was
    evaluated, which is not the same as 0. `low` and `high` are a 95% interval, `stderr` a standard error, where known.
    """

    metric: str
    value: float | None
    n: int
    group: str = ""
    low: float | None = None
    high: float | None = None
    stderr: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """What the command line may ask of any task; each takes what concerns it and refuses what it can't do.

    `lengths`, `depths` and the `tokenizer` (a checkpoint or a tokenizer.json) that lengths are counted by are for
    needles in haystacks; other tasks of the same run leave them aside.
    """

    data: Path | None = None
    method: str | None = None
    preset: str | None = None
    thinking: bool | None = None
    seed: int = 0
    lengths: tuple[int, ...] = ()
    depths: tuple[float, ...] = ()
    tokenizer: Path | None = None


class Task(Protocol):
    """Questions, their wording and their metric."""

    name: str
    version: int

    def definition(self) -> Mapping[str, Any]:
        """All that decides the score, as JSON: wording, metric, frames, coordinates, resize, judge, the data's hash."""
        ...

    def samples(self) -> Sequence[Sample]:
        """The questions, always the same ones in the same order. Raises `DataError` where the data can't be used."""
        ...

    def prompt(self, sample: Sample) -> Prompt:
        """What a model is asked. Raises `DataError` for media that can't be used; the run goes on without them."""
        ...

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        """What an answer (without error) is worth."""
        ...

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """The task's result, the headline first; records with errors have no verdict."""
        ...


class Model(Protocol):
    """Anything that answers.

    Prompts are given `batch` at a time. `independent` says that an answer doesn't depend, to the last bit, on the
    prompts beside it; where it does, an interrupted batch is asked again as a whole.
    """

    name: str
    batch: int
    independent: bool

    def description(self) -> Mapping[str, Any]:
        """What identifies the model, as JSON: kind, path or address, weights' hash, numeric type."""
        ...

    def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
        """Each prompt's index and answer, in any order, as soon as it is there. A prompt that fails gets an error."""
        ...


def fingerprint(task: Task) -> str:
    """Sixteen hex digits that change with anything that decides a task's score."""
    whole = {"name": task.name, "version": task.version, **task.definition()}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def ranked(candidates: Sequence[CandidateScore], reduction: Reduction) -> tuple[int, bool]:
    """The index of the likeliest candidate and whether others are exactly as likely; of these the first is taken.

    The first of equals is what the official SEED-Bench code's argmin over losses gives.
    """
    scores = [candidate.reduced(reduction) for candidate in candidates]
    best = max(scores)
    return scores.index(best), scores.count(best) > 1
