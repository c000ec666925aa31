"""The held-out picture tasks put to an engine in one go: what training measures of its model.

evaluation = evaluate(engine, ["digit", "box"], samples=300, seed=0)
print(table(evaluation.scores))

`vergence eval` goes through `vergence.evaluation.runner` instead, which keeps every answer and can be stopped.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vergence.conversation import ImagePart
from vergence.evaluation.examples import Example
from vergence.evaluation.models.engine_model import EngineModel, Generates
from vergence.evaluation.scores import Score
from vergence.evaluation.task import Record, Task
from vergence.evaluation.tasks.pictures import Blind, PictureTask
from vergence.processing.coordinates import parse_boxes, parse_points
from vergence.processing.media import decode_image


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One score for each task, in the order asked for, and the kept examples of all tasks."""

    scores: list[Score]
    examples: list[Example]


def evaluate(
    engine: Generates,
    tasks: Sequence[str],
    *,
    samples: int,
    seed: int,
    blind: bool = True,
    examples: int = 0,
    progress: Callable[[Score], None] | None = None,
) -> Evaluation:
    """Ask `samples` held-out questions of each task, and with `blind` the same ones again about grey pictures.

    The questions depend on `seed` and their number alone. `examples` answers of each task are kept for the gallery;
    `progress` is called after each task. Raises `UsageError` for an unknown task before anything is asked, and
    `DataError` where the engine can't answer: held-out samples are the project's own, so that none may be left out.
    """
    model = EngineModel(engine, strict=True)
    scores: list[Score] = []
    kept: list[Example] = []
    for task in [PictureTask(name, seed, samples) for name in dict.fromkeys(tasks)]:
        seen, *unseen = ask(model, [task, Blind(task)] if blind else [task])
        score = score_of(task, seen, *unseen)
        scores.append(score)
        records = [seen[i] for i in choose_examples([_value(record) for record in seen], examples)]
        kept += [_example(task.name, record) for record in records]
        if progress:
            progress(score)
    return Evaluation(scores, kept)


def ask(model: EngineModel, tasks: Sequence[Task]) -> list[list[Record]]:
    """Each task's records; all prompts go to the model at once, which batches them."""
    samples = [(task, sample) for task in tasks for sample in task.samples()]
    answers = dict(model.answer([task.prompt(sample) for task, sample in samples]))
    records: list[list[Record]] = [[] for _ in tasks]
    for index, (task, sample) in enumerate(samples):
        records[tasks.index(task)].append(Record(sample, answers[index], task.score(sample, answers[index])))
    return records


def score_of(task: PictureTask, seen: Sequence[Record], unseen: Sequence[Record] | None = None) -> Score:
    """A task's accuracy from its records, beside the blind score from those of the grey pictures."""
    [measure] = task.aggregate(seen)
    score = (task.name, task.real, measure.n, measure.value or 0.0, measure.low or 0.0, measure.high or 0.0)
    if unseen is None:
        return Score(*score)
    [blind] = task.aggregate(unseen)
    return Score(*score, blind.value, blind.low, blind.high)


def choose_examples(scores: Sequence[float], count: int) -> list[int]:
    """Which answers to show: the first right and the first wrong ones, half each where there are enough of both.

    The indices come in the samples' order. They show what right and wrong look like, not how often either happens.
    """
    right = [index for index, score in enumerate(scores) if score == 1]
    wrong = [index for index, score in enumerate(scores) if score != 1]
    few_wrong = min(len(wrong), max(count // 2, count - len(right)))
    return sorted([*right[: count - few_wrong], *wrong[:few_wrong]])


def _value(record: Record) -> float:
    assert record.verdict, "a strict model has no errors"
    return record.verdict.scores["accuracy"]


def _example(task: str, record: Record) -> Example:
    sample, text = record.sample, record.answer.text
    (part,) = sample.media
    assert isinstance(part, ImagePart), "a picture task shows pictures"
    image = decode_image(part.image)
    png = io.BytesIO()
    image.save(png, "PNG")
    return Example(
        task=task,
        name=sample.id,
        question=sample.question,
        expected=sample.tags["expected"],
        answer=text,
        right=_value(record) == 1,
        size=image.size,
        target=tuple(sample.reference) if "place" in sample.tags else None,
        boxes=tuple(tuple(box) for box in parse_boxes(text, *image.size)),
        points=tuple(tuple(point) for point in parse_points(text, *image.size)),
        png=png.getvalue(),
    )
