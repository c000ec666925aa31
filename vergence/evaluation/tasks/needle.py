"""Needle in a haystack: one fact in a long text, by context length and by position; `needle_video` is its sister.

    task = NeedleText(lengths=[8_192, 131_072], depths=[0, 0.5, 1], count=lambda text: len(tokenizer.encode(text).ids))

The test of Kamradt 2023 (github.com/gkamradt/LLMTest_NeedleInAHaystack), with a fact that can't be guessed (a random
number) and a generated haystack that no model has read. Kimi-VL's report (arXiv 2504.07491) measures text and video in
this way up to 128k tokens. Haystacks are built when they are asked for, so a long grid needs little memory.
"""

from __future__ import annotations

import bisect
import hashlib
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from importlib.resources import files
from itertools import accumulate
from typing import Any

from vergence.conversation import Conversation, user
from vergence.data.pictures import rng_for
from vergence.errors import UsageError
from vergence.evaluation.metrics.metric import cluster_labels, verdicts
from vergence.evaluation.metrics.needle import needle
from vergence.evaluation.task import Answer, Measure, Prompt, Record, Sample, Verdict
from vergence.inference.sampler import Sampling
from vergence.verifiers.text import contains

LENGTHS = (1024, 2048, 4096, 8192)
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
MAX_TOKENS = 32

SENTENCES = (
    "The page on {a} mentions {b}, {c} and {d}.",
    "Nobody asked whether {a} goes with {b} or with {c}.",
    "In the old notes {a} comes before {b}, but after {c}.",
    "A letter about {a} was put between {b} and {c}.",
    "They talked about {a} for an hour and never came to {b}.",
    "Somebody had crossed out {a} and written {b} above it.",
    "The list begins with {a}, goes on with {b} and ends with {c}.",
    "What {a} has to do with {b} is told in another chapter.",
    "Between {a} and {b} there was room for {c}, {d} or both.",
    "It is said that {a} and {b} were once the same word.",
)
"""None of them holds a digit or a name that a needle has."""

NEEDLE = "The secret number of {name} is {number}."
ASKED = "What is the secret number of {name}? Answer with the number only."
FRAME = "Here is a long text. A question about it stands at its end.\n\n{text}\n\n{question}"
NAMES = (
    "Alina", "Bernard", "Clara", "Dimitri", "Elif", "Farid", "Greta", "Hiroshi", "Ines", "Jonas", "Kamala", "Lorenzo",
    "Mirela", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Stefan", "Tamara", "Umberto", "Vera", "Wanda", "Yusuf",
)  # fmt: skip

_PIECES = re.compile(r"\w+|[^\w\s]")

Count = Callable[[str], int]


def count_words(text: str) -> int:
    """Words and punctuation marks, each one: the unit of length where no tokenizer is given."""
    return len(_PIECES.findall(text))


@lru_cache(maxsize=1)
def _words() -> tuple[str, ...]:
    return tuple(files("vergence.data.synthesis").joinpath("words.txt").read_text(encoding="utf-8").split())


class NeedleTask(ABC):
    """What both tasks share: the cells, the scoring, the result."""

    name: str
    version = 1
    capability: str

    def __init__(self, lengths: Sequence[int], depths: Sequence[float], repeats: int, seed: int) -> None:
        if not lengths or any(length < 1 for length in lengths) or len(set(lengths)) < len(lengths):
            raise UsageError(f"{self.name}: lengths {list(lengths)} are not different numbers of at least 1")
        if not depths or any(not 0 <= depth <= 1 for depth in depths) or len(set(depths)) < len(depths):
            raise UsageError(f"{self.name}: depths {list(depths)} are not different numbers from 0 to 1")
        if repeats < 1:
            raise UsageError(f"{self.name}: {repeats} questions in each cell; at least 1 is needed")
        self.lengths, self.depths, self.repeats, self.seed = tuple(lengths), tuple(depths), repeats, seed

    def samples(self) -> Sequence[Sample]:
        """`repeats` questions for each length and depth; the haystacks are not in them."""
        return self._samples

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        """1 where the fact stands in the answer as a word of its own ("1482" isn't in "14820"), else 0."""
        right = contains(answer.text, sample.reference, words=True)
        return Verdict({"accuracy": float(right)}, answer.text, valid=bool(answer.text.strip()))

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """The mean of the cells, the worst cell ("min_accuracy"), by length, by depth, and "length=8192,depth=0.5"."""
        scored = verdicts(records)
        if not scored:
            return [Measure("accuracy", None, 0), Measure("min_accuracy", None, 0)]
        lengths, depths = ([record.sample.tags[axis] for record, _ in scored] for axis in ("length", "depth"))
        scores = [verdict.scores["accuracy"] for _, verdict in scored]
        measures = needle(scores, lengths, depths, clusters=cluster_labels([record for record, _ in scored]))
        return [_with_two_tags(measure) for measure in measures]

    def grid_definition(self) -> dict[str, Any]:
        """What both tasks declare."""
        return {
            "lengths": list(self.lengths),
            "depths": list(self.depths),
            "repeats": self.repeats,
            "seed": self.seed,
            "metric": "the fact is in the answer",
            "max_tokens": MAX_TOKENS,
        }

    def sample_rng(self, sample: Sample) -> random.Random:
        """The randomness of one sample's haystack."""
        return rng_for(self.seed, self.name, "heldout", int(hashlib.sha256(sample.id.encode()).hexdigest()[:12], 16))

    @abstractmethod
    def fact_of(self, rng: random.Random) -> tuple[str, list[str], dict[str, Any]]:
        """A question, its accepted answers, and what the haystack has to show."""

    @cached_property
    def _samples(self) -> tuple[Sample, ...]:
        found = []
        for length in self.lengths:
            for depth in self.depths:
                for repeat in range(self.repeats):
                    name = f"{self.name}-{length}-{depth:g}-{repeat}"
                    question, accepted, shown = self.fact_of(rng_for(self.seed, f"{name}/fact", "heldout", repeat))
                    tags = {"length": length, "depth": depth, "capability": self.capability, **shown}
                    found.append(Sample(name, question, reference=accepted, tags=tags))
        return tuple(found)


