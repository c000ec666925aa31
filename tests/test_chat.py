"""Chat at the terminal and for programs, on a tiny random model; once with its answers put in its mouth."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from vergence import chat
from vergence.conversation import from_json
from vergence.errors import DataError, UsageError
from vergence.inference.engine import Engine, Request, Sampling
from vergence.models.checkpoint import save_model
from vergence.models.vlm import VLM
from vergence.presets import LanguageConfig, ModelConfig, ProcessingConfig, ProjectorConfig, VisionConfig
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
def spoken(engine, monkeypatch) -> Iterator[list[Request]]:
    """The engine says `heard N` for its N-th request, and `interrupt` stops it in the middle."""
    requests: list[Request] = []

    def stream(request: Request) -> Iterator[str]:
        requests.append(request)
        engine.processor(request.conversation, generate=True)
        yield "heard "
        if request.conversation.messages[-1].text == "interrupt":
            raise KeyboardInterrupt
        yield f"{len(requests)}\x1b[31m"

    monkeypatch.setattr(engine, "stream", stream)
    return requests


def talk(engine, monkeypatch, capsys, *lines, **options):
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    assert chat.interactive(engine, **options) == 0
    captured = capsys.readouterr()
    return captured.out.splitlines(), captured.err.splitlines()


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    for name in ("cat.png", "two words.JPG", "it's.webp", "notes.txt", "a.png"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "rest", "names"),
    [
        ("Describe ./cat.png please", "Describe please", ["cat.png"]),
        ("What is in cat.png?", "What is in?", ["cat.png"]),
        ("cat.png What is it", "What is it", ["cat.png"]),
        ("cat.png", "", ["cat.png"]),
        ("cat.png a.png compare", "compare", ["cat.png", "a.png"]),
        ('see "two words.JPG", then', "see, then", ["two words.JPG"]),
        ("see 'two words.JPG' then", "see then", ["two words.JPG"]),
        (r"see two\ words.JPG then", "see then", ["two words.JPG"]),
        ("see ~/cat.png", "see", ["cat.png"]),
        ("look (cat.png).", "look ().", ["cat.png"]),
        ("it's.webp isn't 'new'", "isn't 'new'", ["it's.webp"]),
        ("what's in cat.png, 'sir'", "what's in, 'sir'", ["cat.png"]),
        ('"what is cat.png', '"what is', ["cat.png"]),
        ("read notes.txt", "read notes.txt", []),
        ("a  missing.png  file", "a  missing.png  file", []),
        ("cat.png.bak a.pngx .png", "cat.png.bak a.pngx .png", []),
        ("http://example.com/cat.png", "http://example.com/cat.png", []),
        ("\x00.png ~nobody/x.png", "\x00.png ~nobody/x.png", []),
    ],
)
def test_find_images(files, text, rest, names):
    assert chat.find_images(text) == (rest, [Path(p).expanduser() for p in paths_as_typed(text, names)])


def paths_as_typed(text: str, names: list[str]) -> list[str]:
    prefixes = {name: next((p for p in ("~/", "./") if p + name in text), "") for name in names}
    return [prefixes[name] + name for name in names]


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


def test_talking_through_a_pipe_without_stubs(run, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n" + "long " * 200 + "\nhello"))
    assert chat.main(run, sampling=Sampling(temperature=1, seed=0, max_tokens=8)) == 0
    captured = capsys.readouterr()
    assert captured.out
    assert "context of 128" in captured.err
