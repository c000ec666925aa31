"""The classes that lmms-eval calls, asked as it asks them; the whole way is in test_lmms_plugin.py."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import pytest
from PIL import Image

from vergence.conversation import ImagePart, TextPart
from vergence.errors import DataError, UsageError
from vergence.evaluation.task import Answer, Prompt
from vergence.inference.likelihood import candidate_score
from vergence.inference.sampler import Sampling

if find_spec("lmms_eval") is None:
    pytest.skip("lmms-eval is not installed", allow_module_level=True)

from vergence.evaluation import lmms_models, lmms_plugin

PICTURE = Image.new("RGB", (4, 3))
DOCS = {"t": {"test": [{"q": "first", "image": PICTURE}, {"q": "second", "image": PICTURE}]}}


class Scripted:
    """Says a prompt's text in capitals; the tokens of a candidate have the log-probabilities of its letters."""

    name, batch, independent = "scripted", 2, True
    levels: Mapping[str, float] = {"a": -0.1, "b": -2.0, "c": -1.0, "d": -0.1}

    def __init__(self) -> None:
        self.asked: list[list[Prompt]] = []
        self.says: str | None = None

    def description(self) -> Mapping[str, Any]:
        return {}

    def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
        self.asked.append(list(prompts))
        for index, prompt in reversed(list(enumerate(prompts))):
            text = prompt.conversation.messages[-1].text
            if text == "fail":
                yield index, Answer(finish_reason="error", error="broken")
            elif prompt.candidates is None:
                yield index, Answer(self.says or text.upper(), "hm", prompt_tokens=5, answer_tokens=2, thought_tokens=1)
            else:
                scores = [candidate_score(t, [self.levels[letter] for letter in t]) for t in prompt.candidates.texts]
                yield index, Answer(candidates=tuple(scores))


@dataclass
class Request:
    args: tuple[Any, ...]
    doc_id: int = 0


@pytest.fixture
def scripted(monkeypatch) -> Scripted:
    model = Scripted()
    monkeypatch.setattr(lmms_models, "open_model", lambda name, **options: model)
    return model


def simple(**options: Any) -> Any:
    found = lmms_models.VergenceSimple(pretrained="x", **options)
    found.task_dict = DOCS
    return found


def chat(**options: Any) -> Any:
    found = lmms_models.VergenceChat(pretrained="x", **options)
    found.task_dict = DOCS
    return found


def visual(doc: Mapping[str, Any]) -> list[Any]:
    return [doc["image"]]


