"""A task: questions with known answers, how they are put to a model, and how its answers are scored.

    task = PictureTask("box", seed=0, count=300)
    outputs = engine.generate([task.request(sample) for sample in task.samples()])
    estimate = task.aggregate([task.score(s, o) for s, o in zip(task.samples(), outputs)])

The *blind* score of a task is the score of the same questions about grey pictures (`blinded`): what the wording alone
gives away, and the bar that a model which uses its eyes has to clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

from PIL import Image

from vergence.config import nearest
from vergence.conversation import Conversation, user
from vergence.data import catalogue
from vergence.data.pictures import Box, Question, rng_for
from vergence.errors import DataError, UsageError
from vergence.evaluation.statistics import wilson
from vergence.inference.request import Output, Request
from vergence.inference.sampler import Sampling
from vergence.verifiers.places import box_hit, point_hit
from vergence.verifiers.text import exact

GREY = (128, 128, 128)
MOST_DRAWS_PER_SAMPLE = 100  # a task that fewer pictures ask about is a mistake in its kind


@dataclass(frozen=True, slots=True)
class Sample:
    """One question about one picture; `target` is the box that a place has to hit, for tasks that ask for a place."""

    name: str
    image: Image.Image
    question: str
    expected: str
    target: Box | None = None


class Estimate(NamedTuple):
    """A share of right answers with its Wilson 95% interval."""

    n: int
    accuracy: float
    low: float
    high: float


class Task(Protocol):
    """What the runner needs to know of a task; `real` means that nobody of this project drew its pictures' content."""

    name: str
    real: bool

    def samples(self) -> Sequence[Sample]:
        """The questions: always the same ones, in the same order."""
        ...

    def request(self, sample: Sample) -> Request:
        """What the engine is asked."""
        ...

    def score(self, sample: Sample, output: Output) -> float:
        """1 for a right answer, 0 for a wrong one."""
        ...

    def aggregate(self, scores: Sequence[float]) -> Estimate:
        """The task's result from its samples' scores."""
        ...


def blinded(sample: Sample) -> Sample:
    """The same question about a plain grey picture of the same size."""
    return replace(sample, image=Image.new("RGB", sample.image.size, GREY))


class PictureTask:
    """A task of `vergence.data.catalogue`, asked about pictures that no training split contains.

    The samples are the first `count` held-out pictures with a question of the task, one question each. Answers are
    greedy. Raises `UsageError` for an unknown task or a count below 1.
    """

    def __init__(self, name: str, seed: int, count: int) -> None:
        if name not in catalogue.TASKS:
            near = nearest(name, catalogue.TASKS)
            hint = f"; did you mean {near!r}?" if near else ""
            raise UsageError(f"{name!r} is not a task{hint} (there are: {', '.join(catalogue.TASKS)})")
        if count < 1:
            raise UsageError(f"the number of held-out samples must be at least 1, got {count}")
        self.name, self.seed, self.count = name, seed, count
        self.kind, self.real, self.metric = catalogue.TASKS[name]

    def samples(self) -> Sequence[Sample]:
        """The held-out questions, drawn once. Raises `DataError` where the kind hardly ever asks one."""
        return self._samples

    def request(self, sample: Sample) -> Request:
        """The picture, then the question, and greedy decoding that ends where no longer answer can be right."""
        conversation = Conversation((user(sample.image, sample.question),))
        return Request(conversation, Sampling(max_tokens=self._max_tokens), request_id=sample.name)

    def score(self, sample: Sample, output: Output) -> float:
        """1 for a right answer by the task's metric (see `vergence.verifiers`), else 0."""
        if self.metric == "exact":
            return float(exact(output.text, sample.expected))
        if sample.target is None:
            raise DataError(f"{sample.name}: a question with the metric {self.metric!r} has no target box")
        hit = box_hit if self.metric == "box" else point_hit
        return float(hit(output.text, sample.target, sample.image.size))

    def aggregate(self, scores: Sequence[float]) -> Estimate:
        """The share of right answers."""
        right, n = round(sum(scores)), len(scores)
        return Estimate(n, right / n if n else 0.0, *wilson(right, n))

    @cached_property
    def _samples(self) -> tuple[Sample, ...]:
        found: list[Sample] = []
        for index in range(self.count * MOST_DRAWS_PER_SAMPLE):
            picture = catalogue.draw(self.kind, "heldout", self.seed, index)
            questions = [question for question in picture.questions if question.task == self.name]
            if questions:
                rng = rng_for(self.seed, f"{self.kind}/evaluation/{self.name}", "heldout", index)
                found.append(self._sample(index, picture.image, rng.choice(questions)))
            if len(found) == self.count:
                return tuple(found)
        raise DataError(
            f"task {self.name}: only {len(found)} of {self.count * MOST_DRAWS_PER_SAMPLE} held-out {self.kind} "
            f"pictures have such a question, {self.count} are needed"
        )

    def _sample(self, index: int, image: Image.Image, question: Question) -> Sample:
        target = None if self.metric == "exact" else question.box
        return Sample(f"{self.name}-{index:05d}", image, question.prompt, question.answer, target)

    @cached_property
    def _max_tokens(self) -> int:
        """Room for the longest expected answer: a token is at least one byte of text, and one token ends the turn."""
        return 1 + max(len(sample.expected.encode()) for sample in self._samples)
