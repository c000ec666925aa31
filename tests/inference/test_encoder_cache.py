"""The encoder cache: what was seen is not encoded again, and nobody can tell from the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import Tensor

from vergence.conversation import Conversation, VideoPart, assistant, user
from vergence.inference.encoder_cache import EncoderCache
from vergence.inference.engine import Engine, Request, Sampling
from vergence.inputs import PackedBatch, pack
from vergence.models.vlm import VLM
from vergence.processing.processor import Processor

FAMILIES = ["seed-tiny", "llava-onevision-tiny", "kimi-vl-tiny"]


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator)
    return Image.fromarray(pixels.numpy())


@contextmanager
def encoded_views(model: VLM) -> Iterator[list[tuple[int, int]]]:
    """The grids of the views that the encoder sees, in order."""
    seen: list[tuple[int, int]] = []
    vision = model.vision
    hook = vision.register_forward_pre_hook(lambda _, arguments: seen.extend(map(tuple, arguments[2].tolist())))
    yield seen
    hook.remove()


def batch_of(processor: Processor, *conversations: Conversation) -> PackedBatch:
    return pack([processor(conversation, generate=True) for conversation in conversations])


def visual_tokens(cache: EncoderCache, model: VLM, batch: PackedBatch) -> Tensor:
    with torch.inference_mode():
        return cache.visual_tokens(model, batch)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_picture_is_encoded_once_in_a_batch_and_in_later_turns(make_family, family):
    engine = make_family(family)
    picture, other = noise(90, 60), noise(60, 90, 1)
    first = user(picture, other, "what?")
    requests = [
        Request(Conversation((first,)), Sampling(max_tokens=3)),
        Request(Conversation((user(picture, "and?"),)), Sampling(max_tokens=3)),
        Request(Conversation((user(other, picture, "which?"),)), Sampling(max_tokens=3)),
    ]
    with encoded_views(engine.model) as seen:
        plain = make_family(family)
        plain.encoder_cache = EncoderCache(max_bytes=0)
        outputs = engine.generate(requests)
        views = len(seen)
        assert engine.encoder_cache.misses == views
        again = Conversation((first, assistant(outputs[0].text), user("and now?")))
        outputs += engine.generate([Request(again, Sampling(max_tokens=3))])
        assert len(seen) == views, "the second turn encodes nothing"
    inputs = [engine.processor(request.conversation) for request in requests]
    distinct = {view.numpy().tobytes() for x in inputs for view in x.patches.split(x.grids.prod(dim=1).tolist())}
    assert views == len(distinct) < sum(len(x.grids) for x in inputs)
    alone = [plain.generate([request])[0] for request in [*requests, Request(again, Sampling(max_tokens=3))]]
    assert [output.token_ids for output in outputs] == [output.token_ids for output in alone]


@pytest.mark.parametrize("family", FAMILIES)
def test_cached_tokens_are_those_of_the_encoder(make_family, clip, family):
    engine = make_family(family)
    model, processor, cache = engine.model, engine.processor, EncoderCache()
    conversations = [
        Conversation((user(noise(100, 40), "a", noise(40, 100, 1), VideoPart(clip), "b"),)),
        Conversation((user(VideoPart(clip), noise(40, 100, 1)),)),
        Conversation((user(noise(100, 40), noise(30, 30, 2)), assistant("x"), user(noise(100, 40)))),
    ]
    for order in ((0,), (1, 2), (2, 0, 1), (0, 1, 2)):
        batch = batch_of(processor, *(conversations[i] for i in order))
        with torch.inference_mode():
            expected = model.encode_images(batch)
        assert torch.allclose(visual_tokens(cache, model, batch), expected, atol=1e-5)
    before = cache.misses
    visual_tokens(cache, model, batch)
    assert (cache.misses, cache.hits > before) == (before, True)


def test_another_way_of_preprocessing_is_another_entry(make_family):
    engine = make_family("seed-tiny")
    cache, conversation = EncoderCache(), Conversation((user(noise(120, 90)),))
    rule = engine.model.config.processing
    small = engine.model.config.model_copy(update={"processing": rule.model_copy(update={"max_pixels": 6 * 784})})
    for processor in (engine.processor, Processor(small, engine.processor.tokenizer)):
        batch = batch_of(processor, conversation)
        with torch.inference_mode():
            expected = engine.model.encode_images(batch)
        assert torch.allclose(visual_tokens(cache, engine.model, batch), expected, atol=1e-5)
    assert (cache.misses, cache.hits) == (2, 0)


def test_the_same_pixels_in_another_grid_are_another_entry(make_family):
    engine, cache = make_family("seed-tiny"), EncoderCache()
    batch = batch_of(engine.processor, Conversation((user(Image.new("RGB", (112, 56), "red")),)))
    turned = replace(batch, grids=batch.grids.flip(1))
    for each in (batch, turned):
        with torch.inference_mode():
            expected = engine.model.encode_images(each)
        assert torch.allclose(visual_tokens(cache, engine.model, each), expected, atol=1e-5)
    assert cache.misses == 2


def test_what_was_not_used_longest_goes_first_when_the_bytes_run_out(make_family):
    engine = make_family("seed-tiny")
    pictures = [noise(56, 56, seed) for seed in range(4)]
    batches = [batch_of(engine.processor, Conversation((user(picture),))) for picture in pictures]
    one = visual_tokens(EncoderCache(), engine.model, batches[0])
    size = one.numel() * one.element_size()
    cache = EncoderCache(max_bytes=2 * size)
    for index, misses in ((0, 1), (1, 2), (0, 2), (2, 3), (0, 3), (1, 4), (2, 5), (3, 6), (2, 6)):
        visual_tokens(cache, engine.model, batches[index])
        assert cache.misses == misses
        assert cache.used_bytes <= cache.max_bytes
    assert cache.used_bytes == 2 * size
    everything = batch_of(engine.processor, *(Conversation((user(picture),)) for picture in pictures))
    with torch.inference_mode():
        expected = engine.model.encode_images(everything)
    assert torch.allclose(visual_tokens(cache, engine.model, everything), expected, atol=1e-5)
    assert cache.used_bytes == 2 * size
    fresh = EncoderCache(max_bytes=2 * size)
    visual_tokens(fresh, engine.model, everything)
    kept = sum(tokens.untyped_storage().nbytes() for tokens in fresh._tokens.values())
    assert kept == fresh.used_bytes == 2 * size, "a part keeps none of the rest alive"
    cache.clear()
    assert cache.used_bytes == 0
    never = EncoderCache(max_bytes=size - 1)
    visual_tokens(never, engine.model, batches[0])
    assert never.used_bytes == 0


def in_place(model: VLM) -> None:
    with torch.no_grad():
        model.vision.embed.weight.mul_(1.5)


def in_inference_mode(model: VLM) -> None:
    with torch.inference_mode():
        next(model.projector.parameters()).add_(0.5)


def replaced(model: VLM) -> None:
    weights = {name: weight * 1.5 for name, weight in model.state_dict().items()}
    model.load_state_dict(weights, assign=True)


def data(model: VLM) -> None:
    model.vision.embed.weight.data = model.vision.embed.weight.data * 1.5


def stepped(model: VLM) -> None:
    """As in training: the fused optimizer leaves torch's version counter alone, but the model was in training mode."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    model.train()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()


@pytest.mark.parametrize("change", [in_place, in_inference_mode, replaced, data, stepped])
def test_other_weights_encode_anew(make_family, change: Callable[[VLM], None]):
    engine = make_family("seed-tiny")
    request = Request(Conversation((user(noise(90, 60), "what?"),)), Sampling(max_tokens=6, logprobs=True))
    before = engine.generate([request])[0]
    change(engine.model)
    after = engine.generate([request])[0]
    fresh = Engine(engine.model, engine.processor).generate([request])[0]
    assert after == fresh
    assert after.logprobs != before.logprobs
    assert engine.encoder_cache.misses == 2


def test_another_type_encodes_anew(make_family):
    engine, cache = make_family("llava-onevision-tiny"), EncoderCache()
    batch = batch_of(engine.processor, Conversation((user(noise(90, 60), noise(60, 60, 1)),)))
    for dtype in (torch.float32, torch.bfloat16, torch.float32):
        engine.model.to(dtype)
        tokens = visual_tokens(cache, engine.model, batch)
        with torch.inference_mode():
            assert torch.allclose(tokens, engine.model.encode_images(batch), atol=1e-5)
        assert tokens.dtype == dtype
    assert cache.hits == 0
