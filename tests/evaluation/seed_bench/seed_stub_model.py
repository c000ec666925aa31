"""A model for tests: log-probabilities are a fixed function of all ids before a token, pictures included."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vergence.conversation import Conversation, Frames, ImagePart, TextPart
from vergence.evaluation.task import Answer, Prompt
from vergence.inference.likelihood import candidate_score

VOCABULARY, EOS, BOS, PICTURE = 64, 61, 62, 60
_TABLE = np.random.default_rng(5).normal(size=(1009, VOCABULARY)) * 2
TIE = "TIE"
"""Behind a prompt with this text every token is equally likely."""


def encode(text: str) -> list[int]:
    return [byte % 59 for byte in text.encode()]


def picture_id(image: Any) -> int:
    """What tells pictures apart: the name of a file, the number that a frame of a test's video carries."""
    if isinstance(image, Path):
        return zlib.crc32(f"{image.parent.name}/{image.name}".encode()) % 59
    assert isinstance(image, Image.Image)
    row = np.asarray(image.getchannel("G"))[image.height // 2]
    bars = row[((np.arange(16) + 0.5) * image.width / 16).astype(int)] > 127
    return int(bars @ (1 << np.arange(16))) % 59


def logits(context: Sequence[int]) -> np.ndarray:
    """float64 [VOCABULARY] behind a context of ids."""
    state = 1
    for token in context:
        state = (state * 67 + token + 3) % 1009
    tie = encode(TIE)
    tied = any(list(context[i : i + 3]) == tie for i in range(len(context) - 2))
    return np.zeros(VOCABULARY) if tied else _TABLE[state]


def parts(conversation: Conversation) -> list[int]:
    ids: list[int] = []
    for part in (part for message in conversation.messages for part in message.parts):
        if isinstance(part, TextPart):
            ids += encode(part.text)
        elif isinstance(part, ImagePart):
            ids += [PICTURE, picture_id(part.image)]
        else:
            assert isinstance(part.video, Frames)
            ids += [x for image in part.video.images for x in (PICTURE, picture_id(image))]
    return ids


class StubModel:
    """Ranks as `vergence.inference.likelihood` does; asked to generate, it says `text`."""

    name, batch, independent = "stub", 4, True

    def __init__(self, text: str = "A") -> None:
        self.text = text

    def description(self) -> Mapping[str, Any]:
        return {"kind": "stub"}

    def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
        for index, prompt in enumerate(prompts):
            asked = prompt.candidates
            if asked is None:
                yield index, Answer(text=self.text)
                continue
            context = [BOS, *parts(prompt.conversation)]
            if asked.template == "chat":
                context = [BOS, *encode("USER: "), *context[1:], *encode(" ASSISTANT:")]
            scores = []
            for text in asked.texts:
                ids = [*encode(text), *([EOS] if asked.end else [])]
                found = []
                for i, token in enumerate(ids):
                    values = logits([*context, *ids[:i]])
                    found.append(float((values - values.max() - np.log(np.exp(values - values.max()).sum()))[token]))
                scores.append(candidate_score(text, found))
            yield index, Answer(candidates=tuple(scores))


def run(task: Any, model: StubModel) -> list[Any]:
    """Every sample of a task asked and scored, as records."""
    from vergence.evaluation.task import Record

    samples = task.samples()
    answers = dict(model.answer([task.prompt(sample) for sample in samples]))
    return [Record(s, answers[i], task.score(s, answers[i])) for i, s in enumerate(samples)]
