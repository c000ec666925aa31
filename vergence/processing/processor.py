"""From a conversation to the tensors of one sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from vergence.conversation import Conversation, ImagePart, Message
from vergence.errors import DataError
from vergence.inputs import IGNORE, ModelInputs
from vergence.presets import ModelConfig
from vergence.processing.image import resize, to_patches
from vergence.processing.media import MediaLimits, decode_image, image_size
from vergence.processing.resize import grid_size
from vergence.processing.template import load_template
from vergence.processing.tokenizer import Tokenizer

Learn = Literal["answers", "text"]


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of ids of one kind: learned or not, visual or not."""

    ids: list[int]
    learned: bool


class Processor:
    """Conversations to `ModelInputs`, by the rules of one model configuration.

    `learn="answers"` labels the assistant turns marked with `loss` and their end token (instruction tuning);
    `learn="text"` labels all text but the special tokens that introduce a turn (pre-training).
    """

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer, limits: MediaLimits | None = None) -> None:
        self.config = config
        self.tokenizer = tokenizer
        self.limits = limits or MediaLimits()
        template = load_template(config.processing.template)
        if tokenizer.size > config.language.vocab_size:
            raise DataError(
                f"the tokenizer has {tokenizer.size} tokens, the model only {config.language.vocab_size} "
                "(model.language.vocab_size)"
            )
        special = tokenizer.special
        self._begin, self.end = special(template.begin), special(template.end)
        self._roles = {role: special(token) for role, token in template.roles.items()}
        image = template.image
        self._image_start, self._image_end = special(image.start), special(image.end)
        self._image_token, self._row_end = special(image.token), special(image.row_end)
        self._grid_rule = {
            "patch_size": config.vision.patch_size,
            "merge_size": config.vision.merge_size,
            "min_pixels": config.processing.min_pixels,
            "max_pixels": config.processing.max_pixels,
            "max_aspect": config.processing.max_aspect,
        }

    def grid(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of patches that an image of this size in pixels gets."""
        return grid_size(width, height, **self._grid_rule)  # type: ignore[arg-type]

    def token_count(self, conversation: Conversation, *, generate: bool = False) -> int:
        """Length of the processed sample in tokens, from text and image headers alone."""
        grids = [self.grid(*image_size(image, self.limits)) for image in conversation.images]
        return sum(len(run.ids) for run in self._runs(conversation, grids, "answers", generate))

    def __call__(self, conversation: Conversation, *, learn: Learn = "answers", generate: bool = False) -> ModelInputs:
        """Process a conversation; with `generate`, the role token of an assistant turn that is to come is appended.

        Raises `DataError` for an image that can't be used, or a conversation without messages.
        """
        if not conversation.messages:
            raise DataError("a conversation needs at least one message")
        patch_size, merge_size = self.config.vision.patch_size, self.config.vision.merge_size
        patches, grids = [], []
        for source in conversation.images:
            image = decode_image(source, self.limits)
            rows, columns = self.grid(*image.size)
            patches.append(to_patches(resize(image, (columns * patch_size, rows * patch_size)), patch_size, merge_size))
            grids.append((rows, columns))
        runs = self._runs(conversation, grids, learn, generate)
        ids = torch.tensor([i for run in runs for i in run.ids])
        learned = torch.tensor([run.learned for run in runs for _ in run.ids])
        empty = np.empty((0, 3 * patch_size**2), dtype=np.uint8)
        return ModelInputs(
            input_ids=ids,
            labels=torch.where(learned, ids, IGNORE),
            patches=torch.from_numpy(np.concatenate(patches) if patches else empty),
            grids=torch.tensor(grids).reshape(-1, 2),
            visual_positions=(ids == self._image_token).nonzero().squeeze(1),
        )

    def _runs(
        self, conversation: Conversation, grids: list[tuple[int, int]], learn: Learn, generate: bool
    ) -> list[_Run]:
        remaining = iter(grids)
        runs = [_Run([self._begin], False)]
        for message in conversation.messages:
            runs.append(_Run([self._roles[message.role]], False))
            learned = message.loss if message.role == "assistant" else learn == "text"
            runs += self._content(message, remaining, learned)
            runs.append(_Run([self.end], learned and message.role == "assistant"))
        if generate:
            runs.append(_Run([self._roles["assistant"]], False))
        return runs

    def _content(self, message: Message, grids: Iterator[tuple[int, int]], learned: bool) -> list[_Run]:
        runs = []
        for part in message.parts:
            if isinstance(part, ImagePart):
                runs.append(_Run(self._image_ids(*next(grids)), False))
            else:
                runs.append(_Run(self.tokenizer.encode(part.text), learned))
        return runs

    def _image_ids(self, rows: int, columns: int) -> list[int]:
        merge = self.config.vision.merge_size
        row = [self._image_token] * (columns // merge)
        if self.config.processing.row_token:
            row = [*row, self._row_end]
        return [self._image_start, *row * (rows // merge), self._image_end]
