"""Rejection sampling: many responses to each question, all kept with their verdicts; what is trained on is chosen
later.

```
samples with checks ─▶ prompts x rollouts ─▶ model ─▶ rollouts.jsonl (responses, verdicts)
       rollouts.jsonl ─▶ pass rates ─▶ decisions (which questions are worth it)
                      └▶ right responses ─▶ conversations to learn from
```

Seed1.5-VL keeps questions that are neither too easy nor too hard for the policy, and the shortest or best right
responses (report, sections 4.1 and 4.3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from vergence.conversation import Conversation, Message, TextPart
from vergence.data.curation.decisions import Decision, Decisions, all_of
from vergence.data.curation.source import Folder, key_of
from vergence.data.shards.messages import RowError
from vergence.data.shards.rows import Row
from vergence.errors import DataError, UsageError
from vergence.evaluation.task import Answer, Model, Prompt
from vergence.inference.sampler import Sampling
from vergence.posttraining.answer_log import Key, Line, answers, ask_all, read_header
from vergence.verifiers.ground_truth import verify

Show = Callable[[int], None]


def questions(conversation: Conversation) -> Iterator[tuple[int, Conversation, Mapping[str, Any]]]:
    """(number of the answer, conversation up to it, its check) of every answer that a rule can decide."""
    checks = conversation.metadata.get("checks") or ()
    number = 0
    for place, message in enumerate(conversation.messages):
        if message.role != "assistant":
            continue
        check = checks[number] if number < len(checks) else None
        if check is not None and check["verifier"] != "open":
            yield number, Conversation(conversation.messages[:place]), check
        number += 1


def collect_rollouts(
    folder: Folder, model: Model, path: Path, *, rollouts: int, sampling: Sampling, show: Show = lambda _: None
) -> None:
    """Sample `rollouts` responses to every question of a folder and log each with its verdict.

    Every rollout has a seed of its own, from `sampling.seed` and its key, so that it doesn't depend on the others.
    Samples that can't be read have none. Raises `DataError` for a check that no rule can use, `UsageError` for several
    responses at temperature 0, which would be one and the same.
    """
    if rollouts > 1 and sampling.temperature == 0:
        raise UsageError(f"{rollouts} rollouts at temperature 0 would be all the same; raise it, or ask for 1")
    checks: dict[Key, Mapping[str, Any]] = {}

    def prompts() -> Iterator[tuple[Key, Prompt]]:
        for number in range(len(folder)):
            try:
                conversation = folder[number]
            except DataError:
                continue
            for turn, asked, check in _checkable(conversation, folder.where(number)):
                checks[number, turn] = check
                for rollout in range(rollouts):
                    key = (number, turn, rollout)
                    seeded = replace(sampling, seed=_seed(sampling.seed or 0, key))
                    yield key, Prompt(asked, seeded, id="/".join(map(str, key)))

    def judge(key: Key, answer: Answer) -> Mapping[str, Any]:
        return {"score": verify(checks[key[:2]], answer.text)}

    header = {
        "source": folder.fingerprint,
        "rollouts": rollouts,
        "sampling": {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed or 0}
        | {"max_tokens": sampling.max_tokens},
    }
    ask_all(prompts(), model, path, header=header, extra=judge, show=show)


def _checkable(conversation: Conversation, where: str) -> list[tuple[int, Conversation, Mapping[str, Any]]]:
    """The questions of a sample, whose checks are tried before a model is asked."""
    checks = conversation.metadata.get("checks") or ()
    if not isinstance(checks, list | tuple) or not all(check is None or isinstance(check, Mapping) for check in checks):
        raise DataError(f"{where}: checks: expected a list of objects, one for each answer")
    found = []
    try:
        for question in questions(conversation):
            verify(question[2], "")
            found.append(question)
    except KeyError as error:
        raise DataError(f"{where}: checks: one lacks {error}") from None
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: checks: {error}") from None
    return found


def _seed(seed: int, key: Key) -> int:
    return int.from_bytes(blake2b(f"{seed}/{key}".encode(), digest_size=7).digest(), "big")


@dataclass(frozen=True, slots=True)
class Rates:
    """Of each question (sample, turn) the rollouts and the share of them that are right."""

    rates: Mapping[tuple[int, int], float]
    rollouts: Mapping[tuple[int, int], tuple[Line, ...]]


def pass_rates(path: Path, threshold: float = 1.0) -> Rates:
    """The pass rates of a log; a response is right from a score of `threshold` on."""
    groups: dict[tuple[int, int], list[Line]] = defaultdict(list)
    for key, line in sorted(answers(path).items()):
        groups[key[0], key[1]].append(line)
    rates = {
        question: sum((line.extra.get("score") or 0.0) >= threshold for line in lines) / len(lines)
        for question, lines in groups.items()
    }
    return Rates(rates, {question: tuple(lines) for question, lines in groups.items()})


def rollouts_of(folder: Folder, path: Path, threshold: float = 1.0) -> Rates:
    """The pass rates of a log about this folder. Raises `DataError` where it is about another one."""
    if read_header(path).get("source") != folder.fingerprint:
        raise DataError(f"{path}: its rollouts are about other data than {folder.path}")
    return pass_rates(path, threshold)


def keep_by_rate(folder: Folder, rates: Rates, least: float, most: float) -> Decisions:
    """Keep the samples whose mean pass rate over their questions lies in [least, most]; those without rollouts go.

    Raises `UsageError` for a range without a rate in it.
    """
    if not 0 <= least <= most <= 1:
        raise UsageError(f"pass rates lie in 0..1, the least not above the largest; found {least} and {most}")
    of_sample: dict[int, list[float]] = defaultdict(list)
    for (number, _), rate in rates.rates.items():
        of_sample[number].append(rate)
    rows = []
    for number in range(len(folder)):
        found = of_sample.get(number)
        if not found:
            rows.append(Decision(number, key_of(folder, number), 0, "no rollouts"))
            continue
        rate = sum(found) / len(found)
        reason = "too hard" if rate < least else "too easy" if rate > most else "kept"
        rows.append(Decision(number, key_of(folder, number), int(reason == "kept"), reason, rate))
    settings = {"least": least, "most": most}
    return all_of(rows, name="pass rate", fingerprint=folder.fingerprint, settings=settings)


Choice = Literal["shortest", "first", "all"]


@dataclass(frozen=True, slots=True)
class SolutionRows:
    """The right responses to a folder's questions as conversations, for `vergence.data.shards.pack.pack`."""

    folder: Folder
    rates: Rates
    choice: Choice
    threshold: float
    fingerprint: str

    def rows(self, start: int) -> Iterator[Row]:
        """The responses from number `start` on, by sample, turn and rollout."""
        number = 0
        for question in sorted(self.rates.rollouts):
            for line in chosen(self.rates.rollouts[question], self.choice, self.threshold):
                if number >= start:
                    where = f"{self.folder.where(question[0])}: answer {question[1]}, rollout {line.key[2]}"
                    yield Row(where, partial(self._conversation, question, line, where))
                number += 1

    def _conversation(self, question: tuple[int, int], line: Line, where: str) -> Conversation:
        original = self.folder[question[0]]
        for turn, asked, check in questions(original):
            if turn == question[1]:
                told = tuple(replace(m, loss=False) if m.role == "assistant" else m for m in asked.messages)
                thought = f"<think>{line.thought}</think>" if line.thought else ""
                answer = Message("assistant", (TextPart(thought + line.text),))
                own = {key: value for key, value in original.metadata.items() if key not in ("checks", "truth")}
                rate = self.rates.rates[question]
                return Conversation((*told, answer), {**own, "checks": [check], "pass_rate": rate})
        raise RowError("fields", f"{where}: the sample has no such answer any more")


def chosen(lines: tuple[Line, ...], choice: Choice, threshold: float = 1.0) -> list[Line]:
    """The right responses to a question that are kept: all that differ, the first, or the shortest."""
    seen: dict[tuple[str | None, str], Line] = {}
    for line in lines:
        if (line.extra.get("score") or 0.0) >= threshold and line.finish_reason == "stop":
            seen.setdefault((line.thought, line.text), line)
    right = list(seen.values())
    if choice == "all" or not right:
        return right
    if choice == "first":
        return right[:1]
    return [min(right, key=lambda line: (len(line.thought or "") + len(line.text), line.key))]
