"""Free-form answers judged by another model, for instance one behind an OpenAI-compatible endpoint.

```
question, answer ─▶ in the cache? ─▶ template ─▶ judge, once a pass ─▶ raw reply, into the cache ─▶ parse ─▶ score
```

A judge that fails, or whose reply is cut off or can't be parsed, gives no score: the answer counts as not judged, never
as wrong. What was paid for is never asked again: raw replies are kept, and parsed anew each time.
"""

from __future__ import annotations

import hashlib
import json
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from string import Formatter
from typing import Any

from vergence.conversation import Conversation, user
from vergence.errors import UsageError
from vergence.evaluation.judge_cache import JudgeCache, Reply
from vergence.evaluation.task import Answer, Model, Prompt
from vergence.inference.sampler import Sampling

FIELDS = ("question", "reference", "answer")
"""What a template may show, in braces."""

Parse = Callable[[str], float | None]
"""Reads a score from a judge's reply; None where there is none."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be judged: an answer to a question, and the reference answer where there is one."""

    question: str
    answer: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The score of an answer: the mean over the passes, None unless every pass gave one.

    `scores` are those of the passes, `sd` their sample standard deviation (None for a single pass), `replies` the raw
    ones and `judge` the fingerprint of who wrote them.
    """

    score: float | None
    scores: tuple[float | None, ...]
    sd: float | None
    replies: tuple[Reply, ...]
    judge: str

    @property
    def valid(self) -> bool:
        """Whether there is a score."""
        return self.score is not None


class Judge:
    """A model with a prompt and a rule to read its replies. `judge` may be called from several threads.

    `template` shows {question}, {answer} and {reference}; other braces are doubled. Passes differ in their seed, so
    with more than one the `sampling` needs a temperature. `cache` is a file of JSON lines that is only ever added to.
    Raises `UsageError` for a template or sampling that can't be, and `DataError` for a file that is no cache.
    """

    def __init__(
        self,
        model: Model,
        template: str,
        parse: Parse,
        *,
        passes: int = 1,
        sampling: Sampling | None = None,
        cache: Path | None = None,
    ) -> None:
        self.model, self.template, self.parse = model, template, parse
        self.passes, self.sampling = passes, sampling or Sampling(max_tokens=512)
        _check_template(template)
        if passes < 1:
            raise UsageError(f"passes {passes}: a judge has to be asked at least once")
        if passes > 1 and self.sampling.temperature == 0:
            raise UsageError(f"passes {passes}: without a temperature the judge would say the same each time")
        asked = {"model": dict(model.description()), "template": template, "sampling": asdict(self.sampling)}
        self.fingerprint = _hash(asked)  # of what decides a reply; how it is read can change without paying again
        self._cache = JudgeCache(cache)

    def definition(self) -> dict[str, Any]:
        """What of the judge decides a score, for the task's definition: who it is, what it is asked, how often."""
        return {
            "model": dict(self.model.description()),
            "prompt": hashlib.sha256(self.template.encode()).hexdigest()[:16],
            "parse": f"{self.parse.__module__}.{getattr(self.parse, '__qualname__', type(self.parse).__qualname__)}",
            "passes": self.passes,
            "sampling": asdict(self.sampling),
        }

    def judge(self, question: Question) -> Judgement:
        """Judge one answer."""
        replies = tuple(self._reply(question, number) for number in range(self.passes))
        scores = tuple(self._score(reply) for reply in replies)
        found = [score for score in scores if score is not None]
        whole = len(found) == len(scores)
        return Judgement(
            score=statistics.fmean(found) if whole else None,
            scores=scores,
            sd=statistics.stdev(found) if whole and len(found) > 1 else None,
            replies=replies,
            judge=self.fingerprint,
        )

    def stop(self) -> None:
        """Don't wait for replies any longer, where the model has a `stop`."""
        if (stop := getattr(self.model, "stop", None)) is not None:
            stop()

    def _score(self, reply: Reply) -> float | None:
        return self.parse(reply.text) if reply.error is None and reply.finish_reason == "stop" else None

    def _reply(self, question: Question, number: int) -> Reply:
        """The reply of one pass: from the cache, or asked for and added to it."""
        key = _hash([self.fingerprint, question.question, question.reference, question.answer, number])
        with self._cache.asking(key) as known:
            if known is not None:
                return known
            reply = self._ask(question, number, key)
            if reply.error is None:
                line = {"key": key, "judge": self.fingerprint, "model": self.model.name, "pass": number}
                line |= asdict(question) | {"reply": reply.text, "finish_reason": reply.finish_reason}
                self._cache.add(line)
            return reply

    def _ask(self, question: Question, number: int, key: str) -> Reply:
        text = self.template.format(**asdict(question))
        sampling = self.sampling
        if self.passes > 1:
            sampling = replace(sampling, seed=(sampling.seed or 0) + number)
        prompt = Prompt(Conversation((user(text),)), sampling, id=key)
        answers = dict(self.model.answer([prompt]))
        answer = answers.get(0, Answer(finish_reason="error", error="the judge gave no reply"))
        return Reply(answer.text, answer.finish_reason, answer.error)


def _check_template(template: str) -> None:
    try:
        fields = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise UsageError(f"the judge's template: {error}; braces that are meant as such are doubled") from None
    for name in fields:
        if name not in FIELDS:
            raise UsageError(f"the judge's template: {{{name}}} is not one of {', '.join(FIELDS)}")
    if "answer" not in fields:
        raise UsageError("the judge's template doesn't show the {answer}")


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


_NUMBER = r"(-?\d+(?:\.\d+)?)"
_BRACKETED = re.compile(rf"\[\[\s*{_NUMBER}\s*\]\]")
_NAMED = re.compile(rf"\b(?:score|rating)\W{{0,4}}(?:is\W{{1,4}})?{_NUMBER}(?![\d.]*\d)", re.IGNORECASE)
_BARE = re.compile(rf"\s*{_NUMBER}\.?\s*")


def scale(lowest: float, highest: float) -> Parse:
    """A rule that maps a number from `lowest` to `highest` to 0..1.

    It reads "[[7]]", else "Score: 7" or "Rating is 7", of which the last one counts, else a reply that is nothing but
    a number. None for a number outside the scale, and for several different ones in double brackets.
    """
    if not lowest < highest:
        raise ValueError(f"{lowest} to {highest} is no scale")

    def parse(reply: str) -> float | None:
        found = _BRACKETED.findall(reply)
        if len(set(found)) > 1:
            return None
        whole = _BARE.fullmatch(reply)
        found = found or _NAMED.findall(reply) or ([whole[1]] if whole else [])
        if not found or not lowest <= float(found[-1]) <= highest:
            return None
        return (float(found[-1]) - lowest) / (highest - lowest)

    parse.__qualname__ = f"scale({lowest:g}, {highest:g})"
    return parse


def repeat_sd(judgements: Sequence[Judgement]) -> float | None:
    """Sample standard deviation, over the passes, of the mean score of all valid answers; None for a single pass."""
    valid = [judgement for judgement in judgements if judgement.valid]
    if not valid or len(valid[0].scores) < 2:
        return None
    passes = zip(*(judgement.scores for judgement in valid), strict=True)
    return statistics.stdev(statistics.fmean(score for score in one if score is not None) for one in passes)
