"""Tasks asked with a thought before the answer; what that costs and whether it comes to an end.

A thought is *truncated* where the answer was cut off by its length before anything stood behind the thought. Such an
answer is scored as it is (nothing can be read from it, so it is invalid); here it is counted, because a score with many
of them is one of the token limit, not of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vergence.evaluation.metrics.groups import mean_measure
from vergence.evaluation.task import Answer, Measure, Prompt, Record, Sample, Task, Verdict

THOUGHT_TOKENS = 16_384
"""Room for a thought, beside that for the answer."""
TOKEN_KINDS = ("prompt", "image", "thought", "answer")


class WithThinking:
    """A task that has no wording of its own for thinking, asked with a model's switch for thoughts on or off.

    Its questions, wording and metric stay the same: an answer is scored without its thought. With thoughts an answer
    may be `THOUGHT_TOKENS` longer.
    """

    def __init__(self, task: Task, thinking: bool) -> None:
        self.task, self.thinking = task, thinking
        self.name, self.version = task.name, task.version

    @property
    def problems(self) -> list[str]:
        """What the task left out of its data."""
        return list(getattr(self.task, "problems", []))

    def definition(self) -> Mapping[str, Any]:
        """The task's own, and the switch."""
        return {**self.task.definition(), "thinking": self.thinking}

    def samples(self) -> Sequence[Sample]:
        """The task's own."""
        return self.task.samples()

    def prompt(self, sample: Sample) -> Prompt:
        """The task's own, with the switch and room for a thought."""
        prompt = self.task.prompt(sample)
        room = prompt.sampling.max_tokens + THOUGHT_TOKENS * self.thinking
        return replace(prompt, thinking=self.thinking, sampling=replace(prompt.sampling, max_tokens=room))

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        """The task's own."""
        return self.task.score(sample, answer)

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """The task's own."""
        return self.task.aggregate(records)


def thought_truncated(answer: Answer) -> bool | None:
    """Whether an answer ended inside its thought; None for an answer without a thought, or one that failed."""
    if answer.error is not None or answer.thought is None:
        return None
    return answer.finish_reason == "length" and not answer.text.strip()


def truncated_thought_rate(records: Sequence[Record]) -> Measure:
    """The share of thoughts that were cut off, over the answers that have one; None where none has."""
    flags = [flag for record in records if (flag := thought_truncated(record.answer)) is not None]
    return mean_measure("truncated_thoughts", [float(flag) for flag in flags])


def thinking_share(records: Sequence[Record]) -> Measure:
    """The share of answers with a thought, of those that didn't fail: whether the switch had an effect."""
    return mean_measure("thinking", [float(r.answer.thought is not None) for r in records if r.answer.error is None])


def token_count(answer: Answer, kind: str) -> int | None:
    """How many tokens of that kind (`TOKEN_KINDS`) an answer counts; None where the model doesn't tell."""
    value: int | None = getattr(answer, f"{kind}_tokens")
    return value


def token_means(records: Sequence[Record]) -> list[Measure]:
    """The mean number of tokens of each kind, over the answers that tell it ("prompt_tokens", ...)."""
    found = []
    for kind in TOKEN_KINDS:
        counts = [count for record in records if (count := token_count(record.answer, kind)) is not None]
        found.append(mean_measure(f"{kind}_tokens", [float(count) for count in counts]))
    return found


def thinking_measures(records: Sequence[Record]) -> list[Measure]:
    """How many answers thought, how many thoughts were cut off, and the mean token counts, with their intervals."""
    return [thinking_share(records), truncated_thought_rate(records), *token_means(records)]
