"""The offline suite "capabilities": held-out pictures of this project, rendered and real, in and out of distribution.

Fifteen leaves of the capability tree, each asked in free form, most of them as a choice of four about the same
pictures too, and about pictures of a sort that no training picture is: larger, noisy, striped, inverted, with more
things or longer words. Everything is drawn from a seed, nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cached_property
from typing import Any

from PIL import Image

from vergence.conversation import Conversation, ImagePart, user
from vergence.data import catalogue
from vergence.data.pictures import Picture, Question, rng_for
from vergence.errors import UsageError
from vergence.evaluation.capabilities import check_samples, roll_up
from vergence.evaluation.metrics.groups import mean_measures
from vergence.evaluation.task import LETTERS, Answer, Measure, Prompt, Record, Sample, Verdict
from vergence.evaluation.tasks.capability_parts import ANSWERS, INSTRUCTIONS, PARTS, Part
from vergence.evaluation.tasks.capability_pictures import CHANGES, DRAWN
from vergence.inference.sampler import Sampling
from vergence.processing.coordinates import parse_boxes, parse_points
from vergence.verifiers.choice import read_choice
from vergence.verifiers.places import box_hit, point_hit
from vergence.verifiers.text import exact

OPTIONS = 4
LETTER = "Answer with the option's letter."
PRESETS = ("plain", "instructed")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A picture, one of its questions, and where it comes from."""

    picture: Picture
    question: Question
    cluster: str


class CapabilitySuite:
    """The suite as a task.

    The preset "plain" asks the questions as this project's models are trained on them, "instructed" adds what form the
    answer should have, for models that have never seen such questions. Raises `UsageError` for another preset.
    """

    name = "capabilities"
    version = 1

    def __init__(self, *, preset: str = "plain", seed: int = 0, parts: Sequence[Part] = PARTS) -> None:
        if preset not in PRESETS:
            raise UsageError(f"{self.name}: preset {preset!r} is not one of {', '.join(PRESETS)}")
        self.preset, self.seed, self.parts = preset, seed, tuple(parts)

    def definition(self) -> Mapping[str, Any]:
        """The seed, the parts, the wording, the limits, and a hash of every picture, question and answer."""
        return {
            "seed": self.seed,
            "parts": [list(astuple(part)) for part in self.parts],
            "preset": self.preset,
            "prompt": "the picture, then the question" + (", then what to answer" * (self.preset == "instructed")),
            "instructions": {**INSTRUCTIONS, "letter": LETTER} if self.preset == "instructed" else {"letter": LETTER},
            "coordinates": "seed: 0..999 of width and height",
            "max_tokens": dict(self._max_tokens),
            "data": self._hash,
        }

    def samples(self) -> Sequence[Sample]:
        """The questions, those of all parts mixed, so that the first ones are a small suite of their own."""
        return self._samples

    def prompt(self, sample: Sample) -> Prompt:
        """The picture, then the question with its options; greedy, with room for the longest right answer."""
        conversation = Conversation((user(*sample.media, self._wording(sample)),))
        limit = self._max_tokens[f"{sample.tags['task']}/{sample.tags['form']}"]
        return Prompt(conversation, Sampling(max_tokens=limit), id=sample.id)

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        """1 or 0: by option, by the exact text, or by place; what names no option or place is invalid."""
        if sample.choices:
            index = read_choice(answer.text, sample.choices).index
            return Verdict({"accuracy": float(index == sample.reference)}, index, valid=index is not None)
        metric = catalogue.TASKS[sample.tags["task"]].metric
        if metric == "exact":
            right = exact(answer.text, sample.reference)
            return Verdict({"accuracy": float(right)}, answer.text, valid=bool(answer.text.strip()))
        hit, parse = (box_hit, parse_boxes) if metric == "box" else (point_hit, parse_points)
        size = _image(sample).size
        places = parse(answer.text, *size)
        extracted = list(places[0]) if places else None
        return Verdict({"accuracy": float(hit(answer.text, sample.reference, size))}, extracted, valid=bool(places))

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """The capability tree (`vergence.evaluation.capabilities.roll_up`), then by form and by variation."""
        scored = [record for record in records if record.verdict]
        scores = [record.verdict.scores["accuracy"] for record in scored if record.verdict]
        tags = {key: [str(record.sample.tags[key]) for record in scored] for key in ("form", "variation", "made_of")}
        clusters = [record.sample.tags["cluster"] for record in scored]
        return [*roll_up(records), *mean_measures("accuracy", scores, tags, clusters=clusters)[1:]]

    def _wording(self, sample: Sample) -> str:
        lines = [sample.question]
        if sample.choices:
            lines += [f"{letter}. {text}" for letter, text in zip(LETTERS, sample.choices, strict=False)]
            lines.append(LETTER)
        elif self.preset == "instructed":
            lines.append(_instruction(sample.tags["task"]))
        return "\n".join(lines)

    @cached_property
    def _samples(self) -> tuple[Sample, ...]:
        drawn = [
            ((place + 0.5) / part.count, number, sample)
            for number, part in enumerate(self.parts)
            for place, sample in enumerate(self._part(part))
        ]
        samples = tuple(sample for _, _, sample in sorted(drawn, key=lambda row: row[:2]))
        check_samples(samples)
        return samples

    def _part(self, part: Part) -> Iterator[Sample]:
        """The samples of a part; the right options of a choice stand at every place equally often."""
        for place, asked in enumerate(_asked(part, self.seed)):
            name = f"{part.name}-{place:04d}"
            task = catalogue.TASKS[part.task]
            tags: dict[str, Any] = {
                "capability": part.capability,
                "ood": bool(part.variation),
                "variation": part.variation or "none",
                "form": part.form,
                "task": part.task,
                "made_of": "real" if asked.picture.real else "rendered",
                "cluster": asked.cluster,
                "expected": asked.question.answer,
            }
            reference: Any = asked.question.answer
            if task.metric != "exact":
                assert asked.question.box is not None, "a question for a place has its target"
                reference = [float(side) for side in asked.question.box]
                tags["place"] = task.metric
            sample = Sample(name, asked.question.prompt, (ImagePart(asked.picture.image),), reference, tags=tags)
            if part.form == "choice":
                rng = rng_for(self.seed, f"capabilities/{part.name}/options", "heldout", place)
                sample = _as_choice(sample, asked.picture, place % OPTIONS, rng)
            yield sample

    @cached_property
    def _max_tokens(self) -> dict[str, int]:
        """By task and form, room for the longest right answer: a token is at least one byte, and one ends the turn."""
        longest: dict[str, int] = {}
        for sample in self._samples:
            key = f"{sample.tags['task']}/{sample.tags['form']}"
            texts = sample.choices or (sample.tags["expected"],)
            longest[key] = max(longest.get(key, 0), *(len(text.encode()) for text in texts))
        # "B. red", and "B" in words, should fit; models that were told what to answer still like to say more.
        spare = {"open": 1, "choice": 4} if self.preset == "plain" else {"open": 32, "choice": 32}
        return {key: length + spare[key.split("/")[1]] for key, length in sorted(longest.items())}

    @cached_property
    def _hash(self) -> str:
        digest = hashlib.sha256()
        for sample in self._samples:
            image = _image(sample)
            digest.update(repr((sample.id, sample.question, sample.reference, sample.choices, image.size)).encode())
            digest.update(image.tobytes())
        return digest.hexdigest()


