"""A small choice task of coloured pictures, for the tests of the exports to lmms-eval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from vergence.conversation import Conversation, ImagePart, MediaPart, Message, TextPart, user
from vergence.errors import DataError
from vergence.evaluation.task import LETTERS, Answer, Candidates, Measure, Prompt, Record, Sample, Verdict
from vergence.inference.sampler import Sampling

COLOURS = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (30, 40, 200)}


@dataclass
class ColourTask:
    """What colour is it? A picture before and, for every second question, one behind the text."""

    folder: Path
    name: str = "colour-choice"
    version: int = 3
    candidates: Candidates | None = None
    unreadable: frozenset[str] = frozenset()

    def definition(self) -> Mapping[str, Any]:
        return {"colours": list(COLOURS)}

    def samples(self) -> Sequence[Sample]:
        self.folder.mkdir(parents=True, exist_ok=True)
        found = []
        for number, (colour, values) in enumerate([*COLOURS.items(), *COLOURS.items()]):
            path = self.folder / f"{colour}.png"
            Image.new("RGB", (28, 28), values).save(path)
            media: tuple[MediaPart, ...] = (ImagePart(path),)
            if number % 2:
                media = (*media, ImagePart(Image.new("RGB", (28, 28), values)))
            tags = {"dimension": number % 2, "cluster": colour, "skill": "colour", "odd": [1]}
            found.append(Sample(f"q{number}", "What colour?", media, number % 3, tuple(COLOURS), tags))
        return found

    def prompt(self, sample: Sample) -> Prompt:
        if sample.id in self.unreadable:
            raise DataError("gone.png: no such file")
        options = "\n".join(f"{LETTERS[i]}. {text}" for i, text in enumerate(sample.choices))
        content = (sample.media[0], f"{sample.question}\n{options}", *sample.media[1:])
        talk = Conversation((Message("system", (TextPart("Answer with a letter.\n"),)), user(*content)))
        return Prompt(talk, Sampling(max_tokens=4), self.candidates)

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        raise NotImplementedError

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        raise NotImplementedError
