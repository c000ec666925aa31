"""The needle among frames: where it is, what it shows, what stands around it."""

from __future__ import annotations

import numpy as np
import pytest

from vergence.conversation import Frames, TextPart, VideoPart
from vergence.data.synthesis.palette import COLOURS
from vergence.errors import UsageError
from vergence.evaluation.capabilities import check_samples
from vergence.evaluation.task import Answer, Record, fingerprint
from vergence.evaluation.tasks.needle_video import NeedleVideo, card


def pixels(image):
    return np.asarray(image, np.int16)


def test_the_frames_are_a_video_and_one_of_them_has_the_number():
    task = NeedleVideo(lengths=[1, 5, 40], depths=[0, 0.5, 1], repeats=2, size=(84, 56), fps=2)
    check_samples(task.samples())
    assert len(task.samples()) == 18
    pool = {frame.tobytes() for frame in task._pool}
    for sample in task.samples():
        (message,) = task.prompt(sample).conversation.messages
        video, question = message.parts
        assert isinstance(video, VideoPart)
        assert isinstance(video.video, Frames)
        assert question == TextPart(sample.question)
        length, depth = sample.tags["length"], sample.tags["depth"]
        assert video.video.seconds == tuple(place / 2 for place in range(length))
        strange = [i for i, image in enumerate(video.video.images) if image.tobytes() not in pool]
        assert strange == [round(depth * (length - 1))]
        frame = video.video.images[strange[0]]
        level = frame.getpixel((0, 0))
        assert frame.tobytes() == card(sample.tags["shown"], (84, 56), level).tobytes()
        assert {image.size for image in video.video.images} == {(84, 56)}


def test_a_number_is_drawn_large_and_legible():
    shown = pixels(card("4821", (112, 112), (240, 240, 240)))
    dark = (shown < 120).all(2)
    columns, rows = np.flatnonzero(dark.any(0)), np.flatnonzero(dark.any(1))
    assert columns[-1] - columns[0] > 0.75 * 112
    assert abs((columns[0] + columns[-1]) / 2 - 56) < 4
    assert abs((rows[0] + rows[-1]) / 2 - 56) < 4
    assert card("4821", (112, 112), (240, 240, 240)).tobytes() != card("4827", (112, 112), (240, 240, 240)).tobytes()
    with pytest.raises(UsageError, match="no room"):
        card("1234567890" * 5, (40, 40), (0, 0, 0))


def test_a_colour_fills_its_frame():
    task = NeedleVideo(lengths=[9], depths=[0.25], repeats=6, fact="colour")
    for sample in task.samples():
        images = task.frames(sample)
        plain = [i for i, image in enumerate(images) if len(image.getcolors(1 << 20)) == 1]
        assert plain == [2]
        assert images[2].getpixel((3, 3)) == COLOURS[sample.tags["shown"]]
        assert task.score(sample, Answer(f"It is {sample.tags['shown']}.")).scores["accuracy"] == 1
        assert task.score(sample, Answer("beige")).scores["accuracy"] == 0
    assert len({sample.tags["shown"] for sample in task.samples()}) > 2


def test_lengths_in_tokens_become_frames():
    task = NeedleVideo(lengths=[1000], depths=[1], repeats=1, tokens_per_frame=64)
    assert len(task.frames(task.samples()[0])) == 15


def test_it_is_always_the_same():
    first, again, other = (NeedleVideo(lengths=[6], depths=[0, 1], seed=seed) for seed in (0, 0, 1))
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)
    assert fingerprint(first) != fingerprint(NeedleVideo(lengths=[6], depths=[0, 1], fps=2))
    content = [[image.tobytes() for image in first.frames(sample)] for sample in first.samples()]
    assert content == [[i.tobytes() for i in again.frames(s)] for s in reversed(again.samples())][::-1]


def test_the_result_is_a_grid():
    task = NeedleVideo(lengths=[4, 8], depths=[0, 1], repeats=1)
    answers = [Answer("1" if sample.tags["depth"] else sample.tags["shown"]) for sample in task.samples()]
    records = [Record(s, a, task.score(s, a)) for s, a in zip(task.samples(), answers, strict=True)]
    values = {m.group: m.value for m in task.aggregate(records) if m.metric == "accuracy"}
    assert (values[""], values["length=8,depth=0"], values["length=8,depth=1"]) == (0.5, 1, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fact": "shape"}, "not one of number, colour"),
        ({"size": (10, 112)}, "can't draw"),
        ({"fps": 0}, "can't draw"),
        ({"lengths": [100], "tokens_per_frame": 256}, "shorter than one frame"),
        ({"depths": [-0.1]}, "from 0 to 1"),
    ],
)
def test_impossible_videos_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        NeedleVideo(**options)
