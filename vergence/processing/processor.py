"""From a conversation to the tensors of one sample.

```
conversation ─▶ template ─▶ pieces: text, special tokens, media ─┬─▶ runs of ids ─▶ input_ids, labels, visual_positions
      └─▶ media ─▶ headers or pixels ─▶ plans (`processing.views`) ┴─▶ patches, grids, layouts
```
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from PIL import Image

from vergence.conversation import Conversation, Frames, MediaPart, VideoPart
from vergence.errors import DataError, UsageError
from vergence.inputs import IGNORE, ModelInputs
from vergence.model_config import ModelConfig, VisionConfig
from vergence.processing.markup import spread_media
from vergence.processing.media import MediaLimits, decode_image, image_size
from vergence.processing.pieces import Learn
from vergence.processing.template import ChatTemplate, load_template
from vergence.processing.tokenizer import Tokenizer
from vergence.processing.video import FrameSample, sample_dynamic, sample_uniform
from vergence.processing.video_file import VideoIndex, VideoLimits, decode_frames, read_index
from vergence.processing.views import Plan, plan_image, plan_video, to_views

__all__ = ["Learn", "Processor"]


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of ids of one kind: learned or not, visual or not."""

    ids: list[int]
    learned: bool = False
    visual: bool = False


@dataclass(frozen=True, slots=True)
class _VisualTokens:
    """The ids that a picture is written with; around it and after its rows only where the template has such tokens."""

    image: int
    video: int
    start: list[int]
    end: list[int]
    row_end: list[int]


@dataclass(frozen=True, slots=True)
class _Media:
    """An image (with its patches, if they are wanted), or the chosen frames of a video, and their plans."""

    part: MediaPart
    plans: list[Plan]
    patches: np.ndarray | None = None
    index: VideoIndex | None = None
    frames: tuple[int, ...] = ()


