"""Candidates that share a pass get the log-probabilities that the model gives each of them alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from PIL import Image

from vergence.conversation import Conversation, VideoPart, user
from vergence.errors import DataError
from vergence.inference.engine import Engine
from vergence.inference.likelihood import CandidateScore, Ranking, candidate_score, rank
from vergence.inputs import ModelInputs, pack

PRESETS = ["seed-tiny", "llava-onevision-tiny", "kimi-vl-tiny"]
OPTIONS = ("red", "a blue circle", "how many cats", "square 1234", "図 🙂")


def picture(seed: int) -> Image.Image:
    rng = random.Random(seed)
    return Image.effect_noise((rng.randint(20, 90), rng.randint(20, 90)), 60).convert("RGB")


def alone(engine: Engine, ranking: Ranking, text: str) -> list[float]:
    """The definition: the model reads prompt and candidate in one go, without any cache."""
    plain = ranking.template == "plain"
    prompt = engine.processor(ranking.conversation, generate=not plain, plain=plain)
    ids = engine.processor.tokenizer.encode(text) + ([engine.processor.end] if ranking.end else [])
    whole = torch.cat([prompt.input_ids, torch.tensor(ids)])
    inputs = ModelInputs(whole, whole, prompt.patches, prompt.grids, prompt.visual_positions, prompt.layouts)
    with torch.inference_mode():
        logprobs = engine.model.language.logits(engine.model(pack([inputs]))).float().log_softmax(-1)
    return [float(logprobs[len(prompt) - 1 + i, token]) for i, token in enumerate(ids)]


def rankings(clip: Path | None = None, **options: object) -> list[Ranking]:
    """Questions with no, one and two pictures, and perhaps a video; of different lengths."""
    contents = [("red or blue",), (picture(1), "where is the cat"), (picture(2), "and", picture(3), "how many"), ("a",)]
    if clip:
        contents.append((VideoPart(clip, fps=1), "what happens"))
    return [Ranking(Conversation((user(*parts),)), OPTIONS, **options) for parts in contents]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("template", ["chat", "plain"])
@pytest.mark.parametrize("end", [False, True])
def test_sharing_a_pass_changes_nothing(make_family, clip, preset, template, end):
    engine = make_family(preset)
    # In 64 bits: those of 32 round otherwise in another order of additions, at times by more than 1e-5.
    engine.model.double().eval()
    asked = rankings(clip, template=template, end=end)
    for ranking, ranked in zip(asked, rank(engine, asked), strict=True):
        assert [candidate.text for candidate in ranked.candidates] == list(OPTIONS)
        for candidate in ranked.candidates:
            assert candidate.tokens == pytest.approx(alone(engine, ranking, candidate.text), rel=1e-5, abs=1e-5)
        assert ranked.error is None
        assert ranked.image_tokens < ranked.prompt_tokens


@pytest.mark.parametrize("preset", PRESETS)
def test_the_row_beside_a_question_doesnt_matter(make_family, preset):
    engine = make_family(preset)
    asked = rankings(unconditional="Answer:")
    together = rank(engine, asked)
    engine.prefill_tokens = 1  # one question a row
    apart = [rank(engine, [ranking])[0] for ranking in asked]
    for a, b in zip(together, apart, strict=True):
        assert (a.prompt_tokens, a.image_tokens) == (b.prompt_tokens, b.image_tokens)
        for x, y in zip(a.candidates, b.candidates, strict=True):
            assert x.tokens == pytest.approx(y.tokens, rel=1e-5, abs=1e-5)
            assert x.pmi == pytest.approx(y.pmi, rel=1e-5, abs=1e-5)


def test_the_prompt_of_the_pmi_holds_no_question(make_engine):
    engine = make_engine()
    (ranked,) = rank(engine, [Ranking(Conversation((user(picture(4), "red"),)), OPTIONS, unconditional="Answer:")])
    (behind,) = rank(engine, [Ranking(Conversation((user("Answer:"),)), OPTIONS)])
    for candidate, other in zip(ranked.candidates, behind.candidates, strict=True):
        assert candidate.pmi == pytest.approx(candidate.sum - other.sum, rel=1e-5, abs=1e-5)
        assert other.pmi is None
        with pytest.raises(ValueError, match="was not measured"):
            other.reduced("pmi")


def test_equal_candidates_are_exactly_equal(make_engine):
    (ranked,) = rank(make_engine(), [Ranking(Conversation((user("a"),)), ("red", "blue", "red", "blue circle"))])
    a, b, c, _ = ranked.candidates
    assert a == c
    assert a != b


def test_candidates_of_one_token_are_read_off_the_prompt(make_engine):
    """Letters: nothing but the prompt goes through the model."""
    engine = make_engine()
    rows: list[int] = []
    forward = engine.model.forward
    engine.model.forward = lambda batch, *rest, **named: (
        rows.append(batch.input_ids.numel()) or forward(batch, *rest, **named)
    )
    ranking = Ranking(Conversation((user(picture(5), "A. red B. blue"),)), ("A", "B", "C", "D"))
    (ranked,) = rank(engine, [ranking])
    assert rows == [ranked.prompt_tokens]
    for candidate in ranked.candidates:
        assert candidate.tokens == pytest.approx(alone(engine, ranking, candidate.text), rel=1e-5, abs=1e-5)


def test_many_candidates_of_one_token_are_a_distribution(make_engine):
    engine = make_engine()
    tokenizer = engine.processor.tokenizer
    texts = {i: tokenizer.decode([i]) for i in range(290)}
    ids = [i for i, text in texts.items() if text and tokenizer.encode(text) == [i]]
    question = Conversation((user("how many"),))
    (ranked,) = rank(engine, [Ranking(question, tuple(texts[i] for i in ids))])
    with torch.inference_mode():
        hidden = engine.model(pack([engine.processor(question, generate=True)]))
        expected = engine.model.language.logits(hidden[-1]).softmax(-1)[ids]
    assert len(ids) > 100
    assert torch.allclose(torch.tensor([c.sum for c in ranked.candidates]).exp(), expected, atol=1e-6)


def test_what_cant_be_ranked_is_named(make_engine, tmp_path):
    engine = make_engine()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    question = Conversation((user("red"),))
    bad = [
        (Ranking(question, ("red", "")), "candidate 2 of 2 is empty"),
        (Ranking(question, ()), "no candidates"),
        (Ranking(Conversation((user(tmp_path / "broken.png", "?"),)), OPTIONS), "broken.png"),
        (Ranking(question, ("red " * 300, "blue")), "the model's context has 256"),
    ]
    for ranking, message in bad:
        with pytest.raises(DataError, match=message):
            rank(engine, [ranking])
    good = Ranking(question, OPTIONS)
    results = rank(engine, [bad[0][0], good, bad[2][0]], on_error="return")
    assert results[1] == rank(engine, [good])[0]
    assert [result.error is None for result in results] == [False, True, False]
    assert results[0].candidates == ()


def test_an_empty_candidate_can_be_its_end(make_engine):
    engine = make_engine()
    ranking = Ranking(Conversation((user("red"),)), ("", "red"), end=True)
    (ranked,) = rank(engine, [ranking])
    assert ranked.candidates[0].tokens == pytest.approx(alone(engine, ranking, ""), rel=1e-5, abs=1e-5)


def test_the_reductions():
    score = candidate_score("né", [-1.0, -3.0], unconditional=-2.5)
    assert score == CandidateScore("né", (-1.0, -3.0), sum=-4.0, mean=-2.0, character=-2.0, byte=-4 / 3, pmi=-1.5)
    assert [score.reduced(r) for r in ("sum", "mean", "character", "byte", "pmi")] == [-4.0, -2.0, -2.0, -4 / 3, -1.5]
    with pytest.raises(ValueError, match="no tokens"):
        candidate_score("x", [])
