"""A chat endpoint as a model: what it is sent, what its replies become, and that failures stay single."""

from __future__ import annotations

import base64
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image
from stub_server import Status, completion, serving

from vergence.conversation import Conversation, Frames, Message, TextPart, VideoPart, assistant, user
from vergence.errors import UsageError
from vergence.evaluation.judge import Judge, Question, scale
from vergence.evaluation.models.chat_client import ChatClient, Retries
from vergence.evaluation.models.endpoint import EndpointModel, data_url
from vergence.evaluation.task import Answer, Candidates, Prompt
from vergence.inference.sampler import Sampling


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def model(url: str, **options) -> EndpointModel:
    retries = options.pop("retries", Retries(attempts=2))
    return EndpointModel(ChatClient(url, sleep=lambda _: None, retries=retries), "some-model", **options)


def ask(*content: object, **options: object) -> Prompt:
    return Prompt(Conversation((user(*content),)), **options)  # type: ignore[arg-type]


def one_answer(reply: object, prompt: Prompt | None = None, **options) -> Answer:
    with serving([reply] * 2) as stub:
        [(index, answer)] = model(stub.url, **options).answer([prompt or ask("What?")])
    assert index == 0
    return answer


def picture(width: int = 6, height: int = 4, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def decoded(url: str) -> Image.Image:
    kind, _, data = url.partition(";base64,")
    assert kind in ("data:image/png", "data:image/jpeg")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind.endswith((image.format or "").lower())
    return image


def test_what_is_sent(tmp_path):
    one, other = picture(seed=1), picture(seed=2)
    one.save(tmp_path / "a.png")
    talk = Conversation(
        (
            Message("system", (TextPart("Be brief."),)),
            user("first ", tmp_path / "a.png", " then ", other),
            assistant("yes"),
            user("Why?"),
        )
    )
    sampling = Sampling(temperature=0.5, top_p=0.9, top_k=7, seed=3, max_tokens=20, stop=("\n\n",))
    with serving([completion("so")]) as stub:
        [(_, answer)] = model(stub.url, extra={"reasoning_effort": "low"}).answer(
            [Prompt(talk, sampling, thinking=False)]
        )
    assert answer.text == "so"
    [body] = stub.bodies
    content = body["messages"][1].pop("content")
    assert body == {
        "model": "some-model",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user"},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": "Why?"},
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 7,
        "seed": 3,
        "max_tokens": 20,
        "stop": ["\n\n"],
        "chat_template_kwargs": {"enable_thinking": False},
        "reasoning_effort": "low",
    }
    assert [part["type"] for part in content] == ["text", "image_url", "text", "image_url"]
    assert [part["text"] for part in content if part["type"] == "text"] == ["first ", " then "]
    for part, image in zip(content[1::2], (one, other), strict=True):
        assert np.array_equal(np.asarray(decoded(part["image_url"]["url"])), np.asarray(image))


def test_what_is_at_its_default_is_not_sent():
    with serving([completion()]) as stub:
        list(model(stub.url, limit_key="max_completion_tokens", extra={"temperature": None}).answer([ask("What?")]))
    assert set(stub.bodies[0]) == {"model", "messages", "max_completion_tokens"}


def test_a_video_is_sent_as_its_frames():
    frames = tuple(picture(seed=seed) for seed in range(3))
    with serving([completion()]) as stub:
        list(model(stub.url).answer([ask(VideoPart(Frames(frames, (0.0, 1.0, 2.0))), "What?")]))
    content = stub.bodies[0]["messages"][0]["content"]
    sent = [np.asarray(decoded(part["image_url"]["url"])) for part in content[:-1]]
    assert all(np.array_equal(one, np.asarray(frame)) for one, frame in zip(sent, frames, strict=True))


def test_large_pictures_become_jpeg_and_then_smaller():
    image = picture(160, 120)
    sizes = [(decoded(url := data_url(image, most)), most, url) for most in (100_000, 20_000, 5_000, 1_024)]
    formats = [one.format for one, _, _ in sizes]
    assert formats == ["PNG", "JPEG", "JPEG", "JPEG"]
    assert [one.size for one, _, _ in sizes][:2] == [(160, 120), (160, 120)]
    assert sizes[2][0].size == (80, 60)
    assert all(len(base64.b64decode(url.partition(",")[2])) <= most for _, most, url in sizes)


USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "prompt_tokens_details": {"image_tokens": 16},
    "completion_tokens_details": {"reasoning_tokens": 9},
}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (completion("B"), Answer("B")),
        (completion(""), Answer("")),
        (completion("B", reason="length"), Answer("B", finish_reason="length")),
        (completion(None, reason="length", reasoning_content="hm"), Answer("", "hm", finish_reason="length")),
        (completion("B", reasoning_content="because"), Answer("B", "because")),
        (completion("B", reasoning="because"), Answer("B", "because")),
        (completion("<think>\nbecause\n</think>\nB", reasoning_content=None), Answer("B", "because")),
        (completion("because</think>B"), Answer("B", "because")),
        (completion("<think>because", reason="length"), Answer("", "because", finish_reason="length")),
        (completion([{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]), Answer("a b")),  # type: ignore[arg-type]
        (completion(None, refusal="I can't."), Answer("I can't.")),
        (
            completion("B", usage=USAGE),
            Answer("B", prompt_tokens=30, image_tokens=16, answer_tokens=3, thought_tokens=9),
        ),
        (
            completion("B", usage={"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": None}),
            Answer("B", prompt_tokens=5, answer_tokens=2),
        ),
        (completion("B", usage={"prompt_tokens": "5", "completion_tokens": True}), Answer("B")),
    ],
)
def test_what_replies_become(reply, expected):
    assert one_answer(reply) == expected


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (completion(None), "the reply's message has no text"),
        (completion("half an ans", reason="content_filter"), "the server's content filter held the answer back"),
        (Status(500), "HTTP 500: Internal Server Error (2 attempts)"),
        (Status(400, {"error": {"message": "too\nlong"}}), "HTTP 400: too long"),
    ],
)
def test_what_replies_become_errors(reply, told):
    answer = one_answer(reply)
    assert (answer.finish_reason, answer.text) == ("error", "")
    assert (answer.error or "").startswith(told)
    assert "\n" not in (answer.error or "")


def test_candidates_are_refused_without_a_request():
    with serving([]) as stub:
        [(_, answer)] = model(stub.url).answer([ask("What?", candidates=Candidates(("a", "b")))])
        assert stub.bodies == []
    assert answer.finish_reason == "error"
    assert "no likelihoods" in (answer.error or "")
    assert "generate" in (answer.error or "")


def test_a_picture_that_cannot_be_read_is_an_error_without_a_request(tmp_path):
    with serving([completion()]) as stub:
        found = dict(model(stub.url).answer([ask(tmp_path / "gone.png", "What?"), ask("What?")]))
        assert len(stub.bodies) == 1
    assert "gone.png: no such file" in (found[0].error or "")
    assert found[1].text == "B"


def echo(body: dict) -> object:
    text = body["messages"][0]["content"]
    return Status(503) if text.endswith("3") else completion(text)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_all_prompts_are_answered_whatever_fails(concurrency):
    prompts = [ask(str(number)) for number in range(25)]
    with serving(echo) as stub:
        one = model(stub.url, concurrency=concurrency)
        found = dict(one.answer(prompts))
    assert sorted(found) == list(range(25))
    failed = {index for index, answer in found.items() if answer.error}
    assert failed == {3, 13, 23}
    assert all(found[index].text == str(index) for index in set(found) - failed)
    assert len(stub.bodies) == 25 + 3
    assert one.batch >= concurrency


def test_as_many_requests_as_allowed_are_open_at_once():
    together = threading.Barrier(3, timeout=20)

    def meet(_: dict) -> object:
        together.wait()  # passes only when three requests are open
        return completion()

    with serving(meet) as stub:
        found = list(model(stub.url, concurrency=3).answer([ask(str(number)) for number in range(9)]))
    assert stub.most == 3
    assert all(answer.text == "B" for _, answer in found)


def test_an_answer_that_is_there_is_given_before_others_come():
    release = threading.Event()

    def slow_first(body: dict) -> object:
        if body["messages"][0]["content"] == "0":
            assert release.wait(20)
        return completion("x")

    with serving(slow_first) as stub:
        answers = model(stub.url, concurrency=2).answer([ask("0"), ask("1")])
        first, _ = next(answers)
        release.set()
        rest = [index for index, _ in answers]
    assert (first, rest) == (1, [0])


def test_giving_up_early_leaves_the_client_usable():
    with serving(lambda _: completion()) as stub:
        one = model(stub.url, concurrency=2)
        answers = one.answer([ask(str(number)) for number in range(50)])
        next(answers)
        answers.close()
        assert len(stub.bodies) < 50
        assert next(one.answer([ask("again")]))[1].text == "B"


def test_the_description_identifies_the_model_and_holds_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    one = EndpointModel(ChatClient("https://h/v1?x=sk-other"), "m", extra={"a": 1}, frames=4)
    text = json.dumps(one.description())
    assert json.loads(text) == {
        "kind": "endpoint",
        "url": "https://h/v1",
        "model": "m",
        "frames": 4,
        "image_bytes": 8 * 2**20,
        "extra": {"a": 1},
    }
    assert one.independent


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"frames": 0}, {"image_bytes": 10}])
def test_numbers_that_cannot_be(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        EndpointModel(ChatClient("https://h/v1"), "m", **options)


def test_an_endpoint_can_judge(tmp_path):
    replies = [Status(429, Retry_After="1"), completion("Good. [[9]]"), Status(400), completion("no idea")]
    with serving(replies) as stub:
        judge = Judge(model(stub.url), "{question} {answer}", scale(0, 10), cache=tmp_path / "judge.jsonl")
        found = [judge.judge(Question("q", answer)) for answer in ("a", "a", "b", "c")]
    assert [one.score for one in found] == [0.9, 0.9, None, None]
    assert found[1].replies[0].cached
    assert found[2].replies[0].error == "HTTP 400: Bad Request"
    assert found[3].replies[0].text == "no idea"
    assert len(stub.bodies) == 4
    assert stub.bodies[1]["messages"] == [{"role": "user", "content": "q a"}]