def _image(sample: Sample) -> Image.Image:
    (part,) = sample.media
    assert isinstance(part, ImagePart)
    assert isinstance(part.image, Image.Image)
    return part.image


def _instruction(task: str) -> str:
    return INSTRUCTIONS[task] if task in INSTRUCTIONS else f"Answer with one of: {', '.join(ANSWERS[task])}."


def _asked(part: Part, seed: int) -> Iterator[_Asked]:
    """`part.count` pictures with a question of the part's task, each asked once."""
    kind = catalogue.TASKS[part.task].kind
    found, draw = 0, 0
    while found < part.count:
        rng = rng_for(seed, f"capabilities/{part.pictures}", "heldout", draw)
        draw += 1
        if part.variation in DRAWN:
            picture = DRAWN[part.variation](rng)
        else:
            # Any index is a picture of its own; a random one is in no other part.
            picture = catalogue.draw(kind, "heldout", seed, rng.getrandbits(48))
        several = part.words == "several"
        fitting = [
            question
            for question in picture.questions
            if question.task == part.task and (part.words == "any" or (" " in question.answer) is several)
        ]
        if not fitting:
            continue
        question = rng.choice(fitting)
        if part.variation in CHANGES:
            place = picture.questions.index(question)
            picture = CHANGES[part.variation](picture, rng)
            question = picture.questions[place]
        yield _Asked(picture, question, f"{part.pictures}-{found:04d}")
        found += 1


def _as_choice(sample: Sample, picture: Picture, right: int, rng: random.Random) -> Sample:
    """The same question with four options, the right one at the place `right`."""
    wrong = [text for text in _wrong(sample, picture, rng) if text != sample.reference][: OPTIONS - 1]
    options = [*wrong[:right], sample.reference, *wrong[right:]]
    return replace(sample, choices=tuple(options), reference=right)


def _wrong(sample: Sample, picture: Picture, rng: random.Random) -> list[str]:
    """Wrong options in random order, those that the picture itself suggests first."""
    task = sample.tags["task"]
    if task == "table":  # the other cells
        cells = [item.removeprefix("cell:") for item in picture.items if item.startswith("cell:")]
        rng.shuffle(cells)
        return cells
    others = list(ANSWERS[task])
    rng.shuffle(others)
    if task == "chart":  # the other bars
        bars = picture.items[0].removeprefix("bars:").split("-")
        others.sort(key=lambda colour: colour not in bars)
    return others
