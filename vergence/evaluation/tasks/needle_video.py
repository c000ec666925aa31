"""Needle in a haystack of frames: one frame with a fact in a long video, by length and by position.

task = NeedleVideo(lengths=[32_768], depths=[0, 0.5, 1], size=(448, 448), tokens_per_frame=256)
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageFont

from vergence.conversation import Conversation, Frames, VideoPart, user
from vergence.data import catalogue
from vergence.data.synthesis.palette import COLOURS
from vergence.errors import UsageError
from vergence.evaluation.task import Prompt, Sample
from vergence.evaluation.tasks.needle import DEPTHS, MAX_TOKENS, NeedleTask
from vergence.inference.sampler import Sampling

FRAMES = (8, 16, 32, 64)


class NeedleVideo(NeedleTask):
    """A frame with a number (`fact` "number") or of one colour ("colour") in a long video of other pictures.

    `lengths` are frames, or tokens where `tokens_per_frame` says how many a frame of `size` takes: length //
    tokens_per_frame frames. A frame is shown for 1 / `fps` seconds. Depth 0 is the first frame, 1 the last.
    """

    name = "needle-video"
    capability = "video/retrieval/needle/frame"

    QUESTIONS: Mapping[str, str] = {
        "number": "One frame of this video shows a number. Which number is it? Answer with the number only.",
        "colour": "One frame of this video is of a single colour. Which colour is it? Answer with one word.",
    }
    POOL = 64

    def __init__(
        self,
        *,
        lengths: Sequence[int] = FRAMES,
        depths: Sequence[float] = DEPTHS,
        repeats: int = 2,
        seed: int = 0,
        fact: Literal["number", "colour"] = "number",
        size: tuple[int, int] = (112, 112),
        fps: float = 1.0,
        tokens_per_frame: int = 1,
    ) -> None:
        super().__init__(lengths, depths, repeats, seed)
        if fact not in self.QUESTIONS:
            raise UsageError(f"{self.name}: fact {fact!r} is not one of {', '.join(self.QUESTIONS)}")
        if min(size) < 28 or not fps > 0 or tokens_per_frame < 1:
            raise UsageError(f"{self.name}: can't draw frames of {size} at {fps} fps with {tokens_per_frame} tokens")
        if min(self.lengths) < tokens_per_frame:
            raise UsageError(f"{self.name}: the length {min(self.lengths)} is shorter than one frame")
        self.fact, self.size, self.fps, self.tokens_per_frame = fact, size, fps, tokens_per_frame

    def definition(self) -> Mapping[str, Any]:
        """The grid, the question, the frames and a hash of some of them."""
        digest = hashlib.sha256(card("0123456789", self.size, (255, 255, 255)).tobytes())
        for frame in self._pool[:8]:
            digest.update(frame.tobytes())
        return {
            **self.grid_definition(),
            "fact": self.fact,
            "size": list(self.size),
            "fps": self.fps,
            "tokens_per_frame": self.tokens_per_frame,
            "prompt": ["the video, then the question", self.QUESTIONS[self.fact]],
            "data": digest.hexdigest(),
        }

    def prompt(self, sample: Sample) -> Prompt:
        """The frames as a video, then the question."""
        images = self.frames(sample)
        video = VideoPart(Frames(tuple(images), tuple(place / self.fps for place in range(len(images)))))
        conversation = Conversation((user(video, sample.question),))
        return Prompt(conversation, Sampling(max_tokens=MAX_TOKENS), id=sample.id)

    def frames(self, sample: Sample) -> list[Image.Image]:
        """The frames that a sample's question is about; always the same."""
        rng = self.sample_rng(sample)
        count = sample.tags["length"] // self.tokens_per_frame
        images = [self._pool[rng.randrange(self.POOL)] for _ in range(count)]
        place = round(sample.tags["depth"] * (count - 1))
        if self.fact == "colour":
            images[place] = Image.new("RGB", self.size, COLOURS[sample.tags["shown"]])
        else:
            level = rng.randint(225, 250)
            images[place] = card(sample.tags["shown"], self.size, (level, level, level))
        return images

    def fact_of(self, rng: random.Random) -> tuple[str, list[str], dict[str, Any]]:
        if self.fact == "colour":
            shown = rng.choice(list(COLOURS))
            return self.QUESTIONS["colour"], [shown], {"shown": shown}
        number = rng.randint(1000, 9999)
        return self.QUESTIONS["number"], [str(number), f"{number:,}"], {"shown": str(number)}

    @cached_property
    def _pool(self) -> list[Image.Image]:
        """Scenes of coloured shapes, which hold no digit and are never of one colour."""
        drawn = (catalogue.draw("shapes", "heldout", self.seed, index).image for index in range(self.POOL))
        return [image.resize(self.size, Image.Resampling.BICUBIC) for image in drawn]


def card(text: str, size: tuple[int, int], paper: tuple[int, int, int]) -> Image.Image:
    """A frame with dark text in its middle, as large as fits, in Pillow's own font."""
    image = Image.new("RGB", size, paper)
    pen = ImageDraw.Draw(image)
    for height in range(size[1] // 2, 5, -1):
        font = ImageFont.load_default(size=height)
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
        if right - left <= 0.9 * size[0] and bottom - top <= 0.9 * size[1]:
            place = (size[0] - right + left) / 2 - left, (size[1] - bottom + top) / 2 - top
            pen.text(place, text, fill=(20, 20, 20), font=font)
            return image
    raise UsageError(f"a frame of {size[0]} x {size[1]} pixels has no room for {text!r}")