def messages(doc: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = [{"type": "text", "text": "see "}, {"type": "image", "url": doc["image"]}]
    return [{"role": "user", "content": [*content, {"type": "text", "text": doc["q"]}]}]


def test_the_manifest_names_both_classes():
    [manifest] = lmms_plugin.manifests()
    assert manifest.model_id == "vergence"
    for path, cls, kind in (
        (manifest.simple_class_path, lmms_models.VergenceSimple, True),
        (manifest.chat_class_path, lmms_models.VergenceChat, False),
    ):
        assert path == f"{cls.__module__}.{cls.__name__}"
        assert cls.is_simple is kind


def test_simple_generation(scripted):
    requests = [
        Request((f"question {number}?", {"max_new_tokens": 4}, visual, number % 2, "t", "test")) for number in range(3)
    ]
    found = simple().generate_until(requests)
    assert [one.text for one in found] == [f"QUESTION {number}?" for number in range(3)]
    assert (found[0].token_counts.input_tokens, found[0].token_counts.reasoning_tokens) == (5, 1)
    assert [len(batch) for batch in scripted.asked] == [2, 1]
    prompt = scripted.asked[0][0]
    assert prompt.conversation.messages[0].parts == (ImagePart(PICTURE), TextPart("question 0?"))
    assert prompt.sampling == Sampling(max_tokens=4)


def test_chat_generation(scripted):
    requests = [Request(("ignored", messages, {"until": ["."]}, number, "t", "test")) for number in (1, 0)]
    assert [one.text for one in chat().generate_until(requests)] == ["SEE SECOND", "SEE FIRST"]
    prompt = scripted.asked[0][0]
    assert prompt.conversation.messages[0].parts == (TextPart("see "), ImagePart(PICTURE), TextPart("second"))
    assert prompt.sampling == Sampling(stop=(".",))


def test_repeats_are_sampled_apart(scripted):
    settings = {"temperature": 0.5}
    requests = [Request(("q", settings, visual, number, "t", "test")) for number in (0, 0, 1)]
    seeds = []
    for _ in range(2):
        simple().generate_until(requests)
        seeds.append([prompt.sampling.seed for batch in scripted.asked for prompt in batch])
        scripted.asked.clear()
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 3


def rank(model: Any, *candidates: str, doc_id: int = 0, context: str = "q") -> list[Request]:
    return [Request((context, f" {text}", visual, doc_id, "t", "test"), doc_id) for text in candidates]


def test_likelihoods_are_mean_losses(scripted):
    model = simple()
    found = model.loglikelihood([*rank(model, "ab", "c"), *rank(model, "ba", "bb", doc_id=1)])
    assert [loss for loss, _ in found] == pytest.approx([1.05, 1.0, 1.05, 2.0])
    assert [[prompt.candidates.texts for prompt in batch] for batch in scripted.asked if batch[0].candidates] == [
        [("ab", "c")],
        [("ba", "bb")],
    ]


def test_likelihoods_come_through_lmms_evals_evaluator_as_pairs(scripted):
    from lmms_eval.api.instance import unwrap_generation_output

    model = simple()
    [found, _] = model.loglikelihood(rank(model, "a", "b"))
    loss, greedy = unwrap_generation_output(found)[0]
    assert (loss, greedy) == (pytest.approx(0.1), True)
    assert (len(found), found[0], found[1]) == (2, loss, greedy)


def test_plain_candidates_keep_their_blank(scripted):
    scripted.levels = {**Scripted.levels, " ": -3.0}
    model = simple(template="plain")
    [found, _] = model.loglikelihood(rank(model, "a", "b"))
    assert found[0] == pytest.approx((3.0 + 0.1) / 2)


@pytest.mark.parametrize(
    ("candidates", "says", "expected", "decoded"),
    [
        (("ad", "b"), None, [True, False], 0),  # every token above a half
        (("ab", "b"), "ab and more", [True, False], 1),
        (("ab", "b"), "ac", [False, False], 1),
        (("ab", "ac", "b"), " ac.", [False, True, False], 1),
        (("c", "b"), "b", [False, False], 1),  # what is less likely than another candidate is not asked about
    ],
)
def test_what_greedy_decoding_would_write(scripted, candidates, says, expected, decoded):
    scripted.says = says
    model = simple()
    assert [greedy for _, greedy in model.loglikelihood(rank(model, *candidates))] == expected
    assert len(scripted.asked) == 1 + decoded


def test_the_likelihood_without_question(scripted):
    model = simple()
    found = model.loglikelihood([*rank(model, "a", "b"), Request(("", "a")), Request(("", "b"))])
    assert len(found) == 4
    assert scripted.asked[-1][0].conversation.messages[0].parts == ()


def test_a_target_that_is_a_function(scripted):
    [found] = simple().loglikelihood([Request(("q", lambda doc: "a", visual, 0, "t", "test"))])
    assert found[0] == pytest.approx(0.1)


def test_rounds_of_simple_tasks(scripted):
    told = []

    def text(doc: Mapping[str, Any], *, previous_output: list[str], round_idx: int, previous_round_info: Any) -> Any:
        told.append((list(previous_output), round_idx, previous_round_info))
        return ([PICTURE], f"round {round_idx}", round_idx == 2, previous_output, {"n": round_idx})

    requests = [Request(("start", {}, visual, partial(text), 0, "t", "test"))]
    assert simple().generate_until_multi_round(requests) == [["START", "ROUND 1"]]
    assert told == [(["START"], 1, None), (["START", "ROUND 1"], 2, {"n": 1})]


def test_rounds_of_chat_tasks(scripted):
    def turns(doc: Mapping[str, Any], round_idx: int | None = None, **known: Any) -> Any:
        if round_idx is None:
            return messages(doc)
        talk = [{"role": "user", "content": [{"type": "text", "text": f"round {round_idx}"}]}]
        return (talk, round_idx == 3, known["previous_output"], None)

    requests = [Request(("", turns, {}, 0, "t", "test"))]
    assert chat().generate_until_multi_round(requests) == [["SEE FIRST", "ROUND 1", "ROUND 2"]]
    single = [Request(("", lambda doc, **_: messages(doc), {}, 0, "t", "test"))]
    assert chat().generate_until_multi_round(single) == [["SEE FIRST"]]


def test_a_failed_answer_stops_the_run_unless_asked_otherwise(scripted):
    requests = [Request((text, {}, None, 0, "t", "test")) for text in ("fine", "fail", "good")]
    with pytest.raises(DataError, match="1 of 3 answers failed, the first because: broken"):
        simple().generate_until(requests)
    with pytest.warns(UserWarning, match="lmms-eval scores them as empty answers"):
        found = simple(on_error="empty").generate_until(requests)
    assert [one.text for one in found] == ["FINE", "", "GOOD"]
    with pytest.warns(UserWarning, match="1 of 1 answers failed"):
        [ranked] = simple(on_error="empty").loglikelihood([Request(("fail", "a", None, 0, "t", "test"))])
    assert tuple(ranked) == (math.inf, False)


def test_what_model_args_may_be(monkeypatch):
    opened: dict[str, Any] = {}

    def open_model(name: str, **options: Any) -> Scripted:
        opened.update(options, name=name)
        return Scripted()

    monkeypatch.setattr(lmms_models, "open_model", open_model)
    lmms_models.VergenceSimple(pretrained="runs/demo", device="cuda:1", dtype="float32", batch_size=1, frames=3)
    assert opened == {"name": "runs/demo", "device": "cuda:1", "dtype": "float32", "batch": None, "frames": 3}
    for options, batch in (
        ({"batch_size": "4"}, 4),
        ({"batch_size": "auto"}, None),
        ({"batch_size": "4", "batch": 2}, 2),
    ):
        lmms_models.VergenceSimple(pretrained="x", **options)
        assert opened["batch"] == batch
    for options, told in (
        ({}, "name the model"),
        ({"pretrained": "x", "attn": "flash", "x": 1}, "unknown attn, x"),
        ({"pretrained": "x", "template": "raw"}, "template is chat or plain"),
        ({"pretrained": "x", "on_error": "guess"}, "on_error is raise or empty"),
    ):
        with pytest.raises(UsageError, match=told):
            lmms_models.VergenceSimple(**options)
