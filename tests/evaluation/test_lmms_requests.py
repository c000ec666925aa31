"""lmms-eval's messages and settings in our terms."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vergence.conversation import Frames, ImagePart, TextPart, VideoPart
from vergence.errors import DataError
from vergence.evaluation.lmms_requests import conversation, sampling, simple_conversation
from vergence.inference.sampler import Sampling

PICTURE = Image.new("RGB", (4, 3), (10, 20, 30))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, Sampling()),
        ({"until": ["\n\n"], "do_sample": False}, Sampling()),
        ({"max_new_tokens": 16, "temperature": 0, "top_p": 1.0, "num_beams": 1}, Sampling(max_tokens=16)),
        ({"max_gen_toks": 9, "until": "###"}, Sampling(max_tokens=9, stop=("###",))),
        ({"until": ["a", "", None, "\n\n", "b"]}, Sampling(stop=("a", "b"))),
        ({"temperature": 0.7, "do_sample": False}, Sampling()),
        ({"temperature": 0.0, "do_sample": True}, Sampling()),
    ],
)
def test_greedy_settings(settings, expected):
    assert sampling(settings) == expected


def test_sampled_settings_are_seeded_by_name():
    warm = sampling({"temperature": 0.7, "top_p": None, "top_k": None}, "a")
    assert (warm.temperature, warm.top_p, warm.top_k) == (0.7, 1.0, 0)
    assert sampling({"do_sample": True, "top_p": 0.5, "top_k": 3}, "a") == Sampling(
        temperature=1.0, top_p=0.5, top_k=3, seed=warm.seed
    )
    assert sampling({"temperature": 0.7}, "b").seed not in (warm.seed, None)


def test_messages_keep_their_places():
    talk = conversation(
        [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image", "url": PICTURE},
                    {"type": "text", "text": "b"},
                    {"type": "video", "url": "/data/clip.mp4"},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "c"}]},
        ],
        frames=4,
    )
    assert [message.role for message in talk.messages] == ["system", "user", "assistant"]
    assert talk.messages[1].parts == (
        TextPart("a"),
        ImagePart(PICTURE),
        TextPart("b"),
        VideoPart(Path("/data/clip.mp4")),
    )


def test_simple_questions_show_their_media_first():
    talk = simple_conversation("What?", [[PICTURE], "/d/a.JPG", "/d/b.mkv", {"path": "/d/c.mp4"}], frames=4)
    [message] = talk.messages
    assert message.parts == (
        ImagePart(PICTURE),
        ImagePart(Path("/d/a.JPG")),
        VideoPart(Path("/d/b.mkv")),
        VideoPart(Path("/d/c.mp4")),
        TextPart("What?"),
    )
    assert simple_conversation("What?", None, 4).messages[0].parts == (TextPart("What?"),)
    assert simple_conversation("", PICTURE, 4).messages[0].parts == (ImagePart(PICTURE),)


def test_data_in_a_url():
    png = io.BytesIO()
    PICTURE.save(png, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
    assert simple_conversation("", [url], 4).images == [png.getvalue()]
    with pytest.raises(DataError, match="broken base64"):
        simple_conversation("", ["data:image/png;base64,?"], 4)


@pytest.mark.parametrize("form", ["dictionary", "message"])
def test_a_part_of_a_video_is_cut_out(tmp_path, form):
    pytest.importorskip("av")
    frames = [Image.fromarray(np.full((16, 16, 3), 20 * number, np.uint8)) for number in range(10)]
    path = tmp_path / "clip.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    if form == "dictionary":
        talk = simple_conversation("", [{"url": f"file://{path}", "video_start": 0.3, "video_end": 0.6}], 3)
    else:
        part = {"type": "video", "url": str(path), "start_time": 0.3, "end_time": 0.6}
        talk = conversation([{"role": "user", "content": [part]}], 3)
    [video] = talk.media
    assert isinstance(video, VideoPart)
    assert isinstance(video.video, Frames)
    assert [round(second, 1) for second in video.video.seconds] == [0.3, 0.4, 0.6]
    levels = [int(np.asarray(image).mean()) for image in video.video.images]
    assert levels == pytest.approx([60, 80, 120], abs=4)


@pytest.mark.parametrize(
    ("visual", "told"),
    [
        ("https://host/a.png", "pictures and videos are not fetched"),
        (7, "shows a int, which is neither"),
        ({"array": [0.0], "sampling_rate": 8}, "shows a dict, which is neither"),
    ],
)
def test_what_cannot_be_shown(visual, told):
    with pytest.raises(DataError, match=told):
        simple_conversation("What?", [visual], 4)
    with pytest.raises(DataError, match="'audio'; only text, pictures and videos"):
        conversation([{"role": "user", "content": [{"type": "audio", "url": "a.wav"}]}], 4)
