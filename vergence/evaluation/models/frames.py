"""Conversations for models that take pictures only: every picture decoded, every video as a few of its frames."""

from __future__ import annotations

import math
from dataclasses import replace

from PIL import Image

from vergence.conversation import Conversation, Frames, ImagePart, MediaPart, Part, VideoPart
from vergence.errors import UsageError
from vergence.processing.media import decode_image
from vergence.processing.video import sample_uniform
from vergence.processing.video_file import decode_frames, read_index

FRAMES = 8
"""Frames of a video unless something else is asked for."""


def check_frames(frames: int) -> int:
    """The same number. Raises `UsageError` where it is less than 1."""
    if frames < 1:
        raise UsageError(f"frames {frames}: at least 1 frame of a video must be shown")
    return frames


def pictures(part: MediaPart, frames: int = FRAMES) -> list[Image.Image]:
    """The pictures, upright RGB, that stand for an image or a video. Raises `DataError` where it can't be read.

    Frames that somebody has chosen are all taken. Another video gives at most `frames`, evenly spaced by index
    (`vergence.processing.video.sample_uniform`); where it asks for a rate, no more than that rate gives.
    """
    if isinstance(part, ImagePart):
        return [decode_image(part.image)]
    if isinstance(part.video, Frames):
        return [decode_image(image) for image in part.video.images]
    index = read_index(part.video)
    if part.fps is not None:
        frames = max(1, min(frames, math.ceil(index.duration * part.fps - 1e-6)))
    return list(decode_frames(part.video, index, sample_uniform(index.seconds, frames).indices))


def with_pictures(conversation: Conversation, frames: int = FRAMES) -> Conversation:
    """The same conversation, whose only media are decoded pictures, in reading order. Raises as `pictures` does."""
    messages = []
    for message in conversation.messages:
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, ImagePart | VideoPart):
                parts += [ImagePart(image) for image in pictures(part, frames)]
            else:
                parts.append(part)
        messages.append(replace(message, parts=tuple(parts)))
    return Conversation(tuple(messages), conversation.metadata)
