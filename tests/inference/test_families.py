"""Batched generation with every family: dense and latent attention, mixture of experts, AnyRes layouts, videos."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from PIL import Image
from test_engine import generate_uncached, same

from vergence.conversation import Conversation, VideoPart, assistant, user
from vergence.inference.encoder_cache import EncoderCache
from vergence.inference.engine import Engine, Request, Sampling
from vergence.presets import PRESETS

FAMILIES = [name for name in PRESETS if name.endswith("-tiny")]


def picture(seed: int) -> Image.Image:
    rng = random.Random(seed)
    size = (rng.randint(30, 130), rng.randint(30, 130))
    pixels = torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(pixels.numpy())


@pytest.fixture(scope="module")
def requests(clip: Path) -> list[Request]:
    """Text, one picture, several, a video, and all of them; greedy and sampled, of different lengths."""
    first = user(picture(1), "what is in the cat")
    conversations = [
        Conversation((user("how many"),)),
        Conversation((first,)),
        Conversation((user(picture(2), "red", picture(3), picture(1), "blue?"),)),
        Conversation((user(VideoPart(clip, fps=0.5), "where is the cat"),)),
        Conversation((first, assistant("a circle"), user("図 1234 🙂"))),
        Conversation((user("a", VideoPart(clip), "red", picture(4), "blue"), assistant("x"), user(picture(5), "b"))),
        Conversation((user("cat " * 40),)),
    ]
    samplings = [
        Sampling(max_tokens=5 + 7 * i % 23, logprobs=True)
        if i % 2
        else Sampling(temperature=0.8, top_p=0.95, top_k=50, seed=i, max_tokens=5 + 7 * i % 23, logprobs=True)
        for i in range(len(conversations))
    ]
    return [Request(c, s, f"r{i}") for i, (c, s) in enumerate(zip(conversations, samplings, strict=True))]


def test_there_is_a_tiny_model_of_every_family():
    assert FAMILIES == ["seed-tiny", "llava-onevision-tiny", "kimi-vl-tiny"]


@pytest.mark.parametrize("family", FAMILIES)
def test_cached_and_batched_equal_the_plain_way(make_family, requests, family):
    engine = make_family(family, seed=1)
    outputs = engine.generate(requests)
    for request, output in zip(requests, outputs, strict=True):
        same(output, *generate_uncached(engine, request))
    assert len({tuple(output.token_ids) for output in outputs}) == len(outputs)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("max_batch", "prefill_tokens"), [(1, 4096), (3, 64)])
def test_batch_size_and_order_do_not_matter(make_family, requests, family, max_batch, prefill_tokens):
    expected = make_family(family, seed=2).generate(requests)
    order = random.Random(max_batch).sample(range(len(requests)), len(requests))
    engine = make_family(family, seed=2, max_batch=max_batch, prefill_tokens=prefill_tokens)
    for index, output in zip(order, engine.generate([requests[i] for i in order]), strict=True):
        same(output, expected[index].token_ids, expected[index].logprobs)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_token_is_computed_that_nobody_asked_for(make_family, requests, family):
    """Every prompt token once, every generated token but the last of each request once, every view once, no padding."""
    engine = make_family(family, max_batch=4)
    rows: list[int] = []
    mixtures: list[int] = []
    patches: list[int] = []
    model = engine.model
    model.register_forward_pre_hook(lambda _, given: rows.append(given[0].input_ids.numel()))
    model.vision.register_forward_pre_hook(lambda _, given: patches.append(given[0].shape[0]))
    for mixture in model.language.mixtures:
        mixture.experts.register_forward_pre_hook(lambda _, given: mixtures.append(given[0].shape[0]))
    outputs = engine.generate(requests)
    asked = sum(output.prompt_tokens + len(output.token_ids) - 1 for output in outputs)
    assert sum(rows) == asked
    if experts := model.config.language.experts:
        assert sum(mixtures) == asked * experts.active * len(model.language.mixtures)
    views = {}
    for request in requests:
        inputs = engine.processor(request.conversation)
        views |= {view.numpy().tobytes(): len(view) for view in inputs.patches.split(inputs.grids.prod(dim=1).tolist())}
    assert sum(patches) == sum(views.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_is_near_and_finishes(make_family, requests, family):
    """Not token by token, which rounding may change: the scores of every prompt's next token."""
    whole, half = make_family(family), make_family(family)
    half.model.to(torch.bfloat16)
    one = [Request(request.conversation, Sampling(max_tokens=1, logprobs=True)) for request in requests]
    scores = {}
    for name, engine in (("whole", whole), ("half", half)):
        rows = []
        logits = engine.model.language.logits
        engine.model.language.logits = lambda hidden, logits=logits, rows=rows: rows.append(logits(hidden)) or rows[-1]
        for request in one:
            engine.encoder_cache = EncoderCache()
            engine.generate([request])
        scores[name] = torch.cat(rows).float()
    errors = (scores["half"] - scores["whole"]).norm(dim=1) / scores["whole"].norm(dim=1)
    assert 0 < errors.median() < 0.08  # the median: where rounding chooses another expert, a row differs by more
    outputs = half.generate(requests)
    for request, output in zip(requests, outputs, strict=True):
        assert output.finish_reason == "stop" or len(output.token_ids) == request.sampling.max_tokens


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_streams(make_family, requests, family):
    engine: Engine = make_family(family)
    for request in requests[:4]:
        assert "".join(engine.stream(request)) == engine.generate([request])[0].text
