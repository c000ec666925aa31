"""Put tasks to an engine: accuracy beside the blind score for each, and a few answers to look at.

evaluation = evaluate(engine, ["digit", "box"], samples=300, seed=0)
print(table(evaluation.scores))
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vergence.evaluation.examples import Example
from vergence.evaluation.scores import Score
from vergence.evaluation.tasks.pictures import PictureTask, Sample, Task, blinded
from vergence.inference.request import Output, Request
from vergence.processing.coordinates import parse_boxes, parse_points


class Answers(Protocol):
    """What an evaluation needs of `vergence.inference.engine.Engine`."""

    def generate(self, requests: Sequence[Request], /) -> list[Output]:
        """Answer all requests, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One score for each task, in the order asked for, and the kept examples of all tasks."""

    scores: list[Score]
    examples: list[Example]


def evaluate(
    engine: Answers,
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
    scores: list[Score] = []
    kept: list[Example] = []
    for task in [PictureTask(name, seed, samples) for name in dict.fromkeys(tasks)]:
        score, some = run_task(engine, task, blind=blind, examples=examples)
        scores.append(score)
        kept += some
        if progress:
            progress(score)
    return Evaluation(scores, kept)


def run_task(engine: Answers, task: Task, *, blind: bool = True, examples: int = 0) -> tuple[Score, list[Example]]:
    """One task's score and `examples` of its answers. All its requests go to the engine at once, which batches them."""
    seen = task.samples()
    unseen = [blinded(sample) for sample in seen] if blind else []
    outputs = engine.generate([task.request(sample) for sample in [*seen, *unseen]])
    results = [task.score(sample, output) for sample, output in zip([*seen, *unseen], outputs, strict=True)]
    estimate = task.aggregate(results[: len(seen)])
    score = Score(task.name, task.real, *estimate)
    if blind:
        _, *guessed = task.aggregate(results[len(seen) :])
        score = Score(task.name, task.real, *estimate, *guessed)
    kept = choose_examples(results[: len(seen)], examples)
    return score, [_example(task.name, seen[i], outputs[i], results[i] == 1) for i in kept]


def choose_examples(scores: Sequence[float], count: int) -> list[int]:
    """Which answers to show: the first right and the first wrong ones, half each where there are enough of both.

    The indices come in the samples' order. They show what right and wrong look like, not how often either happens.
    """
    right = [index for index, score in enumerate(scores) if score == 1]
    wrong = [index for index, score in enumerate(scores) if score != 1]
    few_wrong = min(len(wrong), max(count // 2, count - len(right)))
    return sorted([*right[: count - few_wrong], *wrong[:few_wrong]])


def _example(task: str, sample: Sample, output: Output, right: bool) -> Example:
    png = io.BytesIO()
    sample.image.save(png, "PNG")
    return Example(
        task=task,
        name=sample.name,
        question=sample.question,
        expected=sample.expected,
        answer=output.text,
        right=right,
        size=sample.image.size,
        target=None if sample.target is None else tuple(map(float, sample.target)),
        boxes=tuple(tuple(box) for box in parse_boxes(output.text, *sample.image.size)),
        points=tuple(tuple(point) for point in parse_points(output.text, *sample.image.size)),
        png=png.getvalue(),
    )
