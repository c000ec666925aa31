"""The options of any task in other orders: all rotations (CircularEval), or one shuffle.

    Circular(task)     # right only where every rotation is answered right: MMBench (arXiv 2307.06281), section 4.3
    Shuffled(task, 7)  # one order a question, by the seed and the question's id

A model that always answers "A" keeps its score under neither. Questions without options are asked as they are, and so
are those whose options are pictures (the tag "options"), which stand in the published order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vergence.errors import UsageError
from vergence.evaluation.metrics.metric import verdicts
from vergence.evaluation.task import Answer, Measure, Prompt, Record, Sample, Task, Verdict


def rotations(count: int) -> list[tuple[int, ...]]:
    """The orders of `count` choices that MMBench's CircularEval asks: rotation k begins with choice k."""
    return [tuple((start + index) % count for index in range(count)) for start in range(count)]


def shuffled(count: int, seed: int, sample: str) -> tuple[int, ...]:
    """One order of `count` choices, which depends on the seed and the sample's id alone."""
    order = list(range(count))
    random.Random(f"{seed}/{sample}").shuffle(order)
    return tuple(order)


def reorderable(sample: Sample) -> bool:
    """Whether a sample has options whose order can be changed."""
    return len(sample.choices) > 1 and isinstance(sample.reference, int) and not sample.tags.get("options")


def reordered(sample: Sample, order: Sequence[int]) -> Sample:
    """The sample with its choices in another order: the new ones at `order`'s places, the reference with them."""
    choices = tuple(sample.choices[index] for index in order)
    return replace(sample, choices=choices, reference=list(order).index(sample.reference))


def in_all_orders(sample: Sample) -> Iterator[Sample]:
    """The sample once for each rotation, "id#0" the published one, with the tags "question" and "rotation"."""
    for turn, order in enumerate(rotations(len(sample.choices))):
        tags = {**sample.tags, "question": sample.id, "rotation": turn}
        yield replace(reordered(sample, order), id=f"{sample.id}#{turn}", tags=tags)


def folded(records: Sequence[Record]) -> list[Record]:
    """One record a question (and repeat) that was asked in several orders: each score is that of the worst of them.

    One unreadable answer makes the question invalid. A question of which an order is missing or failed is left out.
    """
    groups: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        question = str(record.sample.tags.get("question", record.sample.id))
        groups.setdefault((question, record.repeat), []).append(record)
    return [_fold(group) for group in groups.values() if _complete(group)]


def _complete(group: Sequence[Record]) -> bool:
    orders = max(1, len(group[0].sample.choices)) if "question" in group[0].sample.tags else 1
    return len(verdicts(group)) == len(group) == orders


def _fold(group: Sequence[Record]) -> Record:
    each = [verdict for _, verdict in verdicts(group)]
    if len(each) == 1:
        return group[0]
    worst = {name: min(verdict.scores[name] for verdict in each) for name in each[0].scores}
    # Other harnesses fold alike: a hit is a question that they read right in every order.
    shared = [name for name in each[0].compat if all(name in verdict.compat for verdict in each)]
    compat = {name: min(verdict.compat[name] for verdict in each) for name in shared}
    extracted = [verdict.extracted for verdict in each]
    valid, tie = all(verdict.valid for verdict in each), any(verdict.tie for verdict in each)
    return replace(group[0], verdict=Verdict(worst, extracted, valid, compat, tie))


class _Ordered:
    """A task whose samples are another one's in other orders; that one is asked by its own ids."""

    def __init__(self, task: Task, label: str, orders: Mapping[str, Any]) -> None:
        self.task, self._orders = task, orders
        self.name, self.version = f"{task.name}:{label}", task.version

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
        """The task's own, and the orders."""
        return {**self.task.definition(), "orders": dict(self._orders)}

    def prompt(self, sample: Sample) -> Prompt:
        """The task's own."""
        return replace(self.task.prompt(self._original(sample)), id=sample.id)

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        """The task's own."""
        return self.task.score(self._original(sample), answer)

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """The task's own."""
        return self.task.aggregate(records)

    def _original(self, sample: Sample) -> Sample:
        return replace(sample, id=sample.tags.get("question", sample.id))


class Shuffled(_Ordered):
    """The same task with the options of each question in an order of their own; ":shuffled" stands behind its name."""

    def __init__(self, task: Task, seed: int) -> None:
        super().__init__(task, "shuffled", {"shuffled": seed})
        self.seed = seed

    def samples(self) -> Sequence[Sample]:
        """The task's samples, reordered."""
        return [
            reordered(sample, shuffled(len(sample.choices), self.seed, sample.id)) if reorderable(sample) else sample
            for sample in self.task.samples()
        ]


class Circular(_Ordered):
    """The same task with each question once for each rotation of its options; ":circular" stands behind its name.

    Its measures are the task's own of the folded records: a question is right if it is right in all orders. Raises
    `UsageError` where the task asks all orders itself.
    """

    def __init__(self, task: Task) -> None:
        if getattr(task, "order", "published") == "circular":
            raise UsageError(f"task {task.name}: asks all rotations of the options itself, leave out --circular")
        super().__init__(task, "circular", {"circular": True})

    def samples(self) -> Sequence[Sample]:
        """The task's samples, all orders of one after the other."""
        return [
            turned
            for sample in self.task.samples()
            for turned in (in_all_orders(sample) if reorderable(sample) else [sample])
        ]

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """The task's own of whole questions; then what the published order alone would give."""
        published = [record for record in records if record.sample.tags.get("rotation", 0) == 0]
        first = self.task.aggregate(published)[:1]
        return [
            *self.task.aggregate(folded(records)),
            *(replace(measure, metric=f"{measure.metric} (first order)") for measure in first),
        ]