def _with_two_tags(measure: Measure) -> Measure:
    """A cell "cell=8192@0.5" as "length=8192,depth=0.5", which reports draw as a grid."""
    if not measure.group.startswith("cell="):
        return measure
    length, depth = measure.group.removeprefix("cell=").split("@")
    return replace(measure, group=f"length={length},depth={depth}")


class NeedleText(NeedleTask):
    """A sentence with a number in a long text.

    `lengths` are those of the whole prompt without what a chat template adds, counted by `count` (a tokenizer; by
    default words and marks): a prompt is as long as that to within one sentence, counted sentence by sentence. `unit`
    names the counting for the fingerprint. `distractors` are more sentences of the kind about other people, at random
    places. Depth 0 is the text's beginning, 1 its end. Raises `UsageError` for a length without room for the needle.
    """

    name = "needle-text"
    capability = "text/retrieval/needle/sentence"

    def __init__(
        self,
        *,
        lengths: Sequence[int] = LENGTHS,
        depths: Sequence[float] = DEPTHS,
        repeats: int = 2,
        seed: int = 0,
        count: Count = count_words,
        unit: str = "words and punctuation marks",
        distractors: int = 0,
    ) -> None:
        super().__init__(lengths, depths, repeats, seed)
        if not 0 <= distractors < len(NAMES):
            raise UsageError(f"{self.name}: {distractors} distractors; there can be 0 to {len(NAMES) - 1}")
        self.count, self.unit, self.distractors = count, unit, distractors
        shortest = self._room(NEEDLE.format(name=NAMES[0], number=10_000), ASKED.format(name=NAMES[0]))
        if min(self.lengths) < shortest:
            raise UsageError(f"{self.name}: the length {min(self.lengths)} is too short; at least {shortest} is needed")

    def definition(self) -> Mapping[str, Any]:
        """The grid, the unit of length, the wording and the words."""
        words = hashlib.sha256("\n".join([*_words(), *SENTENCES, *NAMES]).encode()).hexdigest()
        return {
            **self.grid_definition(),
            "unit": self.unit,
            "distractors": self.distractors,
            "prompt": [FRAME, NEEDLE, ASKED],
            "data": words,
        }

    def prompt(self, sample: Sample) -> Prompt:
        """The text with its needle, then the question."""
        text = FRAME.format(text=self.haystack(sample), question=sample.question)
        return Prompt(Conversation((user(text),)), Sampling(max_tokens=MAX_TOKENS), id=sample.id)

    def haystack(self, sample: Sample) -> str:
        """The text that a sample's question is about, its needle in it; always the same."""
        rng = self.sample_rng(sample)
        name, number = sample.tags["name"], sample.tags["number"]
        hidden = NEEDLE.format(name=name, number=number)
        others = rng.sample([other for other in NAMES if other != name], self.distractors)
        wrong = [NEEDLE.format(name=other, number=_number(rng)) for other in others]
        length = sample.tags["length"]
        left = length - self._room(hidden, sample.question) - sum(map(self._counted, wrong))
        sentences: list[str] = []
        while left > 0:
            a, b, c, d = rng.sample(_words(), 4)
            sentences.append(rng.choice(SENTENCES).format(a=a, b=b, c=c, d=d))
            left -= self._counted(sentences[-1])
        if left < 0 and sentences:
            sentences.pop()
        for sentence in wrong:
            sentences.insert(rng.randint(0, len(sentences)), sentence)
        # The boundary between sentences that is nearest to the depth asked for.
        ends = [0, *accumulate(map(self._counted, sentences))]
        target = sample.tags["depth"] * ends[-1]
        place = bisect.bisect_left(ends, target)
        if place and target - ends[place - 1] < ends[place] - target:
            place -= 1
        return " ".join([*sentences[:place], hidden, *sentences[place:]])

    def fact_of(self, rng: random.Random) -> tuple[str, list[str], dict[str, Any]]:
        name, number = rng.choice(NAMES), _number(rng)
        return ASKED.format(name=name), [str(number), f"{number:,}"], {"name": name, "number": number}

    def _counted(self, sentence: str) -> int:
        return self.count(f" {sentence}")

    def _room(self, hidden: str, question: str) -> int:
        """What is not the haystack: the needle, the question and the frame around them."""
        return self.count(FRAME.format(text="", question=question)) + self._counted(hidden)


def _number(rng: random.Random) -> int:
    return rng.randint(10_000, 99_999)
