"""Sampling rules against transformers' own, and drawn frequencies against the distribution."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vergence.errors import UsageError, VergenceError
from vergence.inference.sampler import Sampling, choose, choose_each, draw, new_generator, probabilities


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [0, 1, 7, 50, 1000])
@pytest.mark.parametrize("top_p", [1e-6, 0.3, 0.9, 1.0])
def test_like_transformers(temperature, top_k, top_p):
    process = pytest.importorskip("transformers.generation.logits_process")
    logits = 3 * torch.randn(8, 50)
    expected = process.TemperatureLogitsWarper(temperature)(None, logits)
    if top_k:
        expected = process.TopKLogitsWarper(top_k)(None, expected)
    if top_p < 1:
        expected = process.TopPLogitsWarper(top_p)(None, expected)
    ours = probabilities(logits, Sampling(temperature=temperature, top_k=top_k, top_p=top_p))
    assert torch.equal(ours > 0, expected > -torch.inf)
    torch.testing.assert_close(ours, expected.softmax(-1))


def test_ties_go_to_the_lower_id():
    logits = torch.tensor([1.0, 2.0, 2.0, 2.0, 0.0])
    assert probabilities(logits, Sampling(temperature=1, top_k=2)).tolist() == [0, 0.5, 0.5, 0, 0]
    assert probabilities(logits, Sampling(temperature=1, top_p=0.3)).nonzero().flatten().tolist() == [1, 2]
    assert probabilities(logits, Sampling()).tolist() == [0, 1, 0, 0, 0]
    assert choose(logits, Sampling(), new_generator(Sampling()))[0] == 1


@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=20),
    st.sampled_from([1e-3, 0.5, 1.0, 100.0]),
    st.integers(0, 25),
    st.floats(1e-9, 1),
)
def test_always_a_distribution(scores, temperature, top_k, top_p):
    logits = torch.tensor(scores)
    result = probabilities(logits, Sampling(temperature=temperature, top_k=top_k, top_p=top_p))
    assert result.dtype == torch.float32
    assert result.isfinite().all()
    assert math.isclose(result.sum().item(), 1, abs_tol=1e-5)
    kept = result > 0
    assert kept[logits.argmax()]
    assert not top_k or kept.sum() <= top_k
    assert result[kept].max() == result.max()


def test_low_precision_and_minus_infinity():
    logits = torch.tensor([-torch.inf, 1.0, 2.0], dtype=torch.bfloat16)
    result = probabilities(logits, Sampling(temperature=0.7, top_p=0.99))
    assert result.dtype == torch.float32
    assert result[0] == 0


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0, seed=0),
        Sampling(temperature=0.6, top_k=6, seed=1),
        Sampling(temperature=1.5, top_p=0.8, seed=2),
    ],
)
def test_frequencies(sampling):
    """Pearson's chi-square over 20,000 draws stays below mean plus five deviations of its distribution."""
    expected = probabilities(torch.randn(12), sampling)
    generator, draws = new_generator(sampling), 20_000
    counts = torch.bincount(torch.tensor([draw(expected, generator) for _ in range(draws)]), minlength=12)
    kept = expected > 0
    assert counts[~kept].sum() == 0
    wanted = expected[kept].double() * draws
    chi_square = ((counts[kept] - wanted) ** 2 / wanted).sum().item()
    freedom = int(kept.sum()) - 1
    assert chi_square < freedom + 5 * math.sqrt(2 * freedom)


def test_logprobs_are_of_the_unmodified_distribution():
    logits = 2 * torch.randn(30)
    for sampling in (
        Sampling(),
        Sampling(temperature=0.4, top_k=3, seed=5),
        Sampling(temperature=2, top_p=0.5, seed=6),
    ):
        token, logprob = choose(logits, sampling, new_generator(sampling))
        assert logprob == pytest.approx(logits.log_softmax(-1)[token].item(), abs=1e-6)


def test_neighbours_do_not_matter_and_global_randomness_stays():
    logits = torch.randn(5, 40)
    samplings = [Sampling(temperature=1 + 0.2 * i, seed=i) if i % 2 else Sampling() for i in range(5)]
    state = torch.random.get_rng_state()
    together, _ = choose_each(logits, samplings, [new_generator(s) for s in samplings])
    alone = [choose(row, s, new_generator(s))[0] for row, s in zip(logits, samplings, strict=True)]
    assert together == alone
    assert torch.equal(torch.random.get_rng_state(), state)


def test_without_a_seed_runs_differ():
    flat, sampling = torch.zeros(1000), Sampling(temperature=1)
    assert len({choose(flat, sampling, new_generator(sampling))[0] for _ in range(20)}) > 10


def test_scores_that_are_not_numbers_are_an_error():
    with pytest.raises(VergenceError, match="NaN"):
        choose(torch.tensor([0.0, torch.nan]), Sampling(), new_generator(Sampling()))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("temperature", [-1, 1e-9, math.inf, math.nan, "1", None, True]),
        ("top_p", [0, -0.1, 1.01, math.nan, "0.5", True]),
        ("top_k", [-1, 2.0, "3", True]),
        ("seed", [-1, 2**63, 1.5, True]),
        ("max_tokens", [0, -5, 1.5, None, True]),
        ("stop", ["end", ("",), (1,), ["a"], None]),
    ],
)
def test_wrong_values_are_refused_by_name(field, values):
    for value in values:
        with pytest.raises(UsageError, match=f"^{field} must be"):
            Sampling(**{field: value})
