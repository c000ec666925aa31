"""Frames that were chosen already go in as the video that they are frames of."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from vergence.conversation import Conversation, Frames, VideoPart, user
from vergence.errors import DataError, UsageError
from vergence.inputs import ModelInputs
from vergence.processing.video_file import decode_frames, read_index


def pictures(count: int, size: tuple[int, int] = (70, 42)) -> tuple[Image.Image, ...]:
    return tuple(Image.effect_noise(size, 40 + i).convert("RGB") for i in range(count))


def same(a: ModelInputs, b: ModelInputs) -> bool:
    return torch.equal(a.input_ids, b.input_ids) and torch.equal(a.patches, b.patches) and a.layouts == b.layouts


@pytest.mark.parametrize("preset", ["seed-tiny", "llava-onevision-tiny", "kimi-vl-tiny"])
def test_frames_equal_the_video_that_they_are_taken_from(make_family, clip, preset):
    processor = make_family(preset).processor
    video = VideoPart(clip, fps=2)
    index = read_index(clip, processor.video_limits)
    sample = processor._sample(index, video.fps)
    images = tuple(decode_frames(clip, index, sample.indices, processor.video_limits))
    whole = processor(Conversation((user(video, "What happens?"),)), generate=True)
    parts = Conversation((user(VideoPart(Frames(images, sample.seconds)), "What happens?"),))
    assert same(whole, processor(parts, generate=True))
    assert processor.token_count(parts, generate=True) == len(whole)


def test_what_are_no_frames_is_refused(make_family):
    for images, seconds in [((), ()), (pictures(2), (0.0,)), (pictures(2), (1.0, 0.0)), (pictures(1), (-1.0,))]:
        with pytest.raises(UsageError, match="frames: "):
            Frames(images, seconds)
    mixed = Frames((*pictures(1), *pictures(1, (42, 70))), (0.0, 1.0))
    with pytest.raises(DataError, match="different sizes"):
        make_family("seed-tiny").processor(Conversation((user(VideoPart(mixed), "?"),)))