class Processor:
    """Conversations to `ModelInputs`, by the rules of one model configuration.

    `learn="answers"` labels the assistant turns marked with `loss` and their end token (instruction tuning);
    `learn="text"` labels all text but the special tokens that introduce a turn (pre-training). `ends` are the ids that
    end an answer, `end` is the first of them.
    """

    def __init__(
        self,
        config: ModelConfig,
        tokenizer: Tokenizer,
        limits: MediaLimits | None = None,
        video_limits: VideoLimits | None = None,
    ) -> None:
        """Raises `DataError` where the tokenizer does not fit or lacks a token, `UsageError` for a wrong template."""
        self.config = config
        self.tokenizer = tokenizer
        self.limits = limits or MediaLimits()
        self.video_limits = video_limits or VideoLimits()
        if tokenizer.size > config.language.vocab_size:
            raise DataError(
                f"the tokenizer has {tokenizer.size} tokens, the model only {config.language.vocab_size} "
                "(model.language.vocab_size)"
            )
        rule = config.processing
        placeholders = (rule.image_token, rule.video_token or rule.image_token)
        self.template = load_template(rule.template, tokenizer, media=placeholders)
        if not self.template.ends:
            raise DataError(f"chat template {rule.template!r} has no special token that ends an answer")
        if isinstance(self.template, ChatTemplate):  # a tokenizer that lacks a role's token is found now, not later
            for token in (self.template.begin, *self.template.roles.values()):
                tokenizer.special(token)
        self.ends = frozenset(tokenizer.special(token) for token in self.template.ends)
        self.end = tokenizer.special(self.template.ends[0])
        self._visual = self._visual_tokens() if config.vision else None

    def grid(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of patches that an image of this size in pixels gets; of AnyRes, those of its whole view.

        Raises `DataError` for a size that the model's rule refuses, and for a model that reads text only.
        """
        return plan_image(width, height, self._vision, self.config.processing).grids[0]

    def token_count(self, conversation: Conversation, *, generate: bool = False, thinking: bool | None = None) -> int:
        """Length of the processed sample in tokens, from text and the headers of its media alone.

        Raises `DataError` as a call does, but for pixels that are broken behind a good header.
        """
        media = [self._plan(part, alone, decode=False) for part, alone in self._media(conversation)]
        return sum(len(run.ids) for run in self._runs(conversation, media, "answers", generate, thinking))

    def __call__(
        self,
        conversation: Conversation,
        *,
        learn: Learn = "answers",
        generate: bool = False,
        thinking: bool | None = None,
        plain: bool = False,
    ) -> ModelInputs:
        """Process a conversation; with `generate`, it ends where an assistant turn that is to come begins.

        With `plain` the contents of its messages stand alone, without the chat template. `thinking` switches thoughts
        on or off where the template knows such a switch. Raises `DataError` for media that can't be used, for media in
        a conversation with a model that reads text only, and for one without messages.
        """
        media = [self._plan(part, alone, decode=True) for part, alone in self._media(conversation)]
        runs = self._runs(conversation, media, learn, generate, thinking, plain)
        plans = [plan for one in media for plan in one.plans]
        lengths = torch.tensor([len(run.ids) for run in runs])
        ids = torch.tensor([i for run in runs for i in run.ids])
        learned = torch.tensor([run.learned for run in runs]).repeat_interleave(lengths)
        visual = torch.tensor([run.visual for run in runs]).repeat_interleave(lengths)
        return ModelInputs(
            input_ids=ids,
            labels=torch.where(learned, ids, IGNORE),
            patches=torch.from_numpy(self._patches(media)),
            grids=torch.tensor([grid for plan in plans for grid in plan.grids], dtype=torch.long).reshape(-1, 2),
            visual_positions=visual.nonzero().squeeze(1),
            layouts=tuple(layout for plan in plans for layout in plan.layouts),
        )

    @property
    def _vision(self) -> VisionConfig:
        if self.config.vision is None:
            raise DataError("this model reads text only, it has no vision encoder: leave out images and videos")
        return self.config.vision

    def _visual_tokens(self) -> _VisualTokens:
        rule, special = self.config.processing, self.tokenizer.special
        if isinstance(self.template, ChatTemplate):
            own = self.template.image
            row_end = [special(own.row_end)] if rule.row_token else []
            token = special(own.token)
            return _VisualTokens(token, token, [special(own.start)], [special(own.end)], row_end)
        if rule.row_token:
            raise UsageError(
                f"processing.row_token: chat template {rule.template!r} has no token that ends a row, as seed has"
            )
        image = special(rule.image_token)
        return _VisualTokens(image, special(rule.video_token) if rule.video_token else image, [], [], [])

    def _media(self, conversation: Conversation) -> list[tuple[MediaPart, bool]]:
        """Each image and video, and whether it is the conversation's only image."""
        if not conversation.messages:
            raise DataError("a conversation needs at least one message")
        alone = len(conversation.images) == 1
        return [(part, alone) for part in conversation.media]

    def _plan(self, part: MediaPart, alone: bool, *, decode: bool) -> _Media:
        """What a part becomes, from its header alone; with `decode` from an image's pixels, which are cut at once."""
        vision, rule = self._vision, self.config.processing
        if isinstance(part, VideoPart):
            if isinstance(part.video, Frames):
                size, level = self._given(part.video)
                return _Media(part, plan_video(*size, part.video.seconds, level, vision, rule))
            index = read_index(part.video, self.video_limits)
            sample = self._sample(index, part.fps)
            plans = plan_video(*index.size, sample.seconds, sample.level, vision, rule)
            return _Media(part, plans, index=index, frames=sample.indices)
        image = decode_image(part.image, self.limits) if decode else None
        size = image.size if image else image_size(part.image, self.limits)
        plan = plan_image(*size, vision, rule, alone=alone)
        return _Media(part, [plan], to_views(image, plan, vision, rule) if image else None)

    def _sample(self, index: VideoIndex, fps: float | None) -> FrameSample:
        """The frames of a video by the configuration's rule; `fps` is the conversation's own wish."""
        rule = self.config.processing.video
        if rule.rule == "dynamic":
            return sample_dynamic(
                index.seconds,
                index.duration,
                fps=fps or rule.fps,
                levels=rule.levels,
                budget=rule.budget,
                min_frames=rule.least_frames,
            )
        wished = rule.frames if fps is None else max(1, round(index.duration * fps))
        return sample_uniform(index.seconds, min(rule.frames, wished))

    def _given(self, frames: Frames) -> tuple[tuple[int, int], int | None]:
        """The size in pixels of frames that were chosen already, and the level at which they are looked at.

        The level is the highest whose tokens for all frames are within the budget, or else the lowest.
        """
        sizes = {image_size(image, self.limits) for image in frames.images}
        if len(sizes) > 1:
            raise DataError(f"the frames of a video have different sizes: {', '.join(map(str, sorted(sizes)))}")
        rule = self.config.processing.video
        fitting = (level for level in rule.levels if level * len(frames.images) <= rule.budget)
        return sizes.pop(), next(fitting, rule.levels[-1]) if rule.rule == "dynamic" else None

    def _patches(self, media: Sequence[_Media]) -> np.ndarray:
        """The patches of all media `[P, p*p*3]` uint8; of a video, one frame is in memory at a time."""
        grids = [grid for one in media for plan in one.plans for grid in plan.grids]
        patches = np.empty((sum(h * w for h, w in grids), self.config.patch_values), dtype=np.uint8)
        start = 0
        for one in media:
            for views in [one.patches] if one.patches is not None else self._frames(one):
                patches[start : start + len(views)] = views
                start += len(views)
        return patches

    def _frames(self, media: _Media) -> Iterator[np.ndarray]:
        """The patches of each chosen frame of a video in turn."""
        assert isinstance(media.part, VideoPart), "an image's patches are cut when it is decoded"
        video = media.part.video
        if isinstance(video, Frames):
            count = len(video.images)
            frames: Iterable[Image.Image] = (decode_image(image, self.limits) for image in video.images)
        else:
            assert media.index is not None, "a video is planned by its index"
            count, frames = len(media.frames), decode_frames(video, media.index, media.frames, self.video_limits)
        plans = media.plans if len(media.plans) > 1 else media.plans * count
        for frame, plan in zip(frames, plans, strict=True):
            yield to_views(frame, plan, self._vision, self.config.processing)

    def _runs(
        self,
        conversation: Conversation,
        media: Sequence[_Media],
        learn: Learn,
        generate: bool,
        thinking: bool | None,
        plain: bool = False,
    ) -> list[_Run]:
        if plain:
            pieces = self.template.plain(conversation)
        else:
            pieces = self.template.render(conversation, learn=learn, generate=generate, thinking=thinking)
        leads = [[plan.lead for plan in one.plans] for one in media]
        pictures = chain.from_iterable([(plan, isinstance(one.part, VideoPart)) for plan in one.plans] for one in media)
        runs = [_Run(self.tokenizer.opening)] if plain else []
        for piece in spread_media(pieces, leads, self.template.ends):
            if piece.kind == "text":
                runs.append(_Run(self.tokenizer.encode(piece.text), piece.learned))
            elif piece.kind == "special":
                runs.append(_Run([self.tokenizer.special(piece.text)], piece.learned))
            else:
                runs += self._picture(*next(pictures))
        return runs

    def _picture(self, plan: Plan, in_video: bool) -> Iterator[_Run]:
        """The ids of one picture: start, its visual tokens row by row, end."""
        visual = self._visual
        assert visual is not None, "media are refused where there is no encoder"
        token = visual.video if in_video else visual.image
        yield _Run(visual.start)
        if visual.row_end:
            for row in plan.rows:
                yield _Run([token] * row, visual=True)
                yield _Run(visual.row_end)
        else:
            yield _Run([token] * plan.tokens, visual=True)
        yield _Run(visual.end)
