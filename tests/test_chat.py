"""Chat at the terminal and for programs, on a tiny random model; once with its answers put in its mouth."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from vergence import chat
from vergence.conversation import ImagePart, TextPart, VideoPart, from_json
from vergence.errors import DataError, UsageError
from vergence.inference.engine import Engine, Request, Sampling
from vergence.inference.text_stream import Kind
from vergence.model_config import LanguageConfig, ModelConfig, ProcessingConfig, ProjectorConfig, VisionConfig
from vergence.models.checkpoint import save_model
from vergence.models.vlm import VLM
from vergence.processing.processor import Processor
from vergence.processing.template import load_template
from vergence.processing.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def engine() -> Engine:
    config = ModelConfig(
        vision=VisionConfig(width=16, depth=1, heads=2, mlp_width=16),
        projector=ProjectorConfig(hidden=16),
        language=LanguageConfig(
            vocab_size=300, width=32, depth=1, heads=2, kv_heads=1, mlp_width=16, context=128, tied=False
        ),
        processing=ProcessingConfig(max_pixels=9 * 784),
    )
    model = VLM(config)
    model.initialise(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(10)
    tokenizer = train_tokenizer(["a cat"], vocab_size=270, special_tokens=load_template("seed").special_tokens)
    return Engine(model, Processor(config, tokenizer))


@pytest.fixture(scope="module")
def run(engine, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("run")
    save_model(path / "final", engine.model, tokenizer=engine.processor.tokenizer.backend.to_str())
    return path


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / "a cat.png"
    Image.new("RGB", (100, 50), "red").save(path)
    return path


@pytest.fixture
def clip(tmp_path) -> Path:
    """Two seconds, two frames."""
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=1)
        stream.width, stream.height, stream.pix_fmt = 56, 28, "bgr0"
        frames = [av.VideoFrame.from_image(Image.new("RGB", (56, 28), (100 * i, 0, 0))) for i in range(2)]
        for frame in [*frames, None]:
            container.mux(stream.encode(frame))
    return path


@pytest.fixture
def spoken(engine, monkeypatch) -> Iterator[list[Request]]:
    """The engine says `heard N` for its N-th request, and `interrupt` stops it in the middle."""
    requests: list[Request] = []

    def stream_parts(request: Request) -> Iterator[tuple[Kind, str]]:
        requests.append(request)
        engine.processor(request.conversation, generate=True)
        said = request.conversation.messages[-1].text
        if said.startswith("think"):
            yield "thought", "hm "
            yield "thought", "\x1b[31mso"
        if said == "think only":
            return
        yield "text", "heard "
        if said == "interrupt":
            raise KeyboardInterrupt
        yield "text", f"{len(requests)}\x1b[31m"

    monkeypatch.setattr(engine, "stream_parts", stream_parts)
    return requests


def talk(engine, monkeypatch, capsys, *lines, **options):
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    assert chat.interactive(engine, **options) == 0
    captured = capsys.readouterr()
    return captured.out.splitlines(), captured.err.splitlines()


def test_a_conversation(engine, spoken, monkeypatch, capsys, picture):
    out, err = talk(engine, monkeypatch, capsys, f'what is "{picture}"', "", "and now?")
    assert out == ["heard 1�[31m", "heard 2�[31m"]
    assert any("attached" in line and "(100x50)" in line for line in err)
    assert spoken[0].conversation.images == [picture]
    assert [m.text for m in spoken[1].conversation.messages] == ["what is", "heard 1\x1b[31m", "and now?"]


def test_images_given_at_the_start_and_by_command(engine, spoken, monkeypatch, capsys, picture):
    talk(engine, monkeypatch, capsys, f"/image {picture}", f"/image '{picture}'", str(picture), "hi", images=[picture])
    assert spoken[0].conversation.images == [picture] * 4


def test_a_bad_image_is_one_line_and_the_loop_goes_on(engine, spoken, monkeypatch, capsys, tmp_path, picture):
    header_only = tmp_path / "broken.png"
    header_only.write_bytes(picture.read_bytes()[:60])
    text = tmp_path / "text.png"
    text.write_text("no picture")
    lines = [f"see {header_only}", f"see {text}", f"/image {tmp_path / 'none.png'}", f"/image {tmp_path}", "hello"]
    out, err = talk(engine, monkeypatch, capsys, *lines)
    errors = [line for line in err if line.startswith("error: ")]
    assert ["broken.png" in errors[0], "text.png" in errors[1], "none.png" in errors[2]] == [True] * 3
    assert len(errors) == 4
    assert len(out) == 1
    assert [m.text for m in spoken[-1].conversation.messages] == ["hello"]
    assert spoken[-1].conversation.images == []


def test_interrupting_stops_the_answer_only(engine, spoken, monkeypatch, capsys):
    out, err = talk(engine, monkeypatch, capsys, "interrupt", "go on")
    assert out == ["heard ", "heard 2�[31m"]
    assert "(stopped)" in err
    assert [m.text for m in spoken[1].conversation.messages] == ["interrupt", "heard ", "go on"]


def test_videos_are_attached_by_path_by_command_and_at_the_start(
    engine, spoken, monkeypatch, capsys, clip, picture, tmp_path
):
    saved = tmp_path / "talk.jsonl"
    lines = [
        f"what moves in {clip} and '{picture}'?",
        "/fps 2",
        f"/video {clip}",
        "/fps",
        f'/video "{clip}"',
        "and here?",
    ]
    _, err = talk(engine, monkeypatch, capsys, *lines, f"/save {saved}", videos=[VideoPart(clip, 4.0)], fps=0.5)
    assert [line for line in err if line.startswith("attached")] == [
        f"attached {clip} (56x28, 2.0 s)",
        f"attached {clip} (56x28, 2.0 s)",
        f"attached {picture} (100x50)",
        f"attached {clip} (56x28, 2.0 s)",
        f"attached {clip} (56x28, 2.0 s)",
    ]
    first, _, second = spoken[1].conversation.messages
    assert first.parts == (
        VideoPart(clip, 4.0),
        VideoPart(clip, 0.5),
        ImagePart(picture),
        TextPart("what moves in and?"),
    )
    assert second.parts == (VideoPart(clip, 2.0), VideoPart(clip), TextPart("and here?"))
    assert [line for line in err if line.startswith("fps=")] == ["fps=2.0", "fps=the choice of the model"]
    conversation = from_json(json.loads(saved.read_text(encoding="utf-8")), folder=tmp_path, where="saved")
    assert conversation.media == [*first.parts[:3], *second.parts[:2]]


def test_what_is_wrong_with_a_video_is_one_line(engine, spoken, monkeypatch, capsys, tmp_path, clip, picture):
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(clip.read_bytes()[:-40])
    lines = [f"see {text}", f"see {cut}", f"/video {tmp_path / 'none.mp4'}", f"/video '{picture}'", "/video", "hello"]
    lines += ["/fps many", "/fps 0", "/fps -1", "/fps nan", "/fps inf"]
    out, err = talk(engine, monkeypatch, capsys, *lines)
    errors = [line.removeprefix("error: ") for line in err if line.startswith("error: ")]
    assert ["text.mp4" in errors[0], "cut.mkv" in errors[1], "none.mp4" in errors[2], "a cat.png" in errors[3]] == [
        True
    ] * 4
    assert errors[4:] == [
        "fps: 'many' is not a number",
        *(f"fps must be a number greater than 0, got {value}" for value in ("0", "-1", "nan", "inf")),
    ]
    assert "usage: /video PATH" in err
    assert len(out) == 1
    assert spoken[0].conversation.media == []
    monkeypatch.setitem(sys.modules, "av", None)
    _, err = talk(engine, monkeypatch, capsys, f"see {clip}")
    assert err == ["error: videos need PyAV: pip install 'vergence[video]'"]


def test_a_model_of_text_alone_says_so(engine, monkeypatch, capsys, picture, clip):
    config = engine.model.config.model_copy(update={"vision": None, "projector": None})
    alone = Engine(VLM(config), Processor(config, engine.processor.tokenizer))
    alone.model.initialise(0)
    lines = [f"see '{picture}'", f"/image {picture}", f"see {clip}", "hello"]
    out, err = talk(alone, monkeypatch, capsys, *lines, sampling=Sampling(max_tokens=3))
    assert err[:3] == ["error: this model reads text only, it has no vision encoder: leave out images and videos"] * 3
    assert len(out) + len(err) == 4, "the last line is answered, if with nothing"


def test_a_thought_goes_apart_and_is_no_part_of_the_conversation(engine, spoken, monkeypatch, capsys):
    out, err = talk(engine, monkeypatch, capsys, "think", "think only", "so?", thinking=True)
    assert out == ["heard 1�[31m", "", "heard 3�[31m"]
    assert err == ["hm �[31mso", "hm �[31mso", "(a thought without an answer; /set max_tokens allows longer ones)"]
    assert [m.text for m in spoken[2].conversation.messages] == ["think", "heard 1\x1b[31m", "so?"]
    assert [request.thinking for request in spoken] == [True] * 3


@pytest.mark.parametrize(("variable", "dim", "plain"), [("COLUMNS", "\x1b[2m", "\x1b[0m"), ("NO_COLOR", "", "")])
def test_a_thought_is_dimmed_on_a_terminal(engine, spoken, monkeypatch, variable, dim, plain):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    session = chat.Session(engine, Sampling())
    session.reply("think")
    assert terminal.getvalue() == f"{dim}hm \ufffd[31mso{plain}\n\nheard 1\ufffd[31m\n"


def test_commands(engine, spoken, monkeypatch, capsys, tmp_path, picture):
    saved = tmp_path / "talk.jsonl"
    lines = [
        "/help", "/set temperature 0.7", "/set stop end of", "/set seed 3", "/set seed none", "/set", "/set heat 1",
        "/set top_k many", "/set top_p 7", f"{picture.parent}/a\\ cat.png hi", f"/save {saved}", f"/save {saved}",
        f"/save {tmp_path}/no/folder", "/reset", "again", "/dance", "/image", "/quit", "never",
    ]  # fmt: skip
    _, err = talk(engine, monkeypatch, capsys, *lines)
    everything = "\n".join(err)
    assert "/save FILE" in everything
    assert "temperature=0.7" in everything
    assert "stop=('end of',)" in everything
    assert "no setting 'heat'; there are: temperature" in everything
    assert "top_k: 'many' is not a number" in everything
    assert "top_p must be" in everything
    assert "talk.jsonl: exists already" in everything
    assert "can't be written" in everything
    assert "no command /dance" in everything
    assert "usage: /image PATH" in everything
    assert spoken[0].sampling == Sampling(temperature=0.7, stop=("end of",))
    assert len(spoken) == 2
    assert len(spoken[1].conversation.messages) == 1
    conversation = from_json(json.loads(saved.read_text(encoding="utf-8")), folder=tmp_path, where="saved")
    assert [m.text for m in conversation.messages] == ["hi", "heard 1\x1b[31m"]
    assert conversation.images == [picture.resolve()]


def test_one_answer_on_plain_text(run, engine, capsys, picture):
    sampling = Sampling(temperature=1, seed=4, max_tokens=20)
    assert chat.main(run, images=[picture], prompt="What?", sampling=sampling) == 0
    text = chat.answer(engine, "What?", [picture], sampling)["text"]
    assert capsys.readouterr().out == chat._printable(text) + "\n"


def test_one_answer_with_a_thought_and_a_video(run, engine, spoken, monkeypatch, capsys, clip):
    monkeypatch.setattr(Engine, "load", lambda *_, **options: loaded.append(options) or engine)
    loaded: list[dict[str, str]] = []
    options = {"videos": [clip], "fps": 1.5, "thinking": False, "dtype": "float32"}
    assert chat.main(run, prompt="think", **options) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("heard 1\ufffd[31m\n", "hm \ufffd[31mso\n")
    assert spoken[0].conversation.messages[0].parts == (VideoPart(clip, 1.5), TextPart("think"))
    assert spoken[0].thinking is False
    assert loaded == [{"device": "cpu", "dtype": "float32"}]
    result = chat.answer(engine, "What?", [], Sampling(max_tokens=3), videos=[VideoPart(clip)])
    assert result["usage"]["image_tokens"] == 12, "two frames of 2 x 3 tokens"
    assert result["thought"] is None
    assert "image" not in result
    with pytest.raises(DataError, match=r"none\.mp4: no such file"):
        chat.main(run, prompt="x", videos=[clip.with_name("none.mp4")])
    with pytest.raises(UsageError, match="fps must be a number greater than 0, got nan"):
        chat.main(run, prompt="x", videos=[clip], fps=float("nan"))


def test_one_answer_as_json(run, capsys, picture):
    sampling = Sampling(max_tokens=5, logprobs=True)
    assert chat.main(run, images=[picture], prompt="What?", json_output=True, sampling=sampling) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["usage"]["image_tokens"] == 8
    assert result["usage"]["completion_tokens"] == len(result["token_ids"]) == len(result["logprobs"])
    assert result["finish_reason"] in ("stop", "length")
    assert result["image"] == {"width": 100, "height": 50}


def test_boxes_and_points_are_in_pixels(engine, monkeypatch, picture):
    said = "<bbox>100 200 500 999</bbox> and <point>500 500</point>"
    [output] = engine.generate([Request(chat.Conversation((chat.user("x"),)), Sampling(max_tokens=1))])
    monkeypatch.setattr(engine, "generate", lambda requests: [type(output)(said, [1], None, "stop", 3, 0)])
    result = chat.answer(engine, "where?", [picture], Sampling())
    assert result["boxes"] == [{"x1": 10.0, "y1": 10.0, "x2": 50.0, "y2": 49.95}]
    assert result["points"] == [{"x": 50.0, "y": 25.0}]
    assert "boxes" not in chat.answer(engine, "where?", [], Sampling())


def test_a_single_answer_refuses_what_is_wrong(run, tmp_path):
    with pytest.raises(DataError, match=r"none\.png: no such file"):
        chat.main(run, images=[tmp_path / "none.png"], prompt="hi")
    with pytest.raises(DataError, match="no such run or checkpoint folder"):
        chat.main(tmp_path / "absent", prompt="hi")
    with pytest.raises(UsageError, match="--json needs --prompt"):
        chat.main(run, json_output=True)
    with pytest.raises(UsageError, match="device 'warp' is not available"):
        chat.main(run, prompt="hi", device="warp")
    with pytest.raises(UsageError, match="dtype 'int8' is not one of auto, float32, bfloat16"):
        chat.main(run, prompt="hi", dtype="int8")


def test_talking_through_a_pipe_without_stubs(run, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n" + "long " * 200 + "\nhello"))
    assert chat.main(run, sampling=Sampling(temperature=1, seed=0, max_tokens=8)) == 0
    captured = capsys.readouterr()
    assert captured.out
    assert "context of 128" in captured.err
