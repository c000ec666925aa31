"""The held-out picture tasks, and the same questions about grey pictures.

    task = PictureTask("box", seed=0, count=300)
    prompts = [task.prompt(sample) for sample in task.samples()]

The *blind* score of a task is the score of the same questions about grey pictures (`Blind`): what the wording alone
gives away, and the bar that a model which uses its eyes has to clear.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from vergence.config import nearest
from vergence.conversation import Conversation, Frames, ImagePart, MediaPart, VideoPart, user
from vergence.data import catalogue
from vergence.data.pictures import Question, rng_for
from vergence.errors import DataError, UsageError
from vergence.evaluation.metrics.metric import mean_of
from vergence.evaluation.task import Answer, Measure, Prompt, Record, Sample, Task, Verdict
from vergence.inference.sampler import Sampling
from vergence.processing.coordinates import parse_boxes, parse_points
from vergence.processing.media import image_size
from vergence.verifiers.places import box_hit, point_hit
from vergence.verifiers.text import exact

SEED = 1_000_003
"""Of the held-out pictures: far from the seeds of training, though the split keeps them apart as well."""
GREY = (128, 128, 128)
MOST_DRAWS_PER_SAMPLE = 100  # a task that fewer pictures ask about is a mistake in its kind


class PictureTask:
    """A task of `vergence.data.catalogue`, asked about pictures that no training split contains.

    The samples are the first `count` held-out pictures with a question of the task, one question each. Answers are
    greedy. A sample's reference is the right text, or the box (in pixels) that a place has to hit. Raises `UsageError`
    for an unknown task or a count below 1.
    """

    version = 1

    def __init__(self, name: str, seed: int, count: int) -> None:
        if name not in catalogue.TASKS:
            near = nearest(name, catalogue.TASKS)
            hint = f"; did you mean {near!r}?" if near else ""
            raise UsageError(f"{name!r} is not a task{hint} (there are: {', '.join(catalogue.TASKS)})")
        if count < 1:
            raise UsageError(f"the number of held-out samples must be at least 1, got {count}")
        self.name, self.seed, self.count = name, seed, count
        self.kind, self.real, self.metric = catalogue.TASKS[name]

    def definition(self) -> Mapping[str, Any]:
        """What decides the score: the pictures' kind, their seed, the metric, and how places are written.

        How many are asked doesn't count, since a longer list begins with the shorter one. Nor does the token limit
        that follows from it: an answer that it cuts off is longer than any right one.
        """
        return {
            "kind": self.kind,
            "split": "heldout",
            "seed": self.seed,
            "metric": self.metric,
            "coordinates": None if self.metric == "exact" else "seed: 0..999 of width and height",
            "prompt": "the picture, then the question",
            "max_tokens": "room for the longest right answer",
        }

    def samples(self) -> Sequence[Sample]:
        """The held-out questions, drawn once. Raises `DataError` where the kind hardly ever asks one."""
        return self._samples

    def prompt(self, sample: Sample) -> Prompt:
        """The picture, then the question, and greedy decoding that ends where no longer answer can be right."""
        conversation = Conversation((user(*sample.media, sample.question),))
        return Prompt(conversation, Sampling(max_tokens=self._max_tokens), id=sample.id)

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        """1 for a right answer by the task's metric (`vergence.verifiers`), else 0; what names no place is invalid."""
        if self.metric == "exact":
            right = exact(answer.text, sample.reference)
            return Verdict({"accuracy": float(right)}, answer.text, valid=bool(answer.text.strip()))
        (part,) = sample.media
        assert isinstance(part, ImagePart), "a picture task shows pictures"
        size = image_size(part.image)
        hit, parse = (box_hit, parse_boxes) if self.metric == "box" else (point_hit, parse_points)
        places = parse(answer.text, *size)
        extracted = list(places[0]) if places else None
        right = hit(answer.text, sample.reference, size)
        return Verdict({"accuracy": float(right)}, extracted, valid=bool(places))

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """The share of right answers, with its Wilson 95% interval, that of clusters where questions were repeated."""
        return [mean_of(records, "accuracy")]

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
        tags: dict[str, Any] = {"expected": question.answer, "made_of": "real" if self.real else "rendered"}
        reference: Any = question.answer
        if self.metric != "exact":
            if question.box is None:
                raise DataError(f"{self.name}: a question with the metric {self.metric!r} has no target box")
            reference = list(map(float, question.box))
            tags["place"] = self.metric
        return Sample(f"{self.name}-{index:05d}", question.prompt, (ImagePart(image),), reference, tags=tags)

    @cached_property
    def _max_tokens(self) -> int:
        """Room for the longest expected answer: a token is at least one byte of text, and one token ends the turn."""
        return 1 + max(len(sample.tags["expected"].encode()) for sample in self._samples)


class Blind:
    """The same task about plain grey pictures of the same sizes; its name has ":blind" behind it.

    A sample with a medium whose size can't be read keeps it, and can't be asked.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.name, self.version = f"{task.name}:blind", task.version
        self._broken: dict[str, str] = {}

    @property
    def problems(self) -> list[str]:
        """What the task left out of its data."""
        return list(getattr(self.task, "problems", []))

    @property
    def scoring_threads(self) -> int:
        """The task's own."""
        return int(getattr(self.task, "scoring_threads", 1))

    def stop(self) -> None:
        """Don't wait for judges any longer, where the task has any."""
        if (stop := getattr(self.task, "stop", None)) is not None:
            stop()

    def definition(self) -> Mapping[str, Any]:
        """The task's own, and that its pictures are grey."""
        return {**self.task.definition(), "blind": list(GREY)}

    def samples(self) -> Sequence[Sample]:
        """The task's own samples with grey media."""
        return self._samples

    def prompt(self, sample: Sample) -> Prompt:
        """The task's own. Raises `DataError` for a medium whose size can't be read."""
        if sample.id in self._broken:
            raise DataError(self._broken[sample.id])
        return self.task.prompt(sample)

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        """The task's own."""
        return self.task.score(sample, answer)

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """The task's own."""
        return self.task.aggregate(records)

    @cached_property
    def _samples(self) -> tuple[Sample, ...]:
        return tuple(map(self._grey, self.task.samples()))

    def _grey(self, sample: Sample) -> Sample:
        try:
            return replace(sample, media=tuple(map(grey, sample.media)))
        except DataError as error:
            self._broken[sample.id] = str(error)
            return sample


def grey(part: MediaPart) -> MediaPart:
    """A grey picture of the same size, or a video of as many grey frames. Raises `DataError` for a video's file."""
    if isinstance(part, ImagePart):
        return ImagePart(_grey_picture(part.image))
    if isinstance(part.video, Frames):
        return VideoPart(Frames(tuple(map(_grey_picture, part.video.images)), part.video.seconds))
    raise DataError("a blind score of a video needs its frames")


def _grey_picture(source: Path | bytes | Image.Image) -> bytes | Image.Image:
    """A decoded picture for a decoded one; for a file a file, since a benchmark's pictures decoded need much memory."""
    size = image_size(source)
    return Image.new("RGB", size, GREY) if isinstance(source, Image.Image) else _grey_png(size)


@cache
def _grey_png(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, GREY).save(file, "PNG")
    return file.getvalue()
