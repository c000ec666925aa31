"""The engine against the plainest way to generate: the whole sequence through the model again for every token."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from PIL import Image

from vergence.conversation import Conversation, user
from vergence.errors import DataError, UsageError
from vergence.inference.engine import Engine, Output, Request, Sampling
from vergence.inference.sampler import choose, new_generator
from vergence.inputs import IGNORE, pack
from vergence.models.checkpoint import save_model


@torch.inference_mode()
def generate_uncached(engine: Engine, request: Request) -> tuple[list[int], list[float]]:
    """Tokens and log-probabilities of one request, without cache, batch or scheduler."""
    inputs = engine.processor(request.conversation, generate=True)
    generator = new_generator(request.sampling)
    limit = min(request.sampling.max_tokens, engine.model.config.language.context - len(inputs))
    tokens: list[int] = []
    logprobs: list[float] = []
    while len(tokens) < limit and engine.ends.isdisjoint(tokens):
        new = torch.tensor(tokens, dtype=torch.long)
        whole = replace(
            inputs,
            input_ids=torch.cat([inputs.input_ids, new]),
            labels=torch.cat([inputs.labels, torch.full_like(new, IGNORE)]),
        )
        hidden = engine.model(pack([whole]))
        token, logprob = choose(engine.model.language.logits(hidden[-1]), request.sampling, generator)
        tokens.append(token)
        logprobs.append(logprob)
    return tokens, logprobs


def sampling_for(index: int) -> Sampling:
    """Greedy and sampled requests, of different lengths, side by side."""
    tokens = 4 + 7 * index % 37
    if index % 2:
        return Sampling(temperature=0.9, top_p=0.95, top_k=40, seed=index, max_tokens=tokens, logprobs=True)
    return Sampling(max_tokens=tokens, logprobs=True)


def requests_for(conversations: list[Conversation]) -> list[Request]:
    return [Request(c, sampling_for(i), f"r{i}") for i, c in enumerate(conversations)]


def same(output: Output, tokens: list[int], logprobs: list[float] | None) -> None:
    assert output.token_ids == tokens
    assert output.logprobs == pytest.approx(logprobs, abs=1e-4)


@pytest.mark.parametrize("language", [{}, {"tied": False, "kv_heads": 4, "depth": 3}])
def test_cached_and_batched_equal_the_plain_way(make_engine, conversations, language):
    engine = make_engine(seed=3, language=language)
    requests = requests_for(conversations)
    outputs = engine.generate(requests)
    for request, output in zip(requests, outputs, strict=True):
        same(output, *generate_uncached(engine, request))
        assert output.request_id == request.request_id
        assert output.text == engine.processor.tokenizer.decode(output.token_ids)
    assert len({tuple(output.token_ids) for output in outputs}) > len(outputs) // 2


@pytest.mark.parametrize(("max_batch", "prefill_tokens"), [(1, 4096), (3, 40), (7, 100), (64, 1)])
def test_batch_size_and_order_do_not_matter(make_engine, conversations, max_batch, prefill_tokens):
    requests = requests_for(conversations)
    expected = make_engine(seed=5).generate(requests)
    order = random.Random(max_batch).sample(range(len(requests)), len(requests))
    engine = make_engine(seed=5, max_batch=max_batch, prefill_tokens=prefill_tokens)
    for index, output in zip(order, engine.generate([requests[i] for i in order]), strict=True):
        same(output, expected[index].token_ids, expected[index].logprobs)


def test_a_step_serves_at_most_max_batch_and_joins_in_the_middle(make_engine, conversations):
    scheduler = make_engine(max_batch=4).scheduler()
    for request in requests_for(conversations):
        scheduler.add(request)
    sizes = []
    while scheduler.busy:
        served, refused = scheduler.step()
        sizes.append(len(served))
        assert not refused
    assert max(sizes) == 4
    assert sizes.count(4) > len(sizes) * 0.8
    assert scheduler.cache.bytes == 0


def test_cancelled_requests_leave_the_others_alone(make_engine, conversations):
    engine = make_engine(max_batch=3)
    requests = [Request(c, Sampling(max_tokens=12)) for c in conversations[:5]]
    expected = engine.generate([requests[0], requests[2]])
    scheduler, done = engine.scheduler(), {}
    for request in requests:
        scheduler.add(request)
    scheduler.step()
    for number in (1, 3, 4, 99):  # running, waiting, waiting, unknown
        scheduler.cancel(number)
    while scheduler.busy:
        done.update({r.number: r.output() for r in scheduler.step()[0] if r.finish_reason})
    assert done == {0: expected[0], 2: expected[1]}


def test_the_end_token_stops_and_is_counted(make_engine, conversations):
    engine = make_engine()
    request = Request(conversations[0], Sampling(temperature=1.5, seed=0, max_tokens=200, logprobs=True))
    before = engine.generate([request])[0]
    more = Engine(engine.model, engine.processor, ends=frozenset({before.token_ids[5]}))
    assert more.ends == {engine.processor.end, before.token_ids[5]}
    output = more.generate([request])[0]
    first = before.token_ids.index(before.token_ids[5])
    assert output.finish_reason == "stop"
    assert output.token_ids == before.token_ids[: first + 1]
    assert len(output.logprobs) == len(output.token_ids)
    assert output.text == engine.processor.tokenizer.decode(output.token_ids[:-1])


def test_stop_strings_and_streaming(make_engine, conversations):
    engine = make_engine(seed=2)
    checked = 0
    for index, conversation in enumerate(conversations[:10]):
        sampling = Sampling(temperature=1.2, seed=index, max_tokens=40)
        whole = engine.generate([Request(conversation, sampling)])[0].text
        assert "".join(engine.stream(Request(conversation, sampling))) == whole
        if len(whole) < 12:
            continue
        stop = whole[8:11]
        stopped = Request(conversation, replace(sampling, stop=("never to be seen", stop)))
        output = engine.generate([stopped])[0]
        assert output.text == whole[: whole.find(stop)]
        assert output.finish_reason == "stop"
        assert len(output.token_ids) < 40
        assert "".join(engine.stream(stopped)) == output.text
        checked += 1
    assert checked >= 5


def test_lengths_and_counts(make_engine):
    engine = make_engine(language={"context": 64})
    picture = Image.new("RGB", (56, 56))
    output = engine.generate([Request(Conversation((user(picture, "hi"),)), Sampling(temperature=2, seed=0))])[0]
    conversation = Conversation((user(picture, "hi"),))
    assert output.prompt_tokens == engine.processor.token_count(conversation, generate=True)
    assert output.image_tokens == 4
    assert output.finish_reason in ("length", "stop")
    assert output.prompt_tokens + len(output.token_ids) <= 64
    assert output.logprobs is None
    for tokens in (1, 2):
        output = engine.generate([Request(conversation, Sampling(max_tokens=tokens))])[0]
        assert (output.finish_reason, len(output.token_ids)) == ("length", tokens)


def test_a_prompt_that_fills_the_context_is_refused(make_engine):
    engine = make_engine(language={"context": 16})
    fits = engine.generate([Request(Conversation((user("1" * 11),)), Sampling(temperature=1, seed=0))])[0]
    assert (fits.prompt_tokens, len(fits.token_ids)) == (15, 1)
    with pytest.raises(DataError, match=r"request 0: the prompt has 16 tokens .* context of 16"):
        engine.generate([Request(Conversation((user("1" * 12),)))])


def test_one_bad_request(make_engine, tmp_path, conversations):
    engine = make_engine()
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not a picture")
    requests = requests_for(conversations)[:4]
    requests.insert(2, Request(Conversation((user(bad, "?"),)), request_id="broken"))
    with pytest.raises(DataError, match=r"request 2 \(broken\): .*bad\.png: not a picture"):
        engine.generate(requests)
    outputs = engine.generate(requests, on_error="return")
    assert outputs[2].finish_reason == "error"
    assert "bad.png" in outputs[2].error
    del requests[2], outputs[2]
    assert [o.token_ids for o in outputs] == [o.token_ids for o in engine.generate(requests)]
    with pytest.raises(DataError, match=r"bad\.png"):
        list(engine.stream(Request(Conversation((user(bad, "?"),)))))


def test_global_state_is_left_alone(make_engine, conversations):
    engine = make_engine()
    engine.model.train()
    state = torch.random.get_rng_state()
    stream = engine.stream(Request(conversations[0], Sampling(temperature=1, max_tokens=8)))
    next(stream)
    assert not torch.is_inference_mode_enabled()
    stream.close()
    engine.generate(requests_for(conversations)[:3])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not engine.model.training
    assert all(p.requires_grad and p.grad is None for p in engine.model.parameters())


def test_nothing_to_do_and_wrong_limits(make_engine):
    assert make_engine().generate([]) == []
    with pytest.raises(UsageError, match="max_batch"):
        make_engine(max_batch=0)


def test_load(make_engine, conversations, tmp_path):
    engine = make_engine(seed=9)
    requests = requests_for(conversations)[:3]
    save_model(tmp_path / "run" / "final", engine.model, tokenizer=engine.processor.tokenizer.backend.to_str())
    for path in (tmp_path / "run", tmp_path / "run" / "final"):
        state = torch.random.get_rng_state()
        for output, expected in zip(Engine.load(path).generate(requests), engine.generate(requests), strict=True):
            same(output, expected.token_ids, expected.logprobs)
        assert torch.equal(torch.random.get_rng_state(), state)
