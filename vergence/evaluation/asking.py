"""Samples put to a model, and its answers scored: one record each, whatever goes wrong with one of them."""

from __future__ import annotations

import hashlib
import math
import traceback
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vergence.errors import DataError, VergenceError
from vergence.evaluation.parts import Writer
from vergence.evaluation.records import UNSCORED
from vergence.evaluation.task import Answer, Model, Prompt, Record, Sample, Task, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run goes: the first `limit` samples of each task, each asked `repeats` times.

    `temperature`, `top_p` and `max_tokens` replace a task's own where they are given; sampled answers are seeded from
    `seed`, the sample and the repeat. Small pictures are kept of the first `keep_media` samples of a task.
    """

    limit: int | None = None
    repeats: int = 1
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int = 0
    keep_media: int = 60

    def to_json(self) -> dict[str, Any]:
        """What of it can change an answer."""
        kept = ("limit", "repeats", "temperature", "top_p", "max_tokens", "seed")
        return {name: getattr(self, name) for name in kept}


class Asker:
    """Puts samples to the model and scores what comes back.

    A task may have `scoring_threads`, where scoring waits for somebody (a judge). A task and a model may have `stop`,
    which ends what they wait for.
    """

    def __init__(self, model: Model, task: Task, settings: RunSettings, writer: Writer) -> None:
        self.model, self.task, self.settings, self.writer = model, task, settings, writer
        self._threads = getattr(task, "scoring_threads", 1)

    def ask(self, batch: Sequence[tuple[Sample, int]]) -> Iterator[list[Record]]:
        """Ask a batch, each sample with its repeat; the records that were written, as soon as they are.

        Answers that depend on one another are written together, others as they come.
        """
        records: list[Record] = []
        prompts: list[Prompt] = []
        asked: list[tuple[Sample, int]] = []
        for sample, repeat in batch:
            prompt = self._prompt(sample, repeat)
            if isinstance(prompt, Prompt):
                prompts.append(prompt)
                asked.append((sample, repeat))
            else:
                records.append(Record(sample, prompt, None, repeat))
        answers = self.model.answer(prompts) if prompts else iter(())
        unanswered = dict(enumerate(asked))
        try:
            for record in self._scored((*unanswered.pop(index), answer) for index, answer in answers):
                records.append(record)
                if self.model.independent:
                    self.writer.add(records)
                    yield records
                    records = []
        except BaseException:  # Ctrl-C too: what is being waited for may take minutes
            self._stop()
            raise
        for sample, repeat in unanswered.values():
            records.append(Record(sample, _failed("the model gave no answer"), None, repeat))
        self.writer.add(records)
        yield records

    def _scored(self, answers: Iterator[tuple[Sample, int, Answer]]) -> Iterator[Record]:
        """Score answers as they come: at once, or in threads where scoring waits for somebody."""
        if self._threads == 1:
            yield from (self._record(*one) for one in answers)
            return
        pool = ThreadPoolExecutor(self._threads)
        try:
            waiting: deque[Future[Record]] = deque()
            for one in answers:
                waiting.append(pool.submit(self._record, *one))
                while waiting and waiting[0].done():
                    yield waiting.popleft().result()
            yield from (future.result() for future in waiting)
        except BaseException:
            self._stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _stop(self) -> None:
        """End what the model and the task's judges wait for: the run is over."""
        for waiting in (self.model, self.task):
            if (stop := getattr(waiting, "stop", None)) is not None:
                stop()

    def _record(self, sample: Sample, repeat: int, answer: Answer) -> Record:
        verdict: Verdict | None = None
        if answer.error is None:
            try:
                verdict = _checked(self.task.score(sample, answer))
            except DataError as error:
                answer = replace(answer, finish_reason="error", error=f"{UNSCORED}{error}")
            except VergenceError:
                raise
            except Exception as error:  # a fault of the metric must not cost the other samples' answers
                answer = replace(answer, finish_reason="error", error=f"{UNSCORED}{told(error)}")
        return Record(sample, answer, verdict, repeat)

    def _prompt(self, sample: Sample, repeat: int) -> Prompt | Answer:
        """What the sample asks with the run's settings, or why it can't be asked."""
        settings = self.settings
        try:
            prompt = self.task.prompt(sample)
        except DataError as error:
            return _failed(str(error))
        except VergenceError:
            raise
        except Exception as error:  # a fault of the task must not cost the other samples
            return _failed(f"can't be asked: {told(error)}")
        wishes: dict[str, Any] = {
            key: value
            for key in ("temperature", "top_p", "max_tokens")
            if (value := getattr(settings, key)) is not None
        }
        if wishes.get("temperature", prompt.sampling.temperature):
            text = f"{settings.seed}/{self.task.name}/{sample.id}/{repeat}"
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
            wishes["seed"] = int.from_bytes(digest[:6], "big")
        return replace(prompt, sampling=replace(prompt.sampling, **wishes), id=prompt.id or sample.id)


def told(error: Exception) -> str:
    """An unforeseen error in one line: its kind, what it says, and the line of code that raised it."""
    places = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(places[-1].filename).name}:{places[-1].lineno})" if places else ""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {said}' if said else ''}{where}"


def _failed(why: str) -> Answer:
    return Answer(finish_reason="error", error=why)


def _checked(verdict: Verdict) -> Verdict:
    """A verdict whose scores are finite numbers, as files and means need them. Raises `DataError` for any other."""
    if not isinstance(verdict, Verdict):
        raise DataError(f"the task gave {type(verdict).__name__} instead of a verdict")
    return replace(verdict, scores=_numbers(verdict.scores), compat=_numbers(verdict.compat))


def _numbers(scores: Mapping[str, float]) -> dict[str, float]:
    found = {name: float(score) for name, score in scores.items()}
    for name, score in found.items():
        if not math.isfinite(score):
            raise DataError(f"{name} is {score}, no finite number")
    return found
